"""Errors: what every exception of this package derives from, so that a caller can tell them from everybody else's.

`except MemoryTalkerError` catches all that the package itself refuses or fails at. Below it stand two kinds, and which
of them an error is says who can help: whoever gave the input, or whoever keeps the machine or the program.
"""

from __future__ import annotations


class MemoryTalkerError(Exception):
    """Anything that this package refuses or fails at; the message is one plain sentence."""


class InputError(MemoryTalkerError, ValueError):
    """Input that cannot be used: a file, a name, a number. Exit code 2 of the command line."""


class ExecutionError(MemoryTalkerError, RuntimeError):
    """Work that failed although its input was fine, for want of graphics or disk, say. Exit code 1."""
