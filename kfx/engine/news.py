"""Says what is to be told to the user: a fault once, and again when it comes back, calmly."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

QUIET_S = 0.8  # what wasn't heard for so long had ended; a fault of each frame lasts
CALM_S = (10.0, 20.0, 40.0, 80.0, 160.0, 300.0, 600.0)  # between two tellings of one place
FORGET = 10.0  # times as long without news, and a place begins anew
BACK = " is back"  # ends news of a place that works again
MOST_PLACES, MOST_TEXTS = 1000, 50
MOST_ALIKE = 20  # places whose names differ by numbers alone; further ones count as one


@dataclass
class _Text:
    heard_s: float
    times: int = 1


@dataclass
class _Waiting:
    text: str
    kind: str
    times: int
    since_s: float


class News:
    """`tell` and `due` return what is to be shown; both are told the time, which never falls.

    Each piece is about a place (a sink, a link of the chain, the source). What is new of it is
    told at once. What was told before and has come back is told as "again, 3rd time", no sooner
    than `CALM_S` after the last news of that place, and what follows on it at once: it is back.
    Of what comes meanwhile the newest waits for `due`, so that the last that is told is how
    things stand.
    """

    def __init__(self) -> None:
        self._places: dict[str, _Place] = {}
        self._alike: Counter[str] = Counter()

    def tell(self, text: str, now: float, *, about: str = "", kind: str = "") -> str | None:
        """What to show of `text` now, if anything.

        `about` names the place; without it the words before the first ``": "``, or before `BACK`,
        do. Texts of one `kind` count as the same, such as those that tell a number of seconds.
        """
        about = about or text.partition(": ")[0].removesuffix(BACK)
        if about not in self._places and self._alike[_alike(about)] >= MOST_ALIKE:
            about = _alike(about)
        place = self._places.pop(about, None)
        if place is None:
            place = _Place()
            self._alike[_alike(about)] += 1
            if len(self._places) >= MOST_PLACES:  # the one that was silent for longest goes
                self._forget(next(iter(self._places)))
        self._places[about] = place
        return place.tell(text, kind or text, now)

    def due(self, now: float) -> list[str]:
        """What has waited for long enough, in the order in which it happened."""
        ready = [place for place in self._places.values() if place.is_due(now)]
        ready.sort(key=lambda place: place.waiting.since_s if place.waiting else 0.0)
        return [text for place in ready if (text := place.release(now)) is not None]

    def _forget(self, about: str) -> None:
        del self._places[about]
        alike = _alike(about)
        self._alike[alike] -= 1
        if not self._alike[alike]:
            del self._alike[alike]


class _Place:
    """What was told of one place."""

    def __init__(self) -> None:
        self.waiting: _Waiting | None = None
        self._texts: dict[str, _Text] = {}
        self._told_s = 0.0
        self._calm = 0  # how often something was told again
        self._opens = ""  # the kind of what was told after a calm: what follows on it isn't held up

    def tell(self, text: str, kind: str, now: float) -> str | None:
        known = self._texts.get(kind)
        if known is None and len(self._texts) >= MOST_TEXTS:  # worded anew each time
            kind, known = "", self._texts.get("")
        if known is None:
            self._texts[kind] = _Text(now)
            self.waiting, self._told_s = None, now
            return text
        lasts = now - known.heard_s < QUIET_S
        known.heard_s = now
        if lasts:
            return None
        known.times += 1
        self.waiting = _Waiting(text, kind, known.times, now)
        return self.release(now) if self.is_due(now) else None

    def is_due(self, now: float) -> bool:
        if self.waiting is None:
            return False
        follows = self._opens not in ("", self.waiting.kind)
        return follows or now - self._told_s >= self._calm_s

    def release(self, now: float) -> str | None:
        """Tell what waits."""
        waiting, self.waiting = self.waiting, None
        if waiting is None:
            return None
        if self._opens and now - self._told_s < self._calm_s:
            self._opens = ""
        else:
            self._opens = waiting.kind
            fresh = now - self._told_s > FORGET * self._calm_s
            self._calm = 0 if fresh else min(self._calm + 1, len(CALM_S) - 1)
        self._told_s = now
        return f"{waiting.text} (again, {ordinal(waiting.times)} time)"

    @property
    def _calm_s(self) -> float:
        return CALM_S[self._calm]


def _alike(about: str) -> str:
    return re.sub(r"\d+", "0", about)


def ordinal(number: int) -> str:
    """``1st``, ``2nd``, ``3rd``, ``11th``, ``21st``."""
    teen = number % 100 in (11, 12, 13)
    return f"{number}{'th' if teen else {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th')}"
