/*{
  "ISFVSN": "2",
  "DESCRIPTION": "A camera operator on the beat: a snap zoom into eye, mouth or face that overshoots, handheld, with the blur of its own shutter (E44)",
  "CREDIT": "kfx",
  "CATEGORIES": ["Camera"],
  "INPUTS": [
    {"NAME": "inputImage", "TYPE": "image"},
    {"NAME": "faceData", "TYPE": "image"},
    {"NAME": "beat", "TYPE": "float"},
    {"NAME": "target", "TYPE": "long", "VALUES": [0, 1, 2, 3, 4], "LABELS": ["eyes", "right eye", "left eye", "mouth", "frame"], "DEFAULT": 0, "DOC": "what the lens goes for on the largest face; without a face the camera rests, except for the middle of the frame"},
    {"NAME": "every", "TYPE": "float", "DEFAULT": 2.0, "MIN": 0.5, "MAX": 32.0, "UNIT": "beats", "DOC": "beats between two zooms"},
    {"NAME": "zoom", "TYPE": "float", "DEFAULT": 1.8, "MIN": 1.0, "MAX": 4.0, "DOC": "how close it goes"},
    {"NAME": "hold", "TYPE": "float", "DEFAULT": 1.0, "MIN": 0.1, "MAX": 32.0, "UNIT": "beats", "DOC": "how long it stays before it returns"},
    {"NAME": "snap", "TYPE": "float", "DEFAULT": 0.35, "MIN": 0.1, "MAX": 2.0, "UNIT": "beats", "DOC": "time of the move"},
    {"NAME": "overshoot", "TYPE": "float", "DEFAULT": 0.06, "MIN": 0.0, "MAX": 0.25, "DOC": "how far it shoots past, of the move"},
    {"NAME": "shake", "TYPE": "float", "DEFAULT": 0.5, "MIN": 0.0, "MAX": 2.0, "UNIT": "%", "DOC": "handheld sway, of the frame"},
    {"NAME": "roll", "TYPE": "float", "DEFAULT": 1.2, "MIN": -6.0, "MAX": 6.0, "UNIT": "deg", "DOC": "how far the camera leans into the zoom"},
    {"NAME": "shutter", "TYPE": "float", "DEFAULT": 0.55, "MIN": 0.0, "MAX": 1.0, "DOC": "blur of the camera's own motion, in frames"}
  ],
  "PASSES": [
    {"TARGET": "aim", "WIDTH": "3", "HEIGHT": "1", "FLOAT": true, "PERSISTENT": true},
    {}
  ],
  "KFX": {"region": "frame"}
}*/

vec4 landmark(int slot, int i) { return texelFetch(faceData, ivec2(i, slot), 0); }

// Where the lens should point (of 1), and how sure that is, on the largest face.
vec3 wanted() {
    if (target == 4) return vec3(0.5, 0.5, 1.0);
    vec2 size = IMG_SIZE(inputImage);
    vec3 best = vec3(0.5, 0.5, 0.0);
    float widest = 0.0;
    for (int slot = 0; slot < 8; slot++) {
        vec4 right = landmark(slot, 468), left = landmark(slot, 473);
        float tall = distance(landmark(slot, 10).xy, landmark(slot, 152).xy);
        if (left.w <= 0.0 || tall <= widest) continue;
        widest = tall;
        vec2 c = target == 1 ? right.xy : (target == 2 ? left.xy : (target == 3 ? landmark(slot, 13).xy : mix(mix(left.xy, right.xy, 0.5), landmark(slot, 4).xy, 0.25)));
        best = vec3(c / size, left.w);
    }
    return best;
}

// 0 → 1 in about `snap` beats: an exponential that swings past by `overshoot` and comes back.
float ease(float t) {
    float x = max(t, 0.0) / snap;
    return 1.0 - exp2(-10.0 * x) * cos(3.14159 * x * min(10.0 / -log2(max(overshoot, 1e-3)), 8.0));
}

// An operator's arms: a slow sway, and a finer tremor on top of it.
float sway(float t, float k) {
    float slow = sin(t * 9.42 + k * 7.1) * 0.5 + sin(t * 5.63 + k * 3.7) * 0.5;
    return 0.75 * slow + 0.25 * (sin(t * 37.7 + k * 1.9) * 0.5 + sin(t * 29.3 + k * 5.3) * 0.5);
}

// The pose of the camera: centre (of 1), cosine and sine of its roll over its zoom. Its frame
// always lies inside the picture.
vec4 camera(vec3 at) {
    float a = IMG_SIZE(inputImage).x / IMG_SIZE(inputImage).y;
    float hit = every * floor(beat / every), t = beat - hit, k = kfx_seed + mod(hit / every, 64.0);
    float in_ = t < hold ? ease(t) : 1.0 - ease(t - hold);
    // A move that the next one cuts short goes on from where it was, not from rest.
    float rest = 1.0 - ease(every - hold);
    if (hold < every && every - hold < snap) in_ = t < hold ? mix(rest, 1.0, ease(t)) : in_;
    if (hold >= every) in_ = hit > 0.0 ? 1.0 : ease(t);
    in_ *= at.z;
    float hands = at.z * shake * 0.01 * (1.0 + 1.2 * exp(-t * 2.5));
    float angle = radians(roll) * in_ * (mod(hit / every, 2.0) < 1.0 ? 1.0 : -1.0) + hands * 0.7 * sway(TIME, 31.0 + kfx_seed);
    vec2 turned = abs(vec2(cos(angle), sin(angle)));
    float least = max(turned.x + turned.y / a, turned.x + turned.y * a);  // zoom that hides the corners
    float z = max(max(exp2(log2(max(zoom, 1.0)) * in_) * (1.0 + 3.0 * hands), least), 1.0);
    vec2 half_ = 0.5 / z * vec2(turned.x + turned.y / a, turned.x + turned.y * a);
    vec2 c = mix(vec2(0.5), at.xy, clamp(1.15 * in_, 0.0, 1.0)) + hands * vec2(sway(TIME, kfx_seed), sway(TIME, 13.0 + kfx_seed)) * vec2(1.0 / a, 1.0) / z * 2.0;
    return vec4(clamp(c, min(half_, 0.5), max(1.0 - half_, 0.5)), vec2(cos(angle), sin(angle)) / z);
}

vec2 through(vec4 pose, vec2 p, float a) {
    vec2 d = (p - 0.5) * vec2(a, 1.0);
    return pose.xy + vec2(pose.z * d.x - pose.w * d.y, pose.w * d.x + pose.z * d.y) / vec2(a, 1.0);
}

void main() {
    if (PASSINDEX == 0) {                     // what is aimed at; the camera now; the camera a frame ago
        vec4 last = texelFetch(aim, ivec2(0), 0), before = texelFetch(aim, ivec2(1, 0), 0);
        vec3 goal = wanted();
        bool first = FRAMEINDEX == 0 || last.w == 0.0;
        // The operator follows a little late, and lets go of a lost face slowly; on a new hit the
        // aim is new.
        float follow = first || before.z > 0.97 ? 1.0 : 1.0 - exp(-TIMEDELTA / 0.12);
        vec3 at = vec3(goal.z > 0.0 ? mix(last.xy, goal.xy, follow) : last.xy, first ? goal.z : mix(last.z, goal.z, follow));
        if (first && goal.z <= 0.0) at.xy = vec2(0.5);
        vec4 pose = camera(at);
        gl_FragColor = gl_FragCoord.x < 1.0 ? vec4(at, 1.0) : (gl_FragCoord.x < 2.0 ? pose : (first ? pose : before));
        return;
    }
    vec2 p = isf_FragNormCoord;
    vec2 size = IMG_SIZE(inputImage);
    float a = size.x / size.y;
    vec4 now = texelFetch(aim, ivec2(1, 0), 0), before = texelFetch(aim, ivec2(2, 0), 0);
    vec2 here = through(now, p, a), moved = through(before, p, a) - here;
    // How far the corners travel in this frame says how many samples the blur needs: one at rest.
    vec2 corner = abs(now.xy - before.xy) + abs(now.z - before.z) * 0.5 + abs(now.w - before.w) * 0.5;
    int count = int(clamp(dot(corner, size) * shutter * 0.18, 0.0, 6.0)) + 1;
    float dither = count > 1 ? fract(dot(gl_FragCoord.xy, vec2(0.7548777, 0.5698403))) - 0.5 : 0.0;
    moved *= count > 1 ? shutter : 0.0;
    vec4 sum = vec4(0.0);
    // Between two poses that lie inside the picture every sample does, too. Asked at its end, for
    // software renderers go through a loop's body once more than its condition says.
    int i = 0;
    do sum += IMG_NORM_PIXEL(inputImage, here + moved * (float(i) + 0.5 + dither) / float(count)); while (++i < count);
    gl_FragColor = sum / float(count);
}
