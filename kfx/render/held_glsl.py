"""The GLSL that held pictures are drawn by."""

from __future__ import annotations

from kfx.render.warp import SHARP

VERTEX = """
in vec2 position;  // pixels of the frame, y down
in vec2 source;    // pixels of the picture, y down
in float alpha;
in vec3 tint;
in vec3 lift;
uniform vec2 frame;
uniform vec2 size;  // of the picture
out vec2 from;
out float cover;
out vec3 light;
out vec3 plus;
void main() {
    cover = alpha;
    light = tint;
    plus = lift;
    from = vec2(source.x, size.y - source.y) / size;
    vec2 p = position / frame * 2.0 - 1.0;
    gl_Position = vec4(p.x, -p.y, 0.0, 1.0);
}
"""
FINE_VERTEX = (
    VERTEX.replace("in float alpha;", "const float alpha = 1.0;")
    .replace("in vec3 tint;", "const vec3 tint = vec3(1.0);")
    .replace("in vec3 lift;", "const vec3 lift = vec3(0.0);")
)
FRAGMENT = """
in float cover;
in vec3 light;
in vec3 plus;
uniform float opaque;  // 1: the picture's own alpha is written; 0: cover is, to blend with
uniform float matted;  // 1: the picture's own alpha says too where it covers
""" + SHARP.replace(
    "COLOUR",
    "vec4(clamp(sharp.rgb * light + plus, 0.0, 1.0),"
    " mix(cover * mix(1.0, sharp.a, matted), sharp.a, opaque))",
)
SOFT = """
in vec2 from;
in float cover;
in vec3 light;
in vec3 plus;
uniform sampler2D plate;
uniform float matted;
out vec4 colour;
void main() {
    vec4 seen = texture(plate, from);
    colour = vec4(clamp(seen.rgb * light + plus, 0.0, 1.0), cover * mix(1.0, seen.a, matted));
}
"""
"""One read instead of twelve, for what is blended in."""
FINE = """
in vec2 from;
uniform sampler2D plate;
out vec4 colour;
void main() { colour = texture(plate, from); }
"""
MIX = """
uniform sampler2D scene;
uniform float amount;
out vec4 colour;
void main() { colour = vec4(texelFetch(scene, ivec2(gl_FragCoord.xy), 0).rgb, amount); }
"""
