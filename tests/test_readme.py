"""README says what is true: its code runs, its commands exist, its front matter is what a Space wants."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
from pathlib import Path

import pytest
import soundfile

from memorytalker import cli
from memorytalker.cli import COMMANDS

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.S)


def front_matter() -> dict[str, str]:
    text = README.split("---")[1]
    return dict(line.split(": ", 1) for line in text.strip().splitlines() if ": " in line)


def test_the_first_example_and_that_of_files_for_other_programs_run_as_written(tmp_path: Path) -> None:
    """One after the other, each with no name of the other, in a process that has loaded nothing; with short sounds."""
    if not (ROOT / "weights" / "open" / "config.json").is_file():
        pytest.skip("weights/open is not in this checkout")
    first, files = blocks("python")[0], next(block for block in blocks("python") if "visemes.json" in block)
    assert len(files.strip().splitlines()) <= 11
    for path in set(re.findall(r'"(assets/[^"]+)"', first + files)):
        samples, rate = soundfile.read(ROOT / path)
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(tmp_path / path, samples[:rate], rate)
    code = f"for code in {[first, files]!r}: exec(code, {{}})"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert (tmp_path / "talk.mp4").stat().st_size > 15_000
    made = {path.name for path in tmp_path.iterdir()} - {"assets", "talk.mp4"}
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


def test_flags_in_the_examples_are_accepted(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["animate", "--help"])
    help_text = capsys.readouterr().out
    for line in "\n".join(blocks("bash")).splitlines():
        if "-m memorytalker animate" in line:
            flags = set(re.findall(r" (--[a-z-]+)", line))
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
