"""The page in a container like that of a Space; exit code 1 where anything went wrong.

python -m tools.space [--work FOLDER] [--python PATH] [--environment FOLDER] [--no-chroot] [--walks]

Makes the container, starts the page in it as an ordinary user, and visits it. As root on a Debian it is a small Debian
of its own (debootstrap); elsewhere it is this machine, with an empty environment and a home that is read only.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from tools.space.container import Container, served
from tools.space.files import (
    ALWAYS,
    ROOT,
    SpaceError,
    find_python,
    make_environment,
    make_tree,
    own_suite,
    python_version,
    removed,
    unpack,
    upload_exclusions,
    version_and_base,
)
from tools.space.visits import visits, walks, wrong_lines
from tools.system_packages import missing

PATIENCE = 1800.0  # seconds until the page answers; a busy machine loads the network slowly
RELEASE = Path("/etc/os-release")


def main() -> None:
    """Parse the command line, do what it says, and print what came of it."""
    parser = argparse.ArgumentParser(description="The page in a container like that of a Space.")
    parser.add_argument("--work", type=Path, default=ROOT / "runs" / "space", help="folder of all that is made")
    parser.add_argument("--python", type=Path, help="the Python of README's front matter; default: searched for")
    parser.add_argument("--environment", type=Path, help="a virtual environment that is there; default: a new one")
    parser.add_argument("--revision", default="HEAD", help="what is uploaded (default: %(default)s)")
    parser.add_argument(
        "--chroot",
        action=argparse.BooleanOptionalAction,
        help="in a Debian of its own; default: where that is possible",
    )
    parser.add_argument("--walks", action="store_true", help="let the browser tests visit it, too")
    chosen = parser.parse_args()
    try:
        sys.exit(visited(made(chosen), chosen.walks))
    except SpaceError as problem:
        sys.exit(str(problem))


def made(chosen: argparse.Namespace) -> Container:
    """Make the container that the command line asks for. Raises SpaceError."""
    work = chosen.work.resolve()
    command = ["git", "archive", "--format=tar", chosen.revision]
    archive = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
    if archive.returncode:
        raise SpaceError(f"git archive failed: {archive.stderr.decode(errors='replace').strip()}")
    removed(work / "home")
    app = work / "home" / "app"
    unpack(archive.stdout, app, upload_exclusions((ROOT / "docs" / "deploy.md").read_text("utf-8")))
    version = python_version((app / "README.md").read_text("utf-8"))
    python = environment_of(chosen, version, work, app / "requirements.txt")
    found, base = version_and_base(python)
    if found != version:
        raise SpaceError(f"{python} is Python {found or '?'}, and Spaces run {version}; name another.")
    packages = (app / "packages.txt").read_text("utf-8").split()
    tree = tree_of(chosen.chroot, packages, base, work)
    removed(work / "tmp")
    (work / "tmp").mkdir()
    return Container(app, python, base, work / "tmp", tree)


def environment_of(chosen: argparse.Namespace, version: str, work: Path, requirements: Path) -> Path:
    """Return the Python of the virtual environment that is named, or else made. Raises SpaceError."""
    if chosen.environment:
        return chosen.environment.absolute() / "bin" / "python"
    return make_environment(chosen.python or find_python(version), work / "environment", requirements)


def tree_of(chroot: bool | None, packages: list[str], base: Path, work: Path) -> Path | None:
    """Make the small Debian, or check that this machine has the packages, and return None. Raises SpaceError."""
    suite = own_suite(RELEASE.read_text("utf-8")) if RELEASE.is_file() else ""
    possible = os.getuid() == 0 and bool(suite) and base != Path("/usr") and shutil.which("debootstrap") is not None
    if possible if chroot is None else chroot:
        if os.getuid() != 0 or not suite or base == Path("/usr"):
            raise SpaceError(
                "A Debian of its own needs root, a Debian and a Python outside of /usr; leave it away with --no-chroot."
            )
        make_tree(work / "tree", sorted({*packages, *ALWAYS}), suite)
        return work / "tree"
    if absent := missing(packages):
        raise SpaceError(f"Packages of packages.txt are missing; run: apt-get install {' '.join(absent)}")
    return None


def visited(container: Container, walk: bool) -> bool:
    """Serve the page, visit it and print what came of it; return whether anything went wrong."""
    where = "a Debian of its own" if container.tree else "this machine"
    print(f"Python {version_and_base(container.python)[0]}, in {where}", flush=True)
    wrong, began = False, time.monotonic()
    with served(container, PATIENCE) as site:
        print(f"the page answers after {time.monotonic() - began:.0f} s", flush=True)
        for name, said in visits(site):
            print(f"{name}: {said or 'as it should be'}", flush=True)
            wrong |= bool(said)
        if walk:
            said = walks(site)
            print(f"browser: {said or 'as it should be'}", flush=True)
            wrong |= bool(said)
    said = wrong_lines(container.log.read_text("utf-8", "replace"))  # of its end, too
    print(f"log: {said or 'as it should be'}")
    left = sorted(path.name for path in container.folder.rglob("*") if path.is_file())
    print(f"left behind: {', '.join(left) or 'nothing'}")
    return wrong or bool(said) or bool(left)


if __name__ == "__main__":
    main()
