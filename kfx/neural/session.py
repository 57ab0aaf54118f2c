"""Runs one net as its card says: checked against the file, on a proven provider, warmed up."""

from __future__ import annotations

import statistics
import threading
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from kfx import clock
from kfx.canonical import canonical
from kfx.errors import KfxError
from kfx.neural import card as cards
from kfx.neural import fitting, layout, memory, onnx_file, points, providers, worker
from kfx.neural.card import Card
from kfx.neural.ports import PICTURES, Port

FREE_FACE = (256, 256)  # the size of a crop for a net that takes any
FREE_FRAME_SIDE = 1920  # the longest side of a frame for one
WARM_RUNS = 2
MOST_STATE = 1 << 24  # values that a net may remember: 64 MiB of floats

Array = npt.NDArray[Any]
State = dict[str, Array]


@dataclass(frozen=True, slots=True)
class Given:
    """What one run is given. Pictures are (h, w, 4) uint8 of the net's size, masks (h, w)."""

    picture: Array
    picture2: Array | None = None
    mask: Array | None = None
    landmarks: Array | None = None  # (478, 3) in 0..1 of the picture, or the port's own space
    time: float = 0.0
    beat: float = 0.0
    knobs: Mapping[str, float] = field(default_factory=dict)  # by the input's name


class Net:
    """``with Net(card, frame_size) as net: answers = net.run(given)``; one thread at a time.

    Raises `KfxError` when the card and the file don't fit, or the net can't run.
    """

    def __init__(self, card: Card, frame: tuple[int, int], *, warm: bool = True) -> None:
        self.card = card
        self.lock = threading.Lock()  # for who shares a net: held until its answers are read
        self.file = onnx_file.read(card.path)
        fitting.check_hash(card, self.file.weights)
        fitting.check(card, self.file)
        self.size = size_of(card, frame)
        self._buffers = {
            port.name: _buffer(port, self.size, self._declared(port)) for port in card.inputs
        }
        self._blank = {port.name: self._buffers[port.name] for port in card.role("state")}
        self._outputs = [port for port in card.outputs if port.role != "unused"]
        self._bound: dict[str, Array] = {}
        self._shapes: dict[str, tuple[int, ...]] = {}  # of the pictures it answered first
        self._options = providers.runtime().RunOptions()
        self.provider = providers.CPU
        self.fallbacks: tuple[str, ...] = ()
        self.ms = 0.0
        self._watch = memory.Watch()
        self._session = self._open()
        _alive.add(self)
        if warm:
            self._warm()

    def __enter__(self) -> Net:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """End a run that goes on, and let the session go once it has ended."""
        self._options.terminate = True
        self._session = None

    def fresh_state(self) -> State:
        """What a net that remembers is given first: zeros."""
        return {name: np.zeros_like(blank) for name, blank in self._blank.items()}

    def run(self, given: Given, state: State | None = None) -> Mapping[str, Array]:
        """Each output by name; valid until the next run. `state` is renewed in place.

        Raises `KfxError` for whatever goes wrong in the net.
        """
        session = self._session
        if session is None:
            raise KfxError(f"{self.card.name}: the net is closed")
        try:
            answers = self._answered(session, given, state)
        except KfxError:
            raise
        except Exception as error:  # onnxruntime's own kinds, MemoryError
            answers = self._on_cpu(error, given, state)
        if self._watch.kept > memory.MOST_KEPT:
            kept, self._watch = self._watch.kept, memory.Watch()
            self._session = self._open()
            raise KfxError(
                f"{self.card.name}: its runs have kept {kept / 1e6:.0f} MB of memory; "
                "it was opened anew"
            )
        for name, shape in self._shapes.items():
            if answers[name].shape != shape:
                sides = "×".join(map(str, answers[name].shape))
                raise KfxError(f"{self.card.name}: its output {name} has suddenly {sides} values")
        if state is not None:
            for port in self.card.role("state"):
                state[port.name] = np.array(answers[port.source])
            values = sum(one.size for one in state.values())
            if values > MOST_STATE:
                state.clear()
                raise KfxError(
                    f"{self.card.name}: what it remembers has grown to {values} values, more than "
                    f"{MOST_STATE}; it starts anew"
                )
        return answers

    def _answered(self, session: Any, given: Given, state: State | None) -> dict[str, Array]:
        """One run of a session. Raises whatever goes wrong in it."""
        for port in self.card.inputs:
            self._fill(port, given, state)
        binding = session.io_binding()
        for port in self.card.inputs:
            binding.bind_cpu_input(port.name, self._buffers[port.name])
        for port in self._outputs:
            kept = self._bound.get(port.name)
            if kept is None:
                binding.bind_output(port.name, "cpu")
            else:
                binding.bind_output(
                    port.name, "cpu", 0, kept.dtype.type, kept.shape, kept.ctypes.data
                )
        with self._watch:
            session.run_with_iobinding(binding, self._options)
        answers = {}
        for port, value in zip(self._outputs, binding.get_outputs(), strict=True):
            kept = self._bound.get(port.name)
            answers[port.name] = value.numpy() if kept is None else kept
        return answers

    def _on_cpu(self, error: BaseException, given: Given, state: State | None) -> dict[str, Array]:
        """The same run on the CPU after `error`: where that goes well the provider is to blame
        (a driver that was lost), and the net stays on the CPU. Else the net is.
        """
        fault = error
        if self.provider != providers.CPU and not self._options.terminate:
            try:
                cpu = self._session_on([providers.CPU], providers.threads())
                answers = self._answered(cpu, given, state)
            except Exception as again:  # onnxruntime's own kinds
                fault = again
            else:
                note = f"{providers.short(self.provider)}: {_said(error)}"
                self.fallbacks = (*self.fallbacks, note)
                self._session, self.provider = cpu, providers.CPU
                return answers
        raise KfxError(f"{self.card.name}: the net failed: {_said(fault)}") from fault

    def _declared(self, port: Port) -> tuple[int | str, ...]:
        return next(value.shape for value in self.file.inputs if value.name == port.name)

    def _fill(self, port: Port, given: Given, state: State | None) -> None:
        out = self._buffers[port.name]
        if port.role in ("picture", "picture2", "mask"):
            own = {"picture": given.picture, "picture2": given.picture2, "mask": given.mask}
            picture = own[port.role]
            if picture is None and port.role == "mask":
                picture = np.full(given.picture.shape[:2], 255, np.uint8)
            picture = given.picture if picture is None else picture
            layout.to_tensor(layout.sized(picture, port), port, out)
        elif port.role == "knob":
            out[...] = given.knobs.get(port.name, port.default)
        elif port.role in ("time", "beat"):
            out[...] = given.time if port.role == "time" else given.beat
        elif port.role == "constant":
            out[...] = port.default
        elif port.role == "landmarks" and given.landmarks is not None:
            points.pack(given.landmarks, port, out)
        elif port.role == "state":
            kept = None if state is None else state.get(port.name)
            if kept is None:  # at its own size again, if it had grown
                self._buffers[port.name] = self._blank[port.name]
                self._buffers[port.name][...] = 0
            elif kept.shape == out.shape:
                out[...] = kept
            else:  # a state whose size follows the picture's
                self._buffers[port.name] = np.ascontiguousarray(kept.astype(out.dtype))

    def _open(self) -> Any:
        threads = providers.threads()
        cpu = self._session_on([providers.CPU], threads)
        notes = []
        wanted: list[Array] | None = None
        for name in providers.candidates()[:-1]:
            try:
                if wanted is None:
                    wanted = self._answers_of(cpu)
                other = self._session_on([name, providers.CPU], threads)
                if name not in other.get_providers():
                    raise KfxError("it doesn't take this net")
                wrong = providers.agree(self._answers_of(other), wanted)
            except Exception as error:  # every provider fails in its own way
                wrong = _said(error)
            if not wrong:
                self.provider = name
                self.fallbacks = tuple(notes)
                return other
            notes.append(f"{providers.short(name)}: {wrong}")
        self.fallbacks = tuple(notes)
        return cpu

    def _session_on(self, names: list[str], threads: int) -> Any:
        try:
            return providers.runtime().InferenceSession(
                str(self.card.path), providers.options(threads), providers=names, enable_fallback=0
            )
        except Exception as error:  # onnxruntime's own kinds
            raise KfxError(f"{self.card.path}: the net can't be opened: {_said(error)}") from error

    def _answers_of(self, session: Any) -> list[Array]:
        given = Given(sample_picture(self.size), landmarks=_sample_landmarks())
        for port in self.card.inputs:
            self._fill(port, given, None)
        names = [port.name for port in self._outputs]
        with providers.ending() as how:
            answers: list[Array] = session.run(names, self._buffers, how)
        return answers

    def _warm(self) -> None:
        """First runs are slow and tell how large answers are: both before the show."""
        given = Given(sample_picture(self.size), landmarks=_sample_landmarks())
        times = []
        for _ in range(WARM_RUNS):
            began = clock.now()
            with providers.ending(self._options):
                answers = self.run(given, self.fresh_state())
            times.append(1000 * (clock.now() - began))
        self.ms = statistics.median_low(times)
        self._watch = memory.Watch()  # what the first runs take is theirs
        states = {port.source for port in self.card.role("state")}
        for port in self._outputs:
            one = answers[port.name]
            if one.size > onnx_file.MOST_VALUES:
                raise KfxError(f"{self.card.name}: output {port.name} is too large: {one.shape}")
            if port.role == "landmarks":
                self._told(points.unpack, one, port)
            if port.role == "coefficients":
                fitting.check_names(self.card, port, one.size)
            if port.role in PICTURES:
                self._shapes[port.name] = one.shape
                decoded = self._told(layout.planes, one, port)
                fitting.check_answer(self.card, port, decoded.shape)
            declared = next(v.shape for v in self.file.outputs if v.name == port.name)
            # An answer whose shape the file leaves open may change; others get a place to lie.
            if all(isinstance(side, int) for side in declared) and port.name not in states:
                self._bound[port.name] = np.empty(one.shape, one.dtype)

    def _told(self, read: Callable[[Array, Port], Any], answer: Array, port: Port) -> Any:
        """What `read` makes of a first answer; its error names the net."""
        try:
            return read(answer, port)
        except KfxError as error:
            raise KfxError(f"{self.card.where or self.card.path}: {error}") from error


_open: weakref.WeakValueDictionary[tuple[object, ...], Net] = weakref.WeakValueDictionary()
_alive: weakref.WeakSet[Net] = weakref.WeakSet()


@worker.at_end
def close_all() -> None:
    """End the runs of all nets: a process that ends waits for their threads."""
    for net in list(_alive):
        net.close()


def shared(card: Card, frame: tuple[int, int]) -> Net:
    """A net that chains of the same look share while one of them lives; take its `lock` to run."""
    try:
        changed = card.path.stat().st_mtime_ns
    except OSError as error:
        raise KfxError(f"{card.path}: {error.strerror}; put the net beside its card") from error
    key = (card.path.resolve(), changed, size_of(card, frame), cards.dumps(card))
    net = _open.get(key)
    if net is None:
        providers.shrink()  # what nets before it have left
        net = _open[key] = Net(card, frame)
    return net


def size_of(card: Card, frame: tuple[int, int]) -> tuple[int, int]:
    """(width, height) of the pictures that go in, for frames of a size."""
    if not card.role("picture"):
        return (1, 1)  # landmarks alone
    port = card.picture
    if port.size:
        return port.size
    if card.region != "frame":
        return _rounded(FREE_FACE, port.multiple)
    larger = card.answer.scale if card.kind in cards.DRAWN else 1.0
    small = min(1.0, FREE_FRAME_SIDE / max(frame)) / larger
    return _rounded((round(frame[0] * small), round(frame[1] * small)), port.multiple)


def follows_frame(card: Card) -> bool:
    """Whether the size of the pictures that go in is that of the frames."""
    return bool(card.role("picture")) and not card.picture.size and card.region == "frame"


def _rounded(size: tuple[int, int], multiple: int) -> tuple[int, int]:
    width, height = (max(multiple, round(side / multiple) * multiple) for side in size)
    return width, height


def sample_picture(size: tuple[int, int], seed: int = 5) -> npt.NDArray[np.uint8]:
    """A picture (h, w, 4) with the statistics of a photograph: 1/f noise, coloured, a bright
    middle, the same for the same size and seed.
    """
    rng = np.random.default_rng(seed)
    width, height = size
    fy, fx = np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None]
    fall = 1.0 / np.maximum(np.hypot(fy, fx), 1.0 / max(size))
    noise = [
        np.fft.irfft2(fall * np.exp(2j * np.pi * rng.random(fall.shape)), s=(height, width))
        for _ in range(3)
    ]
    luma, warm, green = ((one - one.mean()) / max(float(one.std()), 1e-9) for one in noise)
    y, x = np.mgrid[:height, :width]
    middle = np.exp(-(((x / width - 0.5) / 0.3) ** 2) - ((y / height - 0.45) / 0.35) ** 2)
    rgb = np.stack([luma + 0.3 * warm, luma - 0.1 * warm + 0.15 * green, luma - 0.4 * warm], 2)
    rgb = 105 + 42 * rgb + middle[..., None] * np.array([60, 38, 26])
    picture = np.full((height, width, 4), 255, np.uint8)
    picture[..., :3] = np.clip(rgb, 0, 255)
    return picture


def _sample_landmarks() -> npt.NDArray[np.float32]:
    """The canonical face as it lies in a crop."""
    shape = canonical().vertices
    return (shape * np.float32(0.3) + np.float32([0.5, 0.5, 0.0])).astype(np.float32)


def _buffer(port: Port, size: tuple[int, int], declared: tuple[int | str, ...]) -> Array:
    if port.role in ("picture", "picture2", "mask"):
        return np.zeros(layout.shape_of(port, port.size or size), port.type)
    free = iter(port.shape or ())
    shape = [side if isinstance(side, int) else 1 for side in declared]
    if port.shape and len(port.shape) == len(declared):
        shape = [
            side if isinstance(side, int) else own for side, own in zip(declared, free, strict=True)
        ]
    return np.zeros(shape, port.type)


def _said(error: BaseException) -> str:
    text = providers.said(error)
    if "Available memory of" in text:  # the arena's words for its end
        most = memory.limit() / (1 << 30)
        return f"it wants more memory than the {most:.1f} GB that nets have; give it less to draw"
    return text
