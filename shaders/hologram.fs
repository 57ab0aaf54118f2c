/*{
  "ISFVSN": "2",
  "DESCRIPTION": "The face is only projected: cold light in fine lines, a burning rim, slices that tear sideways on the beat (E23)",
  "CREDIT": "kfx",
  "CATEGORIES": ["Face", "Glitch"],
  "INPUTS": [
    {"NAME": "inputImage", "TYPE": "image"},
    {"NAME": "faceUV", "TYPE": "image"},
    {"NAME": "faceNormal", "TYPE": "image"},
    {"NAME": "faceParts", "TYPE": "image"},
    {"NAME": "faceData", "TYPE": "image"},
    {"NAME": "beat", "TYPE": "float"},
    {"NAME": "kfx_scale", "TYPE": "float"},
    {"NAME": "energy", "TYPE": "float"},
    {"NAME": "opacity", "TYPE": "float", "DEFAULT": 0.8, "MIN": 0.0, "MAX": 1.0, "DOC": "how much of the living face the projection hides"},
    {"NAME": "pitch", "TYPE": "float", "DEFAULT": 0.036, "MIN": 0.015, "MAX": 0.12, "UNIT": "iod", "DOC": "distance of the lines"},
    {"NAME": "speed", "TYPE": "float", "DEFAULT": 0.12, "MIN": -1.0, "MAX": 1.0, "UNIT": "iod/s", "DOC": "how fast the lines climb"},
    {"NAME": "tear", "TYPE": "float", "DEFAULT": 0.35, "MIN": 0.0, "MAX": 1.0, "DOC": "how far slices slip sideways on a hit"},
    {"NAME": "every", "TYPE": "float", "DEFAULT": 2.0, "MIN": 0.25, "MAX": 16.0, "UNIT": "beats", "DOC": "a hit so often; it settles within half a beat"},
    {"NAME": "rim", "TYPE": "float", "DEFAULT": 0.8, "MIN": 0.0, "MAX": 2.0, "DOC": "light where the skin turns away"},
    {"NAME": "split", "TYPE": "float", "DEFAULT": 0.35, "MIN": 0.0, "MAX": 1.0, "DOC": "how far the colours part"},
    {"NAME": "reach", "TYPE": "float", "DEFAULT": 1.0, "MIN": 0.0, "MAX": 1.0, "DOC": "how far it goes on over forehead, ears and throat; 0 = the face alone"},
    {"NAME": "colour", "TYPE": "color", "DEFAULT": [0.30, 0.80, 1.0, 1.0], "DOC": "the projector's light"}
  ],
  "PASSES": [
    {"TARGET": "meter", "WIDTH": "8", "HEIGHT": "3", "FLOAT": true},
    {"TARGET": "veil", "WIDTH": "floor($WIDTH*$kfx_scale)", "HEIGHT": "floor($HEIGHT*$kfx_scale)", "FLOAT": true, "REACH_IOD": 0.04},
    {"TARGET": "ghost", "WIDTH": "floor($WIDTH*$kfx_scale)", "HEIGHT": "floor($HEIGHT*$kfx_scale)", "REACH_IOD": 0.02},
    {}
  ],
  "KFX": {"region": "face", "margin_iod": 0.5, "edge": "skin"}
}*/

float luma(vec3 c) { return dot(c, vec3(0.2126, 0.7152, 0.0722)); }

uint mixed(uint x) {
    x ^= x >> 16; x *= 0x7feb352du; x ^= x >> 15; x *= 0x846ca68bu; x ^= x >> 16;
    return x;
}
float chance(int a, int b) {
    return float(mixed(uint(a) * 0x9e3779b9u + mixed(uint(b) + uint(int(kfx_seed)) * 0x85ebca6bu)) >> 8) / 16777216.0;
}

// The light thins out towards the face's oval, or with `reach` where the skin ends.
float within(vec4 uv, float core) {
    return max(smoothstep(1.0, core, length((uv.xy - vec2(0.5, 0.52)) * vec2(2.0, 1.96))), reach * uv.a);
}

// Row 0: where a face is, its light (so that bright and dark skin project alike), its size in pixels;
// row 1: rows across the head, in iod below the eyes: what a pixel's place is multiplied with, less that;
// row 2: the faces there are, one after the other.
vec4 meter_of(int face, int line) {
    if (line == 2) {
        int found = 0;
        for (int i = 0; i < 8; i++)
            if (texelFetch(faceData, ivec2(468, i), 0).w > 0.0 && found++ == face) return vec4(float(i), 0.0, 0.0, 1.0);
        return vec4(0.0);
    }
    vec4 r = texelFetch(faceData, ivec2(468, face), 0), l = texelFetch(faceData, ivec2(473, face), 0);
    vec2 middle = 0.5 * (r.xy + l.xy);
    float scale = max(distance(r.xyz, l.xyz), 1.0);
    if (line == 1) {
        vec2 x = texelFetch(faceData, ivec2(263, face), 0).xy - texelFetch(faceData, ivec2(33, face), 0).xy;
        x = length(x) > 1e-3 ? normalize(x) : vec2(1.0, 0.0);
        vec2 up = vec2(-x.y, x.x) / scale;
        return vec4(up, dot(middle, up), scale);
    }
    int places[8] = int[8](50, 280, 151, 9, 205, 425, 119, 348);
    float sum = 0.0;
    for (int i = 0; i < 8 && texelFetch(faceData, ivec2(4, face), 0).w > 0.0; i++) sum += luma(IMG_PIXEL(inputImage, texelFetch(faceData, ivec2(places[i], face), 0).xy).rgb);
    return vec4(middle / IMG_SIZE(inputImage), sum / 8.0, r.w > 0.0 ? scale : 0.0);
}

// No line is finer than pixels can show: on small faces they run together.
float apart_at(float scale) { return max(pitch, 3.4 / scale); }

// The rows that a pixel lies in, its own face's or the nearest one's: r how many lines down; g how far the
// skin goes dim there; b whose they are; a how far they stay lines.
vec4 veil_at(vec2 at) {
    vec4 there = IMG_THIS_PIXEL(faceUV);
    vec2 p = at * IMG_SIZE(inputImage);
    int nearest = 0, n = 0;
    float best = 2.8;
    bool more = true;
    do {
        int face = int(texelFetch(meter, ivec2(n, 2), 0).r);
        vec4 one = texelFetch(meter, ivec2(face, 0), 0);
        float d = one.a > 0.0 ? distance(one.xy * IMG_SIZE(inputImage), p) / one.a : 9.0;
        if (d < best) { best = d; nearest = face; }
        n++;
        more = n < 8 && texelFetch(meter, ivec2(n & 7, 2), 0).a > 0.0;
    } while (more);
    int slot = there.a > 0.0 ? int(there.b * 8.0) : nearest;
    vec4 frame = texelFetch(meter, ivec2(slot, 1), 0);
    // Eyes and teeth let more of the living face through.
    vec4 parts = IMG_THIS_PIXEL(faceParts);
    float hidden = within(there, 0.50) * smoothstep(0.0, 1.0, there.a);
    float lines = (dot(p, frame.xy) - frame.z - speed * TIME) / apart_at(frame.a);
    return vec4(lines, hidden * (1.0 - 0.6 * max(parts.b, parts.a)), float(slot), clamp(pitch * frame.a / 4.5, 0.6, 1.0));
}

// What is projected, before it is drawn in lines, as the root of a fourth; a: how far from its end.
vec4 ghost_at(vec2 at) {
    vec2 p = at * IMG_SIZE(inputImage);
    vec4 rows = texelFetch(veil, ivec2(gl_FragCoord.xy), 0);
    int slot = int(rows.b);
    vec4 frame = texelFetch(meter, ivec2(slot, 1), 0);
    float key = max(texelFetch(meter, ivec2(slot, 0), 0).b, 0.08), scale = frame.a;
    float row = rows.r * apart_at(scale) + speed * TIME;
    vec2 x = vec2(frame.y, -frame.x) * scale;

    // On a hit slices slip, each its own way, and ease back; one drop-out in twenty-five between.
    float hits = floor(beat / every), since = beat - hits * every;
    int slice = int(floor(row * 5.5 + 40.0 + 3.0 * chance(int(hits), 7)));
    int tick = int(floor(TIME * 12.0));
    float slip = chance(slice, int(hits) * 3 + 1) - 0.5;
    slip *= step(0.45, chance(slice, int(hits) * 3 + 2)) * exp(-since * 5.0) * (1.0 + energy);
    slip += 0.22 * (chance(slice, tick + 5000) - 0.5) * step(0.965, chance(slice + 200, tick));
    vec2 from = p - x * slip * tear * 0.8 * scale;
    vec2 there = from / IMG_SIZE(inputImage);
    vec4 uv = IMG_NORM_PIXEL(faceUV, there);
    if (uv.a <= 0.0) return vec4(0.0);

    vec4 parts = IMG_NORM_PIXEL(faceParts, there);
    vec4 turned = IMG_NORM_PIXEL(faceNormal, there);
    vec3 normal = turned.xyz;
    uv.a = mix(turned.a, uv.a, reach);
    float apart = split * scale * (0.016 + 0.06 * abs(slip)), thin = max(0.8, 0.022 * scale);
    vec2 up = vec2(-x.y, x.x) * thin;
    vec3 here = IMG_PIXEL(inputImage, from).rgb;
    vec3 e = IMG_PIXEL(inputImage, from + x * (thin + apart)).rgb, w = IMG_PIXEL(inputImage, from - x * (thin + apart)).rgb;
    float n = luma(IMG_PIXEL(inputImage, from + up).rgb), s = luma(IMG_PIXEL(inputImage, from - up).rgb);
    vec3 seen = mix(here, vec3(w.r, here.g, e.b), split);
    float y = luma(here), alive = max(parts.b, parts.a);
    float drawn = length(vec2(luma(e) - luma(w), n - s)) / (key + 0.05);

    float inner = within(uv, 0.58);

    // Deep blue, the projector's colour, white: light only adds, shadows are the room behind it.
    float g = luma(seen), k = min(y / key, 2.0);
    float v = k * k * k * 0.34;
    vec3 tint = colour.rgb;
    vec3 ghost = tint * tint * (0.02 + 0.24 * k * k) + tint * v * 1.25 + vec3(0.85, 0.97, 1.0) * v * v * 1.3;
    ghost += mix(tint, vec3(1.0), 0.30) * smoothstep(0.06, 0.75, drawn) * 0.85;      // features are drawn with light
    ghost += max(seen - g, 0.0) * 0.9 * split * k;                        // the parted colours alone
    float band = fract(row * 0.31 - 0.16 * TIME);
    float scan = exp(-band * 14.0) * 0.35;
    float flicker = 0.95 + 0.05 * chance(tick, 11) - 0.30 * step(0.96, chance(tick, 3));
    float edge = pow(clamp(1.0 - normal.z, 0.0, 1.0), 2.0) * smoothstep(0.0, 0.75, uv.a) * (0.35 + 0.65 * inner);
    vec3 light = ghost + mix(tint, vec3(1.0), 0.25) * (edge * rim * (0.30 + 1.5 * v) + scan * (0.10 + 2.0 * v));
    light += smoothstep(0.66, 0.95, y) * 0.5 * alive;                   // sparks in the eyes stay white
    light *= flicker * (1.0 + 0.6 * exp(-since * 6.0)) * (1.0 - 0.35 * alive);
    return vec4(sqrt(min(light * 0.25, 1.0)), inner * smoothstep(0.0, 0.75, uv.a));
}


void main() {
    if (PASSINDEX == 0) gl_FragColor = meter_of(int(gl_FragCoord.x), int(gl_FragCoord.y));
    else if (PASSINDEX == 1) gl_FragColor = veil_at(isf_FragNormCoord);
    else if (PASSINDEX == 2) gl_FragColor = ghost_at(isf_FragNormCoord);
    else {
        vec4 plate = IMG_THIS_PIXEL(inputImage);
        vec4 top = IMG_THIS_PIXEL(ghost);
        vec4 behind = IMG_THIS_PIXEL(veil);
        gl_FragColor = plate;
        if (max(top.a, behind.g) > 0.0) {
            // Towards the oval the lines thin out and go dim, so that the light ends nowhere in particular.
            float line = abs(fract(behind.r) * 2.0 - 1.0);
            line = mix(0.66, line * line * (3.0 - 2.0 * line), behind.a);      // all but a cosine, for less
            float soft = 0.30, fade = top.a;
            float cover = smoothstep(-soft, soft, fade * (1.35 + soft) - 0.35 - (1.0 - line)) * sqrt(fade);
            vec3 light = 1.0 - exp(top.rgb * top.rgb * (-4.8 * (0.30 + 1.20 * line * line)));

            // Behind the ghost the skin goes dim and cold.
            vec3 dim = mix(plate.rgb, mix(plate.rgb, vec3(luma(plate.rgb)), 0.75) * vec3(0.10, 0.20, 0.34), behind.g * opacity);
            gl_FragColor.rgb = 1.0 - (1.0 - dim) * (1.0 - light * (cover * opacity));
        }
    }
}
