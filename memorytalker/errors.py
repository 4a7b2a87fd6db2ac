"""The base classes of this package's exceptions.

`except MemoryTalkerError` catches all of them. The two subclasses tell bad input, which the user can mend, from work
that failed although its input was fine.
"""

from __future__ import annotations


class MemoryTalkerError(Exception):
    """Anything that this package refuses or fails at; the message is one plain sentence."""


class InputError(MemoryTalkerError, ValueError):
    """Input that cannot be used: a file, a name, a number. Exit code 2 of the command line."""


class TalkerError(InputError):
    """A request that a talker cannot meet; the message is one plain sentence that names the remedy."""


class ExecutionError(MemoryTalkerError, RuntimeError):
    """Work that failed although its input was fine, for want of graphics or disk, say. Exit code 1."""
