"""The page started as in a Space: an ordinary user, an empty environment, a home that is read only, two cores.

As root, in a small Debian of its own, which holds the packages of packages.txt and what Python needs, nothing else.
"""

from __future__ import annotations

import dataclasses
import os
import shlex
import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tools.page.browser import PageError, Site, running
from tools.space.files import SpaceError, set_writable

#: The user and the folders of a Space.
USER, HOME = 1000, Path("/home/user")
CORES = 2
#: Devices that a container has.
DEVICES = ("null", "zero", "full", "random", "urandom")


@dataclass(frozen=True)
class Container:
    """What the page is started from.

    Attributes:
        app: folder of the uploaded files.
        python: of the virtual environment.
        base: folder that this Python is installed in.
        folder: for temporary files.
        tree: root of a small Debian; None: this machine's own.
    """

    app: Path
    python: Path
    base: Path
    folder: Path
    tree: Path | None

    @property
    def home(self) -> Path:
        """The home of the page's user, as that user sees it."""
        return HOME if self.tree else self.app.parent

    @property
    def log(self) -> Path:
        """What the page prints."""
        return self.folder.with_name("log.txt")

    @property
    def temporary(self) -> Path:
        """The folder of temporary files, as that user sees it."""
        return Path("/tmp") if self.tree else self.folder


def variables(container: Container, port: int) -> dict[str, str]:
    """Return the whole environment of the page, as far as Gradio and our own modules read what a Space sets."""
    return {
        "PATH": f"{container.python.parent}:/usr/local/bin:/usr/bin:/bin", "HOME": str(container.home),
        "TMPDIR": str(container.temporary), "LANG": "C.UTF-8", "PYTHONUNBUFFERED": "1", "SYSTEM": "spaces",
        "SPACE_ID": "somebody/memorytalker", "SPACE_HOST": "somebody-memorytalker.hf.space",
        "SPACE_AUTHOR_NAME": "somebody", "SPACE_REPO_NAME": "memorytalker", "GRADIO_SERVER_NAME": "0.0.0.0",
        "GRADIO_SERVER_PORT": str(port), "GRADIO_NUM_PORTS": "1",
    }  # fmt: skip


def mounts(container: Container) -> list[list[str]]:
    """Return the commands that fill the container's tree: all of it read only, but for temporary files."""
    tree = container.tree
    if tree is None:
        return []
    environment = container.python.parents[1]
    shown = {container.base: container.base, environment: environment, container.app: HOME / "app"}
    commands = [["mount", "--bind", f"{tree}", f"{tree}"]]
    for place, inside in shown.items():
        target = f"{tree}{inside}"
        commands.append(["mkdir", "-p", target])
        commands.append(["chmod", "a+x", *(f"{tree}{parent}" for parent in inside.parents)])  # not so is /root
        commands.append(["mount", "--bind", f"{place}", target])
        commands.append(["mount", "-o", "remount,bind,ro", target])
    commands.append(["mount", "--bind", f"{container.folder}", f"{tree}/tmp"])
    commands += [["mount", "--rbind", f"/{name}", f"{tree}/{name}"] for name in ("proc", "sys")]
    commands.append(["mount", "-t", "tmpfs", "tmpfs", f"{tree}/dev"])
    for name in DEVICES:
        commands.append(["touch", f"{tree}/dev/{name}"])
        commands.append(["mount", "--bind", f"/dev/{name}", f"{tree}/dev/{name}"])
    commands.append(["mkdir", "-m", "1777", f"{tree}/dev/shm"])
    return [*commands, ["mount", "-o", "remount,bind,ro", f"{tree}"]]


def command_line(container: Container, port: int, cores: Sequence[int], user: int) -> list[str]:
    """Return what starts the page.

    Args:
        container: in which it starts.
        port: to serve at.
        cores: numbers of those that it may use.
        user: number of who starts it; only 0, root, may become another user.
    """
    held = ["taskset", "--cpu-list", ",".join(map(str, cores))]
    values = [f"{name}={value}" for name, value in variables(container, port).items()]
    page = ["env", "-i", *values, str(container.python), "app.py"]
    if container.tree is None:
        other = ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups"] if user == 0 else []
        return [*other, *held, *page]
    inside = ["sh", "-c", f"cd {HOME}/app && exec {shlex.join([*held, *page])}"]
    entered = ["chroot", f"--userspec={USER}:{USER}", "--groups=", str(container.tree), *inside]
    script = " && ".join([*map(shlex.join, mounts(container)), f"exec {shlex.join(entered)}"])
    return ["unshare", "--mount", "sh", "-c", script]


@contextmanager
def served(container: Container, patience: float) -> Iterator[Site]:
    """Serve the page for a while; SpaceError if it does not answer within `patience` seconds."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    cores = sorted(os.sched_getaffinity(0))[:CORES]
    command = command_line(container, port, cores, os.getuid())
    container.folder.chmod(0o1777)
    if container.tree is None:
        set_writable(container.home, False)
        if subprocess.run(
            [*command[: command.index("app.py")], "--version"], stdout=subprocess.DEVNULL, check=False
        ).returncode:
            raise SpaceError(
                f"The user of the page may not run {container.python}; name with --python one that lies where all may "
                "read, or use --chroot."
            )
    try:
        with running(command, container.app, container.log, port, patience) as site:
            yield dataclasses.replace(site, folder=container.folder)
    except PageError as error:
        raise SpaceError(str(error)) from None
