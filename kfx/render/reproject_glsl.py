"""The shaders that draw results of nets onto faces, see `kfx.render.reproject`."""

from __future__ import annotations

from kfx.render.skin_glsl import LIKE_SKIN, put, reached, skin_of_face

CROP_EDGE = 0.07  # of a crop's side: there a result ends that goes on over the mesh's edge
LOWEST_LIGHT = 0.06

_VERTEX = """
in vec2 position;
in vec2 shown;     // coverage now, openness now
in vec3 before;    // uv in the older result, coverage then
in vec3 after;     // the same in the newer one
in vec4 shut;
in vec4 open;
uniform mat3x2 to_crop;  // frame pixels to 0..1 of the present crop
uniform sampler2D low;
uniform sampler2D old_low;
uniform sampler2D new_low;
uniform vec2 old_lost;   // eyes, mouth: 1 where they have changed since
uniform vec2 new_lost;
uniform float fade;      // 0 the older result, 1 the newer
uniform float light;
SIZE
out vec4 v_at;      // where in the older and in the newer result
out vec4 v_old;     // what both are multiplied by: how the light has changed since, cover
out vec4 v_new;
out float v_there;  // coverage then and now
DECLARED
vec4 share(sampler2D low_then, vec2 then, vec3 now, vec2 parts, vec2 lost) {
    vec3 gain = (now + FLOOR) / (textureLod(low_then, then, 0.0).rgb + FLOOR);
    return vec4(mix(vec3(1.0), clamp(gain, 0.4, 2.5), light),
                (1.0 - parts.x * lost.x) * (1.0 - parts.y * lost.y));
}
void main() {
    vec2 parts = mix(shut, open, shown.y).ba;
    vec3 now = textureLod(low, to_crop * vec3(position, 1.0), 0.0).rgb;
    v_at = vec4(before.xy, after.xy);
    v_old = share(old_low, before.xy, now, parts, old_lost) * (1.0 - fade);
    v_new = share(new_low, after.xy, now, parts, new_lost) * fade;
    v_there = min(shown.x, mix(before.z, after.z, fade));
    SET
    vec2 p = position / size * 2.0 - 1.0;
    gl_Position = vec4(p.x, -p.y, 0.0, 1.0);
}
""".replace("FLOOR", str(LOWEST_LIGHT))
_REACHED = (
    """
in vec3 inner;      // 1 well inside the mesh, 0 at its edge and beyond; the oval's nearest point
uniform float iod;
flat out vec4 v_own;  // the colour of the face's skin, and how far it strays from that
out vec2 v_inner;
"""
    + skin_of_face("textureLod(low, skin_at[i], 0.0).rgb")
    + reached("like_skin")
)
_FRAGMENT = """
in vec4 v_at;
in vec4 v_old;
in vec4 v_new;
in float v_there;
PLATE
uniform sampler2D old_result;
uniform sampler2D new_result;
uniform float fade;
uniform float keep;      // how much of the plate's colour stays: 1 where results are changes
uniform float feather;
uniform float amount;
DECLARED
out vec4 colour;
void main() {
    vec4 under = texelFetch(plate, ivec2(gl_FragCoord.xy), 0);
    vec4 result = texture(new_result, v_at.zw) * v_new;
    if (fade < 1.0) result += texture(old_result, v_at.xy) * v_old;
    float covered = COVERED;
    vec3 over = clamp(under.rgb * keep + result.rgb, 0.0, 1.0);
    colour = vec4(mix(under.rgb, over, result.a * covered * amount), under.a);
}
"""
_ON_SKIN = """
flat in vec4 v_own;
in vec2 v_inner;
float inside(vec2 at) {
    vec2 near = min(at, 1.0 - at);
    return smoothstep(0.0, CROP_EDGE, min(near.x, near.y));
}
float on_skin(vec3 under) {
    float own = clamp(v_inner.x * feather, 0.0, 1.0);
    vec3 seen = 0.5 * (under + texelFetch(plate, ivec2(gl_FragCoord.xy) + 1, 0).rgb);
    return mix(v_there * v_inner.y * inside(v_at.zw) * like_skin(seen, v_own), 1.0, own);
}
""".replace("CROP_EDGE", str(CROP_EDGE))


VERTEX = put(_VERTEX, SIZE="uniform vec2 size;", DECLARED="", SET="")
SKIN_VERTEX = put(
    _VERTEX,
    SIZE="uniform vec2 size;" + LIKE_SKIN,
    DECLARED=_REACHED,
    SET="v_own = skin_of_face();"
    "v_inner = vec2(inner.x, reached(inner.yz, position - inner.yz, iod, v_own));",
)
FRAGMENT = put(
    _FRAGMENT,
    PLATE="uniform sampler2D plate;",
    DECLARED="",
    COVERED="clamp(v_there * feather, 0.0, 1.0)",
)
WELL_INSIDE = put(_FRAGMENT, PLATE="uniform sampler2D plate;", DECLARED="", COVERED="1.0")
SKIN_FRAGMENT = put(
    _FRAGMENT,
    PLATE="uniform vec2 size;" + LIKE_SKIN,
    DECLARED=_ON_SKIN,
    COVERED="on_skin(under.rgb)",
)
