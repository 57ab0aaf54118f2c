"""Runs in the guest: a camera that nobody of kfx made: pictures of a file, the time drawn on them.

``python -m tests.device.stamped_camera DEVICE FILM WIDTHxHEIGHT`` plays FILM, raw YUYV pictures,
forwards and backwards into a v4l2loopback at `RATE` a second, until it is ended. The time is
stamped (`tests.device.stamps`) right before a picture is written.
"""

from __future__ import annotations

import fcntl
import os
import struct
import sys
from fractions import Fraction

import numpy as np

from kfx import clock
from kfx.sinks import v4l2
from tests.device.stamps import BLOCK, WIDTH, stamp

RATE = 15  # the guest has one processor for all
_S_FMT = 0xC0D05605  # VIDIOC_S_FMT, <linux/videodev2.h> on 64 bits
_OUTPUT, _PROGRESSIVE = 2, 1


def yuyv(rgb: np.ndarray) -> np.ndarray:
    """(h, w, 3) → (h, w, 2) uint8, BT.601 in studio range, as cameras send it."""
    r, g, b = np.moveaxis(rgb.astype(np.float32), -1, 0)
    y = 16 + 0.257 * r + 0.504 * g + 0.098 * b
    u, v = (
        128 - 0.148 * r - 0.291 * g + 0.439 * b,
        128 + 0.439 * r - 0.368 * g - 0.071 * b,
    )
    chroma = np.stack((u[:, ::2], v[:, ::2]), -1).reshape(y.shape)
    return np.stack((y, chroma), -1).round().clip(0, 255).astype(np.uint8)


def play(device: str, film: np.ndarray) -> None:
    height, width = film.shape[1:3]
    fd = os.open(device, os.O_RDWR)
    request = bytearray(208)
    struct.pack_into("I", request, 0, _OUTPUT)
    struct.pack_into(
        "II4sIII", request, 8, width, height, b"YUYV", _PROGRESSIVE, 2 * width, 2 * width * height
    )
    fcntl.ioctl(fd, _S_FMT, request)
    v4l2.announce_rate(device, Fraction(RATE))
    around = [*range(len(film)), *range(len(film) - 2, 0, -1)]
    began, number = clock.now(), 0
    while True:
        picture = film[around[number % len(around)]].copy()
        strip = np.zeros((2 * BLOCK, WIDTH, 3), np.uint8)
        stamp(strip, clock.now())
        picture[: 2 * BLOCK, :WIDTH, 0] = 16 + strip[..., 0] * 0.86
        picture[: 2 * BLOCK, :WIDTH, 1] = 128
        os.write(fd, picture.tobytes())
        number = max(number + 1, int((clock.now() - began) * RATE))
        clock.sleep_until(began + number / RATE)


if __name__ == "__main__":
    width, height = map(int, sys.argv[3].split("x"))
    play(sys.argv[1], np.fromfile(sys.argv[2], np.uint8).reshape(-1, height, width, 2))
