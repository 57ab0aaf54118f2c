"""What a live show may play and record beside its look, as options: cues and takes."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kfx.engine.desk.live_show import LiveShow
    from kfx.engine.desk.session import Inputs, Session
    from kfx.engine.loop.switches import Switches
    from kfx.engine.takes.take_recorder import TakeRecorder
    from kfx.presets import Preset


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """A group of its own in ``--help``."""
    group = parser.add_argument_group("show and takes")
    group.add_argument(
        "-s", "--show", metavar="SHOW.toml", help="play a show's cues, in place of --preset"
    )
    group.add_argument(
        "--take",
        metavar="DIR",
        help="record takes there, the first at once: plate, picture, tracks, clock, controls; "
        "with --rate at a constant rate, else every picture lies where it came",
    )
    group.add_argument("--slate", default="A001", help="of the takes (default: A001)")
    group.add_argument("--standby", action="store_true", help="roll only when told: /take/roll")
    group.add_argument(
        "--take-picture", choices=("mp4", "mov"), default="mp4", help="format of what was shown"
    )
    group.add_argument("--project", default="", help="written into each take")
    group.add_argument("--scene", default="", help="written into each take")
    group.add_argument("--camera", default="", metavar="NAME", help="written into each take")
    group.add_argument(
        "--consent",
        action="append",
        default=[],
        metavar="WHO=ID",
        help="id of a performer's consent record, or the record (.json, with an id): written into "
        "each take; WHO is a name of --pin or a slot, an ID alone is everybody's",
    )


class Extras:
    """What the options ask for beside the look. Raises `KfxError`."""

    def __init__(self, options: argparse.Namespace, switches: Switches, frame_s: float) -> None:
        from kfx.engine.desk.live_show import LiveShow
        from kfx.engine.takes import live_takes
        from kfx.errors import UsageError

        self.frame_s = frame_s
        self.begins: list[Callable[[Session], Callable[[], None]]] = []
        self._show: LiveShow | None = None
        if options.show is not None:
            for name in ("grid", "song", "set"):
                if getattr(options, name):
                    raise UsageError(f"--{name}: with --show the show's file says this")
            self._show = LiveShow(options.show, switches, frame_s=frame_s)
            self.begins.append(self._show.extra)
        self.takes: TakeRecorder | None = None
        if options.take is None and options.consent:
            raise UsageError("--consent: is written into takes; add --take DIR")
        if options.take is not None:
            self.takes = self._recorder(options)
            self.begins.append(live_takes.extra(self.takes))

    def _recorder(self, options: argparse.Namespace) -> TakeRecorder:
        from kfx.engine.takes.take_files import About
        from kfx.engine.takes.take_recorder import TakeRecorder
        from kfx.takes import consent

        show = self._show.show if self._show else None
        about = About(
            project=options.project,
            scene=options.scene,
            camera=options.camera,
            song=(show.song if show else options.song) or "",
            show=show.path if show else "",
            offset_s=show.offset_s if show else None,
            drop=bool(show and show.offset and ";" in show.offset),
            picture=f".{options.take_picture}",
            consents=consent.parse(options.consent),
        )
        return TakeRecorder(
            Path(options.take), options.slate, rolls=not options.standby, about=about
        )

    @property
    def show(self) -> LiveShow | None:
        """The show with its cues, where there is one."""
        return self._show

    @property
    def looks(self) -> tuple[Preset, ...]:
        """All looks of the show's cues; none without a show."""
        timeline = self._show.conductor.timeline if self._show else None
        return tuple(one.preset for one in timeline.looks) if timeline else ()

    @property
    def preset(self) -> Preset | None:
        """The look that a show opens with."""
        return self._show.conductor.first if self._show else None

    def inputs(self, inputs: Inputs) -> Inputs:
        """The inputs with what the show says of its song."""
        if self._show is None:
            return inputs
        show = self._show.show
        return replace(
            inputs,
            beats=show.grid,
            song=inputs.song or show.song or None,
            lead_s=inputs.lead_s or show.lead_s,
            sync=self._show.sync_of(inputs.sync),
        )
