"""Whom a link draws and how its knobs move, in the picture: slots, conditions, live values."""

from dataclasses import replace

import numpy as np
import pytest

from kfx import presets
from kfx.engine.look.chain import Chain
from kfx.errors import UsageError
from kfx.render.gpu import Gpu
from tests.faces import face_at, frame_of, picture, smiling, tick_of

SIZE = (320, 180)
PIXELS = picture(*SIZE)
LEFT, RIGHT = np.s_[:, :150], np.s_[:, 170:]
FACES = (
    face_at(75, 80, 26, slot=0, shape=smiling()),
    face_at(245, 80, 26, slot=1, shape=smiling()),
)


@pytest.fixture(scope="module")
def gpu():
    with Gpu() as gpu:
        yield gpu


@pytest.fixture
def compiled(gpu, monkeypatch):
    """Counts the GL programs that are made."""
    made = []
    plain = gpu.program
    monkeypatch.setattr(gpu, "program", lambda *a, **k: made.append(a) or plain(*a, **k))
    return made


def look(*links):
    text = "version = 1\n" + "".join(f"[[chain]]\neffect = {link}\n" for link in links)
    return presets.read(text, "look.toml", "look")


def ticks(count, faces=FACES, **more):
    for i in range(count):
        tick = tick_of(frame_of(PIXELS, i), faces, 0.0 if i == 0 else 1 / 30)
        yield replace(tick, **more)


def play(gpu, preset, count=6, names=None, faces=FACES, **more):
    with Chain(gpu, preset, SIZE) as chain:
        chain.knobs.names = names or {}
        return [np.array(chain.render(tick)) for tick in ticks(count, faces, **more)]


@pytest.mark.parametrize(
    "effect",
    ["'chrome_skin'", "'nebula_skin'", "'liquify'\nmouth = 0.5", "'decal_uv'"],
)
def test_a_link_draws_only_its_slots(gpu, effect):
    everybody = play(gpu, look(effect))[-1]
    one, other = (play(gpu, look(f"{effect}\nslots = [{n}]"))[-1] for n in (0, 1))
    assert (everybody[LEFT] != PIXELS[LEFT]).any()
    assert (one[LEFT] == everybody[LEFT]).all()
    assert (one[RIGHT] == PIXELS[RIGHT]).all()
    assert (other[RIGHT] == everybody[RIGHT]).all()
    assert (other[LEFT] == PIXELS[LEFT]).all()


def test_names_find_their_slots_and_lead_is_the_first(gpu):
    def drawn(name, names):
        shown = play(gpu, look(f"'chrome_skin'\nslots = ['{name}']"), names=names)[-1]
        return [bool((shown[half] != PIXELS[half]).any()) for half in (LEFT, RIGHT)]

    assert drawn("Karina", {1: "karina"}) == [False, True]
    assert drawn("Karina", {}) == [False, False]
    assert drawn("lead", {}) == [True, False]
    assert drawn("lead", {1: "lead"}) == [False, True]


def test_several_routings_in_one_chain(gpu):
    chrome, nebula = "'chrome_skin'\nslots = [0]", "'nebula_skin'\nslots = [1]"
    both = play(gpu, look(chrome, nebula))[-1]
    assert (both[LEFT] == play(gpu, look(chrome))[-1][LEFT]).all()
    assert (both[RIGHT] == play(gpu, look(nebula))[-1][RIGHT]).all()


def test_a_full_frame_effect_sees_only_its_slots(gpu):
    routed = play(gpu, look("'eye_beam'\nslots = [0]"))[-1]
    assert (routed == play(gpu, look("'eye_beam'"), faces=FACES[:1])[-1]).all()
    assert (routed != play(gpu, look("'eye_beam'"))[-1]).any()


def test_who_is_not_meant_still_hides_whom_they_stand_before(gpu):
    behind = face_at(110, 90, 30, slot=0)
    front = face_at(175, 90, 60, slot=1)
    routed = play(gpu, look("'chrome_skin'\nslots = [0]\nbeats = 0.0"), faces=(behind, front))[-1]
    assert (routed != PIXELS).any()
    nose = np.s_[85:95, 170:180]  # of the face in front
    assert (routed[nose] == PIXELS[nose]).all()


def test_a_moved_mix_draws_what_a_still_one_draws_and_compiles_nothing(gpu, compiled):
    moved = look(
        "'chrome_skin'\nmix = { base = 0, 'osc.a' = 1 }", "'film'\ngrain = { 'osc.a' = 0.1 }"
    )
    with Chain(gpu, moved, SIZE) as chain:
        chain.render(next(ticks(1)))
        compiled.clear()
        for amount in (0.0, 0.5, 1.0, 0.25, 0.0):
            chain.reset()
            shown = np.array(chain.render(next(ticks(1, signals={"osc.a": amount}))))
            assert not compiled
            with_it = look(
                f"'chrome_skin'\nmix = {amount}", f"'film'\ngrain = {0.05 + 0.1 * amount}"
            )
            expected = play(gpu, with_it, 1)[0]
            compiled.clear()
            assert np.abs(shown.astype(int) - expected).max() <= 1


@pytest.mark.parametrize(
    "effect", ["'chrome_skin'", "'film'", "'liquify'\nmouth = 0.5", "'echo_trails'"]
)
def test_a_link_whose_condition_fails_leaves_the_plate_to_the_bit(gpu, compiled, effect):
    preset = look(f"{effect}\nwhen = 'osc.a > 0.5'")
    with Chain(gpu, preset, SIZE) as chain:
        made = []
        for i, tick in enumerate(ticks(12)):
            on = i % 4 < 2
            compiled.clear()
            shown = chain.render(replace(tick, signals={"osc.a": float(on)}))
            made += compiled if i else []
            if i > 1:  # some need a frame to come in
                assert (shown == PIXELS).all() == (not on)
        assert not made


@pytest.mark.parametrize("effect", ["'bloom'\nintensity = 0.4", "'asymmetry'"])
def test_a_take_with_moving_knobs_repeats_to_the_bit(gpu, effect):
    preset = look(
        f"{effect}\nmix = {{ base = 0.2, 'random.beat' = 0.4, 'face.speed' = 0.4, attack_ms = 90 }}"
    )
    one, two = play(gpu, preset, 20), play(gpu, preset, 20)
    assert all((a == b).all() for a, b in zip(one, two, strict=True))


def test_a_value_is_set_at_once_without_compiling(gpu, compiled):
    preset = look("'chrome_skin'", "'film'\nmix = 0.5", "'lut_grade'", "'bloom'\nmix = 0")
    with Chain(gpu, preset, SIZE) as chain:
        stream = ticks(20)
        chain.render(next(stream))
        assert chain.set(1, "mix", 0.25)
        chain.render(next(stream))
        compiled.clear()
        for mix in (0.1, 1.0, 0.5, 1.0, 0.0):
            assert chain.set(1, "mix", mix)
            assert chain.set(1, "grain", 0.2 * mix)
            chain.render(next(stream))
        assert not compiled
        assert not chain.set(3, "mix", 0.5)  # wasn't planned: it takes a new chain
        with pytest.raises(UsageError, match="outside"):
            chain.set(1, "grain", 5.0)


def test_bypass_takes_one_link_out_and_brings_it_back(gpu):
    with Chain(gpu, look("'chrome_skin'", "'film'"), SIZE) as chain:
        first, *rest = ticks(4)
        both = np.array(chain.render(first))
        chain.bypass(1, True)
        alone = np.array(chain.render(rest[0]))
        assert np.abs(alone.astype(int) - play(gpu, look("'chrome_skin'"), 2)[1]).max() <= 1
        chain.bypass(0, True)
        assert (chain.render(rest[1]) == PIXELS).all()
        chain.bypass(0, False)
        chain.bypass(1, False)
        assert np.abs(np.array(chain.render(replace(first, dt=0.0))).astype(int) - both).max() <= 1
