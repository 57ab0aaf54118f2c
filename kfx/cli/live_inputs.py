"""What plays on a live show, as options: OSC, MIDI, the song's clock and sound."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kfx.engine.desk.session import Inputs

OFF = "off"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """A group of its own in ``--help``."""
    from kfx.sync.oscquery_client import PORT

    group = parser.add_argument_group("controls and song")
    group.add_argument(
        "--osc-in",
        metavar="[HOST:]PORT",
        help="OSC, OSCQuery, kfx ctl, and faces for retarget by OSC, VMC or Live Link Face "
        f"(default: this machine only, {PORT} or the next free port; '{OFF}' for none)",
    )
    group.add_argument(
        "--allow",
        action="append",
        default=[],
        metavar="HOST",
        help="an address or network that may send to --osc-in; may be repeated",
    )
    group.add_argument("--midi", metavar="PORT", help="a MIDI controller, or 'virtual'")
    group.add_argument(
        "--midi-map", metavar="FILE", help="which control moves what; written by learning"
    )
    group.add_argument(
        "--osc-map", metavar="FILE", help="which OSC fader moves what; written by learning"
    )
    group.add_argument(
        "--sync",
        action="append",
        default=[],
        metavar="SOURCE",
        help="a clock to follow: ltc[:DEVICE], mtc:PORT, midi:PORT, link, osc:PORT; may be "
        "repeated, the first that runs wins",
    )
    group.add_argument("--grid", metavar="GRID.json", help="the song's beats: see kfx beats")
    group.add_argument(
        "--song", metavar="SOUND", help="the song's file: looks hear it where the clock stands"
    )
    group.add_argument(
        "--audio",
        metavar="DEVICE",
        help="a sound input that looks hear; DEVICE?channel=1 is one of its channels, beside "
        "--sync 'ltc:DEVICE?channel=2'",
    )
    group.add_argument(
        "--lead-ms",
        type=float,
        default=0.0,
        metavar="MS",
        help="how much later the picture is seen: beats are drawn so much ahead (default: 0)",
    )


def inputs_of(options: argparse.Namespace) -> Inputs:
    """Raises `UsageError` for an option that can't be understood."""
    from kfx import sync
    from kfx.engine.desk.session import Inputs
    from kfx.errors import UsageError
    from kfx.sync import audio_live, osc_in
    from kfx.sync.controls import AllowList
    from kfx.sync.oscquery_client import PORT

    place = (osc_in.LOOPBACK, PORT)
    if options.osc_in is not None and options.osc_in != OFF:
        place = osc_in.parse(options.osc_in)
    AllowList(options.allow)
    if options.allow and place[0] == osc_in.LOOPBACK:
        raise UsageError("--allow: nobody else reaches this machine's own 127.0.0.1; name the "
                         "network too, e.g. --osc-in 0.0.0.0:9600")  # fmt: skip
    if options.midi_map and not options.midi:
        raise UsageError("--midi-map: name the controller too, by --midi PORT")
    if options.osc_map and options.osc_in == OFF:
        raise UsageError(f"--osc-map: belongs to OSC, and --osc-in is {OFF}")
    if options.song and options.audio:
        raise UsageError("--song and --audio: give one of them")
    if options.audio is not None:
        audio_live.parse(options.audio)
    if not -1000.0 <= options.lead_ms <= 1000.0:
        raise UsageError(f"--lead-ms {options.lead_ms:g}: is outside -1000..1000")
    for spec in options.sync:
        sync.parse(spec)
    return Inputs(
        osc_in=None if options.osc_in == OFF else place,
        exact_port=options.osc_in is not None,
        allow=tuple(options.allow),
        midi=options.midi,
        midi_map=options.midi_map,
        osc_map=options.osc_map,
        sync=tuple(options.sync),
        bpm=options.bpm,
        grid=options.grid,
        song=options.song,
        audio=options.audio,
        lead_s=options.lead_ms / 1000.0,
    )
