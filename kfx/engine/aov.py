"""AOVs of a render: the images, read back and handed to their files."""

from __future__ import annotations

from contextlib import ExitStack
from types import TracebackType

import numpy as np
import numpy.typing as npt

from kfx.engine.aov_names import AOVS
from kfx.engine.look.chain import Chain
from kfx.engine.look.look import Look
from kfx.render.gpu import Gpu
from kfx.sinks.aov import AovSequence
from kfx.types import StreamInfo, Tick

_STORED = {"f1": (np.uint8, 255.0), "f2": (np.float16, 1.0), "f4": (np.float32, 1.0)}
"""How a texture of each kind is stored, and what is 1."""


class Aovs:
    """``with Aovs(…) as aovs: aovs.write(chain, tick)`` after each picture.

    Opening refuses files that exist. Leaving by an exception removes what was written.
    """

    def __init__(
        self, gpu: Gpu, names: tuple[str, ...], out: str, stream: StreamInfo, form: str = "png"
    ) -> None:
        self._gpu = gpu
        self._stack = ExitStack()
        self._sequences: dict[str, AovSequence] = {}
        try:
            for name in names:
                sequence = AovSequence(name, out, stream, suffix=f".{form}")
                self._sequences[name] = self._stack.enter_context(sequence)
        except BaseException as error:
            self._stack.__exit__(type(error), error, None)
            raise

    def __enter__(self) -> Aovs:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.__exit__(kind, value, trace)

    def write(self, chain: Chain | Look, tick: Tick) -> None:
        """Hand over what `chain` has drawn for `tick`. Raises `KfxError`."""
        for name, sequence in self._sequences.items():
            sequence.put(tick.index, self._read(chain, AOVS[name]))

    def _read(self, chain: Chain | Look, name: str) -> npt.NDArray[np.float32]:
        texture = chain.image(name)
        width, height = texture.size
        dtype = texture.dtype  # read as anything less, it would be clipped to 0..1 in 256 steps
        data = self._gpu.target(texture).read(components=texture.components, dtype=dtype)
        stored, white = _STORED[dtype]
        values = np.frombuffer(data, stored).astype(np.float32) / np.float32(white)
        shape = (height, width, 4) if texture.components == 4 else (height, width)
        return np.asarray(values.reshape(shape)[::-1], np.float32)
