"""The tracking job: every frame of a source through the tracker into a file of tracks.

Reading has a thread of its own: decoding and FaceMesh both leave Python, so that they overlap.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Protocol

import numpy as np

from kfx import clock
from kfx.engine.mailbox import Closed, Mailbox
from kfx.engine.tracks.csv_landmarks import LandmarksCsv, side_path
from kfx.engine.tracks.livelink import RATES, LiveLinkCsv, slot_path
from kfx.errors import UsageError
from kfx.sinks import landing
from kfx.tracking import Finder, open_finder
from kfx.tracking import pose as poses
from kfx.tracking.tracker import Tracker
from kfx.types import MAX_FACES, Face, Frame, Landmarks, Source, freeze

AHEAD = 4  # frames read before they are tracked
FORMATS = ("csv", "livelink")


class Writer(Protocol):
    """Gets every frame in order; `land` names the files, `discard` leaves none."""

    rows: dict[int, int]

    def write(self, frame: Frame, faces: Sequence[Face]) -> None: ...

    def land(self) -> list[Path]: ...

    def discard(self) -> None: ...


@dataclass
class Tracked:
    """What a job did."""

    files: list[Path] = field(default_factory=list)
    rows: dict[int, int] = field(default_factory=dict)  # slot → rows
    frames: int = 0
    frames_with_face: int = 0
    seconds: float = 0.0
    warnings: list[str] = field(default_factory=list)

    @property
    def fps(self) -> float:
        return self.frames / max(1e-9, self.seconds)


def check(
    out: str,
    form: str,
    fps: Fraction | None,
    *,
    overwrite: bool,
    pins: Mapping[int, str] | None = None,
) -> None:
    """Raise `UsageError` or `KfxError` for what can be known before a frame is read."""
    if form not in FORMATS:
        raise UsageError(f"--format {form}: is unknown; there are " + ", ".join(FORMATS))
    if Path(out).suffix.lower() != ".csv":
        raise UsageError(f"-o {out}: tracks are written as .csv; name it {Path(out).stem}.csv")
    if fps is not None and form != "livelink":
        raise UsageError("--fps: CSV keeps the frames of the source; only livelink is resampled")
    if fps is not None and fps not in RATES:
        raise UsageError(
            f"--fps {float(fps):g}: Live Link Face files are read as 30 or 60; choose one"
        )
    for path in _targets(out, form, pins):
        if path.is_dir():
            raise UsageError(f"-o {path}: is a folder; name a file in it")
        if path.exists() and not overwrite:
            raise landing.exists(str(path))


def track(
    source: Source,
    out: str,
    *,
    form: str = "csv",
    fps: int | None = None,
    tracker: str = "mediapipe",
    smooth: bool = False,
    bpm: float | None = None,
    pins: Mapping[int, str] | None = None,
    overwrite: bool = False,
    progress: Callable[[int, int | None], None] | None = None,
) -> Tracked:
    """Track an open source into `out`.

    Points are written as found; with `smooth` (and always for livelink) as the tracker calms
    them. `pins` names slots and keeps each for its performer, whose calibration is used. Raises
    `KfxError`; then, and on Ctrl-C, no file is left.
    """
    check(out, form, None if fps is None else Fraction(fps), overwrite=overwrite, pins=pins)
    info = source.info
    result = Tracked(warnings=list(info.notes))
    started = clock.now()
    raw = _Kept(open_finder(tracker, MAX_FACES))
    read: Mailbox[Frame] = Mailbox(AHEAD, newest=False, wait=True)
    reader = threading.Thread(target=_read, args=(source, read), name="kfx-read", daemon=True)
    with Tracker(raw, blendshapes=form == "livelink") as faces_of:
        for slot, name in (pins or {}).items():
            faces_of.pin(slot, name)
        if form == "livelink":
            writer: Writer = LiveLinkCsv(out, info, rate=fps, names=pins)
        else:
            writer = LandmarksCsv(out, info, bpm=bpm, names=pins)
        reader.start()
        try:
            with suppress(Closed):
                while (frame := read.take()) is not None:
                    faces = faces_of.track(frame)
                    if not smooth and form == "csv":
                        faces = as_found(faces, raw.found)
                    writer.write(frame, faces)
                    result.frames += 1
                    result.frames_with_face += any(face.found for face in faces)
                    if progress:
                        progress(result.frames, info.frame_count)
            if not result.frames:
                raise landing.nothing(out)
            result.files = writer.land()
        finally:
            read.close(discard=True)
            source.close()
            reader.join()
            writer.discard()
    for path in _targets(out, form, pins):
        if overwrite and path not in result.files:
            path.unlink(missing_ok=True)  # of the take that was replaced
    result.rows = dict(writer.rows)
    result.warnings += [*getattr(source, "warnings", ()), *getattr(writer, "warnings", ())]
    result.seconds = clock.now() - started
    return result


def as_found(faces: Sequence[Face], found: Sequence[Landmarks]) -> tuple[Face, ...]:
    """The faces with the landmarks of the finder, before smoothing; each is used once."""
    away = sorted(
        (float(np.abs(face.landmarks[:, :2] - points[:, :2]).mean()), i, j)
        for i, face in enumerate(faces)
        if face.found
        for j, points in enumerate(found)
    )
    result, taken = dict(enumerate(faces)), set[int]()
    left = {i for i, face in enumerate(faces) if face.found}
    for _, i, j in away:
        if i not in left or j in taken:
            continue
        left.remove(i)
        taken.add(j)
        points = freeze(np.array(found[j], dtype=np.float32))
        pose = poses.fit(points)
        result[i] = replace(faces[i], landmarks=points, pose=freeze(pose), iod=poses.scale(pose))
    return tuple(result[i] for i in range(len(faces)))


class _Kept:
    """A finder that keeps what it found last."""

    def __init__(self, finder: Finder) -> None:
        self._finder = finder
        self.guesses_depth = getattr(finder, "guesses_depth", False)
        self.found: list[Landmarks] = []

    def find(self, frame: Frame) -> list[Landmarks]:
        self.found = self._finder.find(frame)
        return list(self.found)

    def reset(self) -> None:
        self._finder.reset()

    def close(self) -> None:
        self._finder.close()


def _targets(out: str, form: str, pins: Mapping[int, str] | None) -> list[Path]:
    """Every file that a job may write."""
    slots = [slot_path(out, slot) for slot in range(MAX_FACES)]
    slots += [slot_path(out, slot, name) for slot, name in (pins or {}).items()]
    return [Path(out), side_path(out), *(slots if form == "livelink" else [])]


def _read(source: Source, out: Mailbox[Frame]) -> None:
    error: BaseException | None = None
    try:
        for frame in source.frames():
            out.put(frame)
            if out.closed:
                return
    except BaseException as raised:  # carried over to the thread that tracks
        error = raised
    out.close(error)
