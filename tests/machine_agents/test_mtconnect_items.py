"""Any machine's Devices document becomes signals by MTConnect's own types and units, and rubbish is refused."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from machine_agents.mtconnect_devices import BadDevices, parse_devices
from machine_agents.mtconnect_items import Mapped, map_items
from machine_agents.signal_codes import codes_of

_HEAD = '<Header creationTime="2026-01-01T00:00:00Z" instanceId="77" sender="x" bufferSize="16" version="2.0"/>'
MILL = """
<Device id="d" name="Mill" uuid="U-1"><DataItems>
<DataItem id="avail" category="EVENT" type="AVAILABILITY"/></DataItems>
<Components><Axes id="a"><Components>
 <Linear id="x" name="X"><DataItems>
  <DataItem id="xw" category="SAMPLE" type="POSITION" subType="ACTUAL" coordinateSystem="WORK" units="MILLIMETER"/>
  <DataItem id="xm" category="SAMPLE" type="POSITION" subType="ACTUAL" coordinateSystem="MACHINE" units="MILLIMETER"/>
  <DataItem id="xc" category="SAMPLE" type="POSITION" subType="COMMANDED" units="MILLIMETER"/>
  <DataItem id="xl" category="SAMPLE" type="LOAD" units="PERCENT"/></DataItems></Linear>
 <Rotary id="b" name="B"><DataItems>
  <DataItem id="bl" category="SAMPLE" type="LOAD" units="PERCENT"/></DataItems></Rotary>
 <Rotary id="c" name="C"><DataItems>
  <DataItem id="cl" name="Cload" category="SAMPLE" type="LOAD" units="PERCENT"/>
  <DataItem id="sl" name="Sload" category="SAMPLE" type="LOAD" units="PERCENT"/>
  <DataItem id="cmd" name="Scmd" category="SAMPLE" type="ROTARY_VELOCITY" subType="COMMANDED"
    units="REVOLUTION/MINUTE"/>
  <DataItem id="ss" name="Srpm" category="SAMPLE" type="ROTARY_VELOCITY" subType="ACTUAL" units="REVOLUTION/MINUTE"/>
 </DataItems></Rotary></Components></Axes>
<Controller id="k"><Components><Path id="p" name="path"><DataItems>
  <DataItem id="ex" category="EVENT" type="EXECUTION"/><DataItem id="mo" category="EVENT" type="CONTROLLER_MODE"/>
  <DataItem id="fo" category="EVENT" type="PATH_FEEDRATE_OVERRIDE"/>
  <DataItem id="fa" category="SAMPLE" type="PATH_FEEDRATE" subType="ACTUAL" units="MILLIMETER/SECOND"/>
  <DataItem id="fx" category="SAMPLE" type="PATH_FEEDRATE" subType="PROGRAMMED" units="MILLIMETER/SECOND"/>
  <DataItem id="pg" category="EVENT" type="PART_COUNT" subType="GOOD"/>
  <DataItem id="pc" category="EVENT" type="PART_COUNT"/>
  <DataItem id="ts" category="SAMPLE" type="PATH_FEEDRATE" representation="TIME_SERIES" units="MILLIMETER/SECOND"/>
  <DataItem id="cut" name="cut_time" category="SAMPLE" type="ACCUMULATED_TIME" subType="x:CUT"/>
  <DataItem id="pow" category="SAMPLE" type="EQUIPMENT_TIMER" subType="POWERED" units="SECOND"/>
  <DataItem id="cond" category="CONDITION" type="LOAD"/></DataItems></Path></Components></Controller>
</Components></Device>"""


def document(devices: str, *, prefix: str = "", version: str = "1.7") -> bytes:
    """As agents of different versions write it, with or without a prefix."""
    space = f'xmlns{":" if prefix else ""}{prefix}="urn:mtconnect.org:MTConnectDevices:{version}"'
    mark = f"{prefix}:" if prefix else ""
    root = f"{mark}MTConnectDevices"
    return f'<?xml version="1.0"?>\n<{root} {space}>{_HEAD}<Devices>{devices}</Devices></{root}>'.encode()


def mill(devices: str = MILL) -> Mapped:
    return map_items(parse_devices(document(devices))[0][0])


def test_a_mills_items_are_its_signals() -> None:
    signals = {one: item.signal for one, item in mill().items.items() if codes_of(item.signal)}
    assert signals | {"": ""} == {
        "": "",
        "avail": "power",
        "xm": "axis.X.position",
        "sl": "spindle.S1.load",
        "ss": "spindle.S1.speed",
        "ex": "execution",
        "mo": "mode",
        "fa": "feed",
        "pc": "parts",
        "cut": "counter.cut",
        "pow": "counter.power_on",
    }


def test_what_is_not_taken_says_why() -> None:
    skipped = mill().skipped
    assert skipped["Linear X: xc"] == skipped["Rotary C: Scmd"] == "commanded is what was asked for, not what happened"
    assert skipped["Linear X: xw"] == "axis.X.position is taken from Linear X: xm"
    assert skipped["Path path: ts"] == "it is given as TIME_SERIES, not as a plain value"


def test_the_version_and_prefix_of_the_document_do_not_matter() -> None:
    plain, instance = parse_devices(document(MILL))
    prefixed, _ = parse_devices(document(MILL, prefix="m", version="2.3"))
    assert (plain == prefixed, instance) == (True, 77)


@pytest.mark.parametrize(
    ("units", "text", "value"),
    [
        ("REVOLUTION/MINUTE", "1234.5674", 1_234_567),
        ("REVOLUTION/SECOND", "50", 3_000_000),
        ("DEGREE/SECOND", "360", 60_000),
    ],
)
def test_values_are_exact_in_whatever_unit_the_agent_gives(units: str, text: str, value: int) -> None:
    found = mill(MILL.replace('subType="ACTUAL" units="REVOLUTION/MINUTE"', f'subType="ACTUAL" units="{units}"'))
    assert found.items["ss"].value_of(text) == value


def test_an_unknown_unit_is_not_metered_but_named() -> None:
    found = mill(MILL.replace('subType="ACTUAL" units="REVOLUTION/MINUTE"', 'subType="ACTUAL" units="FURLONG"'))
    assert "ss" not in found.items
    assert "FURLONG" in found.skipped["Rotary C: Srpm"]


@given(st.decimals(-99999, 99999, places=4))
def test_positions_are_exact(value: Decimal) -> None:
    assert abs(Decimal(str(mill().items["xm"].value_of(f"{value:f}"))) - value * 1000) <= Decimal("0.5")


def test_unavailable_is_no_value_and_words_are_translated() -> None:
    items = mill().items
    assert [items[one].value_of("UNAVAILABLE") for one in ("ss", "ex", "avail")] == [None, None, None]
    assert items["ex"].value_of("PROGRAM_STOPPED") == "interrupted"
    assert items["ex"].value_of("SOMETHING_NEW") == "other"


BOMB = b"""<?xml version="1.0"?><!DOCTYPE d [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]>
<MTConnectDevices>&b;</MTConnectDevices>"""
OUTSIDE = b"""<!DOCTYPE d [<!ENTITY f SYSTEM "file:///etc/passwd">]><MTConnectDevices>&f;</MTConnectDevices>"""


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (BOMB, "declares a document type"),
        (OUTSIDE, "declares a document type"),
        (b"<html>login</html>", "no MTConnect Devices document"),
        (b"<MTConnectDevices><Devices>", "it is no XML"),
        (b"", "it is no XML"),
        (b"<MTConnectDevices>" + b"<x>" * 100 + b"</x>" * 100 + b"</MTConnectDevices>", "within one another"),
    ],
)
def test_what_is_no_devices_document_is_refused_whole(given: bytes, message: str) -> None:
    with pytest.raises(BadDevices, match=message):
        parse_devices(given)
