"""The named endpoints of speaking styles and heads: read a style from a voice, from words or from recordings.

No postponed annotations here: Gradio reads the types of these functions as they are.
"""

from typing import Any

import gradio as gr

from memorytalker.page.adaptation_run import MOST_FILES, learned_style
from memorytalker.page.api_parameters import Parameter, publish
from memorytalker.page.api_results import by_slot, path_of, result_of, rounded, with_plain_errors
from memorytalker.page.jobs import JobRunner
from memorytalker.page.limits import read_sound
from memorytalker.page.request import NO_SOUND
from memorytalker.styles.style import AdaptationReport, Style

SOUND = Parameter("A sound or a video with speech: an uploaded file, 0.1 to 60 seconds, at most 20 MB.")


def publish_styles(runner: JobRunner, **queued: Any) -> None:
    """Publish the endpoints of styles and heads; `queued` are the keyword arguments of those that wait in the queue."""
    _publish_style(runner, **queued)
    _publish_slot_face(runner, **queued)
    _publish_adapt(runner, **queued)
    _publish_describe()
    _publish_heads(runner)


def _publish_style(runner: JobRunner, **queued: Any) -> None:
    def style(sound: gr.FileData) -> dict:
        """Read the speaking style of a voice: how strongly it weights each of the memory's slots."""
        weights = result_of(runner, runner.style_of, read_sound(path_of(sound), NO_SOUND), small=True)
        relative = None if runner.mean_style is None else by_slot(runner.slots, weights / runner.mean_style)
        return {"weights": by_slot(runner.slots, weights), "times_average": relative}

    answer = (
        "weights: slot -> its weight, 1 in the neutral style. times_average: slot -> that weight as a multiple of the "
        "average training speaker's; null where the weights do not tell."
    )
    publish(with_plain_errors(style), {"sound": SOUND}, {"style": Parameter(answer)}, **queued)


def _publish_slot_face(runner: JobRunner, **queued: Any) -> None:
    def slot_face(slot: str, sound: gr.FileData | None = None) -> dict:
        """Show what a memory slot stores: the face while speech addresses that slot alone, as a mesh."""
        weights = (
            result_of(runner, runner.style_of, read_sound(path_of(sound), NO_SOUND), small=True) if sound else None
        )
        vertices = result_of(runner, runner.slot_face, slot, weights, small=True)
        return {"slot": slot, "vertices_metres": rounded(vertices, 6)}

    takes = {
        "slot": Parameter("The slot, a speech sound such as 'uw', as in 'food'.", runner.slots),
        "sound": Parameter("A voice in whose style the face is shown: an uploaded file; without one it is neutral."),
    }
    answer = "slot: as given. vertices_metres: (V, 3), x to the face's left, y up; the head's own faces join them."
    publish(with_plain_errors(slot_face), takes, {"face": Parameter(answer)}, **queued)


def _publish_describe() -> None:
    def describe(words: str) -> dict:
        """Turn words into a speaking style and say what was understood, such as 'hardly opens her mouth, a bit sad'."""
        style = Style.describe(words)
        return {
            "understood": [
                {
                    "words": each.words,
                    "moves": each.dimension,
                    "amount": each.amount,
                    "from_seconds": each.start,
                }
                for each in style.understood
            ],
            "not_understood": list(style.unknown),
            "remarks": list(style.remarks),
            "style": style.to_json() if style.understood else None,
        }

    takes = {
        "words": Parameter(
            "English, at most 2,000 letters: mouth, lips, brows, lids, head and moods, with degree, negation and times "
            "('from 4 s: shouting')."
        )
    }
    answer = (
        "understood: words, what they move and by how much (-1, much less, to 1, much more). style: to give as "
        "saved_style to animate, null where nothing was understood; remarks say why."
    )
    publish(with_plain_errors(describe), takes, {"description": Parameter(answer)}, queue=False)


def _publish_adapt(runner: JobRunner, **queued: Any) -> None:
    def adapt(recordings: list[gr.FileData], name: str = "") -> dict:
        """Learn one person's speaking style from videos, or from face curves with their sound.

        Ten seconds to ten minutes of one person.

        A style that is no better than none on the third that was kept back is refused. It takes up to some minutes.
        """
        paths = [path_of(one) for one in recordings or ()]
        style = result_of(runner, learned_style, runner, paths, name)
        return {"style": style.to_json(), "report": _report(style.report), "remarks": list(style.remarks)}

    takes = {
        "recordings": Parameter(
            f"Uploaded files, at most {MOST_FILES}: videos of the face with sound, or face curves (.csv of Live Link "
            "Face, .json, .npz), each with a sound or video of the same name: take1.csv and take1.wav."
        ),
        "name": Parameter("What the style is called, a few words; may be left out."),
    }
    answer = (
        "style: to give as saved_style to animate, or to save as a .json file. report: errors of the lip opening in "
        "millimetres before and after, on recordings that were kept back."
    )
    publish(with_plain_errors(adapt), takes, {"adaptation": Parameter(answer)}, **queued)


def _report(report: AdaptationReport | None) -> dict[str, Any] | None:
    if report is None:
        return None
    return {
        "learned_from_seconds": round(report.seconds, 2),
        "checked_on_seconds": round(report.checked_seconds, 2),
        "error_before_mm": round(report.error_before, 3),
        "error_after_mm": round(report.error_after, 3),
        "correlation": round(report.correlation, 3),
        "width_amplitude_ratio": round(report.amplitude, 3),
        "fitted": report.fitted,
    }


def _publish_heads(runner: JobRunner) -> None:
    def heads() -> list[dict[str, Any]]:
        """List the heads that can speak; give a name as `identity` to animate or compare."""
        names = list(runner.head.identities)
        return [
            {"name": name, "description": runner.head.descriptions.get(name, ""), "default": name == names[0]}
            for name in names
        ]

    answer = Parameter("One entry for each head: its name, whom it depicts in words, and whether it is the default.")
    publish(with_plain_errors(heads), {}, {"heads": answer}, queue=False)
