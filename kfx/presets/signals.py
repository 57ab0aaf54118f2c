"""The names of the signals that move knobs: what a beat, a song, a face or a controller tells.

Every signal is about 0..1 (heads and cues may go below):

* ``beat.SHAPE bar.SHAPE``: one cycle a beat or bar; ``lfo.SHAPE``: one every ``rate_beats`` beats,
  or ``rate_hz`` times a second, started at ``phase``
* ``audio.low mid high level onset``: the sound's bands, loudness and onsets
* ``face.jawOpen`` and the other 51 of ARKit; ``face.speed``: landmarks at 4 iod/s are 1;
  ``face.presence``
* ``head.yaw pitch roll``: 1 is 45° to the subject's left, down, to the left shoulder
* ``random.beat random.bar``: another number each beat or bar, the same in every take
* ``cue.NAME osc.NAME midi.ccN midi.noteN``: whatever a show or a controller sends; 0 until then
* ``net.NAME``: what a net among the links says of a face, by the names in its card
"""

from __future__ import annotations

import re
from difflib import get_close_matches

from kfx.tracking.arkit import NAMES as EXPRESSIONS

SHAPES: tuple[str, ...] = ("phase", "decay", "pulse", "square", "triangle", "sine")
"""Over one cycle: rising 0..1, falling fast from 1, 1 for an eighth, 1 for the first half,
0 to 1 and back in straight lines, the same in a cosine."""

FREE: tuple[str, ...] = ("cue", "osc", "midi", "net")
"""Families whose names a show, a controller or a net's card gives."""

FAMILIES: dict[str, tuple[str, ...]] = {
    "beat": SHAPES,
    "bar": SHAPES,
    "lfo": SHAPES,
    "audio": ("low", "mid", "high", "level", "onset"),
    "face": (*EXPRESSIONS, "speed", "presence"),
    "head": ("yaw", "pitch", "roll"),
    "random": ("beat", "bar"),
    **dict.fromkeys(FREE, ()),
}
NAMES: tuple[str, ...] = tuple(f"{family}.{one}" for family in FAMILIES for one in FAMILIES[family])
"""All that have a fixed name."""

FREE_NAME = r"(?:cue|osc|midi|net)\.[\w./:-]{1,64}"
_FREE_NAME = re.compile(FREE_NAME, re.ASCII)


def check(name: object) -> str:
    """`name` if there is such a signal; raises `ValueError` with the nearest one."""
    if isinstance(name, str):
        if name in NAMES or _FREE_NAME.fullmatch(name):
            return name
        near = get_close_matches(name, NAMES, n=1, cutoff=0.6)
        if near:
            raise ValueError(f"there is no signal {name[:60]!r}; did you mean {near[0]}?")
    families = ", ".join(f"{one}.…" for one in FAMILIES)
    raise ValueError(f"there is no signal {str(name)[:60]!r}; there are {families}")
