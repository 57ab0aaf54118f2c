"""The contract of a motion effect."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from kfx import params
from kfx.types import Face, Landmarks, Tick

if TYPE_CHECKING:
    from kfx.render.still import Scene, Still


class Motion:
    """Moves a face: `drive` says where its landmarks should be.

    Must: be a pure function of what it was given since `reset` (no clock, no unseeded chance);
    never write into its input; keep state per `face.slot`; drop it when the tick's `dt` is 0.
    Should: stay under 0.3 ms a face, NumPy only. Guaranteed by the chain: `mix` and presence
    are applied to the result, openings are kept believable, the picture is resampled once.

    An effect that makes a performer act otherwise than they did declares `reenact`; one that
    moves a person's likeness onto another declares `likeness`; one in which a trained net makes
    what nobody performed declares `generative` too. Labels and consent go by it.

    An effect that shows a picture of the past declares `holds` and answers `hold`, asked once a
    tick before any `drive`. The faces of the scene it returns are then shown from their stills:
    `drive` places them in the frame, and `mix` is how opaque the scene is.

    An effect may also change a face's `light`, and one that declares `layered` may lay pictures
    over it: `layers`. Both are asked after its own `drive` of that face and tick.

    `models` are the files of kfx's own nets and bases that it reads, for ``take.json``.
    `matte_knob` names the knob that, where it isn't 0, makes it read the tick's person matte.
    """

    holds = False
    layered = False
    reenact = False
    likeness = False
    generative = False
    matte_knob = ""
    models: tuple[str, ...] = ()
    mix = params.MIX
    seed = params.SEED

    names: Mapping[int, str] = MappingProxyType({})
    """Those of pinned slots, set before `hold` and `drive`."""

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

    def light(self, face: Face, tick: Tick) -> npt.NDArray[np.float32] | None:
        """(478,) factors on the colours of the face as it is drawn, 1 on its oval."""
        return None

    def layers(self, face: Face, tick: Tick) -> Sequence[Still]:
        """Pictures with a face in them to draw over this one, where all effects drive it.

        The `cover` (478,) of each says where, and how opaque.
        """
        return ()

    def reset(self) -> None:
        """Forget everything: a cut."""
