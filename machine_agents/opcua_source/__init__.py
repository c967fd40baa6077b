"""The OPC UA source: the only place, beside the simulator, that knows asyncua."""
