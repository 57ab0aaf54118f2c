"""The GL context: opening it, drawing over a box, and a pool of textures."""

from __future__ import annotations

import ctypes
import ctypes.util
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any

import moderngl
import numpy as np

from kfx.errors import KfxError
from kfx.types import Pixels

Box = tuple[int, int, int, int]
"""x, y, width, height in pixels, bottom left origin."""

# The position comes as a varying: dividing gl_FragCoord in every pixel costs llvmpipe a third more.
_VERTEX = """
out vec2 isf_FragNormCoord;
void main() {
    vec2 corner = vec2((gl_VertexID << 1) & 2, gl_VertexID & 2);
    isf_FragNormCoord = corner;
    gl_Position = vec4(corner * 2.0 - 1.0, 0.0, 1.0);
}
"""


class Gpu:
    """Owns the context. Everything here belongs to the thread that made it."""

    def __init__(self, *, glsl: int | None = None) -> None:
        """`glsl` forces a version, such as 330, in place of the newest one the context has."""
        self.ctx = _create_context()
        self.compiled = 0  # programs so far: a picture that had one compiled took longer
        self.renderer: str = self.ctx.info["GL_RENDERER"]
        self.version = f"{self.ctx.version_code // 100}.{self.ctx.version_code // 10 % 10}"
        best = next((v for v in (450, 410) if self.ctx.version_code >= v), 330)
        self.glsl = f"#version {glsl or best} core\n"
        self.largest: int = self.ctx.info["GL_MAX_TEXTURE_SIZE"]
        words = ("llvmpipe", "softpipe", "swiftshader", "swrast", "software")
        self.software = any(word in self.renderer.lower() for word in words)
        self.nearest = self.ctx.sampler(
            filter=(moderngl.NEAREST, moderngl.NEAREST), repeat_x=False, repeat_y=False
        )
        self.linear = self.ctx.sampler(
            filter=(moderngl.LINEAR, moderngl.LINEAR), repeat_x=False, repeat_y=False
        )
        self.nearest_repeat = self.ctx.sampler(filter=(moderngl.NEAREST, moderngl.NEAREST))
        self.linear_repeat = self.ctx.sampler(filter=(moderngl.LINEAR, moderngl.LINEAR))
        self._free: dict[tuple[tuple[int, int], int, str], list[moderngl.Texture]] = {}
        self._framebuffers: dict[tuple[int, ...], moderngl.Framebuffer] = {}
        self._finish = _gl_function("glFinish")
        # It returns at once: whoever took the GIL meanwhile would only keep it too long.
        self._flush = _gl_function("glFlush", keep_gil=True)

    def __enter__(self) -> Gpu:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: object, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Release the context and all that lives in it."""
        self.ctx.release()

    def program(self, fragment: str, *, vertex: str | None = None) -> moderngl.Program:
        """Compile and link; `fragment` has no ``#version`` line."""
        self.compiled += 1
        return self.ctx.program(
            vertex_shader=self.glsl + (vertex or _VERTEX), fragment_shader=self.glsl + fragment
        )

    def acquire(
        self, size: tuple[int, int], *, components: int = 4, dtype: str = "f1"
    ) -> moderngl.Texture:
        """A texture from the pool, contents undefined: f1 = 8 bit, f2 = half, f4 = float."""
        key = (size, components, dtype)
        if self._free.get(key):
            return self._free[key].pop()
        texture = self.ctx.texture(size, components, dtype=dtype)
        texture.extra = key
        return texture

    def release(self, texture: moderngl.Texture) -> None:
        """Give a texture back to the pool."""
        self._free.setdefault(texture.extra, []).append(texture)

    def discard(self, texture: moderngl.Texture) -> None:
        """Destroy a texture whose size won't come back, with the framebuffers that hold it."""
        for key in [key for key in self._framebuffers if texture.glo in key]:
            self._framebuffers.pop(key).release()
        texture.release()

    def target(self, *textures: moderngl.Texture) -> moderngl.Framebuffer:
        """The framebuffer that draws into `textures`."""
        key = tuple(t.glo for t in textures)
        if key not in self._framebuffers:
            self._framebuffers[key] = self.ctx.framebuffer(list(textures))
        return self._framebuffers[key]

    def copy(
        self, source: moderngl.Texture, destination: moderngl.Texture, box: Box | None = None
    ) -> None:
        """Copy a whole texture, or a box of it, to another one of its size.

        llvmpipe waits for what is being drawn and copies in this thread (0.3 ms at 720p).
        """
        target = self.target(destination)
        if box is not None:
            target.use()
            target.scissor = box
        self.ctx.copy_framebuffer(target, self.target(source))
        if box is not None:
            target.scissor = None

    @contextmanager
    def undone(
        self,
        canvas: moderngl.Texture,
        spare: moderngl.Texture,
        boxes: Iterable[Box] | None = None,
    ) -> Iterator[None]:
        """Copies `canvas` to `spare`, to be read while it is drawn over, and back if that fails.

        Of `boxes` nothing else is copied.
        """
        parts: list[Box | None] = [None] if boxes is None else [*boxes]
        for box in parts:
            self.copy(canvas, spare, box)
        try:
            yield
        except BaseException:
            for box in parts:
                self.copy(spare, canvas, box)
            raise

    def fill(
        self,
        array: moderngl.VertexArray,
        framebuffer: moderngl.Framebuffer,
        box: Box | None = None,
        *,
        viewport: Box | None = None,
        quad: bool = False,
        triangles: int = 1,
    ) -> None:
        """Run a program over the whole target, or its `viewport`, or only over one box of it.

        `quad` draws the four corners of a strip instead of one triangle that covers all, or as
        many as a vertex shader makes of it.
        """
        framebuffer.use()
        framebuffer.viewport = viewport or (0, 0, *framebuffer.size)
        framebuffer.scissor = box
        if quad:
            array.render(moderngl.TRIANGLE_STRIP, vertices=4)
        else:
            array.render(moderngl.TRIANGLES, vertices=3 * triangles)
        framebuffer.scissor = None

    def upload(self, texture: moderngl.Texture, pixels: Pixels, staging: Pixels) -> None:
        """Write a picture, turned over through `staging`, an array of its shape."""
        import cv2  # turns rows over in half the time NumPy takes

        cv2.flip(pixels, 0, dst=staging)
        texture.write(staging)

    def finish(self) -> None:
        """Wait for the drawing, letting other Python threads run meanwhile.

        moderngl keeps the GIL while llvmpipe draws; a call through ctypes doesn't.
        """
        if self._finish is not None:
            self._finish()

    def flush(self) -> None:
        """Let drawing begin that llvmpipe would otherwise put off until the target changes."""
        if self._flush is not None:
            self._flush()


class PixelPool:
    """Pictures that are used again once nobody holds them: fresh memory costs page faults."""

    def __init__(self, size: tuple[int, int]) -> None:
        self._shape = (size[1], size[0], 4)
        self._arrays: list[Pixels] = []

    def take(self) -> Pixels:
        """An array (h, w, 4) uint8 that no one else refers to, contents undefined."""
        for i in range(len(self._arrays)):
            if sys.getrefcount(self._arrays[i]) == 2:  # the list's and the argument's
                return self._arrays[i]
        array: Pixels = np.empty(self._shape, np.uint8)
        self._arrays.append(array)
        return array


def _create_context() -> moderngl.Context:
    wishes: list[dict[str, Any]] = [{}]
    if sys.platform.startswith("linux"):
        wishes = [
            {"backend": "egl"},
            {"backend": "egl", "libgl": "libGL.so.1", "libegl": "libEGL.so.1"},
            {},
        ]
    errors = []
    for wish in wishes:
        try:
            return moderngl.create_context(standalone=True, require=330, **wish)
        except Exception as error:  # moderngl raises bare Exceptions
            errors.append(str(error).strip().splitlines()[0] if str(error).strip() else repr(error))
    remedy = (
        "sudo apt install libegl1 libgl1-mesa-dri libgl1"
        if sys.platform.startswith("linux")
        else "update the graphics driver"
    )
    raise KfxError(f"OpenGL 3.3: no context ({'; '.join(dict.fromkeys(errors))}); {remedy}")


def _gl_function(name: str, *, keep_gil: bool = False) -> Any:
    if not sys.platform.startswith("linux"):
        return None
    try:
        library = ctypes.PyDLL if keep_gil else ctypes.CDLL
        function = getattr(library("libGL.so.1"), name)
    except (OSError, AttributeError):
        return None
    function.restype, function.argtypes = None, []
    return function
