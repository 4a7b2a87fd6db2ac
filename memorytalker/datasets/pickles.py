"""Untrusted pickles, read without running anything: plain containers, numbers, text and numpy arrays of numbers.

A pickle names the functions that rebuild its objects. Here these names lead to the stand-ins below and to nothing else.
Arrays are built from their bytes by our own code, because numpy's own functions trust what the file says about memory.
VOCASET's pickles are from Python 2, so 8-bit strings are read as latin1, and numpy's old module names are known.
"""

from __future__ import annotations

import pickle
import pickletools
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, Literal

import numpy as np

from memorytalker.datasets.sequences import DatasetError
from memorytalker.errors import InputError

_NUMBERS = "biuf"  # kinds of numpy types: boolean, signed, unsigned, floating
_MULTIARRAY = ("numpy.core.multiarray", "numpy._core.multiarray")
_NUMERIC = ("numpy.core.numeric", "numpy._core.numeric")


class _Refused(InputError):
    """The pickle asks for something that is not plain data."""


class _Type:
    """Stands for a numpy.dtype while a pickle is read."""

    def __init__(self, code: str, *_: Any) -> None:
        try:
            self.dtype = np.dtype(str(code))
        except TypeError:
            raise _Refused(f"a numpy type {code!r}") from None
        if self.dtype.kind not in _NUMBERS:
            raise _Refused(f"a numpy array of {self.dtype.name}")

    def __setstate__(self, state: tuple) -> None:
        """`state` is (version, byte order, ...); all that follows is None for numbers."""
        self.dtype = self.dtype.newbyteorder("=" if state[1] == "|" else state[1])


class _Array:
    """Stands for a numpy.ndarray while a pickle is read."""

    value: np.ndarray | None = None

    def __setstate__(self, state: tuple) -> None:
        """`state` is (version, shape, type, Fortran order, bytes)."""
        _, shape, kind, fortran, data = state
        self.value = _array(data, kind, shape, "F" if fortran else "C")


class _Call:
    """A function that a pickle may call but not change."""

    __slots__ = ("function",)

    def __init__(self, function: Callable) -> None:
        self.function = function

    def __call__(self, *arguments: Any) -> Any:
        return self.function(*arguments)

    def __setstate__(self, state: Any) -> None:
        raise _Refused("a change of a function")


def _array(data: str | bytes, kind: _Type, shape: tuple[int, ...], order: Literal["C", "F"]) -> np.ndarray:
    """Build an array from a copy of its bytes, which Python 2 wrote as latin1 text."""
    if not isinstance(kind, _Type):
        raise _Refused("an array of unknown type")
    raw = data.encode("latin1") if isinstance(data, str) else bytes(data)
    return np.frombuffer(raw, kind.dtype).reshape(shape, order=order).astype(kind.dtype.newbyteorder("="))


def _scalar(kind: _Type, data: str | bytes) -> Any:
    """A numpy number from its bytes."""
    return _array(data, kind, (), "C")[()]


def _encode(text: str, encoding: str = "latin1") -> bytes:
    """Turn latin1 text into bytes: protocol 2 of Python 3 writes bytes in this way."""
    if encoding not in ("latin1", "latin-1"):
        raise _Refused(f"text in the encoding {encoding!r}")
    return text.encode("latin1")


def _allowed(module: str, name: str) -> Any:
    """The stand-in for a name in a pickle; None for every name that is not allowed."""
    if module in _MULTIARRAY and name == "_reconstruct":
        return _Call(lambda *_: _Array())
    if module in _MULTIARRAY and name == "scalar":
        return _Call(_scalar)
    if module in _NUMERIC and name == "_frombuffer":
        return _Call(lambda data, kind, shape, order: _array(data, kind, shape, order))
    if (module, name) == ("_codecs", "encode"):
        return _Call(_encode)
    if (module, name) == ("builtins", "bytes"):
        return _Call(lambda: b"")  # how protocol 2 of Python 3 writes no bytes
    if (module, name) == ("collections", "OrderedDict"):
        return dict
    return {
        ("numpy", "ndarray"): _Array,
        ("numpy", "dtype"): _Type,
        ("builtins", "set"): set,
        ("builtins", "frozenset"): frozenset,
    }.get((module, name))


class _Reader(pickle.Unpickler):
    """An unpickler that knows only the names of `_allowed`."""

    def find_class(self, module: str, name: str) -> Any:
        """Return the stand-in for a name. Raises _Refused for any other name, before anything is imported."""
        module = "builtins" if module == "__builtin__" else module
        found = _allowed(module, name)
        if found is None:
            raise _Refused(f"{module}.{name}")
        return found

    def persistent_load(self, identity: Any) -> Any:
        """Refuse references to objects outside the pickle; plain data has none."""
        raise _Refused("an outside object")


def read_pickle(path: Path) -> Any:
    """Read the plain data in a pickle. Nothing that the file names is imported or run.

    Args:
        path: the pickle.

    Returns:
        dict, list, tuple, set, numbers, text, bytes, None and numpy arrays of numbers.

    Raises:
        DatasetError: the file is missing, damaged, or holds anything else.
    """
    try:
        with path.open("rb") as file:
            _check_places(file, path.stat().st_size)
            return _plain(_Reader(file, encoding="latin1").load(), {})
    except _Refused as refused:
        raise DatasetError(
            f"{path.name} asks for {refused}, which plain data does not need, so it was not read; "
            "download it again from where the data set comes from."
        ) from None
    except FileNotFoundError:
        raise DatasetError(
            f"There is no file {path}; 'python -m memorytalker doctor FOLDER' lists what is expected."
        ) from None
    except MemoryError:
        raise DatasetError(f"{path.name} does not fit into memory or is damaged; download it again.") from None
    except Exception:  # a damaged pickle can fail in any of its instructions, and with any error
        raise DatasetError(
            f"{path.name} is not a pickle that can be read, or it is damaged; download it again."
        ) from None


def _check_places(file: IO[bytes], size: int) -> None:
    """Refuse a pickle that numbers its memo beyond the length of the file.

    The reader would allocate every place up to that number. An honest pickle numbers its places one after the other, so
    it needs fewer places than the file has bytes.
    """
    for instruction, argument, _ in pickletools.genops(file):
        if instruction.name not in ("PUT", "BINPUT", "LONG_BINPUT"):
            continue
        assert argument is not None  # each of the three has a number
        if not 0 <= argument <= size:
            raise _Refused("more memory than its length")
    file.seek(0)


def _plain(value: Any, seen: dict[int, tuple[Any, Any]]) -> Any:
    """Replace every stand-in in `value`, at any depth, by the array that it stands for.

    `seen` maps the id of each object to the object and its replacement. It keeps the objects alive, so that no id is
    used twice.
    """
    if isinstance(value, _Array):
        if value.value is None:
            raise _Refused("an array without contents")
        return value.value
    if isinstance(value, (_Type, _Call)) or isinstance(value, type):
        raise _Refused("a type or a function")
    if id(value) in seen:
        return seen[id(value)][1]
    if isinstance(value, (dict, list)):
        seen[id(value)] = (value, value)
        for item in value if isinstance(value, dict) else ():
            if isinstance(_plain(item, seen), np.ndarray):
                raise _Refused("an array as a name")
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, item in list(items):
            value[key] = _plain(item, seen)
        return value
    if isinstance(value, tuple):  # one that is named often is looked at once: each may hold the one before it twice
        seen[id(value)] = (value, tuple(_plain(item, seen) for item in value))
        return seen[id(value)][1]
    if isinstance(value, (set, frozenset)) and any(isinstance(_plain(item, seen), np.ndarray) for item in value):
        raise _Refused("a set of arrays")
    return value
