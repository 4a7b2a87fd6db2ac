"""Install the Debian packages named that are missing: `python3 tools/system_packages.py NAME...`.

NAME may be PACKAGE:COMMAND, whose package is wanted only where the command is not there, whoever brought it.
Does nothing where dpkg is not the package manager or all are there; says what to run where it may not install.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys


def missing(names: list[str]) -> list[str]:
    """The packages among `names` that dpkg does not know as installed and whose commands, if named, are not there."""
    found = []
    for name, _, command in (name.partition(":") for name in names):
        if command and shutil.which(command):
            continue
        status = subprocess.run(["dpkg-query", "-W", "-f=${Status}", name], capture_output=True, text=True, check=False)
        if "install ok installed" not in status.stdout:
            found.append(name)
    return found


def main() -> int:
    """0 when nothing is missing any more."""
    if shutil.which("dpkg-query") is None or shutil.which("apt-get") is None:
        return 0
    wanted = missing(sys.argv[1:])
    if not wanted:
        return 0
    prefix = [] if os.geteuid() == 0 else ["sudo", "-n"] if shutil.which("sudo") else None
    command = ["apt-get", "install", "-y", "--no-install-recommends", *wanted]
    if prefix is None:
        print(f"Missing system packages. As root, run: {' '.join(command)}", file=sys.stderr)
        return 0
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run([*prefix, "apt-get", "update", "-qq"], env=environment, check=False)
    done = subprocess.run([*prefix, *command], env=environment, check=False, stdout=subprocess.DEVNULL)
    if done.returncode != 0:
        print(f"Missing system packages. As root, run: {' '.join(command)}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
