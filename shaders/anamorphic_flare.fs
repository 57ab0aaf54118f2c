/*{
  "ISFVSN": "2",
  "DESCRIPTION": "An anamorphic lens: real highlights draw a thin blue streak across the frame and faint oval ghosts (E45b)",
  "CREDIT": "kfx",
  "CATEGORIES": ["Finishing"],
  "INPUTS": [
    {"NAME": "inputImage", "TYPE": "image"},
    {"NAME": "beat", "TYPE": "float"},
    {"NAME": "energy", "TYPE": "float"},
    {"NAME": "streak", "TYPE": "float", "DEFAULT": 0.6, "MIN": 0.0, "MAX": 2.0, "DOC": "brightness of the streaks"},
    {"NAME": "length", "TYPE": "float", "DEFAULT": 0.3, "MIN": 0.08, "MAX": 0.6, "UNIT": "frame widths", "DOC": "how far a streak runs to either side"},
    {"NAME": "threshold", "TYPE": "float", "DEFAULT": 0.80, "MIN": 0.4, "MAX": 1.0, "DOC": "brightness from which a highlight flares"},
    {"NAME": "ghosts", "TYPE": "float", "DEFAULT": 0.3, "MIN": 0.0, "MAX": 1.0, "DOC": "reflections inside the lens, mirrored about the centre"},
    {"NAME": "tint", "TYPE": "color", "DEFAULT": [0.22, 0.50, 1.0, 1.0], "DOC": "colour of the coating, which the streaks take"},
    {"NAME": "kick", "TYPE": "float", "DEFAULT": 0.25, "MIN": 0.0, "MAX": 2.0, "DOC": "how much brighter on the beat"}
  ],
  "PASSES": [
    {"TARGET": "sparks", "WIDTH": "floor($WIDTH/16.0)", "HEIGHT": "floor($HEIGHT/4.0)"},
    {"TARGET": "near", "WIDTH": "floor($WIDTH/16.0)", "HEIGHT": "floor($HEIGHT/4.0)", "FLOAT": true},
    {"TARGET": "discs", "WIDTH": "floor($WIDTH/16.0)", "HEIGHT": "floor($HEIGHT/16.0)"},
    {"TARGET": "flare", "WIDTH": "floor($WIDTH/16.0)", "HEIGHT": "floor($HEIGHT/4.0)"},
    {}
  ],
  "KFX": {"region": "frame"}
}*/

vec3 at_px(ivec2 p) { return texelFetch(inputImage, clamp(p, ivec2(0), textureSize(inputImage, 0) - 1), 0).rgb; }
float peak(vec3 c) { return max(c.r, max(c.g, c.b)); }

// A lens flares for lamps and reflections, which are small and far brighter than what is round
// them; a white wall or a bright cheek isn't one.
vec3 spark(ivec2 p, float around) {
    vec3 c = at_px(p);
    float m = peak(c);
    return c * smoothstep(threshold - 0.06, min(threshold + 0.16, 1.02), m) * smoothstep(0.16, 0.46, m - around);
}

// Light that falls off along the row as exp(-distance); spacing in texels.
vec3 along(sampler2D image, vec2 p, float spacing, float fall) {
    float d = spacing / float(textureSize(image, 0).x);
    vec3 sum = IMG_NORM_PIXEL(image, p).rgb;
    float w = 1.0, total = 1.0;
    for (int i = 1; i <= 6; i++) {
        w *= fall;
        float x = d * float(i);
        sum += (IMG_NORM_PIXEL(image, p + vec2(x, 0.0)).rgb + IMG_NORM_PIXEL(image, p - vec2(x, 0.0)).rgb) * w;
        total += 2.0 * w;
    }
    return sum / total;
}

// The picture of the lights as a lens element mirrors it, gone where it would leave the circle.
vec3 ghost(vec2 p, float scale, vec3 colour) {
    vec2 q = (p - 0.5) * scale;
    float inside = 1.0 - smoothstep(0.10, 0.23, dot(q, q));
    return IMG_NORM_PIXEL(discs, q + 0.5).rgb * colour * inside;
}

void main() {
    vec2 p = isf_FragNormCoord;
    if (PASSINDEX == 0) {
        // Sixteen pixels by four are read at twelve places, their surroundings at six.
        ivec2 at = ivec2(p * IMG_SIZE(inputImage));
        int far = int(IMG_SIZE(inputImage).y * 0.05) + 4, close = far * 2 / 5;
        float wide = 0.25 * (peak(at_px(at + far)) + peak(at_px(at - far))
                           + peak(at_px(at + ivec2(far, -far))) + peak(at_px(at + ivec2(-far, far))));
        float above = peak(at_px(at + ivec2(0, close))), below = peak(at_px(at - ivec2(0, close)));
        float around = max(wide, max(above, below));
        vec3 sum = vec3(0.0);
        for (int i = 0; i < 4; i++) {
            int x = 4 * i - 8;
            sum += spark(at + ivec2(x, -2 + (i & 1)), around) + spark(at + ivec2(x + 1, i & 1), around)
                 + spark(at + ivec2(x + 2, 1 - 2 * (i & 1)), around);
        }
        gl_FragColor = vec4(sqrt(sum / 12.0), 1.0);
    } else if (PASSINDEX == 1) {
        gl_FragColor = vec4(along(sparks, p, 1.3, 0.72), 1.0);
    } else if (PASSINDEX == 2) {
        // Out of focus and squeezed: upright ovals.
        vec3 sum = IMG_NORM_PIXEL(sparks, p).rgb;
        for (int i = 0; i < 8; i++) {
            float a = 0.7853982 * float(i);
            sum += IMG_NORM_PIXEL(sparks, p + vec2(cos(a) * 0.011, sin(a) * 0.032)).rgb
                 + IMG_NORM_PIXEL(sparks, p + vec2(sin(a) * 0.006, cos(a) * 0.017)).rgb;
        }
        gl_FragColor = vec4(sum / 6.0, 1.0);
    } else if (PASSINDEX == 3) {
        float hit = 1.0 + kick * exp(-5.0 * fract(beat)) + 0.5 * kick * energy;
        float spacing = length * RENDERSIZE.x / 8.0;
        vec3 line = along(near, p, spacing, 0.66);
        vec3 core = IMG_NORM_PIXEL(near, p).rgb;
        // The coating's colour far out, the light's own where it is strong.
        vec3 lit = (line * 5.5 + core * 0.7) * mix(tint.rgb, tint.rgb * 0.5 + 0.5, clamp(1.6 * core, 0.0, 1.0));
        lit *= streak * hit;
        vec3 back = ghost(p, -2.1, vec3(0.10, 0.42, 0.50)) + ghost(p, -1.15, vec3(0.46, 0.24, 0.62)) * 0.7
                  + ghost(p, -0.62, vec3(0.60, 0.38, 0.14)) * 0.6 + ghost(p, 1.7, vec3(0.14, 0.30, 0.64)) * 0.6;
        lit += back * ghosts * 2.2 * hit;
        gl_FragColor = vec4(1.0 - exp(-lit), 1.0);
    } else {
        vec4 plate = IMG_THIS_PIXEL(inputImage);
        vec3 light = IMG_NORM_PIXEL(flare, p).rgb;
        gl_FragColor = vec4(plate.rgb + light * (1.0 - plate.rgb), plate.a);
    }
}
