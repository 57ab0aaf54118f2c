"""The look of a show while it runs: a chain whose preset may change at any frame.

Any thread may ask for a change; it happens in the drawing thread, at the start of a frame. What
must be compiled is compiled one program a frame while the old look goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from types import TracebackType
from typing import Any

import moderngl

from kfx.engine.look.autobypass import Care, Strict
from kfx.engine.look.chain import Chain
from kfx.engine.look.changes import Change, Coming, Wanted, knobs_of, resizes, state_of
from kfx.engine.look.crossfade import Between, Dissolve, Progress, fades_by_knobs, same_chain
from kfx.engine.look.journal import Bypassed, Dropped, Entry, Journal, Turned
from kfx.engine.look.needs import Needs
from kfx.engine.look.prepared import Prepared
from kfx.engine.look.quality import full
from kfx.engine.loop.picture import scaled
from kfx.errors import UsageError
from kfx.neural.worker import Inline, Pace
from kfx.params import Value
from kfx.presets import Preset
from kfx.render.gpu import Gpu
from kfx.types import Face, Pixels, Tick

_END = "the end"


class Look(Needs):
    """``with Look(gpu, preset, size) as look: pixels = look.render(tick)``.

    Use it in place of a `Chain`; made and drawn in the thread that owns `gpu`. `change`, `set`,
    `bypass` and `preset` may be used from any thread. What can't be drawn is told to `on_fault`
    (in the drawing thread) and the running look stays.
    """

    def __init__(
        self,
        gpu: Gpu,
        preset: Preset,
        size: tuple[int, int],
        *,
        aov: tuple[str, ...] = (),
        hands: bool = False,
        pace: Pace = Inline,
        on_fault: Callable[[str], None] | None = None,
        at_once: bool = False,
        care: Callable[[Preset], Care] = Strict,
        quality: Callable[[], float] = full,
        build: Callable[[Chain], Iterator[None]] = Chain.build,
    ) -> None:
        """Raises `KfxError` where the first preset can't be compiled. `pace` is for its nets.

        With `at_once` a change is compiled before the next frame is drawn, however long it takes.
        `build` compiles each later chain, a step a frame.
        """
        self.size = size
        self._gpu = gpu
        self._on_fault = on_fault or (lambda text: None)
        self._make = partial(
            Chain, gpu, aov=aov, hands=hands, pace=pace, care=care, quality=quality
        )
        self._at_once = at_once
        self._full_size = self._next_size = size
        self._build = build
        self._prepared = Prepared(self._later, build)
        self._chain = self._make(preset, size)
        self._dissolve = Dissolve(gpu)
        self._coming: Coming | None = None
        self._waiting: Change | None = None
        self._names: Mapping[int, str] = {}
        self._wanted = Wanted(preset)
        self.journal = Journal()

    def __enter__(self) -> Look:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: object, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give everything back to the GPU."""
        self._drop_coming()
        self._prepared.close()
        self._chain.close()
        self._dissolve.release()

    # What any thread may ask.

    @property
    def preset(self) -> Preset:
        """The look as it was asked for last, with all values that were set since."""
        return self._wanted.preset

    @property
    def bypassed(self) -> frozenset[int]:
        """The places of the chain that are taken out of the picture."""
        return self._wanted.bypassed

    def change(
        self,
        preset: Preset,
        *,
        seconds: float = 0.0,
        beats: float = 0.0,
        rebuild: bool = False,
        bypassed: frozenset[int] = frozenset(),
        begun: Progress | None = None,
    ) -> None:
        """Go over to another preset, over so many seconds or beats; at once by default.

        `rebuild` compiles it anew though nothing in it has changed: a shader's file has. Its links
        at the places `bypassed` aren't drawn. While a fade runs the next change waits for its end,
        and of several the last counts. With `begun` the fade goes on from there.
        """
        fade = (max(0.0, seconds), max(0.0, beats))
        self._wanted.to(Change(preset, *fade, rebuild, bypassed, begun=begun), self._to)

    def prepare(self, preset: Preset) -> None:
        """Get a look ready in good time: a `change` to this very preset is then seen at once."""
        self._wanted.ask(lambda: self._prepared.want(preset))

    def set(self, place: int, knob: str, value: Value) -> None:
        """Give one knob another value from the next frame on.

        Raises `UsageError` for a place, knob or value there isn't.
        """
        self._wanted.set(place, knob, value, self._set)

    def bypass_only(self, places: frozenset[int]) -> None:
        """Take just these links out of the picture, all with the same frame."""
        self._wanted.bypass_only(places, self._bypass)

    def drop(self) -> None:
        """Give up what is fading in, or about to: the look before it stays."""
        self._wanted.ask(self._drop_coming)

    def bypass(self, place: int, on: bool) -> None:
        """Take one link out of the picture from the next frame on, or put it back."""
        self._wanted.bypass(place, on, self._bypass)

    @property
    def moved(self) -> tuple[Preset, Sequence[Mapping[str, Value]]]:
        """See `Knobs.now`."""
        return self._chain.knobs.now

    # What belongs to the drawing thread.

    @property
    def settled(self) -> bool:
        """Whether nothing is being compiled or faded, and nothing waits."""
        return self.idle and not (self._wanted.waits or self._waiting)

    @property
    def care(self) -> Care:
        """What becomes of faults in the look that is shown."""
        return self._chain.care

    @property
    def compiled(self) -> int:
        """See `Chain.compiled`."""
        return self._gpu.compiled

    @property
    def shown(self) -> tuple[Face, ...]:
        """The faces of the last tick as drawn."""
        return self._chain.shown

    @property
    def names(self) -> Mapping[int, str]:
        """The names of pinned slots, which presets route by: set it from `Tracker.names`."""
        return self._names

    @names.setter
    def names(self, names: Mapping[int, str]) -> None:
        self._names = dict(names)
        for chain in self._chains():
            chain.knobs.names = self._names

    @property
    def nets(self) -> list[dict[str, Any]]:
        """What a report says of each net, see `Chain.nets`."""
        return self._chain.nets

    def news(self) -> list[str]:
        """What nets have to tell since the last call, each thing once."""
        return [text for chain in self._chains() for text in chain.news()]

    def reset(self) -> None:
        """A cut: no effect remembers anything."""
        for chain in self._chains():
            chain.reset()

    def resize(self, size: tuple[int, int]) -> None:
        """Draw at another size once that is compiled; looks that don't `resizes` keep their own."""
        self._next_size = size

    @property
    def resizes(self) -> bool:
        """Whether the look that is shown loses nothing by it but detail."""
        return resizes(self._chain.knobs.preset)

    def resume(self, index: int) -> None:
        """After `reset`: shaders count their frames from the tick with this index on."""
        for program in self._chain.programs.values():
            program.first_index = index

    def image(self, name: str) -> moderngl.Texture:
        """An image that was asked for as `aov`, as the last tick drew it."""
        return self._chain.image(name)

    def render(self, tick: Tick) -> Pixels:
        """The finished picture of a tick, (h, w, 4) uint8, read-only."""
        self.journal.begin(state_of(self._chain, self._coming))
        while (request := self._wanted.next()) is not None:
            request()
        coming = self._coming
        if coming is not None and coming.progress is not None:
            pixels = self._faded(coming, coming.progress, tick)
            self.journal.end(tick.index)
        else:
            try:
                pixels = self._chain.render(tick)
                self.journal.end(tick.index)
            finally:  # a look that fails must not keep its successor from coming
                if coming is not None:
                    self._work(coming, tick)
                else:
                    self._prepared.work(tick)
        told = self._chain.told
        if isinstance(told, Between) and told.done:
            self._chain.told = self._chain.knobs
        if self._waiting is not None and self.idle:
            change, self._waiting = self._waiting, None
            self._start(change)
        elif self.idle and (size := self._size_of(self._chain.knobs.preset)) != self.size:
            now = self._chain.knobs
            self._start(Change(now.preset, 0, 0, True, frozenset(now.bypassed), size))
        return pixels

    @property
    def idle(self) -> bool:
        """Whether nothing is being compiled or faded."""
        return self._coming is None and not isinstance(self._chain.told, Between)

    def _chains(self) -> tuple[Chain, ...]:
        return (self._chain, *([self._coming.chain] if self._coming else []))

    def _ready(self) -> tuple[Chain, ...]:
        return self._prepared.chains

    def _note(self, chain: Chain, entry: Entry) -> None:
        """For the journal; what is done to a look that isn't seen yet comes with it."""
        coming = self._coming
        if coming is not None and coming.chain is chain and coming.progress is None:
            coming.since.append(entry)
        else:
            self.journal.add(entry)

    def _to(self, change: Change) -> None:
        coming = self._coming
        if coming is not None and coming.progress is None:
            self._drop_coming()  # nobody has seen it yet
        self._waiting = None if self.idle else change
        if self._waiting is None:
            self._start(change)

    def _set(self, place: int, knob: str, value: Value) -> None:
        if self._waiting is not None:
            self._waiting = self._waiting.with_value(place, knob, value)
            return
        chain = self._chains()[-1]
        try:
            planned = chain.set(place, knob, value)
        except UsageError:  # it was meant for a look that couldn't be drawn
            return
        if planned:
            self._note(chain, Turned(place, knob, value))
        else:
            self._to(Change(chain.knobs.preset, bypassed=frozenset(chain.knobs.bypassed)))

    def _bypass(self, place: int, on: bool) -> None:
        if self._waiting is not None:
            self._waiting = self._waiting.with_bypass(place, on)
            return
        chain = self._chains()[-1]
        chain.bypass(place, on)
        self._note(chain, Bypassed(place, on))

    def _start(self, change: Change) -> None:
        """Begin a change, while nothing else is on its way."""
        chain = self._chain
        before, fades = chain.knobs.preset, change.fades
        fits = fades_by_knobs(before, change.preset) if fades else same_chain(before, change.preset)
        if fits and not change.rebuild and chain.draws_all_of(change.preset):
            old = chain.knobs
            chain.take(knobs_of(change, self._names))
            if fades:
                chain.told = Between(old, chain.knobs, change.progress())
            self.journal.add(change.seen())
            return
        size = change.size or (self.size if fades else self._size_of(change.preset))
        new = ready = None if change.rebuild else self._prepared.take(change.preset, size)
        try:
            if change.size:  # the same look: what was left out of it stays so
                new = self._make(change.preset, size, later=True, care=lambda _: chain.care)
            new = new or self._later(change.preset, size)
            steps = iter(()) if ready else self._build(new)
            if self._at_once:
                steps = iter(list(steps))
        except Exception as error:  # whatever a look does, the show goes on
            if new:
                new.close()
            self._fault(error, change)
            return
        new.take(knobs_of(change, self._names))
        self._coming = coming = Coming(change, new, steps)
        if ready or self._at_once:
            self._arrive(coming)

    def _size_of(self, preset: Preset) -> tuple[int, int]:
        return self._next_size if resizes(preset) else self._full_size

    def _later(self, preset: Preset, size: tuple[int, int] | None = None) -> Chain:
        """A chain that is still to be compiled."""
        return self._make(preset, size or self.size, later=True)

    def _work(self, coming: Coming, tick: Tick) -> None:
        """One step of compiling and warming up; at the end of it the chain is ready."""
        try:
            if next(coming.steps, _END) is None:
                return
            if not coming.warmed:
                if coming.chain.size != self.size:
                    tick = scaled(tick, coming.chain.size)
                coming.warmed, coming.steps = True, coming.chain.warm(tick)
                return
        except Exception as error:
            self._drop_coming()
            self._fault(error, coming.change)
            return
        self._arrive(coming)

    def _arrive(self, coming: Coming) -> None:
        """A chain is ready: it is faded in, or takes over before the next picture."""
        for entry in (coming.change.seen(anew=True), *coming.since):
            self.journal.add(entry)
        if coming.change.fades:
            coming.progress = coming.change.progress()
        else:
            self._take_over(coming)

    def _faded(self, coming: Coming, progress: Progress, tick: Tick) -> Pixels:
        amount = progress.step(tick)
        old, new = self._chain, coming.chain
        old.upload(tick)
        old.draw(tick)
        try:
            new.upload(tick)
            new.draw(tick)
        except Exception as error:
            self.journal.add(Dropped())
            self._drop_coming()
            self._fault(error, coming.change)
            return old.read()
        new.draw_over(lambda to, top: self._dissolve.draw(to, old.canvas, top, amount))
        pixels = new.read()
        if progress.done >= 1.0:
            self._take_over(coming)
        return pixels

    def _take_over(self, coming: Coming) -> None:
        old, self._chain, self._coming = self._chain, coming.chain, None
        if coming.change.size:
            self._chain.inherit(old)
        old.close()
        if self._chain.size != self.size:
            self.size = self._chain.size
            self._prepared.close()  # they are of the other one

    def _drop_coming(self) -> None:
        if self._coming is not None:
            self._coming.chain.close()
            self._coming = None

    def _fault(self, error: Exception, change: Change) -> None:
        if change.size is not None:
            self._next_size = self.size
        knobs = self._chain.knobs
        self._wanted.back(change, knobs.preset, frozenset(knobs.bypassed))
        self._on_fault(f"{change.preset.path or change.preset.name}: {error}; the old look stays")
