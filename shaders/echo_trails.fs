/*{
  "ISFVSN": "2",
  "DESCRIPTION": "The performer leaves light behind: past outlines grow away behind the body and cool from flesh to violet to night, the body itself stays clean on top (E32)",
  "CREDIT": "kfx",
  "CATEGORIES": ["Time", "Body"],
  "INPUTS": [
    {"NAME": "inputImage", "TYPE": "image"},
    {"NAME": "personMatte", "TYPE": "image"},
    {"NAME": "faceData", "TYPE": "image"},
    {"NAME": "beat", "TYPE": "float"},
    {"NAME": "iod", "TYPE": "float"},
    {"NAME": "kfx_quality", "TYPE": "float"},
    {"NAME": "length", "TYPE": "float", "DEFAULT": 1.4, "MIN": 0.1, "MAX": 4.0, "UNIT": "s", "DOC": "how long a trail is seen"},
    {"NAME": "zoom", "TYPE": "float", "DEFAULT": 0.8, "MIN": -1.5, "MAX": 1.5, "UNIT": "1/s", "DOC": "how fast trails grow (or shrink) about the face"},
    {"NAME": "rotate", "TYPE": "float", "DEFAULT": 9.0, "MIN": -60.0, "MAX": 60.0, "UNIT": "deg/s", "DOC": "how fast they turn"},
    {"NAME": "drift", "TYPE": "point2D", "DEFAULT": [0.0, 0.0], "MIN": [-4.0, -4.0], "MAX": [4.0, 4.0], "UNIT": "iod/s", "DOC": "where they are blown"},
    {"NAME": "hue", "TYPE": "float", "DEFAULT": 0.0, "MIN": -0.5, "MAX": 0.5, "DOC": "turns the colours that trails take with age"},
    {"NAME": "glow", "TYPE": "float", "DEFAULT": 1.0, "MIN": 0.0, "MAX": 2.5, "DOC": "how bright trails are"},
    {"NAME": "print_every", "TYPE": "float", "DEFAULT": 0.5, "MIN": 0.0, "MAX": 4.0, "UNIT": "beats", "DOC": "0 = a flowing trail, otherwise a new outline each so many beats"}
  ],
  "PASSES": [
    {"TARGET": "clock", "WIDTH": "2", "HEIGHT": "1", "PERSISTENT": true, "FLOAT": true},
    {"TARGET": "outline", "WIDTH": "floor($WIDTH/4.0)", "HEIGHT": "floor($HEIGHT/4.0)"},
    {"TARGET": "trail", "WIDTH": "floor($WIDTH/2.0*(0.5+0.5*$kfx_quality))", "HEIGHT": "floor($HEIGHT/2.0*(0.5+0.5*$kfx_quality))", "PERSISTENT": true},
    {"TARGET": "trodden", "WIDTH": "floor(($WIDTH+31.0)/32.0)", "HEIGHT": "floor(($HEIGHT+31.0)/32.0)"},
    {"WHERE": "trodden.r"}
  ],
  "KFX": {"region": "frame"}
}*/

float luma(vec3 c) { return dot(c, vec3(0.2126, 0.7152, 0.0722)); }

vec3 turned(vec3 c, float by) {
    vec3 k = vec3(0.57735);
    float a = 6.2831853 * by;
    return c * cos(a) + cross(k, c) * sin(a) + k * dot(k, c) * (1.0 - cos(a));
}

// Whether a trail, and not only the body before it, shows in a tile of the picture.
float shown(vec2 tile) {
    float most = 0.0, least = 1.0;
    for (int i = 0; i < 81; i++)
        most = max(most, IMG_NORM_PIXEL(trail, (tile - 0.5 + vec2(float(i % 9), float(i / 9)) / 8.0) / RENDERSIZE).a);
    for (int i = 0; i < 25; i++)
        least = min(least, IMG_NORM_PIXEL(personMatte, (tile - 0.5 + vec2(float(i % 5), float(i / 5)) / 4.0) / RENDERSIZE).r);
    return most > 0.002 && least < 0.75 ? 1.0 : 0.0;
}

void main() {
    vec2 p = isf_FragNormCoord;
    if (PASSINDEX == 0) {
        // Texel 0: the beat of the frame before and how much of an outline is printed now.
        // Texel 1: the nose of the largest face, kept where it was when no face is seen.
        vec4 old = texelFetch(clock, ivec2(gl_FragCoord.xy), 0);
        if (gl_FragCoord.x < 1.0) {
            bool first = old.a < 0.5;
            float flow = 1.0;
            if (print_every > 0.0)      // printed for a moment at each hit, faintly in between
                flow = first || floor(beat / print_every) != floor(old.r / print_every) ? 1.0 : 0.035;
            gl_FragColor = vec4(beat, flow, 0.0, 1.0);
            return;
        }
        vec4 best = vec4(old.a > 0.5 ? old.xy : vec2(0.5, 0.55), 0.0, 1.0);
        float widest = 0.0;
        for (int slot = 0; slot < 8 && iod > 0.0; slot++) {
            vec4 a = IMG_PIXEL(faceData, vec2(1.5, float(slot) + 0.5)), b = IMG_PIXEL(faceData, vec2(10.5, float(slot) + 0.5));
            float wide = distance(a.xy, b.xy) * step(0.01, a.w);
            if (wide > widest) { widest = wide; best.xy = a.xy / IMG_SIZE(inputImage); }
        }
        gl_FragColor = best;
    } else if (PASSINDEX == 1) {
        // r the body; g how much of it is round about: dark clothes leave an outline too.
        vec2 d = vec2(0.016 * RENDERSIZE.y / RENDERSIZE.x, 0.016);
        float around = IMG_NORM_PIXEL(personMatte, p + d).r + IMG_NORM_PIXEL(personMatte, p - d).r
                     + IMG_NORM_PIXEL(personMatte, p + d * vec2(1.0, -1.0)).r + IMG_NORM_PIXEL(personMatte, p + d * vec2(-1.0, 1.0)).r;
        gl_FragColor = vec4(IMG_NORM_PIXEL(personMatte, p).r, 0.25 * around, 0.0, 1.0);
    } else if (PASSINDEX == 2) {
        // Straight colour with its strength in alpha; every frame it is a little larger, turned,
        // cooler and weaker. All by time, so that a dropped frame leaves no step.
        float dt = clamp(TIMEDELTA, 0.0, 0.1);
        vec2 about = texelFetch(clock, ivec2(1, 0), 0).xy, wide = vec2(RENDERSIZE.x / RENDERSIZE.y, 1.0);
        float a = -radians(rotate) * dt;
        vec2 from = (p - about) * wide;
        from = mat2(cos(a), sin(a), -sin(a), cos(a)) * from * exp(-zoom * dt);
        from = from / wide + about - drift * (iod * dt / IMG_SIZE(inputImage));
        vec4 old = vec4(0.0);
        if (dt > 0.0 && from == clamp(from, 0.0, 1.0)) {
            // Softer with age: five reads in a cross that grows no wider than the pixels of the target.
            vec2 d = 0.0017 * vec2(RENDERSIZE.y / RENDERSIZE.x, 1.0), e = vec2(d.x, -d.y);
            vec4 s = IMG_NORM_PIXEL(trail, from + d) + IMG_NORM_PIXEL(trail, from - d) + IMG_NORM_PIXEL(trail, from + e) + IMG_NORM_PIXEL(trail, from - e);
            old = s * 0.25;
        }
        float keep = exp(-3.0 * dt / length);
        old.a = max(0.0, old.a * keep - 0.0025);
        float printed = texelFetch(clock, ivec2(0, 0), 0).g;
        vec2 shape = IMG_NORM_PIXEL(outline, p).rg;
        // A print fades out over its rim: light has no edge that scissors could follow.
        float body = smoothstep(0.25, 1.0, 0.5 * (shape.r + shape.g));
        vec3 live = IMG_NORM_PIXEL(inputImage, p).rgb;
        live = 1.0 - (1.0 - live) * (1.0 - 0.75 * body * clamp(1.0 - 1.08 * shape.g, 0.0, 1.0));
        float strength = body * printed;
        float over = strength >= old.a ? strength : strength * 0.25;
        over = clamp(over, 0.0, 1.0);
        gl_FragColor = vec4(mix(old.rgb, live, max(over, step(old.a, 0.004))), max(old.a, strength));
    } else if (PASSINDEX == 3) {
        gl_FragColor = vec4(shown(gl_FragCoord.xy));
    } else {
        vec4 plate = IMG_THIS_PIXEL(inputImage);
        vec4 past = IMG_THIS_PIXEL(trail);
        // The light behind wraps a little round the body: no dark seam between them.
        float matte = IMG_THIS_PIXEL(personMatte).r;
        float body = smoothstep(0.15, 0.75, matte), wrap = 0.7 * (1.0 - smoothstep(0.70, 1.0, matte));
        // Flesh → rose → violet → night with age, over the picture's own colours.
        float age = 1.0 - past.a, y = luma(past.rgb);
        vec3 tint = mix(vec3(1.00, 0.80, 0.68), vec3(1.00, 0.38, 0.50), smoothstep(0.1, 0.6, age));
        tint = mix(tint, vec3(0.42, 0.26, 1.00), smoothstep(0.45, 0.8, age));
        tint = max(turned(mix(tint, vec3(0.10, 0.22, 0.80), smoothstep(0.7, 1.0, age)), hue), 0.0);
        vec3 ghost = mix(past.rgb, tint * (0.05 + y * (0.55 + 1.1 * y)), 0.25 + 0.65 * smoothstep(0.0, 0.6, age));
        // Light is added and clips like film; where the trail is dense it also covers.
        vec3 light = 1.0 - exp(-1.9 * glow * past.a * ghost);
        float dense = 0.65 * min(glow, 1.0) * past.a;
        vec3 c = 1.0 - (1.0 - plate.rgb * (1.0 - dense * (1.0 - body))) * (1.0 - light * max(1.0 - body, wrap));
        gl_FragColor = vec4(c, plate.a);
    }
}
