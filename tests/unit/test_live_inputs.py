"""The options that say what plays on a show, and the ticks of a rendered song."""

import argparse
import json
import wave
from fractions import Fraction

import numpy as np
import pytest

from kfx.cli import live_inputs
from kfx.engine import song_ticks
from kfx.errors import KfxError, UsageError
from kfx.sync.oscquery_client import PORT
from kfx.types import Frame
from tests.faces import picture


def inputs(*words):
    parser = argparse.ArgumentParser()
    parser.add_argument("--bpm", type=float, default=120.0)
    live_inputs.add_arguments(parser)
    return live_inputs.inputs_of(parser.parse_args(words))


def test_unless_told_otherwise_only_this_machine_plays():
    one = inputs()
    assert one.osc_in == ("127.0.0.1", PORT)
    assert not one.exact_port
    assert (one.midi, one.audio, one.sync, one.allow) == (None, None, (), ())
    assert inputs("--osc-in", "off").osc_in is None


def test_all_of_them():
    words = (
        "--osc-in 0.0.0.0:9000 --allow 10.0.0.0/24 --midi x --midi-map m.toml "
        "--sync ltc:USB --sync tap --grid g.json --audio 2 --lead-ms 40"
    )
    one = inputs(*words.split())
    assert one.osc_in == ("0.0.0.0", 9000)
    assert one.exact_port
    assert one.sync == ("ltc:USB", "tap")
    assert one.lead_s == pytest.approx(0.04)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--osc-in x", "write [HOST:]PORT"),
        ("--allow 10.0.0.7", "name the network too"),
        ("--osc-in 0.0.0.0:9600 --allow studio", "name an address"),
        ("--midi-map m.toml", "name the controller too"),
        ("--song a.wav --audio 1", "give one of them"),
        ("--lead-ms 5000", "outside -1000..1000"),
        ("--sync tape", "no such source"),
    ],
)
def test_what_cant_be_is_told_at_once(words, said):
    with pytest.raises(UsageError) as error:
        inputs(*words.split())
    assert said in str(error.value)


def beep(path):
    """A second of silence, then one of a loud low tone."""
    times = np.arange(16000) / 8000
    sound = np.where(times >= 1.0, np.sin(2 * np.pi * 100 * times), 0.0)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes((sound * 30000).astype("<i2").tobytes())


def test_a_render_hears_the_song_where_it_lies(tmp_path):
    beep(tmp_path / "song.wav")
    grid = {"bpm": 60.0, "beats": [0.0, 1.0, 2.0], "downbeats": [0.0], "source": "manual"}
    (tmp_path / "grid.json").write_text(json.dumps(grid))
    ticks = song_ticks.rendered(
        grid=str(tmp_path / "grid.json"), song=str(tmp_path / "song.wav"), start_s=2.0
    )
    at = {
        time: ticks.tick(Frame(picture(8, 8), i, Fraction(time), 0.0), ())
        for i, time in enumerate((1.0, 2.5, 3.5))
    }
    assert [tick.beat for tick in at.values()] == pytest.approx([-1.0, 0.5, 1.5])
    assert [at[time].signals["audio.low"] > 0.5 for time in at] == [False, False, True]
    assert at[3.5].energy > 0.5


def test_only_a_files_timecode_can_be_rendered():
    with pytest.raises(UsageError, match="rendered by ltc:FILE"):
        song_ticks.rendered(sync=["midi:x"])
    with pytest.raises(KfxError, match=r"nope\.json"):
        song_ticks.rendered(grid="nope.json")
