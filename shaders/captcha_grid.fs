/*{
  "ISFVSN": "2",
  "DESCRIPTION": "Are you real? A card of tiles asks to select all images with AI; some are live, some are not, and ticks fall on the beat (E34)",
  "CREDIT": "kfx",
  "CATEGORIES": ["Graphics", "Time"],
  "INPUTS": [
    {"NAME": "inputImage", "TYPE": "image"},
    {"NAME": "faceData", "TYPE": "image"},
    {"NAME": "beat", "TYPE": "float"},
    {"NAME": "n", "TYPE": "long", "MIN": 2, "MAX": 4, "DEFAULT": 3, "DOC": "tiles in a row"},
    {"NAME": "place", "TYPE": "long", "VALUES": [0, 1, 2], "LABELS": ["full", "pip right", "pip left"], "DEFAULT": 0, "DOC": "the card over a darkened picture, or small at its side"},
    {"NAME": "language", "TYPE": "long", "VALUES": [0, 1, 2], "LABELS": ["english", "korean", "japanese"], "DEFAULT": 1, "DOC": "of the words"},
    {"NAME": "refresh", "TYPE": "float", "DEFAULT": 4.0, "MIN": 1.0, "MAX": 32.0, "UNIT": "beats", "DOC": "the tiles are dealt anew that often, and the stills taken anew"},
    {"NAME": "tick", "TYPE": "float", "DEFAULT": 0.5, "MIN": 0.125, "MAX": 4.0, "UNIT": "beats", "DOC": "from one tick to the next"},
    {"NAME": "treated", "TYPE": "float", "DEFAULT": 0.55, "MIN": 0.0, "MAX": 1.0, "DOC": "share of the tiles that aren't live"},
    {"NAME": "truth", "TYPE": "float", "DEFAULT": 1.0, "MIN": 0.0, "MAX": 1.0, "DOC": "how often a tick is right about that"},
    {"NAME": "accent", "TYPE": "color", "DEFAULT": [0.79, 1.0, 0.24, 1.0], "DOC": "ticks, cursor and button"},
    {"NAME": "dusk", "TYPE": "float", "DEFAULT": 0.58, "MIN": 0.0, "MAX": 1.0, "DOC": "how dark the picture is behind a full card"}
  ],
  "IMPORTED": {"words": {"PATH": "textures/captcha_text.png"}},
  "PASSES": [
    {"TARGET": "spots", "WIDTH": "16", "HEIGHT": "1", "FLOAT": true, "PERSISTENT": true},
    {"TARGET": "deal", "WIDTH": "17", "HEIGHT": "2", "FLOAT": true},
    {"TARGET": "stills", "WIDTH": "max(min(floor($HEIGHT*0.5), 720.0), 64.0)", "HEIGHT": "max(min(floor($HEIGHT*0.5), 720.0), 64.0)", "PERSISTENT": true},
    {"TARGET": "tiles", "WIDTH": "max(floor(0.932*min((0.43+0.237*max(1-$place,0))*$HEIGHT, (0.44+0.49*max(1-$place,0))*$WIDTH)), 8.0)", "HEIGHT": "max(floor(0.932*min((0.43+0.237*max(1-$place,0))*$HEIGHT, (0.44+0.49*max(1-$place,0))*$WIDTH)), 8.0)"},
    {"TARGET": "card", "WIDTH": "max(floor(min((0.43+0.237*max(1-$place,0))*$HEIGHT, (0.44+0.49*max(1-$place,0))*$WIDTH)), 8.0)", "HEIGHT": "max(floor(1.394*min((0.43+0.237*max(1-$place,0))*$HEIGHT, (0.44+0.49*max(1-$place,0))*$WIDTH)), 8.0)"},
    {}
  ],
  "KFX": {"region": "frame"}
}*/

const int LIVE = 0, FROZEN = 1, NEGATIVE = 2, CHROME = 3, POSTER = 4, MIRROR = 5, PRINT = 6;
const vec3 INK = vec3(0.055, 0.058, 0.07), PAPER = vec3(0.945, 0.945, 0.93);
const float WIDE[9] = float[9](562.0, 70.0, 386.0, 322.0, 118.0, 322.0, 196.0, 116.0, 212.0);  // captcha_text.py prints them

float hash(uvec3 v) {
    uint x = v.x * 0x9E3779B9u ^ v.y * 0x85EBCA6Bu ^ v.z * 0xC2B2AE35u ^ uint(int(kfx_seed)) * 0x27D4EB2Fu;
    x = (x ^ (x >> 16u)) * 0x7FEB352Du;
    x = (x ^ (x >> 15u)) * 0x846CA68Bu;
    return float((x ^ (x >> 16u)) >> 8u) / 16777216.0;
}
float luma(vec3 c) { return dot(c, vec3(0.2126, 0.7152, 0.0722)); }
uint hand() { return uint(max(floor(beat / refresh + 1e-4), 0.0)); }
float since_deal() { return max(beat - refresh * floor(beat / refresh + 1e-4), 0.0); }

// Texels 0..8: what a tile may show, centre and half its side in pixels. Texel 15: the hand dealt.
vec4 spot(int r) {
    vec2 size = IMG_SIZE(inputImage), c = vec2(0.0);
    int best = -1;
    float tall = 8.0;                        // a smaller face shows nothing in a tile
    for (int slot = 0; slot < 8; slot++) {
        float t = distance(texelFetch(faceData, ivec2(10, slot), 0).xy, texelFetch(faceData, ivec2(152, slot), 0).xy);
        if (texelFetch(faceData, ivec2(10, slot), 0).w > 0.0 && t > tall) { tall = t; best = slot; }
    }
    float u = tall / 2.61, reach = 0.5 * size.y;
    if (best < 0) {                          // nobody there: pieces of the frame
        c = (vec2(float(r - 3 * (r / 3)), float(r / 3)) + 0.5) / 3.0 * size;
        reach = r == 4 ? 0.5 * size.y : 0.19 * size.y;
    } else {
        const int A[9] = int[9](10, 468, 13, 473, 168, 4, 133, 168, 152), B[9] = int[9](152, 468, 14, 473, 168, 4, 61, 6, 17);
        const float R[9] = float[9](1.5, 0.44, 0.52, 0.44, 9.0, 0.46, 0.72, 0.86, 0.66);
        c = 0.5 * (texelFetch(faceData, ivec2(A[r], best), 0).xy + texelFetch(faceData, ivec2(B[r], best), 0).xy);
        reach = R[r] * u;
    }
    reach = min(reach, 0.5 * min(size.x, size.y));
    vec4 now = vec4(clamp(c, vec2(reach), size - reach), reach, float(best >= 0)), last = texelFetch(spots, ivec2(r, 0), 0);
    // Found or lost: the camera cuts. Otherwise it follows a little late, as an operator does.
    bool cut = FRAMEINDEX == 0 || TIMEDELTA <= 0.0 || last.z <= 0.0 || last.w != now.w;
    return cut ? now : mix(last, now, 1.0 - exp(-TIMEDELTA / 0.07));
}

// Whether tile k is anything but live, and whether it gets a tick.
bool fake(uint k) { return hash(uvec3(k, hand(), 5u)) < treated; }
bool chosen(uint k) { return fake(k) == (hash(uvec3(k, hand(), 6u)) < truth); }
vec4 dealt(int k, int row) {
    int count = n * n, shift = int(hash(uvec3(hand(), 1u, 2u)) * 9.0), stride = hash(uvec3(hand(), 3u, 4u)) < 0.5 ? 2 : 4;
    int r = (k * stride + shift + (k > 8 ? 5 : 0)) % 9;
    if (row == 1) return texelFetch(spots, ivec2(r, 0), 0);
    float rank = 0.0, mine = hash(uvec3(uint(k), hand(), 7u));
    for (int j = 0; j < count; j++) rank += j != k && chosen(uint(j)) && hash(uvec3(uint(j), hand(), 7u)) < mine ? 1.0 : 0.0;
    float kind = fake(uint(k)) ? float(1 + (int(hash(uvec3(hand(), 8u, 9u)) * 6.0) + k * 5) % 6) : 0.0;
    return vec4(kind, chosen(uint(k)) ? (rank + 1.0) * tick : 1e4, 0.5 + 0.5 * mine, float(r));
}
// Texel 16: where the cursor is, in tiles from the top left; it travels from tick to tick.
vec4 cursor() {
    float t = since_deal();
    float next = floor(t / tick) + 1.0;
    vec2 to = vec2(float(n) * 0.86, float(n) + 0.27 * float(n) / 3.0), from = next > 1.0 ? to : vec2(0.55, 0.85) * float(n);
    for (int k = 0; k < n * n; k++) {
        vec4 one = dealt(k, 0);
        vec2 at = vec2(float(k % n), float(k / n)) + vec2(0.55, 0.6);
        float rank = floor(one.y / tick + 0.5);
        if (rank == next) to = at;
        if (rank == next - 1.0) from = at;
    }
    float e = clamp((t / tick - next + 1.0) * 1.25, 0.0, 1.0);
    e = e * e * (3.0 - 2.0 * e);
    bool done = to.y > float(n) && from.y > float(n);
    return vec4(mix(from, to, e), done ? 0.0 : 1.0, 1.0);
}

// Two reads stand for the area of a pixel of a tile.
vec3 crop(vec4 tile, vec4 at, vec2 uv, float px) {
    if (tile.x == float(MIRROR)) uv.x = 0.5 - abs(uv.x - 0.5);
    vec2 size = IMG_SIZE(inputImage), d = vec2(0.5, 0.22) * px * at.z / size, p = (at.xy + (uv * 2.0 - 1.0) * at.z) / size;
    return 0.5 * (IMG_NORM_PIXEL(inputImage, p + d).rgb + IMG_NORM_PIXEL(inputImage, p - d).rgb);
}
vec3 treat(float kind, vec3 c, vec2 uv) {
    float l = luma(c), hard = smoothstep(0.04, 0.82, l);
    if (kind == float(NEGATIVE)) return mix(vec3(0.04, 0.05, 0.09), vec3(0.90, 0.97, 1.0), 1.0 - hard) * vec3(0.96, 1.0, 1.02);
    if (kind == float(CHROME)) {             // skin as polished metal: light comes back in bands
        float band = 0.5 - 0.5 * cos(hard * 14.0 + uv.y * 2.0);
        return mix(vec3(0.05, 0.06, 0.08), vec3(0.93, 0.96, 1.0), mix(hard, band, 0.62));
    }
    if (kind == float(POSTER)) {             // a few flat inks, pushed
        vec3 q = mix(vec3(l), c, 1.6);
        return clamp(floor(clamp((q - 0.5) * 1.35 + 0.5, 0.0, 1.0) * 3.0 + 0.5) / 3.0, 0.03, 0.97);
    }
    if (kind == float(PRINT)) {              // two inks and a screen
        vec2 s = mat2(0.7071, 0.7071, -0.7071, 0.7071) * uv * 46.0;
        float dot_ = 0.5 + 0.25 * (cos(s.x * 3.14159) + cos(s.y * 3.14159));
        return mix(accent.rgb, INK, smoothstep(-0.16, 0.16, dot_ - hard));
    }
    if (kind == float(FROZEN)) return mix(vec3(l), c, 0.55) * vec3(0.93, 0.98, 1.06);  // a photograph of then, gone cold
    return c;
}
float box(vec2 p, vec2 half_, float r) { vec2 q = abs(p) - half_ + r; return length(max(q, 0.0)) + min(max(q.x, q.y), 0.0) - r; }
float cover(float d, float px) { return clamp(0.5 - d / px, 0.0, 1.0); }
float line(vec2 p, vec2 a, vec2 b) { vec2 d = b - a; return length(p - a - d * clamp(dot(p - a, d) / dot(d, d), 0.0, 1.0)); }
// A row of words at `p` from its lower left corner, `high` tall; `px` is a pixel.
float words_at(int row, vec2 p, float high, float px) {
    vec2 q = vec2(p.x / high * 64.0, p.y / high);
    float there = step(0.0, q.x) * step(q.x, WIDE[row]) * step(0.02, q.y) * step(q.y, 0.98);
    float field = IMG_NORM_PIXEL(words, vec2(q.x / 640.0, 1.0 - (float(row) + 1.0 - q.y) / 9.0)).r;
    return there * clamp((field - 0.5) * 14.0 * high / 64.0 / px + 0.5, 0.0, 1.0);
}

const float PAD = 0.034, TOP = 0.235, FOOT = 0.125, TALL = 1.394, GUTTER = 0.011;

// The tiles without card or ticks: edge to edge, each one treated as it was dealt.
vec3 tile_at() {
    float count = float(n), t = since_deal();
    vec2 g = isf_FragNormCoord * count, id = min(floor(g), count - 1.0);
    int k = int(id.x) + n * int(count - 1.0 - id.y);
    vec4 mine = texelFetch(deal, ivec2(k, 0), 0), at = texelFetch(deal, ivec2(k, 1), 0);
    float born = clamp((t + 0.02) / 0.22 - mine.z * 0.8, 0.0, 1.0);             // dealt one by one
    vec2 uv = g - id;
    vec3 then = IMG_NORM_PIXEL(stills, (vec2(float(k - n * (k / n)), float(k / n)) + clamp(uv, 0.01, 0.99)) / count).rgb;
    vec3 c = crop(mine, at, uv, count / RENDERSIZE.x);
    c = treat(mine.x, mine.x == float(FROZEN) ? then : c, uv);
    vec2 d = uv - 0.5;
    c *= 1.0 - 0.22 * smoothstep(0.12, 0.56, dot(d, d));
    return mix(c, vec3(1.0), 0.85 * (1.0 - born) * (1.0 - born));              // a small flash as it lands
}

// The card: one wide, header, tiles, footer; `p` from its lower left corner.
vec4 card_at() {
    float px = 1.0 / RENDERSIZE.x, t = since_deal(), count = float(n);
    vec2 p = gl_FragCoord.xy * px;
    vec4 hand_ = texelFetch(deal, ivec2(16, 0), 0);
    float ready = 1.0 - hand_.z, base = TALL - PAD - TOP, high = 0.062, middle = PAD + 0.5 * (FOOT - 0.022);
    vec3 face = PAPER * (0.965 + 0.035 * p.y / TALL);
    bool footer = p.y < FOOT + PAD;
    // Header, and the button, which wakes when all ticks are set.
    vec2 button = p - vec2(1.0 - PAD - 0.15, middle);
    float block = footer ? box(button, vec2(0.15, 0.5 * FOOT - 0.014), 0.012) : box(p - vec2(0.5, TALL - PAD - 0.5 * TOP), vec2(0.5 - PAD, 0.5 * TOP), 0.012);
    face = mix(face, footer ? mix(INK, accent.rgb, ready) : INK, cover(block, px));
    bool first = !footer && p.y > base + 0.142;
    int row = footer ? 6 + language : 2 * language + (first ? 0 : 1);
    vec2 from = footer ? vec2(0.5 * WIDE[row] / 64.0 * high, 0.5 * high + 0.001) + button : p - (first ? vec2(PAD + 0.036, base + 0.142) : vec2(PAD + 0.03, base + 0.012));
    float ink = words_at(row, from, footer ? high : first ? 0.066 : 0.128, px);
    face = mix(face, footer ? mix(PAPER, INK, ready) : first ? vec3(0.80, 0.81, 0.83) : mix(PAPER, accent.rgb, 0.12), ink);
    // Three lamps say how much of the hand is played; three plain signs of our own: again, stop, more.
    float i = clamp(floor((p.x - (1.0 - PAD - 0.135)) / 0.036), 0.0, 2.0);
    float lamp = length(p - vec2(1.0 - PAD - 0.117 + 0.036 * i, base + 0.178)) - 0.0105;
    face = mix(face, t / refresh * 3.0 >= i ? accent.rgb : vec3(0.24, 0.25, 0.27), cover(lamp, px));
    i = clamp(floor((p.x - PAD) / 0.085), 0.0, 2.0);
    vec2 s = p - vec2(PAD + 0.042 + 0.085 * i, middle), a = abs(s);
    float sign_ = i == 0.0 ? abs(length(s) - 0.021) : i == 1.0 ? abs(max(a.x, a.y) - 0.018) : max(min(a.x, a.y), max(a.x, a.y) - 0.02);
    face = mix(face, vec3(0.45, 0.46, 0.48), cover(sign_ - 0.0038, px));
    // Tiles: a ticked one steps back within a frame of the accent.
    vec2 corner = vec2(PAD, FOOT + PAD);
    float grid = 1.0 - 2.0 * PAD, side = grid / count, room = 0.5 * (side - GUTTER);
    vec2 g = (p - corner) / side, id = clamp(floor(g), 0.0, count - 1.0), q = (g - id - 0.5) * side;
    vec4 mine = texelFetch(deal, ivec2(int(id.x) + n * int(count - 1.0 - id.y), 0), 0);
    float ticked = clamp((t - mine.y) / 0.24, 0.0, 1.0);                        // 120 ms at 120 beats a minute
    float inset = t < mine.y ? 0.0 : 1.0 - exp(-7.0 * ticked) * cos(7.0 * ticked);
    float within = step(max(abs(p.x - 0.5), abs(p.y - corner.y - 0.5 * grid)), 0.5 * grid);
    vec2 uv = clamp(0.5 + 0.5 * q / room * (1.0 + 0.05 * inset), 0.008, 0.992);
    vec3 shown = IMG_NORM_PIXEL(tiles, (id + uv) / count).rgb;
    face = mix(face, accent.rgb, within * clamp(inset, 0.0, 1.0) * cover(box(q, vec2(room), 0.014), px));
    face = mix(face, shown, within * cover(box(q, vec2(room - 0.045 * side * inset), 0.008), px));
    // A round badge in the corner, with a little too much swing.
    float r = 0.1 * side * max(inset, 0.02);
    vec2 b = (q - vec2(-0.5, 0.5) * side - vec2(1.0, -1.0) * 0.118 * side) / r;
    float check = min(line(b, vec2(-0.46, 0.0), vec2(-0.12, -0.36)), line(b, vec2(-0.12, -0.36), vec2(0.5, 0.36))) - 0.13;
    face = mix(face, mix(accent.rgb, INK, cover(check * r, px)), within * step(mine.y, t) * cover((length(b) - 1.0) * r, px));
    // The cursor: whoever is choosing.
    vec2 m = (p - corner - vec2(hand_.x, count - hand_.y) * side) / 0.07;
    float arrow = max(max(-m.x, 0.7071 * (m.x + m.y)), 0.932 * (0.389 * m.x - m.y - 1.0));
    face = mix(mix(face, INK, cover((arrow - 0.11) * 0.07, px)), PAPER, cover(arrow * 0.07, px));
    return vec4(clamp(face, 0.0, 1.0), cover(box(p - 0.5 * vec2(1.0, TALL), 0.5 * vec2(1.0, TALL), 0.022), px));
}

void main() {
    ivec2 texel = ivec2(gl_FragCoord.xy);
    if (PASSINDEX == 0) gl_FragColor = texel.x < 9 ? spot(texel.x) : texel.x == 15 ? vec4(float(hand()) + 1.0, 0.0, 0.0, 1.0) : texel.x == 14 ? texelFetch(spots, ivec2(15, 0), 0) : vec4(0.0);
    else if (PASSINDEX == 1) gl_FragColor = texel.x < 16 ? dealt(texel.x, texel.y) : cursor();
    else if (PASSINDEX == 2) {                // a still of every tile, taken when the hand is dealt
        vec2 at = isf_FragNormCoord * float(n), id = min(floor(at), float(n) - 1.0);
        int k = int(id.x) + n * int(id.y);
        bool anew = FRAMEINDEX == 0 || TIMEDELTA <= 0.0 || texelFetch(spots, ivec2(14, 0), 0).x != texelFetch(spots, ivec2(15, 0), 0).x;
        vec4 now = vec4(crop(texelFetch(deal, ivec2(k, 0), 0), texelFetch(deal, ivec2(k, 1), 0), at - id, float(n) / RENDERSIZE.x), 1.0);
        gl_FragColor = anew ? now : texelFetch(stills, texel, 0);
    }
    else if (PASSINDEX == 3) gl_FragColor = vec4(tile_at(), 1.0);
    else if (PASSINDEX == 4) gl_FragColor = card_at();
    else {
        vec4 plate = IMG_THIS_PIXEL(inputImage);
        ivec2 size = ivec2(IMG_SIZE(card)), full = ivec2(RENDERSIZE), rest = full - size;
        int edge = size.x / 15;
        ivec2 at = texel - ivec2(place == 0 ? rest.x / 2 : place == 1 ? max(rest.x - edge, 0) : min(edge, rest.x), rest.y / 2);
        float inside = all(equal(clamp(at, ivec2(0), size - 1), at)) ? 1.0 : 0.0;
        vec4 c = texelFetch(card, clamp(at, ivec2(0), size - 1), 0);
        vec2 out_ = max(abs(vec2(at) + vec2(0.0, 0.02) * vec2(size) - 0.5 * vec2(size)) - 0.46 * vec2(size), 0.0) / float(size.x);
        float shade = 1.0 / (1.0 + 260.0 * dot(out_, out_));                    // the card throws a soft shadow
        float dark = place == 0 ? dusk : 0.0;
        vec3 behind = mix(plate.rgb, luma(plate.rgb) * vec3(0.92, 0.98, 1.08), 0.6 * dark) * ((1.0 - dark) * (1.0 - 0.5 * shade));
        gl_FragColor = vec4(mix(behind, c.rgb, c.a * inside), plate.a);
    }
}
