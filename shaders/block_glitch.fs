/*{
  "ISFVSN": "2",
  "DESCRIPTION": "A broken stream: slices of macroblocks slip, lose their colour plane, repeat a line or show their cosines, in bursts on the beat, then heal block by block (E37)",
  "CREDIT": "kfx",
  "CATEGORIES": ["Glitch"],
  "INPUTS": [
    {"NAME": "inputImage", "TYPE": "image"},
    {"NAME": "faceData", "TYPE": "image"},
    {"NAME": "beat", "TYPE": "float"},
    {"NAME": "iod", "TYPE": "float"},
    {"NAME": "density", "TYPE": "float", "DEFAULT": 0.4, "MIN": 0.0, "MAX": 1.0, "DOC": "how much of the picture breaks in a burst"},
    {"NAME": "block", "TYPE": "float", "DEFAULT": 0.04, "MIN": 0.0186, "MAX": 0.12, "UNIT": "H", "DOC": "size of a macroblock, in picture heights"},
    {"NAME": "slip", "TYPE": "float", "DEFAULT": 4.0, "MIN": 0.0, "MAX": 16.0, "UNIT": "blocks", "DOC": "how far a slice slips"},
    {"NAME": "colour", "TYPE": "float", "DEFAULT": 0.6, "MIN": 0.0, "MAX": 1.0, "DOC": "how wrong the colour planes are"},
    {"NAME": "near_face", "TYPE": "float", "DEFAULT": 0.75, "MIN": 0.0, "MAX": 1.0, "DOC": "0 = breaks anywhere, 1 = only about the faces"},
    {"NAME": "every", "TYPE": "float", "DEFAULT": 2.0, "MIN": 0.5, "MAX": 16.0, "UNIT": "beats", "DOC": "from burst to burst"},
    {"NAME": "burst", "TYPE": "float", "DEFAULT": 0.4, "MIN": 0.05, "MAX": 4.0, "UNIT": "beats", "DOC": "length of a burst, before the picture heals"},
    {"NAME": "heal", "TYPE": "float", "DEFAULT": 0.25, "MIN": 0.0, "MAX": 2.0, "UNIT": "beats", "DOC": "how long blocks stay broken, on average"}
  ],
  "PASSES": [
    {"TARGET": "stream", "WIDTH": "128", "HEIGHT": "54", "FLOAT": true},
    {"TARGET": "torn", "WIDTH": "floor(($WIDTH+31.0)/32.0)", "HEIGHT": "floor(($HEIGHT+31.0)/32.0)"},
    {"WHERE": "torn.r"}
  ],
  "KFX": {"region": "frame"}
}*/

uint mixed(uint x) {
    x = (x ^ (x >> 16u)) * 0x7FEB352Du;
    x = (x ^ (x >> 15u)) * 0x846CA68Bu;
    return x ^ (x >> 16u);
}
// Four numbers 0..1 of a place and a moment.
vec4 dice(int x, int y, int salt) {
    uint h = mixed(uint(x) * 0x9E3779B9u ^ mixed(uint(y) * 0x85EBCA6Bu ^ mixed(uint(salt) * 0xC2B2AE35u + uint(int(kfx_seed)))));
    uint g = mixed(h + 0x68E31DA4u);
    return vec4(h & 0xFFFFu, h >> 16u, g & 0xFFFFu, g >> 16u) / 65536.0;
}

// Plan of the damage, one texel a macroblock: slip in blocks, kind (0 = whole), a random number.
vec4 plan(ivec2 at) {
    float hit = floor(beat / every), since = beat - hit * every;
    // A new fault every eighth of a beat; the last one of the burst stays till its blocks heal.
    int phase = int(min(floor(since * 8.0), floor(burst * 8.0)));
    int moment = int(hit) * 64 + phase;
    vec4 own = dice(at.x, at.y, moment);
    float life = burst - log(1.0 - 0.999 * own.w) * heal;
    if (beat < 0.0 || since >= life) return vec4(0.0);

    float closeness = 1.0;
    if (iod > 0.0) {
        closeness = 0.0;
        vec2 centre = (vec2(at) + 0.5) * block * IMG_SIZE(inputImage).y;
        for (int slot = 0; slot < 8; slot++) {
            vec4 nose = IMG_PIXEL(faceData, vec2(1.5, float(slot) + 0.5));
            float width = distance(IMG_PIXEL(faceData, vec2(127.5, float(slot) + 0.5)).xy, IMG_PIXEL(faceData, vec2(356.5, float(slot) + 0.5)).xy);
            vec2 d = (centre - nose.xy) / max(width, 1.0);
            closeness = max(closeness, step(0.01, nose.w) * exp(-0.9 * dot(d, d)) * 1.6);
        }
        closeness = mix(1.0, closeness, near_face);
    }
    // The hit itself is the worst; the faults after it come and go.
    float fierce = density * closeness * (phase == 0 ? 1.7 : 0.35 + 1.1 * dice(0, 0, moment).x);

    // Slices: runs along one to three rows with one wrong vector, as a lost packet leaves them.
    for (int band = 4; band >= 1; band -= 3) {
        int row = at.y / band;
        vec4 run = dice(-7 * band, row, moment);
        vec4 way = dice(-9 * band, row, moment);
        float start = run.x * 1.2 - 0.2, along = float(at.x) * block * IMG_SIZE(inputImage).y / IMG_SIZE(inputImage).x;
        if (run.z < fierce && along > start && along < start + 0.15 + 0.8 * run.y * run.y) {
            vec2 v = vec2((way.x - 0.5) * 2.0 * slip, (way.y - 0.5) * 0.7 * slip);
            float kind = way.z < 0.50 ? 1.0 : way.z < 0.68 ? 2.0 : way.z < 0.80 ? 3.0 : 4.0;
            // Inside a slice some blocks decode to something else.
            if (own.x < 0.14) { kind = 1.0 + floor(own.y * 3.999); v *= own.z * 2.0; }
            return vec4(v, kind, own.w);
        }
    }
    if (own.x < fierce * 0.16) return vec4((own.yz - 0.5) * slip, 1.0 + floor(own.z * 3.999), own.w);
    return vec4(0.0);
}

const mat3 TO_YUV = mat3(0.2126, -0.1146, 0.5, 0.7152, -0.3854, -0.4542, 0.0722, 0.5, -0.0458);
vec3 rgb(vec3 c) { return vec3(c.x + 1.5748 * c.z, c.x - 0.1873 * c.y - 0.4681 * c.z, c.x + 1.8556 * c.y); }
vec3 fetch(vec2 pixel) { return IMG_NORM_PIXEL(inputImage, clamp(pixel / RENDERSIZE, 0.001, 0.999)).rgb; }

// Whether any block in a tile of the picture is broken.
float broken(vec2 tile) {
    vec2 grid = IMG_SIZE(inputImage) / max(block * IMG_SIZE(inputImage).y, 4.0) / RENDERSIZE;
    ivec2 low = ivec2(floor((tile - 0.5) * grid)), high = ivec2(floor((tile + 0.5) * grid));
    float most = 0.0;
    for (int y = low.y; y <= high.y; y++)
        for (int x = low.x; x <= high.x; x++) most = max(most, texelFetch(stream, min(ivec2(x, y), ivec2(127, 53)), 0).z);
    return step(0.5, most);
}

void main() {
    if (PASSINDEX == 0) {
        gl_FragColor = plan(ivec2(gl_FragCoord.xy));
        return;
    }
    if (PASSINDEX == 1) {
        gl_FragColor = vec4(broken(gl_FragCoord.xy));
        return;
    }
    vec4 plate = IMG_THIS_PIXEL(inputImage);
    gl_FragColor = plate;
    float size = max(block * RENDERSIZE.y, 4.0);
    vec2 id = floor(gl_FragCoord.xy / size);
    vec4 fault = IMG_PIXEL(stream, min(id, vec2(127.0, 53.0)) + 0.5);
    if (fault.z < 0.5) return;
    vec2 f = gl_FragCoord.xy / size - id;                  // place in the block
    vec2 slipped = gl_FragCoord.xy - fault.xy * size;
    int kind = int(fault.z + 0.5);
    vec2 cell = floor(f * 2.0);
    // 1 predicted from the wrong place, 2 luma is right but its colour plane lost, 3 one line
    // repeated down the block, 4 only a few cosines of the block came.
    vec2 from = kind == 1 ? slipped : kind == 2 ? gl_FragCoord.xy
              : kind == 3 ? vec2(slipped.x, (id.y + 1.0 - fault.y) * size) : (id + cell * 0.5 + 0.25) * size;
    vec3 c = TO_YUV * fetch(from);
    vec2 order = floor(fract(fault.a * vec2(7.31, 13.7) + cell.yx * 0.37) * 4.0) * 3.14159, g = fract(f * 2.0);
    c.x += (kind == 4 ? 0.30 : 0.0) * (c.x * (1.0 - c.x) + 0.04) * cos(g.x * order.x) * cos(g.y * order.y);
    // Colour is carried at a quarter of the block's detail, from a vector of its own.
    vec2 coarse = (floor(gl_FragCoord.xy * 4.0 / size) + 0.5) * size / 4.0;
    vec3 wrong = TO_YUV * fetch(coarse - fault.yx * size * (kind == 2 ? 1.5 : 0.75));
    c.yz = mix(c.yz, wrong.yz, colour * (kind == 2 ? 1.0 : 0.6));
    // Differences add up where the reference is lost: some blocks drift to violet, some to green.
    float drift = fract(fault.a * 29.0);
    if (drift > 0.78) c += colour * vec3((fract(fault.a * 91.0) - 0.5) * 0.16, vec2(0.13, 0.10) * (drift > 0.86 ? 1.0 : -0.7)) * (0.35 + c.x);
    gl_FragColor.rgb = clamp(rgb(c), 0.0, 1.0);
}
