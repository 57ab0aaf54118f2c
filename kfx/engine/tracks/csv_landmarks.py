"""Landmarks of a take as CSV, a row per frame and face (``# kfx-landmarks v1``)."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import TextIO

import numpy as np

from kfx import timecode
from kfx.engine.ticks import BEATS_PER_BAR
from kfx.sinks import landing
from kfx.types import LANDMARK_COUNT, Face, Frame, SourceInfo

COLUMNS = ("frame", "tc", "song_bar", "song_beat", "face_id", "name", "conf") + tuple(
    f"p{i:03d}_{axis}" for i in range(LANDMARK_COUNT) for axis in "xyz"
)
_POINTS = ",".join(["%.3f,%.3f,%.5f"] * LANDMARK_COUNT)
_NO_POINTS = "," * (LANDMARK_COUNT * 3 - 1)


class LandmarksCsv:
    """Writes while the take is tracked; `land` gives the file its name, `discard` removes it.

    A frame without a face has one row with ``conf`` 0 and no id and no points. Points of a face
    that was lost and only fades are not written: they would be invented. Where the source has no
    steady rate, ``NAME.source.json`` says the exact time of every frame.
    """

    def __init__(
        self,
        spec: str,
        info: SourceInfo,
        *,
        bpm: float | None = None,
        names: Mapping[int, str] | None = None,  # of pinned slots
    ) -> None:
        self._info, self._bpm = info, bpm
        self._names = dict(names or {})
        self.rows: dict[int, int] = {}  # slot → rows written
        self._times: dict[int, str] = {}  # frame → exact seconds
        self._side: landing.Landing | None = None
        self._landing = landing.Landing(spec, Path(spec))
        try:
            self._file: TextIO = self._landing.path.open("w", encoding="utf-8", newline="")
        except OSError as error:
            self._landing.discard()
            raise landing.failure(spec, error) from None
        self._begun = False

    def write(
        self, frame: Frame, faces: Sequence[Face], song: tuple[str, str] | None = None
    ) -> None:
        """Add the rows of one frame; `song` is its bar and beat where a clock tells them.

        Raises `KfxError` if the disk won't take them.
        """
        found = [face for face in faces if face.found]
        try:
            if not self._begun:
                self._begun = True
                self._file.write(header(self._info, frame))
            start = ",".join(
                (
                    str(self._info.first_number + frame.index),
                    code(self._info, frame),
                    *(song or _song(frame.time, self._bpm)),
                )
            )
            if self._info.variable_rate:
                self._times[self._info.first_number + frame.index] = str(frame.time)
            if not found:
                self._file.write(f"{start},,,0,{_NO_POINTS}\n")
            for face in found:
                self._file.write(f"{start},{face_cells(face, self._names.get(face.slot, ''))}\n")
                self.rows[face.slot] = self.rows.get(face.slot, 0) + 1
        except OSError as error:
            raise landing.failure(self._landing.spec, error) from None

    def land(self) -> list[Path]:
        """Finish; returns the files."""
        try:
            self._file.close()
            if self._times:
                self._side = landing.Landing(self._landing.spec, side_path(self._landing.spec))
                text = json.dumps(self._sidecar(), indent=1) + "\n"
                self._side.path.write_text(text, encoding="utf-8")
        except OSError as error:
            raise landing.failure(self._landing.spec, error) from None
        places = [self._landing, *([self._side] if self._side else [])]
        for place in places:
            place.land()
        return [place.target for place in places]

    def discard(self) -> None:
        """Leave nothing. Does no harm after `land`."""
        with suppress(OSError):  # what can't be written is thrown away anyway
            self._file.close()
        self._landing.discard()
        if self._side:
            self._side.discard()

    def _sidecar(self) -> dict[str, object]:
        rate = self._info.rate
        return {
            "schema": "kfx.landmarks/1",
            "source": self._info.spec,
            "nominal_fps": [rate.numerator, rate.denominator],
            "times_s": self._times,
        }


def side_path(spec: str) -> Path:
    """What doesn't fit into the CSV lies beside it."""
    return Path(spec).with_suffix(".source.json")


def header(info: SourceInfo, first: Frame) -> str:
    """The comment that says what the numbers mean, and the names of the columns."""
    width, height = info.size
    rate = f"{info.rate.numerator}/{info.rate.denominator}"
    return (
        f"# kfx-landmarks v1; size={width}x{height}; origin=top-left; fps={rate}; "
        f"start_tc={code(info, first)}\n" + ",".join(COLUMNS) + "\n"
    )


def code(info: SourceInfo, frame: Frame) -> str:
    """The frame's timecode; without one in the source, counted from 00:00:00:00."""
    if frame.timecode is not None:
        return frame.timecode
    return timecode.text(round(frame.time * info.rate), info.rate)


def face_cells(face: Face, name: str = "") -> str:
    """``face_id,name,conf,p000_x …``: x and y in pixels, z in inter-ocular distances."""
    points = np.array(face.landmarks, dtype=np.float64)
    points[:, 2] /= face.iod if face.iod > 0 else 1.0
    points = np.nan_to_num(points, nan=0.0, posinf=0.0, neginf=0.0)
    return f"{face.slot},{_quoted(name)},{face.presence:.3f}," + _POINTS % tuple(
        points.reshape(-1).tolist()
    )


def _song(time: Fraction, bpm: float | None) -> tuple[str, str]:
    """Bar and beat as musicians count, both from 1; empty where the tempo isn't known."""
    if bpm is None:
        return "", ""
    beat = float(time) * bpm / 60.0
    bar = int((beat + 1e-6) // BEATS_PER_BAR)
    return str(bar + 1), f"{max(0.0, beat - bar * BEATS_PER_BAR) + 1:.4f}"


def _quoted(text: str) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow([text])
    return line.getvalue() if text else ""
