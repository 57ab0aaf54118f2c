"""Expressions of a take as Live Link Face CSV, the file that Unreal and the DCC importers read.

The file has no frame rate: Unreal takes it for 60 if a frame number in it exceeds 30, else for 30.
So every take is resampled to 30 or 60 frames a second and its timecode rewritten without drops;
the original is kept in ``NAME.source.json``. A lost face has no rows.

Angles are degrees / 180, as the Live Link Face source of Unreal sends them for a picture that is
not mirrored: yaw > 0 turns to the subject's left, pitch > 0 looks down, roll > 0 leans to the
subject's right shoulder; the turn is roll, then pitch, then yaw. Eyes are relative to the head.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from urllib.parse import quote

import numpy as np
import numpy.typing as npt

from kfx import timecode
from kfx.arkit import UNSEEN
from kfx.engine.tracks import resample
from kfx.engine.tracks.csv_landmarks import code, side_path
from kfx.errors import KfxError
from kfx.sinks import landing
from kfx.sinks.osc import pose as osc_pose
from kfx.sinks.osc.pose import FARTHEST_DEG, decompose
from kfx.types import Face, Frame, SourceInfo

RATES = (30, 60)
SHAPES = tuple(
    "EyeBlinkLeft EyeLookDownLeft EyeLookInLeft EyeLookOutLeft EyeLookUpLeft EyeSquintLeft "
    "EyeWideLeft EyeBlinkRight EyeLookDownRight EyeLookInRight EyeLookOutRight EyeLookUpRight "
    "EyeSquintRight EyeWideRight JawForward JawRight JawLeft JawOpen MouthClose MouthFunnel "
    "MouthPucker MouthRight MouthLeft MouthSmileLeft MouthSmileRight MouthFrownLeft "
    "MouthFrownRight MouthDimpleLeft MouthDimpleRight MouthStretchLeft MouthStretchRight "
    "MouthRollLower MouthRollUpper MouthShrugLower MouthShrugUpper MouthPressLeft "
    "MouthPressRight MouthLowerDownLeft MouthLowerDownRight MouthUpperUpLeft MouthUpperUpRight "
    "BrowDownLeft BrowDownRight BrowInnerUp BrowOuterUpLeft BrowOuterUpRight CheekPuff "
    "CheekSquintLeft CheekSquintRight NoseSneerLeft NoseSneerRight TongueOut".split()
)
ANGLES = (
    *("HeadYaw", "HeadPitch", "HeadRoll", "LeftEyeYaw", "LeftEyePitch", "LeftEyeRoll"),
    *("RightEyeYaw", "RightEyePitch", "RightEyeRoll"),
)
COLUMNS = ("Timecode", "BlendShapeCount", *SHAPES, *ANGLES)
_NAMES = tuple(name[0].lower() + name[1:] for name in SHAPES)


@dataclass(frozen=True)
class Sample:
    """One face at one moment: `curves` are 52 shapes, then yaw and pitch of left and right eye."""

    time: Fraction
    index: int
    age: int
    curves: npt.NDArray[np.float64]
    turn: tuple[float, ...]  # of the head, a quaternion x y z w

    @classmethod
    def of(cls, frame: Frame, face: Face) -> Sample:
        """Raises `KfxError` if the face carries no expression."""
        missing = [n for n in _NAMES if n not in face.blendshapes and n not in UNSEEN]
        if missing:
            some = "blendshapes are" if len(missing) > 50 else ", ".join(missing[:3]) + " is"
            raise KfxError(
                f"livelink: frame {frame.index}, face {face.slot}: {some} missing, and zeros would "
                "be a lie; install kfx again with its models, or write --format csv"
            )
        shapes = [float(face.blendshapes.get(name, 0.0)) for name in _NAMES]
        values = np.array([*np.clip(shapes, 0.0, 1.0), *gaze(face)], np.float64)
        return cls(
            frame.time, frame.index, face.age, np.nan_to_num(values), decompose(face.pose)[0]
        )


class LiveLinkCsv:
    """Collects the take, resamples it at its end, and writes a file per slot beside a sidecar."""

    def __init__(
        self,
        spec: str,
        info: SourceInfo,
        *,
        rate: int | None = None,
        names: Mapping[int, str] | None = None,  # of pinned slots
    ) -> None:
        self.rows: dict[int, int] = {}
        self.warnings: list[str] = []
        self._spec, self._info, self._names = spec, info, dict(names or {})
        self._rate = rate or (60 if info.rate > 30 else 30)
        self._first: Frame | None = None
        self._samples: dict[int, list[Sample]] = {}
        # Made now, so that a folder that can't be written is found before the take is tracked.
        self._landings = [landing.Landing(spec, Path(spec))]

    def write(self, frame: Frame, faces: Sequence[Face]) -> None:
        self._first = self._first or frame
        for face in faces:
            if face.found:
                self._samples.setdefault(face.slot, []).append(Sample.of(frame, face))

    def land(self) -> list[Path]:
        """Write everything, then give it its names; returns the files, the sidecar last."""
        if not self._samples or self._first is None:
            raise KfxError(f"{self._spec}: no face was found, so no Live Link file was written")
        self._landings.pop().discard()
        start = code(self._info, self._first)
        written = []
        for slot, samples in sorted(self._samples.items()):
            name = self._names.get(slot, "")
            target = Path(self._spec)
            if len(self._samples) > 1:
                target = slot_path(self._spec, slot, name)
            lines, spans = rows(
                samples, self._first.time, label(start, self._info.rate), self._rate
            )
            self.rows[slot] = len(lines)
            self._warn_if_taken_for_30(target, lines)
            self._put(target, ",".join(COLUMNS) + "\n" + "".join(lines))
            row = {"file": target.name, "slot": slot, "name": name, "rows": len(lines)}
            written.append({**row, "spans_s": spans})
        self._put(side_path(self._spec), json.dumps(self._sidecar(start, written), indent=2) + "\n")
        for place in self._landings:
            place.land()
        return [place.target for place in self._landings]

    def discard(self) -> None:
        """Leave nothing. Does no harm after `land`."""
        for place in self._landings:
            place.discard()

    def _put(self, target: Path, text: str) -> None:
        place = landing.Landing(str(target), target)
        self._landings.append(place)
        try:
            place.path.write_text(text, encoding="utf-8", newline="")
        except OSError as error:
            raise landing.failure(str(target), error) from None

    def _sidecar(self, start: str, files: list[dict[str, object]]) -> dict[str, object]:
        assert self._first is not None
        rate = self._info.rate
        return {
            "schema": "kfx.livelink/1",
            "source": self._info.spec,
            "source_fps": [rate.numerator, rate.denominator],
            "source_start_tc": start,
            "source_tc_is_counted": self._first.timecode is None,
            "drop": ";" in start,
            "source_start_s": str(self._first.time),
            "size": list(self._info.size),
            "fps": [self._rate, 1],
            "start_tc": stamp(label(start, rate), 0, self._rate),
            "angles": "degrees / 180; yaw > 0 to the subject's left, pitch > 0 down, roll > 0 to "
            "the subject's right shoulder; not mirrored",
            "unseen": list(UNSEEN),
            "files": files,
        }

    def _warn_if_taken_for_30(self, target: Path, lines: list[str]) -> None:
        if self._rate == 60 and not any(float(line[9:15]) > 30.0 for line in lines):
            self.warnings.append(
                f"{target}: too short to show that it is 60 frames a second, Unreal will take it "
                "for 30; write it with --fps 30"
            )


def slot_path(spec: str, slot: int, name: str = "") -> Path:
    """``take.csv`` → ``take.slot2.csv``, or ``take_lead.csv``: for Unreal this is the subject."""
    path = Path(spec)
    if name:
        return path.with_name(f"{path.stem}_{quote(name, safe=' ')}{path.suffix}")
    return path.with_name(f"{path.stem}.slot{slot}{path.suffix}")


def rows(
    samples: Sequence[Sample], origin: Fraction, label_s: Fraction, rate: int
) -> tuple[list[str], list[list[str]]]:
    """The lines of one face at `rate`, and from when to when it was seen, in seconds.

    The first frame of the take lies at `origin` and has the timecode `label_s`, in seconds.
    """
    lines, spans = [], []
    for part in pieces(samples):
        times = [s.time for s in part]
        spans.append([str(times[0]), str(times[-1])])
        numbers = resample.grid(times[0], times[-1], origin, Fraction(rate))
        if not numbers:
            continue
        at = resample.seconds([origin + Fraction(k, rate) for k in numbers], times[0])
        known = resample.seconds(times, times[0])
        values = resample.curves(known, np.array([s.curves for s in part]), at)
        values[:, : len(SHAPES)] = np.clip(values[:, : len(SHAPES)], 0.0, 1.0)
        heads = head_angles(resample.turns(known, np.array([s.turn for s in part]), at))
        eyes = np.clip(values[:, len(SHAPES) :], -FARTHEST_DEG, FARTHEST_DEG)
        none = np.zeros((len(values), 1))
        table = [values[:, : len(SHAPES)], heads / 180, eyes[:, :2] / 180, none, eyes[:, 2:] / 180]
        for k, row in zip(numbers, np.hstack([*table, none]), strict=True):
            cells = ",".join(f"{value:.6f}" for value in row)
            lines.append(f"{stamp(label_s, k, rate)},{len(row)},{cells}\n")
    return lines, spans


def pieces(samples: Sequence[Sample]) -> list[list[Sample]]:
    """Stretches to resample: broken where the face was lost for long or is another one."""
    parts: list[list[Sample]] = []
    for sample in samples:
        before = parts[-1][-1] if parts else None
        if (
            before is None
            or sample.age < before.age
            or sample.time <= before.time
            or (
                sample.time - before.time > resample.LONGEST_GAP_S
                and sample.index != before.index + 1
            )
        ):
            parts.append([])
        parts[-1].append(sample)
    return parts


def head_angles(quaternions: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """(n, 3) yaw, pitch and roll in degrees of (n, 4) head turns, signs as in the module's text."""
    x, y, z, w = quaternions.T
    # Elements of the rotation matrix, canonical face → frame: y down, z away.
    r02, r22 = 2 * (x * z + y * w), 1 - 2 * (x * x + y * y)
    r10, r11, r12 = 2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)
    yaw, pitch = np.arctan2(-r02, r22), np.arcsin(np.clip(-r12, -1, 1))
    roll = np.arctan2(-r10, r11)
    angles: npt.NDArray[np.float64] = np.degrees(np.stack([yaw, pitch, roll], axis=1))
    return angles


def gaze(face: Face) -> tuple[float, float, float, float]:
    """Yaw and pitch of the left, then of the right eye in the head, in degrees, from the irises."""
    a, b, c, d = (math.degrees(angle) for angle in osc_pose.gaze(face))
    return a, b, c, d


def label(text: str, rate: Fraction) -> Fraction:
    """What a timecode shows as seconds of the day, whatever real time its frames take."""
    hours, minutes, seconds, frames = (int(part) for part in re.split(r"[:;.]", text))
    return Fraction((hours * 60 + minutes) * 60 + seconds) + Fraction(
        frames, timecode.nominal(rate)
    )


def stamp(start_s: Fraction, number: int, rate: int) -> str:
    """``hh:mm:ss:ff.zzz`` of row `number`, wrapping after 24 hours, never rounded up."""
    frames = (start_s * rate + number) % (86400 * rate)
    whole = int(frames)
    seconds, frame = divmod(whole, rate)
    clock = f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
    return f"{clock}:{frame:02d}.{int((frames - whole) * 1000):03d}"
