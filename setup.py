"""What pyproject.toml cannot say: `assets/`, `weights/` and `web/src/`, which lie at the top, go into the wheel too."""

from __future__ import annotations

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

#: Folders that the product does not need: of `assets/` what only the documents show, of `weights/` the folds, which
#: judge the model on people whom they never saw.
LEFT_OUT = {"assets": ("comparison", "readme"), "weights": ("left_out",)}


class BuildWithData(build_py):
    """Puts `assets/`, `weights/` and `web/src/` where `memorytalker.places` looks for them in an installed package."""

    def run(self) -> None:
        super().run()
        if self.editable_mode:  # an editable install reads the clone's own folders
            return
        target = Path(self.build_lib) / "memorytalker" / "_data"
        shutil.rmtree(target, ignore_errors=True)  # of an earlier build, which may have had other files
        for data in LEFT_OUT:
            shutil.copytree(data, target / data, ignore=lambda folder, _: LEFT_OUT.get(folder, ()))
        shutil.copytree("web/src", target / "web" / "src")


setup(cmdclass={"build_py": BuildWithData})
