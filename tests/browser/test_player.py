"""The 3D player in a real browser: planted motion at planted times, in step with its sound, for every visitor."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from serving import ROOT, site_of

from tools.page.browser import Site, Visit

sys.path.insert(0, str(Path(__file__).parent))
from serve_player import FPS, planted  # noqa: E402

from memorytalker.face.adjust import adjusted  # noqa: E402
from memorytalker.face.head import load_head  # noqa: E402
from memorytalker.options import CurveOptions, RenderOptions  # noqa: E402
from memorytalker.page.head_files import ROUTE as HEADS  # noqa: E402
from memorytalker.page.player import EMPTY, NO_3D, NO_CURVES  # noqa: E402
from memorytalker.page.scripts import ROUTE, scripts_version  # noqa: E402
from memorytalker.rendering import render_frames  # noqa: E402

CLIP, CLIP_SECONDS = "woman_farming.wav", 4.578
#: Metres: the head stores offsets in steps of a micrometre, and curves in 65536 steps.
ROUNDING = 5e-6
SCRIPT = ROOT / "tests" / "browser" / "serve_player.py"
#: Before the first value: what is held is counted, and the clock's messages are kept beside the sound's own time.
WATCH = """
window.ticks = []; window.addresses = new Set();
document.addEventListener("memorytalker:time", ({ detail }) => {
  ticks.push({ ...detail, sound: document.querySelector("#player audio")?.currentTime });
});
const [make, drop] = [URL.createObjectURL, URL.revokeObjectURL];
URL.createObjectURL = (blob) => { const address = make.call(URL, blob); addresses.add(address); return address; };
URL.revokeObjectURL = (address) => { addresses.delete(address); drop.call(URL, address); };
window.playerOf = (id) => [...document.querySelectorAll(`#${id} *`)].find((one) => one.player).player;
"""
NO_WEBGL = """
const get = HTMLCanvasElement.prototype.getContext;
HTMLCanvasElement.prototype.getContext = function (kind, ...more) {
  return kind.startsWith("webgl") ? null : get.call(this, kind, ...more);
};
"""


@pytest.fixture(scope="module")
def player_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    yield from site_of(SCRIPT, tmp_path_factory.mktemp("player"))


@pytest.fixture
def come(enter: Callable[..., Visit], player_site: Site) -> Callable[..., Visit]:
    """`come(script="", **options)`: a visitor of the players, on whose page `script` runs before there is a value.

    Who wants less motion, as visitors do here unless a test asks otherwise, sees nothing move by itself.
    """

    def visit(script: str = "", **options: Any) -> Visit:
        visit = enter(player_site, **{"width": 900, "reduced_motion": "reduce", **options})
        visit.page.wait_for_selector("#faces .head-player")
        visit.page.wait_for_selector("#player .head-player")
        visit.page.evaluate("() => {" + WATCH + script + "}")
        return visit

    return visit


def give(visit: Visit, name: str, elem_id: str = "player") -> None:
    """Press the button that gives a value, and wait until the player has it."""
    before = visit.page.evaluate("id => playerOf(id).turnOf", elem_id)
    visit.page.click(f"#{name}")
    arrived = "([id, n]) => playerOf(id).turnOf > n && playerOf(id).length > 0"
    visit.page.wait_for_function(arrived, arg=[elem_id, before])


def positions(visit: Visit, elem_id: str = "player") -> np.ndarray:
    """The given vertices (V, 3) as the player has them now."""
    values = visit.page.evaluate(
        """id => { const { head } = playerOf(id).view.figure;
        return Array.from(head.mesh.geometry.attributes.position.array.subarray(0, 3 * head.count)) }""", elem_id,
    )  # fmt: skip
    return np.array(values, np.float32).reshape(-1, 3)


def screenshot(visit: Visit, elem_id: str = "player") -> np.ndarray:
    """The stage as it is seen, (H, W, 3), once the camera stands still."""
    from PIL import Image

    visit.page.wait_for_timeout(600)
    shot = visit.page.locator(f"#{elem_id} .stage").screenshot()
    return np.asarray(Image.open(io.BytesIO(shot)).convert("RGB"))


def test_planted_motion_is_at_its_place_at_its_time(come: Callable[..., Visit]) -> None:
    visit, motion = come(), planted(CLIP, "ada").motion.vertices
    give(visit, "run")
    for frame in (0, 15, 29, 30, 100, len(motion) - 1):
        visit.page.evaluate("seconds => playerOf('player').seek(seconds)", frame / FPS)
        furthest = np.linalg.norm(positions(visit) - motion[frame], axis=1).max()
        assert furthest <= ROUNDING, frame
    visit.page.evaluate("seconds => playerOf('player').seek(seconds)", 10.25 / FPS)
    between = 0.75 * motion[10] + 0.25 * motion[11]
    assert np.linalg.norm(positions(visit) - between, axis=1).max() <= ROUNDING
    chin = load_head().landmarks["chin"]
    assert np.linalg.norm(motion[29, chin] - motion[0, chin]) > 0.01  # what was planted can be seen


@pytest.mark.parametrize("camera, button", [("front", "Front"), ("profile", "Profile")])
def test_the_head_looks_as_in_the_videos(come: Callable[..., Visit], camera: str, button: str) -> None:
    visit, animation = come(width=1100), planted("man_dove.wav", "omar")  # at this width the stage is square
    give(visit, "second")
    visit.page.evaluate("playerOf('player').seek(0.5)")
    visit.page.click(f"#player button:text-is('{button}')")
    seen = screenshot(visit)
    side = seen.shape[0] // 2 * 2
    assert abs(seen.shape[0] - seen.shape[1]) <= 1
    options = RenderOptions(width=side, height=side, camera=camera)
    [frame] = render_frames(animation.head, animation.motion[15:16], options)
    apart = np.abs(seen[:side, :side].astype(int) - frame)
    assert apart.mean() < 1.5 and np.percentile(apart, 90) <= 4
    shifted = np.abs(np.roll(frame, 6, axis=1).astype(int) - frame)
    assert shifted.mean() > 3 * apart.mean()  # another place would have been noticed


def test_sound_and_motion_agree(come: Callable[..., Visit]) -> None:
    visit = come()
    give(visit, "run")
    page = visit.page
    page.evaluate("ticks.length = 0")
    send = """([channel, seconds]) =>
        document.dispatchEvent(new CustomEvent("memorytalker:seek", { detail: { channel, seconds } }))"""
    page.evaluate(send, ["compare", 3.0])
    assert page.evaluate("[playerOf('player').seconds, ticks.length]") == [0, 0]  # another's clock
    page.evaluate(send, ["animate", 1.5])
    state = page.evaluate("""() => { const p = playerOf('player');
        return [p.seconds, p.sound.currentTime, Number(p.seekBar.value), ticks[0].seconds, ticks[0].playing] }""")
    assert state == [1.5, 1.5, 1.5, 1.5, False]
    page.evaluate("ticks.length = 0")
    page.click("#player button.play")
    page.wait_for_function("playerOf('player').seconds > 2.2")
    page.evaluate(send, ["animate", 0.5])
    page.wait_for_function("playerOf('player').seconds > 0.7 && playerOf('player').seconds < 2")
    page.evaluate("document.querySelector('#player button[aria-label=Pause]').click()")  # at once, on a busy machine
    ticks = page.evaluate("ticks")
    assert {tick["channel"] for tick in ticks} == {"animate"} and not ticks[-1]["playing"]
    first = [tick["seconds"] for tick in ticks if tick["seconds"] >= 1.5]
    assert len(first) > 3 and first == sorted(first)
    assert max(abs(tick["seconds"] - tick["sound"]) for tick in ticks) < 1 / FPS
    seconds = page.evaluate("playerOf('player').seconds")
    assert page.evaluate("playerOf('player').sound.currentTime") == pytest.approx(seconds, abs=1 / FPS)
    motion = planted(CLIP, "ada").motion.vertices
    share = seconds * FPS - int(seconds * FPS)
    expected = (1 - share) * motion[int(seconds * FPS)] + share * motion[int(seconds * FPS) + 1]
    assert np.linalg.norm(positions(visit) - expected, axis=1).max() <= ROUNDING


def test_it_plays_to_its_end_and_again(come: Callable[..., Visit]) -> None:
    visit = come()
    give(visit, "run")
    page = visit.page
    page.evaluate("playerOf('player').seek(4.3)")
    page.click("#player button.play")
    page.wait_for_function("!playerOf('player').playing")
    assert page.evaluate("playerOf('player').seconds") == pytest.approx(CLIP_SECONDS, abs=0.06)
    assert page.get_attribute("#player button.play", "aria-label") == "Play"
    page.click("#player button.play")
    page.wait_for_function("playerOf('player').playing && playerOf('player').seconds < 2")


def test_a_new_value_plays_unless_less_motion_is_wanted(come: Callable[..., Visit]) -> None:
    visit = come(reduced_motion="no-preference")
    give(visit, "run")
    visit.page.wait_for_function("playerOf('player').playing && playerOf('player').seconds > 0.2")
    calm = come()
    give(calm, "run")
    calm.page.wait_for_timeout(700)
    assert calm.page.evaluate("[playerOf('player').playing, playerOf('player').seconds]") == [False, 0]


def test_one_value_after_another(come: Callable[..., Visit]) -> None:
    visit = come()
    give(visit, "run")
    visit.page.evaluate("playerOf('player').seek(2)")
    give(visit, "second")
    omar = planted("man_dove.wav", "omar")
    assert visit.page.evaluate("playerOf('player').seconds") == 0
    visit.page.evaluate("playerOf('player').seek(0.5)")
    assert np.linalg.norm(positions(visit) - omar.motion.vertices[15], axis=1).max() <= ROUNDING
    visit.page.wait_for_function("playerOf('player').sound.readyState >= 1")
    assert visit.page.evaluate("playerOf('player').sound.duration") == pytest.approx(omar.waveform.seconds, abs=0.01)
    visit.page.click("#none")
    visit.page.wait_for_function("playerOf('player').length === 0")
    visit.page.wait_for_selector("#player canvas", state="hidden")  # this player has no first head
    assert visit.page.inner_text("#player .notice") == EMPTY and visit.page.is_hidden("#player .transport")
    give(visit, "run")
    assert visit.page.is_visible("#player canvas") and visit.page.inner_text("#player .notice") == ""


def test_a_value_of_another_format_is_refused_in_a_sentence(come: Callable[..., Visit]) -> None:
    """As a page meets it that was loaded before an update of its server."""
    visit = come()
    give(visit, "run")
    visit.page.click("#newer")
    visit.says("player", "This page was loaded before an update; reload it.")
    assert visit.page.is_hidden("#player canvas") and visit.page.is_hidden("#player .transport")
    give(visit, "run")
    assert visit.page.is_visible("#player canvas")


def test_a_head_that_is_gone_is_told_in_a_sentence(come: Callable[..., Visit]) -> None:
    visit = come()
    visit.page.click("#lost")
    visit.says("player", "The 3D head could not be shown; please try again.")
    give(visit, "run")
    assert visit.page.is_visible("#player canvas") and visit.page.inner_text("#player .notice") == ""
    assert visit.faults and all("404" in fault for fault in visit.faults)
    visit.faults.clear()


def test_a_head_without_curves_has_a_sentence_and_its_sound(come: Callable[..., Visit]) -> None:
    visit = come()
    give(visit, "plain")
    assert visit.page.inner_text("#player .notice") == NO_CURVES and visit.page.is_hidden("#player canvas")
    visit.page.click("#player button.play")
    visit.page.wait_for_function("ticks.at(-1).playing && ticks.at(-1).seconds > 0.2")


def test_a_head_is_fetched_once(come: Callable[..., Visit]) -> None:
    """Its own first, in advance; then from the browser's cache on a later visit, and from memory on the same page."""
    visit = come(caches=None)
    sizes = f"""performance.getEntriesByType('resource').filter(({{ name }}) => name.includes('{HEADS}'))
        .map(({{ transferSize }}) => transferSize)"""
    visit.page.click("#coming")
    visit.page.wait_for_function(f"{sizes}.length === 1")
    visit.page.wait_for_selector("#player canvas", state="visible")  # it waits there
    assert visit.page.inner_text("#player .notice") == "" and visit.page.is_hidden("#player .transport")
    for name in ("run", "none", "run"):
        visit.page.click(f"#{name}")
        visit.page.wait_for_function(f"playerOf('player').length {'=== 0' if name == 'none' else '> 0'}")
    coming, first = visit.page.evaluate(sizes)
    assert coming > 1_000_000 and first > 1_000_000  # two heads, each once
    visit.page.reload()
    visit.page.wait_for_selector("#player .head-player")
    visit.page.evaluate("() => {" + WATCH + "}")
    give(visit, "run")
    assert visit.page.evaluate(sizes) == [0]


def test_changes_move_the_head_at_once(come: Callable[..., Visit]) -> None:
    visit, animation = come(), planted(CLIP, "ada")
    give(visit, "run")
    visit.page.evaluate("playerOf('player').seek(0.5)")
    send = """([channel, changes]) =>
        document.dispatchEvent(new CustomEvent("memorytalker:adjust", { detail: { channel, changes } }))"""
    changes = {"upper_face": 0.5, "lower_face": 1.5, "gains": {"jawOpen": 0.5}, "offsets": {"browInnerUp": 0.25}}
    visit.page.evaluate(send, ["compare", changes])
    assert np.linalg.norm(positions(visit) - animation.motion[15], axis=1).max() <= ROUNDING  # another's
    visit.page.evaluate(send, ["animate", changes])
    changed = adjusted(animation.motion, CurveOptions(**changes))
    assert np.linalg.norm(positions(visit) - changed[15], axis=1).max() <= ROUNDING
    assert np.linalg.norm(changed[15] - animation.motion[15], axis=1).max() > 0.003
    give(visit, "second")  # the changes hold for what comes
    visit.page.evaluate("playerOf('player').seek(0.5)")
    omar = adjusted(planted("man_dove.wav", "omar").motion, CurveOptions(**changes))
    assert np.linalg.norm(positions(visit) - omar[15], axis=1).max() <= ROUNDING


def test_three_reads_the_head_as_it_is_drawn(come: Callable[..., Visit]) -> None:
    """Its own morph targets, at ten times: the vertices of the video's frames."""
    visit, motion = come(), planted(CLIP, "ada").motion
    give(visit, "run")
    script = f"{ROUTE}/{scripts_version()}/three/three.js"
    places = """async ([script, seconds]) => {
        const { GLTFLoader, Vector3 } = await import(script);
        const { head, fetched } = { ...playerOf('player').view, head: playerOf('player').view.figure.head };
        const { scene } = await new GLTFLoader().loadAsync(fetched.address);
        let mesh;
        scene.traverse((one) => { if (one.isMesh) mesh = one; });
        const point = new Vector3();
        return seconds.map((time) => {
            playerOf('player').seek(time);
            mesh.morphTargetInfluences = head.mesh.morphTargetInfluences;
            return Array.from({ length: head.count }, (_, k) => mesh.getVertexPosition(k, point).toArray()).flat();
        });
    }"""
    frames = [0, 1, 14, 15, 29, 30, 60, 77, 100, len(motion) - 1]
    found = visit.page.evaluate(places, [script, [frame / FPS for frame in frames]])
    for frame, values in zip(frames, found, strict=True):
        apart = np.array(values).reshape(-1, 3) - motion[frame]
        assert np.linalg.norm(apart, axis=1).max() <= 2e-5, frame


def test_every_script_comes_in_the_version_of_the_first(come: Callable[..., Visit]) -> None:
    visit = come()
    give(visit, "run")
    loaded = visit.page.evaluate("performance.getEntriesByType('resource').map(({ name }) => new URL(name).pathname)")
    here = f"{ROUTE}/{scripts_version()}/"
    own = {path.removeprefix(here) for path in loaded if path.startswith(here)}
    assert own >= {"player.js", "view.js", "figure.js", "three/three.js", "player.css"}
    assert not [path for path in loaded if path.endswith(tuple(own)) and not path.startswith(here)]


def test_nothing_is_kept_of_values_before(come: Callable[..., Visit]) -> None:
    visit = come()
    held = (
        "() => { const { memory, programs } = playerOf('player').view.renderer.info;"
        " return [memory.geometries, programs.length, addresses.size, document.querySelectorAll('audio').length] }"
    )
    for name in ("run", "second", "run", "second"):
        give(visit, name)
        visit.page.wait_for_timeout(150)
        assert visit.page.evaluate(held) == [1, 1, 1, 1], name
    visit.page.click("#none")
    visit.page.wait_for_function("playerOf('player').length === 0")
    assert visit.page.evaluate(held) == [0, 0, 0, 0]
    give(visit, "run")
    visit.page.evaluate("window.gone = playerOf('player'); window.context = gone.view.renderer.getContext();")
    visit.page.evaluate("document.querySelector('#player').remove()")
    visit.page.wait_for_function("gone.view === null && context.isContextLost() && addresses.size === 0")


def test_without_webgl_there_is_a_sentence_and_the_sound(come: Callable[..., Visit]) -> None:
    visit = come(NO_WEBGL)
    give(visit, "run")
    assert visit.page.inner_text("#player .notice") == NO_3D
    assert visit.page.is_hidden("#player canvas") and visit.page.is_hidden("#player .cameras")
    visit.page.click("#player button.play")
    visit.page.wait_for_function("ticks.at(-1).playing && ticks.at(-1).seconds > 0.2")


def test_keys_alone_are_enough(come: Callable[..., Visit]) -> None:
    visit = come()
    give(visit, "run")
    page = visit.page
    page.focus("#player canvas")
    azimuth = "playerOf('player').view.azimuth"
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    assert page.evaluate(azimuth) == pytest.approx(16, abs=0.01)
    page.keyboard.press("0")
    assert page.evaluate(azimuth) == pytest.approx(0, abs=0.01)
    distance = "playerOf('player').view.controls.getDistance()"
    far = page.evaluate(distance)
    page.keyboard.press("+")
    assert page.evaluate(distance) == pytest.approx(0.88 * far, rel=0.01)
    page.keyboard.press(" ")
    page.wait_for_function("playerOf('player').playing")
    page.keyboard.press(" ")
    page.wait_for_function("!playerOf('player').playing")
    page.evaluate("playerOf('player').seek(1)")
    names = []
    for key in ["Tab"] * 4 + ["ArrowRight"] * 5:  # the cameras are one stop of the Tab key
        page.keyboard.press(key)
        names.append(
            page.evaluate("""() => { const one = document.activeElement;
            return [one.getAttribute("aria-label") || one.textContent, getComputedStyle(one).outlineStyle] }""")
        )
        if names[-1][0] == "Position in the recording":
            page.keyboard.press("ArrowRight")
            assert page.evaluate("playerOf('player').seconds") == pytest.approx(31 / FPS, abs=1e-3)
        if names[-1][0] == "Profile":
            page.keyboard.press("Enter")
            assert page.evaluate(azimuth) == pytest.approx(82, abs=0.01)
            assert page.evaluate("document.activeElement.getAttribute('aria-pressed')") == "true"
    assert [name for name, _ in names] == [
        "Play", "Position in the recording", "Mute the sound", "Front", "Three-quarter", "Profile", "Nearer", "Further",
        "Reset the view",
    ]  # fmt: skip
    assert {style for _, style in names} == {"solid"}  # where the focus is can be seen


def test_a_drag_turns_the_head_and_its_light(come: Callable[..., Visit]) -> None:
    visit = come()
    give(visit, "run")
    box = visit.page.locator("#player canvas").bounding_box()
    middle = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    light = "Array.from(playerOf('player').view.figure.shares)"
    before = visit.page.evaluate(light)
    visit.page.mouse.move(*middle)
    visit.page.mouse.down()
    visit.page.mouse.move(middle[0] - 60, middle[1], steps=5)
    visit.page.mouse.up()
    visit.page.wait_for_function("playerOf('player').view.azimuth > 20")  # to the left: more of the head's own left
    visit.page.wait_for_function(f"before => String({light}) !== String(before)", arg=before)
    far = visit.page.evaluate("playerOf('player').view.controls.getDistance()")
    visit.page.mouse.wheel(0, 300)  # the wheel is the page's
    visit.page.wait_for_timeout(200)
    assert visit.page.evaluate("playerOf('player').view.controls.getDistance()") == pytest.approx(far)


def test_motion_without_sound_keeps_a_clock_of_its_own(come: Callable[..., Visit]) -> None:
    visit, motion = come(), planted(CLIP, "ada").motion.vertices
    page = visit.page
    give(visit, "still", "faces")
    assert np.linalg.norm(positions(visit, "faces") - motion[15], axis=1).max() <= ROUNDING
    assert page.is_hidden("#faces .transport") and page.is_visible("#faces .cameras")
    give(visit, "silent", "faces")
    assert page.is_visible("#faces .transport") and page.is_hidden("#faces button.mute")
    page.evaluate("playerOf('faces').seek(0.5)")
    page.click("#faces button.play")
    page.wait_for_function("!playerOf('faces').playing && playerOf('faces').seconds === 1")
    assert np.linalg.norm(positions(visit, "faces") - motion[29], axis=1).max() <= ROUNDING
    assert page.evaluate("ticks.filter(({ channel }) => channel === 'animate').length") == 0


def test_one_sound_at_a_time(come: Callable[..., Visit]) -> None:
    visit = come(reduced_motion="no-preference")
    give(visit, "run")
    visit.page.wait_for_function("playerOf('player').playing")
    visit.page.evaluate("""() => { const other = document.createElement("audio");
        other.src = playerOf('player').sound.src; document.body.append(other); return other.play() }""")
    visit.page.wait_for_function("!playerOf('player').playing")


def test_phone_width(come: Callable[..., Visit]) -> None:
    visit = come(width=390, height=844, device_scale_factor=2)
    give(visit, "run")
    assert visit.page.evaluate("document.documentElement.scrollWidth") <= 390
    size = visit.page.evaluate("() => { const c = document.querySelector('#player canvas');"
                               " return [c.clientWidth, c.width, c.style.touchAction] }")  # fmt: skip
    assert 250 < size[0] < 390 and size[1] == 2 * size[0] and size[2] == "pan-y"
    visit.page.set_viewport_size({"width": 700, "height": 844})
    visit.page.wait_for_function("document.querySelector('#player canvas').clientWidth > 400")
    visit.page.wait_for_function(
        "(() => { const c = document.querySelector('#player canvas'); return c.width === 2 * c.clientWidth })()"
    )
