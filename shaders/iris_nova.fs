/*{
  "ISFVSN": "2",
  "DESCRIPTION": "An impossible iris: rings, a star, petals or a galaxy that turn inside the eye, cut by the lids, under the real catch-light (E16)",
  "CREDIT": "kfx",
  "CATEGORIES": ["Face", "Eyes"],
  "INPUTS": [
    {"NAME": "inputImage", "TYPE": "image"},
    {"NAME": "faceParts", "TYPE": "image"},
    {"NAME": "faceData", "TYPE": "image"},
    {"NAME": "beat", "TYPE": "float"},
    {"NAME": "design", "TYPE": "long", "VALUES": [0, 1, 2, 3], "LABELS": ["galaxy", "rings", "star", "petals"], "DEFAULT": 0, "DOC": "what is drawn in the iris"},
    {"NAME": "hue", "TYPE": "float", "DEFAULT": 0.55, "MIN": 0.0, "MAX": 1.0, "DOC": "colour of the palette, once round the wheel"},
    {"NAME": "rotation", "TYPE": "float", "DEFAULT": 0.05, "MIN": -1.0, "MAX": 1.0, "UNIT": "rev/s", "DOC": "how fast it turns"},
    {"NAME": "pupil", "TYPE": "float", "DEFAULT": 0.3, "MIN": 0.15, "MAX": 0.6, "DOC": "radius of the pupil in iris radii; it widens on the beat"},
    {"NAME": "emissive", "TYPE": "float", "DEFAULT": 0.6, "MIN": 0.0, "MAX": 4.0, "DOC": "how much the iris glows by itself"},
    {"NAME": "size", "TYPE": "float", "DEFAULT": 1.04, "MIN": 0.7, "MAX": 1.5, "DOC": "radius in real iris radii"}
  ],
  "KFX": {"region": "eyes", "margin_iod": 0.06}
}*/

const float TAU = 6.2831853;

vec4 landmark(int slot, int i) { return IMG_PIXEL(faceData, vec2(float(i) + 0.5, float(slot) + 0.5)); }
float luma(vec3 c) { return dot(c, vec3(0.2126, 0.7152, 0.0722)); }
float hash(vec2 p) { return fract(sin(dot(p, vec2(41.3, 289.1)) + kfx_seed) * 4375.85); }

float noise(vec2 p) {
    vec2 i = floor(p), f = fract(p);
    f = f * f * (3.0 - 2.0 * f);
    return mix(mix(hash(i), hash(i + vec2(1, 0)), f.x), mix(hash(i + vec2(0, 1)), hash(i + vec2(1, 1)), f.x), f.y);
}

vec3 palette(float t) { return 0.52 + 0.48 * cos(TAU * (t + hue + vec3(0.0, 0.33, 0.67))); }

// Colour of the design at q (unit disc); a is how much it shines.
vec4 paint(vec2 q, float turn, float open) {
    float r = length(q);
    float a = atan(q.y, q.x) + turn;
    vec3 c;
    float shine;
    if (design == 1) {                       // Saturn: crisp rings of several colours
        float ring = 0.5 + 0.5 * cos((r - open) * 30.0 + 0.6 * sin(a * 3.0));
        c = palette(0.30 * floor((r - open) * 4.8) + 0.1) * (0.35 + 0.9 * ring * ring);
        shine = ring * ring * 0.8;
    } else if (design == 2) {                // a star with five rays
        float ray = cos(a * 5.0) * 0.5 + 0.5;
        float edge = mix(open * 1.25, 0.94, pow(ray, 1.7));
        float inside = 1.0 - smoothstep(edge - 0.07, edge + 0.07, r);
        c = mix(palette(0.52) * 0.30, mix(vec3(1.0, 0.97, 0.88), palette(0.08), smoothstep(0.2, 0.9, r)) * 1.25, inside);
        shine = inside;
    } else if (design == 3) {                // a flower: two rows of petals
        float outer = abs(cos(a * 3.0)) * 0.40 + 0.56;
        float inner = abs(cos(a * 3.0 + 1.57)) * 0.28 + 0.36;
        float o = 1.0 - smoothstep(outer - 0.06, outer + 0.05, r);
        float i = 1.0 - smoothstep(inner - 0.05, inner + 0.05, r);
        c = palette(0.5) * 0.22;
        c = mix(c, palette(0.12 + 0.25 * r) * 1.05, o);
        c = mix(c, palette(0.82) * 1.2, i);
        shine = 0.3 * o + 0.7 * i;
    } else {                                 // a galaxy: arms, dust and stars
        float arm = 0.5 + 0.5 * cos(2.0 * a - 7.0 * log(r + 0.12));
        float dust = noise(vec2(a * 2.2, r * 7.0)) * 0.6 + noise(q * 9.0 + turn) * 0.4;
        c = palette(0.18 + 0.38 * r + 0.12 * dust) * (0.25 + 1.05 * arm * (0.45 + dust));
        c += vec3(1.0, 0.85, 0.7) * exp(-pow((r - open) * 7.0, 2.0)) * 0.7;
        vec2 cell = floor(q * 11.0);
        c += step(0.93, hash(cell + 3.0)) * smoothstep(0.5, 0.1, length(fract(q * 11.0) - 0.5)) * 0.9;
        shine = arm * 0.6 + exp(-pow((r - open) * 7.0, 2.0));
    }
    // Fine radial fibres keep it an iris.
    c *= 0.86 + 0.28 * noise(vec2(a * 14.0, r * 2.0));
    return vec4(c, shine);
}

// Bright parts of the sclera either side of the iris tell how the eye is lit.
float light_on(vec2 c, vec2 corner_a, vec2 corner_b) {
    float a = luma(IMG_PIXEL(inputImage, mix(c, corner_a, 0.62)).rgb);
    float b = luma(IMG_PIXEL(inputImage, mix(c, corner_b, 0.62)).rgb);
    return clamp(max(a, b) * 1.25, 0.12, 1.0);
}

void main() {
    vec4 plate = IMG_THIS_PIXEL(inputImage);
    vec4 result = plate;
    float opening = IMG_THIS_PIXEL(faceParts).b;
    vec2 p = gl_FragCoord.xy;
    for (int n = 0; n < 16 && opening > 0.0; n++) {
        int slot = n / 2;
        bool right = (n % 2) == 0;
        int first = right ? 468 : 473;
        vec4 c = landmark(slot, first);
        if (c.w <= 0.0) continue;
        // The ring of the iris is an ellipse where the eye looks aside.
        vec2 x = (landmark(slot, first + 1).xy - landmark(slot, first + 3).xy) * 0.5;
        vec2 y = (landmark(slot, first + 2).xy - landmark(slot, first + 4).xy) * 0.5;
        // A lid over the iris makes MediaPipe's ring too flat: an iris is never taller than
        // wide, nor much less tall.
        float wide = length(x);
        y = normalize(y) * clamp(length(y), 0.9 * wide, 1.1 * wide);
        if (dot(p - c.xy, p - c.xy) > 9.0 * wide * wide) continue;
        vec2 q = inverse(mat2(x, y)) * (p - c.xy) / size;
        q.x = abs(q.x) * sign(q.x) * (right ? 1.0 : -1.0);
        float r = length(q);
        float soft = 0.9 / max(wide, 1.0);
        float disc = 1.0 - smoothstep(1.0 - soft, 1.0 + soft, r);

        float kick = exp(-6.0 * fract(beat));
        float open = pupil * (1.0 + 0.25 * kick);
        vec4 art = paint(q, rotation * TAU * TIME * (right ? 1.0 : -1.0), open);
        vec3 iris = art.rgb;
        float core = 1.0 - smoothstep(open - soft, open + soft, r);
        iris = mix(iris, vec3(0.01, 0.012, 0.02), core);
        iris *= 1.0 - 0.75 * smoothstep(0.80, 1.0, r);                   // limbal ring

        vec2 corner_a = landmark(slot, right ? 33 : 263).xy, corner_b = landmark(slot, right ? 133 : 362).xy;
        float lit = light_on(c.xy, corner_a, corner_b);
        float lid = 1.0 - 0.55 * smoothstep(0.15, 0.95, q.y);              // shadow of the upper lid
        float glow = emissive * (0.55 + 0.45 * kick);
        vec3 shaded = iris * (lit * lid * 1.15 + glow * (0.25 + 0.75 * art.a) * (1.0 - core));
        shaded = 1.0 - exp(-1.35 * shaded);                                // rolls off like film

        // The catch-light belongs to the set: it stays on top.
        float y_plate = luma(plate.rgb);
        float spark = smoothstep(0.50, 0.85, y_plate) * disc;
        shaded = 1.0 - (1.0 - shaded) * (1.0 - plate.rgb * spark);

        float seen = opening * c.w * smoothstep(2.0, 5.0, wide);
        vec3 spill = palette(0.1) * glow * 0.22 * exp(-2.6 * max(0.0, r - 1.0)) * (1.0 - disc);
        vec3 eye = mix(1.0 - (1.0 - plate.rgb) * (1.0 - clamp(spill, 0.0, 1.0)), shaded, disc);
        result.rgb = mix(result.rgb, eye, seen);
    }
    gl_FragColor = result;
}
