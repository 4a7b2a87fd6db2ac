"""Metrics of predicted motion on a data set: definitions, bootstrap intervals, tables, and the command."""
