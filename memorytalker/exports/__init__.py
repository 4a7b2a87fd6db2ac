"""Exports: one module per file format, and the registry that the command line, the page and the documents read."""
