/*{
  "ISFVSN": "2",
  "DESCRIPTION": "Power rises through the vessels of the face: light runs from jaw and temples to the eyes on the beat and glows through the skin (E30)",
  "CREDIT": "kfx",
  "CATEGORIES": ["Face", "Light"],
  "INPUTS": [
    {"NAME": "inputImage", "TYPE": "image"},
    {"NAME": "faceUV", "TYPE": "image"},
    {"NAME": "faceNormal", "TYPE": "image"},
    {"NAME": "faceParts", "TYPE": "image"},
    {"NAME": "faceData", "TYPE": "image"},
    {"NAME": "kfx_scale", "TYPE": "float"},
    {"NAME": "beat", "TYPE": "float"},
    {"NAME": "energy", "TYPE": "float"},
    {"NAME": "colour", "TYPE": "color", "DEFAULT": [0.42, 0.58, 1.0, 1.0], "DOC": "colour of the power; its core burns to white"},
    {"NAME": "emissive", "TYPE": "float", "DEFAULT": 1.0, "MIN": 0.0, "MAX": 4.0, "DOC": "how bright the vessels burn"},
    {"NAME": "rest", "TYPE": "float", "DEFAULT": 0.12, "MIN": 0.0, "MAX": 1.0, "DOC": "what is left of the light between two pulses"},
    {"NAME": "width", "TYPE": "float", "DEFAULT": 1.0, "MIN": 0.4, "MAX": 2.5, "DOC": "width of the vessels"},
    {"NAME": "glow", "TYPE": "float", "DEFAULT": 0.5, "MIN": 0.0, "MAX": 1.5, "DOC": "light that the flesh scatters round them"},
    {"NAME": "every", "TYPE": "float", "DEFAULT": 2.0, "MIN": 0.5, "MAX": 16.0, "UNIT": "beats", "DOC": "a pulse leaves the roots so often"},
    {"NAME": "travel", "TYPE": "float", "DEFAULT": 1.0, "MIN": 0.25, "MAX": 8.0, "UNIT": "beats", "DOC": "how long it is on its way to the tips"},
    {"NAME": "reach", "TYPE": "float", "DEFAULT": 1.0, "MIN": 0.0, "MAX": 1.0, "DOC": "how far the vessels have grown over the face"}
  ],
  "PASSES": [
    {"TARGET": "under", "WIDTH": "floor($WIDTH*$kfx_scale)", "HEIGHT": "floor($HEIGHT*$kfx_scale)", "FLOAT": true, "REACH_IOD": 0.02},
    {}
  ],
  "IMPORTED": {
    "veins": {"PATH": "textures/veins.png"},
    "liquid": {"PATH": "textures/liquid.png", "WRAP": "repeat"}
  },
  "KFX": {"region": "face", "pointwise": true}
}*/

float luma(vec3 c) { return dot(c, vec3(0.2126, 0.7152, 0.0722)); }

// What is smooth: rg where on the unrolled face, with the noise that makes edges drawn by hand; b how much
// skin there is; a a pixel in iod.
vec4 under_at() {
    vec4 uv = IMG_THIS_PIXEL(faceUV);
    vec4 parts = IMG_THIS_PIXEL(faceParts);
    vec2 wander = IMG_NORM_PIXEL(liquid, uv.xy * 2.2 + fract(kfx_seed * vec2(0.7549, 0.5698))).rg - 0.5;
    int slot = int(uv.b * 8.0);
    float pixel = 0.75 / max(distance(texelFetch(faceData, ivec2(468, slot), 0).xyz, texelFetch(faceData, ivec2(473, slot), 0).xyz), 1.0);
    float cover = smoothstep(0.05, 0.70, uv.a) * (1.0 - parts.b) * (1.0 - parts.a) * (1.0 - 0.7 * parts.g);
    return vec4(uv.xy + wander * 0.012, cover, pixel);
}

void main() {
    if (PASSINDEX == 0) {
        gl_FragColor = under_at();
        return;
    }
    vec4 plate = IMG_THIS_PIXEL(inputImage);
    vec4 uv = IMG_THIS_PIXEL(under);
    gl_FragColor = plate;
    if (uv.b <= 0.0) return;
    float facing = IMG_THIS_PIXEL(faceNormal).z;

    // Distance from the vessel and way along it in iod.
    vec3 map = IMG_NORM_PIXEL(veins, uv.xy).rgb;
    float d = (1.0 - map.r) * 0.12, way = map.g * 3.0;
    float wide = width * (0.0035 + 0.0165 * map.b);

    // The head of a pulse runs out from the roots, its tail cools; the next one follows.
    float grown = 1.0 - smoothstep(reach * 1.9 - 0.25, reach * 1.9, way);
    float t = mod(beat, every);
    float speed = 1.35 / travel;
    float behind = t * speed - way, before = (t + every) * speed - way;
    float head = behind > 0.0 ? exp(-behind * 2.4) * (1.0 - exp(-behind * 40.0)) : 0.0;
    head += before > 0.0 && beat >= every ? exp(-before * 2.4) : 0.0;
    float breath = 0.85 + 0.10 * sin(TIME * 5.3 + way * 9.0);
    float power = (rest * breath + 1.15 * head + 0.5 * energy * rest) * emissive * grown;

    // A burning vessel widens; flesh scatters near it in its own colour, further off redder.
    wide *= 0.8 + 0.35 * min(power, 2.0);
    float pixel = uv.a;
    float thin = clamp(wide / pixel, 0.35, 1.0);        // finer than a pixel: dimmer, never dashed
    wide = max(wide, pixel);
    float core = thin * exp(-(d * d) / (wide * wide)) * smoothstep(0.0, 0.15, map.b + 0.08);
    float inside = smoothstep(0.0, 0.30, map.r) * (0.35 + 0.65 * map.b);
    float flesh = exp(-d / 0.022) * inside, deeper = exp(-d / 0.055) * inside;

    // Under the skin first: the vessel is a bruise that lifts; the light comes up through it.
    float y = luma(plate.rgb);
    float cover = uv.b;
    vec3 tint = max(colour.rgb, vec3(0.02));
    vec3 deep = tint * tint;
    float bruise = grown * exp(-(d * d) / (3.0 * wide * wide + 0.00012)) * (0.35 + 0.65 * map.b) * cover;
    vec3 skin = plate.rgb * (1.0 - bruise * ((vec3(0.46, 0.42, 0.30) - 0.12 * deep) * thin * (1.0 + 0.5 * min(power, 1.0))));
    vec3 hot = mix(tint, vec3(1.0), clamp(core * core * power * 0.7, 0.0, 0.9));
    vec3 blood = deep * 0.6 + vec3(0.30, 0.07, 0.06);
    vec3 light = hot * core * power * 1.5 + (tint * flesh * 0.85 + blood * deeper * 0.75) * power * glow * 3.2;
    // What arrives gathers round the eyes.
    vec2 eye = (vec2(abs(uv.x - 0.5), uv.y) - vec2(0.15, 0.675)) / vec2(0.115, 0.075);
    float came = max(t * speed - 0.75, 0.0);
    float arrived = came * exp(1.0 - came * 3.0) * 3.0 + (beat >= every ? exp(-(before + way) * 1.6) : 0.0);
    light += tint * exp(-dot(eye, eye)) * (0.10 * rest + 0.30 * min(arrived, 1.0)) * emissive * glow * grown;
    light *= (0.55 + 0.75 * y) * (0.45 + 0.55 * clamp(facing * 1.4, 0.0, 1.0));
    light = 1.0 - exp(-1.5 * light);
    gl_FragColor.rgb = mix(plate.rgb, 1.0 - (1.0 - skin) * (1.0 - light), cover);
}
