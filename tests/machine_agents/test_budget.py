"""What a configuration may ask for: of the server, and of a reading."""

from machine_agents.budget import excess
from machine_agents.config import SourceConfig
from tests.machine_agents.plain_server import PROFILE

CONFIG = SourceConfig("opc.tcp://machine:4840", "agent")


def test_more_registers_than_a_reading_holds_are_refused_before_anything_is_metered() -> None:
    axes = [f"axis.A{number}.position" for number in range(127)]
    assert excess(PROFILE, CONFIG, axes) == []
    (why,) = excess(PROFILE, CONFIG, [*axes, "axis.B.position"])
    assert why.startswith("128 signals feed 129 registers, a reading holds 128")
