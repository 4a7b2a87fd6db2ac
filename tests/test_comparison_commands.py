"""The command `compare` with a ground-truth file: a video, a table, and one sentence for what cannot be used."""

from __future__ import annotations

import sys
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest

sys.path[:0] = [path for path in (str(Path(__file__).resolve().parent),) if path not in sys.path]
from stub_talker import StubTalker  # noqa: E402

from memorytalker import cli  # noqa: E402
from memorytalker.comparison import bundled, commands, ground_truth  # noqa: E402
from memorytalker.pipeline import Talker  # noqa: E402
from memorytalker.sound.decode import Waveform, write_wav  # noqa: E402
from memorytalker.weights import find_weights  # noqa: E402

CLIP = bundled.FOLDER / "s1_pgix9a"
SMALL = ["--size", "96", "--no-antialias"]


@pytest.fixture(autouse=True)
def stub(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """No network: the stand-in, on the requested head; returns the requested identities."""
    if not (Path(find_weights(None)) / "config.json").is_file():
        pytest.skip("the shipped weights are not there (make weights)")
    requested = []

    def standing_in(weights, device, head):
        requested.append(head.identity)
        talker = StubTalker()
        talker.head = head
        return talker

    monkeypatch.setattr(Talker, "from_pretrained", staticmethod(standing_in))
    return requested


def test_a_file_of_motion_and_its_sound(tmp_path: Path, capsys, stub) -> None:
    output = tmp_path / "video.mp4"
    arguments = ["compare", f"{CLIP}.npz", f"{CLIP}.opus", "--identity", "mei", "-o", str(output), *SMALL]
    assert cli.main(arguments) == cli.DONE
    printed = capsys.readouterr().out
    assert stub == ["mei"]
    assert "| measure | unit | stage 1 | stages 1 + 2 | still face |" in printed and "| Lip-max | 1e-4 m |" in printed
    assert (
        "neither eyes nor brows" in printed and "stages 1 + 2 on the left, ground truth on the right, 3.0 s." in printed
    )
    assert imageio_ffmpeg.count_frames_and_secs(str(output))[0] == 89


def test_a_rate_that_the_file_does_not_say(tmp_path: Path, capsys) -> None:
    head = StubTalker().head
    np.save(tmp_path / "motion.npy", np.repeat(head.template[None], 20, 0))
    write_wav(tmp_path / "sound.wav", Waveform(np.zeros(16000, np.float32)))
    files = [str(tmp_path / "motion.npy"), str(tmp_path / "sound.wav")]
    assert cli.main(["compare", *files, "-o", str(tmp_path / "video.mp4")]) == cli.BAD_INPUT
    assert "does not say its frames per second" in capsys.readouterr().err
    given = ["--motion-fps", "20", "--style", "neutral", "-o", str(tmp_path / "video.mp4"), *SMALL]
    assert cli.main(["compare", *files, *given]) == cli.DONE
    printed = capsys.readouterr().out
    assert "20 frames a second; it is resampled to the model's 30." in printed and "stage 1 on the left" in printed


def test_bad_input_is_one_sentence_and_no_video(tmp_path: Path, capsys) -> None:
    for arguments in (
        [str(tmp_path / "absent.npz"), f"{CLIP}.opus"],
        [f"{CLIP}.npz", str(tmp_path / "absent.wav")],
        [f"{CLIP}.npz", f"{CLIP}.opus", "--identity", "nobody"],
        [f"{CLIP}.npz", f"{CLIP}.opus", "-o", str(tmp_path / "video.webm")],
        [f"{CLIP}.opus", f"{CLIP}.opus"],
    ):
        assert cli.main(["compare", "-o", str(tmp_path / "video.mp4"), *arguments]) == cli.BAD_INPUT
        printed = capsys.readouterr()
        assert printed.err.count("\n") == 1 and printed.err.endswith(".\n") and not printed.out
    assert not list(tmp_path.iterdir())


def test_motion_files_are_recognised_by_their_suffix(tmp_path: Path) -> None:
    for suffix in ground_truth.SUFFIXES:
        assert commands.is_motion(tmp_path / f"missing{suffix}") and not commands.is_motion(tmp_path)
    assert not commands.is_motion(tmp_path / "missing.mp3")
