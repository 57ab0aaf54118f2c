"""The shaders that draw results of nets onto faces, see `kfx.render.reproject`.

Where results go on beyond the mesh, skin is known by the face's own colour: what is redder still is
skin (ears, knuckles), what is darker isn't (hair, a collar). It must also be joined to the face:
hair or a background on the way ends it.
"""

from __future__ import annotations

SKIN_CHROMA = (0.022, 0.055)  # how far from the face's own colour skin still is, as shares of RGB
SKIN_LUMA = (0.11, 0.26)  # of the face's own: darker is hair or a collar
SKIN_AT = (9, 205, 425, 50, 280, 195)  # landmarks where a face is surely skin
STEPS, GAP_IOD = 10, 0.08  # places asked on the way out; so much that isn't skin fades it
CROP_EDGE = 0.07  # of a crop's side: there a result ends that goes on over the mesh's edge
LOWEST_LIGHT = 0.06

_LIGHT = """
vec3 shone(sampler2D low_then, vec2 then, vec3 now, float light) {
    vec3 gain = (now + FLOOR) / (texture(low_then, then).rgb + FLOOR);
    return mix(vec3(1.0), clamp(gain, 0.4, 2.5), light);
}
""".replace("FLOOR", str(LOWEST_LIGHT))
_SKIN = (
    """
uniform sampler2D plate;
uniform sampler2D low;
uniform vec2 size;
vec3 around(vec2 at, float step) {  // the plate at pixel `at`, y down, without its noise
    vec3 sum = vec3(0.0);
    for (int i = 0; i < 9; i++) {
        vec2 p = at + step * vec2(i % 3 - 1, i / 3 - 1);
        ivec2 cell = ivec2(clamp(vec2(p.x, size.y - p.y), vec2(0.0), size - 1.0));
        sum += texelFetch(plate, cell, 0).rgb;
    }
    return sum / 9.0;
}
float like_skin(vec3 seen, vec3 own) {
    float sum = dot(seen, vec3(1.0)) + 0.02, all = dot(own, vec3(1.0)) + 0.02;
    vec2 away = seen.rg / sum - own.rg / all;
    if (away.r > 0.0) away *= 0.3;
    float chroma = 1.0 - smoothstep(CHROMA_LOW, CHROMA_HIGH, length(away));
    return chroma * smoothstep(LUMA_LOW, LUMA_HIGH, sum / all);
}
""".replace("CHROMA_LOW", str(SKIN_CHROMA[0]))
    .replace("CHROMA_HIGH", str(SKIN_CHROMA[1]))
    .replace("LUMA_LOW", str(SKIN_LUMA[0]))
    .replace("LUMA_HIGH", str(SKIN_LUMA[1]))
)
VERTEX = (
    """
in vec2 position;
in vec2 shown;     // coverage now, openness now
in vec3 before;    // uv in the older result, coverage then
in vec3 after;     // the same in the newer one
in vec3 inner;     // 1 well inside the mesh, 0 at its edge and beyond; the oval's nearest point
in vec4 shut;
in vec4 open;
uniform mat3x2 to_crop;  // frame pixels to 0..1 of the present crop
uniform float skin;      // 1 where results go on over skin beyond the mesh
uniform float iod;
uniform vec2 skin_at[SKINS];
flat out vec3 v_own;       // the colour of the face's skin
out vec3 v_before;
out vec3 v_after;
out vec2 v_now;
out float v_coverage;
out vec4 v_parts;
out vec2 v_inner;
"""
    + _SKIN
    + """
float reached() {  // what isn't skin on the way from the face ends it: hair, a background
    vec2 way = position - inner.yz;
    float far = length(way) / iod, gap = 0.0;
    if (skin == 0.0 || far < 0.02) return 1.0;
    for (int i = 1; i <= STEPS; i++)
        gap += 1.0 - like_skin(
            around(inner.yz + way * (float(i) / float(STEPS)), 0.02 * iod), v_own);
    return exp(-gap / float(STEPS) * far / GAP);
}
void main() {
    v_own = vec3(0.0);
    for (int i = 0; i < SKINS; i++) v_own += texture(low, skin_at[i]).rgb / float(SKINS);
    v_inner = vec2(inner.x, reached());
    v_before = before;
    v_after = after;
    v_coverage = shown.x;
    v_now = to_crop * vec3(position, 1.0);
    v_parts = mix(shut, open, shown.y);
    vec2 p = position / size * 2.0 - 1.0;
    gl_Position = vec4(p.x, -p.y, 0.0, 1.0);
}
""".replace("STEPS", str(STEPS)).replace("GAP", str(GAP_IOD))
).replace("SKINS", str(len(SKIN_AT)))
FRAGMENT = (
    """
in vec3 v_before;
in vec3 v_after;
in vec2 v_now;
in float v_coverage;
in vec4 v_parts;
in vec2 v_inner;
flat in vec3 v_own;
uniform sampler2D old_result;
uniform sampler2D new_result;
uniform sampler2D old_low;
uniform sampler2D new_low;
uniform vec2 old_lost;   // eyes, mouth: 1 where they have changed since
uniform vec2 new_lost;
uniform float fade;      // 0 the older result, 1 the newer
uniform float keep;      // how much of the plate's colour stays: 1 where results are changes
uniform float light;
uniform float feather;
uniform float amount;
uniform float skin;
out vec4 colour;
"""
    + _SKIN
    + _LIGHT
    + """
float inside(vec2 at) {
    vec2 near = min(at, 1.0 - at);
    return smoothstep(0.0, CROP_EDGE, min(near.x, near.y));
}
""".replace("CROP_EDGE", str(CROP_EDGE))
    + """
void main() {
    vec4 under = texelFetch(plate, ivec2(gl_FragCoord.xy), 0);
    vec3 now = texture(low, v_now).rgb;
    vec4 newer = texture(new_result, v_after.xy);
    newer.rgb *= shone(new_low, v_after.xy, now, light);
    newer.a *= (1.0 - v_parts.b * new_lost.x) * (1.0 - v_parts.a * new_lost.y);
    float then = v_after.z;
    if (fade < 1.0) {
        vec4 older = texture(old_result, v_before.xy);
        older.rgb *= shone(old_low, v_before.xy, now, light);
        older.a *= (1.0 - v_parts.b * old_lost.x) * (1.0 - v_parts.a * old_lost.y);
        newer = mix(older, newer, fade);
        then = mix(v_before.z, then, fade);
    }
    float there = min(v_coverage, then);
    float covered = clamp(there * feather, 0.0, 1.0);
    if (skin > 0.0) {
        float own = clamp(v_inner.x * feather, 0.0, 1.0);
        covered = 1.0;
        if (own < 1.0) {
            vec3 seen = 0.5 * (under.rgb + texelFetch(plate, ivec2(gl_FragCoord.xy) + 1, 0).rgb);
            float on = there * v_inner.y * inside(v_after.xy);
            covered = mix(on * like_skin(seen, v_own), 1.0, own);
        }
    }
    vec3 over = clamp(under.rgb * keep + newer.rgb, 0.0, 1.0);
    colour = vec4(mix(under.rgb, over, newer.a * covered * amount), under.a);
}
"""
)
