/*{
  "ISFVSN": "2",
  "DESCRIPTION": "The face goes to dust: skin wears away from one side, its grains carry its colours off on a curling wind, and all of it flows back (E42)",
  "CREDIT": "kfx",
  "CATEGORIES": ["Face", "Energy"],
  "INPUTS": [
    {"NAME": "inputImage", "TYPE": "image"},
    {"NAME": "faceUV", "TYPE": "image"},
    {"NAME": "faceNormal", "TYPE": "image"},
    {"NAME": "faceData", "TYPE": "image"},
    {"NAME": "beat", "TYPE": "float"},
    {"NAME": "every", "TYPE": "float", "DEFAULT": 8.0, "MIN": 2.0, "MAX": 32.0, "UNIT": "beats", "DOC": "one breath: away and back; it starts on beat 0"},
    {"NAME": "amount", "TYPE": "float", "DEFAULT": 0.4, "MIN": 0.0, "MAX": 1.0, "DOC": "how much of the face goes at most"},
    {"NAME": "reach", "TYPE": "float", "DEFAULT": 0.8, "MIN": 0.1, "MAX": 1.0, "UNIT": "iod", "DOC": "how far a grain flies before it is gone"},
    {"NAME": "wind", "TYPE": "float", "DEFAULT": 25.0, "MIN": -180.0, "MAX": 180.0, "UNIT": "°", "DOC": "where to: 0 = right of the picture, 90 = up"},
    {"NAME": "curl", "TYPE": "float", "DEFAULT": 0.5, "MIN": 0.0, "MAX": 1.5, "DOC": "how much the wind whirls"},
    {"NAME": "grain", "TYPE": "float", "DEFAULT": 1.0, "MIN": 0.5, "MAX": 3.0, "DOC": "size of the grains"},
    {"NAME": "glow", "TYPE": "float", "DEFAULT": 0.7, "MIN": 0.0, "MAX": 3.0, "DOC": "how much the worn edge and the grains shine"},
    {"NAME": "colour", "TYPE": "color", "DEFAULT": [1.0, 0.72, 0.42, 1.0], "DOC": "colour of that shine"}
  ],
  "PASSES": [
    {"TARGET": "heads", "WIDTH": "8", "HEIGHT": "2", "FLOAT": true},
    {"TARGET": "ages", "WIDTH": "floor($WIDTH/8.0)", "HEIGHT": "floor($HEIGHT/8.0)", "FLOAT": true},
    {"TARGET": "slow", "WIDTH": "floor($WIDTH/8.0)", "HEIGHT": "floor($HEIGHT/8.0)", "FLOAT": true, "REACH_IOD": 0.1},
    {"TARGET": "fast", "WIDTH": "floor($WIDTH/8.0)", "HEIGHT": "floor($HEIGHT/8.0)", "FLOAT": true, "REACH_IOD": 0.1},
    {"TARGET": "dusty", "WIDTH": "floor(($WIDTH+31.0)/32.0)", "HEIGHT": "floor(($HEIGHT+31.0)/32.0)"},
    {"WHERE": "dusty.r"}
  ],
  "IMPORTED": {"shape": {"PATH": "textures/face_shape.png", "WRAP": "repeat"}},
  "KFX": {"region": "face", "margin_iod": 0.85}
}*/

const float LIFE = 0.5;      // in units of the wearing front, 1 = once over the face

float luma(vec3 c) { return dot(c, vec3(0.2126, 0.7152, 0.0722)); }
vec2 landmark(int slot, int i) { return texelFetch(faceData, ivec2(i, slot), 0).xy; }

uint mix_bits(uint x) {
    x = (x ^ (x >> 16)) * 0x7feb352du;
    x = (x ^ (x >> 15)) * 0x846ca68bu;
    return x ^ (x >> 16);
}
float unit(uint x) { return float(x >> 8) / 16777216.0; }

// When the skin at h (iod from the middle of the face) goes: the lee side first, in slow waves.
float due(vec2 h, vec2 blow) {
    float ramp = 0.5 - 0.40 * dot(h, blow);
    return 0.10 + 0.74 * ramp + 0.08 * sin(h.x * 3.1 + 1.7 * h.y + kfx_seed) + 0.06 * sin(h.y * 4.3 - 2.1 * h.x + 2.0);
}

// Where a grain has got to, x after its release: with the wind, and round the curls of a stream
// function, so that nothing piles up.
vec2 drift(vec2 h, float x, vec2 blow, float speed) {
    float t = clamp(x / LIFE, 0.0, 1.2);
    vec2 q = h * 3.4 + vec2(1.9, 0.7) * x + speed * 7.0;
    vec2 swirl = vec2(-sin(q.x) * sin(q.y), -cos(q.x) * cos(q.y));
    q = q.yx * 2.1 + 1.3;
    swirl += 0.45 * vec2(-cos(q.x) * cos(q.y), -sin(q.x) * sin(q.y));
    return reach * (blow * t * (0.55 + 0.45 * t) * (0.35 + 0.75 * speed) + curl * 0.30 * swirl * t);
}

float worn() {
    float t = fract(beat / every);
    return smoothstep(-0.03, 0.52, t) * (1.0 - smoothstep(0.60, 0.99, t)) * amount * 1.1;
}

// Where the grain that is at pixel p now was once: rg the way back as a share of the picture, b the
// grain's age, a pixels to the iod. All of it is smooth: the passes that ask are small.
vec4 origin(vec2 p, float speed, bool only_age) {
    float best = 1e9;
    vec4 mine = vec4(0.0), frame = vec4(0.0);
    for (int i = 0; i < 8; i++) {
        vec4 head = texelFetch(heads, ivec2(i, 0), 0);
        float away = distance(p, head.xy) / max(head.z, 1.0);
        if (head.w > 0.0 && away < best) {
            best = away;
            mine = head;
            frame = texelFetch(heads, ivec2(i, 1), 0);
        }
    }
    if (best > 4.0) return vec4(0.0, 0.0, -9.0, 1.0);
    mat2 head = mat2(frame.xy, frame.zw);
    vec2 h = (p - mine.xy) * head / mine.z;
    vec2 blow = vec2(cos(radians(wind)), sin(radians(wind)));
    float front = worn();
    if (only_age) return vec4(0.0, 0.0, front - due(h, blow), mine.z);
    vec2 s = h - 0.3 * reach * blow * speed;
    for (int i = 0; i < 5; i++) s = mix(s, h - drift(s, max(front - due(s, blow), 0.0), blow, speed), 0.75);
    return vec4(head * (s - h) * mine.z / IMG_SIZE(inputImage), (front - due(s, blow)) / LIFE, mine.z);
}

// The grains of one layer over c.
vec3 grains(vec3 c, vec4 flow, int layer) {
    vec2 from = isf_FragNormCoord + flow.xy;
    vec4 there = IMG_NORM_PIXEL(faceUV, from);
    vec2 grid = vec2(62.0, 68.0) * (layer == 0 ? 0.75 : 1.1) / grain;
    vec2 place = there.rg * grid, cell = floor(place);
    uint lot = mix_bits(uint(cell.x) + (uint(cell.y) << 9) + uint(layer) * 0x9e3779b9u + uint(kfx_seed) * 0x85ebca6bu);
    uint more = mix_bits(lot + 1u);
    float a = unit(lot), b = unit(more), u = float(more & 255u) / 255.0, v = float(lot & 255u) / 255.0;
    // Some never fly, some die young: the cloud thins out with no edge to it.
    float age = flow.z, life = 0.35 + 0.65 * b, left = clamp(1.0 - age / life, 0.0, 1.0);
    vec2 away = (place - cell - 0.25 - 0.50 * vec2(u, v)) / grid * 2.8 * flow.a;
    float spin = 6.28 * a + 5.0 * age;
    away = mat2(cos(spin), sin(spin), -sin(spin), cos(spin)) * away * vec2(1.0, 1.0 + 0.9 * b);
    float radius = 0.020 * grain * (layer == 0 ? 1.3 : 0.95) * flow.a * (0.25 + 0.75 * sqrt(left)) * (0.5 + 0.6 * a);
    float drawn = max(radius, 0.6);
    float disc = (1.0 - smoothstep(drawn - 0.55, drawn + 0.55, length(away))) * min(radius * radius / (drawn * drawn) * 1.3, 1.0);
    disc *= smoothstep(0.0, 0.10, left) * smoothstep(0.15, 0.5, there.a) * smoothstep(0.0, 0.04, age) * step(a, 0.88);
    vec3 ink = IMG_NORM_PIXEL(inputImage, from).rgb;
    float fire = glow * (0.20 + 1.3 * step(0.55, a) * left) * (0.4 + age);
    ink = 1.0 - (1.0 - ink * (0.9 + 0.25 * b)) * exp(-colour.rgb * fire);
    return mix(c, ink, disc);
}

// Whether there is a face, or a grain of one, in a tile of the picture.
float touched(vec2 tile) {
    float most = 0.0;
    for (int i = 0; i < 36; i++) {
        vec2 p = (tile - 0.6 + 1.2 * vec2(float(i % 6), float(i / 6)) / 5.0) / RENDERSIZE;
        most = max(most, max(IMG_NORM_PIXEL(faceUV, p).a, max(IMG_NORM_PIXEL(faceUV, p + IMG_NORM_PIXEL(slow, p).xy).a, IMG_NORM_PIXEL(faceUV, p + IMG_NORM_PIXEL(fast, p).xy).a)));
    }
    return step(0.001, most);
}

void main() {
    if (PASSINDEX == 0) {
        // Row 0: middle of the head, pixels to the iod, presence; row 1: its right and its up.
        int i = int(gl_FragCoord.x);
        vec2 top = landmark(i, 10), chin = landmark(i, 152), across = landmark(i, 263) - landmark(i, 33);
        float eye_px = max(max(length(across) / 1.40, distance(top, chin) / 2.61), 1.0);
        vec2 up = (top - chin) / max(distance(top, chin), 1.0);
        float present = texelFetch(faceData, ivec2(1, i), 0).w;
        gl_FragColor = gl_FragCoord.y < 1.0 ? vec4(0.5 * (top + chin), eye_px, present) : vec4(up.y, -up.x, up);
    } else if (PASSINDEX < 4) {
        vec2 p = isf_FragNormCoord * IMG_SIZE(inputImage);
        gl_FragColor = origin(p, PASSINDEX == 2 ? 0.35 : 1.0, PASSINDEX == 1);
    } else if (PASSINDEX == 4) {
        gl_FragColor = vec4(touched(gl_FragCoord.xy));
    } else {
        ivec2 pixel = ivec2(gl_FragCoord.xy);                        // exact reads cost a third of filtered ones
        vec4 plate = texelFetch(inputImage, pixel, 0);
        vec4 here = texelFetch(faceUV, pixel, 0);
        vec4 now = IMG_THIS_PIXEL(ages);
        vec3 c = plate.rgb;
        // The worn edge: rough, in grains; behind it the hollow of the face.
        float rough = 0.14 * (IMG_NORM_PIXEL(shape, here.rg * 4.3).b - 0.5);
        float bare = now.z + rough, fine = 0.8 / max(now.a, 1.0);
        float gone = smoothstep(0.0, 0.012 + fine, bare) * smoothstep(0.0, 0.45, here.a);
        vec3 normal = IMG_THIS_PIXEL(faceNormal).xyz;
        // The same light falls on the far wall of a hollow: its shading is the face's, turned round.
        float concave = clamp(0.5 - 0.75 * dot(normal.xy, vec2(-0.45, 0.65)), 0.0, 1.0);
        float deep = smoothstep(0.10, 0.9, normal.z);
        vec3 hollow = vec3(0.022, 0.020, 0.026) + vec3(0.19, 0.155, 0.150) * concave * concave * (1.1 - 0.6 * deep) + plate.rgb * 0.07;
        hollow += colour.rgb * (glow * 0.42 * exp(-max(bare, 0.0) * 7.0) * (0.25 + concave));
        // Before it goes the skin dries: it pales in specks and takes on a grey bloom.
        float dry = smoothstep(-0.16, 0.0, bare) * here.a;
        c = mix(c, mix(vec3(luma(c)), c, 0.35) * (0.88 + 0.3 * (rough + 0.1)), dry * 0.7);
        float rim = exp(-abs(bare) / (0.008 + fine)) * 1.5 + 0.25 * exp(-abs(bare) * 26.0);
        c = mix(c, hollow, gone);
        c = 1.0 - (1.0 - c) * exp(-colour.rgb * (glow * rim * smoothstep(0.0, 0.4, here.a)));
        // Nothing has begun to wear in the first breath of a cycle, nor when all is back.
        c = mix(plate.rgb, c, smoothstep(0.0, 0.06, worn()));
        c = grains(c, IMG_THIS_PIXEL(slow), 0);
        c = grains(c, IMG_THIS_PIXEL(fast), 1);
        gl_FragColor = vec4(c, plate.a);
    }
}
