"""The machine's objects: which instances stand where, for any number of spindles and axes."""

from asyncua import Server, ua

from machine_agents.simulator.companion import Names, add_node, add_reference, variable
from machine_agents.simulator.instances import Builder
from machine_agents.simulator.units import describe_units

CHANNEL = "CncInterface/CncChannelList/Channel1"
TOOL = "Monitoring/MachineTool"

OPTIONAL = {
    "Identification/Model",
    "Identification/Location",
    "MachineryBuildingBlocks",
    f"{TOOL}/MachineryItemState",
    f"{TOOL}/MachineryOperationMode",
    f"{TOOL}/OperationCounters",
    f"{TOOL}/OperationCounters/PowerOnDuration",
    f"{TOOL}/OperationCounters/OperationDuration",
    f"{TOOL}/OperationCounters/PartsProducedInLifetime",
}
"""Optional members that we build."""

OWN = {
    "PowerOn": (ua.ObjectIds.Boolean, ""),
    "AutomaticDuration": (ua.ObjectIds.Duration, "C26"),
    "CuttingDuration": (ua.ObjectIds.Duration, "C26"),
    "Energy": (ua.ObjectIds.Double, "WHR"),
    "Replayed": (ua.ObjectIds.Boolean, ""),
    "Heartbeat": (ua.ObjectIds.UtcTime, ""),
}
"""Variables of our own object `Recording`, for what the standards have no node: data type and unit."""


def build_objects(server: Server, names: Names, name: str, spindles: list[str], axes: list[str], serial: str) -> None:
    """Build the machine object `name` with its parts, its units and its name plate."""
    builder = Builder(server, names, OPTIONAL)
    organizes, component = ua.ObjectIds.Organizes, ua.ObjectIds.HasComponent
    folder = names.node("mach:1001")
    add_node(
        server,
        node=folder,
        parent=ua.NodeId(ua.ObjectIds.ObjectsFolder),
        reference=organizes,
        name=names.browse("mach:Machines"),
        attributes=ua.ObjectAttributes(),
        type_definition=ua.NodeId(ua.ObjectIds.FolderType),
    )
    tool = names.node("mt:13")
    machine = builder.instance(name, names.browse("ss:" + name), tool, parent=folder, reference=organizes)

    def part(path: str, browse: str, kind: str) -> None:
        path = f"{name}/{path}"
        parent = names.node("ss:" + path.rpartition("/")[0])
        builder.instance(path, names.browse(browse), names.node(kind), parent=parent, reference=component)

    part("CncInterface", "cnc:CncInterface", "cnc:1007")
    part(CHANNEL, "cnc:Channel1", "cnc:1002")
    part("Monitoring/Channel1", "ss:Channel1", "mt:16")
    for spindle in spindles:
        part(f"CncInterface/CncSpindleList/{spindle}", "ss:" + spindle, "cnc:1005")
        part(f"Monitoring/{spindle}", "ss:" + spindle, "mt:22")
    for axis in axes:
        part(f"CncInterface/CncAxisList/{axis}", "ss:" + axis, "cnc:1004")
    part("Recording", "ss:Recording", "i=58")
    _add_own_variables(server, names, f"{name}/Recording")
    _add_building_blocks(server, names, name, machine)
    describe_units(server, names, name)
    _name_plate(server, names, name, serial)


def _add_own_variables(server: Server, names: Names, path: str) -> None:
    for name, (data_type, unit) in OWN.items():
        kind = ua.ObjectIds.AnalogUnitType if unit else ua.ObjectIds.BaseDataVariableType
        node = names.node(f"ss:{path}/{name}")
        null = ua.Variant(None, ua.VariantType.Null)
        add_node(
            server,
            node=node,
            parent=names.node("ss:" + path),
            reference=ua.ObjectIds.HasComponent,
            name=names.browse("ss:" + name),
            attributes=variable(ua.NodeId(data_type), -1, null),
            type_definition=ua.NodeId(kind),
        )
        if unit:
            add_node(
                server,
                node=names.node(f"ss:{path}/{name}/EngineeringUnits"),
                parent=node,
                reference=ua.ObjectIds.HasProperty,
                name=names.browse("EngineeringUnits"),
                attributes=variable(ua.NodeId(ua.ObjectIds.EUInformation), -1, null),
                type_definition=ua.NodeId(ua.ObjectIds.PropertyType),
            )


def _add_building_blocks(server: Server, names: Names, name: str, machine: ua.NodeId) -> None:
    """The same three objects from all places where the models let a client look for them."""
    blocks = names.node(f"ss:{name}/MachineryBuildingBlocks")
    for block in ("MachineryItemState", "MachineryOperationMode", "OperationCounters"):
        node = names.node(f"ss:{name}/{TOOL}/{block}")
        for place in (machine, blocks):
            add_reference(server, place, ua.ObjectIds.HasAddIn, node)


def _name_plate(server: Server, names: Names, name: str, serial: str) -> None:
    text, word = ua.VariantType.String, ua.VariantType.LocalizedText
    plate = {
        "Identification/Manufacturer": ua.Variant(ua.LocalizedText("SpindleShare simulator"), word),
        "Identification/Model": ua.Variant(ua.LocalizedText(name), word),
        "Identification/SerialNumber": ua.Variant(serial, text),
        "Identification/ProductInstanceUri": ua.Variant(f"urn:spindleshare:simulator:{serial}", text),
        "Identification/Location": ua.Variant("", text),
        "CncInterface/VendorName": ua.Variant("SpindleShare simulator", text),
        "CncInterface/VendorRevision": ua.Variant("1", text),
        "CncInterface/Version": ua.Variant("1.0.0", text),
        "Monitoring/Channel1/Name": ua.Variant("Channel1", text),
    }
    for path, variant in plate.items():
        attribute = server.iserver.aspace[names.node(f"ss:{name}/{path}")].attributes[ua.AttributeIds.Value]
        attribute.value = ua.DataValue(variant)
