"""The public face is frozen: names, signatures and fields change only together with this test and the documents."""

from __future__ import annotations

import dataclasses
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import memorytalker

NAMES = """
    OWN_VOICE AnimateOptions Animation AudioError ConfigError CurveOptions EncodedSound ExecutionError ExportError
    FaceCurves HeadError HeadMesh HeadMotion InputError MemoryTalkerError ModelConfig MotionError MotionPiece
    RenderError RenderOptions Style StyleError Talker TalkerError VideoError Waveform WeightsError load_head
    load_waveform
""".split()


def parameters(function: object) -> str:
    """The parameters with their defaults, without their types."""
    signature = inspect.signature(function)
    bare = [p.replace(annotation=inspect.Parameter.empty) for p in signature.parameters.values()]
    return str(signature.replace(parameters=bare, return_annotation=inspect.Signature.empty))


def test_names() -> None:
    assert sorted(memorytalker.__all__) == sorted(NAMES)
    assert sorted(memorytalker._HOMES) == sorted(NAMES)
    for name in NAMES:
        assert getattr(memorytalker, name) is not None and name in dir(memorytalker)
    with pytest.raises(AttributeError, match="no attribute 'Singer'"):
        memorytalker.Singer  # noqa: B018


def test_signatures() -> None:
    from memorytalker import OWN_VOICE, Animation, Talker

    assert parameters(Talker.from_pretrained) == "(source=None, device=None, head=None)"
    options = f"options={memorytalker.AnimateOptions()!r}"
    own = f"style={OWN_VOICE!r}, *"
    assert parameters(Talker.animate) == f"(self, sound, {own}, encoded=None, {options}, progress=None, **changes)"
    assert parameters(Talker.animate_many) == f"(self, sounds, {own}, {options}, **changes)"
    assert parameters(Talker.stream) == f"(self, chunks, style={OWN_VOICE!r}, *, {options}, **changes)"
    assert parameters(Talker.live) == "(self, chunks, style=None, *, head=None, weights=None)"
    assert parameters(Talker.style_of) == "(self, sound)"
    assert parameters(Talker.adapt) == "(self, takes, *, name='', progress=None, longest_seconds=600.0)"
    assert parameters(memorytalker.Style.describe) == "(text)"
    assert parameters(memorytalker.Style.blended) == "(self, other, share=0.5)"
    assert parameters(Talker.slot_face) == "(self, slot, style_weights=None)"
    render = memorytalker.RenderOptions()
    assert parameters(Animation.save) == f"(self, path, format=None, *, fps=None, render={render!r}, progress=None)"
    curves = f"options={memorytalker.CurveOptions()!r}"
    assert parameters(Animation.adjusted) == f"(self, {curves}, **changes)"


def test_fields() -> None:
    fields = {
        "AnimateOptions": "identity style_blend expression seed close_in_silence mood mood_strength head_motion "
        "voice_arousal",
        "Animation": "motion memory_address style_weights slot_labels waveform provenance encoded",
        "EncodedSound": "digest logits arousal",
        "MotionPiece": "first_frame motion memory_address style_weights",
        "CurveOptions": "upper_face lower_face gains offsets",
        "FaceCurves": "weights names fps",
        "HeadMotion": "head space coordinates fps expression driving turns",
        "Style": "name deliveries slot_weights slot_share source report understood unknown remarks kept_back",
        "Waveform": "samples sample_rate remarks name",
    }
    for name, expected in fields.items():
        cls = getattr(memorytalker, name)
        assert [f.name for f in dataclasses.fields(cls)] == expected.split()
        assert cls.__dataclass_params__.frozen
    shown = {"head", "fps", "coordinates", "curves", "lip_residual_mm", "vertices", "frames"}
    assert shown <= set(dir(memorytalker.Animation)) and {"fps", "curves", "vertices"} <= set(
        dir(memorytalker.MotionPiece)
    )
    talker = memorytalker.Talker
    assert {"mean_style", "config"} <= set(dir(talker)) and "head" in inspect.signature(talker).parameters


def test_refusals_are_value_errors_and_failures_runtime_errors() -> None:
    """One `except ValueError` around a visitor's request catches every refusal; what failed here is no refusal."""
    failures = {"ExecutionError", "RenderError", "VideoError"}
    for name in NAMES:
        if name.endswith("Error") and name != "MemoryTalkerError":
            error = getattr(memorytalker, name)
            assert issubclass(error, RuntimeError if name in failures else ValueError), name
            assert issubclass(error, memorytalker.MemoryTalkerError), name


@pytest.mark.parametrize(
    ("statement", "absent"),
    [
        ("import memorytalker", "torch numpy transformers gradio pyvista matplotlib huggingface_hub"),
        ("from memorytalker import Animation, load_head, load_waveform", "torch transformers gradio pyvista scipy"),
        ("from memorytalker import Talker", "transformers gradio pyvista scipy matplotlib huggingface_hub"),
    ],
)
def test_nothing_is_loaded_before_it_is_needed(statement: str, absent: str) -> None:
    code = f"{statement}\nimport sys; print(' '.join(n for n in {absent.split()!r} if n in sys.modules))"
    root = Path(__file__).resolve().parents[1]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
