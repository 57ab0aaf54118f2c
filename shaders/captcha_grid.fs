/*{
  "ISFVSN": "2",
  "DESCRIPTION": "Are you real? A card of tiles asks to select all images with AI; some are live, some are not, each with effects of its own by buses a to d, and ticks fall on the beat (E34)",
  "CREDIT": "kfx",
  "CATEGORIES": ["Graphics", "Time"],
  "INPUTS": [
    {"NAME": "inputImage", "TYPE": "image"},
    {"NAME": "faceData", "TYPE": "image"},
    {"NAME": "handData", "TYPE": "image"},
    {"NAME": "buses", "TYPE": "image"},
    {"NAME": "beat", "TYPE": "float"},
    {"NAME": "n", "TYPE": "long", "MIN": 2, "MAX": 4, "DEFAULT": 3, "DOC": "tiles in a row"},
    {"NAME": "place", "TYPE": "long", "VALUES": [0, 1, 2], "LABELS": ["full", "pip right", "pip left"], "DEFAULT": 0, "DOC": "the card over a darkened picture, or small at its side"},
    {"NAME": "language", "TYPE": "long", "VALUES": [0, 1, 2], "LABELS": ["english", "korean", "japanese"], "DEFAULT": 1, "DOC": "of the words that the card brings along"},
    {"NAME": "header", "TYPE": "image", "TEXT": "line", "MAX": 40, "DOC": "large words of your own, in any script"},
    {"NAME": "header_over", "TYPE": "image", "TEXT": "line", "MAX": 40, "DOC": "the small line over them"},
    {"NAME": "button_text", "TYPE": "image", "TEXT": "line", "MAX": 20, "DOC": "on the button"},
    {"NAME": "font", "TYPE": "image", "TEXT": "font", "DOC": "what your own words are set in; else the first known font that has all letters"},
    {"NAME": "tile_fx", "TYPE": "image", "TEXT": "list", "WORDS": ["dealt", "live", "frozen", "negative", "chrome", "poster", "mirror", "print", "deadpan", "blocks", "a", "b", "c", "d"], "ITEMS": 16, "DOC": "what each tile shows from the top left on, over and over, with + between treatments that add up; a to d: the effects of the chain whose bus that is; dealt: by chance"},
    {"NAME": "ticked", "TYPE": "image", "TEXT": "list", "MIN": 0, "MAX": 16, "ITEMS": 16, "DOC": "the tiles that get a tick, in this order, true or not: 1 is at the top left, 0 is none"},
    {"NAME": "tick_times", "TYPE": "image", "TEXT": "list", "MIN": 0.0, "MAX": 32.0, "ITEMS": 16, "DOC": "beats after the deal at which ticks fall, rising; those beyond go on as tick says"},
    {"NAME": "hold", "TYPE": "float", "DEFAULT": 0.25, "MIN": 0.0625, "MAX": 2.0, "UNIT": "beats", "DOC": "how long a deadpan tile holds each picture"},
    {"NAME": "refresh", "TYPE": "float", "DEFAULT": 4.0, "MIN": 1.0, "MAX": 32.0, "UNIT": "beats", "DOC": "the tiles are dealt anew that often, and the stills taken anew"},
    {"NAME": "tick", "TYPE": "float", "DEFAULT": 0.5, "MIN": 0.125, "MAX": 4.0, "UNIT": "beats", "DOC": "from one tick to the next"},
    {"NAME": "treated", "TYPE": "float", "DEFAULT": 0.55, "MIN": 0.0, "MAX": 1.0, "DOC": "share of the tiles that aren't live"},
    {"NAME": "truth", "TYPE": "float", "DEFAULT": 1.0, "MIN": 0.0, "MAX": 1.0, "DOC": "how often a tick is right about that"},
    {"NAME": "accent", "TYPE": "color", "DEFAULT": [0.79, 1.0, 0.24, 1.0], "DOC": "ticks, cursor and button"},
    {"NAME": "cursor", "TYPE": "bool", "DEFAULT": true, "DOC": "somebody's cursor goes from tick to tick"},
    {"NAME": "dusk", "TYPE": "float", "DEFAULT": 0.58, "MIN": 0.0, "MAX": 1.0, "DOC": "how dark the picture is behind a full card"}
  ],
  "IMPORTED": {"words": {"PATH": "textures/captcha_text.png"}},
  "PASSES": [
    {"TARGET": "spots", "WIDTH": "16", "HEIGHT": "1", "FLOAT": true, "PERSISTENT": true},
    {"TARGET": "deal", "WIDTH": "17", "HEIGHT": "2", "FLOAT": true},
    {"TARGET": "stills", "WIDTH": "max(min(floor($HEIGHT*0.5), 720.0), 64.0)", "HEIGHT": "max(min(floor($HEIGHT*0.5), 720.0), 64.0)", "PERSISTENT": true},
    {"TARGET": "tiles", "WIDTH": "max(floor(0.932*min((0.43+0.237*max(1-$place,0))*$HEIGHT, (0.44+0.49*max(1-$place,0))*$WIDTH)), 8.0)", "HEIGHT": "max(floor(0.932*min((0.43+0.237*max(1-$place,0))*$HEIGHT, (0.44+0.49*max(1-$place,0))*$WIDTH)), 8.0)"},
    {"TARGET": "paper", "WIDTH": "max(floor(min((0.43+0.237*max(1-$place,0))*$HEIGHT, (0.44+0.49*max(1-$place,0))*$WIDTH)), 8.0)", "HEIGHT": "max(floor(1.394*min((0.43+0.237*max(1-$place,0))*$HEIGHT, (0.44+0.49*max(1-$place,0))*$WIDTH)), 8.0)"},
    {"TARGET": "zones", "WIDTH": "floor(($WIDTH+31.0)/32.0)", "HEIGHT": "floor(($HEIGHT+31.0)/32.0)"},
    {"WHERE": "zones.r"},
    {"WHERE": "zones.g"}
  ],
  "KFX": {"region": "frame", "buses": {"crop": "head", "height": 0.45, "turns": 2}}
}*/

// Treatments are bits, so that they add up; bit k is word k of tile_fx.
const int DEALT = 1, LIVE = 2, FROZEN = 4, NEGATIVE = 8, CHROME = 16, POSTER = 32, MIRROR = 64, PRINT = 128, DEADPAN = 256, BLOCKS = 512, BUS = 1024;
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
// An item of a list: three bytes of 1024ths; -1 where there is no list.
float item(vec4 t) { return t.a > 0.0 ? floor(dot(t.rgb, vec3(255.0, 65280.0, 16711680.0)) + 0.5) / 1024.0 : -1.0; }
bool has(float kind, int bit) { return (int(kind + 0.5) & bit) != 0; }
float step_() { return floor(beat / hold + 1e-4); }
float since_deal() { return max(beat - refresh * floor(beat / refresh + 1e-4), 0.0); }

// Texels 0..8: what a tile may show, centre and half its side in heights of the picture. Texels 15 and 13: the hand
// dealt and the step of a deadpan tile, 14 and 12: those of the frame before.
vec4 spot(int r) {
    vec2 size = IMG_SIZE(inputImage), c = vec2(0.0);
    int best = -1;
    float tall = 8.0;                        // a smaller face shows nothing in a tile
    for (int slot = 0; slot < 8; slot++) {
        float t = distance(texelFetch(faceData, ivec2(10, slot), 0).xy, texelFetch(faceData, ivec2(152, slot), 0).xy);
        if (texelFetch(faceData, ivec2(10, slot), 0).w > 0.0 && t > tall) { tall = t; best = slot; }
    }
    float u = tall / 2.61, reach = 0.5 * size.y;
    int there = best >= 0 ? 1 : 0;
    vec4 wrist = texelFetch(handData, ivec2(0), 0);
    if (r == 8 && wrist.w > 0.0) {           // a hand that is seen takes the chin's place
        vec2 low = wrist.xy, high = low;
        for (int i = 4; i < 21; i += 4) {
            vec2 tip = texelFetch(handData, ivec2(i, 0), 0).xy, knuckle = texelFetch(handData, ivec2(i - 3, 0), 0).xy;
            low = min(low, min(tip, knuckle));
            high = max(high, max(tip, knuckle));
        }
        c = 0.5 * (low + high);
        reach = 0.62 * max(max(high.x - low.x, high.y - low.y), 8.0);
        there = 2;
    } else if (best < 0) {                          // nobody there: pieces of the frame
        c = (vec2(float(r - 3 * (r / 3)), float(r / 3)) + 0.5) / 3.0 * size;
        reach = r == 4 ? 0.5 * size.y : 0.19 * size.y;
    } else {
        const int A[9] = int[9](10, 468, 13, 473, 168, 4, 133, 168, 152), B[9] = int[9](152, 468, 14, 473, 168, 4, 61, 6, 17);
        const float R[9] = float[9](1.5, 0.44, 0.52, 0.44, 9.0, 0.46, 0.72, 0.86, 0.66);
        c = 0.5 * (texelFetch(faceData, ivec2(A[r], best), 0).xy + texelFetch(faceData, ivec2(B[r], best), 0).xy);
        reach = R[r] * u;
    }
    reach = min(reach, 0.5 * min(size.x, size.y));
    vec4 now = vec4(vec3(clamp(c, vec2(reach), size - reach), reach) / size.y, float(there)), last = texelFetch(spots, ivec2(r, 0), 0);
    // Found or lost: the camera cuts. Otherwise it follows a little late, as an operator does.
    bool cut = FRAMEINDEX == 0 || TIMEDELTA <= 0.0 || last.z <= 0.0 || last.w != now.w;
    return cut ? now : mix(last, now, 1.0 - exp(-TIMEDELTA / 0.07));
}

// The bus that a kind shows, -1 for none; the last of several.
int bus_of(float kind) {
    int bus = -1;
    for (int i = 0; i < 4; i++) if (has(kind, BUS << i) && kfx_bus_there[i] > 0.5) bus = i;
    return bus;
}
// The j-th treatment that is dealt: one of six, or of the buses there are and two beside.
int treatment(int j) {
    int many = int(dot(kfx_bus_there, vec4(1.0)) + 0.5), first = int(hash(uvec3(hand(), 8u, 9u)) * 6.0);
    if (many == 0) return FROZEN << ((first + j * 5) % 6);
    int which = (first + j * 7) % (many + 2), seen = 0;
    int bits = which == many ? FROZEN : first < 2 ? NEGATIVE : first < 4 ? POSTER : PRINT;
    for (int i = 0; i < 4; i++) if (kfx_bus_there[i] > 0.5) { if (seen == which) bits = BUS << i; seen++; }
    return bits;
}
// What tile k shows, whether that is anything but live, and whether it gets a tick.
float kind_of(int k) {
    vec4 given = texelFetch(tile_fx, ivec2(k % int(IMG_SIZE(tile_fx).x), 0), 0);
    int bits = given.a > 0.0 ? int(item(given) + 0.5) : DEALT;
    if ((bits & DEALT) != 0 && hash(uvec3(uint(k), hand(), 5u)) < treated)
        bits |= treatment(k);
    return float(bits & ~(DEALT | LIVE));
}
// Its place in the list of ticks, -1 where it isn't in it.
int listed(int k) {
    int place_ = -1, many = int(IMG_SIZE(ticked).x);
    for (int j = many - 1; j >= 0; j--) if (int(item(texelFetch(ticked, ivec2(j, 0), 0)) + 0.5) == k + 1) place_ = j;
    return place_;
}
bool by_hand() { return texelFetch(ticked, ivec2(0), 0).a > 0.0; }
bool chosen(int k) { return by_hand() ? listed(k) >= 0 : (kind_of(k) > 0.0) == (hash(uvec3(uint(k), hand(), 6u)) < truth); }
// Beats after the deal at which the tick of a rank falls.
float falls(int rank) {
    int many = int(IMG_SIZE(tick_times).x);
    if (texelFetch(tick_times, ivec2(0), 0).a == 0.0) return float(rank + 1) * tick;
    return item(texelFetch(tick_times, ivec2(min(rank, many - 1), 0), 0)) + tick * float(max(rank - many + 1, 0));
}
vec4 dealt(int k, int row) {
    int count = n * n, shift = int(hash(uvec3(hand(), 1u, 2u)) * 9.0), stride = hash(uvec3(hand(), 3u, 4u)) < 0.5 ? 2 : 4;
    int r = (k * stride + shift + (k > 8 ? 5 : 0)) % 9;
    if (r == 4 && bus_of(kind_of(k)) >= 0) r = 0;   // no bus shows the whole frame
    if (row == 1) return texelFetch(spots, ivec2(r, 0), 0) * vec4(vec3(IMG_SIZE(inputImage).y), 1.0);  // w: 0 nobody, 1 a face, 2 a hand
    float mine = hash(uvec3(uint(k), hand(), 7u));
    int rank = by_hand() ? listed(k) : 0;
    if (!by_hand()) for (int j = 0; j < count; j++) rank += j != k && chosen(j) && hash(uvec3(uint(j), hand(), 7u)) < mine ? 1 : 0;
    return vec4(kind_of(k), chosen(k) ? falls(rank) : 1e4, 0.5 + 0.5 * mine, float(r));
}
// Texel 16: where the cursor is, in tiles from the top left; it travels from tick to tick.
vec4 pointer() {
    float t = since_deal(), before = 0.0, next = 1e4;
    vec2 end = vec2(float(n) * 0.86, float(n) + 0.27 * float(n) / 3.0), to = end, from = vec2(0.55, 0.85) * float(n);
    for (int k = 0; k < n * n; k++) {
        float falls_ = dealt(k, 0).y;
        vec2 at = vec2(float(k % n), float(k / n)) + vec2(0.55, 0.6);
        if (falls_ > t && falls_ < next) { next = falls_; to = at; }
        if (falls_ <= t && falls_ >= before) { before = falls_; from = at; }
    }
    bool done = next == 1e4 && t >= before + tick;
    if (next == 1e4) next = before + tick;
    float e = clamp((t - before) / max(next - before, 1e-3) * 1.25, 0.0, 1.0);
    e = e * e * (3.0 - 2.0 * e);
    if (done) from = end;
    return vec4(mix(from, to, e), done ? 0.0 : 1.0, 1.0);
}

// Two reads stand for the area of a pixel of a tile. A bus shows a head, not a hand.
vec3 crop(vec4 tile, vec4 at, vec2 uv, float px) {
    if (has(tile.x, MIRROR)) uv.x = 0.5 - abs(uv.x - 0.5);
    vec2 size = IMG_SIZE(inputImage), d = vec2(0.5, 0.22) * px * at.z / size, p = (at.xy + (uv * 2.0 - 1.0) * at.z) / size;
    int bus = at.w != 1.0 ? -1 : bus_of(tile.x), shown = max(bus, 0);
    vec3 live = 0.5 * (IMG_NORM_PIXEL(inputImage, p + d).rgb + IMG_NORM_PIXEL(inputImage, p - d).rgb);
    return bus < 0 ? live : kfx_bus(shown, p).rgb;  // it is small already
}
float tone(vec3 c) { return smoothstep(0.04, 0.82, luma(c)); }
vec3 treat(float kind_, vec3 c, vec2 uv) {
    int kind = int(kind_ + 0.5);
    if ((kind & FROZEN) != 0) c = mix(vec3(luma(c)), c, 0.55) * vec3(0.93, 0.98, 1.06);  // a photograph of then, gone cold
    if ((kind & CHROME) != 0) {                 // skin as polished metal: light comes back in bands
        float hard = tone(c), band = 0.5 - 0.5 * cos(hard * 14.0 + uv.y * 2.0);
        c = mix(vec3(0.05, 0.06, 0.08), vec3(0.93, 0.96, 1.0), mix(hard, band, 0.62));
    }
    if ((kind & NEGATIVE) != 0) c = mix(vec3(0.04, 0.05, 0.09), vec3(0.90, 0.97, 1.0), 1.0 - tone(c)) * vec3(0.96, 1.0, 1.02);
    if ((kind & POSTER) != 0) {                 // a few flat inks, pushed
        vec3 q = mix(vec3(luma(c)), c, 1.6);
        c = clamp(floor(clamp((q - 0.5) * 1.35 + 0.5, 0.0, 1.0) * 3.0 + 0.5) / 3.0, 0.03, 0.97);
    }
    if ((kind & PRINT) != 0) {                  // two inks and a screen
        vec2 s = mat2(0.7071, 0.7071, -0.7071, 0.7071) * uv * 46.0;
        float dot_ = 0.5 + 0.25 * (cos(s.x * 3.14159) + cos(s.y * 3.14159));
        c = mix(accent.rgb, INK, smoothstep(-0.16, 0.16, dot_ - tone(c)));
    }
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
// The same of a line of one's own, made as long as `room` at most; `size` is its picture's.
float fit(vec2 size, float high, float room) { return min(high, room * size.y / size.x); }
float own_at(int which, vec2 size, vec2 p, float high, float px) {
    vec2 q = vec2(p.x * size.y / size.x, p.y) / high;
    float there = step(0.0, q.x) * step(q.x, 1.0) * step(0.02, q.y) * step(q.y, 0.98);
    float field = which == 0 ? IMG_NORM_PIXEL(header, q).r : which == 1 ? IMG_NORM_PIXEL(header_over, q).r : IMG_NORM_PIXEL(button_text, q).r;
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
    vec3 then = IMG_NORM_PIXEL(stills, (vec2(float(k - n * (k / n)), float(k / n)) + clamp(has(mine.x, BLOCKS) ? (floor(uv * 9.0) + 0.5) / 9.0 : uv, 0.01, 0.99)) / count).rgb;
    vec2 read = has(mine.x, BLOCKS) ? (floor(uv * 9.0) + 0.5) / 9.0 : uv;
    vec3 c = crop(mine, at, read, count / RENDERSIZE.x);
    c = treat(mine.x, has(mine.x, FROZEN | DEADPAN) ? then : c, uv);
    vec2 d = uv - 0.5;
    c *= 1.0 - 0.22 * smoothstep(0.12, 0.56, dot(d, d));
    return mix(c, vec3(1.0), 0.85 * (1.0 - born) * (1.0 - born));              // a small flash as it lands
}

// What of the card stands still: one wide, header, room for tiles, footer. Alpha: 0 on the button.
vec4 paper_at() {
    float px = 1.0 / RENDERSIZE.x;
    vec2 p = gl_FragCoord.xy * px;
    float base = TALL - PAD - TOP, high = 0.062, middle = PAD + 0.5 * (FOOT - 0.022);
    vec3 face = PAPER * (0.965 + 0.035 * p.y / TALL);
    bool footer = p.y < FOOT + PAD;
    vec2 button = p - vec2(1.0 - PAD - 0.15, middle);
    float block = footer ? box(button, vec2(0.15, 0.5 * FOOT - 0.014), 0.012) : box(p - vec2(0.5, TALL - PAD - 0.5 * TOP), vec2(0.5 - PAD, 0.5 * TOP), 0.012);
    face = mix(face, INK, cover(block, px));
    bool first = !footer && p.y > base + 0.142;
    int row = footer ? 6 + language : 2 * language + (first ? 0 : 1);
    vec2 from = footer ? vec2(0.5 * WIDE[row] / 64.0 * high, 0.5 * high + 0.001) + button : p - (first ? vec2(PAD + 0.036, base + 0.142) : vec2(PAD + 0.03, base + 0.012));
    float ink = words_at(row, from, footer ? high : first ? 0.066 : 0.128, px);
    // Words of one's own take the place of those; large ones that stand alone have the whole block.
    vec2 large = IMG_SIZE(header), over = IMG_SIZE(header_over), push = IMG_SIZE(button_text);
    bool small = first && over.x > 1.0, alone = over.x <= 1.0;
    vec2 size = footer ? push : small ? over : large;
    if (size.x > 1.0) {
        float most = footer ? high : small ? 0.066 : alone ? 0.15 : 0.128, h = fit(size, most, footer ? 0.27 : small ? 0.70 : 0.87);
        vec2 low = small ? vec2(PAD + 0.036, base + 0.142 + 0.5 * (most - h)) : vec2(PAD + 0.03, base + (alone ? 0.5 * (TOP - 0.035 - h) : 0.012 + 0.5 * (most - h)));
        ink = own_at(footer ? 2 : small ? 1 : 0, size, footer ? button + vec2(0.5 * h * size.x / size.y, 0.5 * h + 0.001) : p - low, h, px);
        first = small;
    }
    face = mix(face, footer ? PAPER : first ? vec3(0.80, 0.81, 0.83) : mix(PAPER, accent.rgb, 0.12), ink);
    // Three plain signs of our own: again, stop, more.
    float i = clamp(floor((p.x - PAD) / 0.085), 0.0, 2.0);
    vec2 s = p - vec2(PAD + 0.042 + 0.085 * i, middle), a = abs(s);
    float sign_ = i == 0.0 ? abs(length(s) - 0.021) : i == 1.0 ? abs(max(a.x, a.y) - 0.018) : max(min(a.x, a.y), max(a.x, a.y) - 0.02);
    face = mix(face, vec3(0.45, 0.46, 0.48), cover(sign_ - 0.0038, px));
    return vec4(clamp(face, 0.0, 1.0), footer ? 1.0 - cover(block, px) : 1.0);
}

// The card with all that moves on it; `at` from its lower left corner, in pixels.
vec4 card_at(vec2 at) {
    float px = 1.0 / IMG_SIZE(paper).x, t = since_deal(), count = float(n);
    vec2 p = at * px;
    vec4 hand_ = texelFetch(deal, ivec2(16, 0), 0), still = texelFetch(paper, ivec2(at), 0);
    // The button wakes when all ticks are set.
    float ink = (luma(still.rgb) - luma(INK)) / (luma(PAPER) - luma(INK));
    vec3 face = mix(still.rgb, mix(accent.rgb, INK, clamp(ink, 0.0, 1.0)), (1.0 - still.a) * (1.0 - hand_.z));
    // Three lamps say how much of the hand is played.
    float i = clamp(floor((p.x - (1.0 - PAD - 0.135)) / 0.036), 0.0, 2.0);
    float lamp = length(p - vec2(1.0 - PAD - 0.117 + 0.036 * i, TALL - PAD - TOP + 0.178)) - 0.0105;
    face = mix(face, t / refresh * 3.0 >= i ? accent.rgb : vec3(0.24, 0.25, 0.27), cover(lamp, px));
    // Tiles: a ticked one steps back within a frame of the accent.
    vec2 foot = vec2(PAD, FOOT + PAD);
    float grid = 1.0 - 2.0 * PAD, side = grid / count, room = 0.5 * (side - GUTTER);
    vec2 g = (p - foot) / side, id = clamp(floor(g), 0.0, count - 1.0), q = (g - id - 0.5) * side;
    vec4 mine = texelFetch(deal, ivec2(int(id.x) + n * int(count - 1.0 - id.y), 0), 0);
    float ticked = clamp((t - mine.y) / 0.24, 0.0, 1.0);                        // 120 ms at 120 beats a minute
    float inset = t < mine.y ? 0.0 : 1.0 - exp(-7.0 * ticked) * cos(7.0 * ticked);
    float within = step(max(abs(p.x - 0.5), abs(p.y - foot.y - 0.5 * grid)), 0.5 * grid);
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
    vec2 m = (p - foot - vec2(hand_.x, count - hand_.y) * side) / 0.07;
    float arrow = max(max(-m.x, 0.7071 * (m.x + m.y)), 0.932 * (0.389 * m.x - m.y - 1.0));
    if (cursor) face = mix(mix(face, INK, cover((arrow - 0.11) * 0.07, px)), PAPER, cover(arrow * 0.07, px));
    return vec4(clamp(face, 0.0, 1.0), cover(box(p - 0.5 * vec2(1.0, TALL), 0.5 * vec2(1.0, TALL), 0.022), px));
}

// The card's lower left corner.
vec2 corner(ivec2 full) {
    ivec2 size = ivec2(IMG_SIZE(paper)), rest = full - size;
    int edge = size.x / 15;
    return vec2(place == 0 ? rest.x / 2 : place == 1 ? max(rest.x - edge, 0) : min(edge, rest.x), rest.y / 2);
}

void main() {
    ivec2 texel = ivec2(gl_FragCoord.xy);
    if (PASSINDEX == 0) gl_FragColor = texel.x < 9 ? spot(texel.x) : texel.x == 15 ? vec4(float(hand()) + 1.0, 0.0, 0.0, 1.0) : texel.x == 14 ? texelFetch(spots, ivec2(15, 0), 0) : texel.x == 13 ? vec4(step_() + 1.0, 0.0, 0.0, 1.0) : texel.x == 12 ? texelFetch(spots, ivec2(13, 0), 0) : vec4(0.0);
    else if (PASSINDEX == 1) gl_FragColor = texel.x < 16 ? dealt(texel.x, texel.y) : pointer();
    else if (PASSINDEX == 2) {                // a still of every tile, taken when the hand is dealt
        vec2 at = isf_FragNormCoord * float(n), id = min(floor(at), float(n) - 1.0);
        int k = int(id.x) + n * int(id.y);
        bool anew = FRAMEINDEX == 0 || TIMEDELTA <= 0.0 || texelFetch(spots, ivec2(14, 0), 0).x != texelFetch(spots, ivec2(15, 0), 0).x;
        vec4 tile = texelFetch(deal, ivec2(k, 0), 0);
        anew = anew || (has(tile.x, DEADPAN) && !has(tile.x, FROZEN) && texelFetch(spots, ivec2(12, 0), 0).x != texelFetch(spots, ivec2(13, 0), 0).x);
        vec4 now = vec4(crop(tile, texelFetch(deal, ivec2(k, 1), 0), at - id, float(n) / RENDERSIZE.x), 1.0);
        gl_FragColor = anew ? now : texelFetch(stills, texel, 0);
    }
    else if (PASSINDEX == 3) gl_FragColor = vec4(tile_at(), 1.0);
    else if (PASSINDEX == 4) gl_FragColor = paper_at();
    else if (PASSINDEX == 5) {                // which tiles of the picture show the card
        vec2 low = floor(gl_FragCoord.xy) / RENDERSIZE * IMG_SIZE(inputImage), high = low + IMG_SIZE(inputImage) / RENDERSIZE;
        vec2 from = corner(ivec2(IMG_SIZE(inputImage))), to = from + IMG_SIZE(paper);
        bool card = all(lessThan(low - 1.0, to)) && all(greaterThan(high + 1.0, from));
        gl_FragColor = vec4(float(card), float(!card), 0.0, 1.0);
    } else {
        vec4 plate = IMG_THIS_PIXEL(inputImage);
        vec2 size = IMG_SIZE(paper), at = gl_FragCoord.xy - corner(ivec2(RENDERSIZE));
        vec2 out_ = max(abs(at - 0.5 + vec2(0.0, 0.02) * size - 0.5 * size) - 0.46 * size, 0.0) / size.x;
        float shade = 1.0 / (1.0 + 260.0 * dot(out_, out_));                    // the card throws a soft shadow
        float dark = place == 0 ? dusk : 0.0;
        vec3 shown = mix(plate.rgb, luma(plate.rgb) * vec3(0.92, 0.98, 1.08), 0.6 * dark) * ((1.0 - dark) * (1.0 - 0.5 * shade));
        if (PASSINDEX == 6) {
            bool inside = all(greaterThan(at, vec2(0.0))) && all(lessThan(at, size));
            vec4 c = card_at(clamp(at, vec2(0.5), size - 0.5));
            shown = mix(shown, c.rgb, inside ? c.a : 0.0);
        }
        gl_FragColor = vec4(shown, plate.a);
    }
}
