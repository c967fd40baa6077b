"""Seeded fault runs of agent, network and service, with a machine that counts its own truth."""
