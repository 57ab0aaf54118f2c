"""Draws the picture of a tick whatever happens: by the chain, or the clean plate in its place."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Protocol

import cv2
import numpy as np

from kfx import clock
from kfx.engine.look.autobypass import AutoBypass
from kfx.engine.loop.watch import Watch
from kfx.engine.stats import Stats
from kfx.types import Face, Pixels, Tick, freeze

SLOW_PERIODS = 3.0  # frame periods a chain may take before it is too slow to be shown
LEAST_BUDGET_S = 0.1
EFFECTS = "effects"  # what news are about


def budget_s(period_s: float) -> float:
    """How long a picture may take before something must go, s."""
    return max(SLOW_PERIODS * period_s, LEAST_BUDGET_S)


class Draws(Protocol):
    """What is needed of a `Chain`."""

    size: tuple[int, int]

    def render(self, tick: Tick) -> Pixels: ...

    def reset(self) -> None: ...

    def news(self) -> Iterable[str]: ...


class Picture:
    """`draw` never fails. `chains` are the same look at falling sizes; `level` chooses one."""

    def __init__(
        self,
        chains: Sequence[Draws],
        stats: Stats,
        *,
        period_s: float,
        now: Callable[[], float] = clock.now,
    ) -> None:
        self.level = 0
        self.busy = False  # the last picture took longer than it will: a look is being compiled
        self._chains = tuple(chains)
        self._stats, self._now = stats, now
        self._watch = Watch(budget_s(period_s))
        self._other = False  # the chain was on its way to another look
        self._why = ""  # they are bypassed, as it was told
        self._used: Draws | None = None  # the chain of the last picture, None after a pause
        stats.state["effects"] = "ok"

    def draw(self, tick: Tick) -> Pixels:
        """The finished picture of `tick`, or its plate."""
        started = self._now()
        paused = self._watch.paused
        chain = self._chains[min(self.level, len(self._chains) - 1)]
        was_other, self._other = self._other, not getattr(chain, "idle", True)
        self.busy = self._other
        if was_other and not self._other:  # another look: what the last one did isn't its fault
            self._watch = Watch(self._watch.budget_s)
        waits = self.busy or not getattr(chain, "settled", True)
        compiled = getattr(chain, "compiled", 0)
        care = getattr(chain, "care", None)
        single = care if isinstance(care, AutoBypass) else None
        if not self._watch.allows(started) and not waits:
            return tick.frame.pixels
        try:
            if chain is not self._used:
                chain.reset()
            pixels = self._drawn(chain, tick)
            self._used = chain
            for text in getattr(chain, "news", list)():  # nets tell of themselves
                self._stats.warn(text)
        except Exception as error:  # whatever it is, the picture goes on
            self._used = None
            if single:
                single.judge(None)
            self._bypass(self._watch.bad(self._now()), str(error) or repr(error))
            return tick.frame.pixels
        took = self._now() - started
        self._other = self._other or not getattr(chain, "idle", True)
        self.busy = self._other or getattr(chain, "compiled", 0) != compiled
        # A link that is to blame goes alone; all go where the time is lost between them.
        blamed = single.judge(None if self.busy else took) if single else False
        if not self.busy and not blamed and self._watch.took(took, self._now()):
            self._used = None
            over = f"slower than {1000 * self._watch.budget_s:.0f} ms five frames running"
            self._bypass(True, over)
        else:
            self._why = ""
            if paused:
                self._stats.warn("effects are back", about=EFFECTS)
        if not self._watch.paused:
            out = ", ".join(single.left_out) if single else ""
            self._stats.state["effects"] = f"{out} left out; trying again later" if out else "ok"
        return pixels

    def rest(self) -> None:
        """Other pictures are shown for a while: what effects remember is of no use after it."""
        self._used = None

    def _bypass(self, for_long: bool, why: str) -> None:
        self._stats.drop("render.bypassed")
        if why != self._why:  # a trial that ends as before is no news
            self._stats.warn(f"effects bypassed: {why}; tried again later", about=EFFECTS)
        self._why = why
        if for_long:
            self._stats.state["effects"] = "bypassed; trying again later"

    def _drawn(self, chain: Draws, tick: Tick) -> Pixels:
        height, width = tick.frame.pixels.shape[:2]
        if chain.size == (width, height):
            return chain.render(tick)
        drawn = np.ascontiguousarray(chain.render(scaled(tick, chain.size)))
        return freeze(cv2.resize(drawn, (width, height), interpolation=cv2.INTER_LINEAR))


def scaled(tick: Tick, size: tuple[int, int]) -> Tick:
    """A tick for a smaller picture: plate, faces and hands brought to `size`."""
    height, width = tick.frame.pixels.shape[:2]
    x, y = np.float32(size[0] / width), np.float32(size[1] / height)
    small = cv2.resize(tick.frame.pixels, size, interpolation=cv2.INTER_LINEAR)
    frame = replace(tick.frame, pixels=freeze(small), truth=None)
    faces = tuple(_scaled_face(face, x, y) for face in tick.faces)
    hands = tuple(freeze(hand * np.array((x, y), np.float32)) for hand in tick.hands)
    return replace(tick, frame=frame, faces=faces, hands=hands)


def _scaled_face(face: Face, x: np.float32, y: np.float32) -> Face:
    # Sizes keep their shape to within half a pixel, so that one scale does for depth and iod.
    scale = np.array((x, y, (x + y) / 2), np.float32)
    pose = face.pose.copy()
    pose[:3] *= scale[:, None]
    return replace(
        face,
        landmarks=freeze(face.landmarks * scale),
        pose=freeze(pose),
        iod=float(face.iod * scale[2]),
    )
