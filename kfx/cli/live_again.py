"""The look to begin with: tried beforehand, or under ``--supervise`` that of the engine before."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kfx.engine.desk.session import Session
    from kfx.engine.loop.switches import Switches
    from kfx.presets import Preset

    Begins = list[Callable[[Session], Callable[[], None]]]


def look(
    preset: Preset, switches: Switches, begins: Begins, *, cues: Sequence[Preset] = ()
) -> Preset:
    """`preset`, or the last one there was; sets the output's mode.

    What else there was comes back by `begins`, and is written down from then on. With `cues` a
    show plays these looks. Shaders that nobody has drawn are tried apart: raises `KfxError` for
    one that would hang the show.
    """
    from kfx.engine.desk import last_state
    from kfx.engine.look import proof
    from kfx.sinks.vcam_link import FOLDER_VARIABLE

    folder = os.environ.get(FOLDER_VARIABLE, "")
    left = last_state.left(folder) if folder else None
    if left is None:
        for one in cues or (preset,):
            proof.prove(one)
    else:
        proof.trust(left.proven)
    if not folder:
        return preset
    begins.append(last_state.Leaving(folder, switches).extra)
    if left is None:
        return preset
    switches.set(left.mode)

    def resume(session: Session) -> Callable[[], None]:
        left.resume(session, look=not cues)
        return lambda: None

    begins.insert(-1, resume)
    return preset if cues or left.preset is None else left.preset
