"""Tiny ONNX nets for tests, and their cards, written into a folder of the test's own."""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

FLOAT = TensorProto.FLOAT


def save(path, nodes, inputs, outputs, weights=(), *, notes=(), opset=17, functions=()):
    """Write a net; `inputs` and `outputs` are (name, shape) or (name, shape, type)."""
    values = [
        [helper.make_tensor_value_info(one[0], (*one[2:], FLOAT)[0], one[1]) for one in side]
        for side in (inputs, outputs)
    ]
    tensors = [numpy_helper.from_array(np.asarray(value), name) for name, value in weights]
    graph = helper.make_graph(nodes, "net", *values, tensors)
    opsets = [helper.make_opsetid("", opset), *functions]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    for key, value in dict(notes).items():
        model.metadata_props.add(key=key, value=value)
    onnx.save(model, str(path))
    return Path(path)


def node(kind, inputs, outputs, **attributes):
    return helper.make_node(kind, inputs, outputs, **attributes)


def scale_net(path, gain=-1.0, shift=1.0, shape=("N", 3, "H", "W"), *, low=0.0, high=1.0):
    """y = clip(gain · x + shift): by default it turns a picture of 0..1 into its negative."""
    weights = [("gain", np.float32(gain)), ("shift", np.float32(shift))]
    weights += [("low", np.float32(low)), ("high", np.float32(high))]
    nodes = [
        node("Mul", ["x", "gain"], ["a"]),
        node("Add", ["a", "shift"], ["b"]),
        node("Clip", ["b", "low", "high"], ["y"]),
    ]
    return save(path, nodes, [("x", shape)], [("y", shape)], weights)


def knob_net(path, notes=()):
    """y = clip(x · strength), NCHW of any size."""
    weights = [("low", np.float32(0)), ("high", np.float32(1))]
    nodes = [
        node("Mul", ["x", "strength"], ["a"]),
        node("Clip", ["a", "low", "high"], ["y"]),
    ]
    inputs = [("x", ["N", 3, "H", "W"]), ("strength", [1])]
    return save(path, nodes, inputs, [("y", ["N", 3, "H", "W"])], weights, notes=notes)


def counting_net(path):
    """A recurrent net: the picture becomes the number of frames it has seen, divided by 255."""
    weights = [("one", np.float32([[[[1.0]]]])), ("zero", np.float32(0)), ("per", np.float32(255))]
    nodes = [
        node("Add", ["h_in", "one"], ["h_out"]),
        node("Mul", ["x", "zero"], ["dark"]),
        node("Div", ["h_out", "per"], ["level"]),
        node("Add", ["dark", "level"], ["y"]),
    ]
    inputs = [("x", [1, 3, 8, 8]), ("h_in", [1, 1, 1, 1])]
    return save(path, nodes, inputs, [("y", [1, 3, 8, 8]), ("h_out", [1, 1, 1, 1])], weights)


def leaking_net(path):
    """A negative; what it remembers is one value longer after each run."""
    weights = [("one", np.float32([[[[1.0]]]]))]
    nodes = [
        node("Concat", ["h_in", "one"], ["h_out"], axis=3),
        node("Sub", ["one", "x"], ["y"]),
    ]
    inputs = [("x", [1, 3, 16, 16]), ("h_in", [1, 1, 1, "n"])]
    return save(path, nodes, inputs, [("y", [1, 3, 16, 16]), ("h_out", [1, 1, 1, "m"])], weights)


def faulty_net(path, fault):
    """The picture comes back unchanged until `time` is 0.5: then it throws, gives NaN, or
    pictures of another size.
    """
    weights = [("half", np.float32([0.5])), ("one", np.float32(1)), ("axis", np.int64([2]))]
    nodes = [
        node("GreaterOrEqual", ["time", "half"], ["late"]),
        node("Cast", ["late"], ["late_i"], to=TensorProto.INT64),
        node("Cast", ["late"], ["late_f"], to=FLOAT),
    ]
    if fault == "throws":
        weights += [("table", np.float32([1.0]))]
        nodes += [
            node("Gather", ["table", "late_i"], ["factor"]),  # index 1 of one
            node("Mul", ["x", "factor"], ["y"]),
        ]
    elif fault == "nan":
        nodes += [
            node("Sub", ["one", "late_f"], ["rest"]),
            node("Div", ["rest", "rest"], ["factor"]),  # 0 / 0
            node("Mul", ["x", "factor"], ["y"]),
        ]
    else:
        weights += [("all", np.int64([16])), ("cut", np.int64([15])), ("from", np.int64([0]))]
        nodes += [
            node("Mul", ["late_i", "cut"], ["less"]),
            node("Sub", ["all", "less"], ["to"]),
            node("Slice", ["x", "from", "to", "axis"], ["y"]),
        ]
    out = [1, 3, "h" if fault == "size" else 16, 16]
    return save(path, nodes, [("x", [1, 3, 16, 16]), ("time", [1])], [("y", out)], weights)


CARD = """
kind = "image"
region = "{region}"
stick = "{stick}"

[input.x]
is = "picture"
layout = "{layout}"
{size}

[output.y]
is = "picture"
layout = "{layout}"
"""


def card_text(region="frame", stick="result", layout="NCHW", size=None):
    line = f"size = [{size[0]}, {size[1]}]" if size else ""
    return CARD.format(region=region, stick=stick, layout=layout, size=line)


def with_card(net, **options):
    """Write a card beside a net of one picture; its path."""
    path = Path(net).with_suffix(".toml")
    path.write_text(card_text(**options))
    return path
