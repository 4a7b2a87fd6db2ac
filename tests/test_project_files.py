"""The files about the project agree with it: version, paper, licence, what the workflow runs, files that are named."""

from __future__ import annotations

import re
import stat
from pathlib import Path

import memorytalker

ROOT = Path(__file__).resolve().parents[1]


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def test_the_citation_names_this_version_and_the_paper() -> None:
    citation = text("CITATION.cff")
    assert re.search(r"^version: (\S+)$", citation, re.MULTILINE)[1] == memorytalker.__version__
    assert re.search(r"^license: (\S+)$", citation, re.MULTILINE)[1] == "Apache-2.0"
    assert "arXiv:2507.20562" in citation and "year: 2025" in citation
    assert re.findall(r"family-names: (\w+)", citation) == ["Kim", "Lee", "Kim"]


def test_the_changes_begin_with_what_is_to_come_or_this_version() -> None:
    versions = re.findall(r"^## (.+)$", text("CHANGELOG.md"), re.MULTILINE)
    assert versions[0] in ("Unreleased", memorytalker.__version__) and memorytalker.__version__ in versions


def test_the_workflow_runs_what_a_landing_must_pass() -> None:
    workflow = text(".github/workflows/test.yml")
    assert re.findall(r"^ *- run: (.+)$", workflow, re.MULTILINE) == [".ci/run"]
    assert "secrets" not in workflow and (ROOT / ".ci" / "run").stat().st_mode & stat.S_IXUSR
    lowest = re.search(r'requires-python = ">=(\S+)"', text("pyproject.toml"))[1]
    assert f'python-version: "{lowest}"' in workflow


def test_links_lead_somewhere() -> None:
    for name in ("CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"):
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", text(name)):
            assert (ROOT / target).exists(), f"{name}: {target}"


def test_make_targets_that_are_named_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", text("Makefile"), re.MULTILINE))
    assert set(re.findall(r"`?make ([a-z-]+)", text("CONTRIBUTING.md"))) <= targets
