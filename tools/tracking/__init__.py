"""Makers and measures of what joins tracked faces to the open head; run by hand."""
