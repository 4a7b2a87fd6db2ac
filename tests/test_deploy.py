"""docs/deploy.md and what a Space reads: the commands exist, what is needed goes up and nothing else, numbers agree."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from huggingface_hub.utils import filter_repo_objects
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[1]
DEPLOY = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")
COLOURS = {"red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray"}
#: Beginnings of what the page reads at run time.
NEEDED = (
    "app.py", "README.md", "requirements.txt", "packages.txt", "memorytalker/", "assets/", "weights/", "web/src/",
    "LICENSE",
)  # fmt: skip
JUNK = (
    ".venv/bin/python", "out/demo.mp4", "runs/open/corpus/clip.npz", "memorytalker/__pycache__/cli.cpython-311.pyc",
    "memorytalker.egg-info/PKG-INFO", "tests/__pycache__/test_app.pyc", "tests/test_app.py", ".gradio/certificate.pem",
    ".ruff_cache/x", ".pytest_cache/v",
)  # fmt: skip


def commands() -> list[list[str]]:
    blocks = re.findall(r"```bash\n(.*?)```", DEPLOY, re.S)
    return [shlex.split(line, comments=True) for block in blocks for line in block.splitlines() if line]


def requirements() -> list[Requirement]:
    lines = (line.split("#")[0].strip() for line in (ROOT / "requirements.txt").read_text("utf-8").splitlines())
    return [Requirement(line) for line in lines if line]


def front_matter() -> dict[str, str]:
    return dict(line.split(": ", 1) for line in README.split("---")[1].strip().splitlines() if ": " in line)


def test_publishing_takes_three_commands_that_exist() -> None:
    steps = [command for command in commands() if command[0] == "hf"]
    assert [step[1] for step in steps] == ["auth", "repos", "upload"]
    for step in steps:
        words = [word for word in step[1:3] if word.isalpha()]
        tool = Path(sys.executable).with_name("hf")
        done = subprocess.run([tool, *words, "--help"], capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, f"hf {' '.join(words)}: {done.stderr}"
        for flag in {word for word in step if word.startswith("--")}:
            assert flag in done.stdout, f"hf {' '.join(words)} has no {flag}"


def test_what_the_page_needs_goes_up_and_nothing_else() -> None:
    upload = next(command for command in commands() if command[:2] == ["hf", "upload"])
    patterns = [upload[place + 1] for place, word in enumerate(upload) if word == "--exclude"]
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("this is no git checkout")
    files = listed.stdout.splitlines()
    sent = set(filter_repo_objects([*files, *JUNK], ignore_patterns=patterns))
    assert not sent & set(JUNK)
    assert {file for file in files if file.startswith(NEEDED)} <= sent


def test_large_files_are_named() -> None:
    """The Hub takes them another way than the others, and whoever publishes has to know."""
    for path in (ROOT / "weights").rglob("*.safetensors"):
        if path.stat().st_size > 10e6:
            name = path.relative_to(ROOT).as_posix()
            said = re.search(rf"`{re.escape(name)}`, (\d+) MB", DEPLOY)
            assert said and int(said.group(1)) == round(path.stat().st_size / 1e6), name


def test_front_matter_is_what_the_hub_accepts() -> None:
    matter = front_matter()
    assert {matter["colorFrom"], matter["colorTo"]} <= COLOURS
    assert not matter["emoji"].isascii() and matter["license"] == "apache-2.0"
    assert (ROOT / "LICENSE").read_text("utf-8").lstrip().startswith("Apache License")
    assert re.fullmatch(r'"3\.\d+"', matter["python_version"])  # quoted: 3.10 would be read as 3.1


def test_a_space_installs_a_torch_that_a_borrowed_gpu_takes() -> None:
    python = front_matter()["python_version"].strip('"')
    environment = {"python_version": python}
    chosen = [one for one in requirements() if one.name == "torch" and one.marker.evaluate(environment)]
    assert [str(one.specifier) for one in chosen] == ["==2.11.0"] and "torch 2.11" in DEPLOY
    for version in ("3.11", "3.12"):
        torches = [one for one in requirements() if one.name == "torch"]
        assert sum(one.marker.evaluate({"python_version": version}) for one in torches) == 1, version


def test_every_dependency_is_pinned_for_a_space() -> None:
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    pinned = {one.name for one in requirements() if str(one.specifier).startswith("==")}
    needed = project["dependencies"] + project["optional-dependencies"]["page"]
    assert {Requirement(one).name for one in needed} <= pinned


def test_a_space_gets_the_system_packages_that_we_install_ourselves() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    ours = re.search(r"^graphics:\n.*system_packages\.py (.*)$", makefile, re.M).group(1).split()
    assert (ROOT / "packages.txt").read_text("utf-8").split() == ours


def test_limits_are_the_ones_in_force() -> None:
    from memorytalker.page import limits

    words = {16: "sixteen"}
    assert f"{limits.LONGEST_SECONDS:.0f} seconds" in DEPLOY and f"{limits.LARGEST_MEGABYTES} MB" in DEPLOY
    assert f"({limits.LONGEST_SECONDS:.0f} seconds, {limits.LARGEST_MEGABYTES} MB, " in DEPLOY
    assert words[limits.LONGEST_QUEUE] + " wait" in DEPLOY and limits.KEEP_SECONDS == 3600
    timeout = int(re.search(r"proxy_read_timeout (\d+)s", DEPLOY).group(1))
    largest = int(re.search(r"client_max_body_size (\d+)m", DEPLOY).group(1))
    assert timeout > limits.PATIENCE_SECONDS and largest > limits.LARGEST_MEGABYTES
