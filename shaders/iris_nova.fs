/*{
  "ISFVSN": "2",
  "DESCRIPTION": "An impossible iris, one of nine that turn inside the eye: galaxy to eclipse to clockwork, cut by the lids, under the real catch-light (E16)",
  "CREDIT": "kfx",
  "CATEGORIES": ["Face", "Eyes"],
  "INPUTS": [
    {"NAME": "inputImage", "TYPE": "image"},
    {"NAME": "faceParts", "TYPE": "image"},
    {"NAME": "faceData", "TYPE": "image"},
    {"NAME": "beat", "TYPE": "float"},
    {"NAME": "design", "TYPE": "long", "VALUES": [0, 1, 2, 3, 4, 5, 6, 7, 8], "LABELS": ["galaxy", "rings", "star", "petals", "eclipse", "chrome", "clockwork", "nebula", "member"], "DEFAULT": 0, "DOC": "what is drawn in the iris; member = rings in colours that each face has for itself"},
    {"NAME": "hue", "TYPE": "float", "DEFAULT": 0.0, "MIN": 0.0, "MAX": 1.0, "DOC": "turns the palette once round the colour wheel"},
    {"NAME": "rotation", "TYPE": "float", "DEFAULT": 0.05, "MIN": -1.0, "MAX": 1.0, "UNIT": "rev/s", "DOC": "how fast it turns"},
    {"NAME": "pupil", "TYPE": "float", "DEFAULT": 0.3, "MIN": 0.15, "MAX": 0.6, "DOC": "radius of the pupil in iris radii; it widens on the beat"},
    {"NAME": "emissive", "TYPE": "float", "DEFAULT": 0.6, "MIN": 0.0, "MAX": 4.0, "DOC": "how much the iris glows by itself"},
    {"NAME": "size", "TYPE": "float", "DEFAULT": 1.0, "MIN": 0.7, "MAX": 1.5, "DOC": "radius in real iris radii"}
  ],
  "KFX": {"region": "eyes", "margin_iod": 0.06, "reach_iod": 0.3}
}*/

const float TAU = 6.2831853;

vec4 landmark(int slot, int i) { return texelFetch(faceData, ivec2(i, slot), 0); }
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

float fbm(vec2 p) {
    float sum = 0.0, share = 0.5;
    for (int i = 0; i < 4; i++) {                                     // a loop is skipped where a branch isn't taken
        sum += share * noise(p);
        p = p * 2.1 + 7.3;
        share *= 0.54;
    }
    return sum;
}

// A room of chrome: dark floor with a warm bounce, a hard horizon, a softbox, blue height.
vec3 room(vec2 n) {
    float y = n.y + 0.12 * n.x;
    vec3 c = mix(vec3(0.03, 0.03, 0.04), vec3(0.42, 0.33, 0.27), smoothstep(-0.15, -0.85, y));
    c = mix(c, mix(vec3(0.86, 0.93, 1.0), palette(0.42) * 0.55, smoothstep(0.0, 0.9, y)), smoothstep(-0.03, 0.03, y));
    return c + vec3(1.1) * smoothstep(0.16, 0.10, length((n - vec2(-0.34, 0.48)) * vec2(1.0, 0.7)) - 0.08);
}

// The later designs. `a` already turns; px is a pixel in iris radii, slot whose face it is.
vec4 paint_late(vec2 q, float r, float a, float turn, float open, float px, int slot) {
    vec2 ray = vec2(cos(a), sin(a));                                  // no seam where the angle starts
    if (design == 4) {                       // the moon before the sun: corona, pearls, one diamond
        float d = r - open * 1.62;
        float stream = fbm(ray * 5.5 + vec2(0.0, r * 0.5)) * 0.7 + noise(ray * 19.0 + r) * 0.5;
        float corona = exp(-max(d, 0.0) * mix(13.0, 3.2, smoothstep(0.3, 0.95, stream)));
        float thin = exp(-pow(d / max(0.030, 1.2 * px), 2.0));
        float bead = exp(-dot(q - open * 1.62 * vec2(0.64, 0.77), q - open * 1.62 * vec2(0.64, 0.77)) * 95.0);
        vec3 c = palette(0.10) * 0.5 + palette(0.30 + 0.62 * corona) * corona * (0.5 + 1.3 * stream) + vec3(1.0, 0.93, 0.84) * (thin * 1.6 + bead * 3.0);
        return vec4(c * smoothstep(-0.02 - px, 0.01, d), corona * 0.6 + thin + 2.0 * bead);
    }
    if (design == 5) {                       // liquid metal: lobed waves that run round a bowl
        float wave = 0.5 * r * r + 0.060 * sin(r * 11.0 - 2.0 * sin(a * 3.0)) + 0.022 * sin(a * 6.0 + r * 5.0) * r;
        float e = max(0.012, px);
        vec2 qx = q + vec2(e, 0.0), qy = q + vec2(0.0, e);
        float ax = atan(qx.y, qx.x) + turn, ay = atan(qy.y, qy.x) + turn, rx = length(qx), ry = length(qy);
        float wx = 0.5 * rx * rx + 0.060 * sin(rx * 11.0 - 2.0 * sin(ax * 3.0)) + 0.022 * sin(ax * 6.0 + rx * 5.0) * rx;
        float wy = 0.5 * ry * ry + 0.060 * sin(ry * 11.0 - 2.0 * sin(ay * 3.0)) + 0.022 * sin(ay * 6.0 + ry * 5.0) * ry;
        vec2 n = vec2(wx - wave, wy - wave) / e;
        vec3 c = room(n / sqrt(1.0 + dot(n, n)) * 1.15);
        return vec4(c * 1.1, 0.35 + 0.55 * luma(c));
    }
    if (design == 6) {                       // clockwork: sixteen blades round the pupil, a toothed rim
        float spiral = (a * 2.0 - acos(clamp(open / max(r, 0.001), -1.0, 1.0))) * 8.0 / TAU;
        float f = fract(spiral), blade = noise(vec2(mod(floor(spiral), 16.0) * 3.7, 1.0));
        float edge = min(f, 1.0 - f) * TAU / 16.0 * r;
        float brushed = 0.82 + 0.25 * noise(vec2(f * 24.0, r * 5.0 + blade * 9.0)) + 0.12 * noise(vec2(f * 90.0, r * 9.0));
        vec3 c = mix(palette(0.16), palette(0.52), f * f) * (0.45 + 0.5 * f) * brushed * (0.7 + 0.5 * blade);
        float gold = 1.0 - smoothstep(0.010, 0.016 + 1.2 * px, edge);
        gold = max(gold, 1.0 - smoothstep(0.012, 0.020 + px, abs(r - open - 0.035)));
        // The rim turns the other way, thirty-six teeth and a minute track inside.
        float tooth = 0.5 + 0.5 * cos((a - 3.0 * turn) * 36.0);
        float teeth = smoothstep(0.80 - 1.2 * px, 0.80 + 1.2 * px, r + 0.035 * smoothstep(0.35, 0.65, tooth));
        c = mix(c, vec3(0.035, 0.033, 0.045) + 0.16 * palette(0.35) * tooth, teeth);
        float minute = smoothstep(0.86, 0.86 + 0.10 + 18.0 * px, 0.5 + 0.5 * cos((a - 3.0 * turn) * 60.0)) * (1.0 - smoothstep(0.02, 0.03 + px, abs(r - 0.86)));
        gold = max(gold * (1.0 - teeth), max(minute, 1.0 - smoothstep(0.006, 0.014 + 1.2 * px, abs(r + 0.035 * smoothstep(0.35, 0.65, tooth) - 0.80))));
        return vec4(mix(c, palette(0.97) * (0.75 + 0.35 * q.y), gold), 0.22 + 0.7 * gold);
    }
    if (design == 7) {                       // a nebula: folded gas, dust lanes, young stars
        float c_ = cos(turn), s_ = sin(turn);
        vec2 p = mat2(c_, s_, -s_, c_) * q * 1.15 + 11.0;
        vec2 fold = vec2(fbm(p), fbm(p + 5.2)) - 0.5;
        float gas = fbm(p * 1.3 + 2.2 * fold);
        float lane = smoothstep(0.36, 0.60, fbm(p * 1.6 - 1.8 * fold + 3.0));
        vec3 c = palette(0.10 + 0.9 * smoothstep(0.25, 0.75, gas)) * (0.35 + 2.3 * gas * gas);
        c = mix(c, palette(1.0).bgr * vec3(1.05, 0.50, 0.85), 0.55 * smoothstep(0.52, 0.75, fbm(p * 0.9 + 4.0 * fold + 8.0)));
        c *= 0.30 + 0.95 * lane;
        vec2 grid = p * 9.0;
        float lot = hash(floor(grid) + 3.0);
        float star = step(0.86, lot) * smoothstep(0.05 + 0.16 * lot, 0.0, length(fract(grid) - 0.3 - 0.4 * vec2(lot * 7.0 - floor(lot * 7.0), 0.5)) - px * 4.0);
        return vec4(c + star * vec3(1.0, 0.96, 0.92), gas * gas * 1.3 * lane + star);
    }
    // A member's own: three inks that meet along the fibres, in rings scalloped as often as no other's.
    const vec3 inks[12] = vec3[12](
        vec3(0.03, 0.17, 0.22), vec3(0.95, 0.66, 0.24), vec3(0.30, 0.86, 0.78), vec3(0.16, 0.07, 0.30), vec3(0.58, 0.74, 1.00), vec3(0.96, 0.36, 0.40),
        vec3(0.26, 0.05, 0.05), vec3(1.00, 0.42, 0.16), vec3(1.00, 0.86, 0.62), vec3(0.05, 0.16, 0.07), vec3(0.50, 0.80, 0.32), vec3(0.86, 0.62, 1.00));
    int own = ((slot + int(kfx_seed)) & 3) * 3;
    float scallop = cos(a * float(5 + ((slot + int(kfx_seed)) & 3) * 2));
    float thread = noise(vec2(atan(q.y, q.x) * 21.0, r * 3.0)) * 0.6 + noise(vec2(atan(q.y, q.x) * 48.0, r * 5.0)) * 0.4;
    float u = (r - open) / (1.0 - open) + (0.055 + 0.05 * r) * scallop + 0.16 * (thread - 0.5);
    float w = 0.035 + px;
    vec3 c = mix(inks[own + 2], inks[own + 1], smoothstep(0.16 - w, 0.16 + w, u));
    c = mix(c, inks[own], smoothstep(0.36 - w, 0.36 + w, u));
    c = mix(c, inks[own + 2] * 0.8, smoothstep(0.60 - w, 0.60 + w, u) * (1.0 - smoothstep(0.70 - w, 0.70 + w, u)));
    vec3 axis = vec3(0.57735);
    c = max(vec3(0.0), c * cos(TAU * hue) + cross(axis, c) * sin(TAU * hue) + axis * dot(axis, c) * (1.0 - cos(TAU * hue)));
    return vec4(c * (0.45 + 1.0 * thread), 0.30 + 0.7 * luma(c));
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
    // Whose iris it is, first: a software GPU walks through all that a loop holds for every eye
    // there may be, so the loop holds next to nothing.
    int owner = -1;
    float nearest = 1e9;
    for (int n = 0; n < 16; n++) {
        vec4 c = landmark(n >> 1, (n & 1) == 0 ? 468 : 473);
        float d = dot(p - c.xy, p - c.xy);
        if (c.w > 0.0 && d < nearest) {
            nearest = d;
            owner = n;
        }
    }
    if (owner >= 0 && opening > 0.0) {
        int slot = owner >> 1;
        bool right = (owner & 1) == 0;
        int first = right ? 468 : 473;
        vec4 c = landmark(slot, first);
        // The ring of the iris is an ellipse where the eye looks aside.
        vec2 x = (landmark(slot, first + 1).xy - landmark(slot, first + 3).xy) * 0.5;
        vec2 y = (landmark(slot, first + 2).xy - landmark(slot, first + 4).xy) * 0.5;
        // A lid over the iris makes MediaPipe's ring too flat: an iris is never taller than
        // wide, nor much less tall.
        float wide = length(x);
        y = normalize(y) * clamp(length(y), 0.9 * wide, 1.1 * wide);
        vec2 q = inverse(mat2(x, y)) * (p - c.xy) / size;
        q.x = abs(q.x) * sign(q.x) * (right ? 1.0 : -1.0);
        float r = length(q);
        float soft = 0.9 / max(wide, 1.0);
        float disc = 1.0 - smoothstep(0.94 - soft, 1.03 + soft, r);

        float kick = exp(-6.0 * fract(beat));
        float open = pupil * (1.0 + 0.25 * kick);
        float turn = rotation * TAU * TIME * (right ? 1.0 : -1.0);
        vec4 art = design > 3 ? paint_late(q, r, atan(q.y, q.x) + turn, turn, open, soft / size, slot) : paint(q, turn, open);
        // Seen very close there is more to see: fibres and crypts that a small eye can't show.
        float close = smoothstep(28.0, 70.0, wide);
        if (close > 0.0 && design < 4) {
            float at = atan(q.y, q.x);
            float fine = noise(vec2(at * 46.0 + 3.0 * noise(vec2(at * 9.0, r * 7.0)), r * 4.0)) * 0.6 + noise(vec2(at * 95.0, r * 6.0)) * 0.4;
            art.rgb *= 1.0 + close * (fine - 0.5) * 0.95 * smoothstep(open, open + 0.12, r);
        }
        if (design == 4) open *= 1.5;
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
        float seen = opening * c.w * awake * smoothstep(3.0, 6.0, wide) * step(nearest, 9.0 * wide * wide);
        vec3 spill = palette(0.5) * glow * 0.16 * exp(-3.0 * max(0.0, r - 1.0)) * lit;
        vec3 eye = mix(1.0 - (1.0 - plate.rgb) * (1.0 - clamp(spill, 0.0, 1.0)), shaded, disc);
        result.rgb = mix(result.rgb, eye, seen);
    }
    gl_FragColor = result;
}
