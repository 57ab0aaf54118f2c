"""Nets by their cards: files that are refused, layouts and ranges, guessed cards, states."""

import json
import os
import threading

import cv2
import numpy as np
import onnx
import pytest

from kfx.cli import main
from kfx.errors import KfxError
from kfx.neural import answer, fitting, inspect, onnx_file, session, trial, worker
from kfx.neural import card as cards
from kfx.neural.session import Given, Net, sample_picture
from kfx.neural.worker import Inline, Slowed, Threaded
from tests import nets
from tests.faces import face_at, picture
from tests.waiting import LONG_S, until


def ran(card, picture, size=None, **given):
    with Net(card, size or picture.shape[1::-1]) as net:
        return answer.drawn(card, net.run(Given(picture, **given)), picture, {})


# Files


def test_what_is_no_net(tmp_path):
    path = tmp_path / "x.onnx"
    for data in (b"", b"hello world, this is text", os.urandom(4096), b"\x08\x08" * 40):
        path.write_bytes(data)
        with pytest.raises(KfxError, match="no ONNX net"):
            onnx_file.read(path)


def test_a_net_cut_short(tmp_path):
    whole = nets.scale_net(tmp_path / "x.onnx").read_bytes()
    (tmp_path / "x.onnx").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(KfxError, match="get the file again"):
        onnx_file.read(tmp_path / "x.onnx")


def test_a_git_lfs_pointer(tmp_path):
    path = tmp_path / "x.onnx"
    path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12\n")
    with pytest.raises(KfxError, match="git lfs pull"):
        onnx_file.read(path)


def test_operators_that_need_a_library(tmp_path):
    nodes = [nets.node("Sharpen", ["x"], ["y"], domain="my.ops")]
    opset = onnx.helper.make_opsetid("my.ops", 1)
    path = tmp_path / "x.onnx"
    nets.save(path, nodes, [("x", [1, 3, 8, 8])], [("y", [1, 3, 8, 8])], functions=[opset])
    with pytest.raises(KfxError, match=r"my\.ops\.Sharpen"):
        onnx_file.read(path)


@pytest.mark.parametrize(
    ("location", "said"),
    [
        ("../secret.bin", "outside its folder"),
        ("/etc/passwd", "outside its folder"),
        ("weights.bin", "weights are missing"),
    ],
)
def test_weights_that_lie_elsewhere(tmp_path, location, said):
    folder = tmp_path / "net"
    folder.mkdir()
    (tmp_path / "secret.bin").write_bytes(bytes(64))
    path = nets.scale_net(folder / "x.onnx")
    model = onnx.load(str(path))
    tensor = model.graph.initializer[0]
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.ClearField("raw_data")
    tensor.external_data.add(key="location", value=location)
    path.write_bytes(model.SerializeToString())
    with pytest.raises(KfxError, match=said):
        onnx_file.read(path)


@pytest.mark.parametrize(
    ("weights", "op", "said"),
    [("../secret.bin", ("", "Conv"), "outside its folder"), ("", ("evil", "Magic"), "evil.Magic")],
)
def test_the_body_of_a_function_is_looked_into(tmp_path, weights, op, said):
    """A file may bring functions: weights and operators hide in there as well."""
    from onnx import helper

    tensor = onnx.numpy_helper.from_array(np.zeros((3, 3, 1, 1), np.float32), "w")
    if weights:
        tensor.ClearField("raw_data")
        tensor.data_location = onnx.TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value=weights)
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("evil", 1)]
    body = [
        helper.make_node("Constant", [], ["w"], value=tensor),
        helper.make_node(op[1], ["x", "w"], ["y"], domain=op[0]),
    ]
    own = helper.make_function("own", "F", ["x"], ["y"], body, opsets)
    shape = [1, 3, 16, 16]
    net = nets.save(
        tmp_path / "f.onnx",
        [helper.make_node("F", ["x"], ["y"], domain="own")],
        [("x", shape)],
        [("y", shape)],
        functions=[helper.make_opsetid("own", 1)],
    )
    model = onnx.load(str(net))
    model.functions.append(own)
    net.write_bytes(model.SerializeToString())
    with pytest.raises(KfxError, match=said):
        onnx_file.read(net)


def test_a_net_that_answers_nan_alone_is_told_and_named(tmp_path):
    nodes = [nets.node("Sqrt", ["less"], ["nan"]), nets.node("Mul", ["x", "nan"], ["y"])]
    shape = [1, 3, 16, 16]
    weights = [("less", np.float32(-1))]
    net = nets.save(tmp_path / "nan.onnx", nodes, [("x", shape)], [("y", shape)], weights)
    card = inspect.inspect(net)
    assert card.kind not in cards.PLAYED
    assert "nothing but NaN" in card.doc
    with pytest.raises(KfxError, match=r"nan\.toml: its output y holds NaN"):
        Net(cards.load(nets.with_card(net, size=(16, 16))), (16, 16))


def test_a_picture_larger_than_memory(tmp_path):
    path = nets.scale_net(tmp_path / "x.onnx", shape=(1, 3, 60000, 60000))
    with pytest.raises(KfxError, match="no memory for that"):
        onnx_file.read(path)


def test_broken_files_of_the_world(shared):
    for path in sorted((shared / "data" / "broken").glob("*.onnx")):
        with pytest.raises(KfxError, match=r"LFS|operators"):
            onnx_file.read(path)


# Layouts and ranges

PICTURE = sample_picture((24, 16))


@pytest.mark.parametrize("layout", ["NCHW", "NHWC", "CHW", "HWC"])
def test_every_layout_gives_the_same_picture(tmp_path, layout):
    sides = {"N": 1, "C": 3, "H": 16, "W": 24}
    net = nets.scale_net(tmp_path / "x.onnx", shape=[sides[axis] for axis in layout])
    card = cards.load(nets.with_card(net, layout=layout, size=(24, 16)))
    shown = ran(card, PICTURE)
    assert (shown[..., :3] == 255 - PICTURE[..., :3]).all()


@pytest.mark.parametrize("scale", [(0.0, 1.0), (-1.0, 1.0), (0.0, 255.0)])
def test_every_range_gives_the_same_picture(tmp_path, scale):
    low, high = scale
    nets.scale_net(tmp_path / "x.onnx", shift=low + high, low=low, high=high)
    text = nets.card_text()
    for table in ("[input.x]", "[output.y]"):
        text = text.replace(table, f"{table}\nrange = [{low}, {high}]")
    card = cards.parse(text, tmp_path / "x.toml")
    assert (ran(card, PICTURE)[..., :3] == 255 - PICTURE[..., :3]).all()


def test_mean_and_std_go_in_and_come_out(tmp_path):
    net = nets.scale_net(tmp_path / "x.onnx", gain=1.0, shift=0.0, low=-9, high=9)
    both = "mean = [0.4, 0.5, 0.6]\nstd = [0.2, 0.25, 0.5]"
    text = nets.card_text()
    for table in ("[input.x]", "[output.y]"):
        text = text.replace(table, f"{table}\n{both}")
    card = cards.parse(text, net.with_suffix(".toml"))
    assert (ran(card, PICTURE)[..., :3] == PICTURE[..., :3]).all()


def test_bgr_in_rgb_out(tmp_path):
    net = nets.scale_net(tmp_path / "x.onnx", gain=1.0, shift=0.0)
    text = nets.card_text().replace("[input.x]", '[input.x]\ncolour = "BGR"')
    card = cards.parse(text, net.with_suffix(".toml"))
    assert (ran(card, PICTURE)[..., :3] == PICTURE[..., 2::-1]).all()


def test_half_floats(tmp_path):
    half = onnx.TensorProto.FLOAT16
    shape = [1, 3, 16, 24]
    path = nets.save(
        tmp_path / "x.onnx",
        [nets.node("Sub", ["one", "x"], ["y"])],
        [("x", shape, half)],
        [("y", shape, half)],
        [("one", np.float16(1.0))],
    )
    card = inspect.inspect(path)
    assert card.picture.type == "float16"
    shown = ran(card, PICTURE)
    assert np.abs(shown[..., :3].astype(int) - (255 - PICTURE[..., :3])).max() <= 1


def test_a_state_is_fed_back_and_starts_anew(tmp_path):
    card = inspect.inspect(nets.counting_net(tmp_path / "x.onnx"))
    assert [(port.name, port.role, port.source) for port in card.inputs if port.name != "x"] == [
        ("h_in", "state", "h_out")
    ]
    picture = sample_picture((8, 8))
    with Net(card, (8, 8)) as net:
        for _ in range(2):
            state = net.fresh_state()
            seen = [float(net.run(Given(picture), state)["y"].max()) * 255 for _ in range(3)]
            assert np.allclose(seen, [1, 2, 3])


def test_a_state_that_grows_for_ever_is_bounded(tmp_path, monkeypatch):
    card = inspect.inspect(nets.leaking_net(tmp_path / "x.onnx"))
    monkeypatch.setattr(session, "MOST_STATE", 10)
    with Net(card, (16, 16)) as net:
        state, sizes, errors = net.fresh_state(), [], []
        for _ in range(25):
            try:
                net.run(Given(sample_picture((16, 16))), state)
            except KfxError as error:
                errors.append(str(error))
            sizes.append(sum(one.size for one in state.values()))
        assert net.fresh_state()["h_in"].shape == (1, 1, 1, 1)
    assert sizes[:12] == [*range(2, 11), 0, 2, 3]
    assert max(sizes) == 10
    assert all("has grown to 11 values" in text for text in errors)
    assert len(errors) == 2


# Guessing


def test_a_guessed_card_plays(tmp_path):
    path = nets.knob_net(tmp_path / "x.onnx", {"param:strength": "0.0,4.0,1.5"})
    card = inspect.inspect(path)
    knob = card.knobs["strength"]
    assert (knob.min, knob.max, knob.default) == (0.0, 4.0, 1.5)
    assert card.kind == "image"
    assert card.sha256 == fitting.hash_of(path)
    again = cards.parse(cards.dumps(card), path.with_suffix(".toml"))
    half, whole = (ran(again, PICTURE, knobs={"strength": n}) for n in (0.0, 1.0))
    assert (half[..., :3] != whole[..., :3]).any()
    assert card.stick == again.stick


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
@pytest.mark.parametrize("scale", [(0.0, 1.0), (-1.0, 1.0), (0.0, 255.0)])
def test_range_and_layout_are_found(tmp_path, scale, layout):
    """A net that brightens a little, in a scale that its numbers and its last operator tell."""
    low, high = scale
    shape = [1, 3, 40, 32] if layout == "NCHW" else [1, 40, 32, 3]
    weights = [("lift", np.float32(0.1 * (high - low))), ("low", np.float32(low))]
    weights += [("high", np.float32(high))]
    last = nets.node("Tanh", ["z"], ["y"]) if low < 0 else None
    last = last or nets.node("Clip", ["z", "low", "high"], ["y"])
    nodes = [nets.node("Add", ["x", "lift"], ["z"]), last]
    net = nets.save(tmp_path / "x.onnx", nodes, [("x", shape)], [("y", shape)], weights)
    card = inspect.inspect(net)
    assert card.picture.layout == layout
    assert card.picture.size == (32, 40)
    assert (card.picture.range, card.answer.range) == (scale, scale)


def test_a_square_image_net_is_one_for_faces_and_a_wide_one_for_frames(tmp_path):
    for shape, region in (((1, 3, 64, 64), "face"), ((1, 3, 36, 64), "frame")):
        net = nets.scale_net(tmp_path / f"x{shape[2]}.onnx", shape=shape)
        assert inspect.inspect(net).region == region


def test_a_segmentation_is_found_with_its_class(tmp_path):
    """Three classes by luma; the portrait's middle is brightest."""
    weights = [("kernel", np.float32([[[[1]], [[1]], [[1]]], [[[0]], [[0]], [[0]]]]))]
    weights += [("bias", np.float32([-1.2, 0.0]))]
    nodes = [
        nets.node("Conv", ["x", "kernel", "bias"], ["z"]),
        nets.node("Softmax", ["z"], ["y"], axis=1),
    ]
    path = nets.save(
        tmp_path / "x.onnx", nodes, [("x", [1, 3, 64, 64])], [("y", [1, 2, 64, 64])], weights
    )
    card = inspect.inspect(path)
    assert card.kind == "matte"
    assert card.answer.role == "classes"
    assert card.answer.activation == ""
    assert {"show", "colour"} <= set(card.knobs)


def test_detections_and_numbers_are_told_not_drawn(tmp_path):
    weights = [("grid", np.zeros((1, 400, 4), np.float32))]
    nodes = [
        nets.node("ReduceMean", ["x"], ["m"], axes=[1, 2, 3], keepdims=0),
        nets.node("Add", ["grid", "m"], ["boxes"]),
    ]
    path = nets.save(
        tmp_path / "x.onnx", nodes, [("x", [1, 3, 64, 64])], [("boxes", [1, 400, 4])], weights
    )
    card = inspect.inspect(path)
    assert card.kind == "detector"
    from kfx import effects

    with pytest.raises(KfxError, match="a detector: it answers boxes"):
        effects.find(str(path))


def test_the_command_line(tmp_path, capsys):
    net = nets.scale_net(tmp_path / "turn.onnx")
    picture = tmp_path / "in.png"
    cv2.imwrite(str(picture), PICTURE[..., :3])
    assert main(["model", "inspect", str(net), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["kind"], facts["effect"], facts["guessed"]) == ("image", True, True)
    assert facts["inputs"][0]["is"] == "picture"
    assert main(["model", "inspect", str(net), "-o", str(tmp_path / "turn.toml")]) == 0
    assert cards.load(tmp_path / "turn.toml").path == net
    out = tmp_path / "out.png"
    assert main(["model", "try", str(net), str(picture), "-o", str(out), "--json"]) == 0
    both = cv2.imread(str(out))
    assert both.shape == (16, 48, 3)
    assert (both[:, 24:] == 255 - both[:, :24]).all()
    assert main(["model", "try", str(net), str(picture), "-o", str(out)]) == 1
    assert "--force" in capsys.readouterr().err


@pytest.mark.parametrize("found", [0, 2])
def test_try_draws_a_face_net_on_the_faces_it_finds(tmp_path, capfd, monkeypatch, found):
    plate, faces = picture(320, 180), (face_at(80, 80, 24), face_at(240, 80, 30, roll=20.0))
    monkeypatch.setattr("kfx.tracking.tracker.Tracker.__init__", lambda self: None)
    monkeypatch.setattr("kfx.tracking.tracker.Tracker.close", lambda self: None)
    monkeypatch.setattr(
        "kfx.tracking.tracker.Tracker.track", lambda self, frame: faces[: min(found, 2)]
    )
    cv2.imwrite(str(tmp_path / "in.png"), cv2.cvtColor(plate, cv2.COLOR_RGBA2BGR))
    net = nets.scale_net(tmp_path / "turn.onnx", shape=(1, 3, 96, 96))
    card, out = nets.with_card(net, region="face", size=(96, 96)), tmp_path / "out.png"
    command = ["model", "try", str(card), str(tmp_path / "in.png"), "-o", str(out), "--json"]
    assert main(command) == 0
    said = capfd.readouterr()
    assert json.loads(said.out)["faces"] == found
    assert ("the whole picture" in said.err) == (found == 0)
    after = cv2.cvtColor(cv2.imread(str(out)), cv2.COLOR_BGR2RGB)[:, 320:].astype(int)
    assert np.abs(after[80, 70:90] - (255 - plate[80, 70:90, :3])).mean() < 12
    assert np.abs(after[80, 230:250] - (255 - plate[80, 230:250, :3])).mean() < 12
    assert (after[:, 158:162] == plate[:, 158:162, :3]).all() == (found > 0)


def test_a_second_picture_and_a_mask(tmp_path):
    """y = x inside the mask, x2 outside."""
    nodes = [
        nets.node("Sub", ["x", "x2"], ["d"]),
        nets.node("Mul", ["d", "mask"], ["m"]),
        nets.node("Add", ["x2", "m"], ["y"]),
    ]
    free = ["N", 3, "H", "W"]
    inputs = [("x", free), ("x2", free), ("mask", ["N", 1, "H", "W"])]
    card = inspect.inspect(nets.save(tmp_path / "x.onnx", nodes, inputs, [("y", free)]))
    assert [port.role for port in card.inputs] == ["picture", "picture2", "mask"]
    mask = np.zeros((16, 24), np.uint8)
    mask[:, 12:] = 255
    other = 255 - PICTURE
    card = cards.parse(cards.dumps(card).replace('"change"', '"result"'), tmp_path / "x.toml")
    shown = ran(card, PICTURE, picture2=other, mask=mask)
    assert (shown[:, 12:, :3] == PICTURE[:, 12:, :3]).all()
    assert (shown[:, :12, :3] == other[:, :12, :3]).all()


def test_a_flow_takes_pixels_from_where_it_points(tmp_path):
    """A quarter of the picture's width to the right, for every pixel."""
    weights = [("zero", np.float32(0)), ("by", np.float32([0.25, 0.0]).reshape(1, 2, 1, 1))]
    nodes = [
        nets.node("Slice", ["x", "from", "to", "axis"], ["two"]),
        nets.node("Mul", ["two", "zero"], ["none"]),
        nets.node("Add", ["none", "by"], ["warp"]),
    ]
    weights += [("from", np.int64([0])), ("to", np.int64([2])), ("axis", np.int64([1]))]
    shape = [1, 3, 16, 24]
    net = nets.save(tmp_path / "x.onnx", nodes, [("x", shape)], [("warp", [1, 2, 16, 24])], weights)
    assert inspect.inspect(net).kind == "flow"
    text = nets.card_text(size=(24, 16)).replace('"image"', '"flow"')
    text = text.replace('[output.y]\nis = "picture"', '[output.warp]\nis = "flow"\nrange = [-1, 1]')
    shown = ran(cards.parse(text, net.with_suffix(".toml")), PICTURE)
    assert (shown[:, :18, :3] == PICTURE[:, 6:, :3]).all()


# When nets run


def test_a_fault_in_a_job_is_a_result():
    def work(job):
        raise ValueError("no")

    for runner in (Inline(work), Slowed(work, 10.0)):
        runner.offer(1, 0.0)
        done = runner.take(1.0)
        assert "no" in done.error
        assert runner.free(1.0)


def test_a_slowed_net_answers_after_its_period():
    runner = Slowed(lambda job: job * 2, 8.0)
    runner.offer(21, 1.0)
    assert not runner.free(1.1)
    assert runner.take(1.1) is None
    assert runner.waiting_s(1.1) == pytest.approx(0.1)
    assert runner.take(1.125).result == 42


def test_a_thread_takes_one_job_at_a_time_and_ends():
    go = threading.Event()
    runner = Threaded(lambda job: go.wait(LONG_S) and job)
    runner.offer("first", 0.0)
    assert not runner.free(0.0)
    assert runner.take(0.0) is None
    go.set()
    done = until(lambda: runner.take(0.0))
    assert done.result == "first"
    assert runner.free(0.0)
    runner.close()
    assert not runner.free(0.0)


def test_who_closes_a_thread_does_not_wait_for_its_net(monkeypatch):
    go = threading.Event()
    runner = Threaded(lambda job: go.wait(LONG_S))
    runner.offer(1, 0.0)
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "join", lambda *given, **named: pytest.fail("it waited"))
        runner.close()
    (thread,) = [one for one in threading.enumerate() if one is runner._thread]
    go.set()
    thread.join(LONG_S)
    assert not thread.is_alive()


def test_a_run_that_goes_on_is_ended_with_the_process(tmp_path, monkeypatch):
    """A thread inside a net while the interpreter goes would abort the process."""
    from onnx import TensorProto, helper

    body = helper.make_graph(
        [nets.node("Identity", ["go"], ["on"]), nets.node("Mul", ["v", "v"], ["w"])],
        "body",
        [
            helper.make_tensor_value_info("i", TensorProto.INT64, []),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
            helper.make_tensor_value_info("v", TensorProto.FLOAT, []),
        ],
        [
            helper.make_tensor_value_info("on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("w", TensorProto.FLOAT, []),
        ],
    )
    loop = [
        nets.node("Cast", ["time"], ["times"], to=TensorProto.INT64),
        helper.make_node("Loop", ["times", "yes", "one"], ["same"], body=body),
        nets.node("Mul", ["x", "same"], ["y"]),
    ]
    weights = [("yes", np.bool_(True)), ("one", np.float32(1))]
    shape = [1, 3, 16, 16]
    inputs = [("x", shape), ("time", [1])]
    net = nets.save(tmp_path / "long.onnx", loop, inputs, [("y", shape)], weights)
    text = nets.card_text(size=(16, 16)) + '\n[input.time]\nis = "time"\n'
    net.with_suffix(".toml").write_text(text)
    one = Net(cards.load(net.with_suffix(".toml")), (16, 16))
    began, picture = threading.Event(), sample_picture((16, 16))

    def work(job):
        began.set()
        return one.run(Given(picture, time=1e12))

    runner = Threaded(work)
    runner.offer(1, 0.0)
    assert began.wait(LONG_S)
    runner.close()
    monkeypatch.setattr(worker, "LAST_S", LONG_S)
    monkeypatch.setattr(session, "_alive", {one})  # not those of other tests
    worker._wait()
    assert not runner._thread.is_alive()


# The nets that others made


def test_every_shared_net_is_understood(shared):
    """Each is played by its guessed card, or told for what it is."""
    folder = shared / "data" / "onnx"
    slow = {"agllnet_256x256.onnx"}
    seen = 0
    for path in sorted(folder.rglob("*.onnx")):
        if path.name in slow:
            continue
        card = inspect.inspect(path)
        card = cards.parse(cards.dumps(card), path.with_suffix(".toml"))
        if path.name == "lm_model0_opt.onnx":
            assert (card.kind, card.answer.role, len(card.answer.channels)) == (
                "matte",
                "heatmaps",
                66,
            )
            assert card.picture.mean
            continue
        if path.parent.name in ("ultraface", "openseeface") or "yunet" in path.name:
            assert card.kind in ("detector", "other"), path.name
            continue
        assert card.kind == ("matte" if "deeplab" in path.name else "image"), path.name
        with Net(card, (64, 48)) as net:
            picture = sample_picture(net.size)
            shown = answer.drawn(card, net.run(Given(picture)), picture, {})
        assert np.isfinite(shown.astype(np.float32)).all()
        seen += 1
    assert seen >= 37


def test_a_filter_of_another_project_does_what_it_says(shared):
    folder = shared / "data" / "onnx" / "onnx-cv-graph" / "01_elementwise"
    card = inspect.inspect(folder / "gamma.onnx")
    knobs = {name: knob.default for name, knob in card.knobs.items()} | {"gamma": 2.0}
    shown = trial.run(card, PICTURE, knobs).picture[:, 24:, :3]
    wanted = [np.rint(255 * (PICTURE[..., :3] / 255) ** power) for power in (2.0, 0.5)]
    assert min(np.abs(shown - one).max() for one in wanted) <= 1


# Corrections by optical flow


def test_a_tracker_that_slips_is_corrected():
    """The picture moves, the landmarks stay: the correction is the picture's own motion."""
    from kfx.neural import aligned, refine
    from tests.faces import face_at

    face = face_at(160, 100, 40)
    large = sample_picture((320, 200), seed=3)[..., 1]
    to_crop = aligned.crop(face, "face", refine.SIZE, refine.MARGIN)
    views = []
    for moved in (0.0, 3.0):
        place = to_crop.copy()
        place[:, 2] += to_crop[:, :2] @ (moved, 0.0)
        views.append(refine.View.of(face, cv2.warpAffine(large, place, refine.SIZE), to_crop))
    then, now = views
    shift = refine.Refiner().shift(now, then)
    assert np.abs(shift[:468, 0].mean() + 3.0) < 0.5
    assert np.abs(shift[:468, 1].mean()) < 0.3
    assert np.abs(refine.Refiner().shift(then, then)).max() < 0.1


def test_a_crop_sets_the_face_upright_at_the_same_size():
    from kfx.neural import aligned
    from tests.faces import face_at

    seen = [
        aligned.apply(aligned.crop(face, "face", (200, 200), 0.1), face.landmarks)
        for face in (face_at(160, 80, 40), face_at(90, 120, 20, roll=35.0))
    ]
    assert np.abs(seen[0] - seen[1]).max() < 0.5
    assert (seen[0].min(axis=0) > 5).all()
    assert (seen[0].max(axis=0) < 195).all()
