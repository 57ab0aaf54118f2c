"""The person matte at low resolution: MediaPipe's selfie segmentation, steady over time.

Which of the two nets in the wheel was chosen by measuring on talking, dancing and turning people:
the landscape net (256×144) costs 2.4 ms a frame and the general one (256×256) 4.4 ms, with the same
edges on wide pictures; on upright ones the landscape net is less sure, so they get the general one.
"""

from __future__ import annotations

from types import TracebackType
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from kfx.tracking.graph import load_mediapipe
from kfx.types import Frame, Matte, freeze

WIDE_PX, TALL_PX = (256, 144), (256, 256)  # what the nets look at
STILL_SHARE = 0.25  # of the new matte per frame where nothing moves
NOISE_LEVELS = 4.0  # a change of the picture up to this, of 255, is noise
MOVED_LEVELS = 14.0  # from this on the new matte counts in full
CUT_LEVELS = 40.0  # mean change of the whole picture that makes a cut
GAP_S = 0.5  # a longer pause between two frames is a cut, too

Grey = npt.NDArray[np.uint8]


class Person:
    """``with Person() as person: matte = person.matte(frame)``, frames of one take in order.

    The matte is (h, w) uint8, 255 where a person is, read-only, of the net's size whatever the
    frame's: the whole frame, squeezed. What stands still is averaged over frames and doesn't
    flicker; where the picture changes, the newest matte is taken, so nothing trails.
    """

    def __init__(self) -> None:
        self._nets: dict[int, Any] = {}
        self._past: npt.NDArray[np.float32] | None = None
        self._grey: Grey | None = None
        self._time: float | None = None

    def __enter__(self) -> Person:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: object, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        for net in self._nets.values():
            net.close()
        self._nets.clear()

    def reset(self) -> None:
        """A cut: nothing of the past applies."""
        self._past = self._grey = self._time = None

    def matte(self, frame: Frame) -> Matte:
        """The matte of `frame`; see the class."""
        height, width = frame.pixels.shape[:2]
        wide = width >= height
        small = cv2.resize(
            np.ascontiguousarray(frame.pixels),
            WIDE_PX if wide else TALL_PX,
            interpolation=cv2.INTER_AREA,
        )
        rgb = cv2.cvtColor(small, cv2.COLOR_RGBA2RGB)
        mask = self._net(int(wide)).process(rgb).segmentation_mask
        new = np.clip(np.nan_to_num(np.asarray(mask, np.float32)), 0.0, 1.0)
        steady = self._steady(new, cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), float(frame.time))
        return freeze((steady * 255.0 + 0.5).astype(np.uint8))

    def _steady(
        self, new: npt.NDArray[np.float32], grey: Grey, time: float
    ) -> npt.NDArray[np.float32]:
        """The running mean of the matte, which forgets at once where the picture changes."""
        past, before = self._past, self._grey
        since = None if self._time is None else time - self._time
        grey = cv2.blur(grey, (3, 3))
        if (
            past is not None
            and before is not None
            and since is not None
            and 0.0 <= since <= GAP_S
            and past.shape == new.shape
        ):
            change = cv2.absdiff(grey, before)
            if float(change.mean()) < CUT_LEVELS:
                # What moves clears its surroundings too: there the old edge would be left behind.
                change = cv2.blur(cv2.dilate(change, None, iterations=3), (5, 5))
                moved = (change - np.float32(NOISE_LEVELS)) / (MOVED_LEVELS - NOISE_LEVELS)
                share = STILL_SHARE + (1 - STILL_SHARE) * np.clip(moved, 0.0, 1.0)
                new = past + share * (new - past)
        self._past, self._grey, self._time = new, grey, time
        return new

    def _net(self, model: int) -> Any:
        if model not in self._nets:
            solutions = load_mediapipe().solutions
            self._nets[model] = solutions.selfie_segmentation.SelfieSegmentation(
                model_selection=model
            )
        return self._nets[model]
