"""Slots: which of the faces just found is which of the faces known."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cache

import numpy as np
import numpy.typing as npt

from kfx import assets
from kfx.canonical import RIGID
from kfx.errors import UsageError
from kfx.tracking import pose as poses
from kfx.tracking.shape import Shape
from kfx.types import MAX_FACES, Landmarks

GATE_IOD = 1.6  # a face moves at most so far between two frames, beyond its predicted place
GATE_GROWTH_IOD_S = 6.0  # and so much farther for each second it was out of sight
MEMORY_S = 4.0  # a slot is kept for its performer for so long
SAME_SHAPE = 0.64  # a lost performer may come back anywhere with a shape difference below this: so
# near to itself are 83 % of single sightings of people kept out of training, 2 % of others'
CUT_SHAPE = 0.85  # the same in the frame after a cut: 94 % and 12 %, but the likest comes first
CUT_S = 0.3  # for so long after a cut a finder may still be looking for them
UNMOVED_IOD, UNMOVED_SIZE = 0.3, 0.15  # who is still where they were saw a flash and no cut
SECOND_LOOKS = 10  # sightings in which somebody new may still turn out to be one who was lost
HIDDEN_S = 1.0  # who is gone for no longer was behind somebody: the shape rules nobody out
SEARCH_S = 1.0  # for so long the place where a lost performer is expected grows
FRONTAL = 0.94  # cosine of the turn up to which a face shows its shape truly

_RIGID = np.array(RIGID)
_MEAN = np.full(len(RIGID), 1 / len(RIGID), np.float32)


@dataclass
class Sighting:
    """One face found in one frame."""

    landmarks: Landmarks
    pose: npt.NDArray[np.float32]
    iod: float
    _centre: npt.NDArray[np.float32] | None = field(default=None, repr=False)
    _shape: npt.NDArray[np.float32] | None = field(default=None, repr=False)

    @classmethod
    def of(cls, landmarks: Landmarks) -> Sighting:
        pose = poses.fit(landmarks)
        return cls(landmarks, pose, poses.scale(pose))

    @property
    def centre(self) -> npt.NDArray[np.float32]:
        if self._centre is None:
            self._centre = _MEAN @ self.landmarks[_RIGID, :2]
        return self._centre

    @property
    def shape(self) -> npt.NDArray[np.float32]:
        """Numbers that tell the face from others; those of two people differ by 1 in length."""
        if self._shape is None:
            self._shape = self.plain.ravel() @ _weights()
        return self._shape

    @property
    def plain(self) -> npt.NDArray[np.float32]:
        """(n, 2) pose-free positions of the rigid points, x and y in iod."""
        return poses.to_canonical(self.pose, self.landmarks[_RIGID])[:, :2]

    @property
    def frontal(self) -> bool:
        """Whether the face looks about at the camera."""
        return bool(self.pose[2, 2] > FRONTAL * self.iod)


@cache
def _weights() -> npt.NDArray[np.float32]:
    """How much each part of a shape tells about who it is: see ``models/training/identity.py``."""
    with np.load(assets.folder("models") / "identity.npz") as data:
        weights: npt.NDArray[np.float32] = data["weights"]
    return weights


@dataclass
class Track:
    """What is remembered of the performer in one slot."""

    slot: int
    last: Sighting
    seen: float  # time of the last sighting, s
    shape: npt.NDArray[np.float32]
    velocity: npt.NDArray[np.float32] = field(default_factory=lambda: np.zeros(2, np.float32))
    age: int = 0
    lost: bool = False
    size: float = 0.0  # iod in pixels, slowly: a face half hidden is often found far too small
    away: bool = False  # cut away: nothing but the shape of the face tells who it is
    cut: bool = False  # that was just now
    head: Shape = field(default_factory=Shape)  # learned by the tracker

    def predicted(self, time: float) -> npt.NDArray[np.float32]:
        """Where the face should be at `time`; the motion dies away within 0.3 s of a loss."""
        ahead = min(max(0.0, time - self.seen), 0.3)
        return self.last.centre + self.velocity * np.float32(ahead)

    def cost(self, sighting: Sighting, time: float) -> float:
        """0 = certainly the same, above 2 = impossible."""
        if time - self.seen > MEMORY_S or (self.away and not self.cut):
            return self._by_shape(sighting)
        unit = max(1.0, (self.size + sighting.iod) / 2)
        away = math.hypot(*(sighting.centre - self.predicted(time)).tolist()) / unit
        if self.cut:
            return self._over_cut(sighting, away)
        gate = GATE_IOD + GATE_GROWTH_IOD_S * min(SEARCH_S, time - self.seen)
        size = abs(math.log(max(sighting.iod, 1.0) / max(self.size, 1.0)))
        shape = self.unlike(sighting)
        if away > gate or size > 0.7:
            return self._by_shape(sighting) if self.lost else 9.0
        # The longer out of sight, the less the place says and the more the face does.
        doubt = min(1.0, max(0.0, time - self.seen - HIDDEN_S))
        place, looks = 1.0 - 0.8 * doubt, 0.2 + 1.4 * doubt
        return place * away / gate + looks * min(shape, 2.0) + 0.5 * size

    def _over_cut(self, sighting: Sighting, away: float) -> float:
        shape = self.unlike(sighting)
        size = abs(math.log(max(sighting.iod, 1.0) / max(self.size, 1.0)))
        if shape >= CUT_SHAPE:
            return 9.0
        return shape if away < UNMOVED_IOD and size < UNMOVED_SIZE else shape + 1.0

    def _by_shape(self, sighting: Sighting) -> float:
        shape = self.unlike(sighting)
        return shape + 1.0 if shape < SAME_SHAPE else 9.0

    def unlike(self, sighting: Sighting) -> float:
        """Difference of face shape: 0 the same, 1 as between two people."""
        away = sighting.shape - self.shape
        return math.sqrt(float(away @ away))

    def update(self, sighting: Sighting, time: float) -> None:
        dt = time - self.seen
        if 0 < dt < 0.2 and not self.away:
            measured = (sighting.centre - self.last.centre) / np.float32(dt)
            self.velocity = 0.5 * self.velocity + 0.5 * measured
        else:
            self.velocity = np.zeros(2, np.float32)
        # A turned face shows less of its shape: it teaches less.
        rate = np.float32(0.05 if sighting.frontal else 0.01)
        self.shape = self.shape + rate * (sighting.shape - self.shape)
        fresh = self.away or self.size <= 0
        self.size = sighting.iod if fresh else self.size + 0.08 * (sighting.iod - self.size)
        self.last, self.seen = sighting, time
        self.lost = self.away = self.cut = False
        self.age += 1


class Identity:
    """Keeps the tracks of up to `max_faces` performers.

    A pinned slot is kept for its performer however long they are away, over cuts as well: they
    come back to it by the shape of their face, and no stranger gets it.
    """

    def __init__(self, max_faces: int = MAX_FACES) -> None:
        self.max_faces = max_faces
        self.tracks: dict[int, Track] = {}
        self.names: dict[int, str] = {}
        self.renamed: dict[int, int] = {}  # slot → the one that its face has from this frame on

    def reset(self) -> None:
        """Another take: who isn't pinned is forgotten, who is may be anywhere."""
        self.tracks = {slot: t for slot, t in self.tracks.items() if slot in self.names}
        for track in self.tracks.values():
            track.lost = track.away = True

    def cut(self) -> None:
        """Another shot of the same take: everybody may be anywhere."""
        for track in self.tracks.values():
            track.lost = track.away = track.cut = True

    def pin(self, slot: int, name: str) -> None:
        """Name `slot` and keep it for who is in it now, or for the next new face if nobody is.

        Raises `UsageError` for a slot that isn't there or a name that another slot has.
        """
        if not 0 <= slot < self.max_faces:
            raise UsageError(f"slot {slot} ({name!r}): there are slots 0..{self.max_faces - 1}")
        if name in (n for s, n in self.names.items() if s != slot):
            raise UsageError(f"slot {slot}: {name!r} is another slot's name; unpin that one first")
        self.names[slot] = name

    def unpin(self, slot: int) -> None:
        self.names.pop(slot, None)

    def assign(self, sightings: list[Sighting], time: float) -> dict[int, Sighting]:
        """Slot → sighting. Cheapest pairs first; what is left over takes the lowest free slot."""
        for slot in [s for s, t in self.tracks.items() if self._forgets(t, time)]:
            del self.tracks[slot]
        pairs = sorted(
            (track.cost(sighting, time), slot, i)
            for slot, track in self.tracks.items()
            for i, sighting in enumerate(sightings)
        )
        found: dict[int, Sighting] = {}
        taken: set[int] = set()
        for cost, slot, i in pairs:
            if cost < 2.0 and slot not in found and i not in taken:
                found[slot] = sightings[i]
                taken.add(i)
        self._untangle(found, time)
        self._know_again(found)
        # New faces: largest first, so that the lead of a wide shot gets the first slot.
        new = sorted(set(range(len(sightings))) - taken, key=lambda i: -sightings[i].iod)
        for i in new:
            slot = self._free_slot(found)
            if slot is None:
                break
            self.tracks[slot] = Track(slot, sightings[i], time, sightings[i].shape)
            found[slot] = sightings[i]
        for slot, track in self.tracks.items():
            if slot in found:
                track.update(found[slot], time)
            else:
                track.lost, track.cut = True, track.cut and time - track.seen < CUT_S
        return found

    def _forgets(self, track: Track, time: float) -> bool:
        return track.slot not in self.names and time - track.seen > MEMORY_S

    def _untangle(self, found: dict[int, Sighting], time: float) -> None:
        """Exchange pairs while that makes the whole likelier: the cheapest pair may cost others."""
        slots = sorted(found)
        for a, b in [(a, b) for a in slots for b in slots if a < b]:
            one, two = self.tracks[a], self.tracks[b]
            kept = one.cost(found[a], time) + two.cost(found[b], time)
            crossed = (one.cost(found[b], time), two.cost(found[a], time))
            if max(crossed) < 2.0 and sum(crossed) < kept:
                found[a], found[b] = found[b], found[a]

    def _know_again(self, found: dict[int, Sighting]) -> None:
        """Give those who came as strangers the slots of whom they turn out to be."""
        self.renamed.clear()
        lost = [t for slot, t in self.tracks.items() if slot not in found and t.lost]
        for slot in sorted(found):
            if not lost or slot in self.names or self.tracks[slot].age > SECOND_LOOKS:
                continue
            likest = min(lost, key=lambda track: track.unlike(found[slot]))
            if likest.unlike(found[slot]) < SAME_SHAPE and likest.age > SECOND_LOOKS:
                lost.remove(likest)
                found[likest.slot] = found.pop(slot)
                del self.tracks[slot]
                self.renamed[slot] = likest.slot

    def _free_slot(self, found: dict[int, Sighting]) -> int | None:
        empty = [s for s in range(self.max_faces) if s not in self.tracks]
        if empty:
            return empty[0]
        away = [t for s, t in self.tracks.items() if s not in found and s not in self.names]
        return min(away, key=lambda t: t.seen).slot if away else None
