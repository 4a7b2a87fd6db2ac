"""A page of the project served for as long as a test needs it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tools.page.browser import PageError, Site, served

ROOT = Path(__file__).resolve().parents[2]


def site_of(script: Path, folder: Path) -> Iterator[Site]:
    """The page of a script, with its files in `folder`; a test that cannot have it fails in plain words."""
    try:
        with served(script, folder) as site:
            yield site
    except PageError as error:
        pytest.fail(str(error))
