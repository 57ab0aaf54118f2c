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
    {"TARGET": "bright", "WIDTH": "floor($WIDTH/4.0)", "HEIGHT": "floor($HEIGHT/4.0)"},
    {"TARGET": "across", "WIDTH": "floor($WIDTH/4.0)", "HEIGHT": "floor($HEIGHT/4.0)"},
    {"TARGET": "glow", "WIDTH": "floor($WIDTH/4.0)", "HEIGHT": "floor($HEIGHT/4.0)"},
    {}
  ],
  "IMPORTED": {"grainTile": {"PATH": "textures/grain.png", "FILTER": "nearest"}},
  "KFX": {"region": "frame"}
}*/

float luma(vec3 c) { return dot(c, vec3(0.2126, 0.7152, 0.0722)); }

// Nine Gaussian taps in five bilinear reads, sigma about 2.6 quarter pixels.
vec4 blur(sampler2D image, vec2 p, vec2 direction) {
    vec4 sum = IMG_NORM_PIXEL(image, p) * 0.1592;
    sum += (IMG_NORM_PIXEL(image, p + direction * 1.4556) + IMG_NORM_PIXEL(image, p - direction * 1.4556)) * 0.2692;
    sum += (IMG_NORM_PIXEL(image, p + direction * 3.3997) + IMG_NORM_PIXEL(image, p - direction * 3.3997)) * 0.1512;
    return sum;
}

void main() {
    vec2 p = isf_FragNormCoord;
    if (PASSINDEX == 0) {
        vec2 d = 1.0 / IMG_SIZE(inputImage);
        vec3 c = IMG_NORM_PIXEL(inputImage, p + d * vec2(-1.0, -1.0)).rgb + IMG_NORM_PIXEL(inputImage, p + d * vec2(1.0, -1.0)).rgb
               + IMG_NORM_PIXEL(inputImage, p + d * vec2(-1.0, 1.0)).rgb + IMG_NORM_PIXEL(inputImage, p + d * vec2(1.0, 1.0)).rgb;
        c *= 0.25;
        float over = smoothstep(threshold - 0.15, 1.0, max(luma(c), c.r * 0.85));
        gl_FragColor = vec4(c * over, 1.0);
    } else if (PASSINDEX == 1) {
        gl_FragColor = blur(bright, p, vec2(1.6 / RENDERSIZE.x, 0.0));
    } else if (PASSINDEX == 2) {
        // All that varies slowly is worked out here, at a sixteenth of the pixels.
        // Halation: light scattered back by the base reaches the red layer first.
        vec3 light = blur(across, p, vec2(0.0, 1.6 / RENDERSIZE.y)).rgb * vec3(1.0, 0.32, 0.16) * halation;
        light *= 1.0 - 0.6 * luma(IMG_NORM_PIXEL(inputImage, p).rgb);
        vec2 q = (p - 0.5) * vec2(min(RENDERSIZE.x / RENDERSIZE.y, 2.0) / 1.25, 0.8);
        float t = clamp(dot(q, q) * 1.5 - 0.12, 0.0, 1.0);
        gl_FragColor = vec4(light, 1.0 - vignette * t * (2.0 - t));
    } else {
        vec4 plate = IMG_THIS_PIXEL(inputImage);
        vec4 slow = IMG_NORM_PIXEL(glow, p);
        vec3 c = (plate.rgb + slow.rgb - plate.rgb * slow.rgb) * slow.a;

        // The same tile every frame, moved by the R2 sequence (Roberts 2018): takes match.
        // Under 720 lines a pixel is a larger piece of the film, and its grain averages out.
        float frame = mod(float(FRAMEINDEX), 4096.0) + kfx_seed * 17.0;
        vec2 offset = floor(fract(frame * vec2(0.7548777, 0.5698403)) * 256.0) / 256.0;
        float clump = max(1.0, floor(RENDERSIZE.y / 1080.0 + 0.5));
        vec3 noise = IMG_NORM_PIXEL(grainTile, fract(p * (RENDERSIZE / (256.0 * clump)) + offset)).rgb - 0.5;
        noise = mix(noise.ggg, noise, colour_grain);
        float y = luma(c);
        float body = 0.35 + y * (1.0 - y) * (2.6 - 1.3 * y);
        c += noise * (grain * 4.0 * clamp(RENDERSIZE.y / 720.0, 0.45, 1.0) * body);

        // Lifted blacks with a little blue in them, whites that roll off.
        float stock = min(fade * 4.0, 1.0);
        c = c * (1.0 - 0.10 * stock) + vec3(0.055, 0.057, 0.065) * stock;
        gl_FragColor = vec4(c, plate.a);
    }
}
