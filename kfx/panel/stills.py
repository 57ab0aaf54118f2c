"""Draws small pictures of looks and effects on the performer, in a process of lowest priority.

``python -m kfx.panel.stills FOLDER CACHE [--skip KIND/NAME]…`` says what it has as lines of JSON:
``{"left": 12}``, ``{"kind": "look", "name": "supernova", "file": "…/1f0c….jpg"}``. Pictures are
kept by a hash of all that they are made from. It ends when its standard input does.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kfx import clock
from kfx.errors import KfxError
from kfx.types import Pixels

if TYPE_CHECKING:
    from kfx.presets import Preset
    from kfx.types import Tick

RECIPE = 1  # raised when the same look shall be pictured otherwise
SIZE, RATE = (640, 360), Fraction(15)
START_S, FRAMES = Fraction(3), 16  # the last one lies on a beat, and trails have come by then
SINCE = 5  # frames ago an effect's events were fired
TILE = (192, 108)
IODS = 4.4  # the height of a tile in inter-ocular distances
REST_S = 0.02  # between frames: nobody waits for these pictures
MOST_KEPT = 2000  # files in the cache


@dataclass(frozen=True)
class Wanted:
    """A look or an effect, and where its picture lies once there is one."""

    kind: str  # look, effect
    name: str
    preset: Preset
    file: Path


def wanted(folder: Path, cache: Path, skip: Sequence[str]) -> Iterator[Wanted]:
    """Looks first, one's own and those of kfx; what can't be read has no picture."""
    from kfx import effects, presets
    from kfx.panel.acting import is_preset, own_presets, packs

    own = dict(packs(folder))
    for name in own_presets(folder):
        path = folder / f"{name}.toml"
        if name not in presets.names() and is_preset(path):
            own.setdefault(name, path)
    loads: list[tuple[str, str, Callable[[], Preset]]] = [
        *(("look", name, lambda path=path: presets.load(str(path))) for name, path in own.items()),
        *(("look", name, lambda name=name: presets.load(name)) for name in presets.names()),
        *(
            ("effect", name, lambda name=name: presets.alone(effects.find(name)))
            for name in effects.names()
        ),
    ]
    for kind, name, load in loads:
        if f"{kind}/{name}" in skip:
            continue
        with contextlib.suppress(KfxError):
            preset = load()
            yield Wanted(kind, name, preset, cache / f"{key_of(preset)}.jpg")


def key_of(preset: Preset) -> str:
    """A name for the picture of a look: another one when any file of it, or kfx, is another."""
    import kfx
    from kfx.presets import packing

    made = hashlib.sha256(f"{RECIPE} {kfx.__version__}".encode())
    for name, data in packing.packed(replace(preset, name="look")).items():
        made.update(f"\0{name if name.count('/') else ''}\0".encode() + data)
    for link in preset.chain:
        if link.effect.kind == "motion":
            made.update(Path(kfx.__file__).parents[1].joinpath(link.effect.where).read_bytes())
    return made.hexdigest()[:32]


class Stage:
    """The performer for a second, found once; `picture` draws a look on it."""

    def __init__(self) -> None:
        from kfx import sources
        from kfx.engine.ticks import Ticks
        from kfx.render.gpu import Gpu
        from kfx.tracking.tracker import Tracker

        self._gpu = Gpu()
        self._ticks: list[Tick] = []
        self._matted = False
        ticks, stop_s = Ticks(120.0), START_S + FRAMES / RATE
        source = sources.open("performer", size=SIZE, rate=RATE, start_s=START_S, stop_s=stop_s)
        with source, Tracker("truth") as tracker:
            for frame in source.frames():
                self._ticks.append(ticks.tick(frame, tracker.track(frame)))
                clock.pause(REST_S)

    def picture(self, preset: Preset, *, fired: bool) -> Pixels:
        """The last frame's surroundings of the face, RGBA; events have just been `fired`."""
        from kfx.engine.look.chain import Chain

        with Chain(self._gpu, preset, SIZE) as chain:
            if chain.needs_person and not self._matted:
                self._matte()
            for i, tick in enumerate(self._ticks):
                for place, link in enumerate(preset.chain if fired else ()):
                    for event in getattr(link.effect.source, "events", ()):
                        chain.set(place, event, i == FRAMES - SINCE)
                shown = chain.render(tick)
                clock.pause(REST_S)
        return tile(shown, self._ticks[-1])

    def _matte(self) -> None:
        from kfx.tracking.person import Person

        with Person() as person:
            self._ticks = [replace(tick, matte=person.matte(tick.frame)) for tick in self._ticks]
        self._matted = True


def tile(pixels: Pixels, tick: Tick) -> Pixels:
    """The face and what is around it, in the shape of a thumbnail."""
    import cv2
    import numpy as np

    height, width = pixels.shape[:2]
    x, y, high = width / 2, height / 2, float(height)
    if tick.faces:
        face = tick.faces[0]
        x, y = face.landmarks[:, :2].mean(axis=0)
        high = min(high, IODS * face.iod)
    wide = min(width, high * TILE[0] / TILE[1])
    left, top = (
        int(min(max(0, at - part / 2), full - part))
        for at, part, full in (
            (x, wide, width),
            (y, high, height),
        )
    )
    cut = np.ascontiguousarray(pixels[top : top + int(high), left : left + int(wide)])
    return cv2.resize(cut, TILE, interpolation=cv2.INTER_AREA)


def run(
    folder: Path, cache: Path, skip: Sequence[str], say: Callable[[dict[str, Any]], None]
) -> None:
    """Say what there is in the cache, then draw the rest."""
    from kfx.panel.pictures import jpeg

    cache.mkdir(parents=True, exist_ok=True, mode=0o700)
    missing = []
    for one in wanted(folder, cache, skip):
        if one.file.is_file():
            os.utime(one.file)
            say({"kind": one.kind, "name": one.name, "file": str(one.file)})
        else:
            missing.append(one)
    _prune(cache)
    stage: Stage | None = None
    for left, one in zip(range(len(missing), 0, -1), missing, strict=True):
        say({"left": left, "at": f"{one.kind}/{one.name}"})
        stage = stage or Stage()
        try:
            data = jpeg(stage.picture(one.preset, fired=one.kind == "effect"), TILE[0])
        except Exception:  # what one look has wrong is shown when it is loaded
            continue
        part = one.file.with_suffix(f".{os.getpid()}.part")
        part.write_bytes(data)
        os.replace(part, one.file)
        say({"kind": one.kind, "name": one.name, "file": str(one.file)})
    say({"left": 0})


def _prune(cache: Path) -> None:
    """Only so many pictures are kept; those that were wanted last."""
    known = sorted(cache.glob("*.jpg"), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in known[MOST_KEPT:]:
        path.unlink(missing_ok=True)


def lowest_priority() -> None:
    """Only what nobody else wants of the processor."""
    if sys.platform == "win32":
        import ctypes

        idle = 0x40  # IDLE_PRIORITY_CLASS
        kernel = ctypes.windll.kernel32
        kernel.SetPriorityClass(kernel.GetCurrentProcess(), idle)
        return
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, 19)
    if hasattr(os, "SCHED_IDLE"):
        with contextlib.suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))


def _end_with_parent() -> None:
    while os.read(0, 4096):  # not sys.stdin, whose lock would be held when Python ends
        pass
    os._exit(0)


def main(arguments: Sequence[str]) -> int:
    lowest_priority()
    threading.Thread(target=_end_with_parent, daemon=True).start()
    import cv2

    cv2.setNumThreads(1)
    folder, cache, *rest = arguments
    skip = [one for one in rest if one != "--skip"]
    run(Path(folder), Path(cache), skip, lambda said: print(json.dumps(said), flush=True))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
