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
