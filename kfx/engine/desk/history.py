"""Steps of a look that can be taken back and done again."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from kfx.presets import Preset

MOST = 200  # steps that are kept
GESTURE_S = 0.7  # a slider that moves on sooner makes no second step


@dataclass(frozen=True)
class State:
    """All of a look that undo brings back."""

    preset: Preset
    bypassed: frozenset[int] = frozenset()


class History:
    """States before each step. `what` and `by` tell gestures apart; `at` is in seconds."""

    def __init__(self) -> None:
        self._before: deque[State] = deque(maxlen=MOST)
        self._after: list[State] = []
        self._gesture: tuple[str, str] | None = None
        self._last = 0.0

    def step(self, before: State, what: str, by: str, at: float) -> None:
        """Note what there was before a change; a gesture that goes on is one step."""
        gesture = (what, by)
        if gesture != self._gesture or at - self._last > GESTURE_S:
            self._before.append(before)
        self._gesture, self._last = gesture, at
        self._after.clear()

    def undo(self, now: State) -> State | None:
        """The state before the last step, None where there is none."""
        if not self._before:
            return None
        self._after.append(now)
        self._gesture = None
        return self._before.pop()

    def redo(self, now: State) -> State | None:
        """What the last undo took back, None where nothing was since."""
        if not self._after:
            return None
        self._before.append(now)
        self._gesture = None
        return self._after.pop()

    @property
    def depth(self) -> tuple[int, int]:
        """How many steps can be undone and redone."""
        return len(self._before), len(self._after)
