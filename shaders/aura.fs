/*{
  "ISFVSN": "2",
  "DESCRIPTION": "Energy rises from head and shoulders like heat made visible: tongues of light behind the performer that wrap onto hair and skin (E30b)",
  "CREDIT": "kfx",
  "CATEGORIES": ["Energy", "Person"],
  "INPUTS": [
    {"NAME": "inputImage", "TYPE": "image"},
    {"NAME": "faceData", "TYPE": "image"},
    {"NAME": "personMatte", "TYPE": "image"},
    {"NAME": "beat", "TYPE": "float"},
    {"NAME": "energy", "TYPE": "float"},
    {"NAME": "palette", "TYPE": "long", "VALUES": [0, 1, 2], "LABELS": ["spirit", "ember", "violet"], "DEFAULT": 0, "DOC": "colour of the energy"},
    {"NAME": "power", "TYPE": "float", "DEFAULT": 1.0, "MIN": 0.0, "MAX": 3.0, "DOC": "how bright it is"},
    {"NAME": "reach", "TYPE": "float", "DEFAULT": 0.6, "MIN": 0.1, "MAX": 2.0, "UNIT": "s", "DOC": "how long a tongue lives, so how high it rises"},
    {"NAME": "rise", "TYPE": "float", "DEFAULT": 2.2, "MIN": 0.2, "MAX": 6.0, "UNIT": "iod/s", "DOC": "how fast it rises"},
    {"NAME": "turbulence", "TYPE": "float", "DEFAULT": 1.0, "MIN": 0.0, "MAX": 3.0, "DOC": "how much it licks and curls"},
    {"NAME": "pulse", "TYPE": "float", "DEFAULT": 0.7, "MIN": 0.0, "MAX": 2.0, "DOC": "how much it flares on the beat"},
    {"NAME": "wrap", "TYPE": "float", "DEFAULT": 0.8, "MIN": 0.0, "MAX": 1.5, "DOC": "its light on the edges of hair, skin and clothes"}
  ],
  "PASSES": [
    {"TARGET": "person", "WIDTH": "1", "HEIGHT": "1", "FLOAT": true},
    {"TARGET": "shape", "WIDTH": "floor($WIDTH/8.0)", "HEIGHT": "floor($HEIGHT/8.0)"},
    {"TARGET": "heat", "WIDTH": "floor($WIDTH/4.0)", "HEIGHT": "floor($HEIGHT/4.0)", "FLOAT": true, "PERSISTENT": true},
    {"TARGET": "spill", "WIDTH": "floor($WIDTH/16.0)", "HEIGHT": "floor($HEIGHT/16.0)"},
    {"TARGET": "veil", "WIDTH": "floor($WIDTH/4.0)", "HEIGHT": "floor($HEIGHT/4.0)"},
    {"TARGET": "aglow", "WIDTH": "floor(($WIDTH+31.0)/32.0)", "HEIGHT": "floor(($HEIGHT+31.0)/32.0)"},
    {"WHERE": "aglow.r"}
  ],
  "IMPORTED": {"gas": {"PATH": "textures/cosmos.png", "WRAP": "repeat"}},
  "KFX": {"region": "frame"}
}*/

vec4 landmark(int slot, int i) { return texelFetch(faceData, ivec2(i, slot), 0); }

// Iod of the largest face (of the height); presence; 1 = there is a real matte, 0 = only faces.
vec4 find() {
    vec2 size = IMG_SIZE(inputImage);
    vec4 best = vec4(0.0);
    for (int slot = 0; slot < 8; slot++) {
        vec4 chin = landmark(slot, 152), top = landmark(slot, 10);
        float wide = max(distance(landmark(slot, 468).xy, landmark(slot, 473).xy), 0.5 * distance(top.xy, chin.xy)) / size.y;
        if (chin.w <= 0.0 || wide <= best.x) continue;
        // Necks are in a matte, but not in an oval.
        vec2 neck = (chin.xy + 0.22 * (chin.xy - top.xy)) / size;
        best = vec4(wide, chin.w, max(IMG_NORM_PIXEL(personMatte, neck).r, step(neck.y, 0.0)), 0.0);
    }
    return best;
}

// Without a matte: head and shoulders as they usually are.
float guess(vec2 at, int many) {
    float sum = 0.0;
    for (int slot = 0; slot < many; slot++) {
        vec4 chin = landmark(slot, 152), top = landmark(slot, 10);
        if (chin.w <= 0.0) continue;
        vec2 up = (top.xy - chin.xy) * 0.5, side = vec2(up.y, -up.x), c = mix(chin.xy, top.xy, 0.62), d = at - c;
        float k = max(dot(up, up), 1.0);
        vec2 q = vec2(dot(d, side), dot(d, up)) / k;                 // half a face high = 1
        float head = length(q / vec2(0.98, 1.32));
        float body = length(max(abs(q + vec2(0.0, 4.1)) - vec2(1.1, 1.0), 0.0)) / 1.25;
        sum = max(sum, chin.w * (1.0 - smoothstep(0.82, 1.12, min(head, body))));
    }
    return sum;
}

// Two by two reads of the matte, and the guess if there is none.
float figure(vec2 p, vec4 who) {
    vec2 d = 0.25 / RENDERSIZE;
    float m = IMG_NORM_PIXEL(personMatte, p + d).r + IMG_NORM_PIXEL(personMatte, p - d).r
            + IMG_NORM_PIXEL(personMatte, p + vec2(d.x, -d.y)).r + IMG_NORM_PIXEL(personMatte, p + vec2(-d.x, d.y)).r;
    return max(0.25 * m, guess(p * IMG_SIZE(inputImage), who.z > 0.5 ? 0 : 8));
}

vec3 glowing(float h) {
    vec3 cold = palette == 0 ? vec3(0.10, 0.26, 0.62) : (palette == 1 ? vec3(0.62, 0.09, 0.03) : vec3(0.30, 0.07, 0.62));
    vec3 warm = palette == 0 ? vec3(0.42, 0.80, 1.10) : (palette == 1 ? vec3(1.15, 0.46, 0.10) : vec3(0.86, 0.34, 1.10));
    vec3 white = palette == 1 ? vec3(1.1, 0.95, 0.75) : vec3(0.95, 1.0, 1.1);
    return cold * h + warm * h * h * 1.4 + white * h * h * h * h * 1.3;
}

// Whether any light falls on a tile of the picture.
float shone_on(vec2 tile) {
    vec2 grid = IMG_SIZE(veil) / RENDERSIZE;
    ivec2 low = max(ivec2(floor((tile - 0.5) * grid)) - 1, ivec2(0));
    ivec2 high = min(ivec2(ceil((tile + 0.5) * grid)), textureSize(veil, 0) - 1);
    vec4 most = vec4(0.0);
    for (int y = low.y; y <= high.y; y++)
        for (int x = low.x; x <= high.x; x++) most = max(most, texelFetch(veil, ivec2(x, y), 0));
    return step(0.001, max(max(most.r, most.g), max(most.b, most.a)));
}

void main() {
    vec2 p = isf_FragNormCoord;
    if (PASSINDEX == 0) { gl_FragColor = find(); return; }
    vec4 who = texelFetch(person, ivec2(0), 0);
    float unit = max(who.x, 0.05);
    vec2 scale = vec2(IMG_SIZE(inputImage).x / IMG_SIZE(inputImage).y, 1.0) / unit;     // of 1 → iod
    if (PASSINDEX == 1) {
        gl_FragColor = vec4(figure(p, who));
    } else if (PASSINDEX == 2) {
        // A fire of its own: what burned is carried upwards, curls and cools; the outline feeds it.
        vec2 q = p * scale;
        float step_ = clamp(TIMEDELTA, 0.0, 0.1);
        vec3 big = IMG_NORM_PIXEL(gas, q * 0.055 - vec2(0.017, 0.075) * rise * TIME + 0.31 * kfx_seed).rgb;
        vec3 fine = IMG_NORM_PIXEL(gas, q * 0.15 - vec2(-0.03, 0.19) * rise * TIME + 0.5).rgb;
        float kick = exp(-4.0 * fract(beat));
        vec2 flow = vec2((big.r - 0.5) * 2.2 + (fine.b - 0.5) * 1.3, 0.0) * turbulence + vec2(0.0, 0.7 + 0.7 * fine.r);
        flow *= rise * (1.0 + 0.35 * pulse * kick);
        float old = IMG_NORM_PIXEL(heat, p - flow * step_ / scale).r;
        old *= exp(-step_ / reach * (0.55 + 1.3 * big.b)) * (1.0 - 3.0 * step_ * fine.g);
        // Edges that look up burn best, sides a little, what hangs not at all.
        vec2 e = vec2(0.0, 0.10) / scale;
        float here = IMG_NORM_PIXEL(shape, p).r, low = IMG_NORM_PIXEL(shape, p - e).r, high = IMG_NORM_PIXEL(shape, p + e).r;
        float left = IMG_NORM_PIXEL(shape, p - vec2(0.10 / scale.x, 0.0)).r, right = IMG_NORM_PIXEL(shape, p + vec2(0.10 / scale.x, 0.0)).r;
        float fed = max(0.0, low - high) + 0.55 * abs(left - right) * (1.0 - clamp(high - low, 0.0, 1.0));
        fed *= smoothstep(0.28, 0.72, 0.55 * big.r + 0.45 * fine.r) * (0.75 + pulse * kick + 0.5 * energy);
        float first = FRAMEINDEX == 0 ? 1.0 : 0.0;
        gl_FragColor = vec4(min(mix(max(old, min(fed * 0.95, 1.0)), fed, first), 1.2));
    } else if (PASSINDEX == 3) {
        vec2 d = 1.0 / RENDERSIZE;
        float sum = IMG_NORM_PIXEL(heat, p).r * 2.0;
        for (int i = 0; i < 8; i++) {
            vec2 way = vec2(i < 3 ? -1.0 : (i < 5 ? 0.0 : 1.0), i == 0 || i == 3 || i == 5 ? -1.0 : (i == 1 || i == 6 ? 0.0 : 1.0));
            sum += IMG_NORM_PIXEL(heat, p + way * d * 1.2).r + 0.5 * IMG_NORM_PIXEL(heat, p + way * d * 2.8).r;
        }
        gl_FragColor = vec4(sum / 14.0);
    } else if (PASSINDEX == 4) {
        // Light of the tongues, with fine threads in them, and of the air around; a: light on the person.
        float h = IMG_NORM_PIXEL(heat, p).r, soft = IMG_NORM_PIXEL(spill, p).r;
        vec2 q = p * scale;
        vec3 t = IMG_NORM_PIXEL(gas, q * 0.20 - vec2(0.0, 0.20) * rise * TIME + 0.2 * (IMG_NORM_PIXEL(gas, q * 0.07 - vec2(0.0, 0.08) * rise * TIME).rb - 0.5)).rgb;
        float body = clamp(h * (0.45 + 0.75 * t.r) + h * (1.0 - h) * 1.1 * t.g - 0.05, 0.0, 1.2);
        vec3 light = power * who.y * (glowing(body) * 1.15 + glowing(soft) * 0.40);
        float edge = 1.0 - IMG_NORM_PIXEL(shape, p).r;
        gl_FragColor = vec4(1.0 - exp(-light), clamp(soft * (0.25 + 1.6 * edge), 0.0, 1.0));
    } else if (PASSINDEX == 5) {
        gl_FragColor = vec4(shone_on(gl_FragCoord.xy));
    } else {
        vec4 plate = IMG_THIS_PIXEL(inputImage), light = IMG_THIS_PIXEL(veil);
        float in_front = IMG_THIS_PIXEL(personMatte).r;
        light.rgb *= 1.0 - 0.90 * in_front;
        // Before a bright set light can't be seen: there the camera stops down a little for it.
        float bright = dot(plate.rgb, vec3(0.2126, 0.7152, 0.0722));
        vec3 set = plate.rgb * (1.0 - 0.72 * bright * max(max(light.r, light.g), light.b));
        vec3 c = 1.0 - (1.0 - set) * (1.0 - light.rgb);
        // On the performer light only shows what is there: it multiplies, and rolls off.
        vec3 gain = 1.0 + light.a * wrap * power * who.y * in_front * 3.2 * glowing(0.72);
        gl_FragColor = vec4(c * gain / (1.0 + c * (gain - 1.0)), plate.a);
    }
}
