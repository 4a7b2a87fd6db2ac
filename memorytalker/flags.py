"""Command-line flags made of the fields of an option dataclass, and the dataclass of the parsed command line again."""

from __future__ import annotations

import argparse
import dataclasses
import types
import typing
from typing import Any, TypeVar

T = TypeVar("T")


def add_flags(group: Any, options: type) -> None:
    """One flag per field of a frozen dataclass of options, in their order.

    Args:
        group: an `argparse` parser or one of its groups.
        options: the dataclass. Its fields are numbers, strings, strings or None, or booleans (`--name`, `--no-name`),
            with defaults and, from `options.described`, what `--help` says of them.
    """
    hints = typing.get_type_hints(options)
    for field in dataclasses.fields(options):
        flag, kind = "--" + field.name.replace("_", "-"), hints[field.name]
        if kind is bool:
            how: dict[str, Any] = {"action": argparse.BooleanOptionalAction}
        else:
            how = {"type": _kind(kind)}
        group.add_argument(flag, default=field.default, help=help_of(field), **how)


def from_flags(options: type[T], chosen: argparse.Namespace, **changes: Any) -> T:
    """The options of a parsed command line, with `changes` in the place of some.

    Raises:
        ConfigError: values that the dataclass refuses.
    """
    values = {field.name: getattr(chosen, field.name) for field in dataclasses.fields(options)}
    return options(**values | changes)


def help_of(field: dataclasses.Field) -> str:
    """What `--help` says of a field: its meaning, its unit or range, its default."""
    default = {True: "on", False: "off"}[field.default] if isinstance(field.default, bool) else field.default
    notes = [field.metadata.get("unit"), None if default is None else f"default: {default}"]
    told = "; ".join(note for note in notes if note)
    return (field.metadata["help"] + (f" ({told})" if told else "")).replace("%", "%%")


def _kind(hint: Any) -> type:
    """The type of one value: that which is not None."""
    if isinstance(hint, types.UnionType):
        return next(one for one in typing.get_args(hint) if one is not types.NoneType)
    return hint
