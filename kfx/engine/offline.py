"""The offline loop: every frame of a source through a preset into a file, as fast as it goes.

Reading, tracking and writing have a thread each and the drawing is done here; order and result
are those of a plain loop.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from fractions import Fraction
from typing import Any, NamedTuple

from kfx import clock, sinks, sources
from kfx.engine.aov import Aovs
from kfx.engine.aov_names import images
from kfx.engine.desk.conductor import Conductor
from kfx.engine.fit import fitted
from kfx.engine.look.chain import Chain
from kfx.engine.look.look import Look
from kfx.engine.loop.keeper import undrawn
from kfx.engine.loop.switches import Switches
from kfx.engine.mailbox import Closed, Mailbox
from kfx.engine.stats import Stats
from kfx.engine.ticks import Ticks
from kfx.errors import KfxError
from kfx.presets import Preset
from kfx.render.gpu import Gpu
from kfx.sinks.landing import check_not_read
from kfx.sync.sound import Recording
from kfx.tracking.hands import Hands
from kfx.tracking.person import Person
from kfx.tracking.tracker import Tracker
from kfx.types import Face, Frame, Hand, Matte, Shot, Sink, Source, StreamInfo

AHEAD = 4  # frames each thread may be ahead of the next

Progress = Callable[[int, "int | None"], None]
"""Called after each frame with the frames done and, where known, the frames there are."""


class Tracked(NamedTuple):
    frame: Frame
    faces: tuple[Face, ...]
    matte: Matte | None
    hands: tuple[Hand, ...]


class _Trackers(NamedTuple):
    """What is tracked: faces always, the rest where the chain asks for it."""

    faces: Tracker
    person: Person | None
    hands: Hands | None


def render(
    source: Source,
    preset: Preset,
    out: str,
    *,
    size: tuple[int, int] | None = None,
    start_s: Fraction = Fraction(0),
    stop_s: Fraction | None = None,
    tracker: str = "mediapipe",
    bpm: float = 120.0,
    ticks: Ticks | None = None,
    overwrite: bool = False,
    aov: tuple[str, ...] = (),
    aov_format: str = "png",
    hands: bool = False,
    pins: Mapping[int, str] | None = None,
    conductor: Conductor | None = None,
    progress: Progress | None = None,
    on_shot: Callable[[Shot], None] | None = None,
) -> Stats:
    """Render an open source to the sink `out` names.

    `start_s` and `stop_s` are what the source was cut to (for the audio). `ticks` stand for a
    song other than a steady `bpm`; a show's `conductor` must be their cues. `aov` names what is
    written beside the picture, see `kfx.engine.aov_names`. With `hands`, hands stay in front of
    faces. `pins` names slots and keeps each for its performer. `on_shot` sees every shot after
    it was handed to the sink. Raises `KfxError`; then, and on Ctrl-C, nothing is left of the
    output.
    """
    info = source.info
    check_not_read(out, sources.parse(info.spec).rest)
    size = size or info.size
    stream = StreamInfo(
        size,
        info.rate,
        timecode=info.timecode,
        has_alpha=info.has_alpha,
        colour=info.colour,
        audio=info.audio,
        audio_from=start_s,
        audio_to=stop_s,
        overwrite=overwrite,
        first_number=info.first_number,
    )
    with (
        sinks.open(out, stream) as sink,
        Gpu() as gpu,
        Aovs(gpu, aov, out, stream, aov_format) as aovs,
        _opened(gpu, preset, size, images(aov), hands, conductor) as chain,
        Tracker(tracker) as faces_of,
        Person() as person,
        Hands() as hands_of,
    ):
        for slot, name in (pins or {}).items():
            faces_of.pin(slot, name)
        (chain if isinstance(chain, Look) else chain.knobs).names = faces_of.names
        trackers = _Trackers(
            faces_of,
            person if chain.needs_person or (conductor and conductor.needs_person) else None,
            hands_of if chain.needs_hands or (conductor and hands) else None,
        )
        stats = Stats(size, info.rate, gpu.renderer, tracker)
        if chain.nets:
            stats.show["nets"] = chain.nets
        for note in info.notes:
            stats.warn(note)
        read: Mailbox[Frame] = Mailbox(AHEAD, newest=False, wait=True)
        tracked: Mailbox[Tracked] = Mailbox(AHEAD, newest=False, wait=True)
        done: Mailbox[Shot] = Mailbox(AHEAD, newest=False, wait=True)
        threads = [
            _thread("read", lambda: _read(source, size, stats, read), read),
            _thread("track", lambda: _track(trackers, stats, read, tracked), tracked, read),
        ]
        written: Mailbox[None] = Mailbox()
        writer = _thread("write", lambda: _write(sink, stats, done), written, done)
        try:
            moments = ticks or Ticks(bpm)
            if moments.sound is None and info.audio is not None:
                clip = Recording(info.audio)  # which is read when a shader asks for sound
                moments.sound = lambda moment: clip.sound(moment.frame_s)
            switches = conductor.switches if conductor else None
            draws = _Draws(chain, aovs, stats, moments, switches)
            _draw(draws, tracked, done, info.frame_count, progress, on_shot)
            done.close()
            writer.join()
            _raise_error_of(written)
        finally:
            for box in (read, tracked, done):
                box.close(discard=True)
            source.close()
            for thread in (*threads, writer):
                thread.join()
        for warning in (*getattr(source, "warnings", ()), *getattr(sink, "warnings", ())):
            stats.warn(warning)
        stats.ended = clock.now()
        return stats


def _opened(
    gpu: Gpu,
    preset: Preset,
    size: tuple[int, int],
    aov: tuple[str, ...],
    hands: bool,
    conductor: Conductor | None,
) -> Chain | Look:
    """What draws: a chain, or a look where a show changes it."""
    if conductor is None:
        return Chain(gpu, preset, size, aov=aov, hands=hands)
    look = Look(gpu, preset, size, aov=aov, hands=hands, on_fault=_raise, at_once=True)
    conductor.play_on(look)
    return look


def _raise(text: str) -> None:
    raise KfxError(text)


class _Draws(NamedTuple):
    """What makes shots of frames."""

    chain: Chain | Look
    aovs: Aovs
    stats: Stats
    ticks: Ticks
    switches: Switches | None

    def shot(self, one: Tracked, last: Shot | None) -> Shot:
        """The finished picture of a frame, or what a show puts in its place."""
        self.ticks.hear(one.frame)
        tick = self.ticks.tick(one.frame, one.faces)
        tick = replace(tick, matte=one.matte, hands=one.hands)
        mode = self.switches.shown if self.switches else "live"
        with self.stats.timed("render"):
            if mode == "live":
                shot = Shot(self.chain.render(tick), tick)
                self.aovs.write(self.chain, tick)
            else:
                shot = Shot(undrawn(mode, one.frame, last), tick)
        for text in self.chain.news():
            self.stats.warn(text)
        self.stats.count(tick.faces)
        return shot


def _draw(
    draws: _Draws,
    tracked: Mailbox[Tracked],
    done: Mailbox[Shot],
    total: int | None,
    progress: Progress | None,
    on_shot: Callable[[Shot], None] | None,
) -> None:
    shot: Shot | None = None
    while True:
        try:
            one = tracked.take()
        except Closed:
            return
        assert one is not None
        try:
            shot = draws.shot(one, shot)
        except KfxError as error:
            at = f"after {draws.stats.frames} frames, at {float(one.frame.time):.3f} s"
            raise KfxError(f"{error} ({at})") from error
        done.put(shot)
        if done.closed:
            return  # the writer failed; its error is raised by the caller
        if on_shot:
            on_shot(shot)
        if progress:
            progress(draws.stats.frames, total)


def _read(source: Source, size: tuple[int, int], stats: Stats, out: Mailbox[Frame]) -> None:
    frames = iter(source.frames())
    while not out.closed:
        with stats.timed("read"):
            frame = next(frames, None)
        if frame is None:
            break
        out.put(fitted(frame, size))


def _track(trackers: _Trackers, stats: Stats, read: Mailbox[Frame], out: Mailbox[Tracked]) -> None:
    while (frame := read.take()) is not None:
        with stats.timed("track"):
            faces = trackers.faces.track(frame)
            matte = trackers.person.matte(frame) if trackers.person else None
            hands = trackers.hands.find(frame) if trackers.hands and faces else ()
        out.put(Tracked(frame, faces, matte, hands))


def _write(sink: Sink, stats: Stats, done: Mailbox[Shot]) -> None:
    while (shot := done.take()) is not None:
        with stats.timed("write"):
            sink.write(shot)


def _thread(
    name: str, work: Callable[[], None], out: Mailbox[Any], *inputs: Mailbox[Any]
) -> threading.Thread:
    """Run `work`; at its end close `out`, with its error if it had one, and its inputs too."""

    def run() -> None:
        error: BaseException | None = None
        try:
            work()
        except Closed:
            pass
        except BaseException as raised:  # carried over to the drawing thread
            error = raised
        out.close(error)
        for box in inputs:
            box.close(discard=True)

    thread = threading.Thread(target=run, name=f"kfx-{name}", daemon=True)
    thread.start()
    return thread


def _raise_error_of(box: Mailbox[None]) -> None:
    try:
        box.take(0.0)
    except Closed:
        return
