/*{
  "ISFVSN": "2",
  "DESCRIPTION": "Key frames are lost: the performer's motion drags old pixels about in blocks, until the downbeat brings the picture back (E35)",
  "CREDIT": "kfx",
  "CATEGORIES": ["Glitch", "Time"],
  "INPUTS": [
    {"NAME": "inputImage", "TYPE": "image"},
    {"NAME": "faceMotion", "TYPE": "image"},
    {"NAME": "beat", "TYPE": "float"},
    {"NAME": "kfx_quality", "TYPE": "float"},
    {"NAME": "gain", "TYPE": "float", "DEFAULT": 1.6, "MIN": 0.5, "MAX": 4.0, "DOC": "how much further pixels are carried than the motion goes"},
    {"NAME": "momentum", "TYPE": "float", "DEFAULT": 0.55, "MIN": 0.0, "MAX": 0.95, "DOC": "how long they go on when the motion has stopped"},
    {"NAME": "block", "TYPE": "float", "DEFAULT": 0.033, "MIN": 0.016, "MAX": 0.12, "UNIT": "H", "DOC": "size of a block, in picture heights"},
    {"NAME": "bleed", "TYPE": "float", "DEFAULT": 0.6, "MIN": 0.0, "MAX": 6.0, "UNIT": "1/s", "DOC": "how fast the live picture seeps back"},
    {"NAME": "refresh", "TYPE": "float", "DEFAULT": 0.05, "MIN": 0.0, "MAX": 1.0, "DOC": "share of the blocks that come back whole in an eighth of a beat"},
    {"NAME": "heal", "TYPE": "float", "DEFAULT": 0.0, "MIN": 0.0, "MAX": 1.0, "DOC": "how much of the live face is kept on top"},
    {"NAME": "every", "TYPE": "float", "DEFAULT": 4.0, "MIN": 1.0, "MAX": 32.0, "UNIT": "beats", "DOC": "from key frame to key frame"}
  ],
  "PASSES": [
    {"TARGET": "small", "WIDTH": "max(floor($WIDTH*90.0/$HEIGHT), 16)", "HEIGHT": "90"},
    {"TARGET": "slopes", "WIDTH": "max(floor($WIDTH*90.0/$HEIGHT), 16)", "HEIGHT": "90", "FLOAT": true},
    {"TARGET": "flow", "WIDTH": "ceil($WIDTH/$HEIGHT/$block)", "HEIGHT": "ceil(1.0/$block)", "FLOAT": true, "PERSISTENT": true},
    {"TARGET": "before", "WIDTH": "max(floor($WIDTH*90.0/$HEIGHT), 16)", "HEIGHT": "90", "PERSISTENT": true},
    {"TARGET": "mosh", "WIDTH": "floor($WIDTH/2.0*(0.5+0.5*$kfx_quality))", "HEIGHT": "floor($HEIGHT/2.0*(0.5+0.5*$kfx_quality))", "PERSISTENT": true},
    {}
  ],
  "KFX": {"region": "frame"}
}*/

float hash(uvec3 v) {
    uint x = v.x * 0x9E3779B9u ^ v.y * 0x85EBCA6Bu ^ v.z * 0xC2B2AE35u ^ uint(int(kfx_seed)) * 0x27D4EB2Fu;
    x = (x ^ (x >> 16u)) * 0x7FEB352Du;
    x = (x ^ (x >> 15u)) * 0x846CA68Bu;
    return float((x ^ (x >> 16u)) >> 8u) / 16777216.0;
}
// Blocks are square in the picture: `block` picture heights wide and high, counted from a corner.
vec2 blocks_at(vec2 p) {
    vec2 size = IMG_SIZE(inputImage);
    return p * vec2(size.x / size.y, 1.0) / block;
}

// How the picture moved under a block (Lucas, Kanade 1981: a least-squares step, three times).
vec4 motion() {
    vec2 size = IMG_SIZE(inputImage), count = IMG_SIZE(slopes);
    vec4 old = texelFetch(flow, ivec2(gl_FragCoord.xy), 0);
    float key = old.w < 0.5 || TIMEDELTA <= 0.0 || floor(beat / every) != floor(old.z / every) ? 1.0 : 0.0;
    if (key > 0.5) return vec4(0.0, 0.0, beat, 1.0);       // w: 1 = key frame, 2 = carried on
    vec2 p = gl_FragCoord.xy * block * vec2(size.y / size.x, 1.0);
    vec2 v = vec2(0.0);                                     // in pixels of the small picture
    float xx = 0.0, yy = 0.0, xy = 0.0;
    for (int round = 0; round < 3; round++) {
        vec2 e = vec2(0.0);
        xx = yy = xy = 0.0;
        for (int j = -3; j <= 3; j++)
            for (int i = -3; i <= 3; i++) {
                vec2 at = p + vec2(i, j) / count;
                vec3 s = IMG_NORM_PIXEL(slopes, at).xyz;
                float d = s.x - IMG_NORM_PIXEL(before, at - v / count).r;
                e += s.yz * d;
                xx += s.y * s.y; yy += s.z * s.z; xy += s.y * s.z;
            }
        // Noise and flat walls mustn't move: they are held by a weight of their own.
        float hold = 0.012;
        float whole = (xx + hold) * (yy + hold) - xy * xy;
        v -= vec2((yy + hold) * e.x - xy * e.y, (xx + hold) * e.y - xy * e.x) / max(whole, 1e-6);
        v = clamp(v, -6.0, 6.0);
    }
    v /= count;
    // The tracker knows better how a face moves.
    vec4 face = IMG_NORM_PIXEL(faceMotion, p);
    v = mix(v, clamp(face.xy / size, -0.2, 0.2), smoothstep(0.1, 0.6, face.a));
    v = mix(v, old.xy, length(old.xy) > length(v) ? momentum : 0.0);
    return vec4(v, beat, 2.0);
}

void main() {
    vec2 p = isf_FragNormCoord;
    if (PASSINDEX == 0) {
        vec2 d = 0.25 / RENDERSIZE;
        vec3 c = IMG_NORM_PIXEL(inputImage, p + d).rgb + IMG_NORM_PIXEL(inputImage, p - d).rgb
               + IMG_NORM_PIXEL(inputImage, p + d * vec2(1.0, -1.0)).rgb + IMG_NORM_PIXEL(inputImage, p + d * vec2(-1.0, 1.0)).rgb;
        gl_FragColor = vec4(vec3(dot(c, vec3(0.0532, 0.1788, 0.0180))), 1.0);
    } else if (PASSINDEX == 1) {
        vec2 d = 1.0 / RENDERSIZE;
        gl_FragColor = vec4(IMG_NORM_PIXEL(small, p).r,
            0.5 * (IMG_NORM_PIXEL(small, p + vec2(d.x, 0.0)).r - IMG_NORM_PIXEL(small, p - vec2(d.x, 0.0)).r),
            0.5 * (IMG_NORM_PIXEL(small, p + vec2(0.0, d.y)).r - IMG_NORM_PIXEL(small, p - vec2(0.0, d.y)).r), 1.0);
    } else if (PASSINDEX == 2) {
        gl_FragColor = motion();
    } else if (PASSINDEX == 3) {
        gl_FragColor = IMG_NORM_PIXEL(small, p);
    } else if (PASSINDEX == 4) {
        // rgb what is carried, alpha how far it is from the live picture: 0 = not moved yet.
        vec4 live = vec4(IMG_NORM_PIXEL(inputImage, p).rgb, 0.0);
        ivec2 id = min(ivec2(blocks_at(p)), textureSize(flow, 0) - 1);
        vec4 f = texelFetch(flow, id, 0);
        gl_FragColor = live;
        if (f.w < 1.5) return;
        uint eighth = uint(int(floor(beat * 8.0)));
        if (hash(uvec3(id, eighth)) < refresh) return;
        // Whole pixels only, or the picture would melt to a blur; the rest is rounded by chance.
        vec2 v = f.xy * gain * RENDERSIZE;
        vec2 by = floor(v + vec2(hash(uvec3(id, FRAMEINDEX * 2)), hash(uvec3(id, FRAMEINDEX * 2 + 1))));
        if (dot(v, v) < 0.02) by = vec2(0.0);
        ivec2 from = clamp(ivec2(gl_FragCoord.xy - by), ivec2(0), ivec2(RENDERSIZE) - 1);
        vec4 old = texelFetch(mosh, from, 0);
        float moved = max(old.a, by == vec2(0.0) ? 0.0 : 1.0);
        if (moved <= 0.0) return;
        float seep = 1.0 - exp(-bleed * TIMEDELTA);
        gl_FragColor = vec4(mix(old.rgb, live.rgb, seep), max(moved - 0.4 * seep, 0.0));
    } else {
        vec4 plate = IMG_THIS_PIXEL(inputImage);
        vec4 old = IMG_NORM_PIXEL(mosh, p);
        float shown = smoothstep(0.0, 0.5, old.a);
        shown *= 1.0 - heal * IMG_THIS_PIXEL(faceMotion).a;
        gl_FragColor = vec4(mix(plate.rgb, old.rgb, shown), plate.a);
    }
}
