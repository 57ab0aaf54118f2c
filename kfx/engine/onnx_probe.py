"""Proves ONNX Runtime providers by running a tiny net on each and comparing with the CPU."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from kfx import clock

SHAPE = (1, 3, 8, 8)
RUNS = 20
TOLERANCE = 1e-2  # some providers compute in half precision
CPU = "CPUExecutionProvider"
# Azure sends data away; TensorRT takes minutes to start and kfx doesn't use it.
NOT_OURS = frozenset({"AzureExecutionProvider", "TensorrtExecutionProvider"})


@dataclass(frozen=True, slots=True)
class Probe:
    """What one provider did: `ms` for a run, or `error` (empty: its answer was right)."""

    provider: str
    ms: float
    error: str = ""


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def _field(number: int, value: int | str | bytes) -> bytes:
    """One protobuf field: a varint, or a length-delimited string or message."""
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    raw = value.encode() if isinstance(value, str) else value
    return _varint(number << 3 | 2) + _varint(len(raw)) + raw


def model() -> bytes:
    """An ONNX model of y = x · x + x, encoded by hand (field numbers: onnx.proto, opset 13)."""

    def node(kind: str, inputs: str, output: str) -> bytes:
        return b"".join(_field(1, name) for name in inputs) + _field(2, output) + _field(4, kind)

    shape = b"".join(_field(1, _field(1, side)) for side in SHAPE)
    tensor = _field(1, _field(1, 1) + _field(2, shape))  # element type 1 is float32
    graph = _field(1, node("Mul", "xx", "s")) + _field(1, node("Add", "sx", "y"))
    graph += _field(2, "probe")
    graph += _field(11, _field(1, "x") + _field(2, tensor))
    graph += _field(12, _field(1, "y") + _field(2, tensor))
    opset = _field(1, "") + _field(2, 13)
    return _field(1, 8) + _field(7, graph) + _field(8, opset)


def probe(provider: str) -> Probe:
    """Run the net on `provider` alone. Never raises for a provider that doesn't work."""
    import onnxruntime

    x = np.linspace(-2, 2, int(np.prod(SHAPE)), dtype=np.float32).reshape(SHAPE)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    if provider != CPU:  # or the CPU would quietly do the work
        options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
    try:
        session: Any = onnxruntime.InferenceSession(model(), options, providers=[provider])
        if provider not in session.get_providers():
            return Probe(provider, 0.0, "its libraries can't be loaded")
        answer = session.run(["y"], {"x": x})[0]
        began = clock.now()
        for _ in range(RUNS):
            session.run(["y"], {"x": x})
        ms = (clock.now() - began) / RUNS * 1000
    except Exception as error:  # every provider fails in its own way
        text = " ".join(str(error).split())[:160] or type(error).__name__
        if "default CPU EP" in text:
            text = "can't run: its libraries or its device are missing"
        return Probe(provider, 0.0, text)
    worst = float(np.abs(answer - (x * x + x)).max())
    wrong = "" if worst <= TOLERANCE else f"its answer is wrong by {worst:.3g}"
    return Probe(provider, ms, wrong)


def probe_all() -> list[Probe]:
    """Every provider of this build that kfx could use, the CPU last."""
    import onnxruntime

    names = [name for name in onnxruntime.get_available_providers() if name not in NOT_OURS]
    return [probe(name) for name in names]
