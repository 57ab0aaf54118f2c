"""One performer turns into the next, and so on round the cast (E10)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from kfx import canonical as c
from kfx.motion import lent, sing, worn
from kfx.motion.base import Motion
from kfx.params import Bool, File, Float
from kfx.render.still import Mouth, Scene, Still
from kfx.types import Face, Landmarks, Tick, freeze

_NO_TONE = np.ones(3, np.float32)


@dataclass(frozen=True, slots=True)
class _Morph:
    """What one face is on its way from and to; `share` (478,) how far each landmark is."""

    old: Face
    new: Face
    share: npt.NDArray[np.float32]


class MorphCycle(Motion):
    """Features and skin go over together, the mouth first; all performers must have agreed.

    Everyone in the picture goes round at once. Whose turn it is to be themselves is the plate.
    Pictures and clips beside the preset may stand in the round after them; who is in those must
    have agreed too. With `hair` what is around the face dissolves last; somebody's own hair stays
    where it reaches further.
    """

    likeness = True
    holds = True
    region = "frame"
    matte_knob = "hair"

    start = Float(0.0, 0.0, 4096.0, unit="beats", doc="beat at which the round begins")
    length = Float(4.0, 0.25, 64.0, unit="beats", doc="how long each one takes")
    stay = Float(0.4, 0.0, 0.95, doc="share of that time in which the new one stays")
    lag = Float(0.15, 0.0, 0.4, doc="how much later the forehead turns than the mouth")
    shape = Float(0.8, doc="how far the features move to where they are on the other face")
    match = Float(0.9, doc="how far light and colour are brought to those of the wearer")
    bank = Bool(False, doc="who has left the picture stays in the round, as they looked last")
    hair = Float(0.0, doc="how far hair and neck come along, by the person matte")
    hair_lag = Float(0.3, 0.0, 0.4, doc="how much later they turn than the mouth")
    file_1 = File(suffixes=lent.PICTURES + lent.CLIPS, doc="a face out of a picture or clip")
    file_2 = File(suffixes=lent.PICTURES + lent.CLIPS, doc="another one")
    file_3 = File(suffixes=lent.PICTURES + lent.CLIPS, doc="another one")
    feather = Float(0.2, 0.02, 0.4, unit="iod", doc="how softly the edge comes in")

    def __init__(self, values: dict[str, object] | None = None) -> None:
        super().__init__(values)
        self._wardrobe = worn.Wardrobe()
        self._morphs: dict[int, _Morph] = {}
        self._lenders: dict[int, tuple[str, lent.Lender]] = {}  # by slot, with the file
        self._since: float | None = None  # the time at which clips begin

    def reset(self) -> None:
        self._wardrobe.reset()
        self._morphs = {}
        self._since = None

    def hold(self, tick: Tick) -> Scene | None:
        there = self._wardrobe.see(tick)
        cast = there
        if self.bank:
            cast = {**self._wardrobe.keep(tick, there, hair=self.hair > 0.0), **there}
        cast = {**cast, **self._out_of_files(tick)}
        slots = sorted(cast)
        place = max(0.0, tick.beat - self.start) / self.length
        step = int(np.floor(place + 1e-6))
        gone = (place - step) / (1.0 - self.stay)
        gone = float(np.clip(gone, 0.0, 1.0))
        share = _over(gone, self.lag)
        late = self.hair * _smooth(gone * (1.0 + 2.0 * self.hair_lag) - 2.0 * self.hair_lag)
        self._morphs = {}
        stills: dict[int, Still] = {}
        under: dict[int, Still] = {}
        mouths: dict[int, Mouth] = {}
        for k, slot in enumerate(slots):
            if slot not in there:
                continue
            face = there[slot]
            old, new = (cast[slots[(k + step + n) % len(slots)]] for n in (0, 1))
            plate = not share.any() if old is face else new is face and share.min() == 1.0
            if old is new or plate:
                continue
            self._morphs[slot] = _Morph(old, new, share)
            # Between two others both are nearly whole in the middle: no plate shines through.
            fades = late if new is face else late * late
            under[slot] = self._still(tick, face, old, None, self.hair - fades)
            stills[slot] = self._still(tick, face, new, share, late)
            mouth = sing.cut_mouth(tick.frame.pixels, face.landmarks, _NO_TONE)
            if mouth is not None:
                mouths[slot] = mouth
        placed = {slot: there[slot] for slot in stills}
        return Scene(False, stills, placed, mouths, under=under) if stills else None

    def drive(self, face: Face, tick: Tick) -> Landmarks:
        morph, own = self._morphs.get(face.slot), self._wardrobe.rest(face.slot)
        if morph is None or own is None:
            return face.landmarks
        old, new = (self._wardrobe.rest(one.slot) for one in (morph.old, morph.new))
        if old is None or new is None:
            return face.landmarks
        share = morph.share[:, None]
        driven = worn.shaped(face, own, old + share * (new - old), self.shape)
        whole = np.float32(morph.share.mean())
        for other, weight in ((morph.old, 1.0 - whole), (morph.new, whole)):
            if other.slot != face.slot and weight > 0.0:
                shut = worn.lids_of_both(face, driven, other)
                driven = driven + np.float32(weight) * (shut - driven)
        return driven

    def _out_of_files(self, tick: Tick) -> dict[int, Face]:
        """The faces that the files show now, by slots of their own."""
        if self._since is None or tick.time < self._since:
            self._since = tick.time
        found = {}
        files = (self.file_1, self.file_2, self.file_3)
        for slot, path in zip(worn.LENT_SLOTS, files, strict=True):
            if self._lenders.get(slot, ("",))[0] != path:
                self._lenders.pop(slot, None)
                if path:
                    self._lenders[slot] = (path, lent.Lender(path, slot))
            if path:
                one = self._lenders[slot][1].at(tick.time - self._since)
                found[slot] = self._wardrobe.lend(tick, slot, one)
        return found

    def _still(
        self,
        tick: Tick,
        face: Face,
        other: Face,
        share: npt.NDArray[np.float32] | None,
        around: float,
    ) -> Still:
        cover = worn.edge(self.feather)
        if other.slot == face.slot:
            tint, around = None, 0.0
        else:
            facing = worn.facing(face, other)
            cover, around = cover * np.float32(facing), around * facing
            tint = self._wardrobe.tint(tick, face, other, self.match)
        seen = cover if share is None else cover * share
        return self._wardrobe.still(tick, other, seen, tint, around)


def _smooth(t: float) -> float:
    t = min(1.0, max(0.0, t))
    return t * t * (3.0 - 2.0 * t)


def _over(share: float, lag: float) -> npt.NDArray[np.float32]:
    """(478,) how far each landmark has gone over when the whole has by `share` 0..1."""
    t = np.clip(share * (1.0 + 2.0 * lag) - 2.0 * lag * _late(), 0.0, 1.0)
    return np.asarray(t * t * (3.0 - 2.0 * t), np.float32)


@cache
def _late() -> npt.NDArray[np.float32]:
    """(478,) 0 at the mouth, 1 on the forehead."""
    y = c.canonical().vertices[:, 1]
    mouth, top = y[13], y.min()
    return freeze(np.clip((mouth - y) / (mouth - top), 0.0, 1.0).astype(np.float32))


MOTION = MorphCycle
