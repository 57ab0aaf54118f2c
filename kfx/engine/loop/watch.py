"""Decides when what fails or takes too long is left out, and when it may try again."""

from __future__ import annotations

PATIENCE = 5  # bad frames running
RETRY_S = 5.0
LONGEST_RETRY_S = 120.0


class Watch:
    """`allows` before each frame, `good` or `bad` after it.

    Five bad frames running, or one on trial, and it pauses; each pause is twice as long as the
    one before, until five good frames running have cleared its name.
    """

    def __init__(self, budget_s: float, *, retry_s: float = RETRY_S) -> None:
        self.budget_s = budget_s
        self._first_s = self._pause_s = retry_s
        self._bad = self._good = 0
        self._until: float | None = None
        self._trial = False

    @property
    def paused(self) -> bool:
        return self._until is not None

    @property
    def on_trial(self) -> bool:
        """Whether it runs again, but isn't trusted yet."""
        return self._trial and not self.paused

    def allows(self, now: float) -> bool:
        """Whether it may run now; the first time after a pause is a trial."""
        if self._until is None:
            return True
        if now < self._until:
            return False
        self._until, self._trial, self._good = None, True, 0
        return True

    def took(self, seconds: float, now: float) -> bool:
        """It ran: whether it pauses from now on since it has been over its budget."""
        if seconds > self.budget_s:
            return self.bad(now)
        self._bad = 0
        self._good += 1
        if self._good >= PATIENCE:
            self._trial, self._pause_s = False, self._first_s
        return False

    def bad(self, now: float) -> bool:
        """It failed: whether it pauses from now on."""
        self._bad, self._good = self._bad + 1, 0
        if self._bad < PATIENCE and not self._trial:
            return False
        self._until = now + self._pause_s
        self._pause_s = min(2 * self._pause_s, LONGEST_RETRY_S)
        self._bad = 0
        return True
