"""Chooses where nets run: each provider is proven by a run before it is trusted.

`get_available_providers` names what a build could use, whether its libraries and its device are
there or not. So a tiny net runs on every provider first, and a card's net once more on the chosen
one, both compared with the CPU.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from kfx import clock
from kfx.errors import KfxError
from kfx.neural import memory

SHAPE = (1, 3, 8, 8)
RUNS = 20
ENDS_S = 30.0  # a run on a probe's picture that takes longer is ended
MOST_SAID = 240  # characters of an error
TOLERANCE = 1e-2  # some providers compute in half precision
CPU = "CPUExecutionProvider"
NOT_OURS = frozenset({"AzureExecutionProvider"})  # it sends data away
ORDER = (
    "TensorrtExecutionProvider",
    "CUDAExecutionProvider",
    "CoreMLExecutionProvider",
    "DmlExecutionProvider",
    "OpenVINOExecutionProvider",
    CPU,
)


@dataclass(frozen=True, slots=True)
class Probe:
    """What one provider did: `ms` for a run, or `error` (empty: its answer was right)."""

    provider: str
    ms: float
    error: str = ""


_bounded = False  # whether onnxruntime has the arena that ends


@cache
def runtime() -> Any:
    """The onnxruntime module, with CUDA's libraries from their wheels loaded where they are."""
    try:
        import onnxruntime
    except ImportError as error:
        raise KfxError(f"onnxruntime can't be loaded ({error}); run: kfx doctor") from error
    onnxruntime.set_default_logger_severity(4)
    global _bounded
    _bounded = memory.register(onnxruntime)
    preload = getattr(onnxruntime, "preload_dlls", None)
    if preload and "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        try:
            import nvidia  # noqa: F401  the wheels of kfx[cuda]

            preload()
        except Exception:  # no wheels: the system's own CUDA may serve, and the probe will tell
            pass
    return onnxruntime


def said(error: BaseException) -> str:
    """What an error of onnxruntime says, in one line, without the places in its own source."""
    text = " ".join(str(error).split())
    for words in _NOISE:
        text = re.sub(words, "", text)
    text = text.strip() or type(error).__name__
    return text if len(text) <= MOST_SAID else text[:MOST_SAID] + " …"


_NOISE = (
    r"\[ONNXRuntimeError\] : \d+ : \w+ : ",
    r"Load model from .*? failed: ?",
    r"/onnxruntime_src/\S+:\d+ .*?\) (?:const )?(?=[A-Z\[])",
    r"^Exception during \w+: ",
)


class TooLong(KfxError):
    """A run that was ended."""


@contextmanager
def ending(how: Any = None) -> Iterator[Any]:
    """``with ending() as how: session.run(names, feeds, how)``: a run that never ends is ended."""
    how = how or runtime().RunOptions()

    def end() -> None:
        how.terminate = True

    timer = threading.Timer(ENDS_S, end)
    timer.daemon = True
    timer.start()
    try:
        yield how
    except Exception as error:  # onnxruntime's own kinds
        if how.terminate:
            raise TooLong(f"it gives no answer within {ENDS_S:g} s") from error
        raise
    finally:
        timer.cancel()


def short(provider: str) -> str:
    """The provider's name for people: ``CUDA``."""
    return provider.removesuffix("ExecutionProvider")


def options(threads: int = 1) -> Any:
    """Session options that every net gets."""
    chosen = runtime().SessionOptions()
    if _bounded:
        chosen.add_session_config_entry("session.use_env_allocators", "1")
    chosen.log_severity_level = 4
    chosen.intra_op_num_threads = threads
    chosen.inter_op_num_threads = 1
    # A waiting pool that spins would take the core that draws.
    chosen.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return chosen


def shrink() -> None:
    """Give back to the machine what nets that are gone have left in the arena."""
    if not _bounded:
        return
    how = runtime().RunOptions()
    how.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")
    _tiny().run(["y"], {"x": np.zeros(SHAPE, np.float32)}, how)


@cache
def _tiny() -> Any:
    return runtime().InferenceSession(model(), options(), providers=[CPU])


def threads() -> int:
    """CPU threads for a net: all cores but the one that draws."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return max(1, (cores or 2) - 1)


def candidates() -> list[str]:
    """The providers of this build that are proven here, the best first, the CPU last."""
    return [name for name in ORDER[:-1] if name in _there() and not proof(name).error] + [CPU]


def _there() -> list[str]:
    return [name for name in runtime().get_available_providers() if name not in NOT_OURS]


@cache
def proof(provider: str) -> Probe:
    """`probe`, once a process."""
    return probe(provider)


def probe(provider: str) -> Probe:
    """Run the tiny net on `provider` alone. Never raises for a provider that doesn't work."""
    x = np.linspace(-2, 2, int(np.prod(SHAPE)), dtype=np.float32).reshape(SHAPE)
    try:
        chosen = options()
        if provider != CPU:  # or the CPU would quietly do the work
            chosen.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
        session = runtime().InferenceSession(
            model(), chosen, providers=[provider], enable_fallback=0
        )
        if provider not in session.get_providers():
            return Probe(provider, 0.0, "its libraries can't be loaded")
        with ending() as how:
            answer = session.run(["y"], {"x": x}, how)[0]
        began = clock.now()
        for _ in range(RUNS):
            session.run(["y"], {"x": x})
        ms = (clock.now() - began) / RUNS * 1000
    except Exception as error:  # every provider fails in its own way
        return Probe(provider, 0.0, _missing(error) or said(error))
    worst = float(np.abs(answer - (x * x + x)).max())
    wrong = "" if worst <= TOLERANCE else f"its answer is wrong by {worst:.3g}"
    return Probe(provider, ms, wrong)


def _missing(error: BaseException) -> str:
    """What a provider lacks, where that is why it can't run; "" for other faults."""
    text = str(error)
    lacks = re.search(r"([\w.+-]+\.(?:so[.\d]*|dll|dylib))[^:]*: cannot open", text)
    if lacks:
        return f"can't run: {lacks[1]} isn't installed"
    if re.search("default CPU EP|install|RegisterTensorRT|Failed to load|CUDA failure", text):
        return "can't run: its libraries or its device are missing"
    return ""


def probe_all() -> list[Probe]:
    """Every provider of this build that kfx could use, in the order they are preferred."""
    there = _there()
    known = [name for name in ORDER if name in there]
    return [probe(name) for name in (*known, *(name for name in there if name not in ORDER))]


def agree(answers: list[Any], wanted: list[Any]) -> str:
    """What is wrong with a provider's answers beside the CPU's, "" if nothing."""
    for answer, want in zip(answers, wanted, strict=True):
        if answer.shape != want.shape:
            return f"its answer has the shape {answer.shape} instead of {want.shape}"
        a, b = answer.astype(np.float64), want.astype(np.float64)
        if np.isfinite(b).all() and not np.isfinite(a).all():
            return "its answer holds NaN or infinite numbers, the CPU's doesn't"
        spread = max(float(b.std()), 1e-3)
        away = float(np.abs(a - b).mean()) / spread
        if not away <= 0.05:
            return f"its answer differs from the CPU's by {away:.0%} of its spread"
    return ""


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
