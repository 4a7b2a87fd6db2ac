"""The package's own exceptions: all of them can be caught as one, and each says who can help."""

from __future__ import annotations

import ast
import builtins
import importlib
from pathlib import Path

import pytest

from memorytalker import ExecutionError, InputError, MemoryTalkerError, cli

PACKAGE = Path(cli.__file__).parent


def exceptions() -> list[tuple[str, str]]:
    """(module, class) of every exception class that stands in the package, found through the bases it is written with.

    A base is followed by its bare name, so that no module needs to be imported in order to be looked at.
    """
    bases: dict[tuple[str, str], list[str]] = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        module = ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                bases[module, node.name] = [ast.unparse(base).split(".")[-1] for base in node.bases]
    raised = {
        name for name, kind in vars(builtins).items() if isinstance(kind, type) and issubclass(kind, BaseException)
    }
    found: set[tuple[str, str]] = set()
    while True:
        more = {key for key, names in bases.items() if set(names) & (raised | {name for _, name in found})}
        if more == found:
            return sorted(found)
        found = more


def test_exceptions_are_found() -> None:
    """The search sees those with a built-in base, those below them, and private ones."""
    names = {name for _, name in exceptions()}
    assert {"MemoryTalkerError", "InputError", "AudioError", "VideoError", "PageError", "CommandError"} <= names
    assert len(names) >= 20


@pytest.mark.parametrize(("module", "name"), exceptions())
def test_every_exception_of_the_package_has_one_base(module: str, name: str) -> None:
    error = getattr(importlib.import_module(module), name)
    if issubclass(error, KeyboardInterrupt):
        return  # not an error: the process was asked to end, and `except Exception` must not catch it
    assert issubclass(error, MemoryTalkerError)
    assert not issubclass(error, ValueError) or issubclass(error, InputError)
    assert not issubclass(error, RuntimeError) or issubclass(error, ExecutionError)


class _Foreign(InputError):
    """Derived outside the package, as somebody's own reader or exporter would."""


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (InputError("It is too short."), cli.BAD_INPUT),
        (_Foreign("It is too short."), cli.BAD_INPUT),
        (ExecutionError("The disk is full."), cli.OUR_FAULT),
        (MemoryTalkerError("It was stopped."), cli.OUR_FAULT),
    ],
)
def test_the_command_line_asks_the_kind_of_an_error(
    error: Exception, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli._tell(error) == code
    assert capsys.readouterr().err == f"memorytalker: {error}\n"


@pytest.mark.parametrize("error", [ValueError("a"), RuntimeError("b"), KeyError("c")])
def test_what_is_not_ours_is_called_broken(error: Exception, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli._tell(error) == cli.OUR_FAULT
    assert "something broke inside" in capsys.readouterr().err
