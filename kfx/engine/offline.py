"""The offline loop: every frame of a source through a preset into a file, as fast as it goes.

Reading, tracking and writing have a thread each and the drawing is done here; order and result
are those of a plain loop.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from typing import Any, NamedTuple

from kfx import clock, sinks
from kfx.engine.aov import Aovs
from kfx.engine.aov_names import images
from kfx.engine.chain import Chain
from kfx.engine.fit import fitted
from kfx.engine.mailbox import Closed, Mailbox
from kfx.engine.stats import Stats
from kfx.engine.ticks import Ticks
from kfx.presets import Preset
from kfx.render.gpu import Gpu
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
    overwrite: bool = False,
    aov: tuple[str, ...] = (),
    aov_format: str = "png",
    hands: bool = False,
    progress: Progress | None = None,
    on_shot: Callable[[Shot], None] | None = None,
) -> Stats:
    """Render an open source to the sink `out` names.

    `start_s` and `stop_s` are what the source was cut to (for the audio). `aov` names what is
    written beside the picture, see `kfx.engine.aov_names`. With `hands`, hands stay in front of
    faces. `on_shot` sees every shot after it was handed to the sink. Raises `KfxError`; then, and
    on Ctrl-C, nothing is left of the output.
    """
    info = source.info
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
    )
    with (
        sinks.open(out, stream) as sink,
        Gpu() as gpu,
        Aovs(gpu, aov, out, stream, aov_format) as aovs,
        Chain(gpu, preset, size, aov=images(aov), hands=hands) as chain,
        Tracker(tracker) as faces_of,
        Person() as person,
        Hands() as hands_of,
    ):
        trackers = _Trackers(
            faces_of,
            person if chain.needs_person else None,
            hands_of if chain.needs_hands else None,
        )
        stats = Stats(size, info.rate, gpu.renderer, tracker)
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
            _draw(chain, aovs, stats, bpm, tracked, done, info.frame_count, progress, on_shot)
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


def _draw(
    chain: Chain,
    aovs: Aovs,
    stats: Stats,
    bpm: float,
    tracked: Mailbox[Tracked],
    done: Mailbox[Shot],
    total: int | None,
    progress: Progress | None,
    on_shot: Callable[[Shot], None] | None,
) -> None:
    ticks = Ticks(bpm)
    while True:
        try:
            one = tracked.take()
        except Closed:
            return
        assert one is not None
        tick = replace(ticks.tick(one.frame, one.faces), matte=one.matte, hands=one.hands)
        with stats.timed("render"):
            shot = Shot(chain.render(tick), tick)
            aovs.write(chain, tick)
        for text in chain.news():
            stats.warn(text)
        stats.count(tick.faces)
        done.put(shot)
        if done.closed:
            return  # the writer failed; its error is raised by the caller
        if on_shot:
            on_shot(shot)
        if progress:
            progress(stats.frames, total)


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
