/*{
  "ISFVSN": "2",
  "DESCRIPTION": "The face opens on deep space: gas and stars lie under the skin at several depths, the performer's own light still models it (E22)",
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
    {"NAME": "energy", "TYPE": "float"},
    {"NAME": "palette", "TYPE": "long", "VALUES": [0, 1, 2], "LABELS": ["orchid and ice", "ember", "deep sea"], "DEFAULT": 0, "DOC": "the colours of gas and stars"},
    {"NAME": "amount", "TYPE": "float", "DEFAULT": 0.85, "MIN": 0.0, "MAX": 1.0, "DOC": "how much of the skin becomes night"},
    {"NAME": "scale", "TYPE": "float", "DEFAULT": 3.0, "MIN": 1.0, "MAX": 8.0, "DOC": "how small the clouds are"},
    {"NAME": "density", "TYPE": "float", "DEFAULT": 0.55, "MIN": 0.0, "MAX": 1.0, "DOC": "how much gas there is"},
    {"NAME": "warp", "TYPE": "float", "DEFAULT": 4.0, "MIN": 0.0, "MAX": 6.0, "DOC": "how far the clouds are drawn out into one another"},
    {"NAME": "parallax", "TYPE": "float", "DEFAULT": 0.2, "MIN": 0.0, "MAX": 0.5, "DOC": "depth of the sky under the skin"},
    {"NAME": "stars", "TYPE": "float", "DEFAULT": 1.0, "MIN": 0.0, "MAX": 3.0, "DOC": "brightness of the stars; they flare on the beat"},
    {"NAME": "reach", "TYPE": "float", "DEFAULT": 1.0, "MIN": 0.0, "MAX": 1.0, "DOC": "how far it goes on over forehead, ears and throat; 0 = the face alone"},
    {"NAME": "drift", "TYPE": "float", "DEFAULT": 0.25, "MIN": 0.0, "MAX": 2.0, "DOC": "how fast the gas moves on"}
  ],
  "PASSES": [
    {"TARGET": "night", "WIDTH": "floor($WIDTH*$kfx_scale*(0.72+0.28*$kfx_scale))", "HEIGHT": "floor($HEIGHT*$kfx_scale*(0.72+0.28*$kfx_scale))", "REACH_IOD": 0.02},
    {}
  ],
  "IMPORTED": {
    "gas": {"PATH": "textures/nebula.png", "WRAP": "repeat"},
    "liquid": {"PATH": "textures/liquid.png", "WRAP": "repeat"}
  },
  "KFX": {"region": "face", "margin_iod": 0.5, "edge": "skin"}
}*/

float luma(vec3 c) { return dot(c, vec3(0.2126, 0.7152, 0.0722)); }

// Night, the body of the cloud, its hot ridge.
mat3 colours() {
    if (palette == 1) return mat3(vec3(0.045, 0.012, 0.018), vec3(0.62, 0.13, 0.055), vec3(1.00, 0.62, 0.26));
    if (palette == 2) return mat3(vec3(0.006, 0.026, 0.040), vec3(0.03, 0.30, 0.36), vec3(0.62, 0.95, 0.80));
    return mat3(vec3(0.020, 0.016, 0.055), vec3(0.40, 0.11, 0.52), vec3(0.46, 0.72, 1.00));
}

// The sky under the skin, as the root of a fourth, so that the dark keeps its steps; a: its cover.
vec4 sky_at(vec2 here) {
    vec4 uv = IMG_NORM_PIXEL(faceUV, here);
    if (uv.a <= 0.0) return vec4(0.0);
    vec4 parts = IMG_NORM_PIXEL(faceParts, here);
    vec4 turned = IMG_NORM_PIXEL(faceNormal, here);
    vec3 normal = turned.xyz;
    uv.a = mix(turned.a, uv.a, reach);

    // Three depths: the deeper, the further it slides as the head turns (the nose tells how far).
    int slot = int(uv.b * 8.0);
    vec4 right = texelFetch(faceData, ivec2(468, slot), 0), left = texelFetch(faceData, ivec2(473, slot), 0);
    vec2 turn = (texelFetch(faceData, ivec2(4, slot), 0).xy - 0.5 * (right.xy + left.xy)) / max(distance(right.xyz, left.xyz), 1.0);
    vec2 q = (uv.xy - 0.5) * vec2(1.26, 1.0) * scale * 0.24 + fract(kfx_seed * vec2(0.7549, 0.5698) + vec2(0.31, 0.62));
    vec2 depth = -(turn + 0.22 * normal.xy) * parallax * 0.5;
    float moved = TIME * drift * 0.010;
    vec2 flow = (IMG_NORM_PIXEL(liquid, q * 0.8 + moved).rg - 0.5) * warp * 0.05;
    vec3 near = IMG_NORM_PIXEL(gas, q + depth + flow + vec2(moved, -0.6 * moved)).rgb;
    vec3 far = IMG_NORM_PIXEL(gas, q.yx * 0.62 + 0.37 + 2.0 * depth.yx - 0.7 * flow).rgb;
    vec2 sparks = vec2(IMG_NORM_PIXEL(gas, q * 1.9 + 3.0 * depth + 0.19).b, IMG_NORM_PIXEL(gas, q * 1.15 + 1.4 * depth + 0.53).b);

    float cloud = smoothstep(0.50 - 0.42 * density, 1.05 - 0.25 * density, far.g * 0.62 + near.g * 0.48);
    float ridge = near.r * near.g * near.g + 0.7 * far.r * cloud;
    mat3 c = colours();
    vec3 sky = c[0] * (0.35 + 1.3 * far.g) + c[1] * cloud * (0.16 + 0.84 * cloud) * (0.35 + 0.9 * density);
    sky += c[2] * (ridge * (0.12 + 0.9 * cloud) + 0.9 * pow(cloud, 5.0) * near.g) * (0.3 + 0.8 * density);
    sky *= 1.0 - 0.8 * smoothstep(0.42, 0.05, near.g) * (1.0 - 0.6 * near.r);   // lanes of dust

    // Stars breathe each at its own time, all flare a little when the beat falls.
    float own = 0.5 + 0.5 * sin(TIME * 2.1 + 40.0 * (far.g + near.g));
    float flare = 0.75 + 0.55 * exp(-5.0 * fract(beat)) + 0.8 * energy;
    float light = (sparks.y * (0.8 + 0.6 * own) * 1.9 + sparks.x * sparks.x * 1.6) * (1.0 - 0.6 * cloud);
    light *= 1.7 - 0.7 * kfx_scale * (0.72 + 0.28 * kfx_scale);    // a star is as fine as a pixel: where those are larger it would pale
    sky += mix(vec3(0.86, 0.92, 1.0), c[2] + 0.3, 0.35) * light * stars * flare;

    // Where the skin turns away the rim catches; lips keep a breath of blood, or a seam would run round the mouth.
    vec3 plate = IMG_NORM_PIXEL(inputImage, here).rgb;
    sky += c[2] * (0.18 * pow(clamp(1.0 - normal.z, 0.0, 1.0), 2.0)) + plate * plate * (0.20 * parts.g / (0.38 + 1.19 * luma(plate)));

    // The gas itself draws the border; eyes and teeth are looked at from this side of the sky.
    float cover = smoothstep(0.04, 0.85, uv.a + 0.42 * (far.g - 0.45) * (1.0 - uv.a));
    vec2 oval = (uv.xy - vec2(0.5, 0.52)) * vec2(2.0, 1.96);
    float thin = smoothstep(1.06, 0.84, length(oval) + 0.35 * (0.45 - far.g));
    cover *= mix(thin, 1.0, reach * smoothstep(turned.a, 1.0, uv.a));     // it thins out unevenly, as gas does
    cover *= (1.0 - parts.b) * (1.0 - parts.a) * (1.0 - 0.12 * parts.g) * amount;
    vec2 eye = (vec2(abs(uv.x - 0.5), uv.y) - vec2(0.146, 0.677)) / vec2(0.070, 0.026);
    cover *= 1.0 - 0.30 * exp(-dot(eye, eye));      // lids stay lids, open a hair's breadth or shut
    return vec4(sqrt(min(sky * 0.25, 1.0)), cover);
}


void main() {
    if (PASSINDEX == 0) {
        gl_FragColor = sky_at(isf_FragNormCoord);
        return;
    }
    vec4 plate = IMG_THIS_PIXEL(inputImage);
    vec4 top = IMG_THIS_PIXEL(night);
    gl_FragColor = plate;
    if (top.a > 0.0) {
        // The plate's own light models the night: sockets stay deep, gloss stays on top.
        vec3 sky = top.rgb * top.rgb * 4.0;
        mat3 c = colours();
        float y = luma(plate.rgb);
        float gloss = smoothstep(0.55, 1.0, y);
        // Between the clouds the skin itself is dusk, not a hole: its form shows in the colour of the night.
        vec3 dusk = plate.rgb * (0.10 + 0.20 * c[2]) + c[1] * 0.10 + c[2] * 0.07;
        vec3 skin = sky * (0.375 + 1.19 * y) + dusk * y * (0.55 + 1.1 * y + 0.8 * gloss * y);
        skin = 1.0 - exp(-1.5 * skin);
        // Its light falls on what is left beside it.
        vec3 left = plate.rgb + sky * (0.12 * min(top.a * 4.0, 1.0)) * (1.0 - plate.rgb);
        gl_FragColor.rgb = mix(left, skin, top.a);
    }
}
