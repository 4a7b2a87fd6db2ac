"""The page: a voice goes in, a talking head comes out, and the memory behind it is shown.

`create_demo(talker)` builds it, `python app.py` serves it. Layout, wiring and messages only; all work is done by the
`Talker` that is handed in. Nothing is kept between visitors: each request has a folder of its own that goes with it.
"""

from __future__ import annotations

import argparse
import html
import logging
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

try:
    import spaces  # on a Space with borrowed GPUs this must come before torch; elsewhere it does nothing
except ImportError:
    spaces = None
import gradio as gr

from memorytalker import AudioError, load_waveform
from memorytalker.figures import memory_heatmap, style_bars
from memorytalker.job import Job

LONGEST_SECONDS = 60.0
LARGEST_FILE = "20mb"
LONGEST_QUEUE = 16
KEEP_SECONDS = 3600
PATIENCE_SECONDS = 900.0
SILENT_LEVEL = 0.001  # no sample above this (-60 dB): nobody speaks
THIS_VOICE, NEUTRAL = "this voice", "neutral"
SPEECH_FOLDER = Path(__file__).resolve().parent / "assets" / "speech"
EXAMPLES = {
    "woman_farming.wav": "A woman: “One great drawback to farming in California…”",
    "woman_blue.wav": "Another woman: “He wore blue silk stockings…”",
    "man_dove.wav": "A man: “Open thy heart wide…”",
}
HEADER = """<header><h1>MemoryTalker</h1><p>A voice goes in, a talking head comes out. The network recalls the movements
of speech from a memory, in the manner of the voice that it hears, and you can watch it remember.</p></header>"""
LIMITS = f"""<p class="small">WAV, FLAC, MP3, M4A, OGG or WebM; 0.1 to {LONGEST_SECONDS:.0f} seconds; at most 20 MB.
The sound stays on this server and is deleted about an hour later.</p>"""
MEMORY_TEXT = """<h2>What the memory recalled</h2><p>Each row is a slot of the memory, named by the speech sound whose
movement it stores. A bright cell means: at this moment the face is read from this slot.</p>"""
STYLE_TEXT = """<h2>The manner of this voice</h2><p>How strongly this voice weighs each slot. Strong slots move the
face more than usual, weak ones less; in neutral style all count as 1.</p>"""
FOOTER = """<footer><p class="small">The head is synthetic and stands for no real person. Use voices only with their
owner's consent, and say that the video is generated when you share it.</p></footer>"""
WELCOME = "Give a voice, then press “Make it talk”."
STEPS = ("Listen", "Draw", "Watch")
STAGES = {"motion": "Recalling the movements", "pictures": "Drawing the pictures"}  # as the pipeline names them
log = logging.getLogger("memorytalker.page")


def status_html(step: int, text: str, bar: float | None = None, wrong: bool = False) -> str:
    """The staged progress: `step` counts from 0 through STEPS, -1 before them; `bar` from 0 to 1, None if unknown."""
    now = 'class="now" aria-current="step"'
    marks = ('class="done"' if index < step else now if index == step else "" for index in range(len(STEPS)))
    chips = "".join(f"<li {mark}>{name}</li>" for mark, name in zip(marks, STEPS, strict=True))
    value = "" if bar is None else f' value="{bar:.3f}"'
    line = f'<progress aria-label="{STEPS[step]}"{value}></progress>' if step in (0, 1) else ""
    tone = "wrong" if wrong else "well"
    return f'<ol class="steps">{chips}</ol>{line}<p class="{tone}">{html.escape(text)}</p>'


def progress_html(job: Job) -> str:
    """Where a running job stands, in words and as a bar."""
    done, total, stage = job.progress
    text = STAGES.get(stage, "Listening to the voice" if job.animation is None else "Drawing the pictures") + "…"
    text += f" {100 * done // total} %" if total else ""
    left = job.seconds_left() if job.animation is not None else None
    text += f", about {left:.0f} s left" if left is not None else ""
    return status_html(0 if job.animation is None else 1, text, done / total if total else None)


def draw_memory(job: Job, mean: Any) -> tuple[str, str]:
    """Heatmap and style bars as PNG files in the job's folder."""
    animation, paths = job.animation, (job.folder / "memory.png", job.folder / "style.png")
    heatmap = memory_heatmap(
        animation.memory_address, animation.slot_labels, animation.fps, animation.waveform, dark=True
    )
    heatmap.savefig(paths[0], dpi=140)
    style_bars(animation.style_weights, animation.slot_labels, mean, dark=True).savefig(paths[1], dpi=140)
    return str(paths[0]), str(paths[1])


def seen_name(name: str, description: str) -> str:
    """An identity as a visitor reads it: its name, and a few words where there are some."""
    return name.replace("_", " ").capitalize() + (f", {description}" if description else "")


def create_demo(talker: Any) -> gr.Blocks:
    """The whole page around a `Talker` (or anything with its `head` and `animate`); launch it with `launch_options`."""
    with gr.Blocks(
        title="MemoryTalker", analytics_enabled=False, delete_cache=(KEEP_SECONDS // 6, KEEP_SECONDS)
    ) as demo:
        gr.HTML(HEADER, elem_id="header")
        with gr.Row(elem_id="studio"):
            with gr.Column(scale=4, min_width=320):
                asked = _inputs(talker.head)
            with gr.Column(scale=5, min_width=320):
                status = gr.HTML(status_html(-1, WELCOME), label="Status", elem_id="status")
                video = gr.Video(label="Talking head", elem_id="video", interactive=False, buttons=["download"])
        with gr.Column(elem_id="insight", visible=False) as insight:
            gr.HTML(MEMORY_TEXT)
            memory = _picture("memory", "Memory heatmap", "Heatmap: which memory slot is read when")
            gr.HTML(STYLE_TEXT)
            weights = _picture("weights", "Style weights", "Bar chart: the style weight of each memory slot")
        gr.HTML(FOOTER, elem_id="footer")
        given = {"video": video, "memory": memory, "weights": weights, "status": status, "insight": insight}
        _wire(asked, given, _animator(talker, asked, given))
    return demo.queue(max_size=LONGEST_QUEUE)


def _inputs(head: Any) -> dict[str, Any]:
    sound = gr.Audio(
        type="filepath", sources=["upload", "microphone"], label="Voice", elem_id="sound", buttons=[],
        waveform_options=gr.WaveformOptions(sample_rate=16000),
    )  # fmt: skip
    gr.HTML(LIMITS)
    with gr.Row(elem_id="examples"):
        gr.HTML('<p class="small">Or take an example:</p>')
        for name, words in EXAMPLES.items():
            # gr.Examples would hand out a copy that the sweep by age has deleted.
            gr.Button(words, size="sm").click(
                partial(str, SPEECH_FOLDER / name), None, sound, queue=False, api_visibility="private"
            )
    heads = [(seen_name(name, head.descriptions.get(name, "")), name) for name in head.identities]
    identity = gr.Dropdown(heads, value=heads[0][1], label="Head", elem_id="head", filterable=False)
    style = gr.Radio(
        [("Of this voice", THIS_VOICE), ("Neutral", NEUTRAL)], value=THIS_VOICE, label="Manner of speaking",
        elem_id="style",
    )  # fmt: skip
    with gr.Row(elem_id="buttons"):
        run = gr.Button("Make it talk", variant="primary", interactive=False, elem_id="run", scale=3)
        stop = gr.Button("Stop", interactive=False, elem_id="stop", scale=1, min_width=90)
    return {"sound": sound, "identity": identity, "style": style, "run": run, "stop": stop}


def _picture(name: str, label: str, words: str) -> gr.Image:
    # The label stays invisible, for it would lie on the data; `words` reach those who cannot see the picture.
    return gr.Image(
        type="filepath", format="png", label=label, show_label=False, alt_text=words, elem_id=name, interactive=False,
        buttons=["download", "fullscreen"], elem_classes="figure",
    )  # fmt: skip


def _animator(talker: Any, asked: dict[str, Any], given: dict[str, Any]) -> Any:
    """The handler of the one button: a generator, so that it can be stopped, and that shows each result at once."""
    worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="talker")
    network = spaces.GPU(talker.animate) if spaces else talker.animate
    mean = None if (talker.mean_style == 1).all() else talker.mean_style  # ones: the weights do not know it
    video, memory, weights = (given[name] for name in ("video", "memory", "weights"))

    def show(status: str, results: dict[Any, Any], busy: bool = False) -> dict[Any, Any]:
        # Results are always given, as None where there is none yet: an output that is left out of an update turns into
        # a copy whose files Gradio never deletes.
        files = {video: None, memory: None, weights: None} | results
        seen = {given["insight"]: gr.Column(visible=True)} if results else {}
        buttons = {asked["run"]: gr.Button(interactive=not busy), asked["stop"]: gr.Button(interactive=busy)}
        return {given["status"]: status} | files | seen | buttons

    def refuse(text: str, results: dict[Any, Any]) -> Iterator[dict[Any, Any]]:
        yield show(status_html(-1, text, wrong=True), results)
        raise gr.Error(html.escape(text), print_exception=False)

    def animate(sound: str | None, identity: str, style: str) -> Iterator[dict[Any, Any]]:
        """Animate a head with a voice: a sound file, the name of a head, and "this voice" or "neutral"."""
        job, results, note, started = None, {}, "", time.monotonic()
        try:
            if not sound:
                raise AudioError("There is no voice yet; record one, upload a file or take an example.")
            waveform = load_waveform(sound, longest_seconds=LONGEST_SECONDS)
            if float(abs(waveform.samples).max()) < SILENT_LEVEL:
                note = " The clip is silent, so the mouth stays closed and still."
                gr.Info(note.strip())
            job = Job(worker, network, waveform, identity=identity, **({"style": None} if style == NEUTRAL else {}))
            while video not in results:
                yield show(progress_html(job), results, busy=True)
                finished = job.wait(0.25)
                if job.animation is not None and not results:
                    drawn = draw_memory(job, None if style == NEUTRAL else mean)
                    results = dict(zip((memory, weights), drawn, strict=True))
                    yield show(progress_html(job), results, busy=True)
                if finished is not None:
                    results[video] = str(finished)
                elif time.monotonic() - started > PATIENCE_SECONDS:
                    raise TimeoutError
            spent = f"{waveform.seconds:.1f} s of speech in {time.monotonic() - started:.1f} s."
            yield show(status_html(2, spent + note), results)
        except AudioError as error:
            yield from refuse(str(error), results)
        except TimeoutError:
            yield from refuse("This takes too long; try again with a shorter recording.", results)
        except Exception:
            log.exception("A request failed")
            what = "listening" if job is None or job.animation is None else "drawing the video"
            yield from refuse(f"Something failed on our side while {what}; please try again in a moment.", results)
        finally:
            if job is not None:
                job.close()

    return animate


def _wire(asked: dict[str, Any], given: dict[str, Any], animate: Any) -> None:
    sound, run, stop = asked["sound"], asked["run"], asked["stop"]
    switches = [given["status"], run, stop]
    instant = {"queue": False, "api_visibility": "private", "show_progress": "hidden"}

    def switch(text: str, busy: bool) -> tuple[Any, ...]:
        return status_html(-1, text), gr.Button(interactive=not busy), gr.Button(interactive=busy)

    event = run.click(partial(switch, "Waiting for a free place…", True), None, switches, **instant).then(
        animate, [sound, asked["identity"], asked["style"]], [*given.values(), run, stop], api_name="animate",
        concurrency_limit=1, concurrency_id="talker", show_progress="minimal", show_progress_on=[given["video"]],
    )  # fmt: skip
    stopped = partial(switch, "Stopped.", False)
    # Said twice: on a busy machine a last report of progress may arrive after the first.
    stop.click(stopped, None, switches, cancels=[event], **instant).then(stopped, None, switches, **instant)
    # A recording reaches the server a moment after it ends: until then there is nothing to run.
    sound.change(lambda path: gr.Button(interactive=path is not None), sound, run, **instant)
    sound.start_recording(lambda: gr.Button(interactive=False), None, run, **instant)


def launch_options() -> dict[str, Any]:
    """Keyword arguments for `Blocks.launch`: the looks, and the settings of a public page."""
    teal, slate = gr.themes.colors.teal, gr.themes.colors.slate
    plain = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "sans-serif")
    theme = gr.themes.Soft(primary_hue=teal, secondary_hue=teal, neutral_hue=slate, font=plain).set(
        **_both("block_label_background_fill", "*neutral_100", "*neutral_700"),
        **_both("block_label_text_color", "*neutral_700", "*neutral_100"),
        **_both("block_title_text_color", "*neutral_700", "*neutral_100"),
        **_both("block_title_background_fill", "transparent", "transparent"),
        **_both("block_border_color", "*neutral_200", "*neutral_700"),
        **_both("button_primary_background_fill", "*primary_700", "*primary_400"),
        **_both("button_primary_background_fill_hover", "*primary_800", "*primary_300"),
        **_both("button_secondary_background_fill_hover", "*neutral_100", "*neutral_500"),
        **_both("button_primary_text_color", "white", "*neutral_950"),
        **_both("checkbox_label_background_fill_selected", "*primary_700", "*primary_700"),
        **_both("checkbox_border_color", "*neutral_500", "*neutral_400"),
        block_border_width="1px", block_title_padding="0", body_text_color_subdued="*neutral_600",
        body_text_color_subdued_dark="*neutral_300",
    )  # fmt: skip
    return {
        "theme": theme, "css_paths": Path(__file__).resolve().parent / "assets" / "page" / "page.css",
        "max_file_size": LARGEST_FILE, "show_error": False, "run_history": False, "enable_monitoring": False,
        "footer_links": ["api", "settings"], "ssr_mode": False, "allowed_paths": [str(SPEECH_FOLDER)],
    }  # fmt: skip


def _both(name: str, light: str, dark: str) -> dict[str, str]:
    return {name: light, name + "_dark": dark}


def main() -> None:
    """Load the talker and serve the page; host and port come from GRADIO_SERVER_NAME and GRADIO_SERVER_PORT."""
    parser = argparse.ArgumentParser(description="Serve the MemoryTalker page.")
    parser.add_argument("--weights", help="a folder or a model hub id; default: the weights shipped with the product")
    parser.add_argument("--device", help="cuda, mps or cpu; default: the best there is")
    options = parser.parse_args()
    from memorytalker import Talker

    create_demo(Talker.from_pretrained(options.weights, device=options.device)).launch(**launch_options())


if __name__ == "__main__":
    main()
