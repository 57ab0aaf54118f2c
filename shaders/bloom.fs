/*{
  "ISFVSN": "2",
  "DESCRIPTION": "Bloom as glass and film make it: highlights shed light over four scales, in linear light, whites keep their shape (E45a)",
  "CREDIT": "kfx",
  "CATEGORIES": ["Finishing"],
  "INPUTS": [
    {"NAME": "inputImage", "TYPE": "image"},
    {"NAME": "beat", "TYPE": "float"},
    {"NAME": "energy", "TYPE": "float"},
    {"NAME": "intensity", "TYPE": "float", "DEFAULT": 0.45, "MIN": 0.0, "MAX": 2.0, "DOC": "how much light the highlights shed"},
    {"NAME": "threshold", "TYPE": "float", "DEFAULT": 0.68, "MIN": 0.2, "MAX": 1.0, "DOC": "brightness from which a part of the picture is a light"},
    {"NAME": "knee", "TYPE": "float", "DEFAULT": 0.25, "MIN": 0.02, "MAX": 0.5, "DOC": "how gradually it becomes one"},
    {"NAME": "spread", "TYPE": "float", "DEFAULT": 0.58, "MIN": 0.1, "MAX": 0.9, "DOC": "share of the light that goes to the next wider scale"},
    {"NAME": "warmth", "TYPE": "float", "DEFAULT": 0.25, "MIN": -1.0, "MAX": 1.0, "DOC": "the far glow is warmer, or cooler under 0"},
    {"NAME": "pulse", "TYPE": "float", "DEFAULT": 0.0, "MIN": 0.0, "MAX": 1.0, "DOC": "swell on the beat and with the music's energy"}
  ],
  "PASSES": [
    {"TARGET": "lights", "WIDTH": "floor($WIDTH/8.0)", "HEIGHT": "floor($HEIGHT/8.0)", "FLOAT": true},
    {"TARGET": "down16", "WIDTH": "floor($WIDTH/16.0)", "HEIGHT": "floor($HEIGHT/16.0)", "FLOAT": true},
    {"TARGET": "down32", "WIDTH": "floor($WIDTH/32.0)", "HEIGHT": "floor($HEIGHT/32.0)", "FLOAT": true},
    {"TARGET": "down64", "WIDTH": "floor($WIDTH/64.0)", "HEIGHT": "floor($HEIGHT/64.0)", "FLOAT": true},
    {"TARGET": "up32", "WIDTH": "floor($WIDTH/32.0)", "HEIGHT": "floor($HEIGHT/32.0)", "FLOAT": true},
    {"TARGET": "up16", "WIDTH": "floor($WIDTH/16.0)", "HEIGHT": "floor($HEIGHT/16.0)", "FLOAT": true},
    {"TARGET": "glow", "WIDTH": "floor($WIDTH/8.0)", "HEIGHT": "floor($HEIGHT/8.0)"},
    {}
  ],
  "KFX": {"region": "frame"}
}*/

// What shines of four pixels by four, each row and column of them read once; squares are near
// enough to linear light. The knee is a parabola, so nothing pops as it crosses the threshold.
vec3 hot(ivec2 at) {
    at = max(min(at, textureSize(inputImage, 0) - 4), ivec2(0));
    vec3 c = 0.25 * (texelFetch(inputImage, at, 0).rgb + texelFetch(inputImage, at + ivec2(2, 1), 0).rgb
                   + texelFetch(inputImage, at + ivec2(1, 3), 0).rgb + texelFetch(inputImage, at + ivec2(3, 2), 0).rgb);
    float m = max(c.r, max(c.g, c.b));
    float rise = clamp((m - threshold + knee) / (2.0 * knee), 0.0, 1.0);
    float over = max(knee * rise * rise, m - threshold);
    return c * c * (over / max(m, 0.05)) * 4.5;
}

vec3 half_of(sampler2D image, vec2 p) {
    vec2 d = 1.0 / vec2(textureSize(image, 0));
    return IMG_NORM_PIXEL(image, p).rgb * 0.36
         + (IMG_NORM_PIXEL(image, p + d).rgb + IMG_NORM_PIXEL(image, p - d).rgb
          + IMG_NORM_PIXEL(image, p + vec2(d.x, -d.y)).rgb + IMG_NORM_PIXEL(image, p + vec2(-d.x, d.y)).rgb) * 0.16;
}

// A tent of three texels, so that no scale shows its raster when it is stretched.
vec3 soft(sampler2D image, vec2 p) {
    vec2 d = 0.75 / vec2(textureSize(image, 0));
    return 0.25 * (IMG_NORM_PIXEL(image, p + d).rgb + IMG_NORM_PIXEL(image, p - d).rgb
                 + IMG_NORM_PIXEL(image, p + vec2(d.x, -d.y)).rgb + IMG_NORM_PIXEL(image, p + vec2(-d.x, d.y)).rgb);
}

void main() {
    vec2 p = isf_FragNormCoord;
    vec3 far = vec3(1.0 + 0.10 * warmth, 1.0, 1.0 - 0.14 * warmth);
    if (PASSINDEX == 0) {
        ivec2 at = ivec2(p * IMG_SIZE(inputImage)) - 4;
        gl_FragColor = vec4(0.25 * (hot(at) + hot(at + ivec2(4, 0)) + hot(at + ivec2(0, 4)) + hot(at + 4)), 1.0);
    } else if (PASSINDEX == 1) {
        gl_FragColor = vec4(half_of(lights, p), 1.0);
    } else if (PASSINDEX == 2) {
        gl_FragColor = vec4(half_of(down16, p), 1.0);
    } else if (PASSINDEX == 3) {
        gl_FragColor = vec4(half_of(down32, p), 1.0);
    } else if (PASSINDEX == 4) {
        gl_FragColor = vec4(mix(soft(down32, p), soft(down64, p) * far, spread), 1.0);
    } else if (PASSINDEX == 5) {
        gl_FragColor = vec4(mix(soft(down16, p), soft(up32, p) * far, spread), 1.0);
    } else if (PASSINDEX == 6) {
        // No more light arrives than was shed; the root goes to 8 bits without steps in the dark.
        float swell = 1.0 + pulse * (1.2 * exp(-5.0 * fract(beat)) + 0.8 * energy);
        vec3 light = mix(soft(lights, p), soft(up16, p) * far, spread) * intensity * swell;
        // Where all is bright the eye has closed down: high-key pictures aren't drowned in milk.
        vec3 wide = soft(down64, p);
        light /= 1.0 + 3.5 * max(wide.r, max(wide.g, wide.b));
        gl_FragColor = vec4(sqrt(1.0 - exp(-light)), 1.0);
    } else {
        vec4 plate = IMG_THIS_PIXEL(inputImage);
        vec3 light = IMG_NORM_PIXEL(glow, p).rgb;
        vec3 lit = plate.rgb * plate.rgb;
        gl_FragColor = vec4(sqrt(lit + light * light * (1.0 - lit)), plate.a);
    }
}
