"""What pyproject.toml cannot say: `assets/`, `weights/` and `web/src/`, which lie at the top, go into the wheel too."""

from __future__ import annotations

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

#: Folders of `assets/` that only the documents show.
LEFT_OUT = ("comparison", "readme")


class BuildWithData(build_py):
    """Puts `assets/`, `weights/` and `web/src/` where `memorytalker.places` looks for them in an installed package."""

    def run(self) -> None:
        super().run()
        if self.editable_mode:  # an editable install reads the clone's own folders
            return
        target = Path(self.build_lib) / "memorytalker" / "_data"
        shutil.rmtree(target, ignore_errors=True)  # of an earlier build, which may have had other files
        shutil.copytree("assets", target / "assets", ignore=lambda folder, _: LEFT_OUT if folder == "assets" else ())
        shutil.copytree("weights", target / "weights")
        shutil.copytree("web/src", target / "web" / "src")


setup(cmdclass={"build_py": BuildWithData})
