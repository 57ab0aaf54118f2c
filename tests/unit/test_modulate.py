"""What moves a knob: signals, how they are followed, conditions, and that takes repeat."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kfx import presets
from kfx.engine.look.modulate import Knobs
from kfx.engine.look.plan import compile_plan
from kfx.errors import UsageError
from kfx.presets import signals
from kfx.tracking.blendshapes import Blendshapes
from tests.faces import face_at, frame_of, picture, smiling, tick_of

PIXELS = picture(64, 36)


def look(chain, head="version = 1\n"):
    return presets.read(f"{head}[[chain]]\n{chain}", "look.toml", "look")


def moved(source, knob="intensity", effect="bloom"):
    """Knobs whose `knob` follows `source` alone, from 0 by 1."""
    return Knobs(look(f"effect = '{effect}'\n{knob} = {{ base = 0, {source} }}"))


def tick_at(beat=0.0, dt=1 / 30, faces=(), **more):
    tick = tick_of(frame_of(PIXELS), faces, dt)
    return replace(tick, beat=beat, bar=beat / 4, time=beat / 2, **more)


def at(knobs, tick, knob="intensity"):
    return knobs.at(tick)[0][knob]


@pytest.mark.parametrize(
    ("shape", "quarters"),
    [
        ("phase", (0, 0.25, 0.5, 0.75)),
        ("decay", (1, 0.5625, 0.25, 0.0625)),
        ("pulse", (1, 0, 0, 0)),
        ("square", (1, 1, 0, 0)),
        ("triangle", (0, 0.5, 1, 0.5)),
        ("sine", (0, 0.5, 1, 0.5)),
    ],
)
@pytest.mark.parametrize(
    ("source", "beats"),
    [
        ('"beat.{}" = 1', 1),
        ('"bar.{}" = 1', 4),
        ('"lfo.{}" = {{ amount = 1, rate_beats = 8 }}', 8),
        ('"lfo.{}" = {{ amount = 1, rate_hz = 0.25 }}', 8),
        ('"lfo.{}" = 1, rate_beats = 2, phase = 0.0', 2),
    ],
)
def test_shapes(shape, quarters, source, beats):
    knobs = moved(source.format(shape))
    values = [at(knobs, tick_at(beat=beats * (3 + i / 4))) for i in range(4)]
    assert values == pytest.approx(quarters, abs=1e-4)


def test_phase_moves_an_lfo_and_a_curve_bends_it():
    knobs = moved('"lfo.phase" = { amount = 1, phase = 0.5, rate_beats = 4, curve = "ease_in" }')
    assert at(knobs, tick_at(beat=0.0)) == pytest.approx(0.25, abs=1e-4)
    assert at(knobs, tick_at(beat=1.0)) == pytest.approx(0.5625, abs=1e-4)


def test_values_stay_in_the_knobs_range_and_add_up():
    knobs = Knobs(look("effect = 'bloom'\nintensity = { base = 1, 'osc.a' = 0.5, 'osc.b' = -4 }"))
    for a, b, expected in ((1, 0, 1.5), (0, 1, 0.0), (9, 0, 2.0), (math.inf, 0, 2.0)):
        assert at(knobs, tick_at(signals={"osc.a": a, "osc.b": b})) == expected
    assert at(knobs, tick_at(signals={"osc.a": math.nan})) == 1.0
    assert at(knobs, tick_at()) == 1.0


def test_what_was_said_last_can_be_seen_with_its_preset():
    knobs = Knobs(look("effect = 'bloom'\nintensity = { base = 0.2, 'osc.a' = 0.5 }"))
    assert knobs.now == (knobs.preset, ())
    knobs.at(tick_at(signals={"osc.a": 1.0}))
    knobs.set(0, "intensity", 0.4)
    preset, (values,) = knobs.now
    assert preset.chain[0].values["intensity"] == 0.2
    assert values["intensity"] == pytest.approx(0.7)


def test_whole_numbers_and_truths_move_too():
    knobs = Knobs(look("effect = 'multiply'\ncopies = { base = 2, 'midi.cc7' = 3 }"))
    values = [at(knobs, tick_at(signals={"midi.cc7": x}), "copies") for x in (0, 0.4, 1)]
    assert values == [2, 3, 5]
    assert all(isinstance(value, int) for value in values)
    knobs = Knobs(look("effect = 'deadpan_step'\non_beat = { base = false, 'cue.go' = 1 }"))
    assert [at(knobs, tick_at(signals={"cue.go": x}), "on_beat") for x in (0, 1)] == [False, True]


def test_colours_move_as_a_whole_or_number_by_number(tmp_path):
    (tmp_path / "tint.fs").write_text(
        '/*{"INPUTS": [{"NAME": "inputImage", "TYPE": "image"}, {"NAME": "colour",'
        ' "TYPE": "color"}]}*/ void main() { gl_FragColor = colour; }'
    )

    def tint(amount):
        text = f"[[chain]]\neffect = 'tint.fs'\ncolour = {{ base = [0, 0.5, 1, 1], {amount} }}"
        return Knobs(presets.read(f"version = 1\n{text}", str(tmp_path / "x.toml"), "x"))

    now = tick_at(signals={"osc.a": 0.5, "osc.b": 0.25})
    assert at(tint("'osc.a' = [1, 0, -1, 0]"), now, "colour") == (0.5, 0.5, 0.5, 1)
    assert at(tint("'osc.a' = -1"), now, "colour") == (0, 0, 0.5, 0.5)
    assert at(tint("'osc.a' = [1, 0, 0, 0], 'osc.b' = -1"), now, "colour") == (
        0.25,
        0.25,
        0.75,
        0.75,
    )


def test_attack_and_release_take_their_time_and_a_cut_ends_them():
    knobs = moved('"osc.a" = 1, attack_ms = 100, release_ms = 1000')
    up, down = {"osc.a": 1.0}, {"osc.a": 0.0}
    assert at(knobs, tick_at(dt=0.0, signals=down)) == 0.0
    rise = [at(knobs, tick_at(dt=0.01, signals=up)) for _ in range(10)]
    assert rise == sorted(rise)
    assert rise[-1] == pytest.approx(0.95, abs=0.005)
    fall = [at(knobs, tick_at(dt=0.01, signals=down)) for _ in range(100)]
    assert fall[9] > 0.6
    assert fall[-1] == pytest.approx(0.05, abs=0.01)
    assert at(knobs, tick_at(dt=0.0, signals=up)) == 1.0


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(0.002, 0.1), min_size=1, max_size=40))
def test_following_depends_on_time_and_not_on_the_frame_rate(steps):
    knobs = moved('"osc.a" = 1, attack_ms = 300')
    at(knobs, tick_at(dt=0.0, signals={"osc.a": 0.0}))
    for dt in steps:
        value = at(knobs, tick_at(dt=dt, signals={"osc.a": 1.0}))
    assert value == pytest.approx(1 - math.exp(-3 * sum(steps) / 0.3), abs=1e-9)


def test_faces_tell_of_the_slot_a_link_draws_and_of_the_strongest_otherwise():
    small = replace(face_at(iod=10, slot=0), blendshapes={"jawOpen": 0.2})
    large = replace(face_at(iod=40, slot=1), blendshapes={"jawOpen": 0.8})
    both = tick_at(faces=(small, large))
    chain = "effect = 'iris_nova'\nhue = { base = 0, 'face.jawOpen' = 1 }"
    assert at(Knobs(look(chain)), both, "hue") == pytest.approx(0.8)
    assert at(Knobs(look(chain + "\nslots = [0]")), both, "hue") == pytest.approx(0.2)
    named = Knobs(look(chain + "\nslots = ['Mina']"))
    assert at(named, both, "hue") == 0.0
    named.names = {0: "mina"}
    assert at(named, both, "hue") == pytest.approx(0.2)
    fading = replace(large, presence=0.5)
    assert at(Knobs(look(chain)), tick_at(faces=(fading,)), "hue") == pytest.approx(0.4)


def test_expressions_come_from_the_landmarks_where_the_tracker_gave_none():
    pytest.importorskip("onnxruntime")
    knobs, net = moved('"face.mouthSmileLeft" = 1'), Blendshapes()
    values = []
    for face in (face_at(), face_at(shape=smiling())):
        values.append(at(knobs, tick_at(faces=(face,))))
        assert values[-1] == pytest.approx(net.of(face.landmarks)["mouthSmileLeft"])
    assert values[0] != values[1]


def test_heads_and_speed():
    for name, turn in (("yaw", {"yaw": 22.5}), ("roll", {"roll": 22.5})):
        knobs = moved(f'"head.{name}" = 1')
        assert at(knobs, tick_at(faces=(face_at(**turn),))) == pytest.approx(0.5, abs=1e-3)
    knobs = moved('"face.speed" = 1')
    assert at(knobs, tick_at(dt=0.0, faces=(face_at(x=100),))) == 0.0
    assert at(knobs, tick_at(dt=0.1, faces=(face_at(x=108, iod=40),))) == pytest.approx(0.5)
    assert at(knobs, tick_at(dt=0.1, faces=(face_at(x=108, iod=40),))) == 0.0


def test_chance_is_another_number_each_beat_and_the_same_in_each_take():
    def take(chain="effect = 'bloom'", head="version = 1\nseed = 4\n"):
        knobs = Knobs(look(chain + "\nintensity = { base = 0, 'random.beat' = 1 }", head))
        return [at(knobs, tick_at(beat=i / 4)) for i in range(64)]

    numbers = take()
    assert numbers == take()
    assert len(set(numbers)) == 16
    assert all(len(set(numbers[i : i + 4])) == 1 for i in range(0, 64, 4))
    assert 0.3 < np.mean(numbers) < 0.7
    assert numbers != take(head="version = 1\nseed = 5\n")
    assert numbers != take("effect = 'bloom'\nseed = 1")


def test_sound_falls_back_on_the_energy_of_the_tick():
    knobs = moved('"audio.level" = 1')
    assert at(knobs, tick_at(energy=0.5)) == 0.5
    assert at(knobs, tick_at(energy=0.5, signals={"audio.level": 0.25})) == 0.25


@pytest.mark.parametrize(
    ("when", "shown"),
    [
        ('"beat.phase < 0.5"', "10"),
        ('"beat.phase >= 0.5"', "01"),
        ('"beat.phase < 0.5 and audio.low > 0.2"', "00"),
        ('"beat.phase >= 0.5 or audio.low < 0.2"', "11"),
        ('{ signal = "beat.phase", above = 0.25, below = 0.75 }', "01"),
        ('[{ signal = "beat.phase", below = 0.5 }, { signal = "audio.low", above = 1 }]', "00"),
        ('{ signal = "lfo.square", rate_beats = 0.5, phase = 0.5, above = 0.5 }', "00"),
    ],
)
def test_a_link_is_shown_when_its_condition_holds(when, shown):
    knobs = Knobs(look(f"effect = 'bloom'\nwhen = {when}"))
    mixes = [at(knobs, tick_at(beat=beat), "mix") for beat in (0.1, 0.6)]
    assert mixes == [float(one) for one in shown]


def test_a_still_chain_costs_nothing_and_keeps_its_values():
    knobs = Knobs(presets.load("supernova"))
    one, two = knobs.at(tick_at()), knobs.at(tick_at(beat=1))
    assert all(a is b for a, b in zip(one, two, strict=True))


def test_set_and_bypass():
    knobs = Knobs(look("effect = 'bloom'\nintensity = { base = 0, 'osc.a' = 1 }"))
    knobs.set(0, "intensity", 0.5)
    assert at(knobs, tick_at(signals={"osc.a": 0.25})) == 0.75
    knobs.bypass(0, True)
    assert at(knobs, tick_at(), "mix") == 0.0
    knobs.bypass(0, False)
    assert at(knobs, tick_at(), "mix") == 1.0
    with pytest.raises(UsageError, match="outside"):
        knobs.set(0, "intensity", 9)
    with pytest.raises(UsageError, match="'glow' is none of"):
        knobs.set(0, "glow", 1)
    with pytest.raises(UsageError, match=r"chain\[1\]"):
        knobs.set(1, "mix", 1)


def test_a_link_whose_mix_is_moved_is_planned():
    assert not compile_plan(look("effect = 'bloom'\nmix = 0")).steps
    assert compile_plan(look("effect = 'bloom'\nmix = { base = 0, 'beat.decay' = 1 }")).steps


def test_a_plan_tells_what_must_be_tracked():
    plan = compile_plan(look("effect = 'bloom'\nintensity = { 'face.jawOpen' = 1 }"))
    assert plan.needs_faces
    assert plan.needs_blendshapes
    assert not compile_plan(look("effect = 'bloom'")).needs_faces


def test_links_that_draw_others_are_not_joined():
    chain = "[[chain]]\neffect = 'chrome_skin'\nslots = [0]\n[[chain]]\neffect = 'nebula_skin'\n"
    both = presets.read("version = 1\n" + chain, "x.toml", "x")
    assert len(compile_plan(both).steps) == 2


@pytest.mark.parametrize("name", signals.NAMES)
def test_every_signal_can_be_read(name):
    knobs = moved(f'"{name}" = 1')
    face = replace(face_at(yaw=10), blendshapes={"jawOpen": 0.5})
    assert 0.0 <= at(knobs, tick_at(beat=1.3, faces=(face,), signals={name: 0.5})) <= 2.0
