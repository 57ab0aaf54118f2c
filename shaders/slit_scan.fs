/*{
  "ISFVSN": "2",
  "DESCRIPTION": "Every line of the picture shows another moment: time runs down the body, across it, or out from the face like rings in water (E33)",
  "CREDIT": "kfx",
  "CATEGORIES": ["Time"],
  "INPUTS": [
    {"NAME": "inputImage", "TYPE": "image"},
    {"NAME": "history", "TYPE": "image"},
    {"NAME": "faceData", "TYPE": "image"},
    {"NAME": "beat", "TYPE": "float"},
    {"NAME": "kfx_quality", "TYPE": "float"},
    {"NAME": "iod", "TYPE": "float"},
    {"NAME": "axis", "TYPE": "long", "VALUES": [0, 1, 2], "LABELS": ["rows", "columns", "radial"], "DEFAULT": 0, "DOC": "along what time runs"},
    {"NAME": "place", "TYPE": "long", "VALUES": [0, 1, 2], "LABELS": ["frame", "head", "all but the face"], "DEFAULT": 0, "DOC": "what is scanned"},
    {"NAME": "span", "TYPE": "float", "DEFAULT": 1.0, "MIN": 0.05, "MAX": 1.5, "UNIT": "s", "DOC": "how old the oldest line is"},
    {"NAME": "waves", "TYPE": "float", "DEFAULT": 2.5, "MIN": 0.0, "MAX": 8.0, "DOC": "0 = time runs one way, otherwise to and fro so many times, and the waves travel"},
    {"NAME": "bands", "TYPE": "float", "DEFAULT": 0.0, "MIN": 0.0, "MAX": 48.0, "DOC": "0 = smooth, otherwise so many steps"},
    {"NAME": "prism", "TYPE": "float", "DEFAULT": 0.05, "MIN": 0.0, "MAX": 0.3, "UNIT": "s", "DOC": "red, green and blue show moments so far apart: only what moves is coloured"},
    {"NAME": "pulse", "TYPE": "float", "DEFAULT": 0.35, "MIN": 0.0, "MAX": 1.0, "DOC": "how much the span breathes over a bar: closed on the downbeat, then it opens"},
    {"NAME": "age_tone", "TYPE": "float", "DEFAULT": 0.3, "MIN": 0.0, "MAX": 1.0, "DOC": "how much cooler and darker older lines are"}
  ],
  "PASSES": [
    {"TARGET": "nose", "WIDTH": "1", "HEIGHT": "1", "FLOAT": true},
    {"TARGET": "scan", "WIDTH": "floor($WIDTH*0.6*$kfx_quality)", "HEIGHT": "floor($HEIGHT*0.6*$kfx_quality)"},
    {}
  ],
  "KFX": {"region": "frame", "history": {"frames": 48, "height": 480}}
}*/

void main() {
    vec2 p = isf_FragNormCoord;
    if (PASSINDEX == 0) {
        // Nose and size of the largest face.
        vec4 best = vec4(0.5 * IMG_SIZE(inputImage), IMG_SIZE(inputImage).y / 7.0, 1.0);
        float widest = 0.0;
        for (int slot = 0; slot < 8 && iod > 0.0; slot++) {
            vec4 a = IMG_PIXEL(faceData, vec2(1.5, float(slot) + 0.5)), b = IMG_PIXEL(faceData, vec2(10.5, float(slot) + 0.5));
            float wide = distance(a.xy, b.xy) * step(0.01, a.w);
            if (wide > widest) { widest = wide; best = vec4(a.xy, iod, 1.0); }
        }
        gl_FragColor = best;
        return;
    }
    if (PASSINDEX == 2) {
        vec4 plate = IMG_THIS_PIXEL(inputImage), c = IMG_NORM_PIXEL(scan, p);
        gl_FragColor = vec4(mix(plate.rgb, c.rgb, c.a), plate.a);
        return;
    }
    // The past is kept small: it is put together at six tenths of the size, once.
    vec4 face = texelFetch(nose, ivec2(0), 0);
    float away = distance(p * IMG_SIZE(inputImage), face.xy) / max(face.z, 1.0);
    // Radial: the face itself is now, rings about it are ever older.
    float along = axis == 2 ? clamp((away - 1.3) / 4.5, 0.0, 1.0) : axis == 0 ? 1.0 - p.y : p.x;
    if (bands >= 1.0) along = floor(along * bands) / max(bands - 1.0, 1.0);
    if (waves > 0.0) along = 0.5 - 0.5 * cos(6.2831853 * (along * waves - beat * 0.25));
    float shown = place == 0 ? 1.0 : place == 1 ? 1.0 - smoothstep(1.7, 2.6, away) : smoothstep(0.95, 1.45, away);
    if (TIMEDELTA <= 0.0) shown = 0.0;
    float open = mix(1.0, 0.25 + 0.75 * (0.5 - 0.5 * cos(6.2831853 * fract(beat * 0.25 + 0.35))), pulse);
    float frames = 1.0 / clamp(TIMEDELTA, 0.004, 0.1), age = along * span * open * frames;
    float apart = floor(prism * (0.25 + 0.75 * along) * frames + 0.5);
    vec3 c = kfx_history(age, p).rgb;
    if (apart > 0.0) {
        // Whole frames: one read each in place of two.
        c.r = kfx_history_frame(min(floor(age + 2.0 * apart + 0.5), kfx_history_grid.w - 1.0), p).r;
        c.b = kfx_history_frame(min(floor(age + apart + 0.5), kfx_history_grid.w - 1.0), p).b;
    }
    c = mix(c, c * vec3(0.62, 0.72, 0.92), along * open * age_tone);
    // The newest lines are the plate itself: they stay sharp.
    gl_FragColor = vec4(c, min(age, 1.0) * shown);
}
