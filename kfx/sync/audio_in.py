"""Sound from a device, as blocks that carry the time at which they were heard.

A device sends silence too, so one that sends nothing was unplugged: it is opened again by itself.
"""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt

from kfx import clock
from kfx.errors import KfxError

STALL_S = 2.0  # without a block
WATCH_S = 0.25
RETRIES_S = (1.0, 2.0, 5.0)  # from one try to open it again to the next; the last one stays
KEPT_S = 10.0  # blocks that nobody reads for so long are dropped
INSTALL = "pip install 'kfx[audio]'"
NO_PORTAUDIO = "install PortAudio (Debian: sudo apt install libportaudio2)"


class Block(NamedTuple):
    at: float  # monotonic time of the first sample
    samples: npt.NDArray[np.float32]  # (n, channels)


def devices() -> list[tuple[str, str]]:
    """(name, words) of every input. Raises `KfxError` without sounddevice or PortAudio."""
    found = _sounddevice().query_devices()
    return [
        (
            str(one["name"]),
            f"sound input, {one['max_input_channels']} channels, {one['default_samplerate']:g} Hz",
        )
        for one in found
        if one["max_input_channels"] > 0
    ]


class AudioIn:
    """An open input; `device` is a name, a part of it, a number, or "" for the default one.

    The device's thread only stores blocks; whoever wants them calls `read`, each reader with a
    name of its own. Raises `KfxError` when the device can't be opened. `lost` counts overruns.
    `on_fault` hears, in a thread of this one, that it was unplugged and that it is back.
    """

    _streaming: ClassVar[set[AudioIn]] = set()

    def __init__(
        self,
        device: str = "",
        *,
        sample_rate: int | None = None,
        on_fault: Callable[[str], None] | None = None,
    ) -> None:
        sounddevice = _sounddevice()
        self.device = device
        self.lost = 0
        self.channels = 0
        self.sample_rate = sample_rate or 0
        self._on_fault = on_fault or (lambda text: None)
        self._queues: dict[str, deque[Block]] = {}
        self._gone, self._tries, self._try_at = False, 0, 0.0
        self._over = threading.Event()
        try:
            self._stream = self._start(sounddevice)
        except (sounddevice.PortAudioError, ValueError) as error:
            said = " ".join(str(error).split())[:160]
            raise KfxError(
                f"{self._name}: can't be opened ({said}); `kfx list devices` names the inputs"
            ) from None
        self._heard = clock.now()
        self._watching = threading.Thread(target=self._watch, name="kfx-audio-in", daemon=True)
        self._watching.start()

    def reader(self, name: str) -> None:
        """Keep blocks for `read(name)` from now on."""
        self._queues = {**self._queues, name: deque()}  # the device's thread goes through them

    def read(self, name: str) -> list[Block]:
        """The blocks that came since the last call, oldest first."""
        queue = self._queues[name]
        return [queue.popleft() for _ in range(len(queue))]

    def close(self) -> None:
        self._over.set()
        self._watching.join(STALL_S)  # a driver may be stuck with what is no longer there
        self._stop()

    def check(self, now: float) -> None:
        """Open it again if it was unplugged; `now` is the monotonic time."""
        if now - self._heard < STALL_S:
            if self._gone:
                self._gone = False
                self._on_fault(f"{self._name}: is back")
            return
        if not self._gone:
            self._gone, self._tries, self._try_at = True, 0, now
            self._on_fault(
                f"{self._name}: sends nothing any more; plug it in again, it is opened by itself"
            )
        if now < self._try_at:
            return
        self._try_at = now + RETRIES_S[min(self._tries, len(RETRIES_S) - 1)]
        self._tries += 1
        self._stop()
        with contextlib.suppress(Exception):  # not there yet
            sounddevice = _sounddevice()
            if not self._streaming:  # it knows only what was there when it was loaded
                sounddevice._terminate()
                sounddevice._initialize()
            self._stream = self._start(sounddevice)

    @property
    def _name(self) -> str:
        return f"audio input {self.device or '(default)'}"

    def _watch(self) -> None:
        while not self._over.wait(WATCH_S):
            self.check(clock.now())

    def _start(self, sounddevice: Any) -> Any:
        """A stream of the channels and the rate that readers know."""
        spec: Any = int(self.device) if self.device.isdigit() else self.device or None
        info = sounddevice.query_devices(spec, "input")
        count = int(info["max_input_channels"])
        if count < max(1, self.channels):
            raise ValueError(f"it has {count} inputs" if count else "it has no inputs")
        self.channels = self.channels or count
        self.sample_rate = int(self.sample_rate or info["default_samplerate"])
        stream = sounddevice.InputStream(
            device=spec,
            channels=min(self.channels, 64),
            samplerate=self.sample_rate,
            dtype="float32",
            latency="low",
            callback=self._take,
        )
        stream.start()
        self._streaming.add(self)
        return stream

    def _stop(self) -> None:
        self._streaming.discard(self)
        with contextlib.suppress(Exception):  # whatever a driver says of what isn't there
            self._stream.close()

    def _take(self, data: Any, frames: int, times: Any, status: Any) -> None:
        now = clock.now()
        age = times.currentTime - times.inputBufferAdcTime
        if not 0.0 < age < 1.0:  # some host APIs tell nothing
            age = frames / self.sample_rate
        self.lost += bool(status.input_overflow)
        self._heard = now
        block = Block(now - age, data.copy())
        for queue in self._queues.values():
            queue.append(block)
            while queue and queue[0].at < now - KEPT_S:
                queue.popleft()


class Shared:
    """A part in the one open input of a device: timecode and music may lie on two channels of an
    interface that can be opened only once. It is closed with the last part."""

    _lock = threading.Lock()
    _open: ClassVar[dict[str, tuple[AudioIn, list[Shared]]]] = {}

    def __init__(self, device: str = "", on_fault: Callable[[str], None] | None = None) -> None:
        """`on_fault` of the part that opens it hears that it was unplugged."""
        self.device = device
        with self._lock:
            if device not in self._open:
                self._open[device] = (AudioIn(device, on_fault=on_fault), [])
            self._input, parts = self._open[device]
            parts.append(self)
        self.channels, self.sample_rate = self._input.channels, self._input.sample_rate

    def reader(self, name: str) -> None:
        """Keep blocks for `read(name)` from now on."""
        self._input.reader(f"{name} {id(self)}")

    def read(self, name: str) -> list[Block]:
        """The blocks that came since the last call, oldest first."""
        return self._input.read(f"{name} {id(self)}")

    def close(self) -> None:
        """Give up this part."""
        with self._lock:
            parts = self._open.get(self.device, (self._input, []))[1]
            if self not in parts:
                return
            parts.remove(self)
            if not parts:
                del self._open[self.device]
                self._input.close()


def _sounddevice() -> Any:
    try:
        import sounddevice
    except ImportError as error:
        raise KfxError(f"audio input: sounddevice is missing ({error}); {INSTALL}") from None
    except OSError as error:
        raise KfxError(f"audio input: {error}; {NO_PORTAUDIO}") from None
    return sounddevice
