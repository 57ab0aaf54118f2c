"""AOVs as numbered files beside the picture: 16-bit PNG, or float32 EXR.

PNG holds 0..65535. `uv`, `parts`, `matte`: value × 65535. `normal`: (n + 1) / 2 × 65535. `motion`:
32768 + 64 × pixels, so 1/64 pixel steps up to ±511 pixels. EXR holds the values themselves. Alpha
is straight: multiply nothing, convert no colour.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from kfx.sinks.file import NUMBER
from kfx.sinks.image_sequence import ImageSequenceSink
from kfx.types import StreamInfo

Values = npt.NDArray[np.float32]
"""(h, w, 4) RGBA or (h, w) one channel, top row first."""

MOTION_STEPS = 64.0  # of one pixel, in a PNG
MOTION_REST = 32768.0

_PNG: dict[str, Callable[[Values], Values]] = {
    # What the colour channels of a PNG hold, of 65535; alpha is 0..1 in all.
    "normal": lambda v: (v + 1.0) * 32767.5,
    "motion": lambda v: v * MOTION_STEPS + MOTION_REST,
}


class AovSequence(ImageSequenceSink):
    """One AOV's files, which land and vanish like those of the picture."""

    def __init__(self, name: str, out: str, stream: StreamInfo, *, suffix: str = ".png") -> None:
        super().__init__(spec_beside(out, name, suffix), stream)
        self._name_of_aov = name
        self._suffix = suffix

    def encode(self, values: npt.NDArray[np.float32]) -> bytes:
        if self._suffix == ".exr":
            return _exr(values)
        scaled = values * np.float32(65535.0)
        if self._name_of_aov in _PNG:
            scaled[..., :3] = _PNG[self._name_of_aov](values[..., :3])
            if self._name_of_aov == "motion":
                scaled[..., 2] = 0.0
        whole = np.clip(scaled + 0.5, 0.0, 65535.0).astype(np.uint16)
        if whole.ndim == 3:
            whole = cv2.cvtColor(whole, cv2.COLOR_RGBA2BGRA)
        return cv2.imencode(".png", whole)[1].tobytes()


def spec_beside(out: str, name: str, suffix: str = ".png") -> str:
    """``out.mp4`` → ``out.uv.%06d.png``, ``fx.%04d.png`` → ``fx.uv.%04d.png``."""
    path = Path(out)
    number = NUMBER.search(path.name)
    if number:
        named = f"{path.name[: number.start()]}{name}.{number[0]}{suffix}"
    elif path.suffix.lower() == ".png":
        named = f"{path.stem}.{name}{suffix}"
    else:
        named = f"{path.stem}.{name}.%06d{suffix}"
    return str(path.with_name(named))


def _exr(values: Values) -> bytes:
    """An OpenEXR file, float32, ZIP, channels R G B and A: FFmpeg's encoder is in PyAV."""
    from fractions import Fraction

    import av

    if values.ndim == 2:
        values = np.repeat(values[..., None], 3, axis=2)
    height, width, channels = values.shape
    name = "gbrapf32le" if channels == 4 else "gbrpf32le"
    frame = av.VideoFrame(width, height, name)
    for plane, channel in zip(frame.planes, (1, 2, 0, 3)[:channels], strict=True):
        rows = np.frombuffer(plane, np.float32).reshape(height, -1)
        rows[:, :width] = values[..., channel]
    encoder = av.CodecContext.create("exr", "w")
    encoder.width, encoder.height, encoder.pix_fmt = width, height, name
    encoder.time_base = Fraction(1, 25)
    encoder.options = {"compression": "zip16", "format": "float"}
    return b"".join(bytes(packet) for packet in (*encoder.encode(frame), *encoder.encode(None)))
