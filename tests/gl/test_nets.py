"""Nets as links of a chain: exact offline, stuck to the face live, and never a show-stopper."""

import itertools
import threading
from fractions import Fraction
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from kfx import effects, presets, sources
from kfx.engine.bench import neural as bench_neural
from kfx.engine.look.chain import Chain
from kfx.engine.look.plan import compile_plan
from kfx.engine.ticks import Ticks
from kfx.errors import KfxError
from kfx.neural import card as cards
from kfx.neural import inspect, session, trial
from kfx.neural.worker import Inline, Slowed, Threaded
from kfx.render import reproject, reproject_glsl, skin_glsl
from kfx.render.gpu import Gpu
from tests import nets
from tests.faces import face_at, frame_of, picture, tick_of
from tests.looks import preset_of
from tests.waiting import LONG_S

SIZE = (320, 180)
PIXELS = picture(*SIZE)
FAULTS = ("throws", "nan", "size")


@pytest.fixture(scope="module")
def gpu():
    with Gpu() as gpu:
        yield gpu


def negative(folder, **options):
    """The path of the card of a net that turns a picture into its negative."""
    shape = (
        (1, 3, options["size"][1], options["size"][0]) if "size" in options else ("N", 3, "H", "W")
    )
    return str(nets.with_card(nets.scale_net(folder / "turn.onnx", shape=shape), **options))


def shown(gpu, preset, ticks, pace=Inline):
    """Each tick's picture, copied, and what the chain told."""
    with Chain(gpu, preset, SIZE, pace=pace) as chain:
        pictures = [np.array(chain.render(tick)) for tick in ticks]
        return pictures, chain.news()


def still(count, faces=None, pixels=PIXELS):
    """Ticks of one picture."""
    faces = [face_at()] if faces is None else faces
    return [tick_of(frame_of(pixels, i), faces, 1 / 30 if i else 0.0) for i in range(count)]


def test_a_frame_net_is_exact(gpu, tmp_path):
    preset = preset_of(negative(tmp_path))
    for one in shown(gpu, preset, still(3))[0]:
        assert (one[..., :3] == 255 - PIXELS[..., :3]).all()
        assert (one[..., 3] == 255).all()


def test_a_frame_net_needs_no_face_and_a_face_net_leaves_the_plate_without(gpu, tmp_path):
    frame = preset_of(negative(tmp_path))
    assert (shown(gpu, frame, still(1, []))[0][0][..., :3] == 255 - PIXELS[..., :3]).all()
    face = preset_of(negative(tmp_path, region="face", size=(96, 96)))
    assert (shown(gpu, face, still(1, []))[0][0] == PIXELS).all()


@pytest.mark.parametrize("region", ["face", "head"])
def test_a_face_net_changes_the_face_and_nothing_else(gpu, tmp_path, region):
    preset = preset_of(negative(tmp_path, region=region, size=(96, 96)))
    one = shown(gpu, preset, still(2, [face_at(100, 80, 24)]))[0][-1]
    assert np.abs(one[80, 92:108, :3].astype(int) - (255 - PIXELS[80, 92:108, :3])).mean() < 12
    assert (one[:, 200:] == PIXELS[:, 200:]).all()
    gone = still(2, [face_at(100, 80, 24, presence=0.0)])
    assert np.abs(shown(gpu, preset, gone)[0][-1].astype(int) - PIXELS).max() <= 1


@pytest.mark.parametrize("region", ["face", "head"])
def test_try_shows_what_is_drawn(gpu, tmp_path, region):
    path = negative(tmp_path, region=region, size=(96, 96))
    face = face_at(100, 80, 30, yaw=10.0, roll=15.0)
    drawn = shown(gpu, preset_of(path), still(1, [face]))[0][0][..., :3].astype(int)
    tried = trial.run(cards.load(Path(path)), PIXELS, {}, [face]).picture[:, SIZE[0] :, :3]
    changed = np.abs(drawn - PIXELS[..., :3]).max(axis=2) > 60
    assert changed.sum() > 1000
    off = np.abs(drawn - tried)
    assert off[changed].mean() < 6
    assert np.percentile(off, 99) < 40
    assert trial.HEAD_RINGS == reproject.HEAD_RINGS
    assert trial.SKIN_RINGS == reproject.SKIN_RINGS
    assert (trial.SKIN_CHROMA, trial.SKIN_LUMA) == (skin_glsl.CHROMA, skin_glsl.LUMA)
    told = ("SKIN_AT", "REDDER", "STRAYS")
    assert all(getattr(trial, name) == getattr(skin_glsl, name) for name in told)
    assert trial.CROP_EDGE == reproject_glsl.CROP_EDGE


SKIN = (206, 152, 124, 255)


def skin_plate(face):
    """Skin all around a face, but for a blue right side, and dark hair before more skin on top."""
    x, y = face.landmarks[:, 0], face.landmarks[:, 1]
    pixels = np.full((SIZE[1], SIZE[0], 4), SKIN, np.uint8)
    pixels[:, int(x.max()) + 2 :] = (40, 60, 170, 255)
    top = float(y.min())
    hair = slice(int(top - 0.36 * face.iod), int(top - 0.16 * face.iod))
    pixels[hair, : int(x.max()) + 2] = (30, 22, 18, 255)
    return pixels


@pytest.mark.parametrize("pace", [Inline, partial(Slowed, hz=15.0)], ids=["exact", "live"])
def test_a_material_goes_on_over_skin_beyond_the_mesh(gpu, tmp_path, pace):
    """Over forehead and neck as far as skin goes, not onto a background nor beyond hair."""
    face = face_at(150, 90, 36)
    plate = skin_plate(face)
    path = Path(negative(tmp_path, region="face", size=(128, 128)))
    path.write_text(path.read_text().replace("[input.x]", 'edge = "skin"\nmargin = 0.3\n[input.x]'))
    drawn = shown(gpu, preset_of(str(path)), still(12, [face], plate), pace)[0][-1]
    tried = trial.run(cards.load(path), plate, {}, [face]).picture[:, SIZE[0] :]
    (left, top), (right, low) = face.landmarks[:, :2].min(axis=0), face.landmarks[:, :2].max(axis=0)
    middle, iod = (left + right) / 2, face.iod
    places = {
        "forehead": (middle, top - 0.07 * iod, True),
        "neck": (middle, low + 0.15 * iod, True),
        "cheek": (left - 0.12 * iod, (top + low) / 2, True),
        "background": (right + 0.2 * iod, (top + low) / 2, False),
        "hair": (middle, top - 0.26 * iod, False),
        "skin beyond hair": (middle, top - 0.48 * iod, False),
        "far away": (left - 1.0 * iod, (top + low) / 2, False),
    }
    for name, (x, y, meant) in places.items():
        for kind, one in (("drawn", drawn), ("tried", tried)):
            was, now = (p[int(y), int(x), :3].astype(int) for p in (plate, one))
            change = np.abs(now - was).max() / np.abs(255 - 2 * was).max()
            assert (change > 0.6) if meant else (change < 0.25), (name, kind, change)


def test_mix_0_is_the_plate_and_runs_repeat(gpu, tmp_path):
    card = negative(tmp_path, region="face", size=(96, 96))
    assert (shown(gpu, preset_of(card, mix=0.0), still(1))[0][0] == PIXELS).all()
    faces = [[face_at(150 + 4 * i, yaw=3.0 * i)] for i in range(4)]
    ticks = [tick_of(frame_of(PIXELS, i), f, 1 / 30 if i else 0.0) for i, f in enumerate(faces)]
    for pace in (Inline, partial(Slowed, hz=15.0)):
        one, two = (shown(gpu, preset_of(card), ticks, pace)[0] for _ in range(2))
        assert all((a == b).all() for a, b in zip(one, two, strict=True))


def test_what_has_not_changed_is_not_changed(gpu, tmp_path):
    """A net that does nothing, drawn as a change, keeps every pore of the plate."""
    net = nets.scale_net(tmp_path / "x.onnx", 1.0, 0.0, (1, 3, 64, 64))
    card = nets.with_card(net, region="face", stick="change", size=(64, 64))
    for pace in (Inline, partial(Slowed, hz=10.0)):
        for one in shown(gpu, preset_of(str(card)), still(12), pace)[0]:
            assert np.abs(one.astype(int) - PIXELS).max() <= 1


def test_a_state_starts_anew_at_a_cut(gpu, tmp_path):
    net = nets.counting_net(tmp_path / "count.onnx")
    text = cards.dumps(inspect.inspect(net)).replace('region = "face"', 'region = "frame"')
    net.with_suffix(".toml").write_text(text)
    preset = preset_of(str(net))
    ticks = still(4)
    with Chain(gpu, preset, SIZE) as chain:
        first = [int(chain.render(tick)[90, 160, 0]) for tick in ticks]
        cut = [int(chain.render(tick)[90, 160, 0]) for tick in ticks[:2]]
    assert (first, cut) == ([1, 2, 3, 4], [1, 2])


def test_a_state_and_results_end_with_the_shot(gpu, tmp_path):
    """An edited clip: the cut is in the picture, not in the time."""
    net = nets.counting_net(tmp_path / "count.onnx")
    text = cards.dumps(inspect.inspect(net)).replace('region = "face"', 'region = "frame"')
    net.with_suffix(".toml").write_text(text)
    shots = [session.sample_picture(SIZE, seed) for seed in (1, 2)]
    frames = [shots[i // 12] for i in range(24)]
    ticks = [tick_of(frame_of(one, i), [], 1 / 30 if i else 0.0) for i, one in enumerate(frames)]
    exact, _ = shown(gpu, preset_of(str(net)), ticks)
    assert [int(one[90, 160, 0]) for one in exact] == [*range(1, 13), *range(1, 13)]
    late, _ = shown(gpu, preset_of(str(net)), ticks, partial(Slowed, hz=15.0))
    assert (late[11] != frames[11]).any()
    assert (late[12] == frames[12]).all()
    assert (late[23] != frames[23]).any()


def test_a_provider_that_is_lost_in_the_show_is_told(gpu, tmp_path, monkeypatch):
    real = session.Net.run

    def run(self, *given):
        answers = real(self, *given)
        self.provider, self.fallbacks = "CPUExecutionProvider", ("CUDA: error 719",)
        return answers

    card = negative(tmp_path)
    with Chain(gpu, preset_of(card), SIZE) as chain:
        ticks = still(2)
        chain.render(ticks[0])
        assert chain.news() == []
        monkeypatch.setattr(session.Net, "run", run)
        chain.render(ticks[1])
        assert chain.news() == ["turn: runs on CPU; CUDA: error 719"]
        assert chain.nets[0]["passed_over"] == ["CUDA: error 719"]


def failing(tmp_path, fault):
    """A preset of a net that fails after some frames."""
    net = nets.faulty_net(tmp_path / "bad.onnx", fault)
    text = nets.card_text(region="frame", size=(16, 16)) + '\n[input.time]\nis = "time"\n'
    card = net.with_suffix(".toml")
    card.write_text(text)
    return preset_of(str(card))


@pytest.mark.parametrize("fault", FAULTS)
def test_a_net_that_fails_midway_means_the_plate_and_one_report(gpu, tmp_path, fault):
    preset = failing(tmp_path, fault)
    pictures, news = shown(gpu, preset, still(28), partial(Slowed, hz=30.0))
    assert (pictures[12] != PIXELS).any()
    for one in pictures[20:]:
        assert (one == PIXELS).all()
    assert len(news) == 1
    assert "the plate is shown" in news[0]


@pytest.mark.parametrize("fault", FAULTS)
def test_a_net_that_fails_in_a_render_ends_it(gpu, tmp_path, fault):
    """A film that is the plate from there on would be delivered."""
    with Chain(gpu, failing(tmp_path, fault), SIZE) as chain:
        pictures = []
        with pytest.raises(KfxError, match=r"^chain\[0\] \(.*\): bad: ") as caught:
            pictures.extend(np.array(chain.render(tick)) for tick in still(28))
    assert str(caught.value).count("bad: ") == 1
    assert len(pictures) >= 5
    assert all((one != PIXELS).any() for one in pictures)


def test_a_net_that_works_again_says_so_and_fails_anew(gpu, tmp_path, monkeypatch):
    preset, real = preset_of(negative(tmp_path)), session.Net.run
    broken = [False]

    def run(self, *given):
        if broken[0]:
            raise KfxError("no memory")
        return real(self, *given)

    with Chain(gpu, preset, SIZE, pace=partial(Slowed, hz=30.0)) as chain:
        monkeypatch.setattr(session.Net, "run", run)
        told, rounds = [], []
        for i, tick in enumerate(still(600)):
            broken[0] = i % 300 > 150
            chain.render(tick)
            news = chain.news()
            told += news
            rounds += [i] * len(news)
    assert [("no memory" in text, text == "turn is back") for text in told] == [
        (True, False),
        (False, True),
    ] * (len(told) // 2) + [(True, False)] * (len(told) % 2)
    assert len(told) == 3, rounds


def test_a_net_that_hangs_never_stops_the_picture(gpu, tmp_path, monkeypatch):
    card = negative(tmp_path)
    go, real = threading.Event(), session.Net.run
    with Chain(gpu, preset_of(card), SIZE, pace=Threaded) as chain:
        monkeypatch.setattr(session.Net, "run", lambda *given: go.wait(LONG_S) and real(*given))
        ticks = still(60)
        assert all((np.array(chain.render(tick)) == PIXELS).all() for tick in ticks)
        assert any("no answer for" in text for text in chain.news())
        go.set()


def test_a_net_that_sleeps_for_seconds_is_told_once(gpu, tmp_path):
    """Each run takes another time, of 2 s and more."""

    class Sleepy(Slowed):
        def offer(self, job, time):
            self.hz = 1 / (2.0 + 0.37 * job.time)
            super().offer(job, time)

    ticks = [tick_of(frame_of(PIXELS, i, 10), [], 0.1 if i else 0.0) for i in range(60)]
    pictures, news = shown(gpu, preset_of(negative(tmp_path)), ticks, lambda w: Sleepy(w, 1.0))
    assert [text.split(" for ")[0] for text in news] == ["turn: no answer", "turn is back"]
    assert (pictures[19] == PIXELS).all()
    assert np.abs(pictures[30][..., :3].astype(int) - (255 - PIXELS[..., :3])).mean() < 4


def test_a_fault_that_is_worded_anew_each_time_is_told_once(gpu, tmp_path, monkeypatch):
    runs = itertools.count(1)

    def run(*given):
        raise KfxError(f"turn: run {next(runs)} at 0x7f12 failed")

    preset = preset_of(negative(tmp_path))
    with Chain(gpu, preset, SIZE, pace=partial(Slowed, hz=30.0)) as chain:
        monkeypatch.setattr(session.Net, "run", run)
        for tick in still(120):
            chain.render(tick)
        assert next(runs) > 3
        assert len(chain.news()) == 1


def leaking(tmp_path, monkeypatch):
    """A preset of a net that remembers ever more."""
    net = nets.leaking_net(tmp_path / "leak.onnx")
    text = cards.dumps(inspect.inspect(net)).replace('region = "face"', 'region = "frame"')
    net.with_suffix(".toml").write_text(text)
    monkeypatch.setattr(session, "MOST_STATE", 20)
    return preset_of(str(net))


def test_a_net_that_remembers_ever_more_is_told_of(gpu, tmp_path, monkeypatch):
    """The plate is seen when its memory is emptied, the net's picture in between."""
    preset = leaking(tmp_path, monkeypatch)
    pictures, news = shown(gpu, preset, still(70), partial(Slowed, hz=30.0))
    assert "has grown" in news[0]
    assert all("has grown" in one or one.endswith(" is back") for one in news)
    plates = [bool((one == PIXELS).all()) for one in pictures]
    assert True in plates[10:40]
    assert False in plates[10:19]
    assert False in plates[40:]


def test_a_net_that_remembers_ever_more_is_run_again_in_a_render(gpu, tmp_path, monkeypatch):
    pictures, news = shown(gpu, leaking(tmp_path, monkeypatch), still(70))
    assert len(news) == 1
    assert "has grown" in news[0]
    assert "run again from nothing at 0." in news[0]
    assert not any((one == PIXELS).all() for one in pictures)


def test_a_look_that_goes_while_a_net_runs_keeps_nothing(gpu, tmp_path, monkeypatch):
    kept = []
    acquire, release = gpu.acquire, gpu.release
    preset = preset_of(negative(tmp_path))
    with Chain(gpu, preset, SIZE, pace=partial(Slowed, hz=4.0)) as chain:
        monkeypatch.setattr(
            gpu, "acquire", lambda *a, **k: kept.append(acquire(*a, **k)) or kept[-1]
        )
        monkeypatch.setattr(
            gpu, "release", lambda one: (one in kept and kept.remove(one), release(one))
        )
        for tick in still(3):
            chain.render(tick)
        assert any(one.size == reproject.LOW for one in kept)
    assert not any(one.size == reproject.LOW for one in kept)


def test_a_thread_brings_the_result_later(gpu, tmp_path):
    preset = preset_of(negative(tmp_path))
    with Chain(gpu, preset, SIZE, pace=Threaded) as chain:
        for tick in still(400):
            one = np.array(chain.render(tick))
            if np.abs(one[..., :3].astype(int) - (255 - PIXELS[..., :3])).mean() < 4:
                break
            threading.Event().wait(0.01)
        else:
            pytest.fail("the net's result was never seen")


def test_a_result_far_too_old_gives_way_to_the_plate(gpu, tmp_path):
    """One answer, then none for seconds."""
    preset = preset_of(negative(tmp_path))

    class Once(Slowed):
        def free(self, time):
            return time < 0.01 and super().free(time)

    ticks = still(60)
    pictures, _ = shown(gpu, preset, ticks, lambda work: Once(work, 20.0))
    assert (pictures[12] != PIXELS).any()
    assert (pictures[59] == PIXELS).all()


def test_after_a_pause_nothing_old_is_faded_from(gpu, tmp_path):
    """The face goes for three seconds; the result of before isn't seen again."""
    preset = preset_of(negative(tmp_path, region="face", size=(96, 96)))
    bright = np.full_like(PIXELS, 255)
    ticks = [*still(10), *still(100, [])[10:], *still(120, pixels=bright)[100:]]
    pictures, _ = shown(gpu, preset, ticks, partial(Slowed, hz=10.0))
    assert pictures[9][80, 160, :3].astype(int).sum() != PIXELS[80, 160, :3].astype(int).sum()
    dark = [int(one[80, 160, :3].max()) for one in pictures[-20:]]
    assert dark[0] == 255
    assert dark[-1] < 40
    assert all(b <= a for a, b in itertools.pairwise(dark))


@pytest.mark.parametrize("why", ["mix", "face"])
def test_a_pause_does_not_slow_the_cross_fade(gpu, tmp_path, why):
    """Off for 0.8 s, which isn't long enough to be forgotten: the net's period stays 0.1 s."""
    path = negative(tmp_path, region="face", size=(96, 96))
    dark = np.full_like(PIXELS, 40)
    rates = []
    with Chain(gpu, preset_of(path), SIZE, pace=partial(Slowed, hz=10.0)) as chain:
        for i in range(54):
            away = 20 <= i < 44
            gone = [] if away and why == "face" else None
            tick = still(i + 1, gone, PIXELS if i < 44 else dark)[-1]
            if why == "mix":
                chain.set(0, "mix", 0.0 if away else 1.0)
            one = np.array(chain.render(tick))
            rates.append(chain.nets[0].get("hz"))
    assert rates[19] == pytest.approx(10.0, rel=0.3)
    assert min(rates[44:]) == pytest.approx(10.0, rel=0.3)
    assert np.abs(one[80, 152:168, :3].astype(int) - 215).max() < 12


def test_what_can_not_be_played_is_told_when_the_chain_is_made(gpu, tmp_path):
    card = negative(tmp_path)
    path = tmp_path / "turn.toml"
    path.write_text(path.read_text().replace("kind", 'sha256 = "00"\nkind', 1))
    with pytest.raises(KfxError, match="this isn't the net"), Chain(gpu, preset_of(card), SIZE):
        pass
    (tmp_path / "turn.onnx").unlink()
    with pytest.raises(KfxError, match="the net is missing"):
        effects.find(card)


def test_a_preset_names_a_net_beside_it(gpu, tmp_path):
    negative(tmp_path)
    path = tmp_path / "look.toml"
    path.write_text('version = 1\n[[chain]]\neffect = "turn.onnx"\n[[chain]]\neffect = "film"\n')
    preset = presets.load(str(path))
    steps = compile_plan(preset).steps
    assert [step.kind for step in steps] == ["net", "frame"]
    assert "turn.onnx" in steps[0].text
    one = shown(gpu, preset, still(1))[0][0]
    assert np.abs(one[..., :3].mean() - (255 - PIXELS[..., :3]).mean()) < 12


def test_a_slow_result_sticks_to_a_turning_face(gpu, tmp_path):
    """A net that does nothing at 8 Hz: what is drawn lies where the plate's own features are."""
    net = nets.scale_net(tmp_path / "x.onnx", 1.0, 0.0, (1, 3, 192, 192))
    card = nets.with_card(net, region="face", size=(192, 192))
    size, rate = (640, 360), Fraction(60)
    errors, naive, plates = [], [], []
    with (
        sources.open(
            "performer?seed=3&noise=0", size=size, rate=rate, stop_s=Fraction(1)
        ) as source,
        Chain(gpu, preset_of(str(card)), size, pace=partial(Slowed, hz=8.0)) as chain,
    ):
        ticks = Ticks()
        for frame in source.frames():
            one = np.array(chain.render(ticks.tick(frame, frame.truth)))
            plates.append(frame.pixels)
            if frame.index < 30:
                continue
            x0, y0, x1, y1 = (int(side) for side in frame.truth[0].box)
            inside = np.s_[y0 + 20 : y1 - 20, x0 + 20 : x1 - 20, :3]
            errors.append(np.abs(one[inside].astype(int) - frame.pixels[inside]).mean())
            naive.append(np.abs(plates[-12][inside].astype(int) - frame.pixels[inside]).mean())
    assert np.mean(errors) < 0.6 * np.mean(naive)


def test_the_bench_tells_each_rate(monkeypatch):
    monkeypatch.setattr(bench_neural, "RATES_HZ", (30, 8))
    result = bench_neural.measure(seconds=1.0, tracker="truth")
    assert list(result["rates_hz"]) == ["30", "8"]
    for one in result["rates_hz"].values():
        assert one["mesh_px"] < one["aligned_px"] < one["naive_px"]
        assert one["truth_px"] < 0.5


@pytest.mark.parametrize("pace", [Inline, partial(Slowed, hz=15.0)], ids=["exact", "live"])
def test_a_mix_that_nobody_sees_draws_nothing_and_is_run_only_where_results_come_late(
    gpu, tmp_path, monkeypatch, pace
):
    """`style_flip` keeps its nets awake so: live it must, offline it need not."""
    runs, real = [], session.Net.run
    monkeypatch.setattr(session.Net, "run", lambda *given: runs.append(1) or real(*given))
    preset = preset_of(negative(tmp_path, region="face", size=(96, 96)), mix=0.002)
    with Chain(gpu, preset, SIZE, pace=pace) as chain:
        runs.clear()
        for tick in still(9):
            assert (chain.render(tick) == PIXELS).all()
    assert bool(runs) == (pace is not Inline)


def test_the_matte_that_guards_a_flow_is_not_fitted_for_shaders(gpu, tmp_path):
    with Chain(gpu, preset_of(negative(tmp_path)), SIZE, pace=partial(Slowed, hz=15.0)) as chain:
        assert chain.needs_person
        assert not chain._draws_person
