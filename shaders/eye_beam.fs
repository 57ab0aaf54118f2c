/*{
  "ISFVSN": "2",
  "DESCRIPTION": "Light shoots out of the eyes along the gaze: a white core in a coloured beam with smoke in it, that fires on the beat and dies down (E17)",
  "CREDIT": "kfx",
  "CATEGORIES": ["Eyes", "Energy"],
  "INPUTS": [
    {"NAME": "inputImage", "TYPE": "image"},
    {"NAME": "faceParts", "TYPE": "image"},
    {"NAME": "faceData", "TYPE": "image"},
    {"NAME": "beat", "TYPE": "float"},
    {"NAME": "kfx_scale", "TYPE": "float"},
    {"NAME": "reach", "TYPE": "float", "DEFAULT": 4.0, "MIN": 0.5, "MAX": 8.0, "UNIT": "iod", "DOC": "length of the beam"},
    {"NAME": "width", "TYPE": "float", "DEFAULT": 0.06, "MIN": 0.02, "MAX": 0.3, "UNIT": "iod", "DOC": "width of the beam at the eye"},
    {"NAME": "power", "TYPE": "float", "DEFAULT": 1.0, "MIN": 0.0, "MAX": 4.0, "DOC": "brightness"},
    {"NAME": "every", "TYPE": "float", "DEFAULT": 2.0, "MIN": 0.5, "MAX": 16.0, "UNIT": "beats", "DOC": "it fires so often, first on beat 0"},
    {"NAME": "hold", "TYPE": "float", "DEFAULT": 1.0, "MIN": 0.1, "MAX": 8.0, "UNIT": "beats", "DOC": "how long a shot lasts before it dies"},
    {"NAME": "aim", "TYPE": "float", "DEFAULT": 1.0, "MIN": 0.0, "MAX": 2.0, "DOC": "how far the gaze bends the beam; 0 = wherever the head points"},
    {"NAME": "smoke", "TYPE": "float", "DEFAULT": 0.5, "MIN": 0.0, "MAX": 1.0, "DOC": "dust that drifts in the beam"},
    {"NAME": "colour", "TYPE": "color", "DEFAULT": [1.0, 0.20, 0.10, 1.0], "DOC": "colour of the beam round its white core"}
  ],
  "PASSES": [
    {"TARGET": "beams", "WIDTH": "16", "HEIGHT": "3", "FLOAT": true},
    {"TARGET": "air", "WIDTH": "floor($WIDTH/6.0)", "HEIGHT": "floor($HEIGHT/6.0)", "FLOAT": true},
    {"TARGET": "shone", "WIDTH": "floor(($WIDTH+63.0)/64.0)", "HEIGHT": "floor(($HEIGHT+63.0)/64.0)"},
    {"WHERE": "shone.r"}
  ],
  "IMPORTED": {"grainTile": {"PATH": "textures/grain.png", "WRAP": "repeat"}},
  "KFX": {"region": "frame"}
}*/

vec4 landmark(int slot, int i) { return texelFetch(faceData, ivec2(i, slot), 0); }

// The shot: full within a frame or two, held with a flutter, then it thins away.
float shot() {
    float phase = fract(beat / every) * every;
    float rise = smoothstep(-0.02, 0.10, phase);
    float flutter = 0.94 + 0.06 * cos(phase * 43.0) * cos(phase * 17.0);
    return rise * (1.0 - smoothstep(hold, hold + 0.6, phase)) * flutter * (1.0 + 0.7 * exp(-7.0 * phase));
}

// One eye's beam: where it starts, where it goes on screen (iod), how much it comes at the camera.
struct Beam { vec2 eye; vec2 way; vec2 side; float ahead; float toward; float iod; float awake; };

Beam beam_of(int slot, bool right) {
    Beam beam;
    vec4 c = landmark(slot, right ? 468 : 473);
    vec3 across = landmark(slot, 263).xyz - landmark(slot, 33).xyz;
    vec3 along = landmark(slot, 10).xyz - landmark(slot, 152).xyz;
    beam.iod = max(max(length(across.xy) / 1.40, length(along.xy) / 2.61), 1.0);
    vec2 side = across.xy / max(length(across.xy), 1.0), rise = vec2(-side.y, side.x);
    // The head points from the middle of its temples through the nose at the same height.
    vec2 back = 0.5 * (landmark(slot, 127).xy + landmark(slot, 356).xy);
    vec2 head = (landmark(slot, 197).xy - back) / beam.iod * 0.85;
    head += rise * (0.05 - 0.35 * dot(head, rise));          // landmarks nod more than people look
    // The gaze: how far each iris lies from the middle of its eye. Two eyes look one way, and the
    // one that is seen more squarely tells more of it.
    vec2 look = vec2(0.0);
    float wide = 1.0, sum = 0.0;
    for (int i = 0; i < 2; i++) {
        vec2 outer = landmark(slot, i == 0 ? 33 : 263).xy, inner = landmark(slot, i == 0 ? 133 : 362).xy;
        float w = max(distance(outer, inner), 1.0);
        look += (landmark(slot, i == 0 ? 468 : 473).xy - 0.5 * (outer + inner));
        sum += w;
        if (right == (i == 0)) wide = w;
    }
    look /= sum;
    vec2 eyes = side * dot(look, side) * 3.0 + rise * (dot(look, rise) - 0.08) * 2.0;
    vec2 gaze = head + aim * eyes;
    float n = length(gaze);
    beam.toward = sqrt(max(1.0 - min(n * n, 0.98), 0.02));
    // Straight into the lens it is a burst and no line: the line grows with the turn.
    beam.way = n > 0.001 ? gaze / n * smoothstep(0.06, 0.48, n) : vec2(0.0);
    beam.eye = c.xy;
    beam.side = side;
    vec2 other = landmark(slot, right ? 473 : 468).xy;
    beam.ahead = n > 0.001 ? 0.5 * dot(c.xy - other, gaze / n) / beam.iod : 0.0;
    float gap = distance(landmark(slot, right ? 159 : 386).xy, landmark(slot, right ? 145 : 374).xy);
    beam.awake = c.w * smoothstep(0.06, 0.2, gap / wide) * smoothstep(0.10, 0.30, wide / beam.iod);
    return beam;
}

// The beams that shine, one after the other. Row 0: place of the eye, pixels to the iod, strength;
// row 1: the way on screen, how much it comes at the camera, 1; row 2: the line of the eyes, 1 for the right eye, how far it
// lies ahead of the middle of both.
vec4 table(int k, int row) {
    float fire = shot() * power;
    int found = 0;
    for (int n = 0; n < 16; n++) {
        if (landmark(n >> 1, 468).w <= 0.0) continue;
        Beam beam = beam_of(n >> 1, (n & 1) == 0);
        float s = beam.awake * fire;
        if (s <= 0.002 || found++ != k) continue;
        if (row == 0) return vec4(beam.eye, beam.iod, s);
        return row == 1 ? vec4(beam.way, beam.toward, 1.0) : vec4(beam.side, (n & 1) == 0 ? 1.0 : -1.0, beam.ahead);
    }
    return vec4(0.0);
}

// What varies linearly, at few pixels, so that the last pass draws sharp light from
// it: r signed distance to the nearest beam in its widths, g that beam's strength; b squared
// distance to the nearest eye in widths, a how far above its line that is.
vec4 field(vec2 p) {
    vec4 result = vec4(9.0, 0.0, 9000.0, 30.0);
    float best = 1e9;
    for (int n = 0; n < 16; n++) {
        vec4 at = texelFetch(beams, ivec2(n, 0), 0), how = texelFetch(beams, ivec2(n, 1), 0);
        vec4 line = texelFetch(beams, ivec2(n, 2), 0);
        if (how.w <= 0.0) break;
        vec2 d = (p - at.xy) / at.z;
        float turned = length(how.xy), full = max(reach * turned, 0.001);
        vec2 way = turned > 0.0 ? how.xy / turned : vec2(1.0, 0.0);
        float s = dot(d, way), x = dot(d, vec2(-way.y, way.x));
        // Both of a face end side by side: they change only half-way between them.
        float both = s + line.w, u = clamp(both / full, 0.0, 1.0);
        float grow = width * (0.55 + 0.45 * min(at.w, 1.5)) * (0.8 + u * (0.6 + 1.8 * how.z));
        float fade = (1.0 - u) * sqrt(1.0 - u) * smoothstep(-2.0 * grow, grow, s) * smoothstep(0.0, 0.05, turned);
        vec2 q = vec2(s - TIME * 5.0, x * 2.2);
        float n_ = texture(grainTile, q * 0.017).r * 0.5 + texture(grainTile, q * 0.043 + 0.31).g * 0.5;
        float gain = fade * at.w * exp(-abs(x) / grow * 0.28) * mix(1.0, clamp((n_ - 0.5) * 7.0 + 0.85, 0.0, 2.0), smoke * 0.7);
        // Far off the light is gone: where one beam hands over to the other nothing may show.
        gain *= 1.0 - smoothstep(2.5, 5.0, abs(x) / grow);
        float off = abs(x) + 3.0 * max(max(both - full, -1.0 - both), 0.0);
        if (off < best) {
            best = off;
            // Mirrored for the left eye: between two beams it mustn't pass through 0.
            result.xy = vec2(clamp(x / grow, -9.0, 9.0) * line.z, gain);
        }
        float r = dot(d, d) / (width * width);
        if (r < result.z) result.zw = vec2(r, clamp(dot(d, vec2(-line.y, line.x)) / width, -30.0, 30.0));
    }
    return result;
}

// Whether any light falls on a tile of the picture, by what `air` says of it and a pixel around it.
float lit(vec2 tile) {
    vec2 grid = IMG_SIZE(air) / RENDERSIZE;
    ivec2 low = max(ivec2(floor((tile - 0.5) * grid)) - 1, ivec2(0));
    ivec2 high = min(ivec2(ceil((tile + 0.5) * grid)), textureSize(air, 0) - 1);
    float fire = shot() * power, most = 0.0;
    for (int y = low.y; y <= high.y; y++)
        for (int x = low.x; x <= high.x; x++) {
            vec4 f = texelFetch(air, ivec2(x, y), 0);
            // From one pixel to the next both distances may be that much less.
            float near = max(sqrt(max(f.b, 0.0)) - 1.5, 0.0), off = max(abs(f.a) - 1.5, 0.0);
            float ray = exp(-off * 4.0 - sqrt(max(near * near - off * off, 0.0)) * 0.055);
            most = max(most, max(f.g, fire * max(0.6 * exp(-near * 0.22), 1.1 * ray)));
        }
    return step(0.002, most);
}

void main() {
    if (PASSINDEX == 0) {
        gl_FragColor = table(int(gl_FragCoord.x), int(gl_FragCoord.y));
    } else if (PASSINDEX == 1) {
        gl_FragColor = field(isf_FragNormCoord * IMG_SIZE(inputImage));
    } else if (PASSINDEX == 2) {
        gl_FragColor = vec4(lit(gl_FragCoord.xy));
    } else {
        vec4 plate = IMG_THIS_PIXEL(inputImage);
        vec4 f = IMG_THIS_PIXEL(air);
        // Skin over the eye lets less of its heart through: the lids still shape it.
        vec4 parts = IMG_THIS_PIXEL(faceParts);
        float lids = (parts.r + parts.g) * (1.0 - parts.b);
        float fire = shot() * power, gain = f.g, x2 = f.r * f.r, r2 = max(f.b, 0.0);
        float core = gain * exp(-10.0 * x2), body = gain * exp(-x2), mist = gain * 0.7;
        // At the eye the lens flares, along the line of the eyes.
        float burst = fire * 1.3 * exp(-r2 * 0.45), corona = fire * 0.6 * exp(-sqrt(r2) * 0.22);
        float ray = fire * 1.1 * exp(-abs(f.a) * 4.0 - sqrt(max(r2 - f.a * f.a, 0.0)) * 0.055);
        core += burst;
        body += burst + 0.5 * corona + ray;
        mist += corona;
        mist *= smoothstep(0.006, 0.05, mist);                   // so that most of the frame is the plate
        vec3 light = colour.rgb * (1.7 * body + 0.55 * mist) + vec3(1.0, 0.93, 0.86) * (core * 1.9 * (1.0 - 0.55 * lids));
        light += colour.rgb * plate.rgb * 1.6 * mist;            // what stands in the light is lit
        vec3 base = plate.rgb * (1.0 - 0.30 * (1.0 - exp(-1.5 * mist)));
        gl_FragColor = vec4(1.0 - (1.0 - base) * exp(-light), plate.a);
    }
}
