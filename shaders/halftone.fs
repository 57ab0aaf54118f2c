/*{
  "ISFVSN": "2",
  "DESCRIPTION": "The face printed on itself: four-colour screen, newsprint, lamps or hangul letters that go with the head; the eyes stay alive (E38)",
  "CREDIT": "kfx",
  "CATEGORIES": ["Face", "Print"],
  "INPUTS": [
    {"NAME": "inputImage", "TYPE": "image"},
    {"NAME": "faceUV", "TYPE": "image"},
    {"NAME": "faceParts", "TYPE": "image"},
    {"NAME": "faceData", "TYPE": "image"},
    {"NAME": "beat", "TYPE": "float"},
    {"NAME": "mode", "TYPE": "long", "VALUES": [0, 1, 2, 3], "LABELS": ["cmyk", "newsprint", "led", "letters"], "DEFAULT": 0, "DOC": "what the picture is made of"},
    {"NAME": "cell", "TYPE": "float", "DEFAULT": 0.062, "MIN": 0.035, "MAX": 0.4, "UNIT": "iod", "DOC": "pitch of the screen"},
    {"NAME": "ink", "TYPE": "float", "DEFAULT": 1.0, "MIN": 0.5, "MAX": 1.6, "DOC": "how much ink, or light"},
    {"NAME": "angle", "TYPE": "float", "DEFAULT": 0.0, "MIN": -90.0, "MAX": 90.0, "UNIT": "deg", "DOC": "turns the screen"},
    {"NAME": "live_eyes", "TYPE": "float", "DEFAULT": 0.85, "MIN": 0.0, "MAX": 1.0, "DOC": "how far eyes and open mouth stay photographic"},
    {"NAME": "pulse", "TYPE": "float", "DEFAULT": 0.25, "MIN": 0.0, "MAX": 1.0, "DOC": "dots swell on the beat"}
  ],
  "PASSES": [
    {"TARGET": "tone", "WIDTH": "floor($WIDTH/4.0)", "HEIGHT": "floor($HEIGHT/4.0)", "REACH_IOD": 0.35},
    {"TARGET": "sheets", "WIDTH": "8", "HEIGHT": "2", "FLOAT": true},
    {}
  ],
  "IMPORTED": {"letters": {"PATH": "textures/glyphs.png"}},
  "KFX": {"region": "face", "margin_iod": 0.05}
}*/

float luma(vec3 c) { return dot(c, vec3(0.2126, 0.7152, 0.0722)); }

// A cosine made of a parabola's cousin: a dot screen needs no better, and it is four times cheaper.
vec2 wave(vec2 x) {
    vec2 w = abs(2.0 * fract(x) - 1.0);
    return w * w * (6.0 - 4.0 * w) - 1.0;
}
// A dot screen of pitch 1 turned by an angle: its cosine and sine.
float screen(vec2 q, float c, float s) {
    vec2 w = wave(vec2(c * q.x - s * q.y, s * q.x + c * q.y));
    return 0.5 * (w.x + w.y);
}
// Where the screen stands over the threshold of a tone there is ink. The cubic makes a tone of
// 0.3 cover three tenths of the paper: round dots, a chequer at one half, round holes.
float inked(float tone, float s, float soft) {
    float u = 1.0 - 2.0 * clamp(tone, 0.0, 1.0);
    float t = u * (0.62 + 0.38 * u * u) * (1.0 + soft);
    return smoothstep(t - soft, t + soft, s);
}

vec4 lens() {
    // What a printer's lens sees: four by four pixels. Plates sit a little off each other.
    vec2 p = isf_FragNormCoord, d = 1.0 / IMG_SIZE(inputImage);
    vec3 c = IMG_NORM_PIXEL(inputImage, p + d * vec2(-1.0, -1.0)).rgb + IMG_NORM_PIXEL(inputImage, p + d * vec2(1.0, -1.0)).rgb
           + IMG_NORM_PIXEL(inputImage, p + d * vec2(-1.0, 1.0)).rgb + IMG_NORM_PIXEL(inputImage, p + d * vec2(1.0, 1.0)).rgb;
    // Coverage, grown a little: the crease where the nose hides the cheek mustn't show.
    d *= 2.5;
    float cover = IMG_NORM_PIXEL(faceUV, p + d * vec2(-1.0, -0.4)).a + IMG_NORM_PIXEL(faceUV, p + d * vec2(0.4, -1.0)).a
                + IMG_NORM_PIXEL(faceUV, p + d * vec2(-0.4, 1.0)).a + IMG_NORM_PIXEL(faceUV, p + d * vec2(1.0, 0.4)).a;
    return vec4(c * 0.25, cover * 0.25);
}

// Once a face: where its screen is pinned, pitch and tilt of it; how the skin is lit.
// A flat screen between the brows, as large and as tilted as the face. Canonical UV would bend
// the dots over the cheeks, but it crumples them where the lips move.
vec4 sheet(float slot, float row) {
    vec2 top = IMG_PIXEL(faceData, vec2(10.5, slot)).xy, chin = IMG_PIXEL(faceData, vec2(152.5, slot)).xy;
    if (row < 1.0) {
        float across = distance(IMG_PIXEL(faceData, vec2(33.5, slot)).xy, IMG_PIXEL(faceData, vec2(263.5, slot)).xy);
        float unit = max(across * 0.70, distance(top, chin) * 0.385);    // doesn't shrink in profile
        return vec4(IMG_PIXEL(faceData, vec2(168.5, slot)).xy, max(cell * unit, 2.5), 0.0);
    }
    // The printer exposes for the skin: the cheeks and the forehead tell.
    vec2 size = IMG_SIZE(inputImage);
    vec3 c = IMG_NORM_PIXEL(tone, IMG_PIXEL(faceData, vec2(50.5, slot)).xy / size).rgb + IMG_NORM_PIXEL(tone, IMG_PIXEL(faceData, vec2(280.5, slot)).xy / size).rgb
           + IMG_NORM_PIXEL(tone, IMG_PIXEL(faceData, vec2(151.5, slot)).xy / size).rgb;
    float tilt = radians(angle) + (distance(top, chin) > 0.0 ? -atan(top.x - chin.x, top.y - chin.y) : 0.0);
    return vec4(clamp(luma(c) / 3.0, 0.12, 0.8), cos(tilt), sin(tilt), 0.0);
}

// The print over `plate`: `pin` is where its screen is pinned and the pitch, `turn` its tilt.
vec3 printed(vec4 plate, vec4 slow, float cover, vec3 pin, vec2 turn, float skin_luma) {
    float pixels = pin.z;
    vec2 q = (gl_FragCoord.xy - pin.xy) / pixels;            // position in cells
    q = vec2(turn.x * q.x + turn.y * q.y, turn.x * q.y - turn.y * q.x);
    float soft = clamp(2.2 / pixels, 0.10, 0.9);
    float swell = pulse * exp(-5.0 * fract(beat));
    vec3 c;
    if (mode <= 1) {
        // The paper lies in the light of the set: it takes a part of the shading, ink the rest.
        float light = clamp(1.5 * skin_luma, 0.3, 1.0) * mix(1.0, clamp(luma(slow.rgb) / skin_luma, 0.35, 1.2), 0.45);
        light = min(light, 1.0);
        // Lines and lashes come from the sharp picture, as ink does; colour from the soft one.
        vec3 sharp = mix(slow.rgb, plate.rgb, 0.65) / light;
        sharp += (luma(sharp) - 0.66) * 0.55;    // newspaper contrast
        sharp = clamp(sharp * 1.03 + 0.02, 0.0, 1.0);
        sharp = sharp * (0.55 + 0.45 * sharp);           // dots average in linear light
        float bold = ink * (1.0 + 0.35 * swell) * smoothstep(0.0, 0.75, cover);
        c = mix(plate.rgb, vec3(0.972, 0.951, 0.905) * light, smoothstep(0.15, 0.95, cover));
        if (mode == 1) {
            float s = screen(q, 0.7071, 0.7071);
            c *= mix(vec3(1.0), vec3(0.070, 0.064, 0.078), inked((1.0 - luma(sharp)) * bold, s, soft));
        } else {
            float top = max(max(sharp.r, sharp.g), max(sharp.b, 1e-3));
            float black = 1.0 - top;
            vec3 under = ((top - sharp) / top * 1.05 + 0.12 * black) * bold;   // with some grey of three colours under the key
            under *= vec3(1.0, 0.95, 0.74);          // yellow ink is the purest: with as much of it skin turns orange
            float key = black * (0.25 + 0.75 * black) * bold;
            c *= mix(vec3(1.0), vec3(0.06, 0.64, 0.88), inked(under.r, screen(q, 0.9659, 0.2588), soft));
            c *= mix(vec3(1.0), vec3(0.90, 0.10, 0.47), inked(under.g, screen(q, 0.2588, 0.9659), soft));
            c *= mix(vec3(1.0), vec3(1.00, 0.91, 0.10), inked(under.b, screen(q, 1.0, 0.0), soft));
            c *= mix(vec3(1.0), vec3(0.10, 0.09, 0.11), inked(key, screen(q, 0.7071, 0.7071), soft));
        }
    } else {
        // One colour a cell, read at its middle.
        vec2 f = fract(q) - 0.5;
        vec2 back = vec2(turn.x * f.x - turn.y * f.y, turn.y * f.x + turn.x * f.y);
        vec3 own = IMG_NORM_PIXEL(tone, isf_FragNormCoord - back * pixels / RENDERSIZE).rgb;
        float y = luma(own);
        vec3 lamp = 1.0 - exp(-(1.9 * ink + 0.6 * swell) * own * own * (1.6 - 0.6 * own) * (0.45 / skin_luma + 0.2));
        if (mode == 2) {
            float d = length(f);
            float disc = 1.0 - smoothstep(0.40 - 0.6 / pixels, 0.40 + 0.6 / pixels, d);
            float core = exp(-d * d * 16.0);
            c = slow.rgb * slow.rgb * 0.20 + 0.010;
            c += disc * (lamp * (0.80 + 0.55 * core) + 0.012) + 0.25 * lamp * exp(-d * 4.0);
        } else {
            // Neighbours of the right weight take turns from cell to cell: no rows of one letter.
            uvec2 h = uvec2(ivec2(floor(q))) * uvec2(0x9E3779B9u, 0x85EBCA6Bu) + uint(int(kfx_seed));
            uint k = (h.x ^ h.y) * 0xC2B2AE35u;
            float n = floor(clamp(pow(y, 0.65) * ink + 0.1 * swell + float(k >> 24u) / 2550.0 - 0.05, 0.0, 0.999) * 16.0);
            float field = IMG_NORM_PIXEL(letters, vec2((n + clamp(f.x + 0.5, 0.03, 0.97)) / 16.0, f.y + 0.5)).r;
            float line = smoothstep(0.5 - 0.9 / pixels, 0.5 + 0.9 / pixels, field);
            c = slow.rgb * (0.10 + 0.25 * slow.rgb) + 0.006 + 0.30 * lamp * smoothstep(0.1, 0.6, field);
            c += line * mix(lamp, vec3(luma(lamp)), 0.30) * 1.30 + line * 0.06;
        }
        c = mix(plate.rgb, min(c, 1.0), inked(cover, 1.0 - 2.4 * dot(f, f), 0.3));
    }
    return c;
}

void main() {
    if (PASSINDEX == 0) { gl_FragColor = lens(); return; }
    if (PASSINDEX == 1) { gl_FragColor = sheet(gl_FragCoord.x, gl_FragCoord.y); return; }
    vec4 plate = IMG_THIS_PIXEL(inputImage), slow = IMG_NORM_PIXEL(tone, isf_FragNormCoord);
    gl_FragColor = plate;
    if (slow.a > 0.0) {
        float slot = IMG_THIS_PIXEL(faceUV).b;
        if (slot <= 0.0) {
            vec2 d = 4.0 / RENDERSIZE;
            slot = max(max(IMG_NORM_PIXEL(faceUV, isf_FragNormCoord + vec2(d.x, 0.0)).b, IMG_NORM_PIXEL(faceUV, isf_FragNormCoord - vec2(d.x, 0.0)).b),
                       max(IMG_NORM_PIXEL(faceUV, isf_FragNormCoord + vec2(0.0, d.y)).b, IMG_NORM_PIXEL(faceUV, isf_FragNormCoord - vec2(0.0, d.y)).b));
        }
        if (slot > 0.0) {
            ivec2 face = ivec2(min(int(slot * 8.0), 7), 0);
            vec4 parts = IMG_THIS_PIXEL(faceParts);
            float keep = clamp(parts.b + parts.a, 0.0, 1.0) * live_eyes;
            vec4 lit = texelFetch(sheets, face + ivec2(0, 1), 0);
            vec3 c = printed(plate, slow, slow.a, texelFetch(sheets, face, 0).xyz, lit.yz, lit.x);
            gl_FragColor.rgb = mix(c, plate.rgb, keep);
        }
    }
}
