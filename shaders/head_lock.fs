/*{
  "ISFVSN": "2",
  "DESCRIPTION": "The face is nailed to the frame and the world shakes round it: the picture is moved, turned and scaled with the head (E08)",
  "CREDIT": "kfx",
  "CATEGORIES": ["Camera"],
  "INPUTS": [
    {"NAME": "inputImage", "TYPE": "image"},
    {"NAME": "faceData", "TYPE": "image"},
    {"NAME": "beat", "TYPE": "float"},
    {"NAME": "position", "TYPE": "float", "DEFAULT": 1.0, "MIN": 0.0, "MAX": 1.0, "DOC": "how firmly the face is held in its place"},
    {"NAME": "rotation", "TYPE": "float", "DEFAULT": 1.0, "MIN": 0.0, "MAX": 1.0, "DOC": "how firmly it is held upright"},
    {"NAME": "scale", "TYPE": "float", "DEFAULT": 0.85, "MIN": 0.0, "MAX": 1.0, "DOC": "how firmly it is held at one size"},
    {"NAME": "size", "TYPE": "float", "DEFAULT": 0.52, "MIN": 0.1, "MAX": 0.8, "UNIT": "H", "DOC": "height of the held face, forehead to chin, in picture heights"},
    {"NAME": "place", "TYPE": "point2D", "DEFAULT": [0.5, 0.5], "MIN": [0.0, 0.0], "MAX": [1.0, 1.0], "DOC": "where it is held, of the picture, y up"},
    {"NAME": "smooth", "TYPE": "float", "DEFAULT": 0.05, "MIN": 0.0, "MAX": 1.0, "UNIT": "s", "DOC": "how softly the camera follows a slow head; a quick one is followed at once"},
    {"NAME": "every", "TYPE": "float", "DEFAULT": 0.0, "MIN": 0.0, "MAX": 16.0, "UNIT": "beats", "DOC": "the lock grips that often and lets go half way; 0 = it holds"},
    {"NAME": "dusk", "TYPE": "float", "DEFAULT": 0.35, "MIN": 0.0, "MAX": 1.0, "DOC": "how dark the mirrored world outside of the picture gets"}
  ],
  "PASSES": [
    {"TARGET": "lock", "WIDTH": "2", "HEIGHT": "1", "FLOAT": true, "PERSISTENT": true},
    {"TARGET": "way", "WIDTH": "2", "HEIGHT": "1", "FLOAT": true},
    {}
  ],
  "KFX": {"region": "frame"}
}*/

// Points on the face and where they lie on the upright face: x right, y up, in heights of the face.
// The chin talks: it counts little.
const int POINT[6] = int[6](33, 263, 133, 362, 10, 152);
const vec2 SPOT[6] = vec2[6](vec2(-0.269, 0.177), vec2(0.269, 0.177), vec2(-0.103, 0.168), vec2(0.103, 0.168), vec2(0.0, 0.5), vec2(0.0, -0.5));
const float WEIGHT[6] = float[6](1.0, 1.0, 1.0, 1.0, 1.0, 0.3);

// The largest face as centre (px), log2 of its height (px) and angle; w of `sure` is its presence.
vec4 measured(out float sure) {
    sure = 0.0;
    vec4 best = vec4(0.0);
    float tallest = 0.0;
    for (int slot = 0; slot < 8; slot++) {
        float there = texelFetch(faceData, ivec2(1, slot), 0).w;
        float tall = distance(texelFetch(faceData, ivec2(10, slot), 0).xyz, texelFetch(faceData, ivec2(152, slot), 0).xyz);
        if (there <= 0.0 || tall <= tallest) continue;
        vec2 middle = vec2(0.0), spot = vec2(0.0);
        float total = 0.0;
        for (int i = 0; i < 6; i++) {
            middle += WEIGHT[i] * texelFetch(faceData, ivec2(POINT[i], slot), 0).xy;
            spot += WEIGHT[i] * SPOT[i];
            total += WEIGHT[i];
        }
        middle /= total;
        spot /= total;
        vec2 turn = vec2(0.0);                // least squares: the complex number that lays SPOT on the points
        float spread = 0.0;
        for (int i = 0; i < 6; i++) {
            vec2 p = texelFetch(faceData, ivec2(POINT[i], slot), 0).xy - middle, q = SPOT[i] - spot;
            turn += WEIGHT[i] * vec2(dot(p, q), p.y * q.x - p.x * q.y);
            spread += WEIGHT[i] * dot(q, q);
        }
        turn /= spread;
        float high = length(turn);
        if (high < 1.0) continue;
        tallest = tall;
        sure = there;
        // Foreshortening narrows a turned head but leaves its true height, which has depth in it.
        best = vec4(middle - vec2(turn.x * spot.x - turn.y * spot.y, turn.y * spot.x + turn.x * spot.y), log2(max(mix(high, tall, 0.6), 1.0)), atan(turn.y, turn.x));
    }
    return best;
}

float grip() {
    if (every <= 0.0) return 1.0;
    float t = fract(max(beat, 0.0) / every);
    return smoothstep(-0.04, 0.04, t) * (1.0 - smoothstep(0.5, 0.62, t)) + smoothstep(0.96, 1.04, t);
}

void main() {
    vec2 size_px = IMG_SIZE(inputImage);
    if (PASSINDEX == 0) {
        vec4 last = texelFetch(lock, ivec2(0), 0), state = texelFetch(lock, ivec2(1, 0), 0);
        float sure;
        vec4 now = measured(sure);
        bool first = FRAMEINDEX == 0 || TIMEDELTA <= 0.0 || state.y < 0.5;
        float held = first ? sure : mix(state.x, sure, 1.0 - exp(-TIMEDELTA / (sure > 0.0 ? 0.08 : 0.3)));
        if (gl_FragCoord.x > 1.0) {
            gl_FragColor = vec4(held, sure > 0.0 || (!first && state.y > 0.5) ? 1.0 : 0.0, 0.0, 1.0);
            return;
        }
        if (sure <= 0.0) { gl_FragColor = first ? vec4(0.0) : last; return; }
        if (first) { gl_FragColor = now; return; }
        vec4 step_ = now - last;
        step_.w -= 6.2831853 * floor(step_.w / 6.2831853 + 0.5);
        // A quick head is followed at once, a resting one without its tracker's tremble.
        float high = exp2(now.z), far = max(length(step_.xy) / high * 12.0, max(abs(step_.z) * 6.0, abs(step_.w) * 8.0));
        float follow = smooth <= 0.0 ? 1.0 : 1.0 - exp(-TIMEDELTA / smooth * (1.0 + 6.0 * far / (TIMEDELTA * 30.0)));
        gl_FragColor = last + follow * step_;
        return;
    }
    if (PASSINDEX == 1) {                     // from the picture shown to the picture taken: a turn and a move, of 1
        vec4 head = texelFetch(lock, ivec2(0), 0);
        float by = head.z > 0.0 ? texelFetch(lock, ivec2(1, 0), 0).x * grip() : 0.0;
        vec2 shown = mix(head.xy, place * size_px, position * by);
        float zoom = clamp(exp2((log2(size * size_px.y) - head.z) * scale * by), 0.2, 8.0), angle = head.w * rotation * by;
        vec2 cs = vec2(cos(angle), sin(angle)) / zoom;
        if (by <= 0.001) { cs = vec2(1.0, 0.0); shown = head.xy; }
        vec2 move = head.xy - vec2(cs.x * shown.x - cs.y * shown.y, cs.y * shown.x + cs.x * shown.y);
        gl_FragColor = gl_FragCoord.x < 1.0 ? vec4(cs, move) : vec4(by, 0.0, 0.0, 1.0);
        return;
    }
    vec4 go = texelFetch(way, ivec2(0), 0);
    vec2 p = gl_FragCoord.xy;
    vec2 q = (vec2(go.x * p.x - go.y * p.y, go.y * p.x + go.x * p.y) + go.zw) / size_px;
    vec2 out_ = max(abs(q - 0.5) - 0.5, 0.0) * vec2(size_px.x / size_px.y, 1.0);
    vec4 c = IMG_NORM_PIXEL(inputImage, 1.0 - abs(mod(q, 2.0) - 1.0));          // mirrored at its edges
    float far = out_.x + out_.y;
    c.rgb *= 1.0 - dusk * far / (far + 0.15);
    gl_FragColor = c;
}
