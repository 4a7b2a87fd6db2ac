"""The wheel: what is in it, and that from an empty folder, without the clone, everything works that README promises.

It is built without a network and installed into an environment of its own, which sees the libraries of the running one
but neither its memorytalker nor the clone.
"""

from __future__ import annotations

import os
import shutil
import signal
import site
import socket
import subprocess
import sys
import tarfile
import time
import urllib.error
import urllib.parse
import urllib.request
import wave
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("setuptools", minversion="77")
ROOT = Path(__file__).resolve().parents[1]
CLIP = ROOT / "assets" / "speech" / "woman_farming.wav"
DATA = "memorytalker/_data"
#: Images that only the documents show.
NOT_SHIPPED = ("weights/left_out/", "assets/comparison/", "assets/readme/")
#: What a package index takes without asking is 100 MB; the weights are 29 of these.
LARGEST_MEGABYTES = 35
PATIENCE = 180.0  # seconds; a busy machine answers late

pytestmark = pytest.mark.skipif(
    not (ROOT / "weights" / "open" / "config.json").is_file(), reason="weights/open is not in this checkout"
)


def sources() -> list[str]:
    """The repository's files that a release may be made of: those that git tracks or would."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("this is no git checkout")
    return [name for name in listed.stdout.splitlines() if (ROOT / name).is_file()]


def environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the repository, so that building leaves nothing in it and finds nothing of an earlier build."""
    folder = tmp_path_factory.mktemp("checkout")
    for name in sources():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, folder / name)
    return folder


@pytest.fixture(scope="module")
def wheel(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-index", "--no-build-isolation", "--no-deps"]
    command += ["--wheel-dir", out, checkout]
    done = subprocess.run(command, cwd=out, env=environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    (built,) = out.glob("*.whl")
    print(f"{built.name}: {built.stat().st_size / 1e6:.1f} MB")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of programs of an environment with the wheel, and with the libraries of the running environment.

    A line of a .pth file adds a folder, but not the .pth files in it, by which a clone may be installed there.
    """
    folder = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    programs = folder / "bin"
    command = [sys.executable, "-m", "pip", "--python", programs / "python", "install", "--quiet", "--no-index"]
    subprocess.run([*command, "--no-deps", wheel], env=environment(), check=True, capture_output=True)
    (packages,) = folder.glob("lib/python*/site-packages")
    (packages / "libraries.pth").write_text("\n".join(site.getsitepackages()) + "\n", encoding="utf-8")
    return programs


@pytest.fixture
def run(installed: Path, tmp_path: Path) -> Callable[..., subprocess.CompletedProcess]:
    """`run(program, *arguments)` in an empty folder."""

    def call(program: str, *arguments: str | Path) -> subprocess.CompletedProcess:
        command = [installed / program, *arguments]
        return subprocess.run(
            command, cwd=tmp_path, env=environment(), capture_output=True, text=True, check=False, timeout=600
        )

    return call


def test_the_wheel_holds_the_product_and_nothing_else(wheel: Path) -> None:
    expected = {
        name if name.startswith("memorytalker/") else f"{DATA}/{name}": ROOT / name
        for name in sources()
        if name.startswith(("memorytalker/", "assets/", "weights/", "web/src/")) and not name.startswith(NOT_SHIPPED)
    }
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
        assert held == set(expected)
        changed = [name for name, path in expected.items() if archive.read(name) != path.read_bytes()]
    assert not changed
    assert f"{DATA}/weights/open/model.safetensors" in held and f"{DATA}/assets/head/head.npz" in held
    assert "memorytalker/py.typed" in held and "memorytalker/page/about/what.md" in held
    assert wheel.stat().st_size < LARGEST_MEGABYTES * 1e6, f"{wheel.stat().st_size / 1e6:.1f} MB"


def test_the_wheel_says_what_it_is(wheel: Path) -> None:
    from memorytalker import __version__

    with zipfile.ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        metadata = archive.read(name).decode()
        assert any(name.endswith("/LICENSE") and ".dist-info/" in name for name in archive.namelist())
    assert f"\nVersion: {__version__}\n" in metadata and "\nLicense-Expression: Apache-2.0\n" in metadata
    assert "\nRequires-Dist: gradio" in metadata
    assert all('extra == "' in line for line in metadata.splitlines() if line.startswith("Requires-Dist: gradio"))


def test_a_wheel_can_be_built_from_the_source_distribution(checkout: Path, tmp_path: Path) -> None:
    code = "import sys; from setuptools import build_meta; print(build_meta.build_sdist(sys.argv[1]))"
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path], cwd=checkout, env=environment(), capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    (built,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(built) as archive:
        held = {name.split("/", 1)[1] for name in archive.getnames() if "/" in name}
    shipped = {
        name
        for name in sources()
        if name.startswith(("memorytalker/", "assets/", "weights/", "web/src/")) and not name.startswith(NOT_SHIPPED)
    }
    assert shipped | {"setup.py", "pyproject.toml", "LICENSE", "README.md"} <= held
    assert not [name for name in held if name.startswith(NOT_SHIPPED)]


def test_it_is_the_installed_package_that_is_tested(run, installed: Path) -> None:
    done = run("python", "-c", "import memorytalker.places as p; print(p.__file__, p.weights_folder())")
    assert done.returncode == 0, done.stderr
    for place in done.stdout.split():
        assert Path(place).is_relative_to(installed.parent), place


def test_the_command_explains_itself(run) -> None:
    done = run("memorytalker", "--help")
    assert done.returncode == 0 and "animate" in done.stdout and "page" in done.stdout


def test_the_doctor_finds_head_and_weights(run) -> None:
    said = run("memorytalker", "doctor").stdout
    assert "found    head" in said and "found    weights" in said and "found    ffmpeg" in said


def test_a_sound_becomes_motion(run, tmp_path: Path) -> None:
    with wave.open(str(CLIP)) as clip, wave.open(str(tmp_path / "x.wav"), "wb") as beginning:
        beginning.setparams(clip.getparams())
        beginning.writeframes(clip.readframes(round(1.5 * clip.getframerate())))
    done = run("memorytalker", "animate", "x.wav", "-o", "x.npz", "--device", "cpu")
    assert done.returncode == 0, done.stderr
    with np.load(tmp_path / "x.npz") as saved:
        assert saved["vertices"].shape[0] == 45 and np.ptp(saved["vertices"], axis=0).max() > 0.002
    assert {path.name for path in tmp_path.iterdir()} == {"x.wav", "x.npz"}


def test_a_sound_becomes_a_video(run, tmp_path: Path) -> None:
    """The lines of README, with a quarter of a second of sound."""
    code = """
import sys
from memorytalker import RenderError, RenderOptions, Talker, Waveform, load_waveform
talker = Talker.from_pretrained(device="cpu")
sound = load_waveform(sys.argv[1])
animation = talker.animate(Waveform(sound.samples[:4000], sound.sample_rate))
try:
    animation.save("talk.mp4", render=RenderOptions(width=64, height=64))
except RenderError as error:
    sys.exit(f"no graphics: {error}")
"""
    done = run("python", "-c", code, CLIP)
    if "no graphics" in done.stderr:
        pytest.skip(done.stderr.strip())
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "talk.mp4").stat().st_size > 1000


@pytest.fixture
def served(installed: Path, tmp_path: Path) -> Iterator[str]:
    """The address of the page that the installed command serves."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [installed / "memorytalker", "page", "--host", "127.0.0.1", "--port", str(port), "--device", "cpu"]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=tmp_path, env=environment(), stdout=log, stderr=subprocess.STDOUT)
    try:
        address, deadline = f"http://127.0.0.1:{port}", time.monotonic() + PATIENCE
        while True:
            try:
                urllib.request.urlopen(f"{address}/config", timeout=10).close()
                break
            except (urllib.error.URLError, OSError):
                assert process.poll() is None and time.monotonic() < deadline, (tmp_path / "log").read_text()[-3000:]
                time.sleep(0.2)
        yield address
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def test_the_page_is_served_with_its_scripts_and_examples(served: str, run) -> None:
    with urllib.request.urlopen(f"{served}/config", timeout=60) as answer:
        assert b"MemoryTalker" in answer.read()
    code = (
        "from memorytalker.page import examples, scripts\n"
        "print(scripts.scripts_route().path + '/player.js', scripts.SCRIPTS_FOLDER / 'player.js')\n"
        "clip = examples.example_path('man_dove.wav')\n"
        "print(f'/gradio_api/file={clip}', clip)"
    )
    for line in run("python", "-c", code).stdout.splitlines():
        address, path = line.split()
        with urllib.request.urlopen(f"{served}{urllib.parse.quote(address, '/=')}", timeout=60) as answer:
            assert len(answer.read()) == Path(path).stat().st_size
