"""Who may import whom, how long a file may be, and what never stands in the code: the rules of ARCHITECTURE.md."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import memorytalker

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "memorytalker"

#: Room -> rooms it may import. A file's room is its first folder or its own name.
ROOMS = {
    "errors": set(),
    "extras": set(),
    "files": set(),
    "progress": set(),
    "places": set(),
    "config": set(),
    "mixing": set(),
    "decoder": {"mixing"},
    "audio": {"decoder", "mixing"},
    "remarks": {"animation", "audio", "head"},
    "head": {"config"},
    "meshes": {"head", "config"},
    "features": {"config"},
    "motion": {"head", "config"},
    "loudness": set(),
    "expression": {"loudness", "motion", "head", "config"},
    "models": {"features", "config"},
    "weights": {"models", "config"},
    "windows": {"models", "features", "config"},
    "rendering": {"motion", "head", "config", "audio"},
    "figures": {"config"},
    "exports": {"motion", "head", "config"},
    "animation": {"rendering", "motion", "head", "audio", "config"},
    "pipeline": {
        "weights", "windows", "models", "rendering", "motion", "head", "meshes", "audio", "config", "animation",
        "expression", "loudness", "options",
    },
    "articulation": {"config"},
    "corpus": {"articulation", "audio", "head", "motion", "config"},
    "datasets": {"audio", "head", "motion", "config", "corpus"},
    "training": {
        "models", "weights", "features", "audio", "motion", "head", "config", "evaluation.metrics", "corpus",
        "datasets",
    },
    "evaluation": {
        "pipeline", "windows", "animation", "weights", "models", "rendering", "features", "motion", "head", "audio",
        "config", "articulation", "corpus", "datasets", "meshes",
    },
    "experiments": {
        "training", "evaluation", "datasets", "corpus", "articulation", "pipeline", "animation", "weights", "models",
        "rendering", "features", "motion", "head", "audio", "config",
    },
    "benchmark": {"pipeline", "playback", "animation", "models", "rendering", "motion", "audio", "config", "head"},
    "doctor": {"pipeline", "weights", "rendering", "head", "config", "datasets"},
    "playback": {"rendering", "head", "audio"},
    "insight": {"figures", "head", "animation", "audio", "config"},
    "truth": {
        "corpus", "datasets", "evaluation", "figures", "motion", "head", "audio", "animation", "rendering", "config",
        "pipeline", "weights", "meshes",
    },
    "page": {
        "figures", "rendering", "playback", "insight", "truth", "evaluation", "exports", "config", "animation", "audio",
        "remarks",
    },
    "cli": {
        "pipeline", "animation", "config", "training", "evaluation", "corpus", "exports", "audio", "head", "rendering",
        "weights", "benchmark", "doctor", "datasets", "experiments", "meshes", "truth", "page",
        "progress",
    },
}  # fmt: skip
#: What every room stands on.
GROUND = {"errors", "extras", "files", "places"}
#: Third-party package -> the only files below memorytalker/ that may import it.
GUARDED = {
    "transformers": {"models/speech.py"},
    "pyvista": {"rendering"},
    "vtkmodules": {"rendering"},
    "imageio_ffmpeg": {"rendering", "decoder.py", "doctor.py"},
    "matplotlib": {"figures.py", "experiments/plots.py"},
    "accelerate": {"training"},
    "tensorboard": {"training"},
    "sklearn": {"experiments"},
    "huggingface_hub": {"hub.py"},
    "pocketsphinx": {"corpus/align.py"},
    "trimesh": {"meshes.py"},
    "gradio": {"page"},
    "tqdm": {"progress.py"},
    "soundfile": {"datasets", "corpus/disturbance.py"},
    "PIL": {"page/memory.py", "experiments/plots.py"},
    "spaces": {"page"},
    "starlette": {"page"},
    "torch": {
        "features.py", "models", "weights.py", "windows.py", "pipeline.py", "training", "experiments",
        "evaluation/prediction.py",
    },
}  # fmt: skip
DANGEROUS = {"pickle.load", "pickle.loads", "os.system", "eval", "exec"}


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def room_of(relative: Path) -> str:
    return relative.parts[0].removesuffix(".py")


def imports_of(path: Path) -> set[str]:
    """Every module a file imports, anywhere in it, with relative imports made absolute."""
    package = path.relative_to(ROOT).with_suffix("").parts[:-1]
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = list(package[: len(package) - node.level + 1]) if node.level else []
            name = ".".join([*base, *(node.module.split(".") if node.module else [])])
            found |= {name} | {f"{name}.{alias.name}" for alias in node.names}
    return found


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_rooms_import_only_what_the_house_allows(path: Path) -> None:
    room = room_of(path.relative_to(PACKAGE))
    if room in {"__init__", "__main__"}:
        return
    assert room in ROOMS, f"{room} is not a room of the house: add it to ARCHITECTURE.md and here"
    allowed, public = ROOMS[room] | GROUND | {room}, set(memorytalker.__all__)
    for name in imports_of(path):
        if not name.startswith("memorytalker."):
            continue
        target = name.removeprefix("memorytalker.")
        if target.split(".")[0] not in ROOMS and f"{target.split('.')[0]}" in public:
            continue  # a public name, taken from the package itself
        ok = any(target == a or target.startswith(a + ".") for a in allowed) or target.split(".")[0] in {"__version__"}
        assert ok, f"{path.relative_to(ROOT)} may not import memorytalker.{target}"


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_third_party_packages_stay_in_their_rooms(path: Path) -> None:
    relative = path.relative_to(PACKAGE).as_posix()
    for name in {name.split(".")[0] for name in imports_of(path)}:
        if name in GUARDED:
            assert any(relative == a or relative.startswith(a + "/") for a in GUARDED[name]), (
                f"{relative} may not import {name}; only {sorted(GUARDED[name])} may"
            )


def test_renderer_never_imports_torch() -> None:
    for path in (PACKAGE / "rendering").glob("*.py"):
        assert "torch" not in {name.split(".")[0] for name in imports_of(path)}


@pytest.mark.parametrize("name", ["metrics", "vertices", "opening", "bootstrap"])
def test_metrics_use_numpy_and_scipy_only(name: str) -> None:
    names = {name.split(".")[0] for name in imports_of(PACKAGE / "evaluation" / f"{name}.py")}
    assert names <= {"__future__", "dataclasses", "numpy", "scipy"}


@pytest.mark.parametrize("path", [*modules(), ROOT / "app.py"], ids=lambda p: str(p.relative_to(ROOT)))
def test_files_and_functions_stay_readable(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    assert len(source.splitlines()) <= 320, f"{path.name}: a file has one noun and about 300 lines"
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = node.end_lineno - node.lineno + 1
            assert length <= 65, f"{path.name}: {node.name} has {length} lines"


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_nothing_dangerous_and_nothing_at_import(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            assert called not in DANGEROUS, f"{path.name} calls {called}"
            given = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
            assert given.get("shell") != "True" and given.get("allow_pickle") != "True", f"{path.name}: {called}"
            if called == "torch.load":
                assert given.get("weights_only") == "True", f"{path.name}: torch.load without weights_only"
    for node in ast.parse(source).body:
        assert not isinstance(node, ast.For | ast.While | ast.With), f"{path.name}: work at import"


def test_data_set_names_never_enter_the_network() -> None:
    for path in (PACKAGE / "models").glob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        compared = {
            constant.value.lower()
            for node in ast.walk(tree)
            if isinstance(node, ast.Compare)
            for constant in ast.walk(node)
            if isinstance(constant, ast.Constant) and isinstance(constant.value, str)
        }
        assert not compared & {"vocaset", "biwi", "open"}, path.name


def test_importing_the_package_loads_nothing_heavy() -> None:
    code = (
        "import sys, memorytalker\n"
        "heavy = {'gradio', 'pyvista', 'vtkmodules', 'transformers', 'torch', 'matplotlib'} & set(sys.modules)\n"
        "sys.exit(', '.join(sorted(heavy)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, f"import memorytalker loads {done.stderr.strip()}"
