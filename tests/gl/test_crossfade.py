"""A look that changes while it runs: fades, values in place, faults, and memory that stays."""

import gc
import threading
from dataclasses import replace

import moderngl
import numpy as np
import pytest

from kfx import presets
from kfx.engine.look.chain import Chain
from kfx.engine.look.crossfade import Progress
from kfx.engine.look.look import Look
from kfx.errors import KfxError, UsageError
from kfx.render.gpu import Gpu
from tests.faces import face_at, frame_of, picture, smiling, tick_of

SIZE = (160, 90)
PIXELS = picture(*SIZE)
FACE = face_at(80, 45, 18, shape=smiling())


@pytest.fixture(scope="module")
def gpu():
    with Gpu() as gpu:
        yield gpu


def preset(*links, head="version = 1\n"):
    text = head + "".join(f"[[chain]]\neffect = {link}\n" for link in links)
    return presets.read(text, "look.toml", "look")


def tick(i, **more):
    return replace(tick_of(frame_of(PIXELS, i), [FACE], 0.0 if i == 0 else 1 / 30), **more)


def alone(gpu, one, i):
    """What a chain of its own draws at a tick of a still scene."""
    with Chain(gpu, one, SIZE) as chain:
        chain.render(tick(0))
        return np.array(chain.render(tick(i))).astype(int)


class Show:
    """Draws ticks one after the other."""

    def __init__(self, look):
        self.look, self.i = look, -1

    def next(self, **more):
        self.i += 1
        return np.array(self.look.render(tick(self.i, **more))).astype(int)

    def until_settled(self, most=60):
        for _ in range(most):
            shown = self.next()
            if self.look.settled:
                return shown
        raise AssertionError("it never settles")


@pytest.fixture
def show(gpu):
    shows = []

    def begin(*links, **options):
        shows.append(Show(Look(gpu, preset(*links), SIZE, **options)))
        return shows[-1]

    yield begin
    for one in shows:
        one.look.close()


FLASH, WASH = "'flash'\nmode = 'strobe'", "'film'\ngrain = 0\nfade = {}"


def test_knobs_glide_where_the_chains_match(gpu, show):
    one = show(WASH.format(0.0))
    first = one.next()
    one.look.change(preset(WASH.format(0.3)), seconds=10 / 30)
    fade = [one.next() for _ in range(11)]
    assert one.look.settled
    means = [shown.mean() for shown in fade]
    assert abs(fade[0] - first).max() == 0
    assert sorted(means, key=lambda mean: mean * np.sign(means[-1] - means[0])) == means
    assert len(set(means)) > 8
    assert abs(one.next() - alone(gpu, preset(WASH.format(0.3)), one.i)).max() == 0


def test_pictures_are_mixed_where_they_do_not(gpu, show):
    after = preset("'lut_grade'")
    one = show("'film'\ngrain = 0\nfade = 0.3")
    plain = one.next()
    one.look.change(after, seconds=8 / 30)
    shown = []
    while not one.look.settled or not shown:
        shown.append(one.next())
    settled = one.next()
    final = alone(gpu, after, one.i)
    assert abs(settled - final).max() <= 1
    assert abs(shown[0] - plain).max() == 0  # it is being compiled
    middle = shown[-5]
    low, high = np.minimum(plain, final), np.maximum(plain, final)
    assert ((middle >= low - 2) & (middle <= high + 2)).all()
    assert 0 < abs(middle - plain).mean() < abs(final - plain).mean()


def test_a_fade_in_beats_follows_the_song_and_ends_without_it():
    def weights(beats, step, dt, ticks):
        progress = Progress(beats=beats)
        return [progress.step(tick(1, beat=i * step, dt=dt)) for i in range(ticks)]

    assert weights(2, 0.5, 0.1, 5) == pytest.approx([0, 0.15625, 0.5, 0.84375, 1])
    assert weights(1, 0.0, 0.5, 6)[-1] == 1.0
    seek = Progress(beats=4)
    assert [seek.step(tick(1, beat=b, dt=0.0)) for b in (100, 3, 7)][1] == 0.0


def test_a_change_without_a_fade_is_a_cut(gpu, show):
    one = show("'film'")
    one.next()
    one.look.change(preset("'chrome_skin'"))
    one.until_settled()
    assert abs(one.next() - alone(gpu, preset("'chrome_skin'"), one.i)).max() <= 1


def test_a_preset_that_differs_in_knobs_only_is_there_at_the_next_frame(gpu, show):
    one = show("'film'\ngrain = 0\nfade = 0.1", "'chrome_skin'")
    one.next()
    after = preset("'film'\ngrain = 0\nfade = { base = 0.3, 'osc.a' = 0.1 }", "'chrome_skin'")
    one.look.change(after)
    one.next()
    assert one.look.settled
    assert abs(one.next() - alone(gpu, after, one.i)).max() <= 1


def test_while_a_fade_runs_the_last_of_several_changes_waits(gpu, show):
    one = show("'film'\ngrain = 0")
    one.next()
    one.look.change(preset("'chrome_skin'"), seconds=0.2)
    for _ in range(6):
        one.next()
    for name in ("nebula_skin", "wireframe", "decal_uv"):
        one.look.change(preset(f"'{name}'"), seconds=0.1)
    assert one.look.preset.chain[0].effect.name == "decal_uv"
    one.until_settled()
    assert abs(one.next() - alone(gpu, preset("'decal_uv'"), one.i)).max() <= 1


def test_values_set_while_a_look_comes_are_in_it(gpu, show):
    one = show("'chrome_skin'")
    one.next()
    one.look.change(preset("'film'\ngrain = 0\nfade = 0"))
    one.look.set(0, "fade", 0.3)
    one.until_settled()
    assert one.look.preset.chain[0].values["fade"] == 0.3
    assert abs(one.next() - alone(gpu, preset("'film'\ngrain = 0\nfade = 0.3"), one.i)).max() <= 1


def test_a_mix_raised_from_0_brings_the_effect_in(gpu, show):
    one = show("'film'\ngrain = 0\nmix = 0", "'chrome_skin'")
    one.next()
    one.look.set(0, "mix", 0.5)
    one.until_settled()
    both = preset("'film'\ngrain = 0\nmix = 0.5", "'chrome_skin'")
    assert abs(one.next() - alone(gpu, both, one.i)).max() <= 1
    one.look.bypass(0, True)
    one.look.bypass(1, True)
    assert (one.next() == PIXELS).all()
    assert one.look.bypassed == {0, 1}


def test_a_shader_that_does_not_compile_leaves_the_old_look(gpu, show, tmp_path):
    (tmp_path / "bad.fs").write_text("/*{}*/ void main() { gl_FragColor = nonsense; }")
    faults = []
    one = show("'film'\ngrain = 0", on_fault=faults.append)
    before = one.next()
    bad = presets.load(str(tmp_path / "bad.fs"))
    one.look.change(bad, seconds=1.0)
    after = one.until_settled()
    assert abs(after - before).max() == 0
    assert len(faults) == 1
    assert "bad.fs:1: " in faults[0]
    assert one.look.preset.chain[0].effect.name == "film"
    with pytest.raises(KfxError):
        Look(gpu, bad, SIZE)


def test_a_wrong_value_is_refused_where_it_is_asked(show):
    one = show("'film'", "'lut_grade'")
    for place, knob, value, fault in (
        (0, "grain", 9, r"chain\[0\] \(film\): grain: 9 is outside"),
        (0, "grian", 0, "'grian' is none of"),
        (3, "grain", 0, r"chain\[3\]"),
        (1, "look_lut", "no.cube", "look_lut: 'no.cube' is missing"),
        (1, "look_lut", __file__, "is none of a file"),
    ):
        with pytest.raises(UsageError, match=fault):
            one.look.set(place, knob, value)
    with pytest.raises(UsageError):
        one.look.bypass(2, True)


def test_any_thread_may_ask(show):
    one = show("'film'\ngrain = 0", "'chrome_skin'")
    stop = threading.Event()

    def play(knob, place):
        n = 0
        while not stop.is_set():
            one.look.set(place, knob, (n % 10) / 50)
            n += 1
            stop.wait(0.001)

    threads = [threading.Thread(target=play, args=a) for a in (("grain", 0), ("mix", 1))]
    for thread in threads:
        thread.start()
    for _ in range(15):
        one.next()
    stop.set()
    for thread in threads:
        thread.join()
    one.until_settled()
    assert one.look.preset == one.look._chain.knobs.preset


def test_memory_is_what_it_was_after_many_fades(gpu, show, monkeypatch):
    alive = []
    for kind in ("texture", "buffer", "framebuffer", "program"):
        plain = getattr(moderngl.Context, kind)

        def kept(context, *arguments, _plain=plain, **options):
            alive.append(_plain(context, *arguments, **options))
            return alive[-1]

        monkeypatch.setattr(moderngl.Context, kind, kept)
    one = show("'film'")

    def fade_all():
        for look in (preset("'chrome_skin'", "'liquify'"), preset("'bloom'"), preset("'film'")):
            one.look.change(look, seconds=0.05)
            one.until_settled()
        gc.collect()
        return sum(not isinstance(thing.mglo, moderngl.mgl.InvalidObject) for thing in alive)

    fade_all()
    first = fade_all()
    assert fade_all() == fade_all() == first


def test_a_file_that_changes_under_the_look_is_read_anew(gpu, show, tmp_path):
    table = tmp_path / "my.cube"

    def save(scale):
        rows = [(r, g, b) for b in (0, 1) for g in (0, 1) for r in (0, 1)]
        lines = [" ".join(str(scale * value) for value in row) for row in rows]
        table.write_text("LUT_3D_SIZE 2\n" + "\n".join(lines) + "\n")

    save(1.0)
    text = "version = 1\n[[chain]]\neffect = 'lut_grade'\nlook_lut = 'my.cube'\n"
    graded = presets.read(text, str(tmp_path / "x.toml"), "x")
    one = show("'film'")
    one.look.change(graded)
    one.until_settled()
    before = one.next()
    save(0.5)
    one.look.change(graded)
    assert abs(one.next() - before).max() == 0
    one.look.change(graded, rebuild=True)
    one.until_settled()
    assert one.next()[..., :3].mean() == pytest.approx(before[..., :3].mean() / 2, abs=1.0)


def test_a_fade_moves_what_signals_move_as_well(gpu, show):
    plain = "'film'\ngrain = 0\nfade = 0"
    one = show(plain)
    one.next()
    moved = preset("'film'\ngrain = 0\nfade = { base = 0, 'osc.a' = 0.2 }")
    one.look.change(moved, seconds=4 / 30)
    means = [one.next(signals={"osc.a": 1.0}).mean() for _ in range(8)]
    assert len({round(mean, 3) for mean in means[:5]}) == 5
    one.next(signals={"osc.a": 1.0})
    steady = preset("'film'\ngrain = 0\nfade = 0.2")
    shown = one.next(signals={"osc.a": 1.0})
    assert abs(shown - alone(gpu, steady, one.i)).max() <= 1


@pytest.mark.parametrize("seed", range(2))
def test_whatever_is_asked_in_whatever_order_the_last_wish_is_shown(gpu, show, seed):
    chance = np.random.default_rng(seed)
    looks = [
        preset("'film'\ngrain = 0", "'chrome_skin'"),
        preset("'film'\ngrain = 0\nmix = 0", "'chrome_skin'\nmix = 0.5"),
        preset("'lut_grade'", "'film'\ngrain = 0\nwhen = 'bar.phase >= 0'"),
        preset("'decal_uv'"),
    ]
    one = show("'film'\ngrain = 0", "'chrome_skin'")
    for _ in range(20):
        wish, chain = chance.integers(4), one.look.preset.chain
        place = int(chance.integers(len(chain)))
        if wish == 0:
            length = [0.0, 0.1, 0.4][chance.integers(3)]
            one.look.change(looks[chance.integers(len(looks))], seconds=length)
        elif wish == 1:
            one.look.set(place, "mix", [0.0, 0.5, 1.0][chance.integers(3)])
        elif wish == 2:
            one.look.bypass(place, bool(chance.integers(2)))
        for _ in range(chance.integers(4)):
            one.next()
    one.until_settled(200)
    wanted, bypassed = one.look.preset, one.look.bypassed
    for place in bypassed:
        wanted = wanted.with_value(place, "mix", 0.0)
    shown = one.next()
    assert abs(shown - alone(gpu, wanted, one.i)).max() <= 2
