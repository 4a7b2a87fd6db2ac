"""The container like a Space's: what goes into it, and how the page is started in it. Nothing is installed here."""

from __future__ import annotations

import io
import shlex
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

pytest.importorskip("gradio_client")
from tools.space import __main__ as space  # noqa: E402
from tools.space.container import CORES, USER, Container, command_line, mounts, variables  # noqa: E402
from tools.space.files import (  # noqa: E402
    SpaceError,
    make_environment,
    own_suite,
    python_version,
    removed,
    set_writable,
    unpack,
    upload_exclusions,
    version_and_base,
)
from tools.space.visits import HEADER_OF_GLB, wrong_glb, wrong_lines  # noqa: E402

ROOT = Path(__file__).resolve().parents[1]


def container(tree: str | None) -> Container:
    return Container(
        Path("/box/home/app"), Path("/box/made/bin/python"), Path("/opt/python"), Path("/box/tmp"),
        Path(tree) if tree else None,
    )  # fmt: skip


def test_the_python_and_the_files_are_those_that_the_documents_name(tmp_path: Path) -> None:
    readme, deploy = (ROOT / "README.md").read_text("utf-8"), (ROOT / "docs" / "deploy.md").read_text("utf-8")
    assert python_version(readme) == "3.12"
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as packed:
        for name in (".github/ci.yml", "app.py", "memorytalker/cli.py", "tests/test_app.py", "tools/arousal.py"):
            packed.addfile(tarfile.TarInfo(name), io.BytesIO())
    names = unpack(archive.getvalue(), tmp_path / "app", upload_exclusions(deploy))
    assert names == ["app.py", "memorytalker/cli.py"]
    assert sorted(path.name for path in (tmp_path / "app").rglob("*.py")) == ["app.py", "cli.py"]
    for text in (readme.replace("python_version", "version"), ""):
        with pytest.raises(SpaceError, match="python_version"):
            python_version(text)
    with pytest.raises(SpaceError, match="hf upload"):
        upload_exclusions("")


def test_a_home_that_is_read_only_is_removed(tmp_path: Path) -> None:
    home = tmp_path / "home"
    (home / "app").mkdir(parents=True)
    (home / "app" / "app.py").touch()
    set_writable(home, False)
    assert {(path.stat().st_mode & 0o222) for path in (home, home / "app")} == {0}
    removed(home)
    assert not home.exists()


def test_an_environment_that_is_whole_is_kept_and_may_get_another_python(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other Python is a copy of the one that runs this test, with a link to its library."""
    base, name = Path(sys.base_prefix), f"python{sys.version_info[0]}.{sys.version_info[1]}"
    pinned, environment, other = (tmp_path / part for part in ("requirements.txt", "environment", "elsewhere"))
    (other / "bin").mkdir(parents=True)
    shutil.copy2(base / "bin" / name, other / "bin" / name)
    (other / "lib").symlink_to(base / "lib")
    subprocess.run([str(base / "bin" / name), "-m", "venv", "--without-pip", str(environment)], check=True)
    pinned.write_text("library==1")
    shutil.copy2(pinned, environment / "requirements.txt")  # it is whole
    (environment / "lib" / name / "site-packages" / "kept_library.py").touch()
    for python in (base / "bin" / name, other / "bin" / name):
        made = make_environment(python, environment, pinned)
        assert version_and_base(made)[1] == python.parents[1]
        subprocess.run([str(made), "-c", "import kept_library"], check=True)
    asked: list[list[str]] = []
    monkeypatch.setattr("tools.space.files._run", lambda command, _: asked.append([str(word) for word in command]))
    make_environment(other / "bin" / name, environment, pinned)
    assert asked == []
    pinned.write_text("library==2")
    with pytest.raises(FileNotFoundError):  # what would have been made is not there, and nothing of before is
        make_environment(other / "bin" / name, environment, pinned)
    assert [command[1] for command in asked] == ["-m", "install"] and not environment.exists()


def test_only_a_debian_makes_a_debian() -> None:
    assert own_suite('ID=debian\nVERSION_CODENAME=bookworm\nNAME="Debian GNU/Linux"\n') == "bookworm"
    assert own_suite("ID=ubuntu\nVERSION_CODENAME=noble\n") == "" == own_suite("")


def test_the_page_gets_an_empty_environment_and_its_port() -> None:
    values = variables(container(None), 7861)
    assert values["HOME"] == "/box/home" and values["TMPDIR"] == "/box/tmp" and values["GRADIO_SERVER_PORT"] == "7861"
    assert variables(container("/tree"), 7861)["HOME"] == "/home/user"
    assert not {"GRADIO_TEMP_DIR", "MPLCONFIGDIR", "VTK_DEFAULT_OPENGL_WINDOW", "OMP_NUM_THREADS"} & set(values)
    line = command_line(container(None), 7861, [2, 5], 0)
    assert line[: line.index("taskset")] == ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups"]
    assert line[line.index("--cpu-list") + 1] == "2,5" and CORES == 2
    assert line[line.index("env") :][:2] == ["env", "-i"] and line[-2:] == ["/box/made/bin/python", "app.py"]
    assert "setpriv" not in command_line(container(None), 7861, [0], 1000)  # who is not root stays who they are


def test_in_a_tree_nothing_but_temporary_files_may_be_written() -> None:
    commands = mounts(container("/a tree"))
    assert mounts(container(None)) == []
    bound = {command[-1]: place for place, command in enumerate(commands) if "--bind" in command}
    for place in ("/opt/python", "/box/made", "/home/user/app", ""):
        assert commands.index(["mount", "-o", "remount,bind,ro", f"/a tree{place}"]) > bound[f"/a tree{place}"]
    assert ["mount", "-o", "remount,bind,ro", "/a tree/tmp"] not in commands and "/a tree/tmp" in bound
    assert commands[-1][-1] == "/a tree"  # only then can no further folder be made in it
    script = command_line(container("/a tree"), 7861, [0, 1], 0)[-1]
    words = shlex.split(script)
    assert words[words.index("chroot") + 1] == f"--userspec={USER}:{USER}" and "/a tree" in words
    assert words[-1].startswith("cd /home/user/app && exec taskset --cpu-list 0,1 env -i ")


@pytest.mark.parametrize("last", ["closing server.\n", "Traceback (most recent call last):\n"])
def test_the_log_is_read_when_the_page_has_ended(last: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tmp").mkdir()
    box = Container(tmp_path / "app", Path(sys.executable), tmp_path, tmp_path / "tmp", None)

    @contextmanager
    def served(*_: object) -> Iterator[None]:
        yield
        box.log.write_text(last)

    monkeypatch.setattr(space, "served", served)
    monkeypatch.setattr(space, "visits", lambda _: [("index", "")])
    assert space.visited(box, walk=False) == last.startswith("Traceback")


def test_what_is_wrong_is_seen() -> None:
    assert wrong_lines("* Running on local URL:  http://0.0.0.0:7860\n") == ""
    assert wrong_lines("fine\nThe folder is not a Writable one.\nfine\n") == "The folder is not a Writable one."
    unclosed = "Exception ignored in: <function BaseEventLoop.__del__ at 0x7f>\nTraceback (most recent call last):\n"
    assert wrong_lines(f"{unclosed}ValueError: Invalid file descriptor: -1\n") == ""
    assert "ValueError: other" in wrong_lines(f"{unclosed}ValueError: other\n")
    assert wrong_glb(HEADER_OF_GLB.pack(b"glTF", 2, 14) + b"..") == ""
    assert "12 bytes of 14" in wrong_glb(HEADER_OF_GLB.pack(b"glTF", 2, 12) + b"..")
    assert "4 bytes" in wrong_glb(b"glTF")
