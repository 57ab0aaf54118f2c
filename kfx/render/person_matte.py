"""The person matte of the whole frame: a small matte, brought up with the picture's own edges.

The way up is He's guided filter: around each point of the small picture a line fits matte against
colour, and that line, evaluated with the colours of the full picture, gives strands of hair that
the small matte never saw. It is drawn for what is shown (after the warp). Only tiles with an edge
in them are evaluated; the rest is filled. Source: He, Sun: Fast Guided Filter, arXiv:1505.00996.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import cv2
import moderngl
import numpy as np

from kfx import canonical as c
from kfx.render import facemesh
from kfx.render.gpu import Gpu
from kfx.types import Face, Matte

RADIUS = 3  # of the window, in pixels of the small matte
EPSILON = 1e-3  # how little contrast (squared, of 1) still counts as an edge
TILES = (32, 18)  # the frame is drawn in so many tiles
CONTRAST = 1.5  # the fitted edge is this much crisper
OVAL_SHARE = 0.94  # of the face's oval is person whatever the net says

_GUIDE = """
in vec2 at;
uniform sampler2D picture;
uniform sampler2D matte;
uniform vec2 texel;  // of the small picture, in the whole
out vec4 guide;
void main() {
    vec3 sum = vec3(0.0);
    for (int y = 0; y < 2; y++)
        for (int x = 0; x < 2; x++)
            sum += texture(picture, at + (vec2(x, y) - 0.5) * 0.5 * texel).rgb;
    guide = vec4(sum * 0.25, texture(matte, at).r);
}
"""
_ROWS = """
uniform sampler2D guide;
layout(location = 0) out vec4 first;   // mean rgb, mean matte
layout(location = 1) out vec4 squares; // of r g b; lowest matte
layout(location = 2) out vec4 mixed;   // rg gb br; highest matte
layout(location = 3) out vec4 shared_; // rgb times matte
void main() {
    ivec2 p = ivec2(gl_FragCoord.xy);
    int last = textureSize(guide, 0).x - 1;
    first = squares = mixed = shared_ = vec4(0.0);
    vec2 range = vec2(1.0, 0.0);
    for (int i = -RADIUS; i <= RADIUS; i++) {
        vec4 g = texelFetch(guide, ivec2(clamp(p.x + i, 0, last), p.y), 0);
        first += g;
        squares.rgb += g.rgb * g.rgb;
        mixed.rgb += g.rgb * g.gbr;
        shared_.rgb += g.rgb * g.a;
        if (abs(i) < RADIUS) range = vec2(min(range.x, g.a), max(range.y, g.a));
    }
    squares.a = range.x;
    mixed.a = range.y;
}
"""
_SOLVE = """
uniform sampler2D first; uniform sampler2D squares; uniform sampler2D mixed;
uniform sampler2D shared_;
layout(location = 0) out vec4 line;   // matte = dot(line.rgb, colour) + line.a
layout(location = 1) out vec4 range;  // lowest and highest matte around
void main() {
    ivec2 p = ivec2(gl_FragCoord.xy);
    int last = textureSize(first, 0).y - 1;
    vec4 m = vec4(0.0); vec3 s = vec3(0.0), x = vec3(0.0), t = vec3(0.0);
    vec2 around = vec2(1.0, 0.0);
    for (int i = -RADIUS; i <= RADIUS; i++) {
        ivec2 q = ivec2(p.x, clamp(p.y + i, 0, last));
        vec4 a = texelFetch(squares, q, 0), b = texelFetch(mixed, q, 0);
        m += texelFetch(first, q, 0);
        s += a.rgb; x += b.rgb; t += texelFetch(shared_, q, 0).rgb;
        if (abs(i) < RADIUS) around = vec2(min(around.x, a.a), max(around.y, b.a));
    }
    float n = 1.0 / float((2 * RADIUS + 1) * (2 * RADIUS + 1));
    m *= n;
    s = s * n - m.rgb * m.rgb + EPSILON;
    x = x * n - m.rgb * m.gbr;
    t = t * n - m.rgb * m.a;
    // The covariance of colour is symmetric: s on its diagonal, x = (rg, gb, br) beside it.
    vec3 d = s.gbr * s.brg - x.gbr * x.gbr;
    vec3 e = x.brg * x.gbr - x * s.brg;
    float whole = s.r * d.r + x.r * e.r + x.b * e.b;
    vec3 a = (d * t + e * t.gbr + e.brg * t.brg) / max(whole, 1e-9);
    line = vec4(a, m.a - dot(a, m.rgb));
    range = vec4(around, 0.0, 1.0);
}
"""
_MEAN = """
uniform sampler2D line;
uniform ivec2 along;
out vec4 mean;
void main() {
    ivec2 p = ivec2(gl_FragCoord.xy), last = textureSize(line, 0) - 1;
    mean = vec4(0.0);
    for (int i = -RADIUS; i <= RADIUS; i++)
        mean += texelFetch(line, clamp(p + i * along, ivec2(0), last), 0);
    mean /= float(2 * RADIUS + 1);
}
"""
_VERTEX = """
in vec3 corner;  // of a tile: x, y, 0..1, and its one value if it has one
out vec2 at;
flat out float plain;
void main() {
    at = corner.xy;
    plain = corner.z;
    gl_Position = vec4(at * 2.0 - 1.0, 0.0, 1.0);
}
"""
_FINAL = """
in vec2 at;
uniform sampler2D picture;
uniform sampler2D line;
uniform sampler2D range;
out float value;
void main() {
    vec4 fit = texture(line, at);
    vec2 around = texture(range, at).rg;
    vec3 colour = texelFetch(picture, ivec2(gl_FragCoord.xy), 0).rgb;
    float fitted = (dot(fit.rgb, colour) + fit.a - 0.5) * CONTRAST + 0.5;
    value = clamp(fitted, around.x, around.y);
}
"""


# llvmpipe runs both sides of a branch, so plain tiles have a program of their own.
_PLAIN = """
in vec2 at;
flat in float plain;
out float value;
void main() { value = plain; }
"""


class PersonMatte:
    """Draws the matte of a tick into `image`, whose r, g, b and a all read as the matte."""

    def __init__(self, gpu: Gpu, size: tuple[int, int]) -> None:
        self._gpu = gpu
        self._size = size
        self._small_size: tuple[int, int] | None = None
        self._small: dict[str, moderngl.Texture] = {}
        self.image = gpu.ctx.texture(size, 1, dtype="f1")
        self.image.swizzle = "RRRR"
        self._filled = np.full(TILES[::-1], -2.0, np.float32)  # what plain tiles of it were drawn
        head = f"#define RADIUS {RADIUS}\n#define EPSILON {EPSILON}\n#define CONTRAST {CONTRAST}\n"
        self._programs = {
            name: gpu.program(head + text, vertex=_VERTEX)
            for name, text in (
                ("guide", _GUIDE),
                ("rows", _ROWS),
                ("solve", _SOLVE),
                ("mean", _MEAN),
                ("final", _FINAL),
                ("plain", _PLAIN),
            )
        }
        self._tiles = gpu.ctx.buffer(reserve=3 * TILES[0] * TILES[1] * 6 * 12)
        self._arrays = {
            name: gpu.ctx.vertex_array(program, [(self._tiles, "3f", "corner")])
            for name, program in self._programs.items()
        }

    def release(self) -> None:
        for texture in self._small.values():
            self._gpu.release(texture)
        self._small.clear()
        self._gpu.discard(self.image)
        for thing in (*self._arrays.values(), *self._programs.values(), self._tiles):
            thing.release()

    def draw(
        self, matte: Matte | None, faces: Iterable[Face], picture: moderngl.Texture
    ) -> moderngl.Texture:
        """Bring `matte` up to the size of `picture`, the plate as it is shown.

        `faces` are person whatever the matte says; without a matte they are all there is.
        """
        if matte is None:
            matte = np.zeros((144, 256), np.uint8)
        small = _with_faces(matte, faces, self._size)
        self._make_targets((small.shape[1], small.shape[0]))
        t = self._small
        t["matte"].write(small)
        plain = _plain_tiles(small)
        # Averaging a tile's lines needs those of its neighbours.
        near = cv2.dilate((plain < 0).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
        same = (plain < 0) | (plain == self._filled)  # the image still has it
        self._filled = plain
        groups = [_runs(np.where(same, np.float32(np.nan), plain))]
        groups += [
            _runs(np.where(mask, np.float32(-1), np.float32(np.nan))) for mask in (plain < 0, near)
        ]
        if any(map(len, groups)):
            self._tiles.write(np.concatenate(groups))
        filled, mixed, fitted = (6 * len(group) for group in groups)
        target = self._gpu.target(self.image)
        if mixed:
            self._fit(picture, filled + mixed, fitted)
            images = {"picture": picture, "line": t["line"], "range": t["range"]}
            self._pass("final", target, images, filled, mixed)
        if filled:
            self._pass("plain", target, {}, 0, filled)
        return self.image

    def _make_targets(self, size: tuple[int, int]) -> None:
        if size == self._small_size:
            return
        for texture in self._small.values():
            self._gpu.release(texture)
        names = "guide first squares mixed shared_ line mean".split()
        self._small = {name: self._gpu.acquire(size, dtype="f4") for name in names}
        self._small["range"] = self._gpu.acquire(size)
        self._small["matte"] = self._gpu.acquire(size, components=1)
        self._small_size = size

    def _fit(self, picture: moderngl.Texture, first: int, count: int) -> None:
        """The line from colour to matte around each point of the small picture."""
        width, height = self._small["guide"].size
        self._programs["guide"]["texel"].value = (1.0 / width, 1.0 / height)
        for name, along, reads, writes in _FIT:
            images = {key: picture if key == "picture" else self._small[of] for key, of in reads}
            if along:
                self._programs[name]["along"].value = along
            target = self._gpu.target(*(self._small[key] for key in writes))
            self._pass(name, target, images, first, count)

    def _pass(
        self,
        name: str,
        target: moderngl.Framebuffer,
        images: dict[str, moderngl.Texture],
        first: int,
        count: int,
    ) -> None:
        program = self._programs[name]
        smooth = ("line", "range") if name == "final" else ("picture",)
        for unit, (key, texture) in enumerate(images.items()):
            program[key].value = unit
            texture.use(unit)
            (self._gpu.linear if key in smooth else self._gpu.nearest).use(unit)
        target.use()
        target.viewport = (0, 0, *target.size)
        self._arrays[name].render(moderngl.TRIANGLES, vertices=count, first=first)


_SUMS = ("first", "squares", "mixed", "shared_")
_FIT: tuple[tuple[str, Any, tuple[tuple[str, str], ...], tuple[str, ...]], ...] = (
    # program, direction, what it reads (sampler, texture), what it writes
    ("guide", None, (("picture", ""), ("matte", "matte")), ("guide",)),
    ("rows", None, (("guide", "guide"),), _SUMS),
    ("solve", None, tuple((name, name) for name in _SUMS), ("line", "range")),
    ("mean", (1, 0), (("line", "line"),), ("mean",)),
    ("mean", (0, 1), (("line", "mean"),), ("line",)),
)


def _with_faces(matte: Matte, faces: Iterable[Face], size: tuple[int, int]) -> Matte:
    """The matte, bottom row first, with the ovals of all faces filled in."""
    height, width = matte.shape
    out = np.array(matte[::-1])
    for face in faces:
        oval = face.landmarks[list(c.OVAL), :2]
        oval = oval.mean(axis=0) + OVAL_SHARE * (oval - oval.mean(axis=0))
        points = oval * (width / size[0], height / size[1])
        points[:, 1] = height - points[:, 1]
        if not np.isfinite(points).all() or np.abs(points).max() > 1e5:
            continue
        layer = np.zeros_like(out)
        fixed = np.round((points - 0.5) * 16).astype(np.int32)
        cv2.fillPoly(layer, [fixed], round(255 * face.presence), cv2.LINE_AA, 4)
        np.maximum(out, layer, out=out)
    return out


def _plain_tiles(small: Matte) -> facemesh.Array:
    """(rows, columns): the value of each tile that has one as far as windows see, or -1."""
    # Twice the radius of the window: lines are fitted in one and averaged over another.
    reach = np.ones((4 * RADIUS + 3, 4 * RADIUS + 3), np.uint8)
    low, high = cv2.erode(small, reach), cv2.dilate(small, reach)
    height, width = small.shape
    x = np.arange(TILES[0]) * width // TILES[0]
    y = np.arange(TILES[1]) * height // TILES[1]
    low = np.minimum.reduceat(np.minimum.reduceat(low, y, axis=0), x, axis=1)
    high = np.maximum.reduceat(np.maximum.reduceat(high, y, axis=0), x, axis=1)
    plain = np.full(low.shape, -1.0, np.float32)
    plain[high <= 2] = 0.0
    plain[low >= 253] = 1.0
    return plain


def _runs(values: facemesh.Array) -> facemesh.Array:
    """(n, 6, 3): two triangles x, y (0..1), value for each run of equal tiles in a row, bottom
    row first; tiles of no number are left out. llvmpipe counts triangles more than pixels."""
    rows, columns = values.shape
    ends = np.ones((rows, columns + 1), bool)
    ends[:, 1:-1] = (values[:, 1:] != values[:, :-1]) & ~(
        np.isnan(values[:, 1:]) & np.isnan(values[:, :-1])
    )
    y, x = np.nonzero(ends)
    same = y[1:] == y[:-1]
    y, left, right = y[:-1][same], x[:-1][same], x[1:][same]
    value = values[y, left]
    kept = ~np.isnan(value)
    y, left, right, value = y[kept], left[kept], right[kept], value[kept]
    out = np.empty((len(y), 6, 3), np.float32)
    out[:, :, 0] = np.where(_RIGHT, right[:, None], left[:, None]) / columns
    out[:, :, 1] = (y[:, None] + _UPPER) / rows
    out[:, :, 2] = value[:, None]
    return out


_RIGHT = np.array([False, True, True, False, True, False])
_UPPER = np.array([0, 0, 1, 0, 1, 1])
