/*{
  "ISFVSN": "2",
  "DESCRIPTION": "The room fills with the same person: matte-cut doubles in a line, a ring, a wall or a kaleidoscope, each some beats late and, by buses a to d, with effects of its own (E31)",
  "CREDIT": "kfx",
  "CATEGORIES": ["Time", "Body"],
  "INPUTS": [
    {"NAME": "inputImage", "TYPE": "image"},
    {"NAME": "history", "TYPE": "image"},
    {"NAME": "personMatte", "TYPE": "image"},
    {"NAME": "faceData", "TYPE": "image"},
    {"NAME": "buses", "TYPE": "image"},
    {"NAME": "beat", "TYPE": "float"},
    {"NAME": "kfx_quality", "TYPE": "float"},
    {"NAME": "iod", "TYPE": "float"},
    {"NAME": "mode", "TYPE": "long", "VALUES": [0, 1, 2, 3], "LABELS": ["line", "ring", "wall", "kaleido"], "DEFAULT": 0, "DOC": "how the doubles stand"},
    {"NAME": "copies", "TYPE": "long", "MIN": 2, "MAX": 12, "DEFAULT": 4, "DOC": "how many (wall: in a row; ring: twice as many; kaleido: two more)"},
    {"NAME": "delay", "TYPE": "float", "DEFAULT": 0.5, "MIN": 0.0, "MAX": 2.0, "UNIT": "beats", "DOC": "each one is so much later than the one before"},
    {"NAME": "radius", "TYPE": "float", "DEFAULT": 2.6, "MIN": 0.5, "MAX": 8.0, "UNIT": "iod", "DOC": "from one to the next, or from the middle"},
    {"NAME": "size", "TYPE": "float", "DEFAULT": 0.9, "MIN": 0.3, "MAX": 1.3, "DOC": "size of a double"},
    {"NAME": "spin", "TYPE": "float", "DEFAULT": 0.02, "MIN": -0.5, "MAX": 0.5, "UNIT": "rev/beat", "DOC": "how fast a ring or kaleidoscope turns"},
    {"NAME": "enter", "TYPE": "float", "DEFAULT": 0.5, "MIN": 0.0, "MAX": 4.0, "UNIT": "beats", "DOC": "they step out one by one, again each 16 beats; 0 = all are there"},
    {"NAME": "doubles", "TYPE": "image", "TEXT": "list", "WORDS": ["plain", "a", "b", "c", "d"], "ITEMS": 12, "DOC": "what each double of a line or ring shows, over and over: what stands before this in the chain, or the effects whose bus that is"},
    {"NAME": "dusk", "TYPE": "float", "DEFAULT": 0.35, "MIN": 0.0, "MAX": 1.0, "DOC": "how much darker and cooler the later ones are"}
  ],
  "PASSES": [
    {"TARGET": "past", "WIDTH": "49", "HEIGHT": "1", "PERSISTENT": true, "FLOAT": true},
    {"TARGET": "mattes", "WIDTH": "768", "HEIGHT": "324", "PERSISTENT": true},
    {"TARGET": "cast", "WIDTH": "13", "HEIGHT": "3", "FLOAT": true},
    {"TARGET": "near", "WIDTH": "80", "HEIGHT": "45"},
    {"TARGET": "crowd", "WIDTH": "max(floor($WIDTH/2.0*$kfx_quality)*min(max(2-$mode,0),1), 1)", "HEIGHT": "max(floor($HEIGHT/2.0*$kfx_quality)*min(max(2-$mode,0),1), 1)", "WHERE": "near.r"},
    {"TARGET": "folded", "WIDTH": "max(floor($WIDTH/2.0*$kfx_quality)*min(max($mode-1,0),1), 1)", "HEIGHT": "max(floor($HEIGHT/2.0*$kfx_quality)*min(max($mode-1,0),1), 1)"},
    {"TARGET": "crowded", "WIDTH": "floor(($WIDTH+31.0)/32.0)", "HEIGHT": "floor(($HEIGHT+31.0)/32.0)"},
    {"WHERE": "crowded.r"}
  ],
  "KFX": {"region": "frame", "history": {"frames": 48, "height": 480}, "buses": {"crop": "frame", "height": 0.5}}
}*/

const float TAU = 6.2831853;

float luma(vec3 c) { return dot(c, vec3(0.2126, 0.7152, 0.0722)); }

// Texels 0..47: head between the eyes (0..1), its iod in picture heights, the beat; one a frame,
// round and round. Texel 48: frames since the last cut, place of the newest one.
vec4 remembered() {
    ivec2 at = ivec2(gl_FragCoord.xy);
    vec4 state = texelFetch(past, ivec2(48, 0), 0);
    bool first = state.w < 0.5 || TIMEDELTA <= 0.0;
    float count = first ? 0.0 : min(state.x + 1.0, 47.0), newest = first ? 0.0 : mod(state.y + 1.0, 48.0);
    if (at.x == 48) return vec4(count, newest, 0.0, 1.0);
    vec4 old = texelFetch(past, at, 0);
    if (!first && float(at.x) != newest) return old;
    vec2 size = IMG_SIZE(inputImage);
    vec4 best = first ? vec4(0.5, 0.55, 0.14, 0.0) : texelFetch(past, ivec2(int(state.y), 0), 0);
    float widest = 0.0;
    for (int slot = 0; slot < 8 && iod > 0.0; slot++) {
        vec4 a = IMG_PIXEL(faceData, vec2(168.5, float(slot) + 0.5)), b = IMG_PIXEL(faceData, vec2(152.5, float(slot) + 0.5));
        float wide = distance(a.xy, b.xy) * step(0.01, a.w);
        if (wide > widest) { widest = wide; best.xyz = vec3(a.xy / size, iod / size.y); }
    }
    return vec4(best.xyz, beat);
}

// Forty-eight small mattes: four to a texel, twelve tiles.
vec4 kept_mattes() {
    vec2 tile = floor(isf_FragNormCoord * vec2(4.0, 3.0));
    vec4 state = texelFetch(past, ivec2(48, 0), 0), old = texelFetch(mattes, ivec2(gl_FragCoord.xy), 0);
    float newest = state.y;
    if (tile.x + 4.0 * tile.y != floor(newest / 4.0)) return old;
    float m = IMG_NORM_PIXEL(personMatte, fract(isf_FragNormCoord * vec2(4.0, 3.0))).r;
    vec4 which = 1.0 - step(0.5, abs(vec4(0.0, 1.0, 2.0, 3.0) - mod(newest, 4.0)));
    return mix(old, vec4(m), which);
}
float matte_then(float age, vec2 p) {
    float slot = mod(texelFetch(past, ivec2(48, 0), 0).y - age + 48.0, 48.0);
    float tile = floor(slot / 4.0);
    vec2 at = (vec2(mod(tile, 4.0), floor(tile / 4.0)) + clamp(p, vec2(0.004, 0.006), vec2(0.996, 0.994))) / vec2(4.0, 3.0);
    vec4 four = IMG_NORM_PIXEL(mattes, at);
    int channel = int(slot - tile * 4.0);
    return channel == 0 ? four.r : channel == 1 ? four.g : channel == 2 ? four.b : four.a;
}
vec4 head_then(float age) {
    return texelFetch(past, ivec2(int(mod(texelFetch(past, ivec2(48, 0), 0).y - age + 48.0, 48.0)), 0), 0);
}

vec3 dimmed(vec3 c, float far) {
    return mix(c, mix(c, luma(c) * vec3(0.72, 0.82, 1.06), 0.55) * 0.62, dusk * clamp(far, 0.0, 1.6));
}
// How much of a double is at `p` of its own picture.
float cut(vec2 p, float late, vec3 head, bool head_only) {
    float a = smoothstep(0.35, 0.80, matte_then(late, vec2(p.x, abs(p.y))));   // below the picture the clothes go on, mirrored
    vec2 d = (p - head.xy) * vec2(IMG_SIZE(inputImage).x / IMG_SIZE(inputImage).y, 1.0) / max(head.z, 0.01);
    if (head_only) a *= smoothstep(-2.35, -1.7, d.y) * (1.0 - smoothstep(1.5, 2.2, length(d * vec2(1.0, 0.8))));
    // Who is cut off by the picture's edge ends in the dark, not on a line.
    return a * (1.0 - smoothstep(0.45, 0.5, abs(p.x - 0.5))) * (1.0 - smoothstep(0.9, 1.0, abs(p.y)));
}

// Frames a beat, from the whole of what is remembered.
float frames_late(float copy) {
    vec4 state = texelFetch(past, ivec2(48, 0), 0);
    float rate = (head_then(0.0).w - head_then(state.x).w) / max(state.x, 1.0);
    return min(floor(copy * delay / max(rate, 0.005)), state.x);
}
float since_entrance() { return mod(max(beat, 0.0), 16.0); }

// The bus that double k shows, -1 for none.
float bus_of(int k) {
    vec4 item = texelFetch(doubles, ivec2((k + int(IMG_SIZE(doubles).x) - 1) % int(IMG_SIZE(doubles).x), 0), 0);
    int bits = item.a > 0.0 ? int(dot(item.rgb, vec3(255.0, 65280.0, 16711680.0)) / 1024.0 + 0.5) : 1;
    float bus = -1.0;
    for (int i = 0; i < 4; i++) if ((bits & (2 << i)) != 0 && kfx_bus_there[i] > 0.5) bus = float(i);
    return bus;
}

// Row 0 of double k: where it stands from the performer, its size (0: not there), its delay.
// Row 1: the point it shrinks to, how far in the dusk, the height of that point. Row 2: its head, its bus.
vec4 cast_of(int k, int row) {
    int count = mode == 1 ? min(2 * copies, 12) : copies;
    float late = frames_late(float(k)), aspect = IMG_SIZE(inputImage).x / IMG_SIZE(inputImage).y;
    vec4 now = head_then(0.0), then = head_then(late);
    float rank = float((k + 1) / 2), side = (k & 1) == 1 ? 1.0 : -1.0;
    if (row == 2) return vec4(then.xyz, bus_of(k));
    // In a line they shrink towards the chest: heads sink a little, hems stay under the picture's edge.
    if (row == 1) return mode == 1 ? vec4(then.xy, 0.35 + 0.06 * float(k), now.y) : vec4(now.x, 0.3 * now.y, 0.6 * rank, 0.3 * now.y);
    float out_by = enter > 0.0 ? clamp((since_entrance() - float(k - 1) * enter + 0.12) / 0.6, 0.0, 1.0) : 1.0;
    float scale = out_by <= 0.0 || k > count || k < 1 ? 0.0 : mode == 1 ? size * 0.6 : pow(size, rank);
    float angle = TAU * (float(k) / float(count) + spin * beat);
    vec2 to = mode == 1 ? 1.3 * vec2(sin(angle), cos(angle)) : vec2(side * rank * (0.9 + 0.1 * scale), 0.0);
    out_by = 1.0 - pow(1.0 - out_by, 3.0);
    return vec4(to * radius * now.z / vec2(aspect, 1.0) * out_by, scale, late);
}
vec2 of_double(vec2 p, vec4 stand, vec4 about) { return (p - stand.xy - vec2(head_then(0.0).x, about.w)) / max(stand.z, 0.01) + about.xy; }

// Which doubles a small piece of the picture shows, the nearest four, so that nothing else is tried.
vec4 nearest() {
    vec4 found = vec4(0.0);
    int many = 0;
    vec2 step_out = 0.62 / RENDERSIZE;
    for (int k = 1; k <= 12 && many < 4; k++) {
        vec4 stand = texelFetch(cast, ivec2(k, 0), 0), about = texelFetch(cast, ivec2(k, 1), 0);
        if (stand.z <= 0.0) continue;
        float most = 0.0;
        for (int i = 0; i < 9; i++) {
            vec2 q = of_double(isf_FragNormCoord + step_out * vec2(float(i % 3) - 1.0, float(i / 3) - 1.0), stand, about);
            most = max(most, abs(q.x - 0.5) < 0.52 && abs(q.y) < 1.0 ? matte_then(stand.w, vec2(q.x, abs(q.y))) : 0.0);
        }
        if (most < 0.3) continue;
        float name = (float(k) + 0.5) / 16.0;
        if (many == 0) found.r = name; else if (many == 1) found.g = name; else if (many == 2) found.b = name; else found.a = name;
        many++;
    }
    return found;
}

// Premultiplied.
vec4 crowd_at(vec2 p) {
    vec4 names = texelFetch(near, ivec2(p * IMG_SIZE(near)), 0), sum = vec4(0.0);
    // Asked at its end: software renderers go through a loop's body once more than its condition says.
    do {
        int k = int(names.x * 16.0);
        vec4 stand = texelFetch(cast, ivec2(k, 0), 0), about = texelFetch(cast, ivec2(k, 1), 0);
        vec2 q = of_double(p, stand, about);
        vec4 head = texelFetch(cast, ivec2(k, 2), 0);
        float a = cut(q, stand.w, head.xyz, mode == 1);
        vec3 c = head.w < 0.0 ? kfx_history(stand.w, abs(q)).rgb : kfx_bus_history(int(head.w), stand.w, abs(q)).rgb;
        c = dimmed(c, about.z);
        sum += vec4(c, 1.0) * (k > 0 ? a * (1.0 - sum.a) : 0.0);
        names = vec4(names.yzw, 0.0);
    } while (names.x > 0.03 && sum.a <= 0.99);
    return sum;
}

vec4 folded_at(vec2 p) {
    float aspect = RENDERSIZE.x / RENDERSIZE.y, since = since_entrance();
    vec4 head = head_then(0.0);
    if (mode == 2) {
        vec2 cell = vec2(1.0, aspect) / float(copies), at = (p - head.xy) / cell + 0.5, id = floor(at);
        float index = abs(id.x) + abs(id.y), late = frames_late(index);
        vec4 then = head_then(late);
        float scale = size * cell.y / max(3.3 * head.z, 0.01);
        vec2 q = then.xy - vec2(0.0, 0.25 * then.z) + (at - id - 0.5) * cell / scale;
        float there = enter > 0.0 ? step(index - 1.0, since / enter) : 1.0;
        return vec4(dimmed(kfx_history(late, abs(q)).rgb, 0.25 * index), 1.0) * (cut(q, late, then.xyz, true) * there);
    }
    // Polar fold round the face: petals stand on a circle, each one mirrored in itself.
    vec2 d = (p - head.xy) * vec2(aspect, 1.0);
    float petals = float(copies + 2), sector = TAU / petals, r = length(d), turn = (r > 0.0 ? atan(d.x, d.y) : 0.0) + spin * TAU * beat;
    float petal = floor(turn / sector + 0.5), a = abs(turn - petal * sector);
    float late = frames_late(floor(abs(mod(petal, petals) - 0.5 * petals)));
    vec2 q = (vec2(sin(a), cos(a)) * r - vec2(0.0, radius * head.z)) / vec2(aspect, 1.0) / size + head_then(late).xy;
    q = 1.0 - abs(mod(q, 2.0) - 1.0);                      // the picture is mirrored at its edges
    float open = enter > 0.0 ? smoothstep(0.0, 1.0, min(since / enter + 0.12, 1.0)) : 1.0;
    return vec4(dimmed(kfx_history(late, q).rgb, smoothstep(0.5, 3.0, r / max(radius * head.z, 0.01))), 1.0) * open;
}

// What the performer's own light leaves of those close behind, so that they stand apart.
vec4 set_back(vec4 behind, vec2 p) {
    vec2 d = vec2(0.014 * RENDERSIZE.y / RENDERSIZE.x, 0.014);
    float near = IMG_NORM_PIXEL(personMatte, p + d).r + IMG_NORM_PIXEL(personMatte, p + d * vec2(-1.0, 1.0)).r;
    behind.rgb *= 1.0 - 0.22 * near;
    return behind;
}

// Whether a tile of the picture shows a double, and not only the performer before it.
float seen(vec2 tile) {
    float most = 0.0, least = 1.0;
    for (int i = 0; i < 81; i++) {
        vec2 o = (tile - 0.5 + (vec2(float(i % 9), float(i / 9)) + 0.25 * float(i / 9 & 3) - 0.4) / 8.0) / RENDERSIZE;
        most = max(most, mode > 1 ? IMG_NORM_PIXEL(folded, o).a : IMG_NORM_PIXEL(crowd, o).a);
        least = min(least, IMG_NORM_PIXEL(personMatte, o).r);
    }
    return most > 0.002 && least < 0.8 ? 1.0 : 0.0;
}

void main() {
    if (PASSINDEX == 0) gl_FragColor = remembered();
    else if (PASSINDEX == 1) gl_FragColor = kept_mattes();
    else if (PASSINDEX == 2) gl_FragColor = cast_of(int(gl_FragCoord.x), int(gl_FragCoord.y));
    else if (PASSINDEX == 3) gl_FragColor = nearest();
    else if (PASSINDEX == 4) gl_FragColor = set_back(crowd_at(isf_FragNormCoord), isf_FragNormCoord);
    else if (PASSINDEX == 5) gl_FragColor = set_back(folded_at(isf_FragNormCoord), isf_FragNormCoord);
    else if (PASSINDEX == 6) gl_FragColor = vec4(seen(gl_FragCoord.xy));
    else {
        vec4 plate = IMG_THIS_PIXEL(inputImage);
        vec4 behind = mode > 1 ? IMG_THIS_PIXEL(folded) : IMG_THIS_PIXEL(crowd);
        float body = smoothstep(0.2, 0.8, IMG_THIS_PIXEL(personMatte).r);
        gl_FragColor = vec4(mix(plate.rgb * (1.0 - behind.a) + behind.rgb, plate.rgb, body), plate.a);
    }
}
