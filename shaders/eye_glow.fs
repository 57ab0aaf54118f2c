/*{
  "ISFVSN": "2",
  "DESCRIPTION": "Eyes that shine: the iris burns behind the lids, lights sockets and nose, and throws a fine streak; it breathes with the kick (E18)",
  "CREDIT": "kfx",
  "CATEGORIES": ["Face", "Eyes"],
  "INPUTS": [
    {"NAME": "inputImage", "TYPE": "image"},
    {"NAME": "faceNormal", "TYPE": "image"},
    {"NAME": "faceParts", "TYPE": "image"},
    {"NAME": "faceData", "TYPE": "image"},
    {"NAME": "beat", "TYPE": "float"},
    {"NAME": "kfx_scale", "TYPE": "float"},
    {"NAME": "power", "TYPE": "float", "DEFAULT": 1.0, "MIN": 0.0, "MAX": 4.0, "DOC": "brightness of the eyes"},
    {"NAME": "radius", "TYPE": "float", "DEFAULT": 0.35, "MIN": 0.1, "MAX": 1.0, "UNIT": "iod", "DOC": "how far the light reaches"},
    {"NAME": "streak", "TYPE": "float", "DEFAULT": 0.5, "MIN": 0.0, "MAX": 2.0, "DOC": "the anamorphic line through each eye"},
    {"NAME": "skin", "TYPE": "float", "DEFAULT": 1.0, "MIN": 0.0, "MAX": 3.0, "DOC": "light that falls on the skin around"},
    {"NAME": "every", "TYPE": "float", "DEFAULT": 1.0, "MIN": 0.25, "MAX": 16.0, "UNIT": "beats", "DOC": "it swells so often, first on beat 0"},
    {"NAME": "swell", "TYPE": "float", "DEFAULT": 0.6, "MIN": 0.0, "MAX": 1.0, "DOC": "how much of the light comes and goes with the beat"},
    {"NAME": "eye", "TYPE": "long", "VALUES": [0, 1, 2], "LABELS": ["both", "right", "left"], "DEFAULT": 0, "DOC": "which eye of the performer"},
    {"NAME": "colour", "TYPE": "color", "DEFAULT": [0.36, 0.66, 1.0, 1.0], "DOC": "colour of the light; its heart is always white"}
  ],
  "PASSES": [
    {"TARGET": "eyes", "WIDTH": "16", "HEIGHT": "2", "FLOAT": true},
    {"TARGET": "air", "WIDTH": "floor($WIDTH*$kfx_scale)", "HEIGHT": "floor($HEIGHT*$kfx_scale)", "FLOAT": true, "REACH_IOD": 0.02},
    {"TARGET": "burning", "WIDTH": "floor($WIDTH*$kfx_scale)", "HEIGHT": "floor($HEIGHT*$kfx_scale)", "FLOAT": true, "REACH_IOD": 0.02},
    {}
  ],
  "KFX": {"region": "face", "eyes_iod": 0.75, "pointwise": true}
}*/

vec4 landmark(int slot, int i) { return texelFetch(faceData, ivec2(i, slot), 0); }

// The eyes that shine, one after the other. Row 0: place, radius of the iris, pixels to the iod;
// row 1: the way to the performer's left, power, 1. Worked out once and not at every pixel.
vec4 table(int k, int row) {
    float breath = 1.0 - swell * (1.0 - exp(-2.2 * fract(beat / every) * every));
    int found = 0;
    for (int n = 0; n < 16; n++) {
        int slot = n >> 1;
        bool right = (n & 1) == 0;
        int first = right ? 468 : 473;
        vec4 c = landmark(slot, first);
        if (c.w <= 0.0 || eye == (right ? 2 : 1)) continue;
        vec2 across = landmark(slot, 263).xy - landmark(slot, 33).xy;
        vec2 along = landmark(slot, 10).xy - landmark(slot, 152).xy;
        float eye_px = max(max(length(across) / 1.40, length(along) / 2.61), 1.0);
        // Lids close over it; an eye round the corner of a profile sends nothing.
        float wide = distance(landmark(slot, right ? 33 : 263).xy, landmark(slot, right ? 133 : 362).xy);
        float gap = distance(landmark(slot, right ? 159 : 386).xy, landmark(slot, right ? 145 : 374).xy);
        float awake = smoothstep(0.06, 0.22, gap / max(wide, 1.0)) * smoothstep(0.12, 0.36, wide / eye_px);
        float s = power * breath * awake * c.w;
        if (s <= 0.0) continue;
        float iris = max(distance(landmark(slot, first + 1).xy, landmark(slot, first + 3).xy) * 0.5, 1.0);
        if (found++ == k) return row == 0 ? vec4(c.xy, iris, eye_px) : vec4(across / max(length(across), 1.0), s, 1.0);
    }
    return vec4(0.0);
}


// What is smooth: r the light that air and lens scatter, g what falls on the skin, b how far the
// lens is full of it, a the line that it makes there.
vec4 scattered(vec2 here) {
    vec2 p = here * RENDERSIZE / kfx_scale;
    vec4 surface = IMG_NORM_PIXEL(faceNormal, here);
    float halos = 0.0, lit = 0.0, veil = 0.0, lines = 0.0, k = radius;
    int n = 0;
    bool more = true;
    do {
        vec4 at = texelFetch(eyes, ivec2(n, 0), 0), how = texelFetch(eyes, ivec2(n, 1), 0);
        float s = how.z;
        vec2 d = p - at.xy;
        vec2 q = vec2(dot(d, how.xy), dot(d, vec2(-how.y, how.x))) / max(at.w, 1.0);
        float away = length(q);
        // The box goes on for 0.75 iod beside the eye: the light ends before.
        float edge = 1.0 - smoothstep(0.30, 0.74, away);
        float halo = 0.95 * exp(-away * away / (0.10 * k * k + 0.0006)) + 0.42 * exp(-away * 2.6 / k);
        veil += s * edge * (0.35 + halo);
        halos += s * edge * halo * 0.85;
        // No finer than two of these pixels, or it would flicker as the head moves.
        float fine = 0.014 + 0.006 * s, drawn = max(fine, 1.1 / (max(at.w, 1.0) * kfx_scale));
        lines += s * 1.9 * edge * fine / drawn * exp(-min(abs(q.y) / drawn + abs(q.x) / (0.9 * k + 0.35 * s * k), 40.0));

        // Light on the skin: from a point before the eye, so that lids, brow and nose shape it.
        vec3 way = vec3(-q, 0.16);
        vec2 n2 = vec2(dot(surface.xy, how.xy), dot(surface.xy, vec2(-how.y, how.x)));
        float lambert = clamp(dot(vec3(n2, surface.z), way) * inversesqrt(dot(way, way)) * 0.75 + 0.25, 0.0, 1.0);
        float fall = 1.0 / (1.0 + away * away * 5.0 / (k * k));
        lit += skin * s * lambert * fall * 2.4 * surface.a * step(0.0, surface.z);
        n++;
        more = n < 16 && texelFetch(eyes, ivec2(n & 15, 1), 0).w > 0.0;
    } while (more);
    return vec4(halos, lit, 1.0 - exp(-veil), lines);
}

// The iris burns from its rim in: pupil dark when calm, white all through when hit. r its own light,
// g the white of its heart.
vec4 iris_at(vec2 here) {
    vec2 p = here * RENDERSIZE / kfx_scale;
    int nearest = 0, n = 0;
    float least = 1e12;
    bool more = true;
    do {
        vec4 one = texelFetch(eyes, ivec2(n, 0), 0);
        float far = dot(p - one.xy, p - one.xy);
        if (far < least) { nearest = n; least = far; }
        n++;
        more = n < 16 && texelFetch(eyes, ivec2(n & 15, 1), 0).w > 0.0;
    } while (more);
    vec4 at = texelFetch(eyes, ivec2(nearest, 0), 0);
    vec3 how = texelFetch(eyes, ivec2(nearest, 1), 0).xyz;
    vec2 d = p - at.xy;
    float s = how.z, iris = max(at.z, 1.0), r = length(d) / iris;
    float disc = 1.0 - smoothstep(0.84, 1.12 + 0.8 / iris, r);
    float ring = exp(-min((r - 0.80) * (r - 0.80) * 11.5, 40.0));
    float angle = atan(dot(d, vec2(-how.y, how.x)), dot(d, how.xy) + 1e-5);
    // Fibres as fine as these pixels would flicker as the eye moves.
    float fine = 0.22 * smoothstep(3.0, 9.0, iris * kfx_scale);
    float fibre = 1.0 - fine + fine * cos(angle * 22.0 + 2.5 * sin(angle * 5.0));
    float burn = disc * (0.55 + 0.75 * ring) * fibre * mix(smoothstep(0.24, 0.46, r), 1.0, clamp(s * s / (0.35 + s) * 0.55, 0.0, 0.9));
    return vec4(burn * s * 2.2 + s * 0.55 * exp(-2.2 * clamp(r - 1.0, 0.0, 15.0)), burn * s * 1.5, 0.0, 1.0);
}

void main() {
    if (PASSINDEX == 0) {
        gl_FragColor = table(int(gl_FragCoord.x), int(gl_FragCoord.y));
    } else if (PASSINDEX == 1) {
        gl_FragColor = scattered(isf_FragNormCoord);
    } else if (PASSINDEX == 2) {
        gl_FragColor = iris_at(isf_FragNormCoord);
    } else {
        vec4 plate = IMG_THIS_PIXEL(inputImage);
        float opening = IMG_THIS_PIXEL(faceParts).b;
        vec4 there = IMG_THIS_PIXEL(air);
        vec2 iris = IMG_THIS_PIXEL(burning).rg * opening;
        vec3 albedo = plate.rgb * (0.70 + plate.rgb * (0.44 - 0.12 * plate.rgb)) + 0.03;
        vec3 light = colour.rgb * (there.r + iris.r + albedo * (there.g * (1.0 - opening)));
        light += mix(colour.rgb, vec3(0.75, 0.88, 1.0), 0.4) * (streak * there.a);
        // Exposure falls a little where the lens is full of light, then all of it rolls off like film.
        vec3 base = plate.rgb * (1.0 - 0.36 * there.b);
        light += iris.g * mix(vec3(1.0), colour.rgb, 0.25);
        gl_FragColor = vec4(1.0 - (1.0 - base) * exp(-light), plate.a);
    }
}
