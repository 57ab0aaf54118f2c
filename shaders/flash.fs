/*{
  "ISFVSN": "2",
  "DESCRIPTION": "Flash frames on the beat: over-exposed, coloured, negative, black or a light leak; never more than three flashes in any second (E51)",
  "CREDIT": "kfx",
  "CATEGORIES": ["Camera", "Finishing"],
  "INPUTS": [
    {"NAME": "inputImage", "TYPE": "image"},
    {"NAME": "beat", "TYPE": "float"},
    {"NAME": "design", "TYPE": "long", "VALUES": [0, 1, 2, 3, 4], "LABELS": ["white", "colour", "negative", "black", "leak"], "DEFAULT": 0, "DOC": "what a flash does to the picture"},
    {"NAME": "every", "TYPE": "float", "DEFAULT": 2.0, "MIN": 0.25, "MAX": 64.0, "UNIT": "beats", "DOC": "beats between flashes; those that would come too fast are left out"},
    {"NAME": "amount", "TYPE": "float", "DEFAULT": 0.85, "MIN": 0.0, "MAX": 1.0, "DOC": "how far a flash goes"},
    {"NAME": "attack", "TYPE": "float", "DEFAULT": 0.03, "MIN": 0.02, "MAX": 0.2, "UNIT": "s", "DOC": "how softly it comes"},
    {"NAME": "decay", "TYPE": "float", "DEFAULT": 0.13, "MIN": 0.05, "MAX": 1.0, "UNIT": "s", "DOC": "how softly it goes"},
    {"NAME": "tint", "TYPE": "color", "DEFAULT": [0.42, 0.62, 1.0, 1.0], "DOC": "light of the coloured flash; pure red is softened"}
  ],
  "PASSES": [
    {"TARGET": "past", "WIDTH": "3", "HEIGHT": "1", "FLOAT": true, "PERSISTENT": true},
    {}
  ],
  "KFX": {"region": "frame", "pointwise": true}
}*/

// WCAG 2.3.1 and ITU-R BT.1702: at most three flashes within any second. Flashes that begin no
// less than this apart can't break it, whatever tempo and knobs say.
const float GAP = 0.36;

float luma(vec3 c) { return dot(c, vec3(0.2126, 0.7152, 0.0722)); }

// What the limiter knows: seconds since the last flash began, number of the last hit, whether a
// flash has been let through, its number.
vec4 limiter() {
    vec4 last = texelFetch(past, ivec2(0), 0);
    float hit = floor(beat / every + 1e-4);
    if (FRAMEINDEX == 0) {
        // After a cut nobody knows when it last flashed: only the start of the show may begin lit.
        bool start = TIME < 0.02;
        return vec4(0.0, hit, start ? 1.0 : 0.0, hit);
    }
    float age = last.x + clamp(TIMEDELTA, 0.0, 1.0);
    if (hit != last.y && age >= GAP) return vec4(0.0, hit, 1.0, hit);
    return vec4(min(age, 60.0), hit, last.z, last.w);
}

void main() {
    if (PASSINDEX == 0) {
        vec4 now = limiter();
        float rise = clamp((now.x + 0.017) / attack, 0.0, 1.0);
        float e = amount * now.z * rise * rise * (3.0 - 2.0 * rise) * exp(-max(0.0, now.x - attack) / decay);
        float side = 6.2832 * fract(now.w * 0.61803 + kfx_seed * 0.377);
        // What the whole frame shares is worked out here, once: strength, exposure, side of the leak;
        // what is left of the shadows, guard against red.
        vec4 one = vec4(e, exp2(4.6 * e), cos(side), sin(side));
        vec4 two = vec4(1.0 - e * e * vec3(0.62, 0.60, 0.56), min(e * 16.0, 1.0));
        gl_FragColor = gl_FragCoord.x < 1.0 ? now : gl_FragCoord.x < 2.0 ? one : two;
        return;
    }
    vec4 plate = IMG_THIS_PIXEL(inputImage);
    vec4 now = texelFetch(past, ivec2(1, 0), 0), rest = texelFetch(past, ivec2(2, 0), 0);
    vec3 p = plate.rgb, c = p;
    float e = now.x;
    if (design == 0) {                 // the shutter hung: highlights run over first, blacks hold longest
        vec3 d = 1.0 + p * (now.y - 1.0);             // p·y / d, with one division for three
        c = p * (now.y / (d.r * d.g * d.b)) * (d.gbr * d.brg);
        c = 1.0 - (1.0 - c) * rest.rgb;
    } else if (design == 1) {          // a gelled strobe: it paints what reflects it
        vec3 lamp = mix(vec3(1.0), tint.rgb * 9.0, e);
        c = p * lamp / (1.0 + p * max(lamp - 1.0, 0.0));
        c += (1.0 - c) * tint.rgb * (0.14 * e * e);
    } else if (design == 2) {          // the negative itself, on its orange base; it leaves through the shadows
        vec3 negative = (1.0 - p) * (1.0 - p) * vec3(0.93, 0.80, 0.68) + vec3(0.060, 0.030, 0.015);
        c = mix(p, negative, clamp(e * 4.5 - 1.27 * luma(p), 0.0, 1.0));
    } else if (design == 3) {          // the gate closes: lights go last
        c = p * mix(vec3(1.0), p, min(e * 1.5, 1.0)) * max(0.0, 1.0 - 1.18 * e);
    } else {                           // light through the back of the magazine, from another side each time
        vec2 q = isf_FragNormCoord - 0.5;
        float d = clamp(dot(q, now.zw) + 0.45 + 0.5 * (q.x * q.y - q.y * q.y * now.z) + 0.35 * e, 0.0, 1.0);
        float burnt = e * (0.22 + 1.6 * d * d * (3.0 - 2.0 * d));
        vec3 light = vec3(1.9, 0.72, 0.22) * burnt + vec3(1.2, 1.1, 0.9) * (burnt * burnt * burnt);
        c = 1.0 - (1.0 - p) / (1.0 + light + light * light);
    }
    // Saturated red (r of r+g+b above 0.8) is the dangerous colour: a flash never makes it.
    c.gb += max(0.0, 0.28 * c.r - c.g - c.b) * rest.a * vec2(0.6, 0.4);
    gl_FragColor = vec4(c, plate.a);
}
