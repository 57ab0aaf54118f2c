"""Nets from landmarks: they move faces, act, or move knobs, exact offline and softly live."""

import threading
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from kfx import effects
from kfx.arkit import NAMES
from kfx.engine.look.autobypass import AutoBypass
from kfx.engine.look.chain import Chain
from kfx.engine.look.motions import Motions
from kfx.engine.look.plan import compile_plan
from kfx.errors import KfxError
from kfx.neural import card as cards
from kfx.neural import inspect, points, session
from kfx.neural.session import Net
from kfx.neural.worker import Inline, Slowed, Threaded
from kfx.presets import Preset, alone
from kfx.presets.reading import read
from kfx.render.gpu import Gpu
from tests import nets
from tests.faces import face_at, frame_of, picture, tick_of
from tests.looks import preset_of
from tests.waiting import LONG_S

SIZE = (320, 180)
PIXELS = picture(*SIZE)
CHIN = 152
SHIFT = 0.01  # of the crop


@pytest.fixture(scope="module")
def gpu():
    with Gpu() as gpu:
        yield gpu


def lifting_net(path, shape=(1, 478, 3), *, stick="result"):
    """The chin goes up by `amount` of what landmarks are counted in; all others stay."""
    count = points.count(tuple(shape)) or max(shape)
    there = points.USUAL.get(count, range(count))
    step = np.zeros((count, 3 if 3 in shape or count * 3 == np.prod(shape) else 2), np.float32)
    step[list(there).index(CHIN), 1] = -1.0
    flat = step.T if shape[-1] == count else step
    weights = [("step", flat.reshape(shape)), ("zero", np.float32(0))]
    moved = nets.node("Mul", ["step", "amount"], ["by"])
    last = nets.node("Add", ["landmarks", "by"], ["moved"])
    if stick == "change":
        last = nets.node("Add", ["nothing", "by"], ["moved"])
    nodes = [nets.node("Mul", ["landmarks", "zero"], ["nothing"]), moved, last]
    inputs = [("landmarks", list(shape)), ("amount", [1])]
    notes = {"param:amount": f"0.0,1.0,{SHIFT}"}
    return nets.save(path, nodes, inputs, [("moved", list(shape))], weights, notes=notes)


def saying_net(path, names=NAMES, values=None):
    """Always the same numbers, and their card."""
    said = np.float32([(values or {}).get(name, 0.0) for name in names])[None]
    weights = [("zero", np.float32(0)), ("said", said), ("axes", np.int64([1, 2]))]
    nodes = [
        nets.node("Mul", ["landmarks", "zero"], ["none"]),
        nets.node("ReduceSum", ["none", "axes"], ["sum"], keepdims=0),
        nets.node("Add", ["sum", "said"], ["says"]),
    ]
    nets.save(path, nodes, [("landmarks", [1, 478, 3])], [("says", [1, len(names)])], weights)
    text = cards.dumps(inspect.inspect(path))
    listed = ", ".join(f'"{name}"' for name in names)
    start = text.index("names = [")
    end = text.index("\n", start)
    path.with_suffix(".toml").write_text(f"{text[:start]}names = [{listed}]{text[end:]}")
    return path


def driven(path, ticks, pace=Inline, **values):
    """Where the net's effect drives the first face of each tick."""
    preset = preset_of(str(path), **values)
    step = compile_plan(preset).steps[0]
    motions = Motions(step.links, _Loud())
    motions.nets[0].open(Net(motions.nets[0].card, SIZE), pace)
    try:
        return [motions.drive(tick, {})[0] for tick in ticks]
    finally:
        motions.close()


class _Loud:
    """Lets everything through, faults too."""

    def allows(self, unit, reset):
        return True

    def trying(self, unit, settle=None):
        from contextlib import nullcontext

        return nullcontext()


def ticks_of(count, **how):
    return [
        tick_of(frame_of(PIXELS, i), [face_at(140 + 2 * i, yaw=2.0 * i, **how)], 1 / 30 * (i > 0))
        for i in range(count)
    ]


@pytest.mark.parametrize("stick", ["result", "change"])
@pytest.mark.parametrize("shape", [(1, 478, 3), (478, 2), (1, 1404), (1, 2, 68), ("N", 468, 3)])
def test_a_guessed_net_moves_the_landmarks_it_names(tmp_path, shape, stick):
    sides = tuple(1 if side == "N" else side for side in shape)
    path = lifting_net(tmp_path / "lift.onnx", sides, stick=stick)
    card = inspect.inspect(path)
    assert (card.kind, card.stick, card.region) == ("landmarks", stick, "face")
    assert card.knobs["amount"].default == pytest.approx(SHIFT)
    assert cards.parse(cards.dumps(card), path.with_suffix(".toml")).stick == stick
    for face, shown in driven(path, ticks_of(3)):
        up = (shown - face.landmarks)[:, 1] / face.iod
        crop_iod = 1.0 / np.linalg.norm(_crop_of(face)[0, :2]) / face.iod
        assert up[CHIN] == pytest.approx(-SHIFT * crop_iod, rel=0.15)
        assert np.abs(up[[1, 33, 263, 10]]).max() < 0.003


def _crop_of(face):
    from kfx.neural import aligned

    return aligned.crop(face, "face", (1, 1), 0.1)


@pytest.mark.parametrize("space", ["frame", "pixels", "canonical"])
def test_each_space_means_the_same_face(tmp_path, space):
    """A net that leaves landmarks where they are moves nothing, whatever they are counted in."""
    path = nets.save(
        tmp_path / "same.onnx",
        [nets.node("Identity", ["landmarks"], ["same"])],
        [("landmarks", [1, 478, 3])],
        [("same", [1, 478, 3])],
    )
    text = cards.dumps(inspect.inspect(path))
    text = text.replace("[input.landmarks]", f'[input.landmarks]\nspace = "{space}"')
    path.with_suffix(".toml").write_text(text)
    for face, shown in driven(path, ticks_of(2)):
        assert np.abs(shown - face.landmarks).max() < 0.02


def test_points_that_nobody_knows_are_asked_for_by_name(tmp_path):
    path = nets.save(
        tmp_path / "two.onnx",
        [nets.node("Identity", ["landmarks"], ["out"])],
        [("landmarks", [1, 21, 2])],
        [("out", [1, 21, 2])],
    )
    card = inspect.inspect(path)
    assert card.kind == "other"
    assert "name them: points = [" in card.doc
    chosen = list(range(0, 420, 20))
    text = f"""kind = "landmarks"
    [input.landmarks]
    shape = [1, 21, 2]
    points = {chosen}
    [output.out]
    points = {chosen}
    """
    with Net(cards.parse(text, tmp_path / "two.toml"), SIZE) as net:
        given = session.Given(np.zeros((1, 1, 4), np.uint8), landmarks=face_at().landmarks)
        assert (net.run(given)["out"][0] == face_at().landmarks[chosen, :2]).all()


def test_a_picture_and_landmarks_in_one_net_are_refused(tmp_path):
    text = '[input.p]\nis = "picture"\n[input.landmarks]\n[output.out]\n'
    with pytest.raises(KfxError, match="none for pictures"):
        cards.parse('kind = "landmarks"\n' + text, tmp_path / "x.toml")


def test_an_expression_is_put_on_the_face(gpu, tmp_path):
    path = saying_net(tmp_path / "smile.onnx", values={"jawOpen": 0.7, "mouthSmileLeft": 0.8})
    face, shown = driven(path, ticks_of(1))[0]
    assert (shown[CHIN, 1] - face.landmarks[CHIN, 1]) / face.iod > 0.03
    effect = effects.find(str(path))
    assert {"gain", "mouth", "eyes", "brows", "rate_hz", "mix"} <= set(effect.knobs)
    with Chain(gpu, alone(effect), SIZE) as chain:
        tick = ticks_of(1)[0]
        assert (np.array(chain.render(tick)) != PIXELS).any()
        assert chain.said(tick)["jawOpen"] == pytest.approx(0.7)
        assert chain.nets[0]["name"] == "smile"


def test_numbers_that_are_no_expression_move_knobs(gpu, tmp_path):
    path = saying_net(tmp_path / "mood.onnx", ("calm", "wild"), {"wild": 0.5})
    text = f'version = 1\n[[chain]]\neffect = "{path}"\n'
    text += '[[chain]]\neffect = "film"\nvignette = { base = 0.0, "net.wild" = 1.0 }\n'
    preset = read(text, str(tmp_path / "look.toml"), "look")
    with Chain(gpu, preset, SIZE) as chain:
        tick = ticks_of(1)[0]
        chain.render(tick)
        assert chain.knobs.now[1][1]["vignette"] == pytest.approx(0.5)
        away = replace(tick, faces=(), dt=1 / 30, time=1.0)
        chain.render(away)
        assert chain.knobs.now[1][1]["vignette"] == 0.0


def test_live_it_goes_over_softly_and_offline_it_is_there_at_once(tmp_path):
    """Live the first answer is a period late, and the change it makes moves along with the face."""
    path = lifting_net(tmp_path / "lift.onnx")
    ticks = ticks_of(12)
    exact = [shown[CHIN, 1] - face.landmarks[CHIN, 1] for face, shown in driven(path, ticks)]
    slow = driven(path, ticks, partial(Slowed, hz=10.0))
    late = [shown[CHIN, 1] - face.landmarks[CHIN, 1] for face, shown in slow]
    assert exact[0] < -0.5
    assert late[:3] == [0.0, 0.0, 0.0]
    assert late[6:] == pytest.approx(exact[6:], abs=0.2)


def test_a_state_is_kept_for_each_face_and_starts_anew_at_a_cut(tmp_path):
    """The chin falls one step farther each run."""
    step = np.zeros((1, 478, 3), np.float32)
    step[0, CHIN, 1] = 0.02
    nodes = [
        nets.node("Add", ["h_in", "step"], ["h_out"]),
        nets.node("Add", ["landmarks", "h_out"], ["moved"]),
    ]
    shape = [1, 478, 3]
    path = nets.save(
        tmp_path / "fall.onnx",
        nodes,
        [("landmarks", shape), ("h_in", shape)],
        [("moved", shape), ("h_out", shape)],
        [("step", step)],
    )
    ticks = ticks_of(4)
    cut = [replace(tick, dt=1 / 30 if i % 2 else 0.0) for i, tick in enumerate(ticks)]
    for some, wanted in ((ticks, [1, 2, 3, 4]), (cut, [1, 2, 1, 2])):
        fallen = [(shown - face.landmarks)[CHIN, 1] for face, shown in driven(path, some)]
        assert [round(one / fallen[0]) for one in fallen] == wanted


@pytest.mark.parametrize("pace", [Inline, partial(Slowed, hz=30.0)], ids=["exact", "live"])
def test_a_net_that_says_nan_is_left_out_and_told(gpu, tmp_path, pace):
    path = saying_net(tmp_path / "bad.onnx", values={"jawOpen": float("nan")})
    told = []
    clock = iter(np.arange(0.0, 100.0, 0.001).tolist())

    def care(preset):
        return AutoBypass(
            preset, budget_s=1.0, tell=told.append, drop=lambda: None, now=lambda: next(clock)
        )

    preset = preset_of(str(path))
    with Chain(gpu, preset, SIZE, pace=pace, care=care) as chain:
        for tick in ticks_of(8):
            assert (np.array(chain.render(tick)) == PIXELS).all()
            chain.care.judge(0.01)
    assert any("holds NaN" in text and "left out" in text for text in told)
    with pytest.raises(KfxError, match=r"chain\[0\].*holds NaN"), Chain(gpu, preset, SIZE) as chain:
        chain.render(ticks_of(1)[0])


def test_a_net_that_hangs_leaves_faces_as_they_are(gpu, tmp_path, monkeypatch):
    path = lifting_net(tmp_path / "lift.onnx")
    go, real = threading.Event(), session.Net.run
    with Chain(gpu, preset_of(str(path)), SIZE, pace=Threaded) as chain:
        monkeypatch.setattr(session.Net, "run", lambda *given: go.wait(LONG_S) and real(*given))
        shown = [np.array(chain.render(tick)) for tick in ticks_of(60)]
        assert len(shown) == 60
        assert all((one == PIXELS).all() for one in shown)
        assert [text for text in chain.news() if "no answer for" in text]
        assert chain.news() == []
        go.set()


def test_a_wrong_number_of_names_is_told_at_load(gpu, tmp_path):
    path = saying_net(tmp_path / "mood.onnx", ("calm", "wild"))
    card = path.with_suffix(".toml")
    card.write_text(card.read_text().replace('["calm", "wild"]', '["calm"]'))
    with (
        pytest.raises(KfxError, match="there are 1 for 2 numbers"),
        Chain(gpu, preset_of(str(path)), SIZE),
    ):
        pass


def test_kfx_own_blendshape_net_plays_by_its_card(gpu):
    from kfx import assets

    effect = effects.find(str(assets.folder("models") / "blendshapes.onnx"))
    with Chain(gpu, Preset("own", "", alone(effect).chain), SIZE) as chain:
        tick = ticks_of(1)[0]
        chain.render(tick)
        assert 0.0 <= chain.said(tick)["jawOpen"] < 0.3
