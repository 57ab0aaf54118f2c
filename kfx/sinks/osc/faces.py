"""Which faces go out, mirrored if wanted, and which are said to be lost."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from fractions import Fraction
from types import MappingProxyType

import numpy as np

from kfx.arkit import other_side
from kfx.canonical import canonical
from kfx.types import Face, Frame

FARTHEST_PX = 1e6  # no landmark lies farther away, in or out of the picture
REPEAT_S = 0.5  # how often a lost face is said to be lost: a datagram may get lost as well


@dataclass(frozen=True, slots=True)
class Moment:
    """What a format turns into datagrams: one frame's faces and their time."""

    frame: Frame
    faces: tuple[Face, ...]  # lowest slot first; `whole`
    size: tuple[int, int]  # width, height of the frame in pixels
    tag: int  # NTP time of the capture
    rate: Fraction  # nominal frames a second of the stream


def whole(faces: Iterable[Face]) -> tuple[Face, ...]:
    """The faces that a picture can hold: any other is as good as lost."""
    # NaN is less than nothing, so it fails as well.
    return tuple(
        face
        for face in faces
        if np.abs(face.landmarks).max() < FARTHEST_PX
        and np.abs(face.pose).max() < FARTHEST_PX
        and math.isfinite(face.iod + face.presence)
    )


def mirrored(face: Face, width: int) -> Face:
    """The face as a mirror shows it: its left is its right, in the picture and by name."""
    points = face.landmarks[canonical().mirror]
    points[:, 0] = width - points[:, 0]
    pose = face.pose.copy()
    pose[0, :3] *= -1
    pose[:3, 0] *= -1
    pose[0, 3] = width - pose[0, 3]
    shapes = {other_side(name): value for name, value in face.blendshapes.items()}
    return replace(face, landmarks=points, pose=pose, blendshapes=MappingProxyType(shapes))


@dataclass
class Lead:
    """The one face of a format that knows one: the same performer until they are lost."""

    slot: int | None = None

    def of(self, faces: tuple[Face, ...]) -> Face | None:
        """The face found in the slot followed, or else the lowest slot found, or None."""
        found = {face.slot: face for face in faces if face.found}
        if self.slot not in found:
            self.slot = min(found, default=self.slot)
        return found.get(self.slot) if self.slot is not None else None


@dataclass
class Losses:
    """Says which slots to report as lost: at once, then every `REPEAT_S` until they return."""

    _known: set[int] = field(default_factory=set)
    _said: dict[int, float] = field(default_factory=dict)  # slot → when its loss was last told

    def due(self, present: set[int], now_s: float) -> list[int]:
        for slot in present:
            self._said.pop(slot, None)
        for slot in self._known - present:
            self._said[slot] = -math.inf
        self._known = set(present)
        due = sorted(slot for slot, at in self._said.items() if now_s - at >= REPEAT_S)
        for slot in due:
            self._said[slot] = now_s
        return due
