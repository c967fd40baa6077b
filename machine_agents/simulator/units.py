"""Engineering units and ranges of the machine's analog nodes, by member name."""

from asyncua import Server, ua

from machine_agents.simulator.companion import Names

_UNECE = "http://www.opcfoundation.org/UA/units/un/cefact"

_UNITS = {
    "RPM": "r/min",
    "P1": "%",
    "KWT": "kW",
    "NU": "N·m",
    "H81": "mm/min",
    "MMT": "mm",
    "DD": "°",
    "C26": "ms",
    "WHR": "Wh",
}
"""UN/ECE code -> what people read."""

_MEMBERS = {
    "ActSpeed": ("RPM", 0, 30_000),
    "CmdSpeed": ("RPM", 0, 30_000),
    "ActLoad": ("P1", 0, 200),
    "ActPower": ("KWT", 0, 100),
    "ActTorque": ("NU", 0, 1_000),
    "CmdTorque": ("NU", 0, 1_000),
    "ActFeedrate": ("H81", 0, 100_000),
    "CmdFeedrate": ("H81", 0, 100_000),
    "DryRunFeed": ("H81", 0, 100_000),
    "ActOverride": ("P1", 0, 200),
    "CmdOverride": ("P1", 0, 200),
    "FeedOverride": ("P1", 0, 200),
    "ActJogIncrement": ("MMT", 0, 100),
    "ZeroOffset": ("MMT", -10_000, 10_000),
    "PosDirect": ("MMT", -10_000, 10_000),
    "PosIndirect": ("MMT", -10_000, 10_000),
    "AnglePos": ("DD", 0, 360),
    "AutomaticDuration": ("C26", 0, 0),
    "CuttingDuration": ("C26", 0, 0),
    "Energy": ("WHR", 0, 0),
}
"""Member name -> unit and range; positions of the tool centre point (`PosTcp...`) are in MMT, their angles in DD."""


def unit(code: str) -> ua.EUInformation:
    """EUInformation of a UN/ECE code; UnitId is the code's bytes read as a number (Part 8, 5.6.3.3)."""
    return ua.EUInformation(
        NamespaceUri=_UNECE,
        UnitId=int.from_bytes(code.encode(), "big"),
        DisplayName=ua.LocalizedText(_UNITS[code]),
        Description=ua.LocalizedText(_UNITS[code]),
    )


def describe_units(server: Server, names: Names, machine: str) -> None:
    """Give every EngineeringUnits and EURange below the machine its value."""
    prefix = machine + "/"
    index = names.indexes["ss"]
    space = server.iserver.aspace
    for node in [node for node in list(space.keys()) if node.NamespaceIndex == index]:
        path = str(node.Identifier)
        owner, _, member = path.rpartition("/")
        if not path.startswith(prefix) or member not in ("EngineeringUnits", "EURange"):
            continue
        code, low, high = _member(owner.rpartition("/")[2])
        value = unit(code) if member == "EngineeringUnits" else ua.Range(Low=float(low), High=float(high))
        variant = ua.Variant(value, ua.VariantType.ExtensionObject)
        space[node].attributes[ua.AttributeIds.Value].value = ua.DataValue(variant)


def _member(name: str) -> tuple[str, float, float]:
    if name.startswith("PosTcp"):
        return ("DD", -360, 360) if name[-1] in "ABC" else ("MMT", -10_000, 10_000)
    return _MEMBERS[name]
