"""The tests' own rules: a skip fails where CI is "true", and what shares a server stays with one worker."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

TESTS = Path(__file__).resolve().parent
SAMPLE = """
import pytest

def test_passes():
    pass

def test_wants_a_file():
    pytest.skip("the file is not here")

@pytest.mark.skipif(True, reason="the folder is not here")
def test_wants_a_folder():
    pass

@pytest.mark.gpu
def test_wants_an_accelerator():
    pytest.skip("there is no accelerator")

@pytest.mark.xfail
def test_is_known_to_fail():
    raise ValueError
"""


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ("true", {"failed": 1, "errors": 2, "passed": 1, "skipped": 1, "xfailed": 1}),
        ("", {"passed": 1, "skipped": 4, "xfailed": 1}),
    ],
    ids=["with CI", "without"],
)
def test_a_skip_fails_where_everything_should_be_there(tmp_path: Path, told: str, expected: dict[str, int]) -> None:
    shutil.copy(TESTS / "conftest.py", tmp_path)
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = gpu\n")
    (tmp_path / "test_sample.py").write_text(SAMPLE)
    (tmp_path / "test_library.py").write_text("import pytest\npytest.importorskip('no_such_library')\n")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    environment |= {"CI": told, "PYTHONPATH": os.pathsep.join((str(TESTS), str(TESTS.parent)))}
    command = [sys.executable, "-m", "pytest", "-ra", "-p", "no:cacheprovider", "--continue-on-collection-errors"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    counts = {what: int(number) for number, what in re.findall(r"(\d+) (\w+)", done.stdout.splitlines()[-1])}
    counts = {{"error": "errors"}.get(what, what): n for what, n in counts.items() if what in {*expected, "error"}}
    assert counts == expected, done.stdout
    for reason in ("the file is not here", "the folder is not here", "no_such_library"):
        assert reason in done.stdout


def test_browser_tests_stay_together_and_files_whole(request: pytest.FixtureRequest) -> None:
    share_of = request.config.pluginmanager.get_plugin(str(TESTS / "conftest.py")).share_of
    assert share_of("tests/browser/test_page.py::test_a") == share_of("tests/browser/test_stop.py::test_b[1]")
    assert share_of("tests/test_app.py::test_a") == share_of("tests/test_app.py::test_b")
    assert share_of("tests/test_app.py::test_a") != share_of("tests/test_audio.py::test_a")


def test_what_takes_longest_begins(request: pytest.FixtureRequest) -> None:
    ours = request.config.pluginmanager.get_plugin(str(TESTS / "conftest.py"))
    assert all((TESTS / name).is_file() for name in ours.LONG)
    places = ["browser/test_page.py", "test_a.py", "test_app.py", "test_b.py", "test_wheel.py"]
    items = [SimpleNamespace(nodeid=f"tests/{place}::test_1", path=TESTS / place) for place in places]
    ours.pytest_collection_modifyitems(items)
    assert [item.path.relative_to(TESTS).as_posix() for item in items] == [places[k] for k in (0, 2, 4, 1, 3)]
