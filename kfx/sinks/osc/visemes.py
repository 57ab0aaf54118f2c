"""Blendshapes under the names that avatars know: ARKit's, Perfect Sync's, or presets of VRM.

VRM has few presets, so they are mixed from ARKit's 52. The five mouths share what the jaw and the
lips do, so that they never add up to more than a wide open mouth.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from kfx.arkit import NAMES

_PLACE = {name: index for index, name in enumerate(NAMES)}
_PASCAL = tuple(name[0].upper() + name[1:] for name in NAMES)
VRM1 = {
    **{"A": "aa", "I": "ih", "U": "ou", "E": "ee", "O": "oh"},
    **{"Blink_L": "blinkLeft", "Blink_R": "blinkRight"},
    **{"Joy": "happy", "Angry": "angry", "Sorrow": "sad"},
    **{"LookUp": "lookUp", "LookDown": "lookDown"},
    **{"LookLeft": "lookLeft", "LookRight": "lookRight"},
}
"""The preset of VRM 1 for each of VRM 0 that kfx sends."""


def named(shapes: Sequence[float], names: Sequence[str]) -> Iterator[tuple[str, float]]:
    """Name and value of everything the sets `names` hold, for the 52 `shapes`."""
    for one in names:
        if one == "arkit":
            yield from zip(NAMES, shapes, strict=True)
        elif one == "perfectsync":
            yield from zip(_PASCAL, shapes, strict=True)
        else:
            for preset, value in presets(shapes).items():
                yield (preset if one == "vrm" else VRM1[preset]), value


def presets(shapes: Sequence[float]) -> dict[str, float]:
    """Presets of VRM 0, 0..1, from the 52 shapes in the order of `NAMES`."""

    def of(name: str) -> float:
        return shapes[_PLACE[name]]

    def both(name: str) -> float:
        return (of(name + "Left") + of(name + "Right")) / 2

    jaw = min(1.0, of("jawOpen") * 1.5)  # speech opens a jaw by two thirds of ARKit's range
    tight = max(of("mouthPucker"), of("mouthFunnel"))
    wide = min(1.0 - tight, max(both("mouthStretch"), both("mouthDimple")))
    mouth = {
        "A": jaw * (1 - tight - wide),
        "O": jaw * tight,
        "E": jaw * wide,
        "U": (1 - jaw) * tight,
        "I": (1 - jaw) * wide,
    }
    return {
        **mouth,
        "Blink_L": of("eyeBlinkLeft"),
        "Blink_R": of("eyeBlinkRight"),
        "Joy": both("mouthSmile"),
        "Angry": both("browDown"),
        "Sorrow": both("mouthFrown"),
        "LookUp": both("eyeLookUp"),
        "LookDown": both("eyeLookDown"),
        # The subject's left: one eye looks out, the other in.
        "LookLeft": (of("eyeLookOutLeft") + of("eyeLookInRight")) / 2,
        "LookRight": (of("eyeLookInLeft") + of("eyeLookOutRight")) / 2,
    }
