"""``kfx calibrate``: what a performer's face is like at rest, at full effort and in between."""

from __future__ import annotations

import argparse
import json
from itertools import takewhile
from typing import Any

from kfx.cli import common

DESCRIPTION = """Learn the face of a performer from a recording and keep it by NAME.

Ask for two seconds of rest, then for every expression there is: brows up and down, eyes shut and
wide, smile, snarl, kiss, jaw to all sides, and a verse of the song. Facing the camera, alone.

Five seconds give rest and range of the 52 expressions. Half a minute or more, better a whole one,
gives the modes of this face too: expr_amp pushes a performer along their own expressions where
their slot is pinned to NAME (kfx live --pin 0=NAME) or its knob `performer` says NAME.

What was learned lies in a file of that name in your own data folder, and nowhere else: it is told
at the end. Calibrate again to replace it, delete the file to forget it.
"""
EPILOG = """examples:
  kfx calibrate lead camera:0 --seconds 60
  kfx calibrate "김 민지" range_of_motion.mov
  kfx calibrate lead take3.mov --from 1:02 --to 2:02 --json
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="whom: the name their slot is pinned by")
    parser.add_argument("input", metavar="INPUT", help="a source: see kfx list sources")
    parser.add_argument("--from", dest="start", metavar="S", help="first second to learn from")
    parser.add_argument("--to", dest="stop", metavar="S", help="second at which to stop")
    parser.add_argument("--seconds", type=float, default=60.0, help="of a camera (default: 60)")
    common.add_size_argument(parser)
    parser.add_argument("--json", action="store_true", help="tell the result as JSON")


def run(options: argparse.Namespace) -> int:
    from kfx import sources
    from kfx.errors import UsageError
    from kfx.tracking import calibration

    size = common.size_of(options.size)
    start, stop = common.span_of(options)
    if not 5.0 <= options.seconds <= 600.0:
        raise UsageError(f"--seconds {options.seconds:g}: is outside 5..600")
    calibration.path_of(options.name)  # names that won't do are told before a minute is recorded
    if sources.parse(options.input).kind == "performer" and stop is None:
        raise UsageError("performer: it never ends; add --to SECONDS")
    with common.quiet_libraries():
        source = sources.open(options.input, size=size, start_s=start, stop_s=stop)
        result = _learned(source, options)
    if options.json:
        print(json.dumps(result, ensure_ascii=False))
        return 0
    print(f"{result['file']}: {options.name}, {result['frames_with_face']} frames with a face")
    print(f"  {len(result['ranged'])} of 51 expressions have a range of their own")
    print(f"  {result['modes']} modes of their own" if result["modes"] else f"  {result['why']}")
    return 0


def _learned(source: Any, options: argparse.Namespace) -> dict[str, Any]:
    """Track, learn and save; the result as it is told."""
    from dataclasses import replace

    from kfx.cli.progress import Bar
    from kfx.errors import KfxError
    from kfx.tracking import calibration, own_basis
    from kfx.tracking import pose as poses
    from kfx.tracking.arkit import TAUGHT
    from kfx.tracking.blendshapes import Blendshapes
    from kfx.tracking.tracker import Tracker

    net, samples, shapes, frames = Blendshapes(), [], [], 0
    with source, Tracker() as tracker, Bar(options.name) as bar:
        live, total = source.info.live, source.info.frame_count
        first: list[float] = []

        def on_time(frame: Any) -> bool:
            first.append(float(frame.time))
            return not live or first[-1] - first[0] < options.seconds

        for frame in takewhile(on_time, source.frames()):
            frames += 1
            bar(frames, total)
            faces = [face for face in tracker.track(frame) if face.found]
            if not faces:
                continue
            face = max(faces, key=lambda one: one.iod)
            samples.append(net.raw(face.landmarks))
            yaw, pitch, _ = poses.yaw_pitch_roll(face.pose)
            if max(abs(yaw), abs(pitch)) < own_basis.MOST_TURNED:
                shapes.append(poses.to_canonical(face.pose, face.landmarks))
    learned = calibration.calibrate(samples)
    why = ""
    try:
        learned = replace(learned, basis=own_basis.learned(shapes))
    except KfxError as error:  # rest and range are worth keeping all the same
        why = f"no modes of their own: {str(error).removeprefix('calibration: ')}"
    path = calibration.save(options.name, learned)
    return {
        "performer": options.name,
        "file": str(path),
        "frames": frames,
        "frames_with_face": len(samples),
        "ranged": [name for name, full in zip(TAUGHT, learned.full, strict=True) if full < 1.0],
        "modes": 0 if learned.basis is None else len(learned.basis.sigma),
        "sigma_iod": [] if learned.basis is None else [float(s) for s in learned.basis.sigma],
        "why": why,
    }
