"""What `kfx model inspect` makes of nets that nobody told it of, kind by kind."""

import numpy as np
import onnx
import pytest

from kfx import effects
from kfx.errors import KfxError
from kfx.neural import answer, families, inspect, layout
from kfx.neural import card as cards
from kfx.neural.portrait import portrait
from kfx.neural.session import Given, Net, sample_picture
from tests import nets

FREE = ["N", 3, "H", "W"]
UINT8, INT32, HALF = (onnx.TensorProto.UINT8, onnx.TensorProto.INT32, onnx.TensorProto.FLOAT16)


def guessed(path):
    """The card, as it is when it has been saved and read again."""
    return cards.parse(cards.dumps(inspect.inspect(path)), path.with_suffix(".toml"))


def played(card, picture, frame=None, **given):
    with Net(card, frame or picture.shape[1::-1]) as net:
        return answer.drawn(card, net.run(Given(picture, **given), net.fresh_state()), picture, {})


def test_a_net_for_luma_alone_leaves_the_plates_colours(tmp_path):
    """Super-resolution of Y: three times as large, drawn as a change of luma."""
    weights = [("by", np.float32([1, 1, 2, 2])), ("lift", np.float32(0.1))]
    nodes = [
        nets.node("Resize", ["x", "", "by"], ["large"], mode="linear"),
        nets.node("Add", ["large", "lift"], ["y"]),
    ]
    shapes = [("x", [1, 1, 64, 64])], [("y", [1, 1, 128, 128])]
    card = guessed(nets.save(tmp_path / "super_resolution.onnx", nodes, *shapes, weights))
    assert (card.kind, card.picture.colour, card.region) == ("image", "L", "frame")
    assert (card.stick, card.answer.scale) == ("change", 2.0)
    change = played(card, portrait((64, 64)))[..., :3].astype(float)
    assert np.median(change) == pytest.approx(0.1, abs=0.01)
    assert np.abs(change[..., 0] - change[..., 2]).max() < 1e-3


def test_a_net_that_adds_colours_to_lightness(tmp_path):
    weights = [("a", np.float32(0.0)), ("b", np.float32(0.5))]
    nodes = [
        nets.node("Mul", ["l", "a"], ["ka"]),
        nets.node("Mul", ["l", "b"], ["kb"]),
        nets.node("Concat", ["ka", "kb"], ["ab"], axis=1),
    ]
    shapes = [("l", [1, 1, 32, 32])], [("ab", [1, 2, 32, 32])]
    card = guessed(nets.save(tmp_path / "colorizer.onnx", nodes, *shapes, weights))
    assert (card.kind, card.stick, card.region) == ("image", "change", "frame")
    assert (card.picture.colour, card.answer.colour) == ("LAB-L", "LAB-AB")
    grey = np.full((32, 32, 4), 128, np.uint8)
    shown = grey[..., :3] / 255 + played(card, grey)[..., :3].astype(float)
    lightness, a, b = layout.lab((shown * 255).astype(np.uint8))[16, 16]
    assert lightness == pytest.approx(53.6, abs=1.0)
    assert (a, b) == pytest.approx((0.0, 26.8), abs=1.5)


def test_edges_are_drawn_from_the_last_map(tmp_path):
    weights = [("mean", np.full((1, 3, 1, 1), 1 / 3, np.float32)), ("off", np.float32(4.0))]
    nodes = [
        nets.node("Conv", ["x", "mean"], ["g"]),
        nets.node("Sub", ["g", "off"], ["first"]),
        nets.node("Identity", ["first"], ["last"]),
    ]
    shape = [1, 1, 48, 48]
    net = nets.save(
        tmp_path / "dexined.onnx",
        nodes,
        [("x", [1, 3, 48, 48])],
        [("first", shape), ("last", shape)],
        weights,
    )
    card = guessed(net)
    assert (card.kind, card.region, card.answer.name) == ("image", "frame", "last")
    assert (card.answer.activation, card.picture.colour) == ("sigmoid", "BGR")
    assert played(card, sample_picture((48, 48))).shape == (48, 48, 4)


@pytest.mark.parametrize("multiple", [1, 14, 32])
def test_sides_that_a_net_wants_are_found(tmp_path, multiple):
    """Pooled and enlarged again, the picture has its size only where the multiple divides it."""
    weights = [("up", np.float32([1, 1, multiple, multiple])), ("half", np.float32(0.5))]
    pool = {"kernel_shape": [multiple] * 2, "strides": [multiple] * 2}
    nodes = [
        nets.node("AveragePool", ["x"], ["small"], **pool),
        nets.node("Resize", ["small", "", "up"], ["large"], mode="nearest"),
        nets.node("Add", ["large", "x"], ["sum"]),
        nets.node("Mul", ["sum", "half"], ["y"]),
    ]
    card = guessed(nets.save(tmp_path / "x.onnx", nodes, [("x", FREE)], [("y", FREE)], weights))
    assert card.picture.multiple == multiple
    with Net(card, (500, 300)) as net:
        assert net.size[0] % multiple == net.size[1] % multiple == 0
        assert abs(net.size[0] - 500) <= multiple


def test_an_upscaler_is_fed_a_smaller_frame(tmp_path):
    weights = [("by", np.float32([1, 1, 4, 4]))]
    nodes = [nets.node("Resize", ["x", "", "by"], ["y"], mode="linear")]
    card = guessed(nets.save(tmp_path / "x4.onnx", nodes, [("x", FREE)], [("y", FREE)], weights))
    assert card.answer.scale == 4.0
    with Net(card, (640, 360)) as net:
        assert net.size == (160, 90)


@pytest.mark.parametrize("shape", [[1, "h", "w", 3], ["h", "w", 3]], ids=["NHWC", "HWC"])
def test_bytes_in_and_out(tmp_path, shape):
    nodes = [
        nets.node("Cast", ["x"], ["f"], to=1),
        nets.node("Sub", ["most", "f"], ["z"]),
        nets.node("Cast", ["z"], ["y"], to=UINT8),
    ]
    weights = [("most", np.float32(255))]
    net = nets.save(
        tmp_path / "x.onnx", nodes, [("x", shape, UINT8)], [("y", shape, UINT8)], weights
    )
    card = guessed(net)
    assert card.picture.layout == "NHWC"[4 - len(shape) :]
    picture = sample_picture((24, 16))
    assert (played(card, picture)[..., :3] == 255 - picture[..., :3]).all()


def test_video_matting_remembers_four_states(tmp_path):
    """As Robust Video Matting: states of (1, 1, 1, 1) zeros that take the picture's size."""
    nodes = [
        nets.node("ReduceMean", ["src"], ["pha"], axes=[1], keepdims=1),
        nets.node("Identity", ["src"], ["fgr"]),
    ]
    names = range(1, 5)
    for i in names:
        nodes += [
            nets.node("ReduceMax", [f"r{i}i"], [f"m{i}"], keepdims=1),
            nets.node("Mul", [f"m{i}", "zero"], [f"z{i}"]),
            nets.node("Add", ["pha", f"z{i}"], [f"k{i}"]),
            nets.node("Mul", [f"k{i}", "downsample_ratio"], [f"r{i}o"]),
        ]
    free = ["b", "c", "h", "w"]
    inputs = [("src", FREE), *((f"r{i}i", free) for i in names), ("downsample_ratio", [1])]
    outputs = [("fgr", FREE), ("pha", ["N", 1, "H", "W"]), *((f"r{i}o", free) for i in names)]
    net = nets.save(tmp_path / "rvm.onnx", nodes, inputs, outputs, [("zero", np.float32(0))])
    card = guessed(net)
    assert (card.kind, card.answer.name) == ("matte", "pha")
    assert [port.source for port in card.role("state")] == ["r1o", "r2o", "r3o", "r4o"]
    assert card.knobs["downsample_ratio"].default == 0.5
    with Net(card, (64, 48)) as net:
        state = net.fresh_state()
        for _ in range(3):
            net.run(Given(sample_picture((64, 48)), knobs={"downsample_ratio": 0.5}), state)
        assert state["r1i"].shape == (1, 1, 48, 64)


@pytest.mark.parametrize(
    ("name", "scale", "range_"),
    [("u2netp", "ImageNet", (0, 1)), ("modnet", "-1..1", (-1, 1)), ("plain", "", (0, 1))],
)
def test_the_scale_of_a_matte_goes_by_the_family_where_runs_do_not_tell(
    tmp_path, name, scale, range_
):
    assert families.scale_of(name) == scale
    y, x = np.mgrid[:64, :64] / 64
    person = (((x - 0.5) / 0.2) ** 2 + ((y - 0.6) / 0.4) ** 2 < 1).astype(np.float32)
    nodes = [
        nets.node("ReduceMean", ["x"], ["m"], axes=[1], keepdims=1),
        nets.node("Mul", ["m", "zero"], ["z"]),
        nets.node("Add", ["z", "person"], ["y"]),
    ]
    weights = [("person", person[None, None]), ("zero", np.float32(0))]
    shapes = [("x", [1, 3, 64, 64])], [("y", [1, 1, 64, 64])]
    card = guessed(nets.save(tmp_path / f"{name}.onnx", nodes, *shapes, weights))
    assert (card.kind, card.picture.range) == ("matte", range_)
    assert bool(card.picture.mean) == (scale == "ImageNet")


@pytest.mark.parametrize(
    ("inputs", "output", "said"),
    [
        ([("x", [2, 3, 16, 16])], [2, 3, 16, 16], "x takes 2 pictures at once"),
        (
            [("image1", [1, 3, 32, 32]), ("image2", [1, 3, 32, 32])],
            [1, 2, 32, 32],
            "motion between",
        ),
        ([("x", [1, 3, 32, 32], INT32)], [1, 1, 17, 3], "numbers, nothing to draw"),
    ],
    ids=["batch", "flow", "pose"],
)
def test_what_can_not_be_drawn_says_why(tmp_path, inputs, output, said):
    name = "flow" if output[1] == 2 else "y"
    many = int(np.prod(output))
    weights = [("zero", np.float32(0)), ("shape", np.int64(output)), ("some", np.ones(many, "f4"))]
    nodes = [nets.node("Cast", [one[0]], [f"f{i}"], to=1) for i, one in enumerate(inputs)]
    nodes += [
        nets.node("ReduceMean", [f"f{len(inputs) - 1}"], ["m"], keepdims=0),
        nets.node("Mul", ["m", "zero"], ["z"]),
        nets.node("Add", ["some", "z"], ["flat"]),
        nets.node("Reshape", ["flat", "shape"], [name]),
    ]
    net = nets.save(tmp_path / "net.onnx", nodes, inputs, [(name, output)], weights)
    with pytest.raises(KfxError, match=said):
        effects.find(str(net))
