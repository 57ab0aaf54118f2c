"""The names of ARKit's 52 blendshapes in the order of Live Link Face.

"Left" is the performer's left: the side of positive x in canonical space.
"""

from __future__ import annotations

from collections.abc import Mapping

NAMES: tuple[str, ...] = tuple(
    """
    eyeBlinkLeft eyeLookDownLeft eyeLookInLeft eyeLookOutLeft eyeLookUpLeft eyeSquintLeft
    eyeWideLeft eyeBlinkRight eyeLookDownRight eyeLookInRight eyeLookOutRight eyeLookUpRight
    eyeSquintRight eyeWideRight jawForward jawLeft jawRight jawOpen mouthClose mouthFunnel
    mouthPucker mouthLeft mouthRight mouthSmileLeft mouthSmileRight mouthFrownLeft mouthFrownRight
    mouthDimpleLeft mouthDimpleRight mouthStretchLeft mouthStretchRight mouthRollLower
    mouthRollUpper mouthShrugLower mouthShrugUpper mouthPressLeft mouthPressRight
    mouthLowerDownLeft mouthLowerDownRight mouthUpperUpLeft mouthUpperUpRight browDownLeft
    browDownRight browInnerUp browOuterUpLeft browOuterUpRight cheekPuff cheekSquintLeft
    cheekSquintRight noseSneerLeft noseSneerRight tongueOut
    """.split()
)
"""All 52, in the order of Live Link Face's packets."""

UNSEEN: tuple[str, ...] = ("tongueOut",)
"""Landmarks don't show these: always 0."""

TAUGHT: tuple[str, ...] = tuple(sorted(set(NAMES) - set(UNSEEN)))
"""The outputs of ``models/blendshapes.onnx`` in their order."""

# fmt: off
POINTS: tuple[int, ...] = (
    0, 1, 4, 5, 6, 7, 8, 10, 13, 14, 17, 21, 33, 37, 39, 40, 46, 52, 53, 54, 55, 58, 61, 63, 65,
    66, 67, 70, 78, 80, 81, 82, 84, 87, 88, 91, 93, 95, 103, 105, 107, 109, 127, 132, 133, 136,
    144, 145, 146, 148, 149, 150, 152, 153, 154, 155, 157, 158, 159, 160, 161, 162, 163, 168, 172,
    173, 176, 178, 181, 185, 191, 195, 197, 234, 246, 249, 251, 263, 267, 269, 270, 276, 282, 283,
    284, 285, 288, 291, 293, 295, 296, 297, 300, 308, 310, 311, 312, 314, 317, 318, 321, 323, 324,
    332, 334, 336, 338, 356, 361, 362, 365, 373, 374, 375, 377, 378, 379, 380, 381, 382, 384, 385,
    386, 387, 388, 389, 390, 397, 398, 400, 402, 405, 409, 415, 454, 466, 468, 469, 470, 471, 472,
    473, 474, 475, 476, 477,
)
"""The landmarks MediaPipe's own blendshape net takes as well."""
# fmt: on


def other_side(name: str) -> str:
    """``eyeBlinkLeft`` ↔ ``eyeBlinkRight``; a name without a side stays."""
    if name.endswith("Left"):
        return name.removesuffix("Left") + "Right"
    if name.endswith("Right"):
        return name.removesuffix("Right") + "Left"
    return name


def values(blendshapes: Mapping[str, float]) -> tuple[float, ...] | None:
    """All 52 in the order of `NAMES`, 0..1, NaN as 0; None if there are none at all."""
    if not blendshapes:
        return None
    # NaN loses every comparison, so max() keeps its first argument.
    return tuple(min(1.0, max(0.0, float(blendshapes.get(name, 0.0)))) for name in NAMES)
