"""The contract of a motion effect."""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import TYPE_CHECKING, Any

from kfx import params
from kfx.types import Face, Landmarks, Tick

if TYPE_CHECKING:
    from kfx.render.still import Scene


class Motion:
    """Moves a face: `drive` says where its landmarks should be.

    Must: be a pure function of what it was given since `reset` (no clock, no unseeded chance);
    never write into its input; keep state per `face.slot`; drop it when the tick's `dt` is 0.
    Should: stay under 0.3 ms a face, NumPy only. Guaranteed by the chain: `mix` and presence
    are applied to the result, openings are kept believable, the picture is resampled once.

    An effect that makes a performer act otherwise than they did declares `reenact`; one that
    moves a person's likeness onto another declares `likeness`. Labels and consent go by it.

    An effect that shows a picture of the past declares `holds` and answers `hold`, asked once a
    tick before any `drive`. The faces of the scene it returns are then shown from their stills:
    `drive` places them in the frame, and `mix` is how opaque the scene is.
    """

    holds = False
    reenact = False
    likeness = False
    mix = params.MIX
    seed = params.SEED

    def __init__(self, values: Mapping[str, Any] | None = None) -> None:
        for name, value in (values or {}).items():
            setattr(self, name, value)

    def drive(self, face: Face, tick: Tick) -> Landmarks:
        """The (478, 3) landmarks to show, in pixels of the frame."""
        raise NotImplementedError

    def hold(self, tick: Tick) -> Scene | None:
        """The stills to show at this tick, None for the live picture."""
        return None

    def stage(self, scene: Scene | None, tick: Tick, slots: Set[int]) -> Scene | None:
        """What effects before this one hold, as this one wants it set, asked after every `hold`.

        `slots` are the faces it is meant for. It may give the live frame as a scene of its own
        (`whole`, with every face of the tick), which lets lips open on what isn't in the plate.
        An effect that does so declares `holds`.
        """
        return scene

    def reset(self) -> None:
        """Forget everything: a cut."""
