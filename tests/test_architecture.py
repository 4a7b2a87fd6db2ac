"""Who may import whom, how long a file may be, and what never stands in the code: the rules of ARCHITECTURE.md."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import house
import pytest
from house import PACKAGE, imported_names, modules

ROOT = house.ROOT
#: Where a file or a function is too long to be read at once; the habit, said in ARCHITECTURE.md, is 300 and 60.
LONGEST_FILE, LONGEST_FUNCTION = 480, 80
DANGEROUS = {"pickle.load", "pickle.loads", "os.system", "eval", "exec"}


def listed(lines: Iterable[str]) -> str:
    return "".join(f"\n  {line}" for line in lines)


@pytest.fixture(scope="module")
def table() -> dict[str, house.Row]:
    return house.printed_table((ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8"))


def test_rooms_and_rows_are_the_same(table: dict[str, house.Row]) -> None:
    rooms = house.rooms()
    named = {house.room_of(target.split(".")[0]) for row in table.values() for target in row.rooms}
    files = [place for place in table if place.endswith(".py")]
    lost = [f"{place}: a row without such a file" for place in files if not (PACKAGE / place).is_file()]
    lost += [f"{room}: a room without a row" for room in sorted(rooms - set(table))]
    lost += [f"{place}: a row without a room" for place in table if house.room_of(place) not in rooms]
    lost += [f"{room}: allowed to somebody, but no room" for room in sorted(named - rooms)]
    assert not lost, listed(lost)


def test_everything_imported_is_allowed_and_everything_allowed_is_imported(table: dict[str, house.Row]) -> None:
    forbidden, unused = set(), {(place, name) for place, row in table.items() for name in row.rooms | row.packages}
    for found in house.imports(modules()):
        rows = [place for place in (house.room_of(found.place), found.place) if place in table]
        allowing = [place for place in rows if house.allows(table[place], found)]
        if not allowing:
            forbidden.add(f"{found.place} may not import {found.target}")
        for place in allowing:
            names = table[place].packages if found.package else table[place].rooms
            unused -= {(place, name) for name in names if f"{found.target}.".startswith(f"{name}.")}
    idle = {f"{place} is allowed {name}, which it never imports" for place, name in unused}
    assert not forbidden | idle, listed(sorted(forbidden | idle))


def test_no_rooms_import_each_other_in_a_circle(table: dict[str, house.Row]) -> None:
    assert not house.circles(table), listed(" -> ".join(circle) for circle in house.circles(table))


@pytest.mark.parametrize(
    "line",
    ["config", "a -> b c", "a -> b,, c", "a -> b + numpy + torch", "a, b -> c", "a -> b, b", "a -> b  (lazily)"],
)
def test_a_row_keeps_to_its_form(line: str) -> None:
    with pytest.raises(house.TableError):
        house.printed_table(f"{house.HEADING}\n```\n{line}\n```\n")


def test_the_table_is_read_as_it_is_meant() -> None:
    rows = "low  ->\nmid  -> low.part, public + numpy, torch\nmid/one.py -> + scipy\n"
    text = f"{house.HEADING}\nwords\n```\n{rows}```\n"
    assert house.printed_table(text) == {
        "low": house.Row(),
        "mid": house.Row({"low.part", "public"}, {"numpy", "torch"}),
        "mid/one.py": house.Row(set(), {"scipy"}),
    }
    mid = house.printed_table(text)["mid"]
    assert house.allows(mid, house.Import("mid/one.py", "low.part.deeper", package=False))
    assert not house.allows(mid, house.Import("mid/one.py", "low.party", package=False))
    assert not house.allows(mid, house.Import("mid/one.py", "low", package=False))
    circle = {"a": house.Row({"b"}), "b": house.Row({"c.part"}), "c/file.py": house.Row({"a"}), "d": house.Row({"a"})}
    assert house.circles(circle) == [["a", "b", "c", "a"]]


@pytest.mark.parametrize("name", ["metrics", "vertices", "lip_opening", "bootstrap"])
def test_metrics_use_numpy_and_scipy_only(name: str) -> None:
    names = {name.split(".")[0] for name in imported_names(PACKAGE / "evaluation" / f"{name}.py")}
    assert names <= {"__future__", "dataclasses", "numpy", "scipy"}


def test_files_and_functions_stay_readable() -> None:
    long = []
    for path in modules():
        source, place = path.read_text(encoding="utf-8"), house.place_of(path)
        if (length := len(source.splitlines())) > LONGEST_FILE:
            long.append(f"{place} has {length} lines of {LONGEST_FILE}")
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = node.end_lineno - node.lineno + 1
                if length > LONGEST_FUNCTION:
                    long.append(f"{place}: {node.name} has {length} lines of {LONGEST_FUNCTION}")
    assert not long, listed(long)


def test_nothing_dangerous_and_nothing_at_import() -> None:
    wrong = [f"{house.place_of(path)}: {what}" for path in modules()[:-1] for what in dangers(path)]
    assert not wrong, listed(wrong)


def dangers(path: Path) -> Iterator[str]:
    """What a file does that no file may: run strings, a shell or pickles, or work while it is imported."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            given = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
            if called in DANGEROUS or given.get("shell") == "True" or given.get("allow_pickle") == "True":
                yield f"calls {ast.unparse(node)}"
            if called == "torch.load" and given.get("weights_only") != "True":
                yield "torch.load without weights_only"
    for node in tree.body:
        if isinstance(node, ast.For | ast.While | ast.With):
            yield f"works at import, in line {node.lineno}"


def test_dangers_are_seen(tmp_path: Path) -> None:
    path = tmp_path / "bad.py"
    path.write_text("import os\nfor a in b: pass\ndef f():\n    os.system('x'), g(shell=True), torch.load(p)\n")
    assert len(list(dangers(path))) == 4


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
