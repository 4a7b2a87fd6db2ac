"""Makers of assets and of what the documents show; run by hand as `python -m tools.<folder>.<name>`."""
