"""The files of one take while it runs: plate, picture, faces, tracks, clock and controls."""

from __future__ import annotations

import json
import platform
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, TextIO

from kfx import __version__, sinks, timecode
from kfx.engine.look.journal import Page
from kfx.engine.takes.kept_preset import KeptPresets
from kfx.engine.takes.look_log import LookWriter
from kfx.engine.takes.take_effects import TakeEffects
from kfx.engine.tracks.csv_landmarks import LandmarksCsv
from kfx.errors import KfxError
from kfx.presets import Preset
from kfx.sinks import landing
from kfx.sinks.plate import PlateSink
from kfx.sync.grid import Grid
from kfx.takes import clock_log, consent, document, naming
from kfx.takes.consent import Consent
from kfx.takes.document import Take
from kfx.takes.faces import FaceLog
from kfx.types import FIRST_NUMBER, Shot, SourceInfo, StreamInfo

NO_CODE = "00:00:00:00"


@dataclass(frozen=True)
class About:
    """What whoever starts the show says of its takes."""

    project: str = ""
    scene: str = ""
    camera: str = ""
    song: str = ""  # its file
    show: str = ""  # its file
    offset_s: float | None = None  # of the song in the timecode, where a show says it
    drop: bool = False
    picture: str = ".mp4"
    consents: Mapping[str, Consent] = field(default_factory=dict)  # see `kfx.takes.consent`


@dataclass(frozen=True)
class Facts:
    """What a take has to know of the show that runs."""

    source: SourceInfo
    stream: StreamInfo
    mode: str = "exact"
    lead_s: float = 0.0
    grid: Grid | None = None
    about: About = About()
    members: Mapping[int, str] = field(default_factory=dict)  # slot → performer
    hands: bool = False  # whether they hide faces


class TakeFiles:
    """`write` one shot after the other, then `finish`. Everything begins with the first shot.

    Raises `KfxError`; then the videos are closed as far as they came and stay playable.
    """

    def __init__(self, folder: Path, name: str, facts: Facts, preset: Preset) -> None:
        self.folder, self.name, self.facts = folder / name, name, facts
        self.shots = 0
        self.seconds = 0.0  # of the last shot
        self.later: list[Callable[[Take], None]] = []  # done to the document at the end
        self.effects = TakeEffects(preset)
        self._preset = preset
        self._kept: KeptPresets | None = None
        self._looks: LookWriter | None = None
        self._zero = 0.0
        self._rate = 1.0  # of the song at the first shot
        self._start: str | None = None
        self._index: int | None = None  # of the last frame of the source
        self._slots: set[int] = set()  # of faces that were seen
        self._dropped: list[int] = []  # shots before which the source's frames were left out
        self._stack = ExitStack()
        self._text: dict[str, TextIO] = {}
        try:
            self.folder.mkdir(parents=True)
        except OSError as error:
            raise landing.failure(str(self.folder), error) from None

    @property
    def start_tc(self) -> str:
        return self._start or NO_CODE

    def path(self, role: str) -> Path:
        """Where a file of the take lies."""
        return self.folder / f"{self.name}_{_NAMES[role].format(picture=self.facts.about.picture)}"

    def write(self, shot: Shot) -> None:
        """Add one shot to all files."""
        try:
            if self._start is None:
                self._open(shot)
            number, time_s = self.shots, shot.tick.time - self._zero
            code = self.code(time_s)
            self._plate.write(Shot(shot.tick.frame.pixels, shot.tick))
            self._picture.write(shot)
            drawn = shot.drawn or shot.tick
            faces = drawn.faces
            self._faces.write(number, faces)
            self._slots.update(face.slot for face in faces)
            text = clock_log.line(shot, number, code, time_s, self.facts.lead_s)
            self._text["clock"].write(text)
            frame = replace(
                shot.tick.frame, index=number, time=Fraction(time_s), timecode=code, truth=None
            )
            index = shot.tick.frame.index
            if self._index is not None and index > self._index + 1:
                self._dropped.append(clock_log.FIRST_FRAME + number)
            self._index = index
            self._tracks.write(frame, faces, self._bar_beat(shot))
            self.shots, self.seconds = number + 1, time_s
        except OSError as error:
            raise landing.failure(str(self.folder), error) from None

    def look(self, page: Page | None, gave_up: tuple[str, ...] = ()) -> None:
        """What is to be known of how the last shot was drawn."""
        if self._looks is not None:
            self._looks.write(self.frame - 1, page, gave_up)

    def control(self, change: Mapping[str, Any]) -> None:
        """Add a line to what was changed; before the first shot it is forgotten."""
        if (out := self._text.get("controls")) is not None:
            out.write(json.dumps({"frame": self.frame, **change}, default=str) + "\n")

    @property
    def frame(self) -> int:
        return clock_log.FIRST_FRAME + self.shots

    def code(self, time_s: float) -> str:
        """The timecode so long after the first shot."""
        rate = self.facts.stream.rate
        return timecode.advance(self.start_tc, round(time_s * rate), rate)

    def finish(self, report: Mapping[str, Any], warnings: list[str]) -> Take | None:
        """Close all files and write ``take.json`` with what they are; None where no shot came."""
        if not self.shots and self._start is None:
            self.folder.rmdir()
            return None
        faults: list[str] = []
        try:
            self._stack.close()
        except (KfxError, OSError) as error:
            faults.append(str(error))
        if self._kept is not None and (fault := self._kept.finish()):
            faults.append(fault)
        take = Take(self.folder, self._document(report, [*warnings, *faults]))
        for change in self.later:
            change(take)
        document.save(take)
        return take

    # Inside.

    def _open(self, shot: Shot) -> None:
        facts, stack = self.facts, self._stack
        self._rate = shot.tick.signals.get("song.rate", 1.0)
        self._zero, self._start = shot.tick.time, self._first_code(shot)
        stream = replace(facts.stream, timecode=self._start, audio=None, live=True, overwrite=False)
        plate = PlateSink(str(self.path("plate")), stream)
        self._plate = stack.enter_context(plate)
        self._picture = stack.enter_context(sinks.open(str(self.path("picture")), stream))
        self._faces = FaceLog(self.path("faces"))
        stack.callback(self._faces.close)
        for role in ("clock", "controls", "look"):
            out = self.path(role).open("w", encoding="utf-8", newline="\n", buffering=1)
            self._text[role] = stack.enter_context(out)
        source = replace(
            facts.source,
            rate=stream.rate,
            size=stream.size,
            timecode=self._start,
            variable_rate=False,
            first_number=FIRST_NUMBER,
        )
        self._tracks = LandmarksCsv(str(self.path("landmarks")), source, names=facts.members)
        stack.callback(self._land)
        document.save(Take(self.folder, self._document({}, [])))
        self._kept = KeptPresets(self.folder, self.name, self._preset)
        self._looks = LookWriter(self._text["look"], self._kept)

    def _land(self) -> None:
        self._tracks.land()

    def _first_code(self, shot: Shot) -> str:
        """The timecode of the first shot: the camera's, else the playback's."""
        facts, rate = self.facts, self.facts.stream.rate
        if shot.tick.frame.timecode is not None:
            return shot.tick.frame.timecode
        song = shot.tick.signals.get("song.time")
        if facts.about.offset_s is None or song is None:
            return NO_CODE
        seconds = (
            facts.about.offset_s + song - facts.lead_s * shot.tick.signals.get("song.rate", 1.0)
        )
        return timecode.text(round(seconds * rate), rate, drop=facts.about.drop)

    def _bar_beat(self, shot: Shot) -> tuple[str, str] | None:
        grid, song = self.facts.grid, shot.tick.signals.get("song.time")
        if grid is None or song is None:
            return None
        lead_s = self.facts.lead_s * shot.tick.signals.get("song.rate", 1.0)
        bar, beat = grid.position(song - lead_s)
        return str(bar), f"{beat:.4f}"

    def _document(self, report: Mapping[str, Any], warnings: list[str]) -> dict[str, Any]:
        facts, stream = self.facts, self.facts.stream
        named = naming.split(self.name)
        assert named is not None
        latency = report.get("latency_ms", {})
        grid = facts.grid
        effects = self.effects.rows()
        names = {**dict.fromkeys(self._slots, ""), **facts.members}
        members = consent.rows(names, facts.about.consents)
        shown = [row["dst_class"] for row in effects if row["on_ranges"]]
        if report:
            warnings = [*warnings, *consent.notes(members, facts.about.consents, shown)]
        # Until the end the videos have hidden names; who reads a take that broke off looks there.
        roles = [role for role in _NAMES if not report or self.path(role).is_file()]
        return {
            "schema": document.SCHEMA,
            "project": facts.about.project,
            "scene": facts.about.scene,
            "slate": named[0],
            "take": named[1],
            "camera": facts.about.camera or facts.source.spec,
            "circled": False,
            "notes": [],
            "start_tc": self.start_tc,
            "fps": [stream.rate.numerator, stream.rate.denominator],
            "drop": ";" in self.start_tc,
            "size": list(stream.size),
            "par": 1,
            "distortion": "as-shot",
            "first_frame": clock_log.FIRST_FRAME,
            "frames": self.shots,
            "mode": facts.mode,
            "hands": facts.hands,
            "song": {
                "file_sha256": _digest(facts.about.song),
                "bpm": grid.bpm if grid else None,
                "first_downbeat_s": grid.first_downbeat if grid else None,
                "start_bar": 1,
            },
            "clock": {
                "source": next(iter(self.effects.clocks), None),
                "sources": self.effects.clocks,
                "rate": self._rate,
                "lead_ms": round(facts.lead_s * 1000.0, 3),
            },
            "members": members,
            "show": facts.about.show,
            "preset": {
                "name": self._preset.name,
                "sha256": _digest(self._preset.path),
                "bypassed": self.effects.bypassed,
                "changed": self.effects.changed,
            },
            "effects": effects,
            "models": self.effects.models(),
            "latency_ms": {
                key: max((one.get(key, 0.0) for one in latency.values()), default=0.0)
                for key in ("p50", "p95")
            },
            "dropped_frames": self._dropped,
            "gave_up": self._looks.gave_up if self._looks else [],
            "warnings": warnings,
            "files": [
                {
                    "path": self.path(role).name,
                    "sha256": document.sha256(self.path(role)) if report else None,
                    "role": role,
                }
                for role in roles
            ]
            + (self._kept.rows() if report and self._kept else []),
            "kfx_version": __version__,
            "host": platform.node(),
        }


_NAMES = {
    "plate": "plate.mov",
    "picture": "fx{picture}",
    "faces": "faces.npy",
    "landmarks": "landmarks.csv",
    "clock": "clock.jsonl",
    "controls": "controls.jsonl",
    "look": "look.jsonl",
}


def _digest(path: str) -> str | None:
    return document.sha256(Path(path)) if path and Path(path).is_file() else None
