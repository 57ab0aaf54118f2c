"""Takes on disk: what was shot, what was tracked, when, and what people said of it.

A take is a folder, ``A001_T01``, with ``take.json`` and beside it: the clean plate, lossless
(``_plate.mov``); the picture as it was shown (``_fx.mp4``); every face as it was used
(``_faces.npy``) and for compositors (``_landmarks.csv``); the song and timecode of every frame
(``_clock.jsonl``); what was changed while it ran (``_controls.jsonl``); and how the look was drawn
from frame to frame (``_look.jsonl``, ``_preset/``).
"""

from __future__ import annotations

from kfx.takes.document import FILE, Take, load, save, takes_in
from kfx.takes.naming import next_name

__all__ = ["FILE", "Take", "load", "next_name", "save", "takes_in"]
