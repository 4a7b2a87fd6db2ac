"""README says what is true: its code runs, its commands exist, its front matter is what a Space wants."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

from memorytalker.cli import COMMANDS

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.S)


def front_matter() -> dict[str, str]:
    text = README.split("---")[1]
    return dict(line.split(": ", 1) for line in text.strip().splitlines() if ": " in line)


def test_first_python_example_runs_as_written(tmp_path: Path) -> None:
    if not (ROOT / "weights" / "open" / "config.json").is_file():
        pytest.skip("weights/open is not in this checkout")
    code = blocks("python")[0].replace('"assets/', f'"{ROOT.as_posix()}/assets/')
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert (tmp_path / "talk.mp4").stat().st_size > 50_000


def test_the_example_of_files_for_other_programs_runs_as_written(tmp_path: Path) -> None:
    if not (ROOT / "weights" / "open" / "config.json").is_file():
        pytest.skip("weights/open is not in this checkout")
    code = next(block for block in blocks("python") if "visemes.json" in block)
    assert len(code.strip().splitlines()) <= 11
    code = code.replace('"assets/', f'"{ROOT.as_posix()}/assets/')
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    made = {path.name for path in tmp_path.iterdir()}
    assert made == {"talk.csv", "talk.glb", "talk_sound.wav", "visemes.json", "talk.vrma", "stronger.csv"}


def test_attributes_named_exist() -> None:
    from memorytalker import Animation, Talker

    fields = set(Animation.__dataclass_fields__) | set(dir(Animation)) | set(dir(Talker))
    named = set(re.findall(r"(?:animation|talker)\.([a-z_]+)", "\n".join(blocks("python"))))
    assert named <= fields


def test_commands_named_exist() -> None:
    named = set(re.findall(r"python -m memorytalker ([a-z]+)", README))
    assert named <= set(COMMANDS)
    listed = re.search(r"`python -m memorytalker ([^`]*)`", README.split("## The commands")[1]).group(1)
    assert set(re.findall(r"[a-z]+", listed)) == set(COMMANDS)
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in set(re.findall(r"`?make ([a-z-]+)", README)) - {"it", "the"}:
        assert re.search(rf"^{target}:", makefile, re.M), f"make {target} does not exist"


def test_flags_in_the_examples_are_accepted() -> None:
    for line in "\n".join(blocks("bash")).splitlines():
        if "-m memorytalker animate" in line:
            flags = set(re.findall(r" (--[a-z-]+)", line))
            help_text = subprocess.run(
                [sys.executable, "-m", "memorytalker", "animate", "--help"], capture_output=True, text=True, check=True
            ).stdout
            assert all(flag in help_text for flag in flags)
            from memorytalker.face.head import load_head

            for identity in re.findall(r"--identity (\S+)", line):
                assert identity in load_head().identities


def test_files_named_exist() -> None:
    for link in re.findall(r"\]\((?!http)([^)#]+)\)", README):
        assert (ROOT / link).exists(), f"{link} does not exist"


def test_front_matter_is_what_a_space_wants() -> None:
    matter = front_matter()
    assert matter["sdk"] == "gradio" and (ROOT / matter["app_file"]).is_file()
    assert len(matter["short_description"]) <= 60
    assert f"gradio=={matter['sdk_version']}" in (ROOT / "requirements.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("folder", ["head", "speech", "readme"])
def test_assets_carry_origin_licence_and_hash(folder: str) -> None:
    """Every file of an assets folder is named with its sha256 in a README there or above."""
    import hashlib

    pages = [path.read_text(encoding="utf-8") for path in (ROOT / "assets").rglob("README.md")]
    for path in (ROOT / "assets" / folder).rglob("*"):
        if path.name == "README.md" or path.is_dir():
            continue
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        assert any(digest in page for page in pages), f"{folder}/{path.name}: write down sha256 {digest}"


def test_the_sums_listed_beside_assets_are_those_of_the_files() -> None:
    listed = [
        (readme, name, digest)
        for folder in ("assets", "weights")
        for readme in sorted((ROOT / folder).rglob("README.md"))
        for digest, name in re.findall(r"^([0-9a-f]{64})  (\S+)$", readme.read_text(encoding="utf-8"), re.MULTILINE)
    ]
    assert len(listed) > 20
    wrong = [
        f"{readme.relative_to(ROOT)}: {name}"
        for readme, name, digest in listed
        if hashlib.sha256((readme.parent / name).read_bytes()).hexdigest() != digest
    ]
    assert not wrong, wrong


def test_the_table_of_formats_is_that_of_the_registry() -> None:
    from memorytalker.exports.registry import FORMATS

    text = (ROOT / "docs" / "exports.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([^`]+)` \| `([^`]+)` \| (.+?) \| (.+?) \|$", text, re.MULTILINE)
    assert rows == [(each.suffix, each.name, each.title, each.summary) for each in FORMATS]
