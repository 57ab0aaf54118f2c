"""When an effect that waits for beats is on."""

from __future__ import annotations


def number_at(beat: float, start: float, every: float, length: float) -> int | None:
    """The number of the cue that `beat` lies in, None between two or before the first.

    Cues begin at `start` and then `every` so many beats (0: there is one), and end after `length`
    beats (0: with the next one).
    """
    since = beat - start + 1e-6
    if since < 0.0:
        return None
    number = int(since // every) if every > 0.0 else 0
    return None if 0.0 < length <= since - number * every else number
