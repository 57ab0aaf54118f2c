/*{
  "ISFVSN": "2",
  "DESCRIPTION": "A consumer camcorder of 2001: soft tape luma with edge halos, smeared late chroma, restless lines, hot CCD whites (E47)",
  "CREDIT": "kfx",
  "CATEGORIES": ["Finishing"],
  "INPUTS": [
    {"NAME": "inputImage", "TYPE": "image"},
    {"NAME": "wear", "TYPE": "float", "DEFAULT": 0.35, "MIN": 0.0, "MAX": 1.0, "DOC": "how worn the tape is: jitter, noise, dropouts"},
    {"NAME": "chroma", "TYPE": "float", "DEFAULT": 0.6, "MIN": 0.0, "MAX": 1.5, "DOC": "how far colours smear and lag to the right"},
    {"NAME": "edges", "TYPE": "float", "DEFAULT": 0.5, "MIN": 0.0, "MAX": 1.5, "DOC": "the camera's own sharpening, halos and all"},
    {"NAME": "smear", "TYPE": "float", "DEFAULT": 0.35, "MIN": 0.0, "MAX": 1.0, "DOC": "upright streaks that a CCD draws from lights"},
    {"NAME": "noise", "TYPE": "float", "DEFAULT": 0.55, "MIN": 0.0, "MAX": 1.0, "DOC": "gain noise in the dark, coloured and blotchy"},
    {"NAME": "fields", "TYPE": "float", "DEFAULT": 0.3, "MIN": 0.0, "MAX": 1.0, "DOC": "how much the lines of the two fields show"},
    {"NAME": "lines", "TYPE": "long", "VALUES": [480, 360, 288], "LABELS": ["DV", "Hi8", "VHS"], "DEFAULT": 480, "DOC": "format of the tape"}
  ],
  "PASSES": [
    {"TARGET": "carrier", "WIDTH": "floor($WIDTH/5.0)", "HEIGHT": "floor($HEIGHT/4.0)"},
    {"TARGET": "column", "WIDTH": "floor($WIDTH/5.0)", "HEIGHT": "1"},
    {"TARGET": "colour", "WIDTH": "floor($WIDTH/5.0)", "HEIGHT": "floor($HEIGHT/4.0)"},
    {"TARGET": "timing", "WIDTH": "1", "HEIGHT": "min($HEIGHT,$lines)", "FLOAT": true},
    {"TARGET": "tape", "WIDTH": "floor($WIDTH*0.75*min(1.0,$lines/$HEIGHT))", "HEIGHT": "min($HEIGHT,$lines)"},
    {}
  ],
  "IMPORTED": {"grainTile": {"PATH": "textures/grain.png", "FILTER": "nearest"}},
  "KFX": {"region": "frame"}
}*/

float luma(vec3 c) { return dot(c, vec3(0.299, 0.587, 0.114)); }    // what SD cameras weighed with

// One number in 0..1 of a line and a frame: whole numbers, so every GPU gives the same.
float hash(int a, int b) {
    uint h = uint(a) * 0x9E3779B1u + uint(b) * 0x85EBCA77u + uint(int(kfx_seed)) * 0xC2B2AE3Du;
    h ^= h >> 15;
    h *= 0x2C1B3C6Du;
    h ^= h >> 12;
    h *= 0x297A2D39u;
    h ^= h >> 15;
    return float(h >> 8) * (1.0 / 16777216.0);
}

vec3 plain(vec2 p) { return IMG_NORM_PIXEL(inputImage, p).rgb; }

void main() {
    vec2 p = isf_FragNormCoord;
    int frame = FRAMEINDEX & 4095;
    if (PASSINDEX == 0) {
        // Colour differences of five pixels by four.
        vec2 d = 1.0 / IMG_SIZE(inputImage);
        vec3 c = 0.25 * (plain(p + d * vec2(-1.9, -1.0)) + plain(p + d * vec2(-0.7, 1.0))
                       + plain(p + d * vec2(0.7, -1.0)) + plain(p + d * vec2(1.9, 1.0)));
        float y = luma(c);
        gl_FragColor = vec4(0.5 + 0.5 * vec2(c.b - y, c.r - y), y, 1.0);
    } else if (PASSINDEX == 1) {
        // What overflows while a charge is moved down its column.
        float sum = 0.0;
        for (int i = 0; i < 24; i++) {
            float y = IMG_NORM_PIXEL(carrier, vec2(p.x, (float(i) + 0.5) / 24.0)).b;
            sum += smoothstep(0.80, 1.0, y);
        }
        gl_FragColor = vec4(1.0 - exp(-sum * 0.16));
    } else if (PASSINDEX == 2) {
        // The chroma carrier is slow: colours run on to the right, and a line down.
        float d = 0.55 * chroma / RENDERSIZE.x;
        vec2 q = p + vec2(-0.25 * chroma, 0.5 * chroma) / RENDERSIZE;
        vec4 sum = IMG_NORM_PIXEL(carrier, q + vec2(1.3 * d, 0.0)) * 0.16 + IMG_NORM_PIXEL(carrier, q) * 0.28
                 + IMG_NORM_PIXEL(carrier, q - vec2(1.4 * d, 0.0)) * 0.26
                 + IMG_NORM_PIXEL(carrier, q - vec2(2.8 * d, 0.0)) * 0.18
                 + IMG_NORM_PIXEL(carrier, q - vec2(4.2 * d, 0.0)) * 0.12;
        // Gain noise blotches in the dark; whites that clip lose their colour.
        ivec2 shift = ivec2(hash(frame, 2) * 256.0, hash(frame, 1) * 256.0);
        ivec2 at = ivec2(gl_FragCoord.xy) * ivec2(1, 2) / 2;
        vec2 blot = texelFetch(grainTile, (at + shift) & 255, 0).gb - 0.5;
        vec2 tone = sum.rg - 0.5 + blot * 0.09 * noise * (1.0 - 0.8 * sum.b) * (0.5 + 0.5 * wear);
        tone *= 1.04 * (1.0 - smoothstep(0.82, 1.0, sum.b));
        gl_FragColor = vec4(0.5 + tone, smear * 0.30 * IMG_NORM_PIXEL(column, vec2(p.x, 0.5)).r, IMG_THIS_PIXEL(carrier).b);
    } else if (PASSINDEX == 3) {
        // Lines begin a little early or late; where the heads switch, at the bottom, they tear.
        int line = int(gl_FragCoord.y);
        float wander = hash(line, frame) - 0.5;
        float slow = hash(line >> 4, frame >> 1) - 0.5;
        float bottom = max(0.0, 1.0 - gl_FragCoord.y / 7.0) * wear;
        float late = (wander * 1.1 + slow * 0.7) * wear + bottom * (9.0 + 16.0 * hash(frame, 7));
        // A dropout: for part of a line the tape says nothing, and a bright dash is read.
        float lost = step(1.0 - 0.0012 * wear * wear, hash(line >> 1, frame * 3 + 5));
        gl_FragColor = vec4(late, lost > 0.0 ? hash(line >> 1, frame + 11) : 2.0, hash(frame, 1), hash(frame, 2));
    } else if (PASSINDEX == 4) {
        ivec2 at = ivec2(gl_FragCoord.xy);
        vec4 line = texelFetch(timing, ivec2(0, at.y), 0);
        float x = 1.0 / RENDERSIZE.x;
        vec2 q = p + vec2(line.r * x, 0.0);
        vec4 plate = IMG_NORM_PIXEL(inputImage, q);
        vec4 slow = IMG_NORM_PIXEL(colour, q);
        float y = luma(plate.rgb);
        y += edges * clamp(y - slow.a, -0.12, 0.12);
        vec2 tone = slow.rg * 2.0 - 1.0;
        ivec2 grain = (at + ivec2(line.ba * 256.0)) & 255;
        y += (texelFetch(grainTile, grain, 0).g - 0.5) * (0.05 + 0.08 * noise) * noise * (1.0 - 0.72 * y);
        // CCD: whites that clip early and a streak through them, blacks that are set up.
        y += slow.b;
        y = 0.040 + 0.975 * y * (1.10 - 0.10 * y);
        float dash = (p.x - line.g) * 14.0;
        y += dash > 0.0 && dash < 1.0 ? 0.7 * (1.0 - dash) * (0.9 - y) : 0.0;
        // Automatic white balance, as automatic as it was: a breath of blue.
        vec3 c = vec3(y + tone.g, y - 0.509 * tone.g - 0.194 * tone.r, y + tone.r);
        gl_FragColor = vec4(c * vec3(0.985, 1.000, 1.015), plate.a);
    } else {
        // Lines of the even and the odd field, of slightly unequal gain, taking turns.
        float row = (p.y * float(textureSize(tape, 0).y) + float(FRAMEINDEX & 1)) * 0.5;
        vec4 c = IMG_NORM_PIXEL(tape, p);
        gl_FragColor = vec4(c.rgb * (1.0 + 0.14 * fields * (abs(fract(row) - 0.5) - 0.25)), c.a);
    }
}
