"""Slots: which of the faces just found is which of the faces known."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from kfx.canonical import RIGID
from kfx.tracking import pose as poses
from kfx.types import MAX_FACES, Landmarks

GATE_IOD = 1.6  # a face moves at most so far between two frames, beyond its predicted place
GATE_GROWTH_IOD_S = 6.0  # and so much farther for each second it was out of sight
MEMORY_S = 4.0  # a slot is kept for its performer for so long
SHAPE_SCALE = 0.06  # iod: typical difference of shape between two people
SAME_SHAPE = 0.8  # a lost performer may come back anywhere with a shape difference below this

_RIGID = np.array(RIGID)


@dataclass
class Sighting:
    """One face found in one frame."""

    landmarks: Landmarks
    pose: npt.NDArray[np.float32]
    iod: float

    @classmethod
    def of(cls, landmarks: Landmarks) -> Sighting:
        pose = poses.fit(landmarks)
        return cls(landmarks, pose, poses.scale(pose))

    @property
    def centre(self) -> npt.NDArray[np.float32]:
        return self.landmarks[_RIGID, :2].mean(axis=0)

    @property
    def shape(self) -> npt.NDArray[np.float32]:
        """Pose-free positions of the rigid points, x and y in iod."""
        return poses.to_canonical(self.pose, self.landmarks[_RIGID])[:, :2]


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

    def predicted(self, time: float) -> npt.NDArray[np.float32]:
        """Where the face should be at `time`; the motion dies away within 0.3 s of a loss."""
        ahead = min(max(0.0, time - self.seen), 0.3)
        return self.last.centre + self.velocity * np.float32(ahead)

    def cost(self, sighting: Sighting, time: float) -> float:
        """0 = certainly the same, above 2 = impossible."""
        unit = max(1.0, (self.last.iod + sighting.iod) / 2)
        away = float(np.linalg.norm(sighting.centre - self.predicted(time))) / unit
        gate = GATE_IOD + GATE_GROWTH_IOD_S * (time - self.seen)
        size = abs(float(np.log(max(sighting.iod, 1.0) / max(self.last.iod, 1.0))))
        difference = float(np.sqrt(((sighting.shape - self.shape) ** 2).sum(axis=1).mean()))
        shape = difference / SHAPE_SCALE
        if away > gate or size > 0.7:
            return shape + 1.0 if self.lost and shape < SAME_SHAPE else 9.0
        return away / gate + 0.35 * min(shape, 2.0) + 0.5 * size

    def update(self, sighting: Sighting, time: float) -> None:
        dt = time - self.seen
        if 0 < dt < 0.2:
            measured = (sighting.centre - self.last.centre) / np.float32(dt)
            self.velocity = 0.5 * self.velocity + 0.5 * measured
        else:
            self.velocity = np.zeros(2, np.float32)
        self.shape = self.shape + np.float32(0.05) * (sighting.shape - self.shape)
        self.last, self.seen, self.lost = sighting, time, False
        self.age += 1


class Identity:
    """Keeps the tracks of up to `max_faces` performers."""

    def __init__(self, max_faces: int = MAX_FACES) -> None:
        self.max_faces = max_faces
        self.tracks: dict[int, Track] = {}

    def reset(self) -> None:
        self.tracks.clear()

    def assign(self, sightings: list[Sighting], time: float) -> dict[int, Sighting]:
        """Slot → sighting. Cheapest pairs first; what is left over takes the lowest free slot."""
        for slot in [s for s, t in self.tracks.items() if time - t.seen > MEMORY_S]:
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
                track.lost = True
        return found

    def _free_slot(self, found: dict[int, Sighting]) -> int | None:
        empty = [s for s in range(self.max_faces) if s not in self.tracks]
        if empty:
            return empty[0]
        away = [t for s, t in self.tracks.items() if s not in found]
        return min(away, key=lambda t: t.seen).slot if away else None
