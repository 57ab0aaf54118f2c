"""The motion effects of a chain, composed: where each face is driven to, and what is held."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from kfx.engine.look.autobypass import Care, Unit
from kfx.engine.look.modulate import Values
from kfx.engine.look.routing import resolved, routed
from kfx.errors import KfxError
from kfx.motion import of_net
from kfx.motion.base import Motion
from kfx.motion.guard import believable
from kfx.presets import Link
from kfx.render.still import Scene, Still
from kfx.types import MAX_FACES, Face, Landmarks, Pixels, Tick, freeze


class Motions:
    """What `Chain` asks once a tick: `turn` with the knobs, `drive`, then `scene`."""

    def __init__(self, links: Sequence[tuple[int, Link]], care: Care) -> None:
        """`links` with their place in the chain; `care` says what becomes of their faults."""
        self._care = care
        self._all: list[tuple[int, Link, Motion]] = [
            (place, link, _made(link)) for place, link in links
        ]
        self.nets = _nets(self._all)
        self.hold = any(motion.holds for _, _, motion in self._all)
        self.pictures = self.hold or any(motion.layered for _, _, motion in self._all)
        self.plate: Pixels | None = None  # the frame of this tick
        self.lights: dict[int, npt.NDArray[np.float32]] = {}  # by slot, (478,) factors
        self._layers: dict[int, list[Still]] = {}
        self.scene: Scene | None = None  # what is held at this tick, and how opaque it is
        self.scene_mix = 1.0
        self.unit: Unit = tuple(place for place, _ in links)
        self.still = False  # all of them are left out for a while

    def __bool__(self) -> bool:
        return bool(self._all)

    def reset(self) -> None:
        for _, _, motion in self._all:
            motion.reset()

    def inherit(self, old: Motions, values: Sequence[Values]) -> None:
        """Go on with the effects of a chain of the same look, and the knobs' `values` at hand.

        What they remember is of no size: shapes of heads, shares of faces, times.
        """
        theirs = {place: motion for place, _, motion in old._all}
        ours = {place: motion for place, _, motion in self._all}
        both = theirs.keys() & ours.keys()
        self._all = [(n, link, theirs.get(n, motion)) for n, link, motion in self._all]
        old._all = [(n, link, ours.get(n, motion)) for n, link, motion in old._all]
        self.nets, old.nets = _nets(self._all), _nets(old._all)
        for place, _, motion in self._all:
            for knob, value in values[place].items() if place in both else ():
                setattr(motion, knob, value)

    @property
    def facts(self) -> list[dict[str, Any]]:
        """What a report says of each net."""
        return [net.player.facts for net in self.nets if net.player is not None]

    def news(self) -> list[str]:
        """What nets have to tell since the last call."""
        players = [net.player for net in self.nets if net.player is not None]
        return [text for player in players for text in player.news()]

    def close(self) -> None:
        for net in self.nets:
            net.close()

    def heard(self, tick: Tick, names: Mapping[int, str]) -> Tick:
        """The tick with what the nets among them say as signals ``net.NAME``."""
        said: dict[str, float] = {}
        for place, link, motion in self._all:
            if not isinstance(motion, of_net.Moved | of_net.Acted):
                continue
            if not self._care.allows((place,), motion.reset):
                continue
            with self._care.trying((place,)):
                routes = replace(tick, faces=routed(tick.faces, link.slots, names))
                said |= {f"net.{name}": value for name, value in motion.heard(routes).items()}
        return replace(tick, signals={**tick.signals, **said}) if said else tick

    def turn(self, changed: set[int], before: Sequence[Values], values: Sequence[Values]) -> None:
        """Set the knobs of the links at the `changed` places of the chain."""
        for place, _, motion in self._all:
            if place in changed:
                for knob, value in values[place].items():
                    if value != before[place].get(knob):
                        setattr(motion, knob, value)

    def drive(self, tick: Tick, names: Mapping[int, str]) -> list[tuple[Face, Landmarks]]:
        """Each face with the landmarks that all motion effects together drive it to.

        A face that is held stands where its still is shown, not where the performer is.
        """
        trying = self._care.trying
        self.plate, self.lights, self._layers = tick.frame.pixels, {}, {}
        used = [self._care.allows((place,), motion.reset) for place, _, motion in self._all]
        self.still = bool(self._all) and not any(used)
        scenes: list[Scene | None] = []
        for i, (place, link, motion) in enumerate(self._all):
            scenes.append(None)
            motion.names = names
            if not (used[i] and motion.holds):
                continue
            with trying((place,)):
                scene = motion.hold(
                    replace(tick, faces=routed(tick.faces, link.slots, names))
                    if link.slots
                    else tick
                )
                scenes[i] = scene if motion.mix != 0.0 else None
        whom = [resolved(link.slots, names) if link.slots else None for _, link, _ in self._all]
        holder = max((i for i, scene in enumerate(scenes) if scene is not None), default=-1)
        scene = scenes[holder] if holder >= 0 else None
        self.scene_mix = self._all[holder][2].mix if holder >= 0 else 1.0
        faces = {face.slot: face for face in tick.faces}
        for i in range(holder + 1, len(self._all)):
            meant = whom[i]
            place, _, motion = self._all[i]
            if used[i] and motion.holds:
                slots = frozenset(range(MAX_FACES) if meant is None else meant)
                with trying((place,)):
                    scene = motion.stage(scene, tick, slots)
        self.scene = scene
        if scene is not None and scene.whole:  # a still stays when its performer leaves
            lost = {n: replace(one, found=False) for n, one in scene.placed.items()}
            faces = {slot: faces.get(slot, face) for slot, face in lost.items()}
        driven = []
        for slot, face in sorted(faces.items()):
            held = None if scene is None else scene.placed.get(slot)
            moving = face
            for i, (place, _, motion) in enumerate(self._all):
                meant = whom[i]
                if (meant is not None and slot not in meant) or (motion.holds and motion.mix == 0):
                    continue
                if not used[i]:
                    continue
                points = moving.landmarks
                if held is not None and i == holder:
                    points = held.landmarks
                with trying((place,)):
                    points = _finite(motion.drive(moving, tick), moving.landmarks)
                if held is not None and i == holder:
                    moving = replace(moving, landmarks=points, pose=held.pose, iod=held.iod)
                    continue
                if scenes[i] is not None:  # of several stills the last is shown
                    continue
                if motion.layered or type(motion).light is not Motion.light:
                    with trying((place,)):
                        self._extras(motion, moving, _seen_in(scene, slot, tick) if held else tick)
                mixed = moving.landmarks + np.float32(motion.mix) * (points - moving.landmarks)
                moving = replace(moving, landmarks=mixed)
            points = moving.landmarks
            if held is not None:
                points = believable(held.landmarks, points, held.iod, filled=True)
                face = held
            elif self._all:
                points = face.landmarks + np.float32(face.presence) * (points - face.landmarks)
                points = believable(face.landmarks, points, face.iod)
            driven.append((face, points))
        return driven

    def layers(
        self, driven: Sequence[tuple[Face, Landmarks]]
    ) -> list[tuple[Still, Face, Landmarks]]:
        """What is laid over the faces of `driven`, far ones first."""
        if not self._layers:
            return []
        far_first = sorted(driven, key=lambda one: one[0].iod)
        return [
            (layer, face, points if layer.away is None else points + layer.away)
            for face, points in far_first
            for layer in self._layers.get(face.slot, ())
        ]

    def _extras(self, motion: Motion, face: Face, tick: Tick) -> None:
        """What a motion adds to a face beside moving it, by as much as it is mixed in."""
        mix = np.float32(motion.mix)
        light = motion.light(face, tick) if mix else None
        if light is not None and np.isfinite(light).all():
            lit = 1.0 + mix * np.float32(face.presence) * (light - 1.0)
            self.lights[face.slot] = lit * self.lights.get(face.slot, np.float32(1.0))
        for layer in motion.layers(face, tick) if motion.layered and mix else ():
            if layer.cover is not None:
                shown = replace(layer, cover=mix * layer.cover)
                self._layers.setdefault(face.slot, []).append(shown)


def _nets(links: Sequence[tuple[int, Link, Motion]]) -> list[of_net.Played]:
    return [one for _, _, one in links if isinstance(one, of_net.Moved | of_net.Acted)]


def moved(face: Face, points: Landmarks) -> Face:
    """The face as it is shown after the warp; its pose is that of the performer."""
    if points is face.landmarks:
        return face
    return replace(face, landmarks=freeze(points.astype(np.float32)))


def _made(link: Link) -> Motion:
    source, values = link.effect.source, link.values
    return of_net.made(source, values) if link.effect.kind == "net" else source(values)


def _seen_in(scene: Scene | None, slot: int, tick: Tick) -> Tick:
    """The tick as a face that is held is seen: in the picture that is shown of it."""
    still = None if scene is None else scene.stills.get(slot)
    if still is None:
        return tick
    frame = replace(tick.frame, pixels=still.pixels)
    return replace(tick, frame=frame, faces=(replace(still.face, slot=slot),))


def _finite(points: Landmarks, given: Landmarks) -> Landmarks:
    """Raises `KfxError` for what would blacken a picture, unless the face was `given` like that."""
    if not np.isfinite(points).all() and np.isfinite(given).all():
        raise KfxError("drives landmarks to where no number is finite")
    return points
