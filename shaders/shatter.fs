/*{
  "ISFVSN": "2",
  "DESCRIPTION": "Porcelain: the skin cracks from the cheek on each beat, light shows through, the pieces drift off and come home (E28)",
  "CREDIT": "kfx",
  "CATEGORIES": ["Face", "Surface"],
  "INPUTS": [
    {"NAME": "inputImage", "TYPE": "image"},
    {"NAME": "faceUV", "TYPE": "image"},
    {"NAME": "faceNormal", "TYPE": "image"},
    {"NAME": "faceParts", "TYPE": "image"},
    {"NAME": "faceData", "TYPE": "image"},
    {"NAME": "beat", "TYPE": "float"},
    {"NAME": "cells", "TYPE": "long", "VALUES": [0, 1], "LABELS": ["large", "small"], "DEFAULT": 0, "DOC": "size of the pieces: thirty-six or eighty-four of them"},
    {"NAME": "every", "TYPE": "float", "DEFAULT": 8.0, "MIN": 2.0, "MAX": 32.0, "UNIT": "beats", "DOC": "length of the whole: crack, burst, heal; the first crack is on beat 0"},
    {"NAME": "burst", "TYPE": "float", "DEFAULT": 0.5, "MIN": 0.1, "MAX": 1.0, "DOC": "when the pieces part, as a share of the whole; 1 = it only cracks"},
    {"NAME": "impulse", "TYPE": "float", "DEFAULT": 0.3, "MIN": 0.0, "MAX": 0.6, "UNIT": "iod", "DOC": "how far the pieces go"},
    {"NAME": "gap", "TYPE": "float", "DEFAULT": 1.0, "MIN": 0.2, "MAX": 3.0, "DOC": "width of the cracks"},
    {"NAME": "glow", "TYPE": "float", "DEFAULT": 0.8, "MIN": 0.0, "MAX": 3.0, "DOC": "light from within"},
    {"NAME": "porcelain", "TYPE": "float", "DEFAULT": 0.5, "MIN": 0.0, "MAX": 1.0, "DOC": "how far the skin turns to glazed porcelain"},
    {"NAME": "inside", "TYPE": "long", "VALUES": [0, 1, 2], "LABELS": ["ember", "nebula", "void"], "DEFAULT": 0, "DOC": "what lies behind the face"}
  ],
  "PASSES": [
    {"TARGET": "heads", "WIDTH": "8", "HEIGHT": "2", "FLOAT": true},
    {"TARGET": "who", "WIDTH": "floor($WIDTH/8.0)", "HEIGHT": "floor($HEIGHT/8.0)"},
    {"TARGET": "moves", "WIDTH": "478", "HEIGHT": "16", "FLOAT": true},
    {"TARGET": "near", "WIDTH": "floor(($WIDTH+31.0)/32.0)", "HEIGHT": "floor(($HEIGHT+31.0)/32.0)"},
    {"WHERE": "near.r"}
  ],
  "IMPORTED": {
    "ids": {"PATH": "textures/shard_ids.png", "FILTER": "nearest"},
    "edges": {"PATH": "textures/shard_edges.png"},
    "shape": {"PATH": "textures/face_shape.png"}
  },
  "KFX": {"region": "face", "margin_iod": 0.5}
}*/

const vec2 IMPACT = vec2(0.672, 0.454);   // landmark 425

float luma(vec3 c) { return dot(c, vec3(0.2126, 0.7152, 0.0722)); }
vec2 landmark(int slot, int i) { return texelFetch(faceData, ivec2(i, slot), 0).xy; }

uint mix_bits(uint x) {
    x = (x ^ (x >> 16)) * 0x7feb352du;
    x = (x ^ (x >> 15)) * 0x846ca68bu;
    return x ^ (x >> 16);
}
float unit(uint x) { return float(x >> 8) / 16777216.0; }

// The landmark that stands for the piece at uv.
int piece(vec2 uv) {
    ivec3 t = ivec3(texelFetch(ids, ivec2(uv * vec2(textureSize(ids, 0))), 0).rgb * 255.0 + 0.5);
    return cells == 0 ? t.r + (t.b & 1) * 256 : t.g + (t.b >> 1) * 256;
}
float crack_at(vec2 uv) {
    vec4 d = IMG_NORM_PIXEL(edges, uv);
    return cells == 0 ? d.r : d.g;
}

// What is behind the face, with a depth of its own; t is how hot it burns here.
vec3 interior(vec2 uv, float heat) {
    float a = IMG_NORM_PIXEL(shape, uv * 0.9 + vec2(0.013, 0.021) * TIME).b;
    float b = IMG_NORM_PIXEL(shape, uv * 2.3 - vec2(0.017, 0.009) * TIME + 0.3).b;
    float n = clamp(a * 0.65 + b * 0.55 - 0.22, 0.0, 1.0);
    if (inside == 1) {
        vec3 c = mix(vec3(0.010, 0.012, 0.045), vec3(0.16, 0.10, 0.46), smoothstep(0.15, 0.55, n));
        c = mix(c, vec3(0.30, 0.62, 0.95), smoothstep(0.45, 0.80, n)) + vec3(1.0, 0.75, 0.55) * smoothstep(0.66, 0.95, n);
        vec2 grid = uv * 70.0;
        uint lot = mix_bits(uint(grid.x) + (uint(grid.y) << 9));
        float star = step(0.94, unit(lot)) * smoothstep(0.35, 0.0, length(fract(grid) - 0.5));
        return c * (0.5 + heat) + star * vec3(0.8, 0.9, 1.0);
    }
    if (inside == 2) return vec3(0.010, 0.011, 0.014) + 0.02 * n;
    vec3 c = mix(vec3(0.060, 0.014, 0.008), vec3(0.60, 0.13, 0.03), smoothstep(0.12, 0.55, n));
    c = mix(c, vec3(1.0, 0.50, 0.13), smoothstep(0.50, 0.78, n));
    return (c + vec3(1.0, 0.85, 0.6) * smoothstep(0.72, 1.0, n)) * (0.35 + heat);
}

// Row 0: middle of a head, pixels to the iod, presence; row 1: its right and its up.
vec4 head_of(int i, int row) {
    vec2 top = landmark(i, 10), chin = landmark(i, 152), across = landmark(i, 263) - landmark(i, 33);
    float tall = distance(top, chin), eye_px = max(max(length(across) / 1.40, tall / 2.61), 1.0);
    vec2 up = (top - chin) / max(tall, 1.0);
    return row == 0 ? vec4(0.5 * (top + chin), eye_px, texelFetch(faceData, ivec2(1, i), 0).w) : vec4(up.y, -up.x, up);
}

// Whose pieces may come to p: the nearest head there is, (slot + 0.5) / 8; 0 far from all.
float nearest_head(vec2 p) {
    float best = 2.6, slot = 0.0;
    for (int i = 0; i < 8; i++) {
        vec4 head = texelFetch(heads, ivec2(i, 0), 0);
        float away = distance(p, head.xy) / max(head.z, 1.0);
        if (head.w > 0.0 && away < best) {
            best = away;
            slot = (float(i) + 0.5) / 8.0;
        }
    }
    return slot;
}

// The clock of one whole: cracks advance on each beat, the burst, the drift, the way home.
struct Clock { float hit, t, reach, open, home, healed, flash; };

Clock clock() {
    Clock c;
    c.hit = floor(beat / every);
    float t = beat - c.hit * every, at = burst * every;
    float grown = floor(t) + 1.0 - exp(-9.0 * fract(t));
    c.t = t;
    c.reach = 0.10 + 1.15 * grown / max(min(at, 8.0), 1.0);
    c.home = smoothstep(0.78 * every, every - 0.25, t);
    float out_ = t > at ? 1.0 - exp(-3.2 * (t - at)) : 0.0;
    c.open = out_ * (0.82 + 0.06 * (t - at)) * (1.0 - c.home);
    c.healed = smoothstep(every - (burst < 1.0 ? 0.3 : 0.6), every, t);
    c.flash = t > at ? exp(-3.0 * (t - at)) : 0.0;
    return c;
}

// How the piece of landmark k has moved. Row 0: its middle and the inverse turn; row 1: its way in
// pixels, how it leans.
vec4 move_of(int k, int slot, int row) {
    Clock now = clock();
    uint seed = mix_bits(uint(max(now.hit, 0.0)) * 0x9e3779b9u + uint(kfx_seed) * 0x85ebca6bu + uint(slot));
    uint lot = mix_bits(uint(k) ^ seed);
    float a = unit(lot), b = unit(mix_bits(lot + 1u)), c = unit(mix_bits(lot + 2u)), open = now.open;
    float eye_px = max(texelFetch(heads, ivec2(slot, 0), 0).z, 1.0);
    vec2 up = texelFetch(heads, ivec2(slot, 1), 0).zw, centre = landmark(slot, k);
    vec2 away = (centre - 0.5 * (landmark(slot, 5) + landmark(slot, 425))) / eye_px;
    vec2 way = away * (0.55 + 0.45 * a) + vec2(b - 0.5, c - 0.5) * 0.5 + 0.12 * up * (1.0 - 2.0 * open * a);
    float turn = (b - 0.5) * 1.1 * open * min(impulse * 3.0, 1.3), grow = 1.0 + 0.22 * (c - 0.3) * open;
    if (row == 0) return vec4(centre, cos(turn) / grow, sin(turn) / grow);
    return vec4(way * impulse * eye_px * open, (a - 0.5) * open, 0.0);
}

// Whether the face, or a piece of it on its way, may be in a tile of the picture.
float near_face(vec2 tile) {
    float widest = 0.0, most = 0.0;
    for (int i = 0; i < 8; i++) widest = max(widest, texelFetch(heads, ivec2(i, 0), 0).z * step(0.001, texelFetch(heads, ivec2(i, 0), 0).w));
    // As far as a piece flies and, turned and grown, stands out.
    vec2 wide = 0.5 / RENDERSIZE + clock().open * (1.6 * impulse + 0.35) * widest / IMG_SIZE(inputImage);
    int many = clock().open > 0.0 ? 11 : 6;
    for (int i = 0; i < many * many; i++)
        most = max(most, IMG_NORM_PIXEL(faceUV, tile / RENDERSIZE + wide * (2.0 * vec2(float(i % many), float(i / many)) / float(many - 1) - 1.0)).a);
    return step(0.001, most);
}

void porcelain_face() {
    ivec2 pixel = ivec2(gl_FragCoord.xy);                            // exact reads cost a third of filtered ones
    vec4 plate = texelFetch(inputImage, pixel, 0);
    vec4 here = texelFetch(faceUV, pixel, 0);
    vec2 p = gl_FragCoord.xy;

    Clock now = clock();
    float t = now.t, reach = now.reach, open = now.open, healed = now.healed, flash = now.flash, home = now.home;
    float owner = here.a > 0.0 ? here.b : texelFetch(who, ivec2(p * vec2(textureSize(who, 0)) / RENDERSIZE), 0).r;
    int slot = int(owner * 8.0);
    float eye_px = max(texelFetch(heads, ivec2(slot, 0), 0).z, 1.0), per_uv = eye_px * 2.9 / 48.0;
    vec2 heart = 0.5 * (landmark(slot, 5) + landmark(slot, 425));

    // Which piece covers this pixel: guess one, see what it would bring here, guess again.
    vec2 from = p;
    vec4 there = here;
    bool found = here.a > 0.0 && open <= 0.0;
    float lean = 0.0;
    vec2 start = open > 0.0 ? heart + (p - heart) / (1.0 + 0.75 * impulse * open) : p;
    vec4 guess = IMG_NORM_PIXEL(faceUV, start / RENDERSIZE);
    if (guess.a <= 0.0) guess = here;
    int id = piece(guess.rg);
    for (int i = 0; i < 4; i++) {
        if (found || open <= 0.0 || owner <= 0.0 || guess.a <= 0.0) break;
        int k = id;
        vec4 turn = texelFetch(moves, ivec2(k, slot * 2), 0), way = texelFetch(moves, ivec2(k, slot * 2 + 1), 0);
        from = turn.xy + mat2(turn.z, -turn.w, turn.w, turn.z) * (p - turn.xy - way.xy);
        guess = IMG_NORM_PIXEL(faceUV, from / RENDERSIZE);
        id = piece(guess.rg);
        found = guess.a > 0.0 && id == k;
        lean = way.z;
        there = guess;
    }

    vec3 skin = open > 0.0 ? IMG_NORM_PIXEL(inputImage, from / RENDERSIZE).rgb : plate.rgb;
    float y_skin = luma(skin);
    vec4 form = IMG_NORM_PIXEL(shape, there.rg);
    ivec2 source = clamp(ivec2(from), ivec2(0), ivec2(RENDERSIZE) - 1);
    vec4 parts = texelFetch(faceParts, source, 0);
    vec3 normal = texelFetch(faceNormal, source, 0).xyz;
    float away = length((there.rg - IMPACT) * vec2(1.0, 0.92));
    float tip = smoothstep(0.0, 0.16, reach - away - 0.22 * (form.b - 0.5)) * (1.0 - healed);
    float bare = clamp(1.0 - parts.b - parts.a, 0.0, 1.0);

    // Glaze: ivory, a little harder in contrast, with a soft window's reflection.
    float gone = porcelain * tip * there.a * (1.0 - parts.b) * (1.0 - 0.65 * parts.g) * (1.0 - parts.a);
    float tone = y_skin * (1.06 + 0.30 * y_skin * (1.0 - y_skin));
    float sheen = pow(clamp(dot(normal, vec3(-0.33, 0.50, 0.80)), 0.0, 1.0), 22.0);
    vec3 glaze = tone * mix(vec3(1.0, 0.965, 0.92), vec3(0.94, 0.98, 1.03), y_skin) + 0.22 * sheen * (0.3 + y_skin);
    skin = mix(skin, glaze, gone * 0.85);
    skin *= 1.0 + 0.9 * lean;                                     // a piece that leans takes other light

    // The crack: dark, with a chipped lit rim toward the light and embers deep in it.
    // Widest at the blow, hairlines far off; some run thin, some not at all until late.
    float edge = crack_at(there.rg) * per_uv;
    float some = IMG_NORM_PIXEL(shape, there.rg * 2.1 + 0.17).b;
    float force = (0.22 + 1.5 * exp(-3.6 * away)) * smoothstep(0.20, 0.62, some + 0.30 * tip + 0.5 * open);
    float half_px = gap * 0.0085 * eye_px * force * tip + 0.35 * tip;
    float crack = (1.0 - smoothstep(half_px - 0.6, half_px + 0.7, edge)) * step(0.001, tip);
    crack *= clamp(force * 3.5 * (0.4 + 0.012 * eye_px), 0.0, 1.0);
    float lit_side = crack_at(there.rg + vec2(0.0024, -0.0032)) * per_uv - edge;
    float chip = exp(-max(edge - half_px, 0.0) / (0.010 * eye_px + 0.5)) * tip;
    skin += skin * chip * clamp(lit_side / (0.008 * eye_px + 0.3), -0.7, 1.0) * 0.45 * min(force * 1.6, 1.0);
    vec4 every_edge = IMG_NORM_PIXEL(edges, there.rg);
    float fine = min(every_edge.b, cells == 0 ? every_edge.g : every_edge.r) * per_uv;
    float hair = (1.0 - smoothstep(0.2, 0.9 + 0.002 * eye_px, fine)) * smoothstep(0.05, 0.45, reach - away - 0.1) * (1.0 - healed);
    skin *= 1.0 - 0.22 * hair * bare * (0.4 + 0.6 * porcelain);

    float young = exp(-4.0 * fract(t)) * smoothstep(0.30, 0.02, abs(reach - away - 0.10));
    // The hole: deep and dark at its rim, so that it has an inside. One look serves it and the cracks.
    float heat = found ? glow * (0.55 + 1.8 * young + 1.5 * flash + 1.6 * home) * tip : glow * (0.35 + 0.9 * flash) * smoothstep(0.1, 0.9, here.a);
    vec3 fire = interior(found ? there.rg : here.rg + 0.06 * (here.rg - 0.5), heat);
    vec3 below = mix(plate.rgb, 1.0 - exp(-1.4 * fire), smoothstep(0.0, 0.30, here.a) * smoothstep(0.0, 0.06, open));
    vec3 core = mix(skin * 0.10, 1.0 - exp(-2.2 * fire), inside == 2 ? 0.3 : clamp(heat, 0.0, 1.0));
    // At the closing, and along a fresh crack, light leaks over the skin.
    vec3 warm = inside == 0 ? vec3(1.0, 0.42, 0.14) : inside == 1 ? vec3(0.42, 0.50, 1.0) : vec3(0.0);
    vec3 leak = warm * (0.16 * heat * exp(-edge / (0.050 * eye_px + 0.5)) * (0.25 + y_skin));
    skin = 1.0 - (1.0 - min(skin, 1.0)) * exp(-leak * bare);
    float joined = 1.0 - smoothstep(0.02, 0.20, open);
    vec3 c = mix(skin, core, crack * bare * joined);
    // Flying, a piece ends at its crack; its broken edge is white clay.
    float solid = mix(1.0, smoothstep(0.2, 1.3, edge), 1.0 - joined) * smoothstep(0.0, 0.35, there.a);
    float clay = (1.0 - joined) * (1.0 - smoothstep(0.5, 1.2 + 0.010 * eye_px, edge)) * bare;
    c = mix(c, vec3(0.86, 0.83, 0.79) * (0.25 + 0.75 * y_skin) + warm * 0.5 * flash * glow, clay * 0.75);
    gl_FragColor = vec4(mix(below, c, found ? (open > 0.0 ? solid : smoothstep(0.0, 0.5, here.a)) : 0.0), plate.a);
}

void main() {
    ivec2 texel = ivec2(gl_FragCoord.xy);
    if (PASSINDEX == 0) gl_FragColor = head_of(texel.x, texel.y);
    else if (PASSINDEX == 1) gl_FragColor = vec4(nearest_head(isf_FragNormCoord * IMG_SIZE(inputImage)), 0.0, 0.0, 1.0);
    else if (PASSINDEX == 2) gl_FragColor = move_of(texel.x, texel.y >> 1, texel.y & 1);
    else if (PASSINDEX == 3) gl_FragColor = vec4(near_face(gl_FragCoord.xy));
    else porcelain_face();
}
