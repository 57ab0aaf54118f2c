"""Odd but legal nets: each runs by its guessed card, or is refused in one line that says why."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from kfx.cli import main
from kfx.errors import KfxError
from kfx.neural import card as cards
from kfx.neural import inspect, portrait, providers, trial
from tests.nets import node, save

FLOAT, SIZE = TensorProto.FLOAT, (64, 64)
SHAPE = [1, 3, 64, 64]
HALF = [("half", np.float32(0.5))]
ONE = [("one", np.float32(1))]
NEGATIVE = [node("Sub", ["one", "x"], ["y"])]


def guessed(path):
    """The card as it is read again once it is saved."""
    return cards.parse(cards.dumps(inspect.inspect(path)), path.with_suffix(".toml"))


def tried(card, **knobs):
    """Mean of the picture before and after."""
    picture = portrait.portrait((96, 96))
    values = {name: knob.default for name, knob in card.knobs.items()} | knobs
    both = trial.run(card, picture, values).picture[..., :3].astype(float)
    return both[:, :96].mean(), both[:, 96:].mean()


def is_negative(card):
    before, after = tried(card)
    return abs(after - (255 - before)) < 6


@pytest.mark.parametrize("opset", [7, 9, 11, 13, 15, 17, 19, 21])
def test_every_opset(tmp_path, opset):
    path = save(tmp_path / "n.onnx", NEGATIVE, [("x", SHAPE)], [("y", SHAPE)], ONE, opset=opset)
    assert is_negative(guessed(path))


@pytest.mark.parametrize(
    "shape",
    [
        ["batch", "channels", "height", "width"],
        [None, None, None, None],
        ["b", "h", "w", 3],
        ["h", "w", 3],
        [3, "h", "w"],
        [96, 128],
        [1, 96, 128],
    ],
    ids=str,
)
def test_axes_of_all_names_and_no_batch(tmp_path, shape):
    path = save(tmp_path / "n.onnx", NEGATIVE, [("x", shape)], [("y", shape)], ONE)
    card = guessed(path)
    grey = shape in ([96, 128], [1, 96, 128])
    assert (card.kind, card.picture.colour) == ("image", "L" if grey else "RGB")
    assert is_negative(card)


def test_a_file_that_says_no_shapes(tmp_path):
    values = [helper.make_tensor_value_info(name, FLOAT, None) for name in "xy"]
    weights = [numpy_helper.from_array(np.float32(1), "one")]
    graph = helper.make_graph(NEGATIVE, "net", values[:1], values[1:], weights)
    path = tmp_path / "n.onnx"
    opset = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=8), str(path))
    assert is_negative(guessed(path))


@pytest.mark.parametrize(
    ("kind", "most", "low"),
    [("UINT8", 255.0, 0.0), ("UINT16", 65535.0, 0.0), ("INT8", 255.0, -128.0)],
)
def test_pictures_in_whole_numbers(tmp_path, kind, most, low):
    """A negative in a type that has one range only."""
    code = getattr(TensorProto, kind)
    nodes = [
        node("Cast", ["x"], ["f"], to=FLOAT),
        node("Sub", ["sum", "f"], ["n"]),
        node("Cast", ["n"], ["y"], to=code),
    ]
    weights = [("sum", np.float32(2 * low + most))]
    path = save(tmp_path / "n.onnx", nodes, [("x", SHAPE, code)], [("y", SHAPE, code)], weights)
    card = guessed(path)
    assert card.picture.range == card.answer.range == (low, low + most)
    assert is_negative(card)


def test_whole_numbers_that_are_knobs_start_where_a_net_runs(tmp_path):
    """Divided by `steps`, and turned over where `flip`."""
    nodes = [
        node("Cast", ["steps"], ["k"], to=FLOAT),
        node("Div", ["x", "k"], ["less"]),
        node("Sub", ["one", "less"], ["turned"]),
        node("Where", ["flip", "turned", "less"], ["y"]),
    ]
    inputs = [("x", SHAPE), ("steps", [1], TensorProto.INT64), ("flip", [1], TensorProto.BOOL)]
    card = guessed(save(tmp_path / "n.onnx", nodes, inputs, [("y", SHAPE)], ONE))
    before, after = tried(card)
    assert abs(after - before) < 6
    assert tried(card, steps=4.0)[1] < 0.35 * before
    assert abs(tried(card, flip=1.0)[1] - (255 - before)) < 6


def test_names_say_bgr(tmp_path):
    """Its first channel is made black: that is blue."""
    weights = [("keep", np.float32([0, 1, 1]).reshape(1, 3, 1, 1))]
    nodes = [node("Mul", ["image_bgr", "keep"], ["y"])]
    card = guessed(
        save(tmp_path / "n.onnx", nodes, [("image_bgr", SHAPE)], [("y", SHAPE)], weights)
    )
    picture = portrait.portrait(SIZE)
    after = trial.run(card, picture, {"mix": 1.0}).picture[:, 64:, :3].astype(float)
    assert after[..., 2].mean() < 4
    assert abs(after[..., 0].mean() - picture[..., 0].mean()) < 6


def test_what_was_drawn_goes_in_again(tmp_path):
    nodes = [node("Add", ["input", "prev_output"], ["s"]), node("Mul", ["s", "half"], ["output"])]
    inputs = [("input", SHAPE), ("prev_output", SHAPE)]
    card = guessed(save(tmp_path / "n.onnx", nodes, inputs, [("output", SHAPE)], HALF))
    assert card.role("state")[0].source == card.answer.name == "output"
    before, after = tried(card)
    assert abs(after - before / 2) < 6  # nothing came before


def test_a_second_picture_of_another_size_and_numbers_that_are_no_picture(tmp_path):
    nodes = [
        node("ReduceMean", ["style"], ["level"], keepdims=0),
        node("ReduceMean", ["light"], ["more"], keepdims=0),
        node("Add", ["level", "more"], ["sum"]),
        node("Mul", ["content", "sum"], ["y"]),
    ]
    inputs = [("content", SHAPE), ("style", [1, 3, 32, 48]), ("light", [1, 9, 1, 1])]
    card = guessed(save(tmp_path / "n.onnx", nodes, inputs, [("y", SHAPE)]))
    roles = {port.name: port.role for port in card.inputs}
    assert roles == {"content": "picture", "style": "picture2", "light": "constant"}
    before, after = tried(card)
    assert after < 0.7 * before


@pytest.mark.parametrize("extra", ["text", "list", "optional", "empty"])
def test_answers_that_nobody_can_draw_are_left_where_they_are(tmp_path, extra):
    nodes, inputs = [*NEGATIVE], [("x", SHAPE)]
    if extra == "text":
        nodes.append(node("Cast", ["y"], ["more"], to=TensorProto.STRING))
        value = helper.make_tensor_value_info("more", TensorProto.STRING, SHAPE)
    elif extra == "list":
        nodes.append(node("SequenceConstruct", ["x", "y"], ["more"]))
        value = helper.make_tensor_sequence_value_info("more", FLOAT, SHAPE)
    elif extra == "optional":
        nodes.append(node("Optional", ["x"], ["more"]))
        kind = helper.make_optional_type_proto(helper.make_tensor_type_proto(FLOAT, SHAPE))
        value = helper.make_value_info("more", kind)
    else:
        inputs.append(("none", [1, 0]))
        nodes.append(node("Identity", ["none"], ["more"]))
        value = helper.make_tensor_value_info("more", FLOAT, [1, 0])
    path = save(tmp_path / "n.onnx", nodes, inputs, [("y", SHAPE)], ONE)
    model = onnx.load(str(path))
    model.graph.output.append(value)
    onnx.save(model, str(path))
    assert is_negative(guessed(path))


def steps_in_ten(path, order):
    """Nine pictures' channels and one more: darker, brighter and nearly the picture itself."""
    gains = {"darker": 0.3, "same": 0.98, "brighter": 1.7}
    rows = np.concatenate([np.eye(3) * gains[one] for one in order] + [np.ones((1, 3)) / 3])
    nodes = [node("Conv", ["x", "w"], ["c"]), node("Transpose", ["c"], ["y"], perm=[0, 2, 3, 1])]
    weights = [("w", rows.reshape(10, 3, 1, 1).astype(np.float32))]
    return save(path, nodes, [("x", SHAPE)], [("y", [1, 64, 64, 10])], weights)


@pytest.mark.parametrize("at", [0, 1, 2])
def test_of_many_channels_those_are_drawn_that_are_the_picture(tmp_path, at):
    order = ["darker", "brighter"]
    order.insert(at, "same")
    card = inspect.inspect(steps_in_ten(tmp_path / "n.onnx", order))
    assert card.answer.channels == (3 * at, 3 * at + 1, 3 * at + 2)


def refused(folder, what):
    """A net that kfx can't play."""
    path, shape, nodes = folder / "n.onnx", SHAPE, [node("Mul", ["x", "half"], ["y"])]
    if what == "text":
        nodes.append(node("Identity", ["words"], ["more"]))
        inputs = [("x", shape), ("words", [1], TensorProto.STRING)]
        return save(path, nodes, inputs, [("y", shape), ("more", [1], TensorProto.STRING)], HALF)
    if what == "bfloat16":
        nodes = [node("Cast", ["x"], ["y"], to=FLOAT)]
        return save(path, nodes, [("x", shape, TensorProto.BFLOAT16)], [("y", shape)])
    if what == "nothing in":
        weights = [("k", np.zeros(shape, np.float32))]
        return save(path, [node("Identity", ["k"], ["y"])], [], [("y", shape)], weights)
    if what == "no room":
        return save(path, nodes, [("x", [1, 3, 0, 64])], [("y", [1, 3, 0, 64])], HALF)
    path = save(path, nodes, [("x", shape)], [("y", shape)], HALF)
    model = onnx.load(str(path))
    if what == "opset":
        model.opset_import[0].version = 99
    else:  # a list alone
        model.graph.node.append(node("SequenceConstruct", ["y", "y"], ["more"]))
        del model.graph.output[:]
        value = helper.make_tensor_sequence_value_info("more", FLOAT, shape)
        model.graph.output.append(value)
    onnx.save(model, str(path))
    return path


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("text", "its input words is text"),
        ("bfloat16", "its input x is text, a list or of a type that kfx can't hand over"),
        ("nothing in", "it has no inputs"),
        ("no room", "its input x has a side of 0"),
        ("a list alone", "it answers lists or texts alone"),
        ("opset", "Opset 99 is under development"),
    ],
)
def test_what_can_not_be_played_is_refused_in_one_line(tmp_path, what, said):
    with pytest.raises(KfxError, match=said) as found:
        inspect.inspect(refused(tmp_path, what))
    text = str(found.value)
    assert text.startswith(str(tmp_path / "n.onnx"))
    assert "\n" not in text
    assert "onnxruntime_src" not in text
    assert "ONNXRuntimeError" not in text


@pytest.mark.parametrize("shape", [SHAPE, [1, 3, "h", "w"]], ids=str)
def test_a_net_that_never_answers_is_ended(tmp_path, monkeypatch, shape):
    """A loop without a last time round."""
    inner = [node("Identity", ["go"], ["on"]), node("Mul", ["s", "half"], ["t"])]
    value, go = helper.make_tensor_value_info, TensorProto.BOOL
    body = helper.make_graph(
        inner,
        "body",
        [
            value("i", TensorProto.INT64, []),
            value("go", TensorProto.BOOL, []),
            value("s", 1, shape),
        ],
        [value("on", go, []), value("t", FLOAT, shape)],
    )
    nodes = [node("Loop", ["", "true", "x"], ["y"], body=body)]
    weights = [*HALF, ("true", np.bool_(True))]
    path = save(tmp_path / "n.onnx", nodes, [("x", shape)], [("y", shape)], weights)
    monkeypatch.setattr(providers, "ENDS_S", 0.05)
    with pytest.raises(KfxError, match=r"n\.onnx: it gives no answer within 0\.05 s"):
        inspect.inspect(path)


def test_what_a_provider_lacks_is_one_line():
    noise = (
        "/onnxruntime_src/onnxruntime/core/session/provider_bridge_ort.cc:2248 "
        "onnxruntime::Provider& onnxruntime::ProviderLibrary::Get() [ONNXRuntimeError] : 1 : FAIL "
        ": Failed to load library libonnxruntime_providers_tensorrt.so with error: "
        "libnvinfer.so.10: cannot open shared object file: No such file or directory"
    )
    assert providers._missing(RuntimeError(noise)) == "can't run: libnvinfer.so.10 isn't installed"
    for one in providers.probe_all():
        assert "onnxruntime_src" not in one.error
        assert len(one.error) < 100


def test_inspect_says_that_it_has_written(tmp_path, capsys):
    path = save(tmp_path / "n.onnx", NEGATIVE, [("x", SHAPE)], [("y", SHAPE)], ONE)
    out = tmp_path / "n.toml"
    assert main(["model", "inspect", str(path), "-o", str(out)]) == 0
    said = capsys.readouterr().out
    assert said == f"{out}: the card of n.onnx, image, guessed; look at it: kfx model try\n"
    assert cards.load(out).kind == "image"
