/*{
  "ISFVSN": "2",
  "DESCRIPTION": "The tracker's own mesh drawn in light on the skin: fine lines, vertices that spark, a scan pulse that runs from the nose on the beat (E26)",
  "CREDIT": "kfx",
  "CATEGORIES": ["Face", "Surface"],
  "INPUTS": [
    {"NAME": "inputImage", "TYPE": "image"},
    {"NAME": "faceUV", "TYPE": "image"},
    {"NAME": "faceNormal", "TYPE": "image"},
    {"NAME": "faceParts", "TYPE": "image"},
    {"NAME": "faceData", "TYPE": "image"},
    {"NAME": "kfx_scale", "TYPE": "float"},
    {"NAME": "beat", "TYPE": "float"},
    {"NAME": "lines", "TYPE": "long", "VALUES": [0, 1], "LABELS": ["mesh", "contours"], "DEFAULT": 0, "DOC": "every edge of the mesh, or lids, lips, brows and oval alone"},
    {"NAME": "width", "TYPE": "float", "DEFAULT": 1.0, "MIN": 0.5, "MAX": 3.0, "DOC": "thickness of a line; 1 = a hundredth of the inter-ocular distance"},
    {"NAME": "every", "TYPE": "float", "DEFAULT": 2.0, "MIN": 0.5, "MAX": 16.0, "UNIT": "beats", "DOC": "a pulse leaves the nose so often, first on beat 0"},
    {"NAME": "pulse", "TYPE": "float", "DEFAULT": 1.0, "MIN": 0.0, "MAX": 3.0, "DOC": "brightness of the pulse over the resting lines"},
    {"NAME": "rest", "TYPE": "float", "DEFAULT": 0.3, "MIN": 0.0, "MAX": 1.0, "DOC": "brightness of the lines that the pulse has left"},
    {"NAME": "dots", "TYPE": "float", "DEFAULT": 0.8, "MIN": 0.0, "MAX": 2.0, "DOC": "brightness of the vertices"},
    {"NAME": "dim", "TYPE": "float", "DEFAULT": 0.28, "MIN": 0.0, "MAX": 1.0, "DOC": "how far the skin under the mesh goes down and cold"},
    {"NAME": "colour", "TYPE": "color", "DEFAULT": [0.40, 0.82, 1.0, 1.0], "DOC": "colour of the lines at rest; the pulse's head burns white"}
  ],
  "PASSES": [
    {"TARGET": "form", "WIDTH": "floor($WIDTH*$kfx_scale)", "HEIGHT": "floor($HEIGHT*$kfx_scale)", "FLOAT": true, "REACH_IOD": 0.02},
    {}
  ],
  "IMPORTED": {"wire": {"PATH": "textures/face_wire.png"}, "shape": {"PATH": "textures/face_shape.png"}},
  "KFX": {"region": "face", "pointwise": true}
}*/

float luma(vec3 c) { return dot(c, vec3(0.2126, 0.7152, 0.0722)); }

uint mix_bits(uint x) {
    x = (x ^ (x >> 16)) * 0x7feb352du;
    x = (x ^ (x >> 15)) * 0x846ca68bu;
    return x ^ (x >> 16);
}

// What is smooth: r how much of the mesh is seen, g how far the skin goes down, b iod that the pulse's head
// has left behind, a pixels to the iod.
vec4 form_at() {
    vec4 here = IMG_THIS_PIXEL(faceUV);
    int slot = int(here.b * 8.0);
    // Pixels per unit of UV, from the head's height and breadth: turning and nodding change one alone.
    vec2 across = texelFetch(faceData, ivec2(263, slot), 0).xy - texelFetch(faceData, ivec2(33, slot), 0).xy;
    vec2 along = texelFetch(faceData, ivec2(10, slot), 0).xy - texelFetch(faceData, ivec2(152, slot), 0).xy;
    float eye_px = max(max(length(across) / 1.40, length(along) / 2.61), 1.0);
    vec4 form = IMG_NORM_PIXEL(shape, here.rg);
    vec4 parts = IMG_THIS_PIXEL(faceParts);

    // Nearer is brighter; the mesh turns away with the cheek, and leaves eyes and the open mouth alone.
    float depth = 1.0 - 0.75 * smoothstep(0.15, 0.95, form.r);
    float turned = here.a * smoothstep(0.10, 0.55, IMG_THIS_PIXEL(faceNormal).z);
    float bare = clamp(1.0 - parts.b * 0.85 - parts.a * 0.9, 0.0, 1.0);
    // Distance is measured over the skin from the nose tip.
    float front = fract(beat / every) * every * 1.9 + 0.12;       // iod the head has come
    return vec4(depth * turned * bare, turned * clamp(parts.r + parts.g, 0.0, 1.0), front - form.g * 2.4 - 0.05 * (form.b - 0.5), eye_px);
}

void main() {
    if (PASSINDEX == 0) {
        gl_FragColor = form_at();
        return;
    }
    vec4 plate = IMG_THIS_PIXEL(inputImage);
    gl_FragColor = plate;
    vec4 here = IMG_THIS_PIXEL(faceUV);
    if (here.a <= 0.0) return;
    vec4 lies = IMG_THIS_PIXEL(form);
    float eye_px = max(lies.a, 1.0), per_uv = eye_px * 2.9;
    vec4 field = IMG_NORM_PIXEL(wire, here.rg);

    // Lines have the thickness of drawn light, but never under a pixel: thinner ones go darker.
    float want = width * 0.0045 * eye_px;
    float half_px = max(want, 0.45);
    float thin = clamp(want / half_px, 0.30, 1.0);
    float px = (lines == 1 ? field.b : field.r) * per_uv / 48.0;
    float line = (1.0 - smoothstep(half_px - 0.45, half_px + 0.65, px)) * thin;
    float aura = exp(-px / (0.016 * eye_px + 0.6)) * 0.22;       // light that the skin scatters
    float dot_px = field.g * per_uv / 48.0;
    float dot_half = max(0.013 * eye_px * (0.6 + 0.4 * width), 0.7);
    float spot = 1.0 - smoothstep(dot_half - 0.6, dot_half + 0.6, dot_px);

    // Vertices spark in their own time. The hash wants a cell: a 24th of the face.
    float hit = floor(beat / every);
    uvec2 cell = uvec2(here.rg * 24.0);
    uint seed = cell.x + (cell.y << 8) + (uint(max(hit, 0.0)) << 16) + floatBitsToUint(kfx_seed);
    float lottery = float(mix_bits(seed) >> 8) / 16777216.0;

    // The pulse: a bright head with a long tail.
    float phase = fract(beat / every) * every, behind = lies.b;
    float wave = behind > 0.0 ? exp(-behind * 2.6) : exp(behind * 14.0);
    float head = exp(-behind * behind * 60.0);
    wave *= exp(-phase * 0.35) * pulse;
    head *= exp(-phase * 0.35) * pulse;

    float seen = lies.r;
    float y = luma(plate.rgb);
    float flame = rest + 1.6 * wave;
    vec3 hot = mix(colour.rgb, vec3(1.0, 0.97, 0.90), clamp(head + 0.15 * wave, 0.0, 1.0));
    float spark = dots * spot * (lines == 1 ? line : 1.0);
    spark *= rest * 0.9 + 1.9 * wave + 2.2 * step(0.90, lottery) * exp(-phase * 2.2);
    // The line itself covers, so that it keeps its colour on pale skin; its light adds.
    float cover = 1.0 - exp(-(1.9 * line * flame + spark) * seen);
    vec3 light = colour.rgb * aura * (0.8 * flame + 2.0 * head);
    light += colour.rgb * colour.rgb * y * (0.60 * head + 0.14 * wave);   // the skin it runs over

    vec3 cold = vec3(0.66, 0.88, 1.10) * y * (0.55 + 0.45 * y);
    vec3 skin = mix(plate.rgb, cold, dim * lies.g);
    vec3 lit = 1.0 - (1.0 - skin) * exp(-light * seen);
    gl_FragColor = vec4(mix(lit, hot, cover), plate.a);
}
