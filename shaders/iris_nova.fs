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
    {"NAME": "hue", "TYPE": "float", "DEFAULT": 0.0, "MIN": 0.0, "MAX": 1.0, "DOC": "turns the palette once round the colour wheel"},
    {"NAME": "rotation", "TYPE": "float", "DEFAULT": 0.05, "MIN": -1.0, "MAX": 1.0, "UNIT": "rev/s", "DOC": "how fast it turns"},
    {"NAME": "pupil", "TYPE": "float", "DEFAULT": 0.3, "MIN": 0.15, "MAX": 0.6, "DOC": "radius of the pupil in iris radii; it widens on the beat"},
    {"NAME": "emissive", "TYPE": "float", "DEFAULT": 0.6, "MIN": 0.0, "MAX": 4.0, "DOC": "how much the iris glows by itself"},
    {"NAME": "size", "TYPE": "float", "DEFAULT": 1.0, "MIN": 0.7, "MAX": 1.5, "DOC": "radius in real iris radii"}
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

// Night, violet, ice, gold: one palette for all designs, turned about the grey axis by `hue`.
vec3 palette(float t) {
    t = clamp(t, 0.0, 1.0) * 3.0;
    vec3 c = mix(vec3(0.020, 0.028, 0.120), vec3(0.250, 0.160, 0.780), clamp(t, 0.0, 1.0));
    c = mix(c, vec3(0.360, 0.800, 1.000), clamp(t - 1.0, 0.0, 1.0));
    c = mix(c, vec3(1.000, 0.830, 0.520), clamp(t - 2.0, 0.0, 1.0));
    vec3 k = vec3(0.57735);
    float angle = TAU * hue;
    return max(vec3(0.0), c * cos(angle) + cross(k, c) * sin(angle) + k * dot(k, c) * (1.0 - cos(angle)));
}

// Colour of the design at q (unit disc); a is how much it shines.
vec4 paint(vec2 q, float turn, float open) {
    float r = length(q);
    float a = atan(q.y, q.x) + turn;
    float fibres = noise(vec2(a * 17.0, r * 1.6)) * 0.65 + noise(vec2(a * 7.0 + 9.0, r * 3.0)) * 0.35;
    float core = exp(-pow(max(0.0, r - open) * 4.2, 2.0));    // what lies round the pupil
    float t;
    float shine;
    if (design == 1) {                       // Saturn: rings and gaps of their own widths
        float u = (r - open) * 3.4 + 0.05 * noise(vec2(a * 3.0, 4.0));
        float ring = 0.5 + 0.5 * cos(TAU * u * 1.55 + 1.8 * sin(u * 5.0));
        t = 0.16 + 0.72 * ring * (0.55 + 0.45 * core);
        shine = ring * ring;
    } else if (design == 2) {                // a star whose rays thin out to the limbus
        float ray = pow(0.5 + 0.5 * cos(a * 5.0), 2.4);
        float fine = pow(0.5 + 0.5 * cos(a * 5.0 + 3.14159), 9.0) * 0.45;
        float reach = mix(open * 1.15, 1.02, max(ray, fine));
        float inside = 1.0 - smoothstep(reach - 0.22, reach + 0.05, r);
        t = 0.14 + 0.10 * fibres + 0.80 * inside * (0.62 + 0.38 * core);
        shine = inside;
    } else if (design == 3) {                // a flower: six petals with veins, a bright heart
        float outline = 0.60 + 0.36 * abs(cos(a * 3.0));
        float petal = 1.0 - smoothstep(outline - 0.16, outline + 0.03, r);
        float vein = pow(abs(cos(a * 3.0)), 0.35) * (0.75 + 0.25 * fibres);
        t = 0.10 + petal * (0.30 + 0.42 * vein * smoothstep(open, 0.85, r)) + 0.5 * core;
        shine = petal * 0.35 + core;
    } else {                                 // a galaxy: two arms, dust, a burning centre
        float arm = pow(0.5 + 0.5 * cos(2.0 * a - 6.0 * log(r + 0.16)), 1.5);
        float dust = noise(q * 5.0 + vec2(turn, 3.0)) * 0.6 + fibres * 0.4;
        t = 0.10 + 0.50 * arm * (0.45 + 0.75 * dust) + 0.14 * dust + 0.62 * core;
        shine = arm * dust + core;
    }
    vec3 c = palette(t) * (0.72 + 0.56 * fibres);
    // Stars, steady under the turning arms.
    vec2 grid = q * 8.0 + 20.0;
    float lone = step(0.90, hash(floor(grid))) * smoothstep(0.42, 0.0, length(fract(grid) - 0.5));
    c += lone * smoothstep(open, open + 0.2, r) * (1.0 - smoothstep(0.75, 0.95, r)) * vec3(0.85, 0.92, 1.0);
    return vec4(c, shine + lone);
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
        float disc = 1.0 - smoothstep(0.94 - soft, 1.03 + soft, r);

        float kick = exp(-6.0 * fract(beat));
        float open = pupil * (1.0 + 0.25 * kick);
        vec4 art = paint(q, rotation * TAU * TIME * (right ? 1.0 : -1.0), open);
        float core = 1.0 - smoothstep(open - max(soft, 0.06), open + max(soft, 0.06), r);
        vec3 iris = mix(art.rgb, vec3(0.006, 0.007, 0.012), core);
        iris *= 1.0 - 0.85 * smoothstep(0.74, 1.02, r);                   // limbal ring

        // Lit as the eye is: by the sclera's brightness, shaded where lid and lashes shade the plate.
        vec2 corner_a = landmark(slot, right ? 33 : 263).xy, corner_b = landmark(slot, right ? 133 : 362).xy;
        float lit = light_on(c.xy, corner_a, corner_b);
        float y_plate = luma(plate.rgb);
        float base = 0.5 * (luma(IMG_PIXEL(inputImage, c.xy + 0.62 * x).rgb) + luma(IMG_PIXEL(inputImage, c.xy - 0.62 * x).rgb));
        float lid = 1.0 - 0.72 * smoothstep(0.05, 0.90, q.y) * (0.6 + 0.4 * lit);
        float depth = clamp(0.45 + 0.55 * y_plate / max(base, 0.04), 0.55, 1.15);
        float glow = emissive * (0.7 + 0.3 * kick);
        vec3 shaded = iris * (lit * 1.05 + glow * (0.25 + 0.8 * art.a));
        shaded = (1.0 - exp(-1.3 * shaded)) * lid * depth;                 // rolls off like film
        shaded = mix(shaded, plate.rgb, 0.10);                             // the lens veils it as all else

        // The catch-light belongs to the set: it stays on top, and so do reflections in glasses.
        float spark = smoothstep(base + 0.10, base + 0.32, y_plate) * (1.0 - smoothstep(0.60, 0.90, r));
        shaded = 1.0 - (1.0 - shaded) * (1.0 - spark * clamp(plate.rgb * 1.25, 0.0, 1.0));

        // Gone before the lids meet, and where the iris is only a few pixels.
        float gap = distance(landmark(slot, right ? 159 : 386).xy, landmark(slot, right ? 145 : 374).xy);
        float awake = smoothstep(0.07, 0.15, gap / max(distance(corner_a, corner_b), 1.0));
        float seen = opening * c.w * awake * smoothstep(3.0, 6.0, wide);
        vec3 spill = palette(0.5) * glow * 0.16 * exp(-3.0 * max(0.0, r - 1.0)) * lit;
        vec3 eye = mix(1.0 - (1.0 - plate.rgb) * (1.0 - clamp(spill, 0.0, 1.0)), shaded, disc);
        result.rgb = mix(result.rgb, eye, seen);
    }
    gl_FragColor = result;
}
