"""What `discover` says of a server: the best profile first, why the rest matters, what else there is, and a draft."""

from datetime import UTC, datetime
from pathlib import Path

from machine_agents import profile
from machine_agents.opcua_source.discovery import Survey, survey, write_draft
from tests.machine_agents.generated_machine import grown
from tests.machine_agents.plain_server import source_config
from tests.machine_agents.test_opcua_source import run


def test_the_profile_that_fits_comes_first_and_a_draft_of_the_rest_can_be_loaded(tmp_path: Path) -> None:
    found: list[Survey] = []

    async def test() -> None:
        async with grown(tmp_path / "server", profile.load("umati"), 11) as machine:
            own = await machine.server.nodes.objects.add_object(1, "Meter")
            await (await own.add_variable(1, "EnergyTotal", 17.5)).write_value(18.5)
            every = [profile.load(name) for name in profile.names()]
            found.append(
                await survey(source_config(machine.url, tmp_path), every, tmp_path / "pki", now=datetime.now(UTC))
            )

    run(test())
    best = found[0].proposals[0]
    assert best.profile == "umati"
    assert best.usable
    assert 'profile = "umati"' in best.config
    assert "no wear tariff" in best.not_metered["load spectrum (wear hours)"]
    assert any("no wear tariff is possible" in note for note in best.notes)
    assert not next(one for one in found[0].proposals if one.profile == "cnc").usable
    candidate = next(one for one in found[0].candidates if one.path.endswith("EnergyTotal"))
    assert (candidate.signal, candidate.value, candidate.unit) == ("energy", "18.5", "")
    assert found[0].whole

    path = tmp_path / "mine.toml"
    write_draft(found[0], path)
    text = path.read_text()
    assert "the node says no unit of energy" in text
    mine = profile.load(str(path))
    assert {entry.signal for entry in mine.entries} == {entry.signal for entry in profile.load("umati").entries}
    # Once somebody has looked up the unit and taken the marks away, it is metered.
    entry = text[text.index('# [[signal]]\n# signal = "energy"') :].replace("# ", "").replace('"?"', '"KWH"')
    assert "energy" in {one.signal for one in profile.parse(text + entry, "mine").entries}
