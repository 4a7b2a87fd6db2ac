"""Untrusted pickles: what plain data becomes, and that nothing else is ever run."""

from __future__ import annotations

import os
import pickle
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
from synthetic_datasets import write_pickle

from memorytalker.datasets.pickles import read_pickle
from memorytalker.datasets.sequences import DatasetError

PLAIN = {
    "text": "FaceTalk_170728_03272_TA",
    "numbers": [1, -2, 3.5, True, None, 1 << 70],
    "floats": np.linspace(0, 1, 24).reshape(2, 3, 4),
    "fortran": np.asfortranarray(np.arange(6, dtype=np.int16).reshape(2, 3)),
    "sound": np.array([-32768, 0, 255, 32767], np.int16),
    "big endian": np.arange(3, dtype=">f4"),
    "empty": np.zeros((0, 3), np.float32),
    "scalar": np.float64(2.5),
    "nested": {"a": ({"b": np.arange(3, dtype=np.uint8)}, [np.bool_(True)])},
}


def assert_same(found: object, wanted: object) -> None:
    if isinstance(wanted, dict):
        assert isinstance(found, dict) and list(found) == list(wanted)
        for key in wanted:
            assert_same(found[key], wanted[key])
    elif isinstance(wanted, list | tuple):
        assert type(found) is type(wanted) and len(found) == len(wanted)
        for one, other in zip(found, wanted, strict=True):
            assert_same(one, other)
    elif isinstance(wanted, np.ndarray):
        assert isinstance(found, np.ndarray) and found.dtype == wanted.dtype.newbyteorder("=")
        np.testing.assert_array_equal(found, wanted)
    else:
        assert found == wanted


@pytest.mark.parametrize("python2", [True, False])
def test_plain_data_of_python_2_and_3(tmp_path: Path, python2: bool) -> None:
    write_pickle(tmp_path / "plain.pkl", PLAIN, python2)
    if python2:
        assert b"_codecs" not in (tmp_path / "plain.pkl").read_bytes()
        assert b"numpy.core.multiarray" in (tmp_path / "plain.pkl").read_bytes()
    assert_same(read_pickle(tmp_path / "plain.pkl"), PLAIN)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_every_protocol_of_today(tmp_path: Path, protocol: int) -> None:
    (tmp_path / "plain.pkl").write_bytes(pickle.dumps(PLAIN, protocol))
    assert_same(read_pickle(tmp_path / "plain.pkl"), PLAIN)


def test_arrays_can_be_written_to_and_ordered_dicts_are_dicts(tmp_path: Path) -> None:
    shared = np.arange(3)
    (tmp_path / "x.pkl").write_bytes(pickle.dumps(OrderedDict(one=shared, two=shared), 2))
    found = read_pickle(tmp_path / "x.pkl")
    found["one"][0] = 7
    assert type(found) is dict and found["one"].flags.writeable


class Runs:
    """An object whose pickle calls a function when it is read."""

    def __init__(self, function: object, *arguments: object) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> tuple:
        return self.call


def malicious(mark: Path) -> dict[str, bytes]:
    """Pickles that would leave the file `mark`, by one way or another."""
    touch = f"touch {mark}"
    code = f"open({str(mark)!r}, 'w').close()"
    return {
        "system": pickle.dumps(Runs(os.system, touch), 2),
        "nested": pickle.dumps({"templates": [np.arange(3), Runs(os.system, touch)]}, 2),
        "eval": pickle.dumps(Runs(eval, code), 2),
        "eval of Python 2": b"c__builtin__\neval\n(V" + code.encode() + b"\ntR.",
        "getattr": b"cbuiltins\ngetattr\n(cos\nsystem\ntR.",
        "dotted": b"\x80\x04\x8c\x05numpy\x8c\x18ndarray.__reduce__.eval\x93.",
        "numpy load": b"cnumpy\nload\n(V" + str(mark).encode() + b"\ntR.",
        "outside": b"\x80\x02U\x01xQ.",
        "extension": b"\x80\x02\x82\x01.",
        "old instance": b"(ios\nsystem\n.",
        "new object": b"\x80\x02cnumpy\nmatrix\n)\x81.",
    }


@pytest.mark.parametrize("kind", malicious(Path("mark")))
def test_malicious_pickles_do_not_run(tmp_path: Path, kind: str) -> None:
    mark, path = tmp_path / "mark", tmp_path / "templates.pkl"
    path.write_bytes(malicious(mark)[kind])
    with pytest.raises(DatasetError, match=r"^templates\.pkl [^\n]*\.$"):
        read_pickle(path)
    assert not mark.exists()


def test_the_malicious_pickles_are_malicious(tmp_path: Path) -> None:
    """They do their harm where a pickle is read as usual: the test above would see it."""
    mark = tmp_path / "mark"
    for kind in ("system", "nested", "eval", "eval of Python 2"):
        pickle.loads(malicious(mark)[kind])
        assert mark.exists(), kind
        mark.unlink()


@pytest.mark.parametrize(
    "value", [np.array([{}], object), np.array(["text"]), np.zeros(2, [("a", "f4")]), np.zeros(1, "M8[s]"), np.int16]
)
def test_only_arrays_of_numbers(tmp_path: Path, value: object) -> None:
    (tmp_path / "x.pkl").write_bytes(pickle.dumps({"x": value}, 2))
    with pytest.raises(DatasetError, match="was not read"):
        read_pickle(tmp_path / "x.pkl")


def test_what_a_pickle_may_call_it_cannot_change(tmp_path: Path) -> None:
    """BUILD sets attributes of whatever lies on the stack: not of our functions, types or arrays."""
    write_pickle(tmp_path / "good.pkl", PLAIN)
    for name in (b"_codecs\nencode", b"numpy\nndarray", b"numpy\ndtype", b"numpy.core.multiarray\nscalar"):
        (tmp_path / "bad.pkl").write_bytes(b"\x80\x02c" + name + b"\n}U\x08functionK\x07sb.")
        with pytest.raises(DatasetError) as caught:
            read_pickle(tmp_path / "bad.pkl")
        assert ("a change of a function" in str(caught.value)) == (name.split(b"\n")[1] in (b"encode", b"scalar"))
    assert_same(read_pickle(tmp_path / "good.pkl"), PLAIN)


def test_a_lying_array_is_refused(tmp_path: Path) -> None:
    """A shape that its bytes do not fill, and every way of cutting a good file off."""
    good = pickle.dumps({"a": np.arange(300.0)}, 2)
    path = tmp_path / "x.pkl"
    for bad in [good.replace(b"M,\x01", b"M\xff\x7f"), *(good[:cut] for cut in range(0, len(good) - 1, 97))]:
        path.write_bytes(bad)
        with pytest.raises(DatasetError, match=r"^x\.pkl [^\n]*download it again\.$"):
            read_pickle(path)
    with pytest.raises(DatasetError, match="There is no file"):
        read_pickle(tmp_path / "none.pkl")
