/*{
  "ISFVSN": "2",
  "DESCRIPTION": "Make-up that stays on: glitter under the eyes, a fine-line tattoo, head-up marks, rhinestones or a picture of yours, pinned to the skin (E50)",
  "CREDIT": "kfx",
  "CATEGORIES": ["Face", "Make-up"],
  "INPUTS": [
    {"NAME": "inputImage", "TYPE": "image"},
    {"NAME": "faceUV", "TYPE": "image"},
    {"NAME": "faceNormal", "TYPE": "image"},
    {"NAME": "faceParts", "TYPE": "image"},
    {"NAME": "faceData", "TYPE": "image"},
    {"NAME": "kfx_scale", "TYPE": "float"},
    {"NAME": "beat", "TYPE": "float"},
    {"NAME": "decal", "TYPE": "image", "DOC": "a picture with alpha, drawn on the unrolled face; none = the design below"},
    {"NAME": "design", "TYPE": "long", "VALUES": [0, 1, 2, 3], "LABELS": ["glitter", "fine line", "head-up", "rhinestones"], "DEFAULT": 0, "DOC": "what is worn where no picture is given"},
    {"NAME": "mode", "TYPE": "long", "VALUES": [0, 1, 2, 3], "LABELS": ["as it is", "multiply", "screen", "lit"], "DEFAULT": 0, "DOC": "how it lies on the skin: ink, light or paint; 0 chooses for the design"},
    {"NAME": "amount", "TYPE": "float", "DEFAULT": 0.9, "MIN": 0.0, "MAX": 1.0, "DOC": "how much of it is seen"},
    {"NAME": "colour", "TYPE": "color", "DEFAULT": [1.0, 1.0, 1.0, 1.0], "DOC": "dyes it; white leaves it its own colours"},
    {"NAME": "sparkle", "TYPE": "float", "DEFAULT": 1.0, "MIN": 0.0, "MAX": 3.0, "DOC": "how strongly flakes, stones and marks flash"},
    {"NAME": "size", "TYPE": "float", "DEFAULT": 1.0, "MIN": 0.2, "MAX": 3.0, "DOC": "scales picture or design about the middle of the face"},
    {"NAME": "position", "TYPE": "point2D", "DEFAULT": [0.0, 0.0], "MIN": [-0.5, -0.5], "MAX": [0.5, 0.5], "DOC": "moves it over the unrolled face, right and up"}
  ],
  "IMPORTED": {
    "lines": {"PATH": "textures/decals.png"},
    "studio": {"PATH": "textures/studio.png"}
  },
  "KFX": {"region": "face"}
}*/

const vec2 IOD = vec2(0.292, 0.368);                 // what one iod is in canonical UV

float luma(vec3 c) { return dot(c, vec3(0.2126, 0.7152, 0.0722)); }
vec3 mirrored(vec2 n) {
    vec3 c = IMG_NORM_PIXEL(studio, vec2(0.25, 0.75) + n * (0.24 / max(1.0, length(n) / 0.97))).rgb;
    return c * c * 3.0;
}
uint mixed(uint x) {
    x ^= x >> 16; x *= 0x7feb352du; x ^= x >> 15; x *= 0x846ca68bu; x ^= x >> 16;
    return x;
}
vec4 chances(vec2 cell, uint layer) {
    uint h = mixed(uint(int(cell.x) + 512) + (uint(int(cell.y) + 512) << 10) + (layer << 20) + uint(int(kfx_seed)) * 0x9e3779b9u);
    return vec4(float(h & 255u), float((h >> 8) & 255u), float((h >> 16) & 255u), float(h >> 24)) / 255.0;
}

// Flakes in cells of 1 / `fine` iod. rgb what they flash, a how much of the skin they cover.
vec4 flakes(vec2 p, vec2 facing, float fine, float strewn, float pixel, uint layer) {
    vec2 grid = p * fine, cell = floor(grid);
    vec4 r = chances(cell, layer);
    if (r.x >= strewn) return vec4(0.0);
    vec4 s = chances(cell, layer + 7u);
    float radius = 0.17 + 0.20 * s.w * s.w;
    vec2 d = grid - cell - 0.5 - (s.xy - 0.5) * (1.0 - 2.0 * radius);
    float turn = r.y * 3.1416;
    d = vec2(d.x * cos(turn) + d.y * sin(turn), d.y * cos(turn) - d.x * sin(turn));
    float shape = max(abs(d.x), 0.5 * abs(d.x) + 0.866 * abs(d.y));      // cut as hexagons
    float blur = fine * pixel;
    float body = clamp((radius - shape) / max(blur, 0.02) + 0.5, 0.0, 1.0) * min(1.0, 2.2 * radius / max(blur, 1e-3));
    // A flake flashes when it stands right between lamp and lens: as the face moves, others do.
    vec2 lie = (r.zw - 0.5) * 1.5 + facing * 2.2;
    float flash = exp(-dot(lie, lie) * 5.5);
    vec3 own = mix(vec3(1.0, 0.72, 0.62), vec3(0.72, 0.86, 1.0), smoothstep(0.35, 0.65, s.z));
    own = mix(own, vec3(1.0, 0.90, 0.72), step(0.8, s.z));
    return vec4(own * (0.48 + 3.4 * flash * sparkle) + flash * sparkle * 0.8, body);
}


void main() {
    vec4 plate = IMG_THIS_PIXEL(inputImage);
    vec4 uv = IMG_THIS_PIXEL(faceUV);
    gl_FragColor = plate;
    if (uv.a <= 0.0) return;
    vec4 parts = IMG_THIS_PIXEL(faceParts);
    vec3 normal = IMG_THIS_PIXEL(faceNormal).xyz;
    int slot = int(uv.b * 8.0);
    vec4 right = texelFetch(faceData, ivec2(468, slot), 0), left = texelFetch(faceData, ivec2(473, slot), 0);
    float pixel = 1.0 / max(distance(right.xyz, left.xyz), 1.0);         // a pixel in iod

    vec2 at = (uv.xy - 0.5 - position) / size;
    vec2 p = at / IOD;
    pixel /= size;
    float y = luma(plate.rgb);
    float lit = 0.18 + 1.05 * y;
    vec3 ground = plate.rgb;
    vec4 art = vec4(0.0);
    float glow = 0.0;
    int lies = mode;

    ivec2 given = textureSize(decal, 0);
    bool own = given.x <= 1 || given.y <= 1;
    if (!own) {
        vec2 q = at + 0.5;
        if (q == clamp(q, 0.0, 1.0)) art = IMG_NORM_PIXEL(decal, q);
        art.rgb *= colour.rgb;
        if (lies == 0) lies = 3;
    }
    if (own && design == 0 && abs(abs(p.x) - 0.60) < 0.52 && abs(p.y - 0.25) < 0.30) {
        // Thick under the lashes and in the inner corner, thinning out over the cheekbone.
        vec2 e = vec2(abs(p.x), p.y) - vec2(0.50, 0.455);
        float under = exp(-pow((length(e * vec2(0.82, 1.0) - vec2(0.03, 0.10)) - 0.30) / 0.10, 2.0)) * smoothstep(0.02, -0.10, e.y - 0.25 * e.x);
        under += 0.75 * exp(-dot(e - vec2(0.30, -0.19), e - vec2(0.30, -0.19)) / 0.045) + 0.7 * exp(-dot(e + vec2(0.25, 0.05), e + vec2(0.25, 0.05)) / 0.006);
        if (under < 0.02) under = 0.0;
        vec2 facing = normal.xy + 0.10 * vec2(sin(TIME * 0.7), cos(TIME * 0.53)) + vec2(0.12, -0.10);
        vec4 dust = flakes(p, facing, 46.0, min(0.75, under), pixel, 3u), big = flakes(p, facing, 19.0, min(0.62, under * under * 0.9), pixel, 11u);
        art = vec4(mix(dust.rgb, big.rgb, big.a), max(dust.a * 0.85, big.a));
        art.rgb = (1.0 - exp(-art.rgb * (0.35 + 0.9 * y))) * colour.rgb;
        ground = ground * (1.0 - 0.10 * min(under, 1.0)) + colour.rgb * vec3(0.10, 0.075, 0.075) * min(under, 1.0) * y;    // the gel under it shines
        if (lies == 0) lies = 2;
        glow = dot(art.rgb, art.rgb) > 1.6 ? 0.25 : 0.0;
    }
    if (own && design == 3 && abs(abs(p.x) - 0.53) < 0.42 && abs(p.y - 0.17) < 0.28) {
        vec3 stones[8] = vec3[8](vec3(0.21, 0.335, 0.030), vec3(0.31, 0.262, 0.038), vec3(0.43, 0.215, 0.046), vec3(0.565, 0.208, 0.054), vec3(0.70, 0.245, 0.046), vec3(0.815, 0.325, 0.036), vec3(0.565, 0.072, 0.034), vec3(0.565, -0.030, 0.022));
        for (int i = 0; i < 8; i++) {
            vec2 q = (vec2(abs(p.x), p.y) - stones[i].xy) / stones[i].z;
            float r = length(q);
            if (r < 2.2) {
            q.x *= sign(p.x);
            // It stands on the skin: a shadow to the lower right, a caustic beside it.
            float shade = smoothstep(1.75, 0.7, length(q - vec2(0.22, -0.30)));
            ground *= 1.0 - 0.48 * shade * amount;
            // A brilliant: a table, eight crown facets and sixteen small ones below them.
            float a = atan(q.y, q.x) / 0.7853982 + 0.37 * float(i);
            float outer = step(0.74, r * (0.94 + 0.08 * abs(fract(a) - 0.5)));
            float facet = mix(floor(a) + 0.5, floor(a * 2.0) * 0.5 + 0.25, outer) - 0.37 * float(i);
            vec2 lean = vec2(cos(facet * 0.7853982), sin(facet * 0.7853982)) * (r < 0.50 ? 0.05 : mix(0.52, 0.78, outer));
            vec4 luck = chances(vec2(float(i), floor(facet * 2.0) + (p.x > 0.0 ? 40.0 : 80.0)), uint(outer) + 2u);
            vec3 front = mirrored(normal.xy + lean), back = mirrored(-1.35 * normal.xy - 0.9 * lean + (luck.xy - 0.5) * 1.1);
            vec3 stone = 0.55 * front + 0.85 * back * (0.55 + 0.9 * luck.z) + 0.16;
            vec2 lie = (luck.xy - 0.5) * 1.2 + normal.xy * 2.0 + 0.10 * vec2(sin(TIME * 0.9), cos(TIME * 0.7));
            stone += sparkle * 2.6 * exp(-dot(lie, lie) * 9.0);
            stone *= mix(vec3(0.90, 0.95, 1.0), vec3(1.0, 0.93, 0.97), luck.w) * colour.rgb * (0.30 + 0.85 * y);
            float cut = clamp((1.0 - r) * stones[i].z / max(pixel, 1e-4) + 0.5, 0.0, 1.0);
            art = vec4(mix(art.rgb, 1.0 - exp(-1.9 * stone), cut), max(art.a, cut));
            }
        }
        if (lies == 0) lies = 4;
    }
    if (own && (design == 1 || design == 2)) {
        vec2 q = clamp(at + 0.5, 0.0, 1.0);
        vec2 field = (IMG_NORM_PIXEL(lines, q).rg - 0.5) * 0.12;          // iod, above 0 in the stroke
        float d = design == 1 ? field.x : field.y;
        float soft = max(pixel * 0.75, 0.0022);
        art.a = smoothstep(-soft, soft, d + 0.45 * max(pixel - 0.005, 0.0)) * (design == 1 ? 0.88 : 0.80);
        art.rgb = (design == 1 ? vec3(0.075, 0.085, 0.125) : vec3(0.36, 0.84, 1.0)) * colour.rgb;
        glow = design == 1 ? 0.0 : exp(min(d, 0.0) / 0.020) * 0.42 * (0.7 + 0.5 * sparkle * exp(-5.0 * fract(beat)));
        // Ink spreads a little under the skin.
        if (design == 1) ground *= 1.0 - 0.10 * exp(min(d, 0.0) / 0.010) * amount * vec3(1.0, 0.9, 0.75);
        if (lies == 0) lies = design == 1 ? 1 : 2;
    }

    vec3 worn = art.rgb;
    if (lies == 1) worn = ground * mix(art.rgb, vec3(1.0), 0.06) + 0.02 * y;          // ink
    if (lies == 2) worn = 1.0 - (1.0 - ground * (design == 0 ? 0.88 : 0.72)) * (1.0 - min(art.rgb, 1.0));    // light
    if (lies == 3) worn = art.rgb * min(lit * 1.15, 1.3) + 0.10 * smoothstep(0.6, 1.0, y);    // paint
    vec3 shown = mix(ground, worn, art.a * amount);
    shown = 1.0 - (1.0 - shown) * (1.0 - clamp(art.rgb * glow * amount, 0.0, 1.0));
    float cover = smoothstep(0.0, 0.45, uv.a) * (1.0 - parts.b) * (1.0 - parts.a) * (1.0 - (design == 0 ? 0.6 : 0.0) * parts.g);
    gl_FragColor.rgb = mix(plate.rgb, clamp(shown, 0.0, 1.0), cover);
}
