"""A performer's own neutral and range, from five seconds of their face, kept by name as JSON.

Ask for two seconds of rest and three of big expressions, hand what `Blendshapes.raw` said of each
frame to `calibrate`, and give the result to `Blendshapes.of`. Who goes on for half a minute gets
the modes of their own expressions too (`own_basis`), which lie in the same file.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import numpy.typing as npt

from kfx.errors import KfxError
from kfx.tracking import own_basis
from kfx.tracking.arkit import TAUGHT
from kfx.tracking.own_basis import Basis

REST_SHARE = 0.25  # of the samples, those in which the least goes on, are rest
FULL_PERCENTILE = 98
LEAST_RANGE = 0.25  # who moves less didn't show this expression: it keeps the usual range
FEWEST = 30  # samples

Values = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Calibration:
    """What the net says of one performer at rest and at full effort, in the order of `TAUGHT`."""

    neutral: tuple[float, ...]
    full: tuple[float, ...]
    basis: Basis | None = None  # nobody has recorded long enough for one

    def apply(self, raw: Values) -> Values:
        """Raw coefficients (51,) → 0 at this performer's rest, 1 at their full effort."""
        low, high = np.float32(self.neutral), np.float32(self.full)
        return np.clip((raw - low) / np.maximum(high - low, np.float32(0.05)), 0.0, 1.0)


def calibrate(samples: Sequence[Mapping[str, float]]) -> Calibration:
    """From what `Blendshapes.raw` said of at least `FEWEST` frames. Raises `KfxError`."""
    if len(samples) < FEWEST:
        raise KfxError(
            f"calibration: {len(samples)} frames with a face are too few; record five seconds"
        )
    values = np.array([[sample.get(name, 0.0) for name in TAUGHT] for sample in samples])
    values = values[np.isfinite(values).all(axis=1)]
    if len(values) < FEWEST:
        raise KfxError("calibration: most samples hold values that are no numbers; record again")
    quiet = np.argsort(values.sum(axis=1), kind="stable")[: max(1, int(REST_SHARE * len(values)))]
    low = np.median(values[quiet], axis=0)
    high = np.percentile(values, FULL_PERCENTILE, axis=0)
    high = np.where(high - low >= LEAST_RANGE, high, 1.0)
    low = np.minimum(low, high - 0.05)
    return Calibration(tuple(map(float, low)), tuple(map(float, high)))


def folder() -> Path:
    """Where calibrations lie: ``kfx/performers`` in the user's data folder."""
    if sys.platform == "win32":
        base = os.environ.get("APPDATA") or str(Path.home() / "AppData" / "Roaming")
    elif sys.platform == "darwin":
        base = str(Path.home() / "Library" / "Application Support")
    else:
        base = os.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return Path(base) / "kfx" / "performers"


def path_of(name: str, where: Path | None = None) -> Path:
    """The file of the performer `name`; any name will do, none leaves the folder."""
    if not name.strip():
        raise KfxError("calibration: the performer needs a name")
    safe = quote(name.strip(), safe=" ").replace(".", "%2E")
    return (where or folder()) / f"{safe}.json"


def save(name: str, calibration: Calibration, where: Path | None = None) -> Path:
    """Write it, replacing an older one. Returns the file."""
    path = path_of(name, where)
    columns = (calibration.neutral, calibration.full)
    rows = {n: [round(v, 5) for v in pair] for n, *pair in zip(TAUGHT, *columns, strict=True)}
    document: dict[str, Any] = {"performer": name, "neutral_and_full": rows}
    if calibration.basis is not None:
        document["basis"] = own_basis.written(calibration.basis)
    text = json.dumps(document, indent=1)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_suffix(".part")
        beside.write_text(text, encoding="utf-8")
        beside.replace(path)
    except OSError as error:
        raise KfxError(f"{path}: can't be written ({error}); check the folder") from error
    return path


def load(name: str, where: Path | None = None) -> Calibration:
    """The calibration of the performer `name`. Raises `KfxError` where there is none."""
    path = path_of(name, where)
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        rows = document["neutral_and_full"]
        pairs = [(float(rows[n][0]), float(rows[n][1])) for n in TAUGHT]
        basis = own_basis.read(document["basis"]) if "basis" in document else None
    except FileNotFoundError:
        raise KfxError(f"{path}: {name} isn't calibrated yet; record five seconds") from None
    except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
        raise KfxError(f"{path}: is damaged ({error!r}); calibrate {name} again") from error
    if not np.isfinite(pairs).all():
        raise KfxError(f"{path}: holds values that are no numbers; calibrate {name} again")
    low, high = zip(*pairs, strict=True)
    return Calibration(tuple(low), tuple(high), basis)


def known(name: str, where: Path | None = None) -> Calibration | None:
    """The calibration of `name`, None where nobody has made one."""
    return load(name, where) if name.strip() and path_of(name, where).is_file() else None
