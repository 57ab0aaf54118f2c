"""Faces of a take, lossless: a NumPy file that grows while the take runs.

A row is one face in one frame. The header is written for no rows and mended at the end, so that
after a crash the length of the file still says how many there are.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from kfx.arkit import NAMES
from kfx.errors import KfxError
from kfx.types import LANDMARK_COUNT, Face, freeze

ROW = np.dtype(
    [
        ("shot", "<i4"),
        ("slot", "<i4"),
        ("age", "<i4"),
        ("found", "<i1"),
        ("shapes", "<i1"),
        ("iod", "<f8"),
        ("presence", "<f8"),
        ("pose", "<f4", (4, 4)),
        ("landmarks", "<f4", (LANDMARK_COUNT, 3)),
        ("blendshapes", "<f8", (len(NAMES),)),
    ]
)
_HEADER_BYTES = 1024


class FaceLog:
    """Writes rows to `path`; raises `OSError` where the disk won't take them."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb")
        self._count = 0
        self._file.write(_header(0))

    def write(self, shot: int, faces: Sequence[Face]) -> None:
        """The faces of the shot with that number, counted from 0."""
        if not faces:
            return
        rows = np.zeros(len(faces), ROW)
        for row, face in zip(rows, faces, strict=True):
            row["shot"], row["slot"], row["age"] = shot, face.slot, face.age
            row["found"], row["shapes"] = face.found, bool(face.blendshapes)
            row["iod"], row["presence"] = face.iod, face.presence
            row["pose"], row["landmarks"] = face.pose, face.landmarks
            row["blendshapes"] = [face.blendshapes.get(name, np.nan) for name in NAMES]
        self._file.write(rows.tobytes())
        self._count += len(rows)

    def close(self) -> None:
        """Write down how many there are."""
        try:
            self._file.seek(0)
            self._file.write(_header(self._count))
        finally:
            self._file.close()


class FaceTrack:
    """The faces of a take, read from the disk as they are asked for.

    Raises `KfxError` for a file that is none.
    """

    def __init__(self, path: Path) -> None:
        try:
            with path.open("rb") as file:
                head = file.read(_HEADER_BYTES)
            count = (path.stat().st_size - _HEADER_BYTES) // ROW.itemsize
        except OSError as error:
            raise KfxError(f"{path}: can't be read ({error.strerror})") from None
        if len(head) < _HEADER_BYTES or head[:10] != _header(0)[:10]:
            raise KfxError(f"{path}: holds no faces of a take")
        self._rows: npt.NDArray[Any] = np.zeros(0, ROW)
        if count:
            self._rows = np.memmap(path, ROW, "r", _HEADER_BYTES, (count,))
        self._shots = np.array(self._rows["shot"])

    def at(self, shot: int) -> tuple[Face, ...]:
        """The faces of a shot, lowest slot first."""
        first, last = np.searchsorted(self._shots, (shot, shot + 1))
        return tuple(_face(row) for row in self._rows[first:last])


def _face(row: Any) -> Face:
    shapes: dict[str, float] = {}
    if row["shapes"]:
        pairs = zip(NAMES, row["blendshapes"], strict=True)
        shapes = {name: float(value) for name, value in pairs if value == value}
    return Face(
        slot=int(row["slot"]),
        landmarks=freeze(_copy(row["landmarks"])),
        pose=freeze(_copy(row["pose"])),
        iod=float(row["iod"]),
        presence=float(row["presence"]),
        found=bool(row["found"]),
        age=int(row["age"]),
        blendshapes=MappingProxyType(shapes),
    )


def _copy(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return np.array(values, np.float32)


def _header(count: int) -> bytes:
    """A header of a fixed length, whatever the count is."""
    out = io.BytesIO()
    form: Any = np.lib.format
    said = {"descr": form.dtype_to_descr(ROW), "fortran_order": False, "shape": (count,)}
    form.write_array_header_1_0(out, said)
    short = out.getvalue()
    text = short[10:].rstrip(b"\n ")
    room = _HEADER_BYTES - 10
    return short[:8] + room.to_bytes(2, "little") + text.ljust(room - 1) + b"\n"
