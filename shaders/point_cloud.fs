/*{
  "ISFVSN": "2",
  "DESCRIPTION": "The face as a laser scan: points in scan lines with real depth and real eyes; on the beat the lines slip apart and re-form (E25)",
  "CREDIT": "kfx",
  "CATEGORIES": ["Face", "Surface"],
  "INPUTS": [
    {"NAME": "inputImage", "TYPE": "image"},
    {"NAME": "faceUV", "TYPE": "image"},
    {"NAME": "faceParts", "TYPE": "image"},
    {"NAME": "faceData", "TYPE": "image"},
    {"NAME": "kfx_scale", "TYPE": "float"},
    {"NAME": "beat", "TYPE": "float"},
    {"NAME": "points", "TYPE": "float", "DEFAULT": 8000.0, "MIN": 1000.0, "MAX": 16000.0, "DOC": "how many points make the face"},
    {"NAME": "size", "TYPE": "float", "DEFAULT": 1.0, "MIN": 0.4, "MAX": 2.5, "DOC": "size of a point"},
    {"NAME": "scatter", "TYPE": "float", "DEFAULT": 0.5, "MIN": 0.0, "MAX": 2.0, "DOC": "how far a hit throws the scan lines apart"},
    {"NAME": "every", "TYPE": "float", "DEFAULT": 4.0, "MIN": 0.5, "MAX": 16.0, "UNIT": "beats", "DOC": "hits come so often, first on beat 0"},
    {"NAME": "orbit", "TYPE": "float", "DEFAULT": 0.12, "MIN": 0.0, "MAX": 0.5, "DOC": "how far the cloud sways round the head"},
    {"NAME": "dim", "TYPE": "float", "DEFAULT": 0.88, "MIN": 0.0, "MAX": 1.0, "DOC": "how dark the skin goes behind the points"},
    {"NAME": "tint", "TYPE": "float", "DEFAULT": 0.7, "MIN": 0.0, "MAX": 1.0, "DOC": "0 = points in the plate's colours, 1 = in the scanner's"},
    {"NAME": "eyes", "TYPE": "float", "DEFAULT": 0.6, "MIN": 0.0, "MAX": 1.0, "DOC": "how much of the real eyes stays"}
  ],
  "PASSES": [
    {"TARGET": "heads", "WIDTH": "8", "HEIGHT": "2", "FLOAT": true},
    {"TARGET": "who", "WIDTH": "floor($WIDTH/8.0)", "HEIGHT": "floor($HEIGHT/8.0)", "REACH_IOD": 0.05},
    {}
  ],
  "IMPORTED": {"shape": {"PATH": "textures/face_shape.png"}},
  "KFX": {"region": "face", "margin_iod": 0.5}
}*/

float luma(vec3 c) { return dot(c, vec3(0.2126, 0.7152, 0.0722)); }
vec2 landmark(int slot, int i) { return texelFetch(faceData, ivec2(i, slot), 0).xy; }

uint mix_bits(uint x) {
    x = (x ^ (x >> 16)) * 0x7feb352du;
    x = (x ^ (x >> 15)) * 0x846ca68bu;
    return x ^ (x >> 16);
}
float unit(uint x) { return float(x >> 8) / 16777216.0; }

// Night blue, steel, ice, and a little warmth where most light comes back.
vec3 palette(float t) {
    vec3 c = mix(vec3(0.04, 0.09, 0.24), vec3(0.18, 0.52, 0.88), smoothstep(0.0, 0.45, t));
    c = mix(c, vec3(0.72, 0.92, 1.0), smoothstep(0.35, 0.75, t));
    return mix(c, vec3(1.0, 0.93, 0.82), smoothstep(0.72, 1.0, t));
}

// Row 0: middle of a head, pixels to the iod, presence; row 1: its right and its up.
vec4 head_of(int i, int row) {
    vec2 top = landmark(i, 10), chin = landmark(i, 152), across = landmark(i, 263) - landmark(i, 33);
    float tall = distance(top, chin), eye_px = max(max(length(across) / 1.40, tall / 2.61), 1.0);
    vec2 up = (top - chin) / max(tall, 1.0);
    return row == 0 ? vec4(0.5 * (top + chin), eye_px, texelFetch(faceData, ivec2(1, i), 0).w) : vec4(up.y, -up.x, up);
}

// Whose points may come to p: the nearest head there is, (slot + 0.5) / 8; 0 far from all.
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

void cloud() {
    ivec2 pixel = ivec2(gl_FragCoord.xy);                            // exact reads cost a third of filtered ones
    vec4 plate = texelFetch(inputImage, pixel, 0);
    vec4 here = IMG_THIS_PIXEL(faceUV);
    vec2 p = gl_FragCoord.xy;
    float hit = floor(beat / every);
    float phase = (beat / every - hit) * every;
    float thrown = scatter * exp(-phase * 1.5) * smoothstep(0.0, 0.09, phase + 0.03);

    // Whose cloud: the face at this pixel, else the one whose points may be thrown here.
    float owner = here.a > 0.0 ? here.b : texelFetch(who, ivec2(p * vec2(textureSize(who, 0)) / RENDERSIZE), 0).r;
    int slot = int(owner * 8.0);
    vec4 head = texelFetch(heads, ivec2(slot, 0), 0), frame = texelFetch(heads, ivec2(slot, 1), 0);
    vec2 middle = head.xy, right = frame.xy, up = frame.zw;
    float eye_px = head.z;
    uint seed = uint(max(hit, 0.0)) * 0x9e3779b9u + uint(kfx_seed) * 0x85ebca6bu + uint(slot);

    // Backwards to the place the points here came from: the throw, then the sway by depth.
    vec2 q = p - middle;
    float row = floor(dot(q, up) / (eye_px * 0.042));
    uint dice = mix_bits(seed ^ uint(int(row) + 512) * 0x27d4eb2fu);
    float slip = unit(dice) * 2.0 - 1.0;
    slip = slip * slip * slip * (unit(mix_bits(dice)) < 0.5 ? 0.25 : 1.0);
    float jitter = unit(mix_bits(dice + 7u)) - 0.5;
    q -= right * (slip * 1.9 + 0.10 * jitter) * thrown * eye_px;
    q /= 1.0 + 0.16 * thrown;
    float sway = orbit * sin(beat * 0.7854 + 0.9) * (1.0 - 0.4 * thrown);
    vec2 from = middle + q;
    // The nearer, the further it sways: over the skin, which a face's own oval keeps in.
    vec4 there = IMG_NORM_PIXEL(faceUV, from / RENDERSIZE);
    float depth = IMG_NORM_PIXEL(shape, there.rg).r;
    float aside = sway * (0.55 - 1.6 * depth);
    there.r += 0.345 * aside;                                        // so much of the unrolled face is an iod
    vec2 turned = from + right * aside * eye_px;

    // The dark behind: the skin's own shape stays in it, faintly, like a room with the lights off.
    float y = luma(plate.rgb);
    float veil = here.a;
    // The light goes down round the head too: a dark face in full light would be a mask.
    vec2 oval = (p - middle) * mat2(right, up) / (eye_px * vec2(1.15, 1.45));
    float shade = 0.62 * (1.0 - smoothstep(0.55, 1.25, length(oval)));
    vec3 gloom = mix(plate.rgb, vec3(0.55, 0.78, 1.15) * y, 0.6) * (0.35 + 0.5 * y);
    float dark = (veil + (1.0 - veil) * shade) * min(dim * 1.05, 1.0);
    vec3 c = mix(plate.rgb, gloom * (1.0 - 0.75 * dim), dark);

    {
        // One point in each cell, well inside it, so that the neighbours need no reading.
        vec2 grid = vec2(0.86, 1.16) * sqrt(points);
        vec2 cell = floor(there.rg * grid);
        uint lot = mix_bits(uint(cell.x) + (uint(cell.y) << 10) + uint(kfx_seed) * 0x85ebca6bu);
        vec2 centre = vec2(0.28 + 0.44 * unit(lot), 0.40 + 0.20 * unit(mix_bits(lot)));
        vec2 away = (fract(there.rg * grid) - centre) / grid * vec2(2.9, 2.72) * eye_px;
        // Colour at the point's middle: each one has a single value, as a scanner gives it.
        vec2 where = turned - right * away.x - up * away.y;
        vec3 back = IMG_NORM_PIXEL(inputImage, where / RENDERSIZE).rgb;
        float value = clamp(luma(back) * 1.12 - 0.02, 0.0, 1.0);
        float far = smoothstep(0.05, 0.75, depth);
        float radius = size * 0.0084 * eye_px * mix(1.30, 0.70, far) * (0.55 + 0.6 * value);
        float drawn = max(radius, 0.55);
        float disc = 1.0 - smoothstep(drawn - 0.5, drawn + 0.6, length(away));
        disc *= min(radius * radius / (drawn * drawn) * 1.5, 1.0);
        float lost = step(0.06 + 0.35 * thrown * unit(lot ^ seed), unit(mix_bits(lot + 3u)));
        vec3 ink = mix(back * 1.25, palette(0.05 + 0.85 * value * value), tint);
        // Thrown points burn, then cool to their place.
        ink *= 1.0 + thrown * (1.2 + 1.5 * unit(mix_bits(lot + 5u)));
        ink *= (0.22 + 1.05 * value) * mix(1.25, 0.45, far);
        float glow = 0.10 * exp(-length(away) / (radius * 1.6 + 0.5));
        float seen = smoothstep(0.0, 0.35, there.a) * lost * step(0.001, owner);
        c = 1.0 - (1.0 - c) * exp(-1.7 * ink * (disc + glow) * seen * mix(0.35, 1.0, dim));
    }
    float real = IMG_THIS_PIXEL(faceParts).b * eyes * veil * (1.0 - min(thrown * 1.5, 0.8));
    c = mix(c, plate.rgb * vec3(0.92, 0.98, 1.06), real);
    gl_FragColor = vec4(owner > 0.0 ? c : plate.rgb, plate.a);
}

void main() {
    if (PASSINDEX == 0) gl_FragColor = head_of(int(gl_FragCoord.x), int(gl_FragCoord.y));
    else if (PASSINDEX == 1) gl_FragColor = vec4(nearest_head(isf_FragNormCoord * IMG_SIZE(inputImage)), 0.0, 0.0, 1.0);
    else cloud();
}
