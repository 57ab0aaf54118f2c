/*{
  "ISFVSN": "2",
  "DESCRIPTION": "Threads of the picture put in order of brightness: the face runs off itself in sorted lines, to the eyes and no further (E36)",
  "CREDIT": "kfx",
  "CATEGORIES": ["Glitch", "Face"],
  "INPUTS": [
    {"NAME": "inputImage", "TYPE": "image"},
    {"NAME": "faceUV", "TYPE": "image"},
    {"NAME": "faceParts", "TYPE": "image"},
    {"NAME": "beat", "TYPE": "float"},
    {"NAME": "iod", "TYPE": "float"},
    {"NAME": "place", "TYPE": "long", "VALUES": [0, 1], "LABELS": ["face", "frame"], "DEFAULT": 0, "DOC": "what is sorted: faces and what lies beyond them, or the whole picture"},
    {"NAME": "direction", "TYPE": "long", "VALUES": [0, 1, 2, 3], "LABELS": ["down", "up", "right", "left"], "DEFAULT": 2, "DOC": "which way the threads run"},
    {"NAME": "low", "TYPE": "float", "DEFAULT": 0.16, "MIN": 0.0, "MAX": 1.0, "DOC": "darker pixels stay where they are (of the face; beyond it all are sorted)"},
    {"NAME": "high", "TYPE": "float", "DEFAULT": 0.95, "MIN": 0.0, "MAX": 1.0, "DOC": "brighter pixels stay where they are"},
    {"NAME": "length", "TYPE": "float", "DEFAULT": 1.2, "MIN": 0.1, "MAX": 4.0, "UNIT": "iod", "DOC": "how far threads run on (without a face: in sevenths of the picture's height)"},
    {"NAME": "start", "TYPE": "float", "DEFAULT": 0.5, "MIN": 0.0, "MAX": 1.0, "DOC": "where on the face they begin: 0 at its first edge, 1 at the far one"},
    {"NAME": "order", "TYPE": "long", "VALUES": [0, 1, 2], "LABELS": ["bright first", "dark first", "mixed"], "DEFAULT": 2, "DOC": "what a thread begins with"},
    {"NAME": "pulse", "TYPE": "float", "DEFAULT": 0.6, "MIN": 0.0, "MAX": 1.0, "DOC": "how much the threads shoot out on the beat and draw back"}
  ],
  "PASSES": [
    {"TARGET": "threads", "WIDTH": "min(floor($WIDTH/2.0), 512)", "HEIGHT": "96"},
    {"TARGET": "ranks", "WIDTH": "min(floor($WIDTH/2.0), 512)", "HEIGHT": "96"},
    {"TARGET": "sorted", "WIDTH": "min(floor($WIDTH/2.0), 512)", "HEIGHT": "96"},
    {}
  ],
  "KFX": {"region": "frame"}
}*/

// A thread is one column of the small targets whichever way it runs in the picture; it has 96
// samples only. A sorted run is a smooth ramp: nobody sees that it is coarse along its length.
const int SAMPLES = 96;

float luma(vec3 c) { return dot(c, vec3(0.2126, 0.7152, 0.0722)); }
float hash(uint x) {
    x = (x ^ (x >> 16u)) * 0x7FEB352Du;
    x = (x ^ (x >> 15u)) * 0x846CA68Bu;
    return float((x ^ (x >> 16u)) >> 8u) / 16777216.0;
}
// Mixed: most threads keep the skin on the face, some carry it away and leave a dark cut.
float key_of(vec3 c) {
    bool dark_first = order == 1 || (order == 2 && hash(uint(gl_FragCoord.x) * 0x27D4EB2Fu + uint(int(kfx_seed))) < 0.24);
    return dark_first ? luma(c) : -luma(c);
}
// From (thread, place along it) to the picture, and back.
vec2 in_picture(vec2 t) {
    return direction == 0 ? vec2(t.x, 1.0 - t.y) : direction == 1 ? t : direction == 2 ? t.yx : vec2(1.0 - t.y, t.x);
}
vec2 in_threads(vec2 p) {
    return direction == 0 ? vec2(p.x, 1.0 - p.y) : direction == 1 ? p : direction == 2 ? p.yx : vec2(p.y, 1.0 - p.x);
}
float skin(vec2 t) { return t.y < 0.0 ? 0.0 : IMG_NORM_PIXEL(faceUV, in_picture(t)).a; }

// rgb the colour; alpha 0 = stays, 1 = sorted, 0.5 = sorted and first of a new run.
vec4 thread() {
    vec2 t = isf_FragNormCoord;
    ivec2 at = ivec2(gl_FragCoord.xy);
    vec2 picture = IMG_SIZE(inputImage);
    float extent = direction < 2 ? picture.y : picture.x;
    float unit = (iod > 0.0 ? iod : picture.y / 7.0) / extent;            // of the thread's length
    float shot = mix(1.0, 0.25 + 0.75 * exp(-2.5 * fract(beat)), pulse);
    uint key = uint(at.x) * 0x9E3779B9u + uint(int(kfx_seed)) * 0x85EBCA6Bu;
    float own = hash(key);
    // Threads come in strands: neighbours reach about as far, with stragglers.
    float x = float(at.x) / 9.0 + 40.0 * hash(key - uint(at.x) * 0x9E3779B9u + 7u);
    float strand = mix(hash(uint(floor(x)) * 0xC2B2AE35u), hash(uint(floor(x) + 1.0) * 0xC2B2AE35u), smoothstep(0.0, 1.0, fract(x)));
    float reach = length * unit * shot * (0.15 + 0.65 * strand + 0.4 * own * own * own);
    float weight = 1.0;
    if (place == 0) {
        // Sorted is what lies up to `reach` beyond skin that itself lies beyond the `start`.
        float in_by = unit * (0.1 + 2.3 * start) + 0.45 * unit * (strand - 0.6 + 0.35 * own);
        float first = skin(t - vec2(0.0, in_by)), past = 0.0;
        for (int i = 1; i <= 4; i++) past = max(past, skin(t - vec2(0.0, in_by + reach * float(i) * 0.25)));
        // The skin it began on must be there too: threads don't hang in the air over a forehead.
        weight = max(skin(t) * step(0.02, first), past * step(0.02, max(first, past)));
        weight = step(0.04, weight);
    }
    vec2 d = in_picture(vec2(0.0, 0.27 / float(SAMPLES))) - in_picture(vec2(0.0));
    vec2 p = in_picture(t);
    vec3 c = (IMG_NORM_PIXEL(inputImage, p).rgb + IMG_NORM_PIXEL(inputImage, p + d).rgb + IMG_NORM_PIXEL(inputImage, p - d).rgb) / 3.0;
    float y = luma(c);
    float run = max(2.0, (place == 0 ? 3.0 : 1.0) * length * unit * float(SAMPLES) * (place == 0 ? 1.0 : shot) * (0.4 + 1.2 * strand));
    run = min(run, 60.0);
    float first_of_run = step(hash(key ^ (uint(at.y) * 0x27D4EB2Fu)), 0.35 / run);
    if (((at.y + int(own * 60.0)) & 63) == 0) first_of_run = 1.0;       // none is longer than 64
    float sorts = weight * (place == 0 && skin(t) < 0.04 ? 1.0 : step(low, y) * step(y, high));
    return vec4(c, sorts * (1.0 - 0.5 * first_of_run));
}

// r how many of the run come before this one, g how far back the run begins, b its length.
vec4 rank() {
    ivec2 at = ivec2(gl_FragCoord.xy);
    vec4 own = texelFetch(threads, at, 0);
    if (own.a < 0.25) return vec4(0.0);
    float y = key_of(own.rgb), before = 0.0, back = 0.0, after = 0.0;
    float kind = own.a;
    for (int j = at.y - 1; j >= 0 && kind > 0.75; j--) {
        vec4 other = texelFetch(threads, ivec2(at.x, j), 0);
        kind = other.a > 0.25 ? other.a : 0.0;
        if (kind > 0.0) { back += 1.0; before += step(key_of(other.rgb), y); }
    }
    for (int j = at.y + 1; j < SAMPLES; j++) {
        vec4 other = texelFetch(threads, ivec2(at.x, j), 0);
        if (other.a < 0.75) break;
        after += 1.0;
        before += key_of(other.rgb) < y ? 1.0 : 0.0;
    }
    return vec4(before, back, back + after + 1.0, 255.0) / 255.0;
}

// The one of the run whose rank is this place.
vec4 in_order() {
    ivec2 at = ivec2(gl_FragCoord.xy);
    vec4 own = texelFetch(ranks, at, 0) * 255.0;
    int back = int(own.g + 0.5), count = int(own.b + 0.5), first = at.y - back;
    if (count < 2) return vec4(0.0);
    for (int j = first; j < first + count; j++)
        if (int(texelFetch(ranks, ivec2(at.x, j), 0).r * 255.0 + 0.5) == back) return vec4(texelFetch(threads, ivec2(at.x, j), 0).rgb, 1.0);
    return vec4(0.0);
}

void main() {
    if (PASSINDEX == 0) gl_FragColor = thread();
    else if (PASSINDEX == 1) gl_FragColor = rank();
    else if (PASSINDEX == 2) gl_FragColor = in_order();
    else {
        vec4 plate = IMG_THIS_PIXEL(inputImage);
        vec2 t = in_threads(isf_FragNormCoord), size = IMG_SIZE(sorted);
        t.x = (floor(t.x * size.x) + 0.5) / size.x;              // threads side by side don't mix
        vec4 line = IMG_NORM_PIXEL(sorted, t);
        if (line.a <= 0.0) { gl_FragColor = plate; return; }
        float eye = place == 0 ? IMG_THIS_PIXEL(faceParts).b : 0.0;
        vec3 c = line.rgb / line.a;
        gl_FragColor = vec4(mix(plate.rgb, c, smoothstep(0.35, 0.9, line.a) * (1.0 - eye)), plate.a);
    }
}
