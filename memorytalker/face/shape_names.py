"""Which of a user's own shapes stand for which of ARKit's: by exact names, by tables, or by a mapping file.

A control is what a head can be told: a morph target by its name, or an expression of a VRM file, which binds several
morph targets. Names are compared whole, never in parts: `ee` is not in `sleepy`.

Source:
    VRM 1.0, https://github.com/vrm-c/vrm-specification (VRMC_vrm-1.0/expressions.md; 0.x: blendShapeMaster).
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from memorytalker.face.gltf_file import REMEDY, GltfError, GltfFile
from memorytalker.face.gltf_scene import mesh_targets
from memorytalker.face.head import ARKIT_NAMES, HeadError
from memorytalker.files import read_json
from memorytalker.sound.decode import shown_name

#: Other exact spellings of ARKit's names: those of Live Link Face.
PASCAL_NAMES = MappingProxyType({name[0].upper() + name[1:]: name for name in ARKIT_NAMES})
#: The visemes of Oculus, in its order.
VISEMES = ("sil", "PP", "FF", "TH", "DD", "kk", "CH", "SS", "nn", "RR", "aa", "E", "ih", "oh", "ou")
_LONG = {"ih": ("ih", "I"), "oh": ("oh", "O"), "ou": ("ou", "U")}
_VRCHAT = {"E": ("e", "ee")}
#: Exact name of a shape -> the viseme: as Oculus and Ready Player Me write them, and VRChat.
VISEME_NAMES = MappingProxyType(
    {f"viseme_{spelt}": name for name in VISEMES for spelt in _LONG.get(name, (name,))}
    | {f"vrc.v_{spelt}": name for name in VISEMES for spelt in _VRCHAT.get(name, (name.lower(),))}
)
#: A viseme -> the ARKit shapes of which it is made, with their gains, on a head whose mouth has visemes only. A first
#: approximation: visemes that differ by what no curve of the lips tells (DD, kk, nn, RR, CH, sil) are left out.
VISEME_RECIPES: Mapping[str, Mapping[str, float]] = MappingProxyType(
    {
        "aa": {"jawOpen": 1.0, "mouthClose": -1.0},
        "oh": {"mouthFunnel": 0.8},
        "ou": {"mouthPucker": 0.8},
        "E": {"mouthStretchLeft": 0.4, "mouthStretchRight": 0.4},
        "ih": {"mouthSmileLeft": 0.3, "mouthSmileRight": 0.3},
        "PP": {"mouthPressLeft": 0.3, "mouthPressRight": 0.3, "mouthRollUpper": 0.3},
        "FF": {"mouthRollLower": 0.6},
        "SS": {"mouthLowerDownLeft": 0.2, "mouthLowerDownRight": 0.2},
        "TH": {"tongueOut": 1.0},
    }
)
#: VRM's vowel -> the ARKit shapes of which it is made, likewise.
VOWEL_RECIPES: Mapping[str, Mapping[str, float]] = MappingProxyType(
    {
        "aa": VISEME_RECIPES["aa"],
        "ih": VISEME_RECIPES["ih"],
        "ou": VISEME_RECIPES["ou"],
        "ee": VISEME_RECIPES["E"],
        "oh": VISEME_RECIPES["oh"],
    }
)
#: VRM's vowel -> the visemes of which it is made, for curves of visemes.
VOWEL_VISEMES: Mapping[str, Mapping[str, float]] = MappingProxyType(
    {
        "aa": {"aa": 1.0, "kk": 0.3, "TH": 0.2},
        "ih": {"ih": 1.0, "SS": 0.4, "DD": 0.3, "nn": 0.3},
        "ou": {"ou": 1.0, "CH": 0.4, "RR": 0.4},
        "ee": {"E": 1.0},
        "oh": {"oh": 1.0},
    }
)
#: VRM's blinks, the first that a head has.
BLINKS: Mapping[str, Mapping[str, float]] = MappingProxyType(
    {"blinkLeft": {"eyeBlinkLeft": 1.0}, "blinkRight": {"eyeBlinkRight": 1.0}}
)
BOTH_BLINK = MappingProxyType({"eyeBlinkLeft": 0.5, "eyeBlinkRight": 0.5})
#: Preset of VRM 0.x -> of VRM 1.0.
OLD_PRESETS = MappingProxyType(
    {"a": "aa", "i": "ih", "u": "ou", "e": "ee", "o": "oh", "blink": "blink", "blink_l": "blinkLeft",
     "blink_r": "blinkRight", "neutral": "neutral", "joy": "happy", "angry": "angry", "sorrow": "sad", "fun": "relaxed",
     "lookup": "lookUp", "lookdown": "lookDown", "lookleft": "lookLeft", "lookright": "lookRight"}
)  # fmt: skip
#: Largest gain of a mapping file, and shapes that it may give one control.
LARGEST_GAIN = 10.0


@dataclass(frozen=True)
class Bind:
    """A morph target and its weight where its control is 1. mesh, target: indices in the document."""

    mesh: int
    target: int
    gain: float


@dataclass(frozen=True)
class Control:
    """What a head can be told, under the head's own name for it.

    Args:
        name: of the morph target or the expression.
        binds: the morph targets that it moves.
        recipe: ARKit name -> gain; the control is the sum of gain times curve.
        visemes: viseme (`VISEMES`) -> gain, for curves of visemes in place of `recipe`; empty for other controls.
    """

    name: str
    binds: tuple[Bind, ...]
    recipe: Mapping[str, float]
    visemes: Mapping[str, float] = field(default_factory=dict)


def find_controls(file: GltfFile, mapping: Path | Mapping[str, Any] | None = None) -> tuple[Control, ...]:
    """Match a head's own shapes with ARKit's.

    In this order: the mapping; exact ARKit names of expressions and morph targets, in camelCase or PascalCase; if no
    shape opens the jaw, visemes of Oculus, else VRM's vowels; VRM's blinks if the head has no ARKit blink.

    Args:
        file: the head.
        mapping: a JSON file, or its content: own name -> ARKit name, or -> {ARKit name: gain}.

    Returns:
        The controls, in the document's order.

    Raises:
        HeadError: a mapping with unknown names, or a head of whose shapes none is known.
    """
    own = own_shapes(file)
    recipes = {} if mapping is None else _mapped(_mapping(mapping), own, file.name)
    free = {name: binds for name, binds in own.items() if name not in recipes}
    driven = {shape for recipe in recipes.values() for shape in recipe}
    for name in (*ARKIT_NAMES, *PASCAL_NAMES):
        shape = PASCAL_NAMES.get(name, name)
        if name in free and shape not in driven:
            recipes[name] = {shape: 1.0}
            driven.add(shape)
    visemes: dict[str, Mapping[str, float]] = {}
    if "jawOpen" not in driven:
        spoken = {name: VISEME_NAMES[name] for name in free if name in VISEME_NAMES}
        for name, viseme in spoken.items():
            recipes[name], visemes[name] = _rest(VISEME_RECIPES.get(viseme, {}), driven), {viseme: 1.0}
        if not spoken and _has_vrm(file):
            for name in VOWEL_RECIPES.keys() & free.keys():
                recipes[name], visemes[name] = _rest(VOWEL_RECIPES[name], driven), VOWEL_VISEMES[name]
    if _has_vrm(file) and not {"eyeBlinkLeft", "eyeBlinkRight"} & driven:
        sides = {name: recipe for name, recipe in BLINKS.items() if name in free}
        recipes.update(sides or ({"blink": BOTH_BLINK} if "blink" in free else {}))
    if not any(recipes.values()):
        raise HeadError(_unknown(file, own))
    return tuple(
        Control(name, binds, MappingProxyType(dict(recipes[name])), MappingProxyType(dict(visemes.get(name, {}))))
        for name, binds in own.items()
        if name in recipes
    )


def own_shapes(file: GltfFile) -> dict[str, tuple[Bind, ...]]:
    """Return what a head can be told: name of each expression and morph target -> what it moves.

    Morph targets of one name in several meshes are one. An expression hides a morph target of its name.
    """
    names = [mesh_targets(file, mesh) for mesh in range(len(file.listed("meshes")))]
    expressions = _expressions(file, names)
    targets: dict[str, list[Bind]] = {}
    for mesh, each in enumerate(names):
        for target, name in enumerate(each):
            if name:
                targets.setdefault(name, []).append(Bind(mesh, target, 1.0))
    return {**{name: tuple(binds) for name, binds in targets.items()}, **expressions}


def _rest(recipe: Mapping[str, float], driven: set[str]) -> dict[str, float]:
    """The part of a recipe whose shapes the head has not under their own names."""
    return {shape: gain for shape, gain in recipe.items() if shape not in driven}


def _has_vrm(file: GltfFile) -> bool:
    return isinstance(file.document.get("extensions"), dict) and bool(
        {"VRM", "VRMC_vrm"} & file.document["extensions"].keys()
    )


def _expressions(file: GltfFile, names: list[tuple[str, ...]]) -> dict[str, tuple[Bind, ...]]:
    """Name of each VRM expression that binds morph targets -> its binds."""
    extensions = file.document.get("extensions")
    if not isinstance(extensions, dict):
        return {}
    try:
        if "VRMC_vrm" in extensions:
            groups = extensions["VRMC_vrm"].get("expressions", {})
            each = [*groups.get("custom", {}).items(), *groups.get("preset", {}).items()]
            bound = [(str(name), one.get("morphTargetBinds", []), 1.0, True) for name, one in each]
        elif "VRM" in extensions:
            master = extensions["VRM"].get("blendShapeMaster", {})
            each = [(_old_name(one), one) for one in master.get("blendShapeGroups", [])]
            bound = [(name, one.get("binds", []), 0.01, False) for name, one in each]
        else:
            return {}
        return {
            name: tuple(_bind(file, names, one, gain, by_node) for one in binds)
            for name, binds, gain, by_node in bound
            if name and binds
        }
    except (AttributeError, TypeError, LookupError, ValueError, OverflowError):
        raise GltfError(f"The expressions of {file.name} are not as VRM has them; {REMEDY}.") from None


def _old_name(group: Mapping[str, Any]) -> str:
    preset = str(group.get("presetName", "")).lower()
    return OLD_PRESETS.get(preset) or str(group.get("name", ""))


def _bind(file: GltfFile, names: list[tuple[str, ...]], bind: Mapping[str, Any], unit: float, by_node: bool) -> Bind:
    mesh: Any = file.entry("nodes", bind["node"]).get("mesh") if by_node else bind["mesh"]
    target, gain = bind["index"], float(bind.get("weight", 1 / unit)) * unit
    file.entry("meshes", mesh)
    if type(target) is not int or not 0 <= target < len(names[mesh]) or not abs(gain) <= LARGEST_GAIN:
        raise ValueError
    return Bind(mesh, target, gain)


def _mapping(source: Path | Mapping[str, Any]) -> Mapping[str, Any]:
    if isinstance(source, Mapping):
        return source
    name = shown_name(Path(source))
    try:
        values = read_json(Path(source))
    except (OSError, ValueError):
        raise HeadError(f'{name} is not a readable mapping; write JSON like {{"mouth_open": "jawOpen"}}.') from None
    if not isinstance(values, dict):
        raise HeadError(f'{name} is no mapping of names; write JSON like {{"mouth_open": "jawOpen"}}.')
    return values


def _mapped(mapping: Mapping[str, Any], own: Mapping[str, object], name: str) -> dict[str, Mapping[str, float]]:
    recipes: dict[str, Mapping[str, float]] = {}
    for key, value in mapping.items():
        if key not in own:
            raise HeadError(f"The mapping names {_quoted(key)}, but the shapes of {name} are {_listed(own)}.")
        recipe = {value: 1.0} if isinstance(value, str) else value
        if not isinstance(recipe, Mapping) or not recipe:
            raise HeadError(f'The mapping gives {_quoted(key)} no shape; write "jawOpen" or {{"jawOpen": 0.8}}.')
        for shape, gain in recipe.items():
            if shape not in ARKIT_NAMES:
                raise HeadError(f"The mapping names {_quoted(shape)}, {_near(shape)} {_listed(ARKIT_NAMES, 60)}.")
            if isinstance(gain, bool) or not isinstance(gain, (int, float)) or not abs(gain) <= LARGEST_GAIN:
                raise HeadError(f"The gain of {shape} for {_quoted(key)} is no number from -10 to 10; mend it.")
        recipes[key] = {shape: float(gain) for shape, gain in recipe.items()}
    return recipes


def _near(shape: str) -> str:
    found = difflib.get_close_matches(str(shape)[:60], ARKIT_NAMES, 1)
    return f"which may mean {found[0]}; ARKit's names are" if found else "but ARKit's names are"


def _unknown(file: GltfFile, own: Mapping[str, object]) -> str:
    if not own:
        return (
            f"{file.name} has no named morph targets, so curves cannot move it; export the head with its blendshapes "
            "(shape keys)."
        )
    return (
        f"The shapes of {file.name} are {_listed(own)}; none is a name of ARKit, Oculus or VRM, so give a mapping file "
        'such as {"mouth_open": "jawOpen"}.'
    )


def _quoted(name: object) -> str:
    return repr("".join(c for c in str(name)[:40] if c.isprintable() and c not in "<>&\"'`"))


def _listed(names: Mapping[str, object] | tuple[str, ...], most: int = 40) -> str:
    plain = ["".join(c for c in name[:40] if c.isprintable() and c not in "<>&\"'`") for name in names]
    return ", ".join(plain[:most]) + (", ..." if len(plain) > most else "")
