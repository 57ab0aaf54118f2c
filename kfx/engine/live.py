"""The live loop: newest frame in, picture out to every sink, whatever breaks on the way.

Capture runs in its own thread, tracking and drawing here, each sink in its own thread behind a
mailbox of depth one. A late frame is skipped and counted, never owed. A fault is reported once:
a failing tracker means no faces, a failing effect the clean plate, a failing sink its end.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from kfx import clock, sinks
from kfx.engine.chain import Chain
from kfx.engine.fit import fitted
from kfx.engine.mailbox import Closed, Mailbox
from kfx.engine.stats import Stats
from kfx.engine.ticks import Ticks
from kfx.errors import KfxError
from kfx.presets import Preset
from kfx.render.gpu import Gpu
from kfx.tracking.hands import Hands
from kfx.tracking.person import Person
from kfx.tracking.tracker import Tracker
from kfx.types import Face, Frame, Hand, Matte, Pixels, Shot, Sink, Source, StreamInfo, Tick

RETRY_S = 1.0  # a lost camera is tried again after so long
FILE_QUEUE = 90  # frames a recording may fall behind before it is given up

Opener = Callable[[], Source]
Status = Callable[[Stats], None]


@dataclass
class _Output:
    """A sink, its mailbox and its thread."""

    spec: str
    sink: Sink
    box: Mailbox[Shot]
    thread: threading.Thread | None = None
    failed: bool = False


@dataclass
class _Others:
    """What is tracked beside faces, where the chain asks for it."""

    person: Person | None
    hands: Hands | None

    def seen(self, tick: Tick, stats: Stats) -> Tick:
        matte: Matte | None = None
        hands: tuple[Hand, ...] = ()
        try:
            matte = self.person.matte(tick.frame) if self.person else None
            hands = self.hands.find(tick.frame) if self.hands and tick.faces else ()
        except Exception as error:  # whatever it is, the picture goes on
            stats.warn(f"person matte and hands: {error}")
        return replace(tick, matte=matte, hands=hands)

    def reset(self) -> None:
        for one in (self.person, self.hands):
            if one:
                one.reset()


def run(
    open_source: Opener,
    preset: Preset,
    outputs: list[str],
    *,
    size: tuple[int, int] | None = None,
    seconds: float | None = None,
    tracker: str = "mediapipe",
    bpm: float = 120.0,
    loop: bool = False,
    hands: bool = False,
    overwrite: bool = False,
    status: Status | None = None,
    ready: Callable[[Stats, list[Sink]], None] | None = None,
    stop: threading.Event | None = None,
) -> Stats:
    """Run until `seconds` are over, the source has ended, `stop` is set, or Ctrl-C.

    `ready` is called once with the open sinks, `status` about twice a second. Raises `KfxError`
    if nothing can start, or when the last sink has failed.
    """
    stop = stop or threading.Event()
    with ExitStack() as stack:
        source = stack.enter_context(open_source())
        info = source.info
        size = size or info.size
        stream = StreamInfo(
            size,
            info.rate,
            timecode=info.timecode,
            colour=info.colour,
            has_alpha=info.has_alpha,
            live=True,
            overwrite=overwrite,
        )
        gpu = stack.enter_context(Gpu())
        chain = stack.enter_context(Chain(gpu, preset, size, hands=hands))
        faces_of = stack.enter_context(Tracker(tracker))
        person = stack.enter_context(Person()) if chain.needs_person else None
        hands_of = stack.enter_context(Hands()) if chain.needs_hands else None
        others = _Others(person, hands_of)
        stats = Stats(size, info.rate, gpu.renderer, tracker)
        for note in info.notes:
            stats.warn(note)
        ends = [_output(spec, stack.enter_context(sinks.open(spec, stream))) for spec in outputs]
        captured: Mailbox[Frame] = Mailbox()
        # Frames are timed from here on: loading MediaPipe and GL isn't the show.
        _warm_up(chain, faces_of, others, size, stats)
        capture = threading.Thread(
            target=_capture,
            args=(source, open_source, captured, stats, stop, loop),
            name="kfx-capture",
            daemon=True,
        )
        for end in ends:
            end.thread = threading.Thread(
                target=_deliver, args=(end, stats), name=f"kfx-{end.spec}", daemon=True
            )
            end.thread.start()
        if ready:
            ready(stats, [end.sink for end in ends])
        stats.started = clock.now()
        capture.start()
        try:
            _loop(
                chain,
                faces_of,
                others,
                captured,
                ends,
                stats,
                Ticks(bpm),
                size,
                seconds,
                status,
                stop,
            )
        except KeyboardInterrupt:
            pass  # the usual way to end a show: what was recorded is kept
        finally:
            stop.set()
            captured.close(discard=True)
            source.close()
            for end in ends:
                end.box.close()
                if end.thread:
                    end.thread.join()
            capture.join(timeout=5.0)
            stats.ended = clock.now()
            stats.dropped["capture"] = captured.dropped
            for end in ends:
                stats.dropped[end.spec] = end.box.dropped
            _note_news(ends, stats)
        if ends and all(end.failed for end in ends):
            raise KfxError("; ".join(stats.warnings) or "every sink has failed")
        return stats


def _output(spec: str, sink: Sink) -> _Output:
    if sinks.kind_of(spec) == "file":
        return _Output(spec, sink, Mailbox(FILE_QUEUE, newest=False))
    return _Output(spec, sink, Mailbox())


def _loop(
    chain: Chain,
    tracker: Tracker,
    others: _Others,
    captured: Mailbox[Frame],
    ends: list[_Output],
    stats: Stats,
    ticks: Ticks,
    size: tuple[int, int],
    seconds: float | None,
    status: Status | None,
    stop: threading.Event,
) -> None:
    until = None if seconds is None else stats.started + seconds
    told = stats.started
    while not stop.is_set() and (until is None or clock.now() < until):
        if status and clock.now() - told >= 0.5:
            told = clock.now()
            _note_news(ends, stats)
            status(stats)
        try:
            frame = captured.take(0.1)
        except Closed:
            return
        if frame is None:
            continue
        frame = fitted(frame, size)
        with stats.timed("track"):
            faces = _faces(tracker, frame, stats)
            tick = others.seen(ticks.tick(frame, faces), stats)
        with stats.timed("render"):
            pixels = _picture(chain, tick, stats)
        stats.count(faces)
        shot = Shot(pixels, tick)
        for end in ends:
            if not end.failed:
                _offer(end, shot, stats)
        if ends and all(end.failed for end in ends):
            return


def _note_news(ends: list[_Output], stats: Stats) -> None:
    for end in ends:
        for warning in list(getattr(end.sink, "warnings", ())):
            stats.warn(f"{end.spec}: {warning}")


def _faces(tracker: Tracker, frame: Frame, stats: Stats) -> tuple[Face, ...]:
    try:
        return tracker.track(frame)
    except Exception as error:  # whatever it is, the picture goes on
        stats.warn(f"tracker: {error}")
        return ()


def _picture(chain: Chain, tick: Tick, stats: Stats) -> Pixels:
    try:
        return chain.render(tick)
    except Exception as error:  # whatever it is, the picture goes on
        stats.warn(f"effects bypassed: {error}")
        return tick.frame.pixels


def _offer(end: _Output, shot: Shot, stats: Stats) -> None:
    try:
        end.box.put(shot)
    except KfxError as error:
        end.failed = True
        stats.warn(f"{end.spec}: {error}; the recording ends here")
        end.box.close()


def _deliver(end: _Output, stats: Stats) -> None:
    waits = stats.latency.setdefault(end.spec, [])
    try:
        while (shot := end.box.take()) is not None:
            with stats.timed("write"):
                end.sink.write(shot)
            waits.append(clock.now() - shot.tick.frame.captured)
    except Closed:
        return
    except Exception as error:  # one sink's fault must not end the others
        end.failed = True
        stats.warn(f"{end.spec}: {error}")
        end.box.close(discard=True)


def _capture(
    source: Source,
    reopen: Opener,
    out: Mailbox[Frame],
    stats: Stats,
    stop: threading.Event,
    loop: bool,
) -> None:
    """Feed `out` until the source ends; a lost camera is opened again, a file may loop."""
    offset = Fraction(0)
    try:
        while not stop.is_set():
            try:
                offset = _feed(source, out, stats, stop, offset)
                if source.info.live or not loop:
                    return
            except KfxError as error:
                stats.warn(str(error))
                if not source.info.live:
                    return
            source.close()
            again = _open_again(reopen, stop, at_once=loop)
            if again is None:
                return
            source = again
    except Exception as error:
        stats.warn(f"capture: {error!r}")
    finally:
        source.close()
        out.close()


def _open_again(reopen: Opener, stop: threading.Event, *, at_once: bool) -> Source | None:
    while not stop.is_set():
        if not at_once and stop.wait(RETRY_S):
            break
        at_once = False
        try:
            return reopen()
        except KfxError:
            continue
    return None


def _feed(
    source: Source, out: Mailbox[Frame], stats: Stats, stop: threading.Event, offset: Fraction
) -> Fraction:
    """Pass frames on, those of a file at their own pace; returns the time that follows."""
    frames = iter(source.frames())
    started: float | None = None
    first = Fraction(0)
    end = offset
    while not stop.is_set():
        with stats.timed("read"):
            frame = next(frames, None)
        if frame is None:
            break
        if started is None:
            started, first = clock.now(), frame.time
        time = offset + frame.time - first
        end = time + 1 / source.info.rate
        if not source.info.live:
            due = started + float(frame.time - first)
            if stop.wait(max(0.0, due - clock.now())):
                break
            frame = replace(frame, captured=clock.now())
        if offset:
            frame = replace(frame, time=time)
        out.put(frame)
    return end


def _warm_up(
    chain: Chain, tracker: Tracker, others: _Others, size: tuple[int, int], stats: Stats
) -> None:
    """Let every library do its first-time work on a black frame, then forget it."""
    black = np.zeros((size[1], size[0], 4), np.uint8)
    black[..., 3] = 255
    frame = Frame(black, 0, Fraction(0), clock.now(), truth=())
    tick = Ticks().tick(frame, _faces(tracker, frame, stats))
    _picture(chain, others.seen(tick, stats), stats)
    chain.reset()
    tracker.reset()
    others.reset()
