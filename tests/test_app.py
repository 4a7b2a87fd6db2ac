"""The page through its named endpoints, with a stub of the talker: results, every refusal, privacy, and cleaning up."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import httpx
import imageio_ffmpeg
import numpy as np
import pytest
import soundfile
from gradio import route_utils
from gradio_client import handle_file
from gradio_client.exceptions import AppError

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [path for path in (str(ROOT), str(ROOT / "tests")) if path not in sys.path]
from page_case import PATIENCE, RATE, Page, served, speech, until, written  # noqa: E402

from memorytalker.page import api_results, comparison_run, demo, health, limits, slot_view, theme  # noqa: E402
from memorytalker.page.examples import EXAMPLES, SPEECH_FOLDER  # noqa: E402
from memorytalker.page.request import ANOTHER_VOICE, NEUTRAL, AnimateRequest  # noqa: E402
from memorytalker.styles.style import Style  # noqa: E402

CLIP = ROOT / "assets" / "speech" / "woman_farming.wav"
OTHER_CLIP = ROOT / "assets" / "speech" / "man_dove.wav"
#: What draws, by the names of the functions.
DRAWING = {"animate", "begin", "begin_1", "prepare", "slot_face", "compare", "health", "adapt", "learn_style"}


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with served(tmp_path_factory.mktemp("page")) as page:
        yield page


@pytest.fixture(autouse=True)
def healthy(page: Page) -> Iterator[None]:
    page.healthy()
    page.talker.calls.clear()
    page.talker.frames.clear()
    yield
    page.healthy()
    assert page.leftovers() == []


def ask(page: Page, sound: Path | None, identity: str = "woman", **options: Any) -> tuple[str, dict]:
    return page.visitor().predict(sound and handle_file(sound), identity, **options, api_name="/animate")


def first_pixel(video: str) -> np.ndarray:
    frames = imageio_ffmpeg.read_frames(video)
    next(frames)
    pixel = np.frombuffer(next(frames)[:3], np.uint8).astype(int)
    frames.close()
    return pixel


def test_every_action_has_a_named_endpoint_with_names_for_everything(page: Page):
    api = page.visitor().view_api(return_format="dict", print_info=False)
    names = {name: [one["parameter_name"] for one in end["parameters"]] for name, end in api["named_endpoints"].items()}
    assert names == {
        "/animate": [
            "sound", "identity", "camera", "style", "style_file", "style_blend", "describe", "saved_style", "mood",
            "mood_strength", "head_motion", "voice_arousal", "expression", "seed", "close_in_silence", "format",
            "upper_face", "lower_face", "gains", "offsets",
        ],
        "/style": ["sound"], "/slot_face": ["slot", "sound"], "/health": [], "/examples": [], "/heads": [],
        "/describe": ["words"], "/adapt": ["recordings", "name"],
        "/compare": ["clip", "identity", "shown", "motion", "sound", "fps"],
    }  # fmt: skip
    assert not api["unnamed_endpoints"]
    for endpoint in api["named_endpoints"].values():
        assert endpoint["returns"] and all(one["type"] for one in endpoint["parameters"] + endpoint["returns"])
        assert all(one["parameter_has_default"] for one in endpoint["parameters"][1:])
        assert all(one["label"] == one["parameter_name"] for one in endpoint["parameters"])
        assert endpoint["description"].endswith(".") and "Args" not in endpoint["description"]
        for one in endpoint["parameters"] + endpoint["returns"]:
            words = one["python_type"]["description"]
            assert one["label"].isidentifier() and words.endswith((".", ")")) and len(words) > 20, one["label"]
    typed = {
        one["parameter_name"]: one["python_type"]["type"] for one in api["named_endpoints"]["/animate"]["parameters"]
    }
    for name, kind in {
        "identity": "Literal['woman', 'old_man']", "camera": "Literal['front', 'three_quarter', 'profile']",
        "style": "Literal['own', 'neutral', 'file', 'mumbling'", "mood": "None | Literal['joy', 'sadness'",
        "format": "Literal['mp4', 'webm'", "seed": "int", "expression": "bool", "style_file": "None | filepath",
    }.items():  # fmt: skip
        assert typed[name].startswith(kind), name


def test_a_voice_gives_a_video_and_its_details(page: Page):
    video, details = ask(page, CLIP, "old_man", camera="profile", style=NEUTRAL)
    call = page.talker.calls[0]
    assert call["seconds"] == pytest.approx(4.577, abs=0.01)
    assert (call["style"], call["identity"], call["seed"], call["expression"]) == (None, "old_man", 0, False)
    _, seconds = imageio_ffmpeg.count_frames_and_secs(video)
    assert seconds == pytest.approx(4.577, abs=0.05)
    assert first_pixel(video)[0] > 150  # the old man's colour
    assert details["frames"] == 137 and details["frames_per_second"] == 30 and len(details["style_weights"]) == 40
    assert "profile" in details["settings"] and "neutral" in details["settings"]


def test_every_choice_reaches_the_talker(page: Page):
    ask(
        page, CLIP, style=ANOTHER_VOICE, style_file=handle_file(OTHER_CLIP), style_blend=0.4, expression=True, seed=7,
        close_in_silence=True,
    )  # fmt: skip
    call = page.talker.calls[0]
    assert call["style"].seconds == pytest.approx(5.89, abs=0.01)
    assert (call["style_blend"], call["expression"], call["seed"], call["close_in_silence"]) == (0.4, True, 7, True)


def test_the_voice_gives_the_style_unless_another_is_given_and_the_first_head_is_the_default(page: Page):
    page.visitor().predict(handle_file(CLIP), api_name="/animate")
    assert page.talker.calls[0]["style"] is ... and page.talker.calls[0]["identity"] == "woman"


def test_the_same_request_gives_the_same_bytes(page: Page):
    first, second = (ask(page, CLIP, format="npz")[0] for _ in range(2))
    assert first.endswith(".npz") and Path(first).read_bytes() == Path(second).read_bytes()


def test_styles_slots_examples(page: Page):
    visitor = page.visitor()
    style = visitor.predict(handle_file(CLIP), api_name="/style")
    expected = page.talker.style_of(str(CLIP))
    assert list(style["weights"]) == list(page.talker.config.slots) == list(style["times_average"])
    assert np.allclose(list(style["weights"].values()), expected, atol=1e-4)
    assert np.allclose(list(style["times_average"].values()), expected / 0.98, atol=1e-4)
    face = visitor.predict("uw", api_name="/slot_face")
    assert np.allclose(face["vertices_metres"], page.talker.slot_face("uw"), atol=1e-6)
    styled = visitor.predict("uw", handle_file(CLIP), api_name="/slot_face")
    assert np.allclose(styled["vertices_metres"], page.talker.slot_face("uw", expected), atol=1e-6)
    with pytest.raises(AppError, match="no memory slot 'zz'"):
        visitor.predict("zz", api_name="/slot_face")
    examples = visitor.predict(api_name="/examples")
    assert [one["name"] for one in examples] == list(EXAMPLES)
    assert examples[0]["seconds"] == pytest.approx(4.577, abs=0.01)
    assert Path(examples[0]["file"]).read_bytes() == CLIP.read_bytes()


def test_a_comparison_gives_a_video_and_measures_with_units(page: Page, monkeypatch: pytest.MonkeyPatch):
    def write(path: Path, comparison: Any, shown: Any, progress: Any) -> Path:
        path.write_text(shown.name)
        return path

    monkeypatch.setattr(comparison_run, "write_comparison", write)
    path, details = page.visitor().predict("s1_pbbc7a", "woman", "stage 1", api_name="/compare")
    assert Path(path).read_text() == "stage 1"
    assert set(details["measures"]) == {"stage 1", "stages 1 + 2", "still face"}
    assert set(details["measures"]["stage 1"]) <= set(details["meaning"])
    assert 0 < details["measures"]["still face"]["lip_max_m"] < 0.1
    own = {"motion": handle_file(ROOT / "assets" / "ground_truth" / "s1_pbbc7a.npz"), "sound": handle_file(CLIP)}
    with pytest.raises(AppError, match="no such clip"):
        page.visitor().predict("nobody", api_name="/compare")
    with pytest.raises(AppError):  # another sound than that of the motion, and much longer
        page.visitor().predict(**own, api_name="/compare")


def test_the_health_probe_goes_through_network_and_renderer(page: Page):
    pytest.importorskip("pyvista")
    report = page.visitor().predict(api_name="/health")
    assert report["healthy"] is True and report["image"] == [128, 128] and report["frames"] == 15
    assert len(page.talker.calls) == 1
    page.talker.fails = "network"
    with pytest.raises(AppError, match="on our side"):
        page.visitor().predict(api_name="/health")


def test_a_page_that_can_write_no_video_is_not_healthy(page: Page, monkeypatch: pytest.MonkeyPatch):
    pytest.importorskip("pyvista")
    full = OSError(errno.ENOSPC, "No space left on device")
    for fault in ({"return_value": "/bin/false"}, {"side_effect": full}):
        with monkeypatch.context() as broken:
            broken.setattr(imageio_ffmpeg, "get_ffmpeg_exe", Mock(**fault))
            with pytest.raises(AppError, match="This server"):
                page.visitor().predict(api_name="/health")
    assert page.visitor().predict(api_name="/health")["healthy"] is True


def test_a_page_outlives_a_cleaner_of_temporary_folders(page: Page):
    """A cleaner of /tmp took the folder of the results: every later job failed, and /health said healthy."""
    visitor = page.visitor()
    visitor.predict(handle_file(CLIP), api_name="/animate")
    for path in page.folder.iterdir():
        shutil.rmtree(path, ignore_errors=True)
    video, _ = visitor.predict(handle_file(CLIP), api_name="/animate")
    assert Path(video).stat().st_size > 0


def test_an_endpoint_that_has_no_answer_in_time_says_so(page: Page, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(api_results, "ANSWER_SECONDS", 0.1)
    page.talker.hold_network = lambda: True
    with pytest.raises(AppError, match="too busy to answer just now; please try again"):
        page.visitor().predict(api_name="/health")


def handler(page: Page, name: str) -> Callable[..., Any]:
    """What the page itself calls, which has no public endpoint: the function of that name."""
    return next(fn.fn for fn in page.demo.fns.values() if fn.name == name and fn.api_visibility == "private")


def pressed(page: Page, values: dict[str, Any], request: Any) -> list[dict]:
    """What the button shows whose form has these fields, by element ids; the others are as the page begins."""
    wired = [fn for fn in page.demo.fns.values() if fn.name == "begin"]
    fn = next(fn for fn in wired if set(values) <= {part.elem_id for part in fn.inputs})
    return list(fn.fn({part: values.get(part.elem_id, part.value) for part in fn.inputs}, request))


def noted(page: Page, name: str, answer: Callable[..., Any]) -> Callable[..., Any]:
    def call(*arguments: Any, **options: Any) -> Any:
        page.talker.note(name)
        return answer(*arguments, **options)

    return call


@pytest.fixture
def noted_renderers(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    """In place of everything that draws: small answers, and a note of the thread."""

    def write(path: Path, *_: Any, **__: Any) -> Path:
        path.write_bytes(b"drawn")
        return path

    figure = SimpleNamespace(savefig=noted(page, "savefig", write))
    for place, name, answer in (
        (slot_view, "mouth_images", lambda head, faces: [np.zeros((4, 4, 3), np.uint8)] * len(faces)),
        (health, "render_frames", lambda *_: iter([np.zeros((128, 128, 3), np.uint8)])),
        (comparison_run, "write_comparison", write),
        (comparison_run, "comparison_curves", lambda *_, **__: figure),
    ):
        monkeypatch.setattr(place, name, noted(page, name, answer))


def test_every_call_of_network_and_renderer_is_made_in_one_thread(page: Page, noted_renderers: None):
    """An animation is held in the network; beside it run four handlers of the Memory section, the three buttons of the
    page, and every endpoint.
    """
    talker, state = page.talker, slot_view.MemoryState("woman", (1.2,) * 40, ("",) * 40)
    show, weigh = handler(page, "show_slot"), handler(page, "weigh_second_voice")
    talker.called.clear()
    talker.hold_network = lambda: True
    first = page.visitor().submit(handle_file(CLIP), "woman", api_name="/animate")
    assert until(lambda: len(talker.calls) == 1)
    with ThreadPoolExecutor(7) as pool:
        beside = [pool.submit(lambda slot=slot: list(show(state, SimpleNamespace(index=slot)))) for slot in (3, 7)]
        beside += [pool.submit(lambda clip=clip: list(weigh(str(clip)))) for clip in (CLIP, OTHER_CLIP)]
        counted = lambda name: sum(called == name for called, _ in talker.called)  # noqa: E731
        # Small calls are answered while the animation still runs; the images wait their turn.
        assert until(lambda: counted("slot_face") == 4 and counted("style_of") == 2 and beside[2].done())
        assert counted("mouth_images") == 0 and not first.done()
        queued = [
            page.visitor().submit(*arguments, api_name=name)
            for name, arguments in {
                "/style": [handle_file(CLIP)], "/slot_face": ["uw", handle_file(CLIP)], "/health": [],
                "/compare": ["s1_pbbc7a", "woman"], "/animate": [handle_file(OTHER_CLIP), "old_man"],
            }.items()
        ]  # fmt: skip
        request = SimpleNamespace(session_hash="ann")
        animate_request = AnimateRequest(str(CLIP), "woman")
        buttons = [
            pool.submit(pressed, page, {"sound": str(CLIP), "head": "old_man"}, request),
            pool.submit(pressed, page, {"ground-truth-example": "s1_pbbc7a"}, request),
            pool.submit(lambda: list(handler(page, "prepare")(animate_request, "npz", "", request))),
        ]
        talker.hold_network = lambda: False
        assert all("<img" in one.result(PATIENCE)[-1] for one in beside[:2])
        assert all(len(one.result(PATIENCE)[-1][0]) == 40 for one in beside[2:])
        for job in (first, *queued):
            job.result(PATIENCE)
        for button in buttons:
            assert "Something failed" not in str(button.result(PATIENCE))
    assert {name for name, _ in talker.called} == {
        "animate", "arousal_of", "style_of", "slot_face", "draw", "mouth_images", "render_frames", "write_comparison",
        "comparison_curves", "savefig",
    }  # fmt: skip
    assert len({thread for _, thread in talker.called}) == 1


def refusal(page: Page, sound: Path | None, capfd: pytest.CaptureFixture) -> str:
    with pytest.raises(AppError) as refused:
        ask(page, sound)
    message = str(refused.value)
    noise = "".join(capfd.readouterr())
    assert "Traceback" not in message + noise and str(page.folder) not in message
    assert message.count(".") and message.endswith(".") and len(message) < 200
    assert page.talker.calls == []
    return message


def test_no_voice(page: Page, capfd):
    assert "record one, upload a file or take an example" in refusal(page, None, capfd)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("notes.wav", b"these are words and no sound\n" * 40, "not a sound file"),
        ("empty.wav", b"", "empty"),
        ("header.wav", CLIP.read_bytes()[:30], "damaged"),
        ("noise.mp3", bytes(range(256)) * 40, "not a sound file"),
    ],
)
def test_unreadable_files(page: Page, tmp_path: Path, capfd, name, content, words):
    path = tmp_path / name
    path.write_bytes(content)
    message = refusal(page, path, capfd)
    assert words in message and name in message


def test_too_short_too_long_and_broken_samples(page: Page, tmp_path: Path, capfd):
    assert "at least 0.1 s" in refusal(page, written(tmp_path / "short.wav", speech(0.05)), capfd)
    assert "at most 60 seconds" in refusal(page, written(tmp_path / "long.wav", speech(61)), capfd)
    nan = written(tmp_path / "nan.wav", speech(1) * np.nan, subtype="FLOAT")
    assert "NaN" in refusal(page, nan, capfd)


def test_the_limit_itself_is_accepted_and_stated(page: Page, tmp_path: Path):
    ask(page, written(tmp_path / "limit.flac", speech(limits.LONGEST_SECONDS)))
    assert page.talker.calls[0]["seconds"] == limits.LONGEST_SECONDS
    assert f"{limits.LONGEST_SECONDS:.0f} seconds" in httpx.get(page.url + "config", timeout=PATIENCE).text


def test_names_with_markup_are_harmless(page: Page, tmp_path: Path, capfd):
    path = tmp_path / "<img src=x onerror=alert(1)>.wav"
    path.write_text("no sound")
    assert not set("<>") & set(refusal(page, path, capfd))


def test_messages_are_text_and_not_markup(page: Page, monkeypatch: pytest.MonkeyPatch):
    def refuse(*_: object, **__: object) -> None:
        raise limits.PageError("<b>Bold</b> words.")

    monkeypatch.setattr(limits, "load_waveform", refuse)
    with pytest.raises(AppError) as refused:
        ask(page, CLIP)
    assert str(refused.value) == "&lt;b&gt;Bold&lt;/b&gt; words."


@pytest.mark.parametrize("given", [{"path": "PATH"}, {"path": "PATH", "meta": {"_type": "gradio.FileData"}}, "PATH"])
def test_files_of_this_server_that_nobody_uploaded_stay_closed(page: Page, tmp_path: Path, given: Any):
    inside = written(tmp_path / "private.wav", speech(1))
    given = str(inside) if given == "PATH" else given | {"path": str(inside)}
    call = httpx.post(page.url + "gradio_api/call/style", json={"data": [given]}, timeout=PATIENCE).json()
    answer = httpx.get(page.url + "gradio_api/call/style/" + call["event_id"], timeout=PATIENCE).text
    assert "event: error" in answer and "weights" not in answer


def test_silence_is_animated_with_a_note(page: Page, tmp_path: Path):
    assert "silent" in ask(page, written(tmp_path / "silence.wav", np.zeros(RATE)))[1]["note"]
    assert len(page.talker.calls) == 1
    assert "note" not in ask(page, written(tmp_path / "quiet.wav", speech(1) * 0.05))[1]


@pytest.mark.parametrize("place", ["network", "drawing"])
def test_our_own_failures_are_owned_and_do_not_stay(page: Page, place: str):
    page.talker.fails = place
    with pytest.raises(AppError) as refused:
        ask(page, CLIP)
    message = str(refused.value)
    assert "on our side" in message and "secret" not in message
    page.talker.fails = ""
    assert ask(page, CLIP)[0].endswith("talk.mp4")


@pytest.mark.parametrize(
    ("choice", "words"),
    [
        ({"identity": "nobody"}, "no such head; choose one of woman, old_man"),
        ({"camera": "above"}, "no such camera; choose one of front, three_quarter, profile"),
        ({"style": "loud"}, "no such speaking style; choose one of: own, neutral, file, mumbling"),
        ({"style": "this voice"}, "called 'own' now"),
        ({"style": "neutral", "describe": "lively"}, "style once"),
        ({"describe": "elle parle doucement"}, "Too little"),
        ({"saved_style": {"a": 1}}, "saved_style is no style"),
        ({"mood": "bliss"}, "no mood 'bliss'"),
        ({"head_motion": 2}, "head_motion goes from 0 to 1"),
        ({"style": ANOTHER_VOICE}, "no second clip yet"),
        ({"style_blend": 3.5}, "from 0, neutral, over 1, the style, to 3"),
        ({"style_blend": "much"}, "from 0, neutral, over 1"),
        ({"seed": -1}, "whole number from 0"),
        ({"seed": 0.5}, "whole number from 0"),
        ({"seed": 2**31}, "whole number from 0"),
        ({"format": "exe"}, "no such format; choose one of mp4, webm, livelink"),
        ({"upper_face": 9}, "upper_face goes from 0 to 4"),
        ({"gains": {"jawOpen": -1}}, "jawOpen"),
    ],
)
def test_choices_that_are_not_there_are_refused(page: Page, choice: dict, words: str):
    with pytest.raises(AppError, match=words):
        ask(page, CLIP, **choice)
    assert page.talker.calls == []


def test_a_silent_second_clip_has_no_style(page: Page, tmp_path: Path):
    silence = handle_file(written(tmp_path / "silence.wav", np.zeros(RATE)))
    with pytest.raises(AppError, match="second clip is silent"):
        ask(page, CLIP, style_file=silence)


def test_styles_are_given_by_name_words_values_and_file(page: Page, tmp_path: Path):
    visitor = page.visitor()
    told = visitor.predict("very lively, from 2 s: a bit sad", api_name="/describe")
    assert {one["moves"]: one["from_seconds"] for one in told["understood"]}["sadness"] == 2.0
    assert not told["not_understood"] and visitor.predict("lorem ipsum", api_name="/describe")["style"] is None
    described, lively = Style.describe("very lively, from 2 s: a bit sad"), Style.preset("lively")
    file = handle_file(lively.save(tmp_path / "lively.json"))
    for given, style in (
        ({"style": "lively"}, lively),
        ({"style_file": file}, lively),
        ({"saved_style": told["style"]}, described),
        ({"describe": "very lively, from 2 s: a bit sad"}, described),
    ):
        options = {"mood": "joy", "mood_strength": 0.5, "head_motion": 0.25, "format": "livelink"}
        _, details = ask(page, CLIP, **given, **options)
        call = page.talker.calls.pop()
        assert isinstance(call["style"], Style) and call["style"].to_json() == style.to_json(), given
        assert (call["mood"], call["mood_strength"], call["head_motion"]) == ("joy", 0.5, 0.25)
        assert "mood joy, 50 %; head motion 25 %" in details["settings"]
        assert ("Understood: very lively" in details.get("note", "")) is ("describe" in given)


def test_recordings_give_a_style_that_animates(page: Page, tmp_path: Path):
    (tmp_path / "take.csv").write_text("curves")
    files = [handle_file(tmp_path / "take.csv"), handle_file(written(tmp_path / "take.wav", speech(1)))]
    visitor = page.visitor()
    learned = visitor.predict(files, "me", api_name="/adapt")
    assert learned["style"]["name"] == "me: take.csv take.wav" and learned["report"]["error_after_mm"] == 2.0
    ask(page, CLIP, saved_style=learned["style"], format="livelink")
    assert page.talker.calls[0]["style"].name == "me: take.csv take.wav"
    nothing = "^There is no recording among these files"  # and no folder of this server
    for wrong, words in (
        ([], "at most 40 files"), ([files[0], files[0]], "same name"), (files[:1], nothing), (files[1:], nothing)
    ):  # fmt: skip
        with pytest.raises(AppError, match=words):
            visitor.predict(wrong, api_name="/adapt")


def test_recordings_whose_names_begin_with_dots_are_no_hidden_files(page: Page):
    sent = [("files", (name, b"recorded")) for name in ("..take.csv", "..take.wav")]
    paths = httpx.post(page.url + "gradio_api/upload", files=sent, timeout=PATIENCE).json()
    recordings = [{"path": path, "meta": {"_type": "gradio.FileData"}} for path in paths]
    place = page.url + "gradio_api/call/"
    call = httpx.post(place + "v2/adapt", json={"recordings": recordings}, timeout=PATIENCE).json()
    answer = httpx.get(place + "adapt/" + call["event_id"], timeout=PATIENCE).text
    assert "event: complete" in answer and ": take.csv take.wav" in answer, answer


def test_heads_are_listed(page: Page):
    heads = page.visitor().predict(api_name="/heads")
    assert [(one["name"], one["default"]) for one in heads] == [("woman", True), ("old_man", False)]


def raw(page: Page, name: str, body: Any, by_name: bool = False) -> tuple[int, str]:
    """What a program without Gradio's client gets: the status of its call, and its answer or its error."""
    address = f"{page.url}gradio_api/call/{'v2/' if by_name else ''}{name}"
    call = httpx.post(address, json=body, timeout=PATIENCE)
    if call.status_code != 200:
        return call.status_code, call.json()["error"]
    answer = httpx.get(f"{page.url}gradio_api/call/{name}/{call.json()['event_id']}", timeout=PATIENCE)
    event, data = answer.text.strip().rsplit("event: ", 1)[1].split("\ndata: ", 1)
    return answer.status_code, json.loads(data)["error"] if event == "error" else data


@pytest.mark.parametrize(
    ("call", "status", "words"),
    [
        (("style", {"data": []}), 422, "parameter 'sound' is missing; this call takes sound"),
        (("style", {"data": [1, 2]}), 422, "These are 2 parameters; this call takes at most 1: sound"),
        (("style", [1]), 422, 'is JSON: an object {"data": [...]}'),
        (("style", {"data": [None]}), 200, "no voice yet"),
        (("style", {"data": ["clip.wav"]}), 200, "uploaded file"),
        (("style", {"data": [{"path": "/etc/passwd", "meta": {"_type": "gradio.FileData"}}]}), 200, "as the answer of"),
        (("slot_face", {"data": ["zz"]}), 200, "no memory slot"),
        (("begin", {"data": []}), 404, "no such endpoint; there are animate, style"),
        (("animate", {"noise": 1}, True), 422, "no parameter 'noise' here; this call takes sound, identity"),
        (("animate", {}, True), 422, "'sound' is missing"),
        (("animate", {"data": ["x" * 1_000_001]}), 413, "at most 1 MB"),
        (("describe", {"data": [7]}), 200, "at most 2000 letters"),
    ],
)
def test_every_refused_call_says_why_over_plain_http(page: Page, call: tuple, status: int, words: str):
    answered, error = raw(page, *call)
    assert (answered, error and error.endswith(".")) == (status, True) and words in error, error


def test_a_plain_call_may_leave_parameters_out(page: Page):
    with CLIP.open("rb") as file:
        path = httpx.post(page.url + "gradio_api/upload", files={"files": file}, timeout=PATIENCE).json()[0]
    sound = {"path": path, "meta": {"_type": "gradio.FileData"}}
    for body, by_name in (({"data": [sound]}, False), ({"sound": sound, "mood": "joy"}, True)):
        status, data = raw(page, "animate", body, by_name)
        file, details = json.loads(data)
        assert status == 200 and details["frames"] == 137 and file["path"].endswith(".mp4")
        call = page.talker.calls.pop()
        assert (call["style"], call["mood"]) == (..., "joy" if by_name else None)


def test_agents_may_call_where_the_extra_for_them_is_installed(monkeypatch: pytest.MonkeyPatch):
    for found in (None, object()):
        monkeypatch.setattr(theme.importlib.util, "find_spec", lambda name, found=found: found)
        assert theme.launch_options()["mcp_server"] is (found is not None)


def test_two_visitors_get_what_they_asked_for(page: Page, tmp_path: Path):
    page.talker.pause = 0.01
    clips = [written(tmp_path / f"{k}.wav", speech(1 + 0.1 * k)) for k in range(4)]
    heads = ["woman", "old_man", "woman", "old_man"]
    with ThreadPoolExecutor(4) as visitors:
        results = list(visitors.map(lambda clip, head: ask(page, clip, head), clips, heads))
    for k, ((video, details), head) in enumerate(zip(results, heads, strict=True)):
        assert (first_pixel(video)[0] > 150) == (head == "old_man")
        assert details["seconds"] == pytest.approx(1 + 0.1 * k, abs=0.01)
    assert len({video for video, _ in results}) == 4


def test_stopping_frees_the_worker_and_the_folder(page: Page, tmp_path: Path):
    page.talker.hold = lambda: True
    page.talker.threads.clear()
    job = page.visitor().submit(handle_file(CLIP), "woman", api_name="/animate")
    assert until(lambda: len(page.talker.frames) > 60) and list(page.folder.glob("memorytalker-*"))
    job.cancel()
    short = written(tmp_path / "next.wav", speech(0.1))
    following = page.visitor().submit(handle_file(short), "woman", api_name="/animate")
    # A graphics context belongs to one thread: the next one waits until the stopped one has let go of it.
    assert not until(lambda: len(page.talker.calls) > 1, seconds=2.5)
    page.talker.hold = lambda: False
    assert following.result(PATIENCE)[1]["seconds"] == pytest.approx(0.1)
    assert len(page.talker.frames) < 100 and len(page.talker.threads) == 1


def test_a_full_queue_is_refused_in_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(demo, "LONGEST_QUEUE", 1)
    page = Page(tmp_path)
    try:
        page.talker.hold = lambda: True
        jobs = [page.visitor().submit(handle_file(CLIP), api_name="/animate") for _ in range(4)]
        assert until(lambda: sum(job.done() for job in jobs) == 2)  # one is drawn, one may wait
        refused = [job for job in jobs if job.done()]
        assert all("full" in str(job.exception()) for job in refused)
        page.talker.hold = lambda: False
        assert all(job.result(PATIENCE)[1]["frames"] == 137 for job in jobs if job not in refused)
    finally:
        page.talker.hold = lambda: False
        page.demo.close()


def test_private_settings(page: Page):
    config = httpx.get(page.url + "config", timeout=PATIENCE).json()
    assert config["analytics_enabled"] is False and config["run_history"] is False
    assert config["show_error"] is False and config["enable_queue"] is True
    drawing = [fn for fn in page.demo.fns.values() if fn.api_name in DRAWING]
    assert {fn.api_name for fn in drawing} == DRAWING and all(fn.concurrency_limit == 1 for fn in drawing)
    assert len({fn.concurrency_id for fn in drawing}) == 1
    big = {"files": ("big.wav", b"\0" * (21 * 1024 * 1024))}
    assert httpx.post(page.url + "gradio_api/upload", files=big, timeout=PATIENCE).status_code == 413


def test_nothing_is_left_of_a_visitor_who_leaves(page: Page):
    stays, leaves = page.visitor(), page.visitor()
    before = page.results()
    for one in (stays, leaves):
        one.predict(handle_file(CLIP), api_name="/animate")
    assert len(page.results() - before) == 2
    sessions = page.demo.state_holder.session_data
    assert leaves.session_hash in sessions
    leaves.close()
    assert until(lambda: len(page.results() - before) == 1 and leaves.session_hash not in sessions)
    assert stays.session_hash in sessions


class InHalfAMinute(datetime):
    """The time of day as it will be."""

    @classmethod
    def now(cls, tz: Any = None) -> datetime:
        """30 s from now."""
        return datetime.now(tz) + timedelta(seconds=30)


def test_uploads_and_results_are_deleted_by_age(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "kept"))
    page = Page(tmp_path, keep_seconds=20)  # it looks every three seconds
    try:
        visitor = page.visitor()
        with pytest.raises(AppError):  # a refusal must not hide what follows in the same session from the sweep
            visitor.predict(None, api_name="/animate")
        visitor.predict(handle_file(CLIP), api_name="/animate")

        def files() -> set[str]:
            places = [tmp_path / "kept", *tmp_path.glob("memorytalker.sessions-*")]
            # Unlike Path.rglob, os.walk passes over a folder that the server deletes meanwhile.
            return {name for place in places for _, _, names in os.walk(place) for name in names}

        assert {"talk.mp4", "woman_farming.wav"} <= files()
        # Half a minute passes: for uploads by the clock that Gradio reads, for results by the age that they have.
        monkeypatch.setattr(route_utils, "datetime", InHalfAMinute)
        for result in tmp_path.glob("memorytalker.sessions-*/*/*"):
            os.utime(result, (time.time() - 30, time.time() - 30))
        assert until(lambda: not files())
    finally:
        page.demo.close()


def test_examples_are_there_and_as_documented():
    import hashlib

    text = (SPEECH_FOLDER / "README.md").read_text(encoding="utf-8")
    for name in EXAMPLES:
        path = SPEECH_FOLDER / name
        assert f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {name}" in text
        assert 4 <= soundfile.info(path).duration <= 9


def test_importing_the_page_loads_no_network_and_it_does_without_spaces():
    code = (
        "import sys; sys.modules['spaces'] = None; sys.path.insert(0, 'tests')\n"
        "import app; loaded = [name for name in ('torch', 'pyvista', 'transformers') if name in sys.modules]\n"
        "from stub_talker import StubTalker; app.create_demo(StubTalker()).close()\n"
        "print(loaded, app.spaces)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout.splitlines()[-1:] == ["[] None"], done.stdout + done.stderr
