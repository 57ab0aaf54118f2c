/*{
  "ISFVSN": "2",
  "DESCRIPTION": "The performer stands in deep space: nebula and stars that shift with the head, whose light wraps round hair and shoulders (E43)",
  "CREDIT": "kfx",
  "CATEGORIES": ["Cosmic", "Person"],
  "INPUTS": [
    {"NAME": "inputImage", "TYPE": "image"},
    {"NAME": "faceData", "TYPE": "image"},
    {"NAME": "personMatte", "TYPE": "image"},
    {"NAME": "beat", "TYPE": "float"},
    {"NAME": "warmth", "TYPE": "float", "DEFAULT": 0.5, "MIN": 0.0, "MAX": 1.0, "DOC": "gas from starlit blue (0) to hydrogen red and gold (1)"},
    {"NAME": "brightness", "TYPE": "float", "DEFAULT": 1.0, "MIN": 0.0, "MAX": 2.0, "DOC": "light of the nebula"},
    {"NAME": "stars", "TYPE": "float", "DEFAULT": 1.0, "MIN": 0.0, "MAX": 2.0, "DOC": "light of the stars"},
    {"NAME": "depth", "TYPE": "float", "DEFAULT": 0.5, "MIN": 0.0, "MAX": 2.0, "DOC": "how far space shifts as the head moves and turns"},
    {"NAME": "drift", "TYPE": "float", "DEFAULT": 0.25, "MIN": -2.0, "MAX": 2.0, "UNIT": "%/s", "DOC": "how fast space drifts by, of the frame"},
    {"NAME": "wrap", "TYPE": "float", "DEFAULT": 0.35, "MIN": 0.0, "MAX": 1.0, "DOC": "light of the nebula on the performer's edges"},
    {"NAME": "width", "TYPE": "float", "DEFAULT": 0.14, "MIN": 0.02, "MAX": 0.4, "UNIT": "iod", "DOC": "how far that light reaches in"},
    {"NAME": "night", "TYPE": "float", "DEFAULT": 0.45, "MIN": 0.0, "MAX": 1.0, "DOC": "how far the performer is graded into the dark, and lit by the sky on each side"},
    {"NAME": "pulse", "TYPE": "float", "DEFAULT": 0.25, "MIN": 0.0, "MAX": 1.0, "DOC": "gas flares on the beat"}
  ],
  "PASSES": [
    {"TARGET": "view", "WIDTH": "4", "HEIGHT": "1", "FLOAT": true, "PERSISTENT": true},
    {"TARGET": "across", "WIDTH": "floor($WIDTH/8.0)", "HEIGHT": "floor($HEIGHT/8.0)", "FLOAT": true},
    {"TARGET": "old", "WIDTH": "floor($WIDTH/8.0)", "HEIGHT": "floor($HEIGHT/8.0)", "FLOAT": true},
    {"TARGET": "closed", "WIDTH": "floor($WIDTH/16.0)", "HEIGHT": "floor($HEIGHT/16.0)"},
    {"TARGET": "sky", "WIDTH": "floor($WIDTH/3.0)", "HEIGHT": "floor($HEIGHT/3.0)"},
    {"TARGET": "zones", "WIDTH": "floor(($WIDTH+31.0)/32.0)", "HEIGHT": "floor(($HEIGHT+31.0)/32.0)"},
    {"WHERE": "zones.r"},
    {"WHERE": "zones.g"},
    {"WHERE": "zones.a"},
    {"WHERE": "zones.b"}
  ],
  "IMPORTED": {"gas": {"PATH": "textures/cosmos.png", "WRAP": "repeat"}, "field": {"PATH": "textures/stars.png", "WRAP": "repeat"}},
  "KFX": {"region": "frame"}
}*/

float luma(vec3 c) { return dot(c, vec3(0.2126, 0.7152, 0.0722)); }
vec4 landmark(int slot, int i) { return texelFetch(faceData, ivec2(i, slot), 0); }

// Texel 0: shift of the view (of the height), iod (of the height), kick (0 = not set yet).
// Texel 1: the shift again, how far the world is exchanged, 1 = there is a real matte.
// Texels 2 and 3: the colour of the light that space throws on the performer's left and right.
vec4 look(bool second) {
    vec4 last = texelFetch(view, ivec2(0), 0), state = texelFetch(view, ivec2(1, 0), 0);
    vec2 size = IMG_SIZE(inputImage);
    float wide = 0.0, presence = 0.0, real = 0.0;
    vec2 shift = last.xy;
    for (int slot = 0; slot < 8; slot++) {
        vec4 chin = landmark(slot, 152), top = landmark(slot, 10), nose = landmark(slot, 1);
        float w = max(distance(landmark(slot, 468).xy, landmark(slot, 473).xy), 0.5 * distance(top.xy, chin.xy));
        if (chin.w <= 0.0 || w <= wide) continue;
        wide = w;
        presence = chin.w;
        // Where the head is, and where it looks: the nose leads the middle of the face.
        vec2 turn = (nose.xy - 0.25 * (chin.xy + top.xy + landmark(slot, 127).xy + landmark(slot, 356).xy)) / w;
        shift = 0.11 * (nose.xy - 0.5 * size) / size.y + 0.055 * turn;
        vec2 neck = (chin.xy + 0.22 * (chin.xy - top.xy)) / size;   // necks are in a matte, but not in an oval
        real = max(IMG_NORM_PIXEL(personMatte, neck).r, step(neck.y, 0.02));
    }
    // Somebody without a face (a turned back) is still somebody.
    float somebody = 0.0;
    for (int i = 0; i < 32; i++) somebody += IMG_NORM_PIXEL(personMatte, (vec2(float(i & 7), float(i >> 3)) + 0.5) / vec2(8.0, 4.0)).r;
    somebody = smoothstep(0.8, 1.8, somebody);
    float set = max(presence, somebody);
    real = wide > 0.0 ? smoothstep(0.3, 0.7, real) : 1.0;
    bool first = FRAMEINDEX == 0 || last.w == 0.0;
    float k = first ? 1.0 : 1.0 - exp(-TIMEDELTA / 0.18);
    float unit = wide > 0.0 ? wide / size.y : (last.z > 0.0 ? last.z : 0.1);
    if (!second) return vec4(mix(last.xy, shift, k), mix(last.z, unit, k), 1.0 + pulse * exp(-3.5 * fract(beat)));
    float ease = first ? 1.0 : 1.0 - exp(-TIMEDELTA / 0.10);
    return vec4(mix(last.xy, shift, k), min(mix(state.z, set, ease), set), mix(state.w, real, ease));
}

// Faces alone give no silhouette: then space only closes in softly round head and shoulders.
float guess(vec2 at) {
    float soft = 0.0;
    for (int slot = 0; slot < 8; slot++) {
        vec4 chin = landmark(slot, 152), top = landmark(slot, 10);
        if (chin.w <= 0.0) continue;
        vec2 up = (top.xy - chin.xy) * 0.5, side = vec2(up.y, -up.x), d = at - mix(chin.xy, top.xy, 0.62);
        vec2 q = vec2(dot(d, side), dot(d, up)) / max(dot(up, up), 1.0);
        float body = length(max(abs(q + vec2(0.0, 4.4)) - vec2(1.2, 1.6), 0.0)) / 1.25;
        soft = max(soft, chin.w * (1.0 - smoothstep(0.75, 2.4, min(length(q / vec2(1.0, 1.3)), body))));
    }
    return soft;
}

// A band of gas across the sky as a long lens sees it: soft, lit from within, dust lanes before it.
vec3 nebula(vec2 q, vec2 shift, float kick) {
    vec2 far = q * 0.17 + shift * 0.35, near = q * 0.26 + shift * 0.75;
    vec3 a = IMG_NORM_PIXEL(gas, far * 0.62 + vec2(0.13, 0.41) + 0.27 * kfx_seed).rgb;
    vec3 b = IMG_NORM_PIXEL(gas, far * 1.3 + (a.rb - 0.5) * 0.11 + 0.6).rgb, c = IMG_NORM_PIXEL(gas, near * 1.5 + (a.br - 0.5) * 0.07 + 0.2).rgb;
    float across = dot(q + shift * 0.4, vec2(0.45, 0.89)) - 0.10 + 0.55 * (a.b - 0.5);
    float band = 1.0 / (1.0 + 7.0 * across * across);
    float glow = band * (0.30 + 0.70 * smoothstep(0.10, 0.90, 0.6 * b.r + 0.4 * a.r));
    float lane = band * smoothstep(0.40, 0.78, 0.62 * c.b + 0.38 * b.b);
    // Blue where starlight is scattered, red where hydrogen shines: two places, not a mixture.
    float place = smoothstep(0.35, 0.72, 0.7 * a.r + 0.3 * b.b + 0.5 * (warmth - 0.5));
    vec3 cold = vec3(0.030, 0.135, 0.300), ice = vec3(0.28, 0.62, 1.0), red = vec3(0.55, 0.085, 0.075), gold = vec3(1.0, 0.50, 0.22);
    float g2 = glow * glow, core = g2 * glow * smoothstep(0.45, 1.0, b.r);
    vec3 light = cold * (0.10 + 0.9 * glow * (0.4 + 0.6 * c.r)) * (1.0 - 0.55 * place);
    light += mix(ice * 0.30, red * 1.25, place) * g2 * (0.35 + 0.65 * c.r) * kick;
    light += mix(ice, gold, place) * (core * 0.95 * kick + b.g * b.g * g2 * 0.30) + vec3(0.9, 0.85, 0.8) * core * core * 0.5;
    light *= 1.0 - 0.86 * lane;
    return 1.0 - exp(-1.45 * brightness * (light + vec3(0.006, 0.009, 0.020)));
}

// Its colour over the half of the sky on one side, as bright as white: what a face turned there
// is lit with. Dark space lends no colour.
vec4 ambient(float side, float aspect) {
    vec4 now = texelFetch(view, ivec2(0), 0);
    vec2 shift = depth * now.xy + vec2(0.01 * drift * TIME, 0.0);
    vec3 sum = vec3(0.0);
    for (int i = 0; i < 12; i++)
        sum += nebula(vec2(side * aspect * (0.10 + 0.12 * float(i % 4)), 0.36 * float(i / 4) - 0.30), shift, 1.0) / 12.0;
    float y = luma(sum);
    return vec4(mix(vec3(0.80, 0.86, 1.0), clamp(sum / max(y, 0.02), 0.35, 1.9), 0.75 * smoothstep(0.0, 0.10, y)), 1.0);
}

vec4 blur(sampler2D image, vec2 p, vec2 d) {
    return IMG_NORM_PIXEL(image, p) * 0.196 + (IMG_NORM_PIXEL(image, p + d * 1.41) + IMG_NORM_PIXEL(image, p - d * 1.41)) * 0.297
         + (IMG_NORM_PIXEL(image, p + d * 3.3) + IMG_NORM_PIXEL(image, p - d * 3.3)) * 0.105;
}

// What a tile of the picture shows: space alone (r), the performer alone (g), both and the edge between
// them (b), or space that closes in softly about a face whose matte nobody has (a).
vec4 zone(vec2 tile) {
    vec2 low = (tile - 0.5) / RENDERSIZE, high = (tile + 0.5) / RENDERSIZE;
    float least = 1.0;         // of the matte
    vec3 most = vec3(0.0);     // of the matte, of the old set near by, of the guess
    for (int y = 0; y < 9; y++)
        for (int x = 0; x < 9; x++) {
            // Rows stand aside of each other: a strand doesn't pass between the points.
            vec2 o = mix(low, high, vec2(float(x) + 0.25 * float(y & 3) - 0.4, float(y)) / 8.0);
            float m = IMG_NORM_PIXEL(personMatte, o).r;
            least = min(least, m);
            most.x = max(most.x, m);
        }
    for (int i = 0; i < 25; i++) {
        vec2 o = mix(low, high, vec2(float(i % 5), float(i / 5)) / 4.0);
        most.yz = max(most.yz, vec2(IMG_NORM_PIXEL(old, o).a, IMG_NORM_PIXEL(closed, o).r));
    }
    if (most.x < 0.004 && most.z < 0.004) return vec4(1.0, 0.0, 0.0, 0.0);
    return least > 0.996 && most.y < 0.002 ? vec4(0.0, 1.0, 0.0, 0.0) : texelFetch(view, ivec2(1, 0), 0).w > 0.0 ? vec4(0.0, 0.0, 1.0, 0.0) : vec4(0.0, 0.0, 0.0, 1.0);
}

void main() {
    vec2 p = isf_FragNormCoord;
    if (PASSINDEX == 0) {
        float texel = floor(gl_FragCoord.x);
        gl_FragColor = texel < 2.0 ? look(texel > 0.0) : ambient(2.0 * texel - 5.0, IMG_SIZE(inputImage).x / IMG_SIZE(inputImage).y);
        return;
    }
    vec4 at = texelFetch(view, ivec2(PASSINDEX > 5 ? 1 : 0, 0), 0);
    float aspect = IMG_SIZE(inputImage).x / IMG_SIZE(inputImage).y;
    vec2 q = (p - 0.5) * vec2(aspect, 1.0);
    vec2 shift = depth * at.xy + vec2(0.01 * drift * TIME, 0.0);
    if (PASSINDEX == 1) {
        // What stood behind, weighted with how much of it is seen: the old set, and how near its light is.
        vec2 reach = vec2(max(width * at.z, 0.008) * 0.45 / aspect, 0.0);
        vec4 sum = vec4(0.0);
        for (int i = -2; i <= 2; i++) {
            vec2 o = p + reach * float(i);
            float out_ = 1.0 - IMG_NORM_PIXEL(personMatte, o).r;
            sum += vec4(IMG_NORM_PIXEL(inputImage, o).rgb * out_, out_) * (i == 0 ? 0.30 : (abs(i) == 1 ? 0.23 : 0.12));
        }
        gl_FragColor = sum;
    } else if (PASSINDEX == 2) {
        gl_FragColor = blur(across, p, vec2(0.0, max(width * at.z, 0.008) * 0.30));
    } else if (PASSINDEX == 3) {
        gl_FragColor = vec4((1.0 - texelFetch(view, ivec2(1, 0), 0).w) * guess(p * IMG_SIZE(inputImage)));
    } else if (PASSINDEX == 4) {
        gl_FragColor = vec4(nebula(q, shift, at.w), IMG_NORM_PIXEL(closed, p).r);
    } else if (PASSINDEX == 5) {
        gl_FragColor = zone(gl_FragCoord.xy);
    } else {
        vec4 plate = IMG_THIS_PIXEL(inputImage);
        vec4 space = vec4(0.0);
        vec3 world = vec3(0.0), f = plate.rgb;
        float a = 1.0;
        if (PASSINDEX != 7) {
            space = IMG_THIS_PIXEL(sky);
            // Light of stars comes through gas; three depths of them.
            vec3 s = IMG_NORM_PIXEL(field, q * 1.40 + shift * 0.5 + 0.1).rgb, t = IMG_NORM_PIXEL(field, q.yx * 0.85 + shift.yx * 1.1 + 0.43).rgb;
            vec3 light = (s * s * 1.3 + t * t * 2.2) * stars;
            world = 1.0 - (1.0 - space.rgb) * max(vec3(0.0), 1.0 - light * (1.0 - 0.55 * space.rgb));
            a = PASSINDEX == 6 ? 0.0 : max(IMG_THIS_PIXEL(personMatte).r, space.a);
        }
        float rim = 0.0;
        if (PASSINDEX == 9) {
            vec4 was = IMG_THIS_PIXEL(old);
            // At the edge the plate is a mixture with the old set: take that out again.
            vec3 behind = was.rgb / max(was.a, 0.02);
            float mixed = smoothstep(0.0, 0.15, was.a) * (1.0 - smoothstep(0.90, 1.0, a)) * at.w;
            vec3 own = clamp((plate.rgb - (1.0 - a) * behind) / max(a, 0.35), 0.0, 1.0);
            f = mix(plate.rgb, min(own, plate.rgb * 1.6 + 0.06), mixed);
            // The old set's colour that fell on the edge goes, too; the new light comes.
            rim = clamp(was.a * 2.2, 0.0, 1.0) * at.w;
            vec3 tint = behind / max(luma(behind), 0.05);
            f = mix(f, luma(f) * mix(vec3(1.0), f / max(luma(f) * tint, 0.02), 0.35), 0.30 * rim);
        }
        if (PASSINDEX != 6) {
            float y = luma(f);
            // Each side takes the colour of the sky on that side.
            float side = clamp(0.5 + 1.3 * (q.x - 7.0 * at.x), 0.0, 1.0);
            vec3 tint = mix(texelFetch(view, ivec2(2, 0), 0).rgb, texelFetch(view, ivec2(3, 0), 0).rgb, side);
            vec3 dark = mix(f, vec3(y), 0.30) * tint * (0.74 + 0.20 * y);
            f = mix(f, dark, night);
        }
        if (PASSINDEX == 9) {
            vec3 gain = 1.0 + wrap * rim * (6.0 * space.rgb + 0.8 * luma(space.rgb));
            f = f * gain / (1.0 + f * (gain - 1.0));
            f = 1.0 - (1.0 - f) * (1.0 - wrap * rim * rim * 0.55 * space.rgb);
        }
        gl_FragColor = vec4(mix(plate.rgb, mix(world, f, a), at.z), plate.a);
    }
}
