"""The page's own JavaScript: its address names its version, it lies in files, and it reads what Python writes."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from memorytalker.page.playback import FORMAT
from memorytalker.page.scripts import ROUTE, SCRIPTS_FOLDER, call_script, scripts_route, scripts_version, start_script

ROOT = Path(__file__).resolve().parents[1]
#: What is more than a short expression belongs into a file.
LONGEST = 80
#: The one place that may hold some: what loads those files.
LOADER = "memorytalker/page/scripts.py"
#: What stands in JavaScript and neither in prose, nor in HTML, style sheets and shaders.
JAVASCRIPT = re.compile(r"=>|\bfunction\s*\w*\(|\b(?:document|window)\.[a-z]|\b(?:const|let) \w+ =")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "inner").mkdir()
    (tmp_path / "a.js").write_text('import "./inner/b.js";\n')
    (tmp_path / "inner" / "b.js").write_text("export {};\n")
    return tmp_path


def test_version_follows_names_and_contents(folder: Path) -> None:
    first = scripts_version(folder)
    assert re.fullmatch("[0-9a-f]{12}", first) and scripts_version(folder) == first
    (folder / "inner" / "b.js").write_text("export [];\n")
    second = scripts_version(folder)
    (folder / "inner" / "b.js").rename(folder / "inner" / "c.js")
    third = scripts_version(folder)
    assert len({first, second, third}) == 3


def test_scripts_and_their_imports_are_served_in_this_version_alone(folder: Path) -> None:
    client = TestClient(Starlette(routes=[scripts_route(folder)]))
    here = f"{ROUTE}/{scripts_version(folder)}"
    for name in ("a.js", "inner/b.js"):
        answer = client.get(f"{here}/{name}")
        assert answer.status_code == 200 and answer.text == (folder / name).read_text()
        assert "javascript" in answer.headers["content-type"] and "immutable" in answer.headers["cache-control"]
    (folder / "a.js").write_text("new\n")
    new = TestClient(Starlette(routes=[scripts_route(folder)]))
    assert new.get(f"{here}/a.js").status_code == 404
    for wrong in ("", "/", "/../x", "/%2e%2e/%2e%2e/etc/passwd", "/inner"):
        assert client.get(here + wrong).status_code == 404, wrong


def test_what_the_page_loads_is_in_the_folder() -> None:
    for script in (start_script("memory.js", channel="x"), call_script("page.js", "start")):
        [address] = re.findall(r'"(/[^"]+[.]js)"', script)
        assert address.startswith(f"{ROUTE}/{scripts_version()}/") and (SCRIPTS_FOLDER / Path(address).name).exists()


def imports() -> Iterator[tuple[Path, str]]:
    for path in SCRIPTS_FOLDER.rglob("*.js"):
        if path.name != "three.js":
            for name in re.findall(r'(?:from|import)\s*\(?"([^"]+)"', path.read_text(encoding="utf-8")):
                yield path, name


def test_scripts_import_each_other_by_relative_addresses() -> None:
    """So that the version in the path of the first holds for all."""
    found = [(path, name) for path, name in imports() if path.name != "entry.js"]  # which is read by esbuild alone
    assert len(found) > 5
    for path, name in found:
        assert name.startswith("./") and (path.parent / name).is_file(), f"{path.name} imports {name}"


def test_the_player_reads_the_format_that_python_writes() -> None:
    text = (SCRIPTS_FOLDER / "playback.js").read_text(encoding="utf-8")
    assert re.search(r"export const FORMAT = (\d+);", text)[1] == str(FORMAT)


def javascript_in(source: str) -> list[int]:
    """Lines of the long strings with JavaScript in a Python source, docstrings apart."""
    tree = ast.parse(source)
    described = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    prose = {ast.get_docstring(node, clean=False) for node in ast.walk(tree) if isinstance(node, described)}
    texts = [node for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    return [
        node.lineno
        for node in texts
        if node.value not in prose and len(node.value) > LONGEST and JAVASCRIPT.search(node.value)
    ]


def test_javascript_lies_in_files() -> None:
    found = {path.relative_to(ROOT).as_posix(): javascript_in(path.read_text(encoding="utf-8"))
             for path in (ROOT / "memorytalker").rglob("*.py")}  # fmt: skip
    assert not {name: lines for name, lines in found.items() if lines and name != LOADER}


@pytest.mark.parametrize(
    "script",
    [
        "() => { document.getElementById('status')?.scrollIntoView({ block: 'nearest' }); return []; }",
        "function (sound) { return { interactive: sound !== null, __type__: 'update', value: sound.value } }",
        "watch('value', look); if ((props.value ?? '').length) window.scrollTo(0, element.offsetTop - props.margin);",
    ],
)
def test_javascript_in_python_is_found(script: str) -> None:
    assert javascript_in(f'"""A docstring: {script}"""\n\nOTHER = 1\nSCRIPT = {script!r}\n') == [4]
    assert javascript_in(f"SHORT = {script[:60]!r}\n") == []
