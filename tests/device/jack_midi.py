"""Sends MIDI timecode, clock or a fader through a port to kfx's own, and prints what came of it.

``python -m tests.device.jack_midi mtc|midi SECONDS``: JSON rows of seconds heard, seconds of the
song, lock, source and rate, one for every message, until it has followed for a while. ``python -m
tests.device.jack_midi fader MAP``: the fader is learned for the grain of a film, then moved; the
values it had. ``python -m tests.device.jack_midi unplugged``: a controller goes and comes back;
what was told of it.
"""

import json
import sys
import time
from typing import Any

import mido

from kfx import sync
from kfx.sync.controls import Signals
from kfx.sync.grid import steady
from kfx.sync.midi_clock import MidiClock
from kfx.sync.midi_controls import MidiControls, open_port
from kfx.sync.midi_in import Port
from kfx.sync.mtc import Mtc
from tests.desks import desk_of
from tests.waiting import LONG_S, until

BPM = 120.0
LOCKED = {"mtc": 200, "midi": 96}  # messages while it follows: two seconds of them


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
    values: list[float] = []

    def grain() -> float:
        return look.preset.chain[1].values["grain"]

    for value in (0, 127, 64):

        def moved(value: int = value) -> bool:
            # As a hand does: what comes while JACK's thread is held up by the last one is lost.
            port.send(mido.Message("control_change", channel=2, control=7, value=value))
            time.sleep(0.1)
            told = signals.at(time.monotonic()).get("midi.cc7", -1.0)
            here = abs(told - value / 127) < 1e-6
            return here and (not values or grain() != values[-1])

        until(moved, value)
        values.append(grain())
    heard = dict(signals.at(time.monotonic()))
    port.close()
    mine.close()
    desk.close()
    print(json.dumps({"port": name, "values": values, "signals": heard}))


def unplugged() -> None:
    heard: list[int] = []
    told: list[str] = []
    knobs = mido.open_output("knobs", virtual=True)
    mine = Port("midi", "knobs", lambda message: heard.append(message.value), told.append)

    def sent(value: int) -> bool:
        knobs.send(mido.Message("control_change", control=7, value=value))
        time.sleep(0.05)
        return value in heard

    until(lambda: sent(1), heard)
    knobs.close()
    until(lambda: len(told) == 1, told)
    knobs = mido.open_output("knobs", virtual=True)
    until(lambda: len(told) == 2, told)
    until(lambda: sent(2), heard)
    mine.close()
    knobs.close()
    print(json.dumps(told))


def arrivals(reader: type[Mtc] | type[MidiClock]) -> list[float]:
    """When its messages come, each of them, from now on."""
    came: list[float] = []
    real = reader.message

    def message(self: Any, data: bytes, at: float) -> Any:
        came.append(at)
        return real(self, data, at)

    reader.message = message  # type: ignore[method-assign]
    return came


def song(kind: str, seconds: float) -> None:
    spec = "mtc:virtual?offset=01:00:00:00" if kind == "mtc" else "midi:virtual"
    clock = sync.open([spec], steady(BPM), frame_s=1 / 25)
    (name,) = [one for one in mido.get_output_names() if f"kfx {kind}" in one]
    port = mido.open_output(name)
    rows: list[list[Any]] = []
    due: list[float] = []
    came = arrivals(Mtc if kind == "mtc" else MidiClock)
    begun = time.monotonic() + 0.2
    for at, message in quarter_frames(25, LONG_S) if kind == "mtc" else ticks(LONG_S):
        if at > seconds and sum(row[2] == "locked" for row in rows) > LOCKED[kind]:
            break  # a busy machine takes longer until it follows
        due.append(at)
        while (left := begun + at - time.monotonic()) > 0:
            time.sleep(left)
        port.send(message)
        now = time.monotonic()
        told = clock.now(now)
        # What has come, and the time since: a busy machine's JACK brings it late.
        heard = due[len(came) - 1] + now - came[-1] if came else now - begun
        rows.append([heard, told.time_s, told.lock, told.source, told.rate])
    port.send(mido.Message("stop"))
    if kind == "midi":
        until(lambda: clock.now(time.monotonic()).rate == 0.0, "the stop")
    told = clock.now(time.monotonic())
    rows.append([due[-1], told.time_s, told.lock, told.source, told.rate])
    port.close()
    clock.close()
    print(json.dumps({"port": name, "rows": rows}))


if sys.argv[1] == "fader":
    fader(sys.argv[2])
elif sys.argv[1] == "unplugged":
    unplugged()
else:
    song(sys.argv[1], float(sys.argv[2]))
