"""The values that travel through kfx; all of them frozen, so threads may share them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from types import MappingProxyType
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]
"""(h, w, 4) RGBA, straight alpha, top row first; possibly a view with a negative row stride."""

Landmarks = npt.NDArray[np.float32]
"""(478, 3) in pixels of the full frame: x right, y down, z away from the camera.

Pixel centres lie at half-integers: the centre of the top left pixel is (0.5, 0.5).
"""

Matte = npt.NDArray[np.uint8]
"""(h, w) 0..255: the whole frame at the matte's own, lower resolution, top row first."""

Hand = npt.NDArray[np.float32]
"""(21, 2) in pixels of the full frame, y down, as MediaPipe orders them: the wrist first."""

MAX_FACES = 8
FIRST_NUMBER = 1001  # what compositors call the first frame of a take
LANDMARK_COUNT = 478


@dataclass(frozen=True, slots=True)
class Face:
    """One tracked face.

    `slot` 0–7 is stable while the performer stays in the picture. `pose` maps canonical face
    units (one inter-ocular distance = 1, x to the subject's left, y down, z away from the
    camera) to frame pixels: a similarity, 4×4. `iod` is the inter-ocular distance in pixels,
    foreshortening taken out. `presence` 0..1 fades in and out and scales every effect.
    """

    slot: int
    landmarks: Landmarks
    pose: npt.NDArray[np.float32]
    iod: float
    presence: float = 1.0
    found: bool = True  # False while a lost face is being faded out
    age: int = 0  # frames since this face took its slot
    blendshapes: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def box(self) -> tuple[float, float, float, float]:
        """x0, y0, x1, y1 in pixels around all landmarks."""
        low = self.landmarks[:, :2].min(axis=0)
        high = self.landmarks[:, :2].max(axis=0)
        return float(low[0]), float(low[1]), float(high[0]), float(high[1])


@dataclass(frozen=True, slots=True)
class Frame:
    """One picture of a source.

    `time` is the exact position on the source's own timeline in seconds (media time of a file,
    seconds since opening of a camera), `captured` the monotonic time at which it reached kfx.
    `truth` is set by sources that know where the faces are: the performer.
    """

    pixels: Pixels
    index: int
    time: Fraction
    captured: float
    timecode: str | None = None
    truth: tuple[Face, ...] | None = None


@dataclass(frozen=True, slots=True)
class ColourTags:
    """H.273 code points as FFmpeg numbers them; 2 means unspecified. `full` is the range."""

    primaries: int = 2
    transfer: int = 2
    matrix: int = 2
    full: bool = False


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """What a source is, known once it is open."""

    spec: str
    kind: str
    size: tuple[int, int]  # width, height as shown: rotation flags applied, square pixels
    rate: Fraction  # nominal frames per second
    live: bool = False  # frames come when they come; False: they wait to be read
    frame_count: int | None = None
    timecode: str | None = None  # of the first frame
    has_alpha: bool = False
    variable_rate: bool = False
    colour: ColourTags = ColourTags()
    audio: str | None = None  # the file whose audio belongs to the picture
    first_number: int = FIRST_NUMBER  # of index 0; a sequence keeps the numbers of its files
    notes: tuple[str, ...] = ()  # what was converted or assumed, for the user to read


class Sound(Protocol):
    """What was heard up to a moment. It never changes, and costs nothing until it is asked."""

    @property
    def rate(self) -> int:
        """Samples a second. Raises `KfxError`, as `newest` does, for a file that can't be read."""

    def newest(self, count: int) -> npt.NDArray[np.float32]:
        """(channels, count) of full scale ±1, the newest last; silence where nothing was."""


Date = tuple[float, float, float, float]
"""Year, month 1–12, day, and seconds since local midnight: ISF's ``DATE``."""


@dataclass(frozen=True, slots=True)
class Tick:
    """One moment of the show: all that an effect may know about time."""

    index: int
    time: float  # seconds on the source's timeline
    dt: float  # seconds since the tick before, 0 for the first one and after a cut
    frame: Frame
    faces: tuple[Face, ...] = ()  # as tracked, lowest slot first
    beat: float = 0.0  # beats since the start of the song
    bar: float = 0.0
    energy: float = 0.0
    seed: int = 0
    matte: Matte | None = None  # 255 where a person is; None where nobody asked for it
    hands: tuple[Hand, ...] = ()  # where somebody asked for them
    signals: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    """What modulates knobs and no face tells: ``audio.low``, ``osc.fader1``, ``midi.cc7``, …"""
    sound: Sound | None = None  # what is heard; None is silence
    date: Date | None = None  # where the machine stands, live; None where it must not matter


@dataclass(frozen=True, slots=True)
class Shot:
    """What a sink gets: the finished picture and the moment it belongs to.

    `tick` has the index and time at which the shot is sent. For whoever records what was done:
    `drawn` is the tick that the effects drew, None where they didn't, and `mode` what was shown
    of it: ``live``, the plate (``clean``), ``black``, or the picture before (``freeze``). A
    `filler` was sent while the loop had nothing to show.
    """

    pixels: Pixels
    tick: Tick
    drawn: Tick | None = None
    mode: str = "live"
    filler: bool = False


@dataclass(frozen=True, slots=True)
class StreamInfo:
    """What a sink must know of the stream before the first shot."""

    size: tuple[int, int]
    rate: Fraction
    timecode: str | None = None
    has_alpha: bool = False
    colour: ColourTags = ColourTags()
    audio: str | None = None  # file to take the audio from
    audio_from: Fraction = Fraction(0)  # seconds in that file at which the first shot lies
    audio_to: Fraction | None = None
    live: bool = False
    overwrite: bool = False
    first_number: int = FIRST_NUMBER  # of index 0 in the names of numbered files


def freeze(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Mark an array read-only and return it."""
    array.flags.writeable = False
    return array


class Source(Protocol):
    """Where pictures come from. Use it in a ``with`` block; `frames` may be iterated once.

    Must: yield frames in order with rising `index` and `time`; raise `KfxError` for anything
    that is wrong with the input. Should: report conversions in `info.notes`. Guaranteed:
    `close` may be called twice, from any thread, and ends `frames`.
    """

    @property
    def info(self) -> SourceInfo: ...

    def frames(self) -> Any: ...  # Iterator[Frame]

    def close(self) -> None: ...

    def __enter__(self) -> Source: ...

    def __exit__(self, *exc: object) -> None: ...


class Sink(Protocol):
    """Where shots go. Opened with a `StreamInfo`, used in a ``with`` block.

    Must: accept `write` from one thread; never change the shot; raise `KfxError` when it can't
    go on. `close` finishes the output; `abort` leaves nothing half-written behind. Leaving the
    ``with`` block by an exception aborts, otherwise closes.
    """

    def write(self, shot: Shot) -> None: ...

    def close(self) -> None: ...

    def abort(self) -> None: ...

    def __enter__(self) -> Sink: ...

    def __exit__(self, *exc: object) -> None: ...
