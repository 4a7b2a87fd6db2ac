"""What a Space is made of: the files that are uploaded, the Python that it runs, and the packages in it."""

from __future__ import annotations

import glob
import io
import os
import re
import shlex
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from huggingface_hub.utils import filter_repo_objects

ROOT = Path(__file__).resolve().parents[2]
#: What asks a Python for its version, and for the folder that it is installed in.
VERSION = "import sys; print('%d.%d' % sys.version_info[:2], sys.base_prefix)"
#: Packages beside those of packages.txt. Debian's Python brings the libraries that any Python loads.
ALWAYS = ("ca-certificates", "python3")
#: How the system of a Space knows the user of the page, and this machine, which Gradio asks by its name.
PASSWD, HOSTS = "user:x:1000:1000::/home/user:/bin/sh\n", "127.0.0.1 localhost\n"


class SpaceError(RuntimeError):
    """A Space cannot be made here; the message names the remedy."""


def python_version(readme: str) -> str:
    """Return the version of Python that the front matter of README asks for, such as "3.12"."""
    found = re.search(r'^python_version: "(\d+\.\d+)"$', readme, re.M)
    if found is None:
        raise SpaceError('README names no python_version; add the line python_version: "3.12" to its front matter.')
    return found.group(1)


def upload_exclusions(deploy: str) -> list[str]:
    """Return the patterns of files that the upload of docs/deploy.md leaves out."""
    found = re.search(r"^hf upload .*$", deploy, re.M)
    if found is None:
        raise SpaceError("docs/deploy.md holds no line that begins with: hf upload.")
    words = shlex.split(found.group(0))
    return [words[place + 1] for place, word in enumerate(words) if word == "--exclude"]


def uploaded(names: Iterable[str], exclusions: Sequence[str]) -> list[str]:
    """Return those of the names of files that a Space gets."""
    return list(filter_repo_objects(names, ignore_patterns=list(exclusions)))


def unpack(archive: bytes, folder: Path, exclusions: Sequence[str]) -> list[str]:
    """Write the files of a tar archive that a Space gets into a folder, which is made anew; return their names."""
    removed(folder)
    folder.mkdir(parents=True)
    with tarfile.open(fileobj=io.BytesIO(archive)) as packed:
        members = {member.name: member for member in packed.getmembers() if member.isfile()}
        names = uploaded(members, exclusions)
        packed.extractall(folder, [members[name] for name in names], filter="data")
    return names


def removed(folder: Path) -> None:
    """Remove a folder if it is there, one that may not be written to as well."""
    if folder.is_dir():
        set_writable(folder, True)
        shutil.rmtree(folder)


def set_writable(folder: Path, writable: bool) -> None:
    """Let this user write into a folder and all that are in it, or let nobody do so."""
    for name, _, _ in os.walk(folder):
        os.chmod(name, 0o755 if writable else 0o555)


def find_python(version: str) -> Path:
    """Return a Python of this version: on the PATH, installed by pyenv, or by uv.

    Raises:
        SpaceError: there is none.
    """
    pyenv = os.environ.get("PYENV_ROOT") or os.path.expanduser("~/.pyenv")
    found = [shutil.which(f"python{version}"), *sorted(glob.glob(f"{pyenv}/versions/{version}.*/bin/python{version}"))]
    if shutil.which("uv"):
        command = ["uv", "python", "find", "--no-python-downloads", version]
        found.append(subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip())
    for path in filter(None, found):
        if version_and_base(path)[0] == version:
            return Path(path)
    raise SpaceError(
        f"There is no Python {version} here, which Spaces run; install it, for example with pyenv or uv, or name it "
        "with --python."
    )


def version_and_base(python: str | Path) -> tuple[str, Path]:
    """Return the version of a Python and the folder it is installed in; an empty version: it does not start."""
    try:
        done = subprocess.run([str(python), "-c", VERSION], capture_output=True, text=True, check=False)
    except OSError:
        return "", Path()
    version, _, base = done.stdout.strip().partition(" ")
    return (version, Path(base)) if done.returncode == 0 else ("", Path())


def make_environment(python: Path, folder: Path, requirements: Path) -> Path:
    """Make a virtual environment of what `requirements` pins, and return its Python.

    One that is whole is kept. If it was made with a Python of the same version elsewhere, it changes over to this one,
    which spares gigabytes.
    """
    made, pinned, own = folder / "requirements.txt", requirements.read_text("utf-8"), folder / "bin" / "python"
    version, base = version_and_base(python)
    libraries = folder / "lib" / f"python{version}"
    if not (libraries.is_dir() and made.is_file() and made.read_text("utf-8") == pinned):
        shutil.rmtree(folder, ignore_errors=True)
        _run([python, "-m", "venv", folder], "The virtual environment could not be made")
        command = [folder / "bin" / "pip", "install", "--quiet", "--disable-pip-version-check", "-r", requirements]
        _run(command, "What requirements.txt pins could not be installed")
        made.write_text(pinned, "utf-8")
    elif version_and_base(own)[1] != base:
        for link in own.parent.glob("python*"):
            link.unlink()
        _run([python, "-m", "venv", "--without-pip", folder], "The virtual environment could not be changed over")
    return own


def make_tree(folder: Path, packages: Sequence[str], suite: str) -> None:
    """Make a small Debian with these packages in a folder; one that has them is kept."""
    made, wanted = folder / "packages", "\n".join([suite, *packages])
    if made.is_file() and made.read_text("utf-8") == wanted:
        return
    if shutil.which("debootstrap") is None:
        raise SpaceError(
            "debootstrap is missing, which makes the container; run apt-get install debootstrap, or leave the "
            "container away with --no-chroot."
        )
    shutil.rmtree(folder, ignore_errors=True)
    command = ["debootstrap", "--variant=minbase", f"--include={','.join(packages)}", suite, folder]
    _run(command, "Debian could not be installed into a folder")
    with (folder / "etc" / "passwd").open("a", encoding="ascii") as known:
        known.write(PASSWD)
    (folder / "etc" / "hosts").write_text(HOSTS, "ascii")
    made.write_text(wanted, "utf-8")


def own_suite(release: str) -> str:
    """Return the name of the Debian that this machine runs, from the text of /etc/os-release; empty for no Debian."""
    lines = dict(line.split("=", 1) for line in release.splitlines() if "=" in line)
    return lines.get("VERSION_CODENAME", "").strip('"') if lines.get("ID") == "debian" else ""


def _run(command: Sequence[object], problem: str) -> None:
    done = subprocess.run([str(word) for word in command], stdout=sys.stderr, check=False)
    if done.returncode:
        raise SpaceError(f"{problem}; the last lines above say why.")
