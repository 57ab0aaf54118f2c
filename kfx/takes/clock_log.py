"""The clock of a take: a line of JSON per frame with all that its tick knew.

Numbers are written so that they read back to the bit.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import MappingProxyType
from typing import Any

from kfx.errors import KfxError
from kfx.types import Face, Frame, Pixels, Shot, Tick

FIRST_FRAME = 1001  # the number compositors give the first frame of a take


@dataclass(frozen=True, slots=True)
class Moment:
    """One frame of a take: its number, timecode, and the tick that was drawn."""

    shot: int
    timecode: str
    time_s: float  # since the first shot
    mode: str
    drawn: bool
    filler: bool
    song_s: float  # without the lead of a live output
    song_rate: float
    tick: dict[str, Any]
    matte: bool | None = None  # whether people were looked for in it; None: nobody knows

    def tick_of(self, pixels: Pixels, faces: tuple[Face, ...]) -> Tick:
        """The tick again, with the picture and the faces it had; its frame lies at the shot's
        place in the take."""
        said = self.tick
        frame = Frame(pixels, said["index"], Fraction(said["frame_time"]), 0.0, self.timecode)
        return Tick(
            index=said["index"],
            time=said["time"],
            dt=said["dt"],
            frame=frame,
            faces=faces,
            beat=said["beat"],
            bar=said["bar"],
            energy=said["energy"],
            seed=said["seed"],
            signals=MappingProxyType(dict(said["signals"])),
            date=said.get("date"),
        )


def line(shot: Shot, number: int, timecode: str, time_s: float, lead_s: float) -> str:
    """The line of a shot; where nothing was drawn the tick is the one it was sent with."""
    tick = shot.drawn or shot.tick
    rate = tick.signals.get("song.rate", 1.0)
    song = tick.signals.get("song.time", tick.time)
    data = {
        "frame": FIRST_FRAME + number,
        "tc": timecode,
        "time": time_s,
        "mode": shot.mode,
        "drawn": shot.drawn is not None,
        "filler": shot.filler,
        "song": song - lead_s * rate,
        "rate": rate,
        "matte": tick.matte is not None and not shot.filler,
        "tick": {
            "index": tick.index,
            "time": tick.time,
            "dt": tick.dt,
            "frame_time": str(tick.frame.time),
            "beat": tick.beat,
            "bar": tick.bar,
            "energy": tick.energy,
            "seed": tick.seed,
            "signals": dict(tick.signals),
            **({"date": tick.date} if tick.date is not None else {}),
        },
    }
    return json.dumps(data, separators=(",", ":")) + "\n"


def load(path: Path) -> list[Moment]:
    """All frames of a take, in order; a last line that was cut off is left out.

    Raises `KfxError` with the line at fault.
    """
    try:
        lines = path.read_text("utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "this is no UTF-8 text"
        raise KfxError(f"{path}: can't be read ({reason})") from None
    found = []
    for number, text in enumerate(lines[:-1]):
        try:
            found.append(_moment(json.loads(text), number))
        except (ValueError, KeyError, TypeError, RecursionError, ZeroDivisionError) as error:
            raise KfxError(f"{path}: line {number + 1}: is damaged ({error!r:.80})") from None
    return found


def _moment(data: dict[str, Any], number: int) -> Moment:
    tick = dict(data["tick"])
    for key in ("time", "dt", "beat", "bar", "energy"):
        tick[key] = float(tick[key])
    tick["index"], tick["seed"] = int(tick["index"]), int(tick["seed"])
    tick["signals"] = {str(key): float(value) for key, value in tick["signals"].items()}
    if tick.get("date") is not None:
        year, month, day, seconds = map(float, tick["date"])
        tick["date"] = (year, month, day, seconds)
    Fraction(tick["frame_time"])
    return Moment(
        number,
        str(data["tc"]),
        float(data["time"]),
        str(data["mode"]),
        bool(data["drawn"]),
        bool(data["filler"]),
        float(data["song"]),
        float(data["rate"]),
        tick,
        bool(data["matte"]) if "matte" in data else None,
    )
