"""GLSL that tells skin from hair, collars and backgrounds by the face's own colour.

Skin has the face's colour or is redder (ears, knuckles); what is darker is hair or a collar. Beyond
the face it must also be joined to it: hair or a background on the way ends it.
"""

from __future__ import annotations

CHROMA = (0.022, 0.055)  # how far from the face's own colour skin still is, as shares of RGB
LUMA = (0.11, 0.26)  # of the face's own: darker is hair or a collar
SKIN_AT = (9, 205, 425, 50, 280, 195)  # landmarks where a face is surely skin
REDDER = 0.3  # of a colour's distance counts where it is redder than the face
STRAYS = (0.6, 0.04)  # of how the face's own colour strays is added to that, and at most
STEPS, GAP_IOD = 10, 0.11  # places asked on the way out; so much that isn't skin fades it


def put(text: str, **parts: object) -> str:
    """`text` with each name replaced, in this order."""
    for name, part in parts.items():
        text = text.replace(name, str(part))
    return text


# Wants `size` declared, the plate's in pixels.
LIKE_SKIN = put(
    """
uniform sampler2D plate;
vec3 around(vec2 at, float step) {  // the plate at pixel `at`, y down, without its noise
    vec3 sum = vec3(0.0);
    for (int i = 0; i < 5; i++) {
        vec2 p = at + step * vec2(i == 1 ? 1 : i == 2 ? -1 : 0, i == 3 ? 1 : i == 4 ? -1 : 0);
        ivec2 cell = ivec2(clamp(vec2(p.x, size.y - p.y), vec2(0.0), size - 1.0));
        sum += texelFetch(plate, cell, 0).rgb;
    }
    return sum / 5.0;
}
float like_skin(vec3 seen, vec4 own) {  // own: a colour, and how far the face's strays from it
    float sum = dot(seen, vec3(1.0)) + 0.02, all = dot(own.rgb, vec3(1.0)) + 0.02;
    vec2 away = seen.rg / sum - own.rg / all;
    if (away.r > 0.0) away *= REDDER;
    float chroma = 1.0 - smoothstep(CHROMA_LOW + own.a, CHROMA_HIGH + 2.0 * own.a, length(away));
    return chroma * smoothstep(LUMA_LOW, LUMA_HIGH, sum / all);
}
""",
    CHROMA_LOW=CHROMA[0],
    CHROMA_HIGH=CHROMA[1],
    LUMA_LOW=LUMA[0],
    LUMA_HIGH=LUMA[1],
    REDDER=REDDER,
)


def skin_of_face(seen: str) -> str:
    """``vec4 skin_of_face()``: the mean of `seen`, the colour at ``skin_at[i]``; how it strays."""
    return put(
        """
uniform vec2 skin_at[SKINS];
vec4 skin_of_face() {
    vec3 mean = vec3(0.0), each[SKINS];
    for (int i = 0; i < SKINS; i++) mean += (each[i] = SEEN) / float(SKINS);
    vec2 own = mean.rg / (dot(mean, vec3(1.0)) + 0.02);
    float strays = 0.0;
    for (int i = 0; i < SKINS; i++) {
        vec3 one = each[i];
        vec2 away = one.rg / (dot(one, vec3(1.0)) + 0.02) - own;
        strays += dot(away, away) / float(SKINS);
    }
    return vec4(mean, min(STRAYS * sqrt(strays), MOST));
}
""",
        SEEN=seen,
        SKINS=len(SKIN_AT),
        STRAYS=STRAYS[0],
        MOST=STRAYS[1],
    )


def reached(like: str) -> str:
    """``float reached(from, way, iod, own)``: what `like` says isn't skin on the way ends it."""
    return put(
        """
float reached(vec2 from, vec2 way, float iod, vec4 own) {
    float far = length(way) / iod, gap = 0.0;
    if (far < 0.02) return 1.0;
    for (int i = 1; i <= STEPS; i++)
        gap += 1.0 - LIKE(around(from + way * (float(i) / float(STEPS)), 0.02 * iod), own);
    gap *= far / (float(STEPS) * GAP);
    return exp(-gap * gap);
}
""",
        STEPS=STEPS,
        GAP=GAP_IOD,
        LIKE=like,
    )
