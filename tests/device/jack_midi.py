"""Sends MIDI timecode, clock or a fader through a port to kfx's own, and prints what came of it.

``python -m tests.device.jack_midi mtc|midi SECONDS``: JSON rows of seconds sent, seconds of the
song, lock and source, one for every message. ``python -m tests.device.jack_midi fader MAP``: the
fader is learned for the grain of a film, then moved; the values it had.
"""

import json
import sys
import time

import mido

from kfx import sync
from kfx.sync.controls import Signals
from kfx.sync.grid import steady
from kfx.sync.midi_controls import MidiControls, open_port
from tests.desks import desk_of

BPM = 120.0


def quarter_frames(rate: int, seconds: float):
    """(seconds, message): MTC from 01:00:00:00 on."""
    count = 0
    while count / 4 / rate < seconds:
        piece, whole = count % 8, count // 8 * 2
        frames, total = whole % rate, whole // rate
        fields = (frames, total % 60, total // 60 % 60, 1 + total // 3600 | 1 << 5)
        nibble = fields[piece // 2] >> 4 * (piece % 2) & 15
        message = mido.Message("quarter_frame", frame_type=piece, frame_value=nibble)
        yield count / 4 / rate, message
        count += 1


def ticks(seconds: float):
    """(seconds, message): MIDI clock from the ninth beat on."""
    yield 0.0, mido.Message("songpos", pos=32)
    yield 0.0, mido.Message("continue")
    count = 0
    while count / 24 * 60.0 / BPM < seconds:
        yield 0.01 + count / 24 * 60.0 / BPM, mido.Message("clock")
        count += 1


def fader(path: str) -> None:
    desk, look, _ = desk_of()
    signals = Signals()
    controls = MidiControls(desk, path=path, signals=signals)
    mine = open_port("virtual", controls)
    (name,) = [one for one in mido.get_output_names() if "kfx midi" in one]
    port = mido.open_output(name)
    controls.learn("/kfx/v1/film/grain")
    values = []
    for value in (0, 127, 64):
        port.send(mido.Message("control_change", channel=2, control=7, value=value))
        time.sleep(0.5)
        values.append(look.preset.chain[1].values["grain"])
    heard = dict(signals.at(time.monotonic()))
    port.close()
    mine.close()
    desk.close()
    print(json.dumps({"port": name, "values": values, "signals": heard}))


def song(kind: str, seconds: float) -> None:
    spec = "mtc:virtual?offset=01:00:00:00" if kind == "mtc" else "midi:virtual"
    clock = sync.open([spec], steady(BPM), frame_s=1 / 25)
    (name,) = [one for one in mido.get_output_names() if f"kfx {kind}" in one]
    port = mido.open_output(name)
    rows = []
    begun = time.monotonic() + 0.2
    for at, message in quarter_frames(25, seconds) if kind == "mtc" else ticks(seconds):
        while (left := begun + at - time.monotonic()) > 0:
            time.sleep(left)
        port.send(message)
        now = time.monotonic()
        told = clock.now(now)
        rows.append([now - begun, told.time_s, told.lock, told.source, told.rate])
    port.send(mido.Message("stop"))
    time.sleep(0.3)
    told = clock.now(time.monotonic())
    rows.append([time.monotonic() - begun, told.time_s, told.lock, told.source, told.rate])
    port.close()
    clock.close()
    print(json.dumps({"port": name, "rows": rows}))


if sys.argv[1] == "fader":
    fader(sys.argv[2])
else:
    song(sys.argv[1], float(sys.argv[2]))
