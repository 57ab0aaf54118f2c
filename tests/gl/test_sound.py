"""ISF's audio and audioFFT inputs in whole runs: of a clip, of a song, of an input."""

from dataclasses import replace
from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import pytest

from kfx import presets, sources
from kfx.engine import offline, song_ticks
from kfx.engine.desk.session import Inputs, Session
from kfx.engine.look.chain import Chain
from kfx.engine.loop.switches import Switches
from kfx.errors import KfxError
from kfx.render.gpu import Gpu
from kfx.sync import audio_in
from kfx.types import Frame
from tests.isf_files import write
from tests.unit.media import flat, make
from tests.unit.test_sync_audio import FakeDevices, wav

SIZE = (64, 48)
COLUMNS = 32  # of 750 Hz each
# Left half: the waveform's columns; right half: the spectrum's. Bottom half: the first channel.
BODY = """void main() {
    vec2 at = isf_FragNormCoord;
    float x = fract(at.x * 2.0);
    gl_FragColor = vec4(vec3(at.x < 0.5 ? IMG_NORM_PIXEL(wave, vec2(x, at.y)).r
                                        : IMG_NORM_PIXEL(bars, vec2(x, at.y)).r), 1.0);
}"""
INPUTS = (
    {"NAME": "wave", "TYPE": "audio", "MAX": COLUMNS},
    {"NAME": "bars", "TYPE": "audioFFT", "MAX": COLUMNS},
)


@pytest.fixture(autouse=True)
def nobody(monkeypatch):
    """No faces, and no net that looks for them."""
    monkeypatch.setattr("kfx.tracking.finders.truth.Truth.find", lambda finder, frame: [])


@pytest.fixture
def shader(tmp_path):
    return presets.load(str(write(tmp_path, BODY, *INPUTS, name="hears.fs", plate=False)))


def clip(tmp_path, seconds=0.6, **more):
    return make(tmp_path / "clip.mp4", [flat((0, 0, 0))] * round(seconds * 25), **more)


def rendered(path, preset, start=0, **options):
    """The pictures of a render by their frame's number, and how that ended."""
    shots = {}
    with sources.open(str(path), start_s=start) as source:
        offline.render(
            source,
            preset,
            "null",
            tracker="truth",
            start_s=Fraction(start),
            on_shot=lambda shot: shots.update({round(shot.tick.time * 25): np.array(shot.pixels)}),
            **options,
        )
    return shots


def seen(pixels, y=0.75):
    """(waveform, spectrum) of the first channel, or at another `y` from the top."""
    row = pixels[int(y * pixels.shape[0]), :, 0].astype(int)
    return row[:COLUMNS], row[COLUMNS:]


def silent(pixels):
    wave, bars = seen(pixels)
    return bool((abs(wave - 127.5) <= 1).all() and not bars.any())


def test_a_clip_is_heard(tmp_path, shader):
    shots = rendered(clip(tmp_path, tone_s=1.0), shader)
    assert silent(shots[0]), "nothing was heard before the first frame"
    for number in (5, 9, 14):
        wave, bars = seen(shots[number])
        assert bars.argmax() == 440 * COLUMNS // 24000
        assert bars.max() > 200
        assert bars[3:].max() < 60
        sine = 127.5 + 0.3 * 127.5 * np.sin(
            2 * np.pi * 440 * (number / 25 + (np.arange(COLUMNS) - COLUMNS) / 48000)
        )
        assert np.abs(wave - sine).max() < 6, "each sample stands where it was heard"


def test_the_same_frame_is_the_same_picture_wherever_one_starts(tmp_path, shader):
    path = clip(tmp_path, tone_s=1.0)
    whole, again, part = (rendered(path, shader, start) for start in (0, 0, Fraction(1, 5)))
    assert sorted(part) == list(range(5, 15))
    for number in part:
        assert (part[number] == whole[number]).all()
        assert (again[number] == whole[number]).all()


def test_a_clip_without_sound_is_silent(tmp_path, shader):
    shots = rendered(clip(tmp_path), shader)
    assert all(silent(one) for one in shots.values())


def test_a_song_is_heard_in_place_of_the_clip(tmp_path, shader):
    at = np.arange(48000) / 48000
    song = wav(tmp_path / "song.wav", 0.5 * np.sin(2 * np.pi * 6200 * at))
    ticks = song_ticks.rendered(song=str(song), start_s=0.2)
    shots = rendered(clip(tmp_path, tone_s=1.0), shader, ticks=ticks)
    assert all(silent(shots[number]) for number in range(6)), "before the song"
    assert seen(shots[12])[1].argmax() == 6200 * COLUMNS // 24000
    assert seen(shots[12])[1][0] < 100, "the clip's tone isn't heard"


def test_sound_that_nobody_draws_is_never_read(tmp_path, monkeypatch):
    monkeypatch.setattr("kfx.sync.audio_file.pieces", lambda path: pytest.fail("was read"))
    deaf = write(tmp_path, "void main() { gl_FragColor = vec4(0.25); }", plate=False)
    assert len(rendered(clip(tmp_path, tone_s=1.0), presets.load(str(deaf)))) == 15


def test_sound_that_cannot_be_read_says_so(tmp_path, shader):
    path = clip(tmp_path)
    with sources.open(str(path)) as source:
        source.info = replace(source.info, audio=str(tmp_path / "gone.wav"))
        with pytest.raises(KfxError, match=r"gone\.wav: can't be read as sound"):
            offline.render(source, shader, "null", tracker="truth")


def test_an_input_is_heard_live(tmp_path, shader, monkeypatch):
    devices, now = FakeDevices(), SimpleNamespace(s=100.0)
    monkeypatch.setattr(audio_in, "_sounddevice", lambda: devices)
    monkeypatch.setattr(audio_in.clock, "now", lambda: now.s)
    pixels, shots, count = flat((0, 0, 0), SIZE), [], 1600
    with (
        Session(Inputs(audio="USB"), Switches(), frame_s=1 / 30) as session,
        Gpu() as gpu,
        Chain(gpu, shader, SIZE) as chain,
    ):
        for number in range(8):
            at = np.arange(number * count, (number + 1) * count) / 48000
            left, right = (0.5 * np.sin(2 * np.pi * hertz * at) for hertz in (440, 9000))
            now.s += 1 / 30
            if number < 6:
                devices.open[0].hear(np.stack([left, right], 1).astype(np.float32))
            else:
                now.s += 1.0  # the cable was pulled
            frame = Frame(pixels, number, Fraction(number, 30), now.s)
            shots.append(np.array(chain.render(session.ticks.tick(frame, ()))))
    assert devices.open == []
    for shot in shots[2:6]:
        assert seen(shot)[1].argmax() == 440 * COLUMNS // 24000
        assert seen(shot, 0.2)[1].argmax() == 9000 * COLUMNS // 24000
        assert np.ptp(seen(shot)[0]) > 20
    assert (shots[4] != shots[5]).any()
    assert all(silent(shot) for shot in shots[6:])


def test_two_shaders_may_call_different_things_alike(tmp_path):
    names = []
    for kind, columns, half in (("audio", 8, "<"), ("audioFFT", 4, ">=")):
        body = f"""void main() {{
            vec4 below = IMG_THIS_PIXEL(inputImage);
            float x = fract(isf_FragNormCoord.x * 2.0);
            gl_FragColor = isf_FragNormCoord.x {half} 0.5
                ? vec4(IMG_NORM_PIXEL(one, vec2(x, 0.5)).r, IMG_SIZE(one).x / 255.0, 0, 1) : below;
        }}"""
        entry = {"NAME": "one", "TYPE": kind, "MAX": columns}
        names.append(write(tmp_path, body, entry, name=f"{kind}.fs"))
    text = "version = 1\n" + "".join(f'[[chain]]\neffect = "{one.name}"\n' for one in names)
    (tmp_path / "both.toml").write_text(text)
    both = presets.load(str(tmp_path / "both.toml"))
    shot = rendered(clip(tmp_path, tone_s=1.0), both)[12]
    assert {tuple(column) for column in shot[24, 1:31, 1:2]} == {(8,)}
    assert {tuple(column) for column in shot[24, 33:63, 1:2]} == {(4,)}
    assert shot[24, 36, 0] > 200
    assert shot[24, 60, 0] < 20
