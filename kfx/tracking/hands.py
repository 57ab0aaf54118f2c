"""Hands, so that one before a face stays in front of what is drawn on the face.

Tried first: learning the skin's look and calling what differs a hand. A hand is skin; so this asks
MediaPipe's hand net, in the same wheel. Looking at crops round faces it saw hands in smiles; on the
whole frame with both confidences at 0.7 it saw none on six clips of bare faces, and the hand on 59
of 60 frames of a clip with fingers across nose and eye.
"""

from __future__ import annotations

from types import TracebackType
from typing import Any

import cv2
import numpy as np

from kfx.tracking.graph import load_mediapipe
from kfx.types import Frame, Hand, freeze

SIDE_PX = 640  # the net looks at a copy of this size
SURE = 0.7
SEARCH_EVERY = 6  # frames between looks while there is no hand
HOLD = 3  # frames for which a lost hand stays where it was
MOST = 2
GAP_S = 0.5  # a longer pause between two frames is a cut


class Hands:
    """``with Hands() as hands: seen = hands.find(frame)``, frames of one take in order."""

    def __init__(self) -> None:
        self._net: Any = None
        self._last: tuple[Hand, ...] = ()
        self._missed = 0
        self._wait = 0
        self._time: float | None = None

    def __enter__(self) -> Hands:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: object, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        if self._net is not None:
            self._net.close()
            self._net = None

    def reset(self) -> None:
        """A cut: nothing of the past applies."""
        self._last, self._missed, self._wait, self._time = (), 0, 0, None
        if self._net is not None:
            self._net.reset()

    def find(self, frame: Frame) -> tuple[Hand, ...]:
        """(21, 2) pixels of the frame for each hand, wrist first, as MediaPipe orders them."""
        time = float(frame.time)
        if self._time is not None and not 0.0 <= time - self._time <= GAP_S:
            self.reset()
        self._time = time
        if not self._last and self._wait > 0:
            self._wait -= 1
            return ()
        self._wait = SEARCH_EVERY - 1
        found = self._look(frame)
        if found:
            self._last, self._missed = found, 0
            return found
        self._missed += 1
        if self._missed > HOLD:
            self._last = ()
        return self._last

    def _look(self, frame: Frame) -> tuple[Hand, ...]:
        height, width = frame.pixels.shape[:2]
        rgb = cv2.cvtColor(np.ascontiguousarray(frame.pixels), cv2.COLOR_RGBA2RGB)
        scale = SIDE_PX / max(height, width)
        if scale < 1:
            rgb = cv2.resize(rgb, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        if self._net is None:
            self._net = load_mediapipe().solutions.hands.Hands(
                max_num_hands=MOST,
                model_complexity=0,
                min_detection_confidence=SURE,
                min_tracking_confidence=SURE,
            )
        found = []
        for hand in self._net.process(rgb).multi_hand_landmarks or ():
            points = np.array([(p.x * width, p.y * height) for p in hand.landmark], np.float32)
            if np.isfinite(points).all():
                found.append(freeze(points))
        return tuple(found)
