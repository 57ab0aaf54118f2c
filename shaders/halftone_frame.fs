/*{
  "ISFVSN": "2",
  "DESCRIPTION": "The whole picture printed: a four-colour screen on paper, newsprint, or a wall of lamps (E38)",
  "CREDIT": "kfx",
  "CATEGORIES": ["Print"],
  "INPUTS": [
    {"NAME": "inputImage", "TYPE": "image"},
    {"NAME": "beat", "TYPE": "float"},
    {"NAME": "mode", "TYPE": "long", "VALUES": [0, 1, 2], "LABELS": ["cmyk", "newsprint", "led"], "DEFAULT": 0, "DOC": "what the picture is made of"},
    {"NAME": "cell", "TYPE": "float", "DEFAULT": 0.0092, "MIN": 0.005, "MAX": 0.06, "UNIT": "H", "DOC": "pitch of the screen, in picture heights"},
    {"NAME": "ink", "TYPE": "float", "DEFAULT": 1.0, "MIN": 0.5, "MAX": 1.6, "DOC": "how much ink, or light"},
    {"NAME": "paper", "TYPE": "float", "DEFAULT": 0.6, "MIN": 0.0, "MAX": 1.0, "DOC": "how white the paper stays where the picture is dark"},
    {"NAME": "angle", "TYPE": "float", "DEFAULT": 0.0, "MIN": -90.0, "MAX": 90.0, "UNIT": "deg", "DOC": "turns the screen"},
    {"NAME": "pulse", "TYPE": "float", "DEFAULT": 0.25, "MIN": 0.0, "MAX": 1.0, "DOC": "dots swell on the beat"}
  ],
  "PASSES": [
    {"TARGET": "tone", "WIDTH": "floor($WIDTH/4.0)", "HEIGHT": "floor($HEIGHT/4.0)"},
    {}
  ],
  "KFX": {"region": "frame"}
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

void main() {
    if (PASSINDEX == 0) {
        // What a printer's lens sees: four by four pixels.
        vec2 p = isf_FragNormCoord, d = 1.0 / IMG_SIZE(inputImage);
        vec3 c = IMG_NORM_PIXEL(inputImage, p + d * vec2(-1.0, -1.0)).rgb + IMG_NORM_PIXEL(inputImage, p + d * vec2(1.0, -1.0)).rgb
               + IMG_NORM_PIXEL(inputImage, p + d * vec2(-1.0, 1.0)).rgb + IMG_NORM_PIXEL(inputImage, p + d * vec2(1.0, 1.0)).rgb;
        gl_FragColor = vec4(c * 0.25, 1.0);
        return;
    }
    vec4 plate = IMG_THIS_PIXEL(inputImage);
    float pixels = max(cell * RENDERSIZE.y, 2.5), soft = clamp(2.2 / pixels, 0.10, 0.9);
    float swell = pulse * exp(-5.0 * fract(beat));
    vec2 turn = vec2(cos(radians(angle)), sin(radians(angle)));
    vec2 q = (gl_FragCoord.xy - 0.5 * RENDERSIZE) / pixels;         // position in cells
    q = vec2(turn.x * q.x + turn.y * q.y, turn.x * q.y - turn.y * q.x);
    vec2 f = fract(q) - 0.5;
    vec2 back = mode == 2 ? vec2(turn.x * f.x - turn.y * f.y, turn.y * f.x + turn.x * f.y) * pixels : vec2(0.0);
    vec3 slow = IMG_NORM_PIXEL(tone, isf_FragNormCoord - back / RENDERSIZE).rgb;   // led: one colour a cell
    vec3 c;
    if (mode == 2) {
        vec3 lamp = 1.0 - exp(-(1.9 * ink + 0.6 * swell) * slow * slow * (1.6 - 0.6 * slow) * 2.0);
        float d2 = dot(f, f);
        float disc = 1.0 - smoothstep(0.160 - 0.5 / pixels, 0.160 + 0.5 / pixels, d2);
        // A lamp has a hot middle, a housing that shows in the dark, and a halo on its neighbours.
        float halo = 1.0 / (1.0 + 14.0 * d2);
        c = 0.010 + lamp * (0.22 * halo + disc * (0.80 + 0.55 * halo * halo)) + 0.014 * disc;
    } else {
        // Paper under the light of the picture: without it dark shots would turn to plain noise.
        float light = mix(clamp(1.6 * luma(slow) + 0.10, 0.0, 1.0), 1.0, paper);
        // Lines and lashes come from the sharp picture, as ink does; colour from the soft one.
        vec3 sharp = clamp(mix(slow, plate.rgb, 0.65) / light * 1.04 + 0.02, 0.0, 1.0);
        sharp = sharp * (0.55 + 0.45 * sharp);                  // dots average in linear light
        float bold = ink * (1.0 + 0.35 * swell), top = max(max(sharp.r, sharp.g), max(sharp.b, 1e-3));
        float black = 1.0 - (mode == 1 ? luma(sharp) : top);
        float key = mode == 1 ? black : black * (0.25 + 0.75 * black);
        vec3 under = mode == 1 ? vec3(0.0) : ((top - sharp) / top * 1.05 + 0.12 * black) * bold;
        c = vec3(0.972, 0.951, 0.905) * light * (1.0 - vec3(0.93, 0.936, 0.922) * inked(key * bold, screen(q, 0.7071, 0.7071), soft));
        c *= 1.0 - vec3(0.94, 0.36, 0.12) * inked(under.r, screen(q, 0.9659, 0.2588), soft);
        c *= 1.0 - vec3(0.10, 0.90, 0.53) * inked(under.g, screen(q, 0.2588, 0.9659), soft);
        c *= 1.0 - vec3(0.00, 0.09, 0.90) * inked(under.b, screen(q, 1.0, 0.0), soft);
    }
    gl_FragColor = vec4(min(c, 1.0), plate.a);
}
