"""Motion by a net that an artist brings: landmarks → landmarks, or → an expression or signals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np

from kfx.motion.base import Motion
from kfx.motion.net_player import Player, carried
from kfx.motion.reenact import Coefficients, Reenact
from kfx.neural.card import Card, coefficients_of, rests_of
from kfx.neural.session import Net
from kfx.neural.worker import Pace
from kfx.tracking.arkit import NAMES
from kfx.types import Face, Landmarks, Tick


class Played(Protocol):
    """A motion that a net makes. `open` comes before the first tick, `close` after the last."""

    card: Card
    player: Player | None

    def open(self, net: Net, pace: Pace) -> None: ...

    def close(self) -> None: ...

    def heard(self, tick: Tick) -> Mapping[str, float]:
        """What the net says of the strongest face, by the names of its numbers."""


class _OfNet(Motion):
    """What both kinds share."""

    reenact = True
    player: Player | None = None
    gain = 1.0

    def __init__(self, card: Card, values: Mapping[str, Any] | None = None) -> None:
        super().__init__(values)
        self.card = card

    def open(self, net: Net, pace: Pace) -> None:
        self.player = Player(net, pace)

    def close(self) -> None:
        if self.player is not None:
            self.player.close()

    def reset(self) -> None:
        super().reset()
        if self.player is not None:
            self.player.reset()

    def heard(self, tick: Tick) -> Mapping[str, float]:
        names = coefficients_of(self.card)
        face = max(tick.faces, key=lambda one: one.presence * one.iod, default=None)
        said = None if face is None or not names else self.said(face, tick)
        if face is None or said is None:
            return {}
        each = zip(names, said, rests_of(self.card), strict=False)
        return {
            name: (float(value) - rest) / max(1.0 - rest, 1e-3) * face.presence
            for name, value, rest in each
        }

    def said(self, face: Face, tick: Tick) -> Any:
        """What the net says of a face, None for nothing."""
        if self.player is None:
            return None
        return self.player.at(face.slot, tick, vars(self))


class Moved(_OfNet):
    """The net says where landmarks go, or gives numbers that are no face's: signals alone."""

    def drive(self, face: Face, tick: Tick) -> Landmarks:
        change = self.said(face, tick) if self.card.answer.role == "landmarks" else None
        if change is None or not np.isfinite(face.pose).all():
            return face.landmarks
        return carried(face, np.float32(self.gain) * change)


class Acted(_OfNet, Reenact):
    """The net says which expression a face shows, by ARKit's names."""

    mouth = eyes = brows = 1.0

    def opening(self, tick: Tick) -> float:
        return float(self.mouth)

    def wanted(self, face: Face, tick: Tick, own: Coefficients) -> Coefficients | None:
        said = self.said(face, tick)
        if said is None:
            return None
        rests = rests_of(self.card)
        result = dict(own)
        for name, value, rest in zip(coefficients_of(self.card), said, rests, strict=False):
            if name not in own:
                continue
            share = {"eye": self.eyes, "bro": self.brows}.get(name[:3], self.mouth)
            goal = self.gain * (float(value) - rest) / max(1.0 - rest, 1e-3)
            result[name] = own[name] + share * (min(1.5, max(0.0, goal)) - own[name])
        return result


def made(card: Card, values: Mapping[str, Any] | None = None) -> Moved | Acted:
    """The motion effect of a card whose kind is ``landmarks``."""
    acts = card.answer.role == "coefficients" and set(coefficients_of(card)) & set(NAMES)
    return (Acted if acts else Moved)(card, values)
