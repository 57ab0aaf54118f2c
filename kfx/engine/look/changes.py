"""What a look is asked for, and a chain that is on its way to it."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from kfx.engine.look.chain import Chain
from kfx.engine.look.crossfade import Between, Progress
from kfx.engine.look.journal import Entry, Seen, State
from kfx.engine.look.modulate import Knobs
from kfx.errors import UsageError
from kfx.neural.session import follows_frame
from kfx.params import Value
from kfx.presets import Preset

Request = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Change:
    """Another preset, or the same one compiled anew."""

    preset: Preset
    seconds: float = 0.0
    beats: float = 0.0
    rebuild: bool = False  # a file that the preset uses has changed
    bypassed: frozenset[int] = frozenset()
    size: tuple[int, int] | None = None  # where it is another one
    begun: Progress | None = None  # of a fade that began before there was this look

    @property
    def fades(self) -> bool:
        return self.seconds > 0.0 or self.beats > 0.0

    def progress(self) -> Progress:
        """How far its fade is when it is first seen."""
        return self.begun or Progress(self.seconds, self.beats)

    def with_value(self, place: int, knob: str, value: Value) -> Change:
        return replace(self, preset=self.preset.with_value(place, knob, value))

    def with_bypass(self, place: int, on: bool) -> Change:
        others = self.bypassed - {place}
        return replace(self, bypassed=others | {place} if on else others)

    def seen(self, *, anew: bool = False) -> Seen:
        """This, for the journal."""
        return Seen(self.preset, self.bypassed, self.seconds, self.beats, anew)


@dataclass
class Coming:
    """A chain on its way: compiled step by step, then warmed up, then faded in."""

    change: Change
    chain: Chain
    steps: Iterator[None]
    warmed: bool = False
    progress: Progress | None = None  # once it is seen
    since: list[Entry] = field(default_factory=list)
    """What was done to it before it was seen, for the journal."""


class Wanted:
    """What was asked for last, before it is drawn; any thread may ask.

    Each request is a call that the drawing thread makes: `next` gives them one after the other.
    """

    def __init__(self, preset: Preset) -> None:
        self._lock = threading.Lock()
        self._preset, self._bypassed = preset, frozenset[int]()
        self._change: Change | None = None
        self._requests: deque[Request] = deque()

    @property
    def preset(self) -> Preset:
        with self._lock:
            return self._preset

    @property
    def bypassed(self) -> frozenset[int]:
        with self._lock:
            return self._bypassed

    @property
    def waits(self) -> bool:
        """Whether there is a request that wasn't made yet."""
        return bool(self._requests)

    def ask(self, request: Request) -> None:
        with self._lock:
            self._requests.append(request)

    def to(self, change: Change, apply: Callable[[Change], None]) -> None:
        """Another look."""
        with self._lock:
            self._preset, self._bypassed, self._change = change.preset, change.bypassed, change
            self._requests.append(lambda: apply(change))

    def set(
        self, place: int, knob: str, value: Value, apply: Callable[[int, str, Value], None]
    ) -> None:
        """Another value of a knob. Raises `UsageError`."""
        with self._lock:
            checked = self._preset.checked(place, knob, value)
            self._preset = self._preset.with_value(place, knob, checked)
            self._requests.append(lambda: apply(place, knob, checked))

    def bypass(self, place: int, on: bool, apply: Callable[[int, bool], None]) -> None:
        """One link out of the picture, or back. Raises `UsageError`."""
        with self._lock:
            if not 0 <= place < len(self._preset.chain):
                raise UsageError(f"chain[{place}]: there is no such effect in this look")
            before = self._bypassed
            self._bypassed = before | {place} if on else before - {place}
            self._requests.append(lambda: apply(place, on))

    def bypass_only(self, places: frozenset[int], apply: Callable[[int, bool], None]) -> None:
        """These links out of the picture and no others, in one request."""
        with self._lock:
            turned, self._bypassed = sorted(self._bypassed ^ places), places

            def request() -> None:
                for place in turned:
                    apply(place, place in places)

            self._requests.append(request)

    def next(self) -> Request | None:
        """The next request, None where there is none."""
        with self._lock:
            return self._requests.popleft() if self._requests else None

    def back(self, change: Change, preset: Preset, bypassed: frozenset[int]) -> None:
        """`change` can't be drawn: unless another was asked for since, this is what there is."""
        with self._lock:
            if self._change is change:
                self._preset, self._bypassed = preset, bypassed


def state_of(chain: Chain, coming: Coming | None) -> State:
    """How a look stands that is drawn by `chain`, on its way to `coming` where that is seen."""
    before, told = chain.knobs, chain.told
    firsts = [one.first_index for one in chain.programs.values() if one.first_index is not None]
    since = min(firsts, default=None)
    if isinstance(told, Between):
        before, after, at, anew = told.before, told.after, told.progress, False
    elif coming is not None and coming.progress is not None:
        after, at, anew = coming.chain.knobs, coming.progress, True
    else:
        return State(before.preset, frozenset(before.bypassed), since)
    seen = Seen(after.preset, frozenset(after.bypassed), at.seconds, at.beats, anew)
    return State(before.preset, frozenset(before.bypassed), since, seen, at.done, at.beat)


def knobs_of(change: Change, names: Mapping[int, str]) -> Knobs:
    knobs = Knobs(change.preset)
    knobs.names = names
    for place in change.bypassed:
        knobs.bypass(place, True)
    return knobs


def resizes(preset: Preset) -> bool:
    """Whether a look can be drawn at another size without losing what it holds.

    A still would be taken anew, and a net that takes frames as they come would be opened anew:
    that may take hundreds of megabytes.
    """
    return not any(
        follows_frame(link.effect.source)
        if link.effect.kind == "net"
        else getattr(link.effect.source, "holds", False)
        for link in preset.chain
    )
