"""The live loop: newest frame in, picture out to every sink, whatever breaks on the way.

Capture runs in its own thread, drawing here, each sink in its own thread behind a mailbox of
depth one; tracking here (`exact`) or beside (`latency`). A late frame is skipped and counted,
never owed. A fault is reported once: a failing tracker means no faces, a failing effect the
picture without it, a failing recording its end; any other sink is opened again, and a lost camera
is its last picture until it is back.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from fractions import Fraction
from functools import partial

import numpy as np

from kfx import clock, sinks
from kfx.engine.look import proof, quality
from kfx.engine.look.autobypass import AutoBypass
from kfx.engine.look.chain import Chain
from kfx.engine.look.changes import resizes
from kfx.engine.look.look import Look
from kfx.engine.look.plan import compile_plan
from kfx.engine.loop import lifeline, ready_made
from kfx.engine.loop.capture import Capture, Opener
from kfx.engine.loop.deliver import End, Output, Outputs, is_recording
from kfx.engine.loop.follow import Ahead, Exact, Follower, Trackers
from kfx.engine.loop.governor import Governor, Lever
from kfx.engine.loop.keeper import Keeper
from kfx.engine.loop.net_rate import STEPS, NetRate
from kfx.engine.loop.picture import Picture, budget_s, scaled
from kfx.engine.loop.show import Show
from kfx.engine.loop.switches import Switches
from kfx.engine.stats import Stats
from kfx.engine.takes.take_effects import asked_of, pages_of
from kfx.engine.takes.take_files import Facts
from kfx.engine.takes.take_recorder import TakeRecorder
from kfx.engine.ticks import Ticks
from kfx.errors import KfxError, UsageError
from kfx.presets import Preset
from kfx.types import Frame, Sink, StreamInfo

MODES: dict[str, str] = {
    "exact": "landmarks are those of the frame shown; the picture waits for the tracker",
    "latency": "the newest frame at once, landmarks predicted to its time",
}
TRACKING = ("every frame", "every 2nd frame", "every 3rd frame")
SCALES = (1.0, 0.75, 0.5)  # of width and height, that the governor may draw at
LEAST_SIDE = 240  # pixels; a smaller picture isn't worth drawing

Status = Callable[[Stats], None]
Command = Callable[[str, str], bool]
"""Does what a sink's reader asks of the show, ``("mode", "clean")``; False if it can't be done."""


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
    mode: str = "exact",
    rate: Fraction | None = None,
    govern: bool = False,
    switches: Switches | None = None,
    levers: Sequence[Lever] = (),
    pins: Mapping[int, str] | None = None,
    command: Command | None = None,
    ticks: Ticks | None = None,
    on_look: Callable[[Look], None] | None = None,
    takes: TakeRecorder | None = None,
    also: Sequence[End] = (),
    status: Status | None = None,
    ready: Callable[[Stats, list[Sink]], None] | None = None,
    stop: threading.Event | None = None,
) -> Stats:
    """Run until `seconds` of pictures are over, the source has ended, `stop` is set, or Ctrl-C.

    `mode` is one of `MODES`. `rate` sends so many pictures a second whatever the source gives;
    without it each frame is sent as soon as it is drawn. `govern` holds the rate by giving things
    up: tracking rate (in `latency`), how much nets run, `levers`, then effect quality and the size
    drawn at (neither while recording; the size only where a look loses nothing by it).
    `pins` names slots and keeps each for its performer. `command` takes what OBS asks for.
    `switches` are read every frame. `ticks` stand for a song other than a steady `bpm`. `on_look`
    is given the look before the show starts, to change it from any thread. `takes` records;
    `also` gets every picture as sinks do.
    `ready` is called once with the open sinks, `status` about twice a second. A sink that fails is
    opened again, except a recording. Raises `KfxError` if nothing can start, or when every sink is
    a recording that has failed.
    """
    if mode not in MODES:
        raise UsageError(f"live mode {mode!r}: there is none; use {' or '.join(MODES)}")
    stop, switches = stop or threading.Event(), switches or Switches()
    proof.prove(preset)
    with ExitStack() as stack:
        source = stack.enter_context(open_source())
        info = source.info
        size, paced = size or info.size, rate or info.rate
        stream = StreamInfo(
            size,
            paced,
            timecode=info.timecode,
            colour=info.colour,
            has_alpha=info.has_alpha,
            live=True,
            overwrite=overwrite,
        )
        gpu = stack.enter_context(ready_made.gpu())
        recorded = takes is not None or any(is_recording(spec) for spec in outputs)
        plan = compile_plan(preset)
        has_nets = any(link.effect.kind == "net" for step in plan.steps for _, link in step.links)
        one_size = not govern or recorded or (on_look is None and not resizes(preset))
        sizes = [size] if one_size else _sizes(size)
        net_rate, fineness = NetRate(), quality.Quality()
        stats = Stats(size, info.rate, gpu.renderer, tracker)
        care = partial(
            AutoBypass,
            budget_s=budget_s(float(1 / paced)),
            tell=stats.warn,
            drop=partial(stats.drop, "render.bypassed"),
            now=clock.now,
        )
        chains: list[Chain | Look]
        if on_look is None:
            chains = [
                stack.enter_context(
                    Chain(
                        gpu,
                        preset,
                        one,
                        hands=hands,
                        pace=net_rate,
                        care=care,
                        quality=fineness,
                    )
                )
                for one in sizes
            ]
        else:
            look = Look(
                gpu,
                preset,
                size,
                hands=hands,
                on_fault=stats.warn,
                pace=net_rate,
                care=care,
                quality=fineness,
                build=proof.built,
            )
            chains = [stack.enter_context(look)]
            on_look(look)
        stats.show = {"mode": mode, "output": switches.shown}
        if rate is not None:
            stats.show["output_fps"] = float(rate)
        if has_nets:
            stats.show["nets"] = chains[0].nets
        for note in info.notes:
            stats.warn(note)
        opening = partial(_opened, stream=stream, switches=switches, command=command)
        opened = stack.enter_context(ExitStack())
        ends = [
            opened.enter_context(
                Output(
                    spec,
                    opening(spec),
                    stats,
                    None if is_recording(spec) else partial(opening, spec),
                )
            )
            for spec in outputs
        ]
        # A look that may be changed may come to want them.
        shapes = (
            on_look is not None
            or plan.needs_blendshapes
            or any(getattr(end.sink, "needs_blendshapes", False) for end in ends)
            or takes is not None
        )
        faces_of = stack.enter_context(ready_made.tracker(tracker, blendshapes=shapes))
        for slot, name in (pins or {}).items():
            faces_of.pin(slot, name)
        for chain in chains:
            (chain if isinstance(chain, Look) else chain.knobs).names = faces_of.names
        trackers = stack.enter_context(Trackers(faces_of, chains[0], stats))
        # Frames are timed from here on: loading MediaPipe and GL isn't the show.
        _warm_up(chains, trackers, size)
        stats.forget()
        capture = Capture(
            source,
            open_source,
            size,
            stats,
            stop,
            loop=loop,
            drop_as="capture.rate" if rate and rate < info.rate else "capture",
        )
        period_s = float(1 / paced)
        ticks = ticks or Ticks(bpm)
        if takes is not None:
            grid, about = ticks.song.grid, takes.about
            facts = Facts(info, stream, mode, ticks.lead_s, grid, about, faces_of.names, hands)
            takes.open(facts, stats, lambda: asked_of(chains[0], ticks.now), pages_of(chains[0]))
        all_ends: list[End] = [*ends, *([takes] if takes is not None else []), *also]
        sent = Outputs(all_ends, stats, paced, on_grid=rate is not None)
        follower: Follower = Ahead(trackers) if mode == "latency" else Exact(trackers)
        picture = Picture(chains, stats, period_s=period_s)
        governor = None
        if govern:
            given = [_net_lever(net_rate, chains[0]), *levers]
            if not recorded:
                given.append(_quality_lever(fineness, chains[0]))
            governor = Governor(period_s, _levers(follower, given, picture, chains[0], sizes))
            stats.show["governor"] = []
        keeper = Keeper(sent, capture, switches, stats, stop, period_s=period_s)
        show = Show(
            capture,
            follower,
            picture,
            sent,
            switches,
            ticks,
            stats,
            stop,
            governor=governor,
            status=status,
            fresh_s=float(1 / info.rate) if mode == "latency" else None,
        )
        sent.start()
        if ready:
            ready(stats, [end.sink for end in ends])
        stats.started = clock.now()
        capture.start()
        keeper.start()
        try:
            show.run(seconds=seconds, rate=rate)
        except KeyboardInterrupt:
            pass  # the usual way to end a show: what was recorded is kept
        finally:
            lifeline.rest()
            stop.set()
            capture.close()
            keeper.close()
            follower.close()
            sent.finish()
            stats.ended = clock.now()
            opened.__exit__(*sys.exc_info())
            stats.show["output"] = switches.shown
            if failed := {end.spec: end.fault for end in ends if end.failed}:
                stats.show["failed"] = failed
        if sent.all_failed:
            raise KfxError(
                "; ".join(filter(None, (end.fault for end in ends))) or "every sink has failed"
            )
        return stats


def _opened(spec: str, stream: StreamInfo, switches: Switches, command: Command | None) -> Sink:
    """Open a sink; one that takes commands for the whole show hands them on."""
    sink = sinks.open(spec, stream)
    if hasattr(sink, "on_command"):
        sink.on_command = command or partial(_switched, switches)
    if hasattr(sink, "show_mode"):
        sink.show_mode = lambda: switches.mode
    return sink


def _switched(switches: Switches, verb: str, value: str) -> bool:
    """A command where nobody knows of presets."""
    if verb == "mode":
        switches.set(value)
    return verb == "mode"


def _sizes(size: tuple[int, int]) -> list[tuple[int, int]]:
    """The sizes a picture may be drawn at, largest first, all of them even."""
    sizes = [
        (2 * round(size[0] * scale / 2), 2 * round(size[1] * scale / 2)) for scale in SCALES[1:]
    ]
    return [size, *(one for one in sizes if min(one) >= LEAST_SIDE)]


def _net_lever(net_rate: NetRate, first: Chain | Look) -> Lever:
    def rest_at(level: int) -> None:
        net_rate.level = level

    return Lever("nets run", STEPS, rest_at, lambda: bool(first.nets))


def _quality_lever(fineness: quality.Quality, first: Chain | Look) -> Lever:
    def draw_as(level: int) -> None:
        fineness.level = level

    return Lever("effect quality", quality.STEPS, draw_as, lambda: quality.matters_to(first.preset))


def _levers(
    follower: Follower,
    between: Sequence[Lever],
    picture: Picture,
    first: Chain | Look,
    sizes: Sequence[tuple[int, int]],
) -> list[Lever]:
    """What may be given up, in this order; what is exact stays so."""
    levers = list(between)
    if isinstance(follower, Ahead):

        def track_every(level: int) -> None:
            follower.every = level + 1

        levers.insert(0, Lever("tracking", TRACKING, track_every))
    if len(sizes) > 1:

        def draw_at(level: int) -> None:
            if isinstance(first, Look):  # may become another look: compiled when it is wanted
                first.resize(sizes[level])
            else:
                picture.level = level

        words = tuple(f"{width}x{height}" for width, height in sizes)
        able = (lambda: first.resizes) if isinstance(first, Look) else (lambda: True)
        levers.append(Lever("drawn at", words, draw_at, able))
    return levers


def _warm_up(chains: Sequence[Chain | Look], trackers: Trackers, size: tuple[int, int]) -> None:
    """Let every library do its first-time work on a black frame, then forget it."""
    black = np.zeros((size[1], size[0], 4), np.uint8)
    black[..., 3] = 255
    frame = Frame(black, 0, Fraction(0), clock.now(), truth=())
    seen = trackers.find(frame)
    tick = replace(Ticks().tick(frame, seen.faces), matte=seen.matte, hands=seen.hands)
    for chain in chains:
        try:
            chain.render(tick if chain.size == size else scaled(tick, chain.size))
        except Exception:  # it will fail again in the show, and be told of there
            continue
        chain.reset()
    trackers.reset()
