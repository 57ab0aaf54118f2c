/*{
  "ISFVSN": "2",
  "DESCRIPTION": "Time stops for a part of the picture: the world freezes round the performer, or all but a mouth; what they uncover freezes as it appears (E05)",
  "CREDIT": "kfx",
  "CATEGORIES": ["Time", "Body"],
  "INPUTS": [
    {"NAME": "inputImage", "TYPE": "image"},
    {"NAME": "personMatte", "TYPE": "image"},
    {"NAME": "faceParts", "TYPE": "image"},
    {"NAME": "faceData", "TYPE": "image"},
    {"NAME": "beat", "TYPE": "float"},
    {"NAME": "kfx_quality", "TYPE": "float"},
    {"NAME": "iod", "TYPE": "float"},
    {"NAME": "frozen", "TYPE": "long", "VALUES": [0, 1, 2, 3, 8, 4, 5, 6, 7, 9], "LABELS": ["background", "all but face", "all but mouth", "all but eyes", "all but hair", "person", "face", "mouth", "eyes", "hair"], "DEFAULT": 0, "DOC": "what stands still; the last five stay where they were, so the performer should too"},
    {"NAME": "start", "TYPE": "float", "DEFAULT": 0.0, "MIN": 0.0, "MAX": 4096.0, "UNIT": "beats", "DOC": "beat on which time stops first"},
    {"NAME": "every", "TYPE": "float", "DEFAULT": 8.0, "MIN": 0.0, "MAX": 256.0, "UNIT": "beats", "DOC": "it stops again that often; 0 = once"},
    {"NAME": "hold", "TYPE": "float", "DEFAULT": 4.0, "MIN": 0.0, "MAX": 256.0, "UNIT": "beats", "DOC": "how long it stands, then it lets go within four frames; 0 = until it stops again"},
    {"NAME": "feather", "TYPE": "float", "DEFAULT": 0.08, "MIN": 0.0, "MAX": 0.3, "UNIT": "iod", "DOC": "how softly the still meets the live part"},
    {"NAME": "stabilise", "TYPE": "bool", "DEFAULT": false, "DOC": "the camera moves: the still is laid on the live picture, moved, turned and scaled with it"},
    {"NAME": "drain", "TYPE": "float", "DEFAULT": 0.3, "MIN": 0.0, "MAX": 1.0, "DOC": "how much colour what stands still loses"},
    {"NAME": "flash", "TYPE": "float", "DEFAULT": 0.0, "MIN": 0.0, "MAX": 1.0, "DOC": "how bright the frame is on which time goes on, at most three in a second"}
  ],
  "PASSES": [
    {"TARGET": "clock", "WIDTH": "2", "HEIGHT": "1", "PERSISTENT": true, "FLOAT": true},
    {"TARGET": "part", "WIDTH": "floor($WIDTH/4.0*$kfx_quality)", "HEIGHT": "floor($HEIGHT/4.0*$kfx_quality)"},
    {"TARGET": "seen", "WIDTH": "1+127*$stabilise", "HEIGHT": "1+71*$stabilise", "FLOAT": true},
    {"TARGET": "anchor", "WIDTH": "1+127*$stabilise", "HEIGHT": "1+71*$stabilise", "FLOAT": true, "PERSISTENT": true},
    {"TARGET": "slope", "WIDTH": "1+127*$stabilise", "HEIGHT": "1+71*$stabilise", "FLOAT": true},
    {"TARGET": "sums", "WIDTH": "1+31*$stabilise", "HEIGHT": "1+8*$stabilise", "FLOAT": true},
    {"TARGET": "first", "WIDTH": "1", "HEIGHT": "1", "FLOAT": true},
    {"TARGET": "slope2", "WIDTH": "1+127*$stabilise", "HEIGHT": "1+71*$stabilise", "FLOAT": true},
    {"TARGET": "sums2", "WIDTH": "1+31*$stabilise", "HEIGHT": "1+8*$stabilise", "FLOAT": true},
    {"TARGET": "laid", "WIDTH": "1", "HEIGHT": "1", "FLOAT": true, "PERSISTENT": true},
    {"TARGET": "still", "PERSISTENT": true},
    {}
  ],
  "KFX": {"region": "frame"}
}*/

const float LET_GO = 0.2;  // of the still's strength a frame
const ivec2 SMALL = ivec2(128, 72), CELL = ivec2(16, 8);  // the picture that is laid on, and its cells

bool all_but() { return frozen < 4 || frozen == 8; }
int region() { return frozen > 7 ? 4 : frozen % 4; }

// The cue shown last (from 1), how strong the still is, whether it is taken now; then the flash.
vec4 cue(int texel) {
    vec4 last = FRAMEINDEX == 0 ? vec4(0.0) : texelFetch(clock, ivec2(0), 0);
    vec4 lamp = FRAMEINDEX == 0 ? vec4(0.0, 1e3, 0.0, 1.0) : texelFetch(clock, ivec2(1, 0), 0);
    float since = beat - start + 1e-4;
    float number = every > 0.0 ? floor(since / every) : 0.0;
    bool stands = since >= 0.0 && (hold <= 0.0 || since - number * every < hold);
    if (texel == 1) {                      // how bright, and seconds since it was lit
        bool goes_on = !stands && last.y >= 1.0;
        float dark = lamp.y + TIMEDELTA;
        return goes_on && dark > 0.34 ? vec4(1.0, 0.0, 0.0, 1.0) : vec4(lamp.x * exp(-TIMEDELTA / 0.05), dark, 0.0, 1.0);
    }
    if (!stands) return vec4(last.x, max(0.0, last.y - LET_GO), 0.0, 1.0);
    return vec4(number + 1.0, 1.0, number + 1.0 != last.x ? 1.0 : 0.0, 1.0);
}

// How near a head `p` is, 0..1: its loose hair is part of it, though no matte knows that.
float near_head(vec2 p, float reach) {
    float most = 0.0;
    for (int slot = 0; slot < 8; slot++) {
        vec4 brow = texelFetch(faceData, ivec2(168, slot), 0), chin = texelFetch(faceData, ivec2(152, slot), 0);
        if (brow.w <= 0.0) continue;
        vec2 down = chin.xy - brow.xy;
        float tall = max(length(texelFetch(faceData, ivec2(10, slot), 0).xyz - chin.xyz), 1.0);
        vec2 d = p * IMG_SIZE(inputImage) - brow.xy + 0.15 * down;
        most = max(most, (1.0 - smoothstep(0.6 * reach, reach, length(d) / tall)) * min(brow.w * 4.0, 1.0));
    }
    return most;
}

// The live part of the picture, or the frozen one if the last five are asked for.
float member(vec2 p) {
    int which = region();
    if (which == 0) return IMG_NORM_PIXEL(personMatte, p).r;
    vec4 parts = IMG_NORM_PIXEL(faceParts, p);
    float face = min(dot(parts, vec4(1.0)), 1.0);
    if (which == 1) return face;
    if (which == 4) return IMG_NORM_PIXEL(personMatte, p).r * near_head(p, 1.1) * (1.0 - face);
    return which == 2 ? min(parts.g + parts.a, 1.0) : parts.b;
}

float soft(vec2 p) {
    // The person matte knows no more than 1/128 of the frame's width.
    float least = region() == 0 ? IMG_SIZE(inputImage).x / 128.0 : 2.0;
    vec2 r = vec2(max(least, feather * iod)) / IMG_SIZE(inputImage);
    float sum = member(p), most = sum;
    for (int i = 0; i < 12; i++) {     // a spiral of equal areas
        float a = 2.39996 * float(i);
        float one = member(p + r * sqrt((float(i) + 0.5) / 12.0) * vec2(cos(a), sin(a)));
        sum += one;
        most = max(most, one);
    }
    // The edge lies outside the part, so that nothing of it is left in the still.
    return region() == 0 ? smoothstep(0.0, 0.45, sum / 13.0) : mix(sum / 13.0, most, 0.6);
}

// Lucas and Kanade 1981: the still is moved (a turn and scale of 1 + a + ib about the
// middle, then a way, heights of the frame) until it lies on the live picture outside of people.
vec2 wide() { return vec2(IMG_SIZE(inputImage).x / IMG_SIZE(inputImage).y, 1.0); }
vec2 moved(vec2 p, vec4 by) {            // where a point of the picture lies in the still
    vec2 d = (p - 0.5) * wide();
    return (d + vec2(by.x * d.x - by.y * d.y, by.y * d.x + by.x * d.y) + by.zw) / wide() + 0.5;
}
vec2 unmoved(vec2 q, vec4 by) {
    vec2 d = (q - 0.5) * wide() - by.zw, c = vec2(1.0 + by.x, by.y);
    return vec2(c.x * d.x + c.y * d.y, c.x * d.y - c.y * d.x) / dot(c, c) / wide() + 0.5;
}
vec4 small_picture(vec2 p) {             // luma of a cell, and how surely nobody is in it
    vec2 cell = 1.0 / vec2(SMALL);
    float sum = 0.0, busy = 0.0;
    for (int i = 0; i < 16; i++) {
        vec2 q = p + (vec2(float(i % 4), float(i / 4)) - 1.5) * 0.33 * cell;
        sum += dot(IMG_NORM_PIXEL(inputImage, q).rgb, vec3(0.2126, 0.7152, 0.0722));
    }
    for (int i = 0; i < 5; i++) {
        vec2 q = p + vec2(float(i == 1) - float(i == 2), float(i == 3) - float(i == 4)) * 2.5 * cell;
        busy = max(busy, IMG_NORM_PIXEL(personMatte, q).r);
    }
    return vec4(sum / 16.0, 1.0 - smoothstep(0.05, 0.3, busy), 0.0, 1.0);
}
vec4 slope_at(vec2 p, vec4 by) {         // the still's slope along x and y, what differs, its weight
    vec2 q = moved(p, by), cell = 1.0 / vec2(SMALL);
    vec4 here = IMG_NORM_PIXEL(anchor, q), live = IMG_NORM_PIXEL(seen, p);
    vec2 rise = vec2(
        IMG_NORM_PIXEL(anchor, q + vec2(cell.x, 0.0)).r - IMG_NORM_PIXEL(anchor, q - vec2(cell.x, 0.0)).r,
        IMG_NORM_PIXEL(anchor, q + vec2(0.0, cell.y)).r - IMG_NORM_PIXEL(anchor, q - vec2(0.0, cell.y)).r) * 0.5 / cell / wide();
    float off = here.r - live.r, border = 2.0 * max(abs(q.x - 0.5), abs(q.y - 0.5));
    float weight = here.g * live.g * (1.0 - smoothstep(0.94, 0.98, border)) / (1.0 + off * off / 0.004);
    return vec4(rise, off, weight);
}
// Cell by cell the fourteen sums of the normal equations, four texels wide.
vec4 summed(sampler2D slopes) {
    ivec2 at = ivec2(gl_FragCoord.xy), first_ = ivec2(at.x / 4, at.y) * CELL;
    int row = at.x % 4;
    vec4 sum = vec4(0.0);
    for (int i = 0; i < CELL.x * CELL.y; i++) {
        ivec2 k = first_ + ivec2(i % CELL.x, i / CELL.x);
        vec4 s = texelFetch(slopes, k, 0);
        vec2 d = ((vec2(k) + 0.5) / vec2(SMALL) - 0.5) * wide();
        vec4 j = vec4(s.x * d.x + s.y * d.y, s.y * d.x - s.x * d.y, s.x, s.y);
        sum += s.w * (row == 0 ? vec4(j.x * j.x, j.x * j.y, j.x * j.z, j.x * j.w)
            : row == 1 ? vec4(j.y * j.y, j.y * j.z, j.y * j.w, j.z * j.z)
            : row == 2 ? vec4(j.z * j.w, j.w * j.w, j.x * s.z, j.y * s.z) : vec4(j.z * s.z, j.w * s.z, 1.0, 0.0));
    }
    return sum;
}
vec4 step_of(sampler2D all) {
    vec4 a = vec4(0.0), b = a, c = a, d = a;
    for (int y = 0; y < SMALL.y / CELL.y; y++) for (int x = 0; x < SMALL.x / CELL.x; x++) {
        a += texelFetch(all, ivec2(4 * x, y), 0);
        b += texelFetch(all, ivec2(4 * x + 1, y), 0);
        c += texelFetch(all, ivec2(4 * x + 2, y), 0);
        d += texelFetch(all, ivec2(4 * x + 3, y), 0);
    }
    if (d.z < 400.0) return vec4(0.0);    // people all over: nothing to hold on to
    float firm = 0.02 * d.z, loose = 0.002 * d.z;  // a bare wall tells no turn and no way
    mat4 normal = mat4(a.x + firm, a.y, a.z, a.w, a.y, b.x + firm, b.y, b.z, a.z, b.y, b.w + loose, c.x, a.w, b.z, c.x, c.y + loose);
    vec4 by = -(inverse(normal) * vec4(c.z, c.w, d.x, d.y));
    return clamp(by, vec4(-0.03, -0.03, -0.06, -0.06), vec4(0.03, 0.03, 0.06, 0.06));
}

void main() {
    vec2 p = isf_FragNormCoord;
    vec4 now = PASSINDEX == 0 ? vec4(0.0) : texelFetch(clock, ivec2(0), 0);
    vec4 by = PASSINDEX > 9 && stabilise ? texelFetch(laid, ivec2(0), 0) : vec4(0.0);
    if (PASSINDEX == 0) gl_FragColor = cue(int(gl_FragCoord.x));
    else if (PASSINDEX == 1) gl_FragColor = vec4(soft(p), all_but() && region() == 0 ? near_head(p, 1.4) : 0.0, 0.0, 1.0);
    else if (PASSINDEX < 10 && !stabilise) gl_FragColor = vec4(0.0);
    else if (PASSINDEX == 2) gl_FragColor = small_picture(p);
    else if (PASSINDEX == 3) gl_FragColor = now.z > 0.5 || FRAMEINDEX == 0 ? IMG_THIS_PIXEL(seen) : IMG_THIS_PIXEL(anchor);
    else if (PASSINDEX == 4) gl_FragColor = slope_at(p, now.z > 0.5 || FRAMEINDEX == 0 ? vec4(0.0) : texelFetch(laid, ivec2(0), 0));
    else if (PASSINDEX == 5) gl_FragColor = summed(slope);
    else if (PASSINDEX == 6) gl_FragColor = now.z > 0.5 || FRAMEINDEX == 0 ? vec4(0.0) : texelFetch(laid, ivec2(0), 0) + step_of(sums);
    else if (PASSINDEX == 7) gl_FragColor = slope_at(p, texelFetch(first, ivec2(0), 0));
    else if (PASSINDEX == 8) gl_FragColor = summed(slope2);
    else if (PASSINDEX == 9) {
        vec4 new = texelFetch(first, ivec2(0), 0) + step_of(sums2), old = texelFetch(laid, ivec2(0), 0);
        // What is less than a pixel is half noise; a camera that moves is followed at once.
        float far = (length(new.zw - old.zw) + 0.5 * length(new.xy - old.xy)) * IMG_SIZE(inputImage).y;
        bool anew = now.z > 0.5 || FRAMEINDEX == 0;
        gl_FragColor = anew || now.y <= 0.0 ? vec4(0.0) : mix(old, new, mix(0.5, 1.0, smoothstep(0.3, 1.5, far)));
    } else if (PASSINDEX == 10) {
        vec2 q = stabilise ? unmoved(p, by) : p;
        bool outside = stabilise && max(abs(q.x - 0.5), abs(q.y - 0.5)) > 0.499;
        vec3 live = stabilise ? IMG_NORM_PIXEL(inputImage, q).rgb : IMG_THIS_PIXEL(inputImage).rgb;
        vec2 inside = IMG_NORM_PIXEL(part, q).rg;
        // Alpha: how surely this is the still's. Near the live part it isn't yet, and goes on living.
        float sure = all_but() ? smoothstep(0.7, 1.0, 1.0 - inside.r) * (1.0 - inside.g) : inside.r;
        vec4 old = IMG_THIS_PIXEL(still);
        if (now.z > 0.5 || FRAMEINDEX == 0) gl_FragColor = vec4(live, sure);
        else if (all_but() && !outside && old.a < 1.0 && sure >= old.a)   // uncovered: it freezes as it appears
            gl_FragColor = vec4(mix(live, old.rgb, old.a), sure);
        else gl_FragColor = old;
    } else {
        vec2 q = stabilise ? moved(p, by) : p;
        vec4 plate = IMG_THIS_PIXEL(inputImage), held = stabilise ? IMG_NORM_PIXEL(still, q) : IMG_THIS_PIXEL(still);
        float share = all_but() ? 1.0 - IMG_NORM_PIXEL(part, p).r : held.a;
        // What came into the frame since wasn't there to be kept: it lives on, in the still's colours.
        if (stabilise) held.rgb = mix(held.rgb, plate.rgb, smoothstep(0.49, 0.5, max(abs(q.x - 0.5), abs(q.y - 0.5))));
        share *= now.y;
        float y = dot(held.rgb, vec3(0.2126, 0.7152, 0.0722));
        vec3 stopped = mix(held.rgb, vec3(y) * vec3(0.965, 0.985, 1.04), 0.8 * drain);
        vec3 shown = mix(plate.rgb, stopped, share);
        float lamp = flash * texelFetch(clock, ivec2(1, 0), 0).x;
        gl_FragColor = vec4(1.0 - (1.0 - shown) * (1.0 - 0.8 * lamp), plate.a);
    }
}
