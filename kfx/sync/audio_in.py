"""Sound from a device, as blocks that carry the time at which they were heard."""

from __future__ import annotations

import threading
from collections import deque
from typing import Any, ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt

from kfx import clock
from kfx.errors import KfxError

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
    """

    def __init__(self, device: str = "", *, sample_rate: int | None = None) -> None:
        sounddevice = _sounddevice()
        self.device = device
        self.lost = 0
        self._queues: dict[str, deque[Block]] = {}
        spec: Any = int(device) if device.isdigit() else device or None
        try:
            info = sounddevice.query_devices(spec, "input")
            self.channels = int(info["max_input_channels"])
            self.sample_rate = int(sample_rate or info["default_samplerate"])
            if self.channels < 1:
                raise ValueError("it has no inputs")
            self._stream = sounddevice.InputStream(
                device=spec,
                channels=min(self.channels, 64),
                samplerate=self.sample_rate,
                dtype="float32",
                latency="low",
                callback=self._take,
            )
            self._stream.start()
        except (sounddevice.PortAudioError, ValueError) as error:
            said = " ".join(str(error).split())[:160]
            raise KfxError(
                f"audio input {device or '(default)'}: can't be opened ({said}); "
                "`kfx list devices` names the inputs"
            ) from None

    def reader(self, name: str) -> None:
        """Keep blocks for `read(name)` from now on."""
        self._queues = {**self._queues, name: deque()}  # the device's thread goes through them

    def read(self, name: str) -> list[Block]:
        """The blocks that came since the last call, oldest first."""
        queue = self._queues[name]
        return [queue.popleft() for _ in range(len(queue))]

    def close(self) -> None:
        self._stream.close()

    def _take(self, data: Any, frames: int, times: Any, status: Any) -> None:
        now = clock.now()
        age = times.currentTime - times.inputBufferAdcTime
        if not 0.0 < age < 1.0:  # some host APIs tell nothing
            age = frames / self.sample_rate
        self.lost += bool(status.input_overflow)
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

    def __init__(self, device: str = "") -> None:
        self.device = device
        with self._lock:
            if device not in self._open:
                self._open[device] = (AudioIn(device), [])
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
