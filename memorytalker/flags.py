"""Command-line flags from an option dataclass, and the dataclass back from the parsed command line."""

from __future__ import annotations

import argparse
import dataclasses
import types
import typing
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

T = TypeVar("T", bound="DataclassInstance")


def add_flags(group: Any, options: type[DataclassInstance]) -> None:
    """Add one flag per field of an option dataclass, in their order.

    Args:
        group: an `argparse` parser or one of its groups.
        options: the dataclass. Its fields are declared with `options.described` and hold numbers, strings, strings or
            None, booleans (`--name`, `--no-name`), or pairs of a name and a number; fields without a description get no
            flag.
    """
    hints = typing.get_type_hints(options)
    for field in dataclasses.fields(options):
        if "help" not in field.metadata:
            continue
        flag, kind = "--" + field.name.replace("_", "-"), hints[field.name]
        if kind is bool:
            parsing: dict[str, Any] = {"action": argparse.BooleanOptionalAction}
        elif field.default == ():  # pairs: --gain NAME=1.2 --gain OTHER=0.5
            flag = flag.removesuffix("s")
            parsing = {"action": "append", "type": _pair, "dest": field.name, "metavar": field.metadata["unit"]}
        else:
            parsing = {"type": _kind(kind)}
        default = None if field.default == () else field.default
        group.add_argument(flag, default=default, help=help_of(field), **parsing)


def from_flags(options: type[T], chosen: argparse.Namespace, **changes: Any) -> T:
    """Build the options of a parsed command line.

    Args:
        options: the dataclass whose flags were added with `add_flags`.
        chosen: the parsed command line.
        changes: fields that take these values and not those of the command line.

    Returns:
        An instance of `options`.

    Raises:
        ConfigError: values that the dataclass refuses.
    """
    described = [field.name for field in dataclasses.fields(options) if "help" in field.metadata]
    values = {name: getattr(chosen, name) for name in described}
    values = {name: () if value is None and name in _pair_fields(options) else value for name, value in values.items()}
    return options(**values | changes)


def help_of(field: dataclasses.Field) -> str:
    """Return the `--help` text of a field: its meaning, its unit or range, its default."""
    default = {True: "on", False: "off"}[field.default] if isinstance(field.default, bool) else field.default
    unit = None if default == () else field.metadata.get("unit")  # it is the name of the flag's value
    notes = [unit, None if default is None or default == () else f"default: {default}"]
    details = "; ".join(note for note in notes if note)
    return (field.metadata["help"] + (f" ({details})" if details else "")).replace("%", "%%")


def _pair_fields(options: type[DataclassInstance]) -> list[str]:
    return [field.name for field in dataclasses.fields(options) if field.default == ()]


def _pair(text: str) -> tuple[str, float]:
    """NAME=NUMBER as a pair."""
    name, found, number = text.partition("=")
    try:
        if not found or not name.strip():
            raise ValueError
        return name.strip(), float(number)
    except ValueError:
        raise argparse.ArgumentTypeError(f"write it as NAME=NUMBER, such as jawOpen=1.2, not {text[:40]!r}") from None


def _kind(hint: Any) -> type:
    """The type of a flag's value; for an optional field, the type that is not None."""
    if isinstance(hint, types.UnionType):
        return next(one for one in typing.get_args(hint) if one is not types.NoneType)
    return hint
