"""Benchmarks: rows of ours against a limit or a peer, measured in the same run so that the machine cancels out."""
