/*{
  "ISFVSN": "2",
  "DESCRIPTION": "Film stock over the whole picture: grain that lives in the mid-tones, red halation round highlights, a soft vignette (E47)",
  "CREDIT": "kfx",
  "CATEGORIES": ["Finishing"],
  "INPUTS": [
    {"NAME": "inputImage", "TYPE": "image"},
    {"NAME": "grain", "TYPE": "float", "DEFAULT": 0.05, "MIN": 0.0, "MAX": 0.2, "DOC": "strength of the grain, of full scale"},
    {"NAME": "colour_grain", "TYPE": "float", "DEFAULT": 0.35, "MIN": 0.0, "MAX": 1.0, "DOC": "0 = silver, 1 = every layer its own grain"},
    {"NAME": "halation", "TYPE": "float", "DEFAULT": 0.35, "MIN": 0.0, "MAX": 1.5, "DOC": "red glow of the film base round highlights"},
    {"NAME": "threshold", "TYPE": "float", "DEFAULT": 0.72, "MIN": 0.3, "MAX": 1.0, "DOC": "brightness from which a highlight glows"},
    {"NAME": "vignette", "TYPE": "float", "DEFAULT": 0.28, "MIN": 0.0, "MAX": 1.0, "DOC": "how much the corners fall off"},
    {"NAME": "fade", "TYPE": "float", "DEFAULT": 0.04, "MIN": 0.0, "MAX": 0.3, "DOC": "lifted blacks and rolled-off whites"}
  ],
  "PASSES": [
    {"TARGET": "bright", "WIDTH": "floor($WIDTH/16.0)", "HEIGHT": "floor($HEIGHT/16.0)"},
    {"TARGET": "across", "WIDTH": "floor($WIDTH/16.0)", "HEIGHT": "floor($HEIGHT/16.0)"},
    {"TARGET": "slow", "WIDTH": "floor($WIDTH/16.0)", "HEIGHT": "floor($HEIGHT/16.0)"},
    {"TARGET": "fine", "WIDTH": "floor($WIDTH/4.0)", "HEIGHT": "floor($HEIGHT/4.0)", "FILTER": "nearest"},
    {}
  ],
  "IMPORTED": {"grainTile": {"PATH": "textures/grain.png", "FILTER": "nearest", "WRAP": "repeat"}},
  "KFX": {"region": "frame"}
}*/

// On llvmpipe whatever a pixel of the last pass computes from knobs alone is computed for every
// pixel anew, and a bilinear read costs it twice a nearest one. So the corners and the small
// passes hand over finished numbers, enlarged beforehand, and the last one only joins them.

#if __VERSION__ < 130 || defined(GL_ES)
varying vec2 grain_at;
varying vec2 aside;
varying vec2 strength;
#else
noperspective varying vec2 grain_at;
flat varying vec2 aside;
flat varying vec2 strength;
#endif

float luma(vec3 c) { return dot(c, vec3(0.2126, 0.7152, 0.0722)); }

// Nine Gaussian taps in five bilinear reads, sigma about two texels of their distance.
vec4 blur(sampler2D image, vec2 p, vec2 direction) {
    vec4 sum = IMG_NORM_PIXEL(image, p) * 0.1592;
    sum += (IMG_NORM_PIXEL(image, p + direction * 1.4556) + IMG_NORM_PIXEL(image, p - direction * 1.4556)) * 0.2692;
    sum += (IMG_NORM_PIXEL(image, p + direction * 3.3997) + IMG_NORM_PIXEL(image, p - direction * 3.3997)) * 0.1512;
    return sum;
}

// What glows of two by two pixels; a is their luma.
vec4 hot(vec2 p) {
    vec3 c = IMG_NORM_PIXEL(inputImage, p).rgb;
    float y = luma(c);
    return vec4(c * smoothstep(threshold - 0.15, 1.0, max(y, c.r * 0.85)), y);
}

void main() {
    vec2 p = isf_FragNormCoord;
    float stock = fade * 4.0;
    if (PASSINDEX == 0) {
        // A quarter of sixteen pixels by sixteen: two in each row and column of two by two.
        vec2 d = 2.0 / IMG_SIZE(inputImage);
        gl_FragColor = vec4(0.0);
        for (int i = 0; i < 8; i++) {
            vec2 at = vec2(float(i), mod(float(3 * i + 1), 8.0)) - 3.5;
            gl_FragColor += hot(p + d * at) + hot(p + d * vec2(at.x, at.y + (at.y < 0.0 ? 4.0 : -4.0)));
        }
        gl_FragColor *= 0.0625;
    } else if (PASSINDEX == 1) {
        gl_FragColor = blur(bright, p, vec2(0.4 / RENDERSIZE.x, 0.0));
    } else if (PASSINDEX == 2) {
        // Halation: light scattered back by the base reaches the red layer first.
        vec3 light = blur(across, p, vec2(0.0, 0.4 / RENDERSIZE.y)).rgb * vec3(1.0, 0.32, 0.16) * halation;
        light *= 1.0 - 0.6 * IMG_THIS_PIXEL(bright).a;
        vec2 q = (p - 0.5) * vec2(min(RENDERSIZE.x / RENDERSIZE.y, 2.0) / 1.25, 0.8);
        float t = clamp(dot(q, q) * 1.5 - 0.12, 0.0, 1.0);
        // Lifted blacks with a little blue in them, whites that roll off.
        float gain = (1.0 - vignette * t * (2.0 - t)) * (1.0 - 0.10 * stock);
        gl_FragColor = vec4(light * gain + vec3(0.055, 0.057, 0.065) * stock, gain + 0.057 * stock);
    } else if (PASSINDEX == 3) {
        gl_FragColor = IMG_NORM_PIXEL(slow, p);
    } else {
        vec4 plate = IMG_THIS_PIXEL(inputImage);
        vec3 noise = IMG_NORM_PIXEL(grainTile, grain_at).rgb - 0.5;
        // Read aside by the grain of the other layers: that dithers the glow's steps of four pixels.
        vec4 light = IMG_NORM_PIXEL(fine, p + noise.rb * aside);
        noise = noise.g * strength.x + noise * strength.y;
        float y = luma(plate.rgb);
        float body = 0.35 + y * (1.0 - y) * (2.6 - 1.3 * y);
        gl_FragColor = vec4(plate.rgb * (light.a - light.rgb) + light.rgb + noise * body, plate.a);
    }
}
