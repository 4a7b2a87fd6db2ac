"""What is installed with the library and what only when asked for: declared, bounded, and told in one sentence."""

from __future__ import annotations

import ast
import importlib.metadata
import re
import socket
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from memorytalker import __version__, cli
from memorytalker.extras import EXTRAS, missing_extra

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
PINNED = [
    Requirement(line.split("#")[0])
    for line in (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    if line.split("#")[0].strip()
]
#: Module -> distribution, where their names differ.
DISTRIBUTIONS = {
    "PIL": "pillow", "sklearn": "scikit-learn", "huggingface_hub": "huggingface-hub",
    "imageio_ffmpeg": "imageio-ffmpeg", "vtkmodules": "pyvista",
    "pxr": "usd-core", "ai_edge_litert": "ai-edge-litert",
}  # fmt: skip
#: Imported where it happens to be: a Space brings it.
NOT_OURS = {"spaces"}


def names(requirements: list[str]) -> set[str]:
    return {one.name for one in map(Requirement, requirements)} - {"memorytalker"}


def third_party() -> dict[str, set[str]]:
    """Distribution -> the files of the package that import it, anywhere in them."""
    found: dict[str, set[str]] = {}
    for path in (ROOT / "memorytalker").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                modules = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and not node.level:
                modules = [node.module or ""]
            else:
                continue
            for module in {module.split(".")[0] for module in modules}:
                if module not in sys.stdlib_module_names | {"memorytalker", "__future__", "_typeshed"} | NOT_OURS:
                    found.setdefault(DISTRIBUTIONS.get(module, module), set()).add(path.name)
    return found


def test_every_library_that_is_imported_is_declared() -> None:
    declared = names(PROJECT["dependencies"]) | {DISTRIBUTIONS.get(module, module) for module in EXTRAS}
    assert set(third_party()) | {"tensorboard"} == declared  # torch imports that one for us


def test_the_table_of_extras_is_that_of_the_project() -> None:
    extras = PROJECT["optional-dependencies"]
    for module, extra in EXTRAS.items():
        name = DISTRIBUTIONS.get(module, module)
        assert name in names(extras[extra]), f"{extra} does not bring {name}"
        assert name not in names(PROJECT["dependencies"]), f"{name} is there anyway"
    known = {DISTRIBUTIONS.get(module, module) for module in EXTRAS}
    own = ("page", "data", "train", "usd", "ray", "film", "live")
    assert set().union(*(names(extras[extra]) for extra in own)) == known
    (everything,) = map(Requirement, extras["all"])
    assert everything.extras == {"page", "data", "train", "usd"}


@pytest.mark.parametrize("name", sorted(names(PROJECT["dependencies"])))
def test_core_dependencies_have_bounds_around_what_was_tried(name: str) -> None:
    """From a version that was tried up to the next major one."""
    (bounds,) = [one.specifier for one in map(Requirement, PROJECT["dependencies"]) if one.name == name]
    pins = [Version(str(one.specifier).removeprefix("==")) for one in PINNED if one.name == name]
    assert {one.operator for one in bounds} == {">=", "<"}
    assert pins and all(pin in bounds for pin in pins)
    (upper,) = [Version(one.version) for one in bounds if one.operator == "<"]
    assert upper == Version(str(max(pins).major + 1))


def test_the_environment_of_a_clone_has_the_page_and_data() -> None:
    """requirements.txt is all that a Space installs."""
    wanted = names(PROJECT["dependencies"]) | names(PROJECT["optional-dependencies"]["page"])
    wanted |= names(PROJECT["optional-dependencies"]["data"])
    assert {one.name for one in PINNED} == wanted | NOT_OURS
    assert all(str(one.specifier).startswith("==") for one in PINNED)


def test_the_version_is_written_once() -> None:
    assert "version" in PROJECT["dynamic"] and "version" not in PROJECT
    assert re.fullmatch(r"\d+\.\d+\.\d+", __version__)


def test_the_road_from_sound_to_video_needs_no_extra() -> None:
    """Every module of an extra is refused, but those that a core dependency brings along."""
    brought, left = set(), names(PROJECT["dependencies"])
    while left:
        name = left.pop()
        if name.lower() not in brought:
            brought.add(name.lower())
            try:
                needs = importlib.metadata.requires(name) or []
            except importlib.metadata.PackageNotFoundError:
                continue  # for another system
            needed = [one for one in map(Requirement, needs) if not one.marker or one.marker.evaluate({"extra": ""})]
            left |= {one.name for one in needed}
    refused = [module for module in EXTRAS if DISTRIBUTIONS.get(module, module) not in brought]
    assert {"gradio", "soundfile", "trimesh"} <= set(refused)
    code = (
        f"import sys; sys.modules.update(dict.fromkeys({refused}))\n"
        "import memorytalker.pipeline, memorytalker.animation, memorytalker.exports.web_head\n"
        "import memorytalker.page.playback\n"
        "import memorytalker.doctor, memorytalker.benchmark, memorytalker.cli, memorytalker.face.mesh_files\n"
        "sys.exit(memorytalker.cli.main(['doctor', '--device', 'cpu']))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0 or "MISSING  opengl" in done.stdout, done.stdout + done.stderr
    assert "found    weights" in done.stdout and "found    head" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "module", "extra"),
    [
        (["page"], "gradio", "page"),
        (["page"], "matplotlib", "page"),
        (["convert", "folder", "out"], "soundfile", "data"),
        (["experiments", "report", "folder"], "matplotlib", "train"),
    ],
)
def test_a_missing_extra_is_told_in_one_sentence(arguments: list[str], module: str, extra: str) -> None:
    """In a process of its own, because what is imported once stays."""
    code = (
        f"import sys; sys.modules[{module!r}] = None\nfrom memorytalker import cli; sys.exit(cli.main({arguments!r}))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == cli.BAD_INPUT, done.stderr
    words = f'memorytalker: This needs {module}, which is not installed; run pip install "memorytalker[{extra}]".\n'
    assert done.stderr == words


def test_a_missing_mesh_reader_is_told_to_a_caller_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from memorytalker import HeadError
    from memorytalker.face.mesh_files import load_mesh_head

    (tmp_path / "head.ply").write_bytes(b"ply\n")
    monkeypatch.setitem(sys.modules, "trimesh", None)
    with pytest.raises(HeadError, match=r'pip install "memorytalker\[data\]"\.$'):
        load_mesh_head(tmp_path / "head.ply")


def test_other_missing_modules_are_our_fault() -> None:
    assert missing_extra(ModuleNotFoundError("no", name="memorytalker.nothing")) is None
    assert missing_extra(ImportError("no", name="gradio")) is None
    assert missing_extra(ValueError("gradio")) is None
    assert missing_extra(ModuleNotFoundError("no", name="sklearn.svm")).endswith('"memorytalker[train]".')


@pytest.mark.parametrize("port", ["0", "65536", "-1"])
def test_a_port_that_does_not_exist_is_refused(port: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["page", "--port", port]) == cli.BAD_INPUT
    assert capsys.readouterr().err == f"memorytalker: There is no port {port}; choose one from 1 to 65535.\n"


@pytest.mark.parametrize("by", ["flag", "environment"])
def test_a_port_that_is_taken_is_refused(by: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from stub_talker import StubTalker

    from memorytalker.page.demo import serve
    from memorytalker.page.limits import PageError

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        if by == "environment":  # where a host that has opened this port alone would wait for ever
            monkeypatch.setenv("GRADIO_SERVER_PORT", str(port))
        with pytest.raises(PageError, match=f"at port {port} .* choose another --host or --port"):
            serve(StubTalker(), "127.0.0.1", port if by == "flag" else None)


@pytest.mark.parametrize("asked", ["abc", "70000", "0", "7860 ", "٧"])
def test_a_port_of_the_environment_that_is_none_is_refused(asked: str, capsys, monkeypatch) -> None:
    monkeypatch.setenv("GRADIO_SERVER_PORT", asked)
    assert cli.main(["page"]) == cli.BAD_INPUT
    said = capsys.readouterr().err
    assert said.startswith("memorytalker: There is no port '") and "GRADIO_SERVER_PORT asks; choose one" in said
