"""Keeps one client from having more than its share: so many messages a second, no more."""

from __future__ import annotations


class Bucket:
    """Tokens that come back at `rate` a second, up to `burst`; `now` is told, never read."""

    def __init__(self, rate: float, burst: float, now: float) -> None:
        self._rate, self._burst = rate, burst
        self._tokens, self._at = burst, now

    def wait_s(self, now: float, *, keep: bool = True) -> float:
        """Take a token; how long to wait before going on, 0 where there was one.

        Without `keep` one that would have to wait takes none.
        """
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._rate)
        self._at = now
        if not keep and self._tokens < 1.0:
            return (1.0 - self._tokens) / self._rate
        self._tokens -= 1.0
        return max(0.0, -self._tokens / self._rate)
