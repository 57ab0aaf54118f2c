/*{
  "ISFVSN": "2",
  "DESCRIPTION": "Liquid metal runs over the face and mirrors a portrait studio; eyes, teeth and every line of the expression stay alive (E21)",
  "CREDIT": "kfx",
  "CATEGORIES": ["Face", "Material"],
  "INPUTS": [
    {"NAME": "inputImage", "TYPE": "image"},
    {"NAME": "faceUV", "TYPE": "image"},
    {"NAME": "faceNormal", "TYPE": "image"},
    {"NAME": "faceParts", "TYPE": "image"},
    {"NAME": "faceData", "TYPE": "image"},
    {"NAME": "beat", "TYPE": "float"},
    {"NAME": "kfx_scale", "TYPE": "float"},
    {"NAME": "amount", "TYPE": "float", "DEFAULT": 1.0, "MIN": 0.0, "MAX": 1.0, "DOC": "how much of the skin the metal hides"},
    {"NAME": "detail", "TYPE": "float", "DEFAULT": 0.35, "MIN": 0.0, "MAX": 1.0, "DOC": "how far pores, folds and brows bend the reflections"},
    {"NAME": "roughness", "TYPE": "float", "DEFAULT": 0.2, "MIN": 0.0, "MAX": 1.0, "DOC": "0 = mercury, 1 = brushed steel"},
    {"NAME": "wipe", "TYPE": "long", "VALUES": [0, 1, 2, 3, 4], "LABELS": ["up", "down", "from the nose", "to the right", "to the left"], "DEFAULT": 0, "DOC": "which way the metal runs"},
    {"NAME": "beats", "TYPE": "float", "DEFAULT": 2.0, "MIN": 0.0, "MAX": 16.0, "UNIT": "beats", "DOC": "how long it takes to cover the face; 0 = it is there"},
    {"NAME": "every", "TYPE": "float", "DEFAULT": 16.0, "MIN": 0.0, "MAX": 64.0, "UNIT": "beats", "DOC": "it drains away and comes again so often; 0 = it stays"},
    {"NAME": "reach", "TYPE": "float", "DEFAULT": 1.0, "MIN": 0.0, "MAX": 1.0, "DOC": "how far it runs on over forehead, ears and throat; 0 = the face alone"},
    {"NAME": "tint", "TYPE": "color", "DEFAULT": [0.93, 0.96, 1.0, 1.0], "DOC": "colour of the metal"}
  ],
  "PASSES": [
    {"TARGET": "meter", "WIDTH": "8", "HEIGHT": "2", "FLOAT": true},
    {"TARGET": "room", "WIDTH": "40", "HEIGHT": "24"},
    {"TARGET": "light", "WIDTH": "floor($WIDTH*$kfx_scale/2.0)", "HEIGHT": "floor($HEIGHT*$kfx_scale/2.0)", "FLOAT": true, "REACH_IOD": 0.05},
    {"TARGET": "metal", "WIDTH": "floor($WIDTH*$kfx_scale)", "HEIGHT": "floor($HEIGHT*$kfx_scale)", "REACH_IOD": 0.02},
    {}
  ],
  "IMPORTED": {
    "studio": {"PATH": "textures/studio.png"},
    "liquid": {"PATH": "textures/liquid.png", "WRAP": "repeat"}
  },
  "KFX": {"region": "face", "margin_iod": 0.5, "edge": "skin"}
}*/

float luma(vec3 c) { return dot(c, vec3(0.2126, 0.7152, 0.0722)); }
vec4 landmark(int slot, int i) { return texelFetch(faceData, ivec2(i, slot), 0); }
float light_at(vec2 p) { return luma(IMG_PIXEL(inputImage, p).rgb); }

// One of the four balls of the sheet, and the two between which the roughness lies.
vec3 ball(vec2 n, float level) {
    vec2 corner = vec2(mod(level, 2.0), level < 1.5 ? 1.0 : 0.0) * 0.5;
    vec3 c = IMG_NORM_PIXEL(studio, corner + 0.25 + n * 0.242).rgb;
    return c * c * 3.0;
}
vec3 mirrored(vec2 n, float rough) {
    float l = dot(n, n);
    n *= 0.97 * pow(1.0 + l * l * l * l, -0.125);    // grazing skin crowds at the rim, softly
    float level = clamp(rough, 0.0, 1.0) * 3.0, low = min(floor(level), 2.0);
    return mix(ball(n, low), ball(n, low + 1.0), level - low);
}


// Row 0: how a face is lit, by twelve places of its skin, so that one spark can't swing it; its size in
// pixels. Row 1: its nose, and the way to its left.
vec4 meter_of(int slot, int line) {
    float scale = distance(landmark(slot, 468).xyz, landmark(slot, 473).xyz);
    if (line == 1) return vec4(landmark(slot, 4).xy, (landmark(slot, 263).xy - landmark(slot, 33).xy) / max(scale, 1.0));
    int places[12] = int[12](50, 280, 151, 9, 205, 425, 67, 297, 119, 348, 36, 266);
    vec3 sum = vec3(0.0);
    for (int i = 0; i < 12 && landmark(slot, 1).w > 0.0; i++) sum += IMG_PIXEL(inputImage, landmark(slot, places[i]).xy).rgb;
    return vec4(sum / 12.0, scale);
}

// The place itself, far out of focus: what is beside the performer lies in the metal too.
vec4 room_at(vec2 at) {
    vec3 sum = vec3(0.0);
    for (int i = 0; i < 16; i++) sum += IMG_NORM_PIXEL(inputImage, at + (vec2(i & 3, i >> 2) - 1.5) / vec2(80.0, 48.0)).rgb;
    return vec4(sum / 16.0, 1.0);
}

// The skin's own shading without its pores: its mean and its slope over a cheek's width; a: eyes near by.
vec4 light_round(vec2 at) {
    vec4 uv = IMG_NORM_PIXEL(faceUV, at);
    int slot = int(uv.b * 8.0);
    float scale = texelFetch(meter, ivec2(slot, 0), 0).a;
    float a = max(0.8, scale * 0.026), b = scale * 0.075;
    vec2 p = at * IMG_SIZE(inputImage);
    float near = light_at(p + vec2(a, 0.0)) + light_at(p - vec2(a, 0.0)) + light_at(p + vec2(0.0, a)) + light_at(p - vec2(0.0, a));
    float ne = light_at(p + vec2(b, b)), nw = light_at(p + vec2(-b, b)), se = light_at(p + vec2(b, -b)), sw = light_at(p - vec2(b, b));
    vec2 px = 0.030 * scale / IMG_SIZE(inputImage);
    float open = IMG_NORM_PIXEL(faceParts, at + vec2(0.0, px.y)).b + IMG_NORM_PIXEL(faceParts, at - vec2(0.0, px.y)).b
               + IMG_NORM_PIXEL(faceParts, at + vec2(px.x, 0.0)).b + IMG_NORM_PIXEL(faceParts, at - vec2(px.x, 0.0)).b;
    return vec4(near * 0.08 + (ne + nw + se + sw) * 0.17, ne + se - nw - sw, ne + nw - se - sw, open);
}

// The metal with its cover, of which what is left of the plate is taken: premultiplied.
vec4 metal_at(vec2 here) {
    vec4 uv = IMG_THIS_PIXEL(faceUV);

    // The field is above 0 under the metal: behind the front that runs, and inside the oval.
    vec2 at = uv.xy * 0.55 + fract(kfx_seed * vec2(0.754, 0.569));
    vec3 warp = IMG_NORM_PIXEL(liquid, at).rgb - 0.5;
    vec3 fine = IMG_NORM_PIXEL(liquid, uv.yx * 1.6).rgb - 0.5;
    float ease = max(beats, 0.01);
    float t = every > 0.0 ? mod(beat, every) : beat;
    float run = beats > 0.0 ? clamp(t / ease, 0.0, 1.0) : 1.0;
    run = run * (2.0 - run);
    if (every > 0.0) run -= smoothstep(every - ease, every, t);
    float along = wipe == 0 ? uv.y : wipe == 1 ? 1.0 - uv.y : wipe == 2 ? 1.35 * distance(uv.xy, vec2(0.5, 0.48)) : wipe == 3 ? uv.x : 1.0 - uv.x;
    float field = run * 1.94 - 0.46 - along + 0.30 * warp.x + 0.05 * fine.y;
    if (uv.a <= 0.0 || field < -0.07) return vec4(0.0);

    vec4 plate = IMG_NORM_PIXEL(inputImage, here);
    vec4 parts = IMG_THIS_PIXEL(faceParts);
    vec4 turned = IMG_THIS_PIXEL(faceNormal);
    vec3 normal = turned.xyz;
    uv.a = mix(turned.a, uv.a, reach);
    int slot = int(uv.b * 8.0);
    vec4 lit = texelFetch(meter, ivec2(slot, 0), 0), lie = texelFetch(meter, ivec2(slot, 1), 0);
    float scale = lit.a;
    vec2 p = here * IMG_SIZE(inputImage);

    // Pores and folds from the plate's own light, at two sizes; their mean is its shading.
    float a = max(0.8, scale * 0.026);
    float e = light_at(p + vec2(a, 0.0)), w = light_at(p - vec2(a, 0.0)), n = light_at(p + vec2(0.0, a)), s = light_at(p - vec2(0.0, a));
    vec4 around = IMG_NORM_PIXEL(light, here);
    float mean = around.r;
    float key = max(luma(lit.rgb), 0.04);
    vec2 bend = (vec2(e - w, n - s) * 0.7 + around.gb * 0.60) * detail * 1.7 / (mean + 0.3 * key + 0.03);
    bend /= 1.0 + 2.2 * length(bend);                // a fold, never a torn sheet

    // A thick bead where the metal ends, standing on the skin. Its slope comes from the noise tile
    // a step further: the UV image is too coarse to be differentiated where a face fills the frame.
    float bead = exp(-max(field, 0.0) / 0.016);
    vec2 outward = vec2(0.0);
    if (bead > 0.01) {
        vec2 rise = vec2(IMG_NORM_PIXEL(liquid, at + vec2(0.02, 0.0)).r, IMG_NORM_PIXEL(liquid, at + vec2(0.0, 0.02)).r) - 0.5 - warp.x;
        vec2 way = wipe == 0 ? vec2(0.0, 1.0) : wipe == 1 ? vec2(0.0, -1.0) : wipe == 2 ? (uv.xy - vec2(0.5, 0.48)) / max(distance(uv.xy, vec2(0.5, 0.48)), 0.02) : wipe == 3 ? vec2(1.0, 0.0) : vec2(-1.0, 0.0);
        way -= rise * 0.30 * 0.55 / 0.02;
        outward = lie.zw * way.x + vec2(-lie.w, lie.z) * way.y;
        outward /= max(length(outward), 1e-3);
    }
    vec2 centre = (p - lie.xy) / max(scale, 1.0);
    vec2 m = normal.xy * 1.04 + 0.10 * centre * vec2(1.0, 0.7) - bend + 0.05 * warp.xy + outward * bead * 0.75;

    vec3 metal = mirrored(m, roughness);
    vec3 outside = IMG_NORM_PIXEL(room, clamp(here + m * vec2(0.34, 0.38), 0.02, 0.98)).rgb;
    metal = metal * (0.55 + 0.80 * key) + outside * outside * (0.12 + 0.30 * dot(m, m));
    // Sockets, the side of the nose, lashes and brows: all that is dark in the plate stays so.
    float hollow = clamp(mean / key, 0.0, 1.5);
    metal *= 0.26 + 0.80 * hollow - 0.14 * hollow * hollow;
    float line = clamp((luma(plate.rgb) + 0.04) / (mean + 0.04), 0.25, 1.35);
    // Lashes and lids keep their drawing even where the tracked opening misses a hair's breadth.
    vec2 eye = (vec2(abs(uv.x - 0.5), uv.y) - vec2(0.146, 0.677)) / vec2(0.085, 0.040);
    float lids = exp(-dot(eye, eye));
    metal *= mix(1.0, line, 0.5 * lids);
    vec3 skin = plate.rgb / max(luma(plate.rgb), 0.06);
    metal *= tint.rgb * mix(vec3(1.0), skin * vec3(1.05, 0.92, 0.95), 0.08 + 0.50 * parts.g);
    metal = 1.0 - exp(-1.45 * metal);

    // Eyes and mouth are flesh; hair over the forehead is no skin. A shadow lies before the front.
    float open = parts.b + (lids > 0.05 ? 0.45 * around.a : 0.0);
    float alive = max(clamp(open, 0.0, 1.0), parts.a);
    float hair = smoothstep(0.10, 0.30, mean / key);
    float edge = max(0.004, 0.5 / max(scale * kfx_scale, 1.0));
    // The G-buffer fades where skin turns away: right at the oval, but no gap round the nose.
    vec2 nose = (uv.xy - vec2(0.5, 0.53)) / vec2(0.10, 0.15);
    float oval = smoothstep(0.02, mix(0.80, 0.10, exp(-dot(nose, nose))), uv.a + 0.12 * fine.x * (1.0 - uv.a));
    float cover = smoothstep(-edge, edge, field) * oval * (1.0 - alive) * (1.0 - 0.25 * lids) * hair * amount;
    float contact = exp(-max(-field, 0.0) / 0.020) * (1.0 - alive) * oval * amount;
    vec3 rim = tint.rgb * bead * (0.10 + 0.55 * pow(clamp(dot(outward, vec2(-0.5, 0.85)), 0.0, 1.0), 3.0)) * key;
    return vec4((metal + rim * (1.0 - metal)) * cover, 1.0 - (1.0 - 0.40 * contact) * (1.0 - cover));
}

void main() {
    if (PASSINDEX == 0) gl_FragColor = meter_of(int(gl_FragCoord.x), int(gl_FragCoord.y));
    else if (PASSINDEX == 1) gl_FragColor = room_at(isf_FragNormCoord);
    else if (PASSINDEX == 2) gl_FragColor = light_round(isf_FragNormCoord);
    else if (PASSINDEX == 3) gl_FragColor = metal_at(isf_FragNormCoord);
    else {
        // Where the metal is, at its full fineness: the drawing of the skin under it.
        vec4 plate = IMG_THIS_PIXEL(inputImage);
        vec4 top = IMG_THIS_PIXEL(metal);
        float mean = IMG_THIS_PIXEL(light).r;
        float line = clamp((luma(plate.rgb) + 0.04) / (mean + 0.04), 0.25, 1.35) - 1.0;
        line *= (0.30 + 0.5 * detail) * (1.0 - luma(top.rgb)) * (1.0 + 0.7 * luma(top.rgb));
        gl_FragColor = vec4(plate.rgb * (1.0 - top.a) + top.rgb * (1.0 + line), plate.a);
    }
}
