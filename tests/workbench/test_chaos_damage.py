"""What the fault runs do to a spool is done, and what it held is told before."""

import random
import shutil
from pathlib import Path

import pytest

from machine_agents.spool import Spool, SpoolBroken
from tests.machine_agents.test_spool import sealed
from workbench.chaos.damage import KINDS, damage, texts


def killed(folder: Path) -> list[str]:
    """A spool as a kill leaves it, in `folder`: its log is not in the file yet. The texts in it."""
    spool = Spool(folder.with_name("open"))
    for number in range(20):
        spool.commit({"accrual": f"state {number} " * 50}, sealed(spool))
    shutil.copytree(folder.with_name("open"), folder)
    held = list(spool.texts())
    spool.close()
    return held


def test_the_texts_are_told_and_nothing_is_changed(tmp_path: Path) -> None:
    held = killed(tmp_path / "data")
    before = {file.name: file.read_bytes() for file in (tmp_path / "data").iterdir()}
    assert texts(tmp_path / "data") == held
    assert {file.name: file.read_bytes() for file in (tmp_path / "data").iterdir()} == before


@pytest.mark.parametrize("what", KINDS)
def test_after_a_damage_the_spool_is_broken_or_ends_earlier_or_is_the_same(tmp_path: Path, what: str) -> None:
    held, outcomes = killed(tmp_path / "data"), set()
    for seed in range(6):
        folder = tmp_path / str(seed)
        shutil.copytree(tmp_path / "data", folder)
        assert damage(folder, what, random.Random(seed))
        try:
            spool = Spool(folder)
        except SpoolBroken:
            outcomes.add("broken")
            continue
        left = list(spool.texts())
        assert held[: len(left)] == left
        assert spool.kept("accrual") == (f"state {len(left) - 1} " * 50 if left else None)
        outcomes.add("same" if left == held else "earlier")
        spool.close()
    assert outcomes & ({"earlier"} if what == "older state" else {"broken"})


def test_where_there_is_no_spool_yet_nothing_is_damaged(tmp_path: Path) -> None:
    assert not any(damage(tmp_path, what, random.Random(1)) for what in KINDS)
