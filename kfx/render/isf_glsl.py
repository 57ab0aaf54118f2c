"""Assembles the GLSL that is compiled for one pass of an ISF shader.

What is declared for the author: the automatic uniforms, one uniform per input, a sampler for
every image, the IMG_* functions in all their spellings, and what GLSL 1.20 and ES called things.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from kfx.errors import KfxError
from kfx.render import isf_builtins, isf_constants, isf_tidy
from kfx.render.isf_faults import OURS
from kfx.render.isf_inputs import AUTOMATIC
from kfx.render.isf_own_glsl import BUS_HISTORY, BUS_PAST, BUSES, HISTORY
from kfx.render.isf_reads import MOVES, own_pixel_pattern, size_pattern

if TYPE_CHECKING:
    from kfx.render.isf import Shader

HERE = "kfx_here_"  # a second sampler of each image, for what is read at the pixel being drawn
FETCH = "GL_EXT_shader_framebuffer_fetch"
_PLATE = "kfx_plate"  # what a shader that draws in place finds at its pixel
# A uniform that stays 0. Mesa drops what a shader writes where it sees that this is what it found,
# all of it, and llvmpipe then fills the pixel with anything. Adding it to alpha alone is enough: to
# all four it costs a millisecond of CPU at 720p.
_NOTHING = "kfx_nothing"

_UNIFORMS = """
uniform vec2 RENDERSIZE;
uniform float TIME;
uniform float TIMEDELTA;
uniform int FRAMEINDEX;
uniform vec4 DATE;
uniform float kfx_seed;
"""
# Functions, for their third argument may be missing; a local variable called `texture` is
# common, so nothing here is a macro of that word. {bias} only exists in fragment shaders.
_FUNCTIONS = """
vec2 IMG_SIZE(sampler2D s) { return vec2(textureSize(s, 0)); }
vec4 IMG_NORM_PIXEL(sampler2D s, vec2 p) { return texture(s, p); }
vec4 IMG_NORM_PIXEL(sampler2D s, vec2 p, float bias) { return texture%(lod)s(s, p, bias); }
vec4 IMG_NORM_PIXEL(samplerCube s, vec3 p) { return texture(s, p); }
vec4 IMG_PIXEL(sampler2D s, vec2 p) { return texture(s, p / vec2(textureSize(s, 0))); }
vec4 IMG_PIXEL(sampler2D s, vec2 p, float bias) {
    return texture%(lod)s(s, p / vec2(textureSize(s, 0)), bias);
}
vec4 kfx_proj(sampler2D s, vec3 p) { return texture(s, p.xy / p.z); }
vec4 kfx_proj(sampler2D s, vec4 p) { return texture(s, p.xy / p.w); }
vec4 kfx_proj(sampler2D s, vec3 p, float bias) { return texture%(lod)s(s, p.xy / p.z, bias); }
vec4 kfx_proj(sampler2D s, vec4 p, float bias) { return texture%(lod)s(s, p.xy / p.w, bias); }
vec4 kfx_cube(samplerCube s, vec3 p) { return texture(s, p); }
vec4 kfx_cube(samplerCube s, vec3 p, float bias) { return texture%(lod)s(s, p, bias); }
vec4 kfx_lod(sampler2D s, vec2 p, float lod) { return textureLod(s, p, lod); }
vec4 kfx_lod(samplerCube s, vec3 p, float lod) { return textureLod(s, p, lod); }
vec4 kfx_grad(sampler2D s, vec2 p, vec2 dx, vec2 dy) { return textureGrad(s, p, dx, dy); }
"""
_MACROS = {
    "IMG_THIS_PIXEL(s)": "IMG_NORM_PIXEL(s, isf_FragNormCoord)",
    "IMG_THIS_NORM_PIXEL(s)": "IMG_NORM_PIXEL(s, isf_FragNormCoord)",
    "IMG_NORM_THIS_PIXEL(s)": "IMG_NORM_PIXEL(s, isf_FragNormCoord)",
    "MM_SHADER_NORM_PIXEL": "IMG_NORM_PIXEL",  # MadMapper's words
    "MM_SHADER_THIS_NORM_PIXEL(s)": "IMG_NORM_PIXEL(s, isf_FragNormCoord)",
    "vv_FragNormCoord": "isf_FragNormCoord",
    "sampler2DRect": "sampler2D",
    "texture2D": "IMG_NORM_PIXEL",
    "texture2DRect": "IMG_PIXEL",
    "texture2DProj": "kfx_proj",
    "texture2DLod": "kfx_lod",
    "texture2DLodEXT": "kfx_lod",
    "texture2DGradEXT": "kfx_grad",
    "texture2DGradARB": "kfx_grad",
    "textureCube": "kfx_cube",
    "textureCubeLod": "kfx_lod",
    "textureCubeLodEXT": "kfx_lod",
}
_TEXCOORD = "vec4 kfx_texcoord[8];"  # GLSL 1.20's way from vertex to fragment
_FRAGMENT_MACROS = {
    **_MACROS,
    "gl_TexCoord": "kfx_texcoord",
    "gl_FragColor": "isf_FragColor",
    "gl_FragData": "kfx_data",  # an array of one: gl_FragData[0]
    "varying": "in",
}
_VERTEX_MACROS = {
    **_MACROS,
    "gl_TexCoord": "kfx_texcoord",
    "vv_vertShaderInit": "isf_vertShaderInit",
    "ftransform()": "kfx_corner()",  # what GLSL 1.20 knew of the quad
    "gl_Vertex": "kfx_corner()",
    "gl_MultiTexCoord0": "(kfx_corner() * 0.5 + 0.5)",
    "gl_ModelViewProjectionMatrix": "mat4(1.0)",
    "varying": "out",
    "attribute": "in",
}
_TRIANGLE = "(gl_VertexID << 1) & 2, gl_VertexID & 2"
_CORNERS = """
out vec2 isf_FragNormCoord;
vec4 kfx_corner() { return vec4(vec2(%s) * 2.0 - 1.0, 0.0, 1.0); }
void isf_vertShaderInit() {
    gl_Position = kfx_corner();
    isf_FragNormCoord = gl_Position.xy * 0.5 + 0.5;
}
"""
# What can be drawn as one rectangle is, for at edges llvmpipe draws some pixels twice: the lower
# left tile of equal runs, one above the other, is two triangles over all of them, any other tile
# lies outside of everything.
_TILES = """
uniform sampler2D kfx_where;
out vec2 isf_FragNormCoord;
bool kfx_drawn(ivec2 at) { return texelFetch(kfx_where, at, 0).%s > 0.0; }
bool kfx_starts(ivec2 at) { return kfx_drawn(at) && (at.x == 0 || !kfx_drawn(at - ivec2(1, 0))); }
int kfx_end(ivec2 at, int many) {
    for (at.x++; at.x < many && kfx_drawn(at);) at.x++;
    return at.x;
}
void isf_vertShaderInit() {
    ivec2 many = textureSize(kfx_where, 0);
    int tile = gl_VertexID / 6, corner = gl_VertexID %% 6;
    ivec2 low = ivec2(tile %% many.x, tile / many.x), high = low + 1, below = low - ivec2(0, 1);
    bool starts = kfx_starts(low);
    if (starts) {
        high.x = kfx_end(low, many.x);
        starts = low.y == 0 || !kfx_starts(below) || kfx_end(below, many.x) != high.x;
    }
    if (starts)
        for (ivec2 up = ivec2(low.x, high.y); up.y < many.y; up.y++) {
            if (!kfx_starts(up) || kfx_end(up, many.x) != high.x) break;
            high.y++;
        }
    corner = corner < 3 ? corner : 6 - corner;
    ivec2 at = ivec2((corner & 1) == 1 ? high.x : low.x, corner > 1 ? high.y : low.y);
    isf_FragNormCoord = vec2(at) / vec2(many);
    gl_Position = starts ? vec4(isf_FragNormCoord * 2.0 - 1.0, 0.0, 1.0) : vec4(2.0, 2.0, 2.0, 1.0);
}
"""
# What a shader's picture becomes on the canvas: a generator lies over it, the others replace it.
_REPLACE = "vec4 kfx_blend(vec4 below, vec4 top) { return mix(below, top, kfx_mix); }\n"
_OVER = """
uniform bool kfx_opaque;
vec4 kfx_blend(vec4 below, vec4 top) {
    float a = kfx_opaque ? kfx_mix : clamp(top.a, 0.0, 1.0) * kfx_mix;
    float alpha = a + below.a * (1.0 - a);
    vec3 colour = mix(below.rgb * below.a, top.rgb, a) / max(alpha, 1e-6);
    return vec4(below.a == 1.0 ? mix(below.rgb, top.rgb, a) : colour, alpha);
}
"""
# A number that is none would stay in a buffer that remembers, and spread, for the whole show.
_HEALED = (
    "    if (any(isnan(isf_FragColor)) || any(isinf(isf_FragColor))) isf_FragColor = vec4(0.0);"
)
_MAIN = re.compile(r"\bvoid\s+main\s*\(\s*(?:void)?\s*\)")
_COORD = re.compile(r"\bgl_FragCoord\b")
_NO_BUTTON = {"zw": "vec2(0.0)", "z": "0.0", "w": "0.0"}
_BUTTON = re.compile(r"\biMouse\s*\.\s*(zw|z|w)\b")  # Shadertoy's mouse has buttons too


def stages(
    shader: Shader, index: int, *, blended: bool, in_place: bool = False, whole: bool = False
) -> tuple[str, str | None]:
    """The fragment shader of a pass, and its vertex shader where that isn't the usual one.

    With `blended` it draws onto the canvas by `kfx_mix`; `in_place`, what it reads there at its
    own pixel is what it draws over, for which the driver needs `FETCH`. `whole` says that the
    picture it reads is as large as what it draws.
    """
    body, extensions = _tidied(
        shader, shader.body, shader.path, shader.first_line, _FRAGMENT_MACROS, "isf_FragColor"
    )
    body = _named_main(shader, body)
    if shader.types.get("iMouse") == "vec2":
        body = _BUTTON.sub(lambda found: _NO_BUTTON[found[1]], body)
    moves = MOVES.search(body) is not None
    if moves:
        body = _COORD.sub("kfx_coord", body)
    here = [name for name in map(isf_tidy.name, shader.samplers) if name not in shader.cubes]
    below = below_of(shader)
    if whole and blended:
        body = size_pattern(below).sub(_as_large, body)
    for name in here:
        if in_place and name == below:
            body = own_pixel_pattern(name).sub(_PLATE, body)
        body = own_pixel_pattern(name).sub(f"IMG_NORM_PIXEL({HERE}{name}, isf_FragNormCoord)", body)
    body, shared = isf_constants.hoist(body, isf_tidy.blank(body), here)
    extended = [f"#extension {one} : enable" for one in extensions]
    output = "out vec4 isf_FragColor;"
    if in_place:
        extended.insert(0, f"#extension {FETCH} : require")
        output = f"layout(location = 0) inout vec4 isf_FragColor;\nvec4 {_PLATE};"
        output += f"\nuniform float {_NOTHING};"
    head = [
        output,
        "in vec2 isf_FragNormCoord;",
        _UNIFORMS,
        _mix(shader),
        _OVER if shader.kind == "generator" else _REPLACE,
        _FUNCTIONS % {"lod": ""},
        *_declarations(shader, index),
        *(f"flat in vec4 {name};" for name in shared),
        *(f"uniform sampler2D {HERE}{name};" for name in here),
        *(f"#define {name} {meaning}" for name, meaning in _FRAGMENT_MACROS.items()),
    ]
    if blended and below not in shader.images:
        head.insert(-len(_FRAGMENT_MACROS), f"uniform sampler2D {below};")
    texcoord, given = "gl_TexCoord" in body, "gl_TexCoord" in shader.vertex_text
    if texcoord:
        head.append(f"in {_TEXCOORD}" if given else _TEXCOORD)
    data = "gl_FragData" in body
    if data:
        head.append("vec4 kfx_data[1];")
    if moves:
        head.append("vec4 kfx_coord;")
    head.append(isf_builtins.beside(isf_tidy.blank(body)))
    tail = ["void main() {", *[f"    {_PLATE} = isf_FragColor;"] * in_place]
    tail += ["    isf_FragColor = vec4(0.0);"]
    tail += ["    kfx_coord = gl_FragCoord;"] * moves
    if texcoord and not given:
        tail.append(
            "    for (int i = 0; i < 8; i++) kfx_texcoord[i] = vec4(isf_FragNormCoord, 0, 1);"
        )
    tail.append("    kfx_main();")
    tail += ["    isf_FragColor = kfx_data[0];"] * data
    if blended:
        there = _PLATE
        if not in_place:
            name = HERE + below if below in here else below
            there = f"IMG_NORM_PIXEL({name}, isf_FragNormCoord)"
        tail.append(
            "    if (kfx_mix < 1.0 || KFX_OVER)\n"
            f"        isf_FragColor = kfx_blend({there}, isf_FragColor);"
        )
        tail += [f"    isf_FragColor.a += {_NOTHING};"] * in_place
        head.append(f"const bool KFX_OVER = {str(shader.kind == 'generator').lower()};")
    elif shader.passes[index].persistent and shader.passes[index].is_float:
        tail.append(_HEALED)
    ours = f"#line {OURS}\n"
    text = (
        "\n".join([*extended, ours, *head])
        + f"\n#line {shader.first_line}\n{body}\n{ours}"
        + "\n".join([*tail, "}\n"])
    )
    return text, _vertex(shader, index, shared)


def _as_large(size: re.Match[str]) -> str:
    """RENDERSIZE in place of a picture's size; a sampler that is only measured counts as read."""
    return "RENDERSIZE" if size[0].startswith("IMG") else "ivec2(RENDERSIZE)"


def _named_main(shader: Shader, body: str) -> str:
    """The body with another name for its ``main``, which may have comments between its words."""
    found = list(_MAIN.finditer(isf_tidy.blank(body)))
    if not found:
        fault = "there is no void main(); is the file complete?"
        if "materialColorForPixel" in body or "fxColorForPixel" in body:
            fault = "a material or effect for MadMapper alone; an ISF file has a void main()"
        raise KfxError(f"{shader.path}: {fault}")
    for one in reversed(found):
        lines = "\n" * one[0].count("\n")
        body = f"{body[: one.start()]}void kfx_main(){lines}{body[one.end() :]}"
    return body


def _vertex(shader: Shader, index: int, shared: Mapping[str, str]) -> str | None:
    """The vertex shader of a pass, which works out what is `shared`; None for the usual one.

    The one that came with the file draws the four corners of a quad, any other one triangle.
    """
    where = shader.passes[index].where
    if shader.vertex is None and not (shared or where):
        return None
    body, extensions = "void main() { isf_vertShaderInit(); }", ()
    if shader.vertex is not None:
        body, extensions = _tidied(shader, shader.vertex_text, shader.vertex, 1, _VERTEX_MACROS, "")
    head = [
        *(f"#extension {one} : enable" for one in extensions),
        f"#line {OURS}",
        _UNIFORMS,
        _mix(shader),
        _TILES % where.partition(".")[2]
        if where
        else _CORNERS % ("gl_VertexID & 1, gl_VertexID >> 1" if shader.vertex else _TRIANGLE),
        _FUNCTIONS % {"lod": "Lod"},
        *_declarations(shader, index),
        *(f"flat out vec4 {name};" for name in shared),
        *[f"out {_TEXCOORD}"] * ("gl_TexCoord" in shader.vertex_text),
        *(f"#define {name} {meaning}" for name, meaning in _VERTEX_MACROS.items()),
    ]
    tail = []
    if shared:
        body = _named_main(shader, body)
        sums = [f"    {name} = {glsl};" for name, glsl in shared.items()]
        tail = [f"#line {OURS}", "void main() {", "    kfx_main();", *sums, "}\n"]
    return "\n".join([*head, "#line 1", body, *tail, ""])


def show(shader: Shader) -> str:
    """Puts a finished picture `kfx_top` onto the canvas."""
    below = below_of(shader)
    return (
        "out vec4 isf_FragColor;\nin vec2 isf_FragNormCoord;\nuniform float kfx_mix;\n"
        f"uniform sampler2D kfx_top;\nuniform sampler2D {below};\n"
        + (_OVER if shader.kind == "generator" else _REPLACE)
        + "void main() {\n    vec2 p = isf_FragNormCoord;\n"
        f"    isf_FragColor = kfx_blend(texture({below}, p), texture(kfx_top, p));\n}}\n"
    )


def _mix(shader: Shader) -> str:
    value = shader.fixed.get("kfx_mix")
    return f"const float kfx_mix = {value};" if value else "uniform float kfx_mix;"


def below_of(shader: Shader) -> str:
    """The sampler through which a shader's picture is mixed with what was there."""
    return "inputImage" if "inputImage" in shader.images else "kfx_below"


def _declarations(shader: Shader, index: int) -> list[str]:
    used = isf_tidy.words(shader.body)
    if shader.vertex is not None:
        used |= isf_tidy.words(shader.vertex_text)
    lines = [f"const int PASSINDEX = {index};"]
    if "history" in shader.images:
        lines.append(HISTORY)
    if "buses" in shader.images:
        lines += [BUSES, *[BUS_HISTORY] * ("history" in shader.images)]
    for image in shader.samplers:
        known = isf_tidy.name(image)
        kind = "samplerCube" if image in shader.cubes else "sampler2D"
        if image not in ("history", "buses", BUS_PAST):
            lines.append(f"uniform {kind} {known};")
        if any(word.startswith(f"_{image}_") for word in used):
            lines.append(f"#define _{image}_imgRect vec4(0.0, 0.0, 1.0, 1.0)")
            lines.append(f"#define _{image}_imgSize vec2(textureSize({known}, 0))")
            lines.append(f"#define _{image}_flip false")
    for one, kind in shader.types.items():
        name, value = isf_tidy.name(one), shader.fixed.get(one)
        lines.append(f"const {kind} {name} = {value};" if value else f"uniform {kind} {name};")
    return lines


def _tidied(
    shader: Shader, text: str, path: Path, first_line: int, macros: Iterable[str], output: str
) -> tuple[str, tuple[str, ...]]:
    declared = {
        *AUTOMATIC,
        *shader.samplers,
        *shader.types,
        "isf_FragNormCoord",
        "vv_FragNormCoord",
        "gl_FragColor",
    }
    words = {name.split("(")[0] for name in macros}
    try:
        return isf_tidy.tidy(text, declared, words, output=output, first_line=first_line)
    except isf_tidy.Unsupported as error:
        raise KfxError(f"{path}:{first_line + error.line}: {error}") from error
