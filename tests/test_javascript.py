"""The page's JavaScript: eslint finds nothing in it, and its own tests (tests/javascript) pass."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
ESLINT = ROOT / "node_modules" / "eslint" / "bin" / "eslint.js"


def node(*arguments: str) -> subprocess.CompletedProcess:
    """Run node in the repository; where it or eslint is not there, say so: a skip, but a failure where CI is set."""
    program, missing = shutil.which("node"), ""
    if program is None:
        missing = "Node.js is missing, which checks the page's JavaScript; install nodejs and npm (make test does)."
    elif str(ESLINT) in arguments and not ESLINT.exists():
        missing = "eslint is missing, which checks the page's JavaScript; run 'npm ci' here (make test does)."
    if missing and os.environ.get("CI"):
        pytest.fail(missing)
    if missing:
        pytest.skip(missing)
    return subprocess.run([program, *arguments], cwd=ROOT, capture_output=True, text=True, check=False)


def test_eslint_finds_nothing() -> None:
    done = node(str(ESLINT), "--max-warnings", "0", ".")
    assert done.returncode == 0, done.stdout + done.stderr


def test_tests_of_the_scripts_pass() -> None:
    files = sorted(str(path) for path in (ROOT / "tests" / "javascript").glob("*.test.js"))
    done = node("--test", *files)
    assert files and done.returncode == 0, done.stdout + done.stderr
