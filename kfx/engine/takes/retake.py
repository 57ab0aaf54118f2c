"""Renders a take again, with its own look, another one, or a show.

What was recorded is drawn as it was drawn then: the same plates, faces, times, beats and signals,
repeated and undrawn frames too. So a look gives the very pictures it would have given live, and
the take's own look, with all that was done to it, those it gave.
Person mattes and hands are found again in the plates, and nets run with every frame.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from fractions import Fraction
from types import MappingProxyType

from kfx import clock, shows, sinks, sources
from kfx.engine.desk.conductor import Conductor
from kfx.engine.look.autobypass import Strict
from kfx.engine.look.look import Look
from kfx.engine.loop.keeper import undrawn
from kfx.engine.loop.switches import Switches
from kfx.engine.offline import Progress
from kfx.engine.stats import Stats
from kfx.engine.takes.repeat import Repeat
from kfx.engine.takes.take_sound import TakeSound
from kfx.errors import KfxError
from kfx.presets import Preset
from kfx.render.gpu import Gpu
from kfx.sync.grid import Grid
from kfx.sync.song import SongTime
from kfx.takes import clock_log
from kfx.takes.clock_log import Moment
from kfx.takes.document import Take
from kfx.takes.faces import FaceTrack
from kfx.tracking.hands import Hands
from kfx.tracking.person import Person
from kfx.types import Frame, Pixels, Shot, StreamInfo, Tick

MODES = ("live", "clean", "black", "freeze")


def render(
    take: Take,
    preset: Preset,
    out: str,
    *,
    show: str | None = None,
    repeat: Repeat | None = None,
    since: int | None = None,
    song: str | None = None,
    hands: bool = False,
    overwrite: bool = False,
    progress: Progress | None = None,
    on_shot: Callable[[Shot], None] | None = None,
) -> Stats:
    """Render a take to the sink `out` names; `show` is a show's file, and `repeat` what was done
    live, in place of `preset`. `since` is the index of the tick from which the show's effects
    counted their frames when the take began. Looks hear the file `song`, else the show's.

    Raises `KfxError`; then, and on Ctrl-C, nothing is left of the output.
    """
    moments = clock_log.load(take.file("clock"))
    faces = FaceTrack(take.file("faces"))
    rate = Fraction(*take.data["fps"])
    conductor, grid = None, None
    if show is not None:
        timeline = shows.build(shows.load(show))
        conductor = Conductor(timeline, Switches(), frame_s=float(1 / rate))
        preset, grid = conductor.first, timeline.show.grid
        song = song or timeline.show.song or None
    elif repeat is not None:
        preset = repeat.preset
    with ExitStack() as stack:
        source = stack.enter_context(sources.open(str(take.file("plate"))))
        info = source.info
        stream = StreamInfo(
            info.size,
            rate,
            timecode=take.data.get("start_tc"),
            has_alpha=info.has_alpha,
            overwrite=overwrite,
        )
        sink = stack.enter_context(sinks.open(out, stream))
        gpu = stack.enter_context(Gpu())
        care = repeat.care if repeat is not None else Strict
        look = Look(gpu, preset, info.size, hands=hands, on_fault=_raise, at_once=True, care=care)
        stack.enter_context(look)
        if conductor is not None:
            conductor.play_on(look)
        elif repeat is not None:
            repeat.begin(look)
        stats = Stats(info.size, rate, gpu.renderer, "take")
        look.names = take.members
        again = _Again(look, stats, conductor, grid, stack, repeat=repeat, hands=hands)
        again.since = since
        sound = TakeSound(song, stats.warn)
        for moment, frame in _frames(moments, source.frames(), take):
            tick = moment.tick_of(frame.pixels, faces.at(moment.shot))
            tick = replace(tick, sound=sound.at(tick))
            shot = again.shot(moment, tick)
            with stats.timed("write"):
                sink.write(shot)
            if on_shot:
                on_shot(shot)
            if progress:
                progress(stats.frames, len(moments))
        for warning in getattr(sink, "warnings", ()):
            stats.warn(warning)
        stats.ended = clock.now()
        return stats


class _Again:
    """Draws a take moment by moment."""

    def __init__(
        self,
        look: Look,
        stats: Stats,
        conductor: Conductor | None,
        grid: Grid | None,
        stack: ExitStack,
        *,
        repeat: Repeat | None,
        hands: bool,
    ) -> None:
        self._look, self._stats = look, stats
        self._conductor, self._grid = conductor, grid
        self._repeat = repeat
        coming = conductor or repeat
        needs_person = look.needs_person or (coming is not None and coming.needs_person)
        self._person = stack.enter_context(Person()) if needs_person else None
        self._hands = stack.enter_context(Hands()) if hands else None
        self._last: Shot | None = None
        self._drew = False
        self.since: int | None = None

    def shot(self, moment: Moment, tick: Tick) -> Shot:
        """The shot of one moment."""
        if moment.mode not in MODES:
            raise KfxError(f"clock: shot {moment.shot}: there is no mode {moment.mode[:40]!r}")
        mode = moment.mode
        if self._person is not None and self._finds(moment):
            tick = replace(tick, matte=self._person.matte(tick.frame))
        if self._conductor is not None:
            tick, shown = self._cued(self._conductor, moment, tick)
            mode = shown if mode == "live" else mode
        drawn = moment.drawn and mode not in ("black", "freeze")
        if self._repeat is not None and moment.drawn and not self._repeat.before(moment.shot):
            drawn, mode = False, "clean" if mode == "live" else mode
        with self._stats.timed("render"):
            pixels: Pixels
            if drawn:
                pixels = self._draw(tick)
            if not drawn or mode != "live":
                pixels = undrawn(mode, tick.frame, self._last)
        if not moment.filler:
            self._drew = drawn
        for text in self._look.news():
            self._stats.warn(text)
        self._stats.count(tick.faces)
        # Files lie on the take's own time, whatever the camera's was.
        frame = replace(tick.frame, time=_on_grid(moment.time_s, self._stats.rate))
        self._last = Shot(pixels, replace(tick, frame=frame, index=moment.shot))
        return self._last

    def _finds(self, moment: Moment) -> bool:
        """Whether to look for people: a matte follows those before it, so where live did."""
        if self._repeat is not None and moment.matte is not None:
            return moment.matte
        return moment.drawn

    def _draw(self, tick: Tick) -> Pixels:
        if not self._drew:  # as after a pause of the live show
            self._look.reset()
            if self.since is not None:  # a take that began while the show ran
                self._look.resume(self.since)
            self.since = None
        if self._hands is not None and tick.faces:
            tick = replace(tick, hands=self._hands.find(tick.frame))
        return self._look.render(tick)

    def _cued(self, conductor: Conductor, moment: Moment, tick: Tick) -> tuple[Tick, str]:
        """The tick with the beats and signals of the show, and the mode it asks for."""
        assert self._grid is not None
        beat = self._grid.beat_at(moment.song_s)
        bar = self._grid.bar_of(beat)
        song = SongTime(moment.song_s, moment.song_rate, bar, beat, beat % 1.0, "locked", "take")
        signals = {**tick.signals, **conductor.hear(song)}
        tick = replace(tick, beat=beat, bar=bar, signals=MappingProxyType(signals))
        return tick, conductor.switches.shown


def _frames(
    moments: list[Moment], frames: Iterator[Frame], take: Take
) -> Iterator[tuple[Moment, Frame]]:
    """Each moment with its plate. Raises `KfxError` where plates are missing."""
    if not moments:
        raise KfxError(f"{take.folder}: its clock has no frames")
    count = 0
    for moment, frame in zip(moments, frames, strict=False):
        count += 1
        yield moment, frame
    if count < len(moments) and take.data.get("frames"):
        raise KfxError(
            f"{take.folder}: its plate has {count} of {len(moments)} frames; is the file whole?"
        )


def _on_grid(time_s: float, rate: Fraction) -> Fraction:
    """A time as a frame of the take's rate where it is one."""
    near = round(time_s * rate) / rate
    return near if abs(float(near) - time_s) < 1e-6 else Fraction(time_s)


def _raise(text: str) -> None:
    raise KfxError(text)
