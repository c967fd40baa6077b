"""The MTConnect source: an agent's `probe`, `current` and `sample`, with the guarantees of the OPC UA source."""
