"""Judges ``kfx beats`` on annotated loops by mir_eval: ``python -m tests.bench.beats FOLDER``.

Each loop as it lies, and played over and over for half a minute from three places, so that its
length tells nothing. F: beats within 70 ms. CMLt, AMLt: beats on time at the right tempo and
phase, or at half, double or off-beat too. 1s: the same F of downbeats, where the loop has bars
and begins with one.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import mir_eval
import numpy as np

from kfx.errors import KfxError
from kfx.sync import audio_file, beats

COUNTS = {  # beats of the loops of Sonic Pi, exact by their length
    **{"amen": 4, "amen_full": 16, "breakbeat": 4, "compus": 16, "electric": 4, "industrial": 2},
    **{"mehackit1": 4, "mehackit2": 4, "mika": 16, "perc1": 4, "perc2": 4},
}
UNCERTAIN = {"garzul": 16, "safari": 16, "3d_printer": 16}  # plausible, but nobody confirmed them
STARTS = (None, 0.0, 1.3, 2.7)  # beats after the loop's start; None: as it lies
LONG_S = 30.0


def judge(name: str, count: int, start: float | None, folder: Path) -> dict[str, Any]:
    """One loop from one start."""
    samples, rate = audio_file.load(folder / f"loop_{name}.flac")
    mono = samples.mean(axis=1) if samples.ndim == 2 else samples
    period = len(mono) / rate / count
    times, skip = 1, 0
    if start is not None:
        times, skip = int(np.ceil(LONG_S * rate / len(mono))), round(start * period * rate)
        mono = np.tile(mono, times + 1)[skip : skip + times * len(mono)]
    numbers = np.arange((times + 1) * count)
    true = numbers * period - skip / rate
    inside = (true >= -1e-9) & (true < len(mono) / rate - 1e-9)
    numbers, true = numbers[inside], true[inside]
    said = {"loop": name, "start": start, "wanted_bpm": round(60 / period, 2)}
    try:
        found = beats.find(mono.astype(np.float32), rate)
    except KfxError as error:
        return {**said, "error": str(error)}
    continuity = mir_eval.beat.continuity(true, np.array(found.beats))
    return {
        **said,
        "bpm": round(found.bpm, 2),
        "f": round(mir_eval.beat.f_measure(true, np.array(found.beats)), 3),
        "cmlt": round(continuity[1], 3),
        "amlt": round(continuity[3], 3),
        "ones": round(mir_eval.beat.f_measure(true[numbers % 4 == 0], np.array(found.downbeats)), 3)
        if count >= 4
        else None,
        "guess": found.source.endswith(beats.GUESS),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="with loop_*.flac of Sonic Pi")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rows = [
        judge(name, count, start, options.folder)
        for name, count in (COUNTS | UNCERTAIN).items()
        for start in STARTS
    ]
    if options.json:
        print(json.dumps(rows, indent=1))
        return
    for one in rows:
        where = "as it lies" if one["start"] is None else f"from {one['start']:.1f}"
        if "error" in one:
            print(f"{one['loop']:11} {where:10} {one['error']}")
            continue
        ones = "   -" if one["ones"] is None else f"{one['ones']:4.2f}"
        print(
            f"{one['loop']:11} {where:10} {one['bpm']:7.2f} of {one['wanted_bpm']:6.2f} bpm  "
            f"F {one['f']:4.2f}  CMLt {one['cmlt']:4.2f}  AMLt {one['amlt']:4.2f}  1s {ones}"
            f"{'  a guess' if one['guess'] else ''}{' (unconfirmed)' * (one['loop'] in UNCERTAIN)}"
        )
    for title, many in (
        ("as they lie", [one for one in rows if one["start"] is None]),
        ("over and over", [one for one in rows if one["start"] is not None]),
    ):
        sure = [one for one in many if "error" not in one and one["loop"] in COUNTS]
        means = [np.mean([one[key] for one in sure]) for key in ("f", "cmlt", "amlt")]
        bars = [one for one in sure if one["ones"] is not None]
        right = [one["ones"] > 0.7 for one in bars]
        told = [one["ones"] > 0.7 for one in bars if not one["guess"]]
        print(
            f"{title}, {len(sure)} of confirmed tempo: F {means[0]:.2f}, CMLt {means[1]:.2f}, "
            f"AMLt {means[2]:.2f}; the 1 right in {sum(right)} of {len(right)}, and in "
            f"{sum(told)} of the {len(told)} where it isn't called a guess"
        )


if __name__ == "__main__":
    main()
