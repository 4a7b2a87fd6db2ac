"""The benchmark with its peers: `python -m tools.bench`."""
