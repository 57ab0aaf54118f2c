/*{
  "ISFVSN": "2",
  "DESCRIPTION": "A star dies in the performer's eye: implosion, white core, a shock ring in the air, curving debris, an afterglow nebula that lights the skin (E39)",
  "CREDIT": "kfx",
  "CATEGORIES": ["Energy", "Cosmic"],
  "INPUTS": [
    {"NAME": "inputImage", "TYPE": "image"},
    {"NAME": "faceData", "TYPE": "image"},
    {"NAME": "faceNormal", "TYPE": "image"},
    {"NAME": "personMatte", "TYPE": "image"},
    {"NAME": "beat", "TYPE": "float"},
    {"NAME": "kfx_quality", "TYPE": "float"},
    {"NAME": "centre", "TYPE": "long", "VALUES": [0, 1, 2], "LABELS": ["eye", "brow", "behind"], "DEFAULT": 0, "DOC": "where the star stands: before an eye, before the brow, behind the head"},
    {"NAME": "every", "TYPE": "float", "DEFAULT": 8.0, "MIN": 2.0, "MAX": 64.0, "UNIT": "beats", "DOC": "beats between two explosions; the first is on beat 0"},
    {"NAME": "tail", "TYPE": "float", "DEFAULT": 3.5, "MIN": 1.0, "MAX": 16.0, "UNIT": "beats", "DOC": "how long the nebula glows on"},
    {"NAME": "speed", "TYPE": "float", "DEFAULT": 5.0, "MIN": 1.0, "MAX": 12.0, "UNIT": "iod/beat", "DOC": "how far ring and debris come in the first beat"},
    {"NAME": "shock", "TYPE": "float", "DEFAULT": 0.14, "MIN": 0.0, "MAX": 0.3, "UNIT": "iod", "DOC": "how strongly the ring and the implosion bend the picture"},
    {"NAME": "debris", "TYPE": "float", "DEFAULT": 1.0, "MIN": 0.0, "MAX": 2.0, "DOC": "how bright the star's splinters are"},
    {"NAME": "power", "TYPE": "float", "DEFAULT": 1.0, "MIN": 0.2, "MAX": 2.0, "DOC": "light of the star, on the lens and on the skin"},
    {"NAME": "warmth", "TYPE": "float", "DEFAULT": 0.5, "MIN": 0.0, "MAX": 1.0, "DOC": "afterglow from ice (0) to ember (1)"}
  ],
  "PASSES": [
    {"TARGET": "star", "WIDTH": "4", "HEIGHT": "1", "FLOAT": true},
    {"TARGET": "zones", "WIDTH": "floor(($WIDTH+31.0)/32.0)", "HEIGHT": "floor(($HEIGHT+31.0)/32.0)"},
    {"TARGET": "cloud", "WIDTH": "floor($WIDTH/4.0*$kfx_quality)", "HEIGHT": "floor($HEIGHT/4.0*$kfx_quality)", "WHERE": "zones.b"},
    {"TARGET": "fire", "WIDTH": "floor($WIDTH/2.0*$kfx_quality)", "HEIGHT": "floor($HEIGHT/2.0*$kfx_quality)", "WHERE": "zones.a"},
    {"TARGET": "across", "WIDTH": "floor($WIDTH/8.0)", "HEIGHT": "floor($HEIGHT/8.0)", "WHERE": "zones.a"},
    {"TARGET": "glow", "WIDTH": "floor($WIDTH/8.0)", "HEIGHT": "floor($HEIGHT/8.0)", "WHERE": "zones.a"},
    {"TARGET": "lit", "WIDTH": "floor($WIDTH*0.4*$kfx_quality)", "HEIGHT": "floor($HEIGHT*0.4*$kfx_quality)", "FLOAT": true, "WHERE": "zones.a"},
    {"WHERE": "zones.g"},
    {"WHERE": "zones.r"}
  ],
  "IMPORTED": {"gas": {"PATH": "textures/cosmos.png", "WRAP": "repeat"}, "dice": {"PATH": "textures/sparks.png", "FILTER": "nearest", "WRAP": "repeat"}},
  "KFX": {"region": "frame"}
}*/

const float TAU = 6.2831853;
const float PRE = 0.24;   // beats of implosion before the hit

vec4 landmark(int slot, int i) { return texelFetch(faceData, ivec2(i, slot), 0); }
vec4 roll(int k, int layer) { return texelFetch(dice, ivec2((k + int(kfx_seed) * 37) & 255, (layer + int(kfx_seed) * 5) & 63), 0); }
// A bell without an exponential: this runs for every pixel, on processors too.
float bell(float x) { float y = max(0.0, 1.0 - x * x * 0.25); return y * y * y * y; }

// All that is the same for the whole frame is worked out once, in four texels.
vec4 moment(int i) {
    float t = max(0.0, beat - every * floor(beat / every));
    if (i == 1)     // how far the blast has come (air slows it down), how the star burns, time, implosion
        return vec4(speed * pow(t + 0.004, 0.55), power * (9.0 * exp(-t / 0.085) + 1.5 * exp(-t / 0.55)), t, clamp(1.0 - (every - t) / PRE, 0.0, 1.0));
    if (i == 2)     // how far the camera's iris has closed; brightness of the nebula, of the disc; bend
        return vec4(0.50 * min(power, 1.0) * (1.0 - exp(-t / 0.12)) * exp(-pow(t / (tail * 0.7), 2.0)),
                    power * (1.0 - exp(-t / 0.16)) * exp(-pow(t / (tail * 0.62), 1.6) - 0.5 * t / tail),
                    power * 2.6 * exp(-t / 0.50), shock * exp(-t / 0.9));
    if (i == 3)     // size of the nebula, length of the splinters' tails, lean of the disc
        return vec4(0.75 * speed * pow(t * 0.55 + 0.054, 0.55) + 0.3, 0.10 + 0.62 * exp(-t * 3.2), cos(0.30 * roll(7, 9).r - 0.4), sin(0.30 * roll(7, 9).r - 0.4));
    vec2 size = IMG_SIZE(inputImage);
    vec4 best = vec4(0.5, 0.5, 0.0, 0.0);                     // centre (of 1), iod (of the height), presence
    for (int slot = 0; slot < 8; slot++) {
        vec4 right = landmark(slot, 468), left = landmark(slot, 473);
        if (left.w <= 0.0) continue;
        // A turned head shortens the line between the eyes, not the one down the face.
        float wide = max(distance(right.xy, left.xy), 0.5 * distance(landmark(slot, 10).xy, landmark(slot, 152).xy)) / size.y;
        if (wide <= best.z) continue;
        vec2 c = centre == 0 ? left.xy : (centre == 1 ? mix(landmark(slot, 9).xy, landmark(slot, 10).xy, 0.35) : mix(left.xy, right.xy, 0.5));
        best = vec4(c / size, wide, left.w);
    }
    return best;
}

// Splinters fly in lanes about the centre; the lanes bend, so every path is a curve. The fine ones
// fly behind the performer, all of them when the star stands there.
vec3 splinters(vec2 q, float r, vec4 now, vec4 shape, float hidden) {
    vec3 sum = vec3(0.0);
    float t = now.z, far = now.x * 1.05;
    q.y += 0.16 * t * t;                                      // they fall a little
    float lane = atan(q.y, q.x) / TAU + 0.5 + 0.010 * r * (sin(1.1 * q.y + 0.7 * q.x + 1.0) + 0.7 * sin(1.9 * q.x - 0.8 * q.y)) / (1.0 + 0.35 * r);
    for (int layer = 0; layer < 3; layer++) {
        float lanes = layer == 0 ? 47.0 : (layer == 1 ? 89.0 : 151.0);
        float at = fract(lane + 0.37 * float(layer)) * lanes;
        vec4 d = roll(int(at), layer * 2), e = roll(int(at) + 91, layer * 2 + 1);
        float fast = d.r * d.r;
        float head = far * (0.22 + 0.78 * fast) * (1.0 - 0.12 * float(layer));
        float s = (head - r) / max(shape.y * head * (0.35 + 0.65 * d.g), 0.01);  // 0 at the head, 1 at the tail's end
        float wide = (0.011 + 0.020 * e.r * e.r) * (1.0 - 0.25 * float(layer));
        float off = (fract(at) - 0.3 - 0.4 * e.g) * TAU * r / lanes;
        float trail = clamp(1.0 - s, 0.0, 1.0);
        float body = bell(off / wide) * (s > 0.0 ? trail * trail * trail : bell((r - head) / wide));
        float life = max(0.0, 1.0 - t / (0.5 + 2.6 * d.b * (0.3 + fast))) * (0.7 + 0.3 * abs(2.0 * fract(e.b * 7.0 + t * 5.0 * d.g) - 1.0));
        // Cooling iron: white, gold, red.
        float heat = clamp(1.25 - 0.75 * s - 0.45 * t * (0.5 + d.g), 0.0, 1.0);
        vec3 tint = mix(vec3(1.0, 0.22, 0.06), vec3(1.0, 0.72, 0.36), min(heat * 1.8, 1.0));
        tint = mix(tint, vec3(0.86, 0.93, 1.0), clamp(heat * 2.5 - 1.5, 0.0, 1.0));
        sum += tint * (body * life * (0.6 + 2.4 * e.r) * (layer > 0 || centre == 2 ? 1.0 - 0.92 * hidden : 1.0));
    }
    return r < far ? sum * 2.2 * debris : vec3(0.0);
}

// What is left: a torn shell of glowing threads in thin gas, and a blue mist inside it.
vec3 remnant(vec2 q, float r, float size) {
    vec2 u = q / size;
    float k = r / size;
    vec3 a = texture(gas, u * 0.09 + vec2(0.31, 0.77) + 0.13 * kfx_seed).rgb;
    vec2 w = u * 0.34 + (a.rb - 0.5) * 0.30 + 0.5;
    vec3 b = texture(gas, w).rgb, d = texture(gas, w * 2.7 + a.br * 0.2).rgb;
    float torn = k + 1.1 * (a.b - 0.5) + 0.3 * (b.r - 0.5);
    float shell = bell((torn - 0.92) / 0.34);
    float inner = bell(torn / 0.92) * smoothstep(0.15, 0.80, k);
    float mist = b.r * (0.45 + 0.55 * d.b);
    float thread = b.g * (0.35 + 0.9 * d.r) + 0.45 * d.g * d.g * b.b;
    vec3 ember = mix(vec3(0.62, 0.20, 0.46), vec3(0.95, 0.26, 0.07), warmth);
    vec3 ice = mix(vec3(0.10, 0.38, 0.86), vec3(0.14, 0.27, 0.62), warmth);
    float hot = shell * thread * thread;
    vec3 c = ember * (hot * 1.5 + 0.34 * shell * mist * mist) + vec3(1.0, 0.74, 0.46) * hot * hot * 1.7;
    return c + ice * inner * (0.9 * mist * mist + 0.25 * thread * thread) + ice * 0.16 * bell(k / 1.35) * a.r;
}

// The blast runs out in a disc that leans towards us: its far half passes behind the head.
vec3 disc(vec2 q, vec4 now, vec2 lean, float hidden) {
    vec2 d = mat2(lean.x, -lean.y, lean.y, lean.x) * q;
    d.y /= 0.27;
    float rho = max(length(d), 1e-3);
    vec2 way = d / rho;
    float torn = texture(gas, way * 0.23 + 0.3).r - 0.5;
    float s = (rho - 1.15 * now.x * (1.0 + 0.09 * torn)) / (0.10 + 0.16 * now.x);
    if (s > 0.3 || s < -6.0) return vec3(0.0);
    float streak = texture(gas, way * 1.7 + vec2(0.03 * s)).b;
    float edge = 1.0 / (1.0 - min(s, 0.0) * 7.0);
    float sheet = max(0.0, 1.0 + s / 6.0);
    float crest = s < 0.0 ? edge * edge + 0.30 * sheet * sheet * sheet * streak * streak : bell(s * 7.0);
    float side = 1.0 - hidden * clamp(d.y * 8.0 + 0.5, 0.0, 1.0);
    return mix(vec3(1.0, 0.70, 0.42), vec3(0.72, 0.86, 1.0), clamp(crest, 0.0, 1.0)) * crest * (0.15 + 1.9 * smoothstep(-0.25, 0.45, torn)) * side;
}

vec3 blur(sampler2D image, vec2 p, vec2 d) {
    return texture(image, p).rgb * 0.196 + (texture(image, p + d * 1.41).rgb + texture(image, p - d * 1.41).rgb) * 0.297
         + (texture(image, p + d * 3.3).rgb + texture(image, p - d * 3.3).rgb) * 0.105;
}

// How far the picture is bent, in parts of its height: the ring outwards, the implosion inwards.
float bend_at(float r, vec4 now, vec4 level) {
    float fall = max(0.0, 1.0 - r / 2.2);
    return 3.0 * shock * now.w * now.w * fall * fall * min(r * 3.0, 1.0) - level.w * bell((r - now.x) / (0.10 + 0.10 * now.x));
}

// What happens in a tile of the picture: r it is bent, g it is only lit, b the nebula is there, a anything.
vec4 zone(vec2 p, vec4 at, vec2 scale, vec4 now, vec4 level, float size) {
    float most = max(max(now.y, now.w * now.w), max(max(level.x, level.y), max(level.z, level.w)));
    if (at.w * most < 0.002) return vec4(0.0);
    float r = length((p - at.xy) * scale), half_ = 0.5 * length(scale / RENDERSIZE), bent = 0.0;
    for (int i = -4; i <= 4; i++) bent = max(bent, abs(bend_at(max(r + half_ * 1.1 * float(i) / 4.0, 0.0), now, level)));
    // The nebula ends where its shell and the mist round it do, however it is torn.
    float near = step(r - 1.5 * half_, 2.8 * size) * step(0.002, at.w * level.y);
    return bent > 0.002 ? vec4(1.0, 0.0, near, 1.0) : vec4(0.0, 1.0, near, 1.0);
}

void main() {
    vec2 p = isf_FragNormCoord;
    if (PASSINDEX == 0) { gl_FragColor = moment(int(gl_FragCoord.x)); return; }
    if (PASSINDEX == 4) { gl_FragColor = vec4(blur(fire, p, vec2(1.3 / RENDERSIZE.x, 0.0)), 1.0); return; }
    if (PASSINDEX == 5) { gl_FragColor = vec4(blur(across, p, vec2(0.0, 1.3 / RENDERSIZE.y)), 1.0); return; }

    vec4 at = texelFetch(star, ivec2(0), 0);
    float unit = max(at.z, 0.05);               // a far face still makes a star one can see
    vec2 scale = vec2(IMG_SIZE(inputImage).x / IMG_SIZE(inputImage).y, 1.0) / unit;
    vec2 q = (p - at.xy) * scale;
    float r = length(q);
    if (PASSINDEX > 6) {
        vec4 fired = IMG_THIS_PIXEL(fire), light = IMG_THIS_PIXEL(lit), plate;
        if (PASSINDEX == 7) plate = IMG_THIS_PIXEL(inputImage);
        else {
            // Where air or gravity bends the picture; red a little more, as in a cheap lens.
            vec2 way = q / (scale * max(r, 1e-3)) * (fired.a - 128.0 / 255.0);
            plate = IMG_NORM_PIXEL(inputImage, p + way);
            plate.r = IMG_NORM_PIXEL(inputImage, p + 1.18 * way).r;
        }
        vec3 c = plate.rgb * light.rgb / (1.0 + plate.rgb * max(light.rgb - 1.0, 0.0));
        plate.rgb = 1.0 - (1.0 - c) * (1.0 - fired.rgb) * light.a;
        gl_FragColor = plate;
        return;
    }
    vec4 now = texelFetch(star, ivec2(1, 0), 0), level = texelFetch(star, ivec2(2, 0), 0), shape = texelFetch(star, ivec2(3, 0), 0);
    if (PASSINDEX == 1) gl_FragColor = zone(p, at, scale, now, level, shape.x);
    else if (PASSINDEX == 2) {
        gl_FragColor = vec4(1.0 - exp(-at.w * level.y * remnant(q, r, shape.x)), 1.0);
    } else if (PASSINDEX == 3) {
        float who = IMG_NORM_PIXEL(personMatte, p).r, veil = centre == 2 ? 1.0 - 0.92 * who : 1.0;
        vec3 e = splinters(q, r, now, shape, who) + disc(q, now, shape.zw, who) * level.z;
        // The core, its glare and the streak of an anamorphic lens; before the hit a spark.
        float size = (0.001 + 0.0022 * now.y) * (centre == 2 ? 9.0 : 1.0), core = size / (size + r * r), line = 1.0 / (1.0 + abs(q.y) * 45.0);
        e += veil * now.y * (vec3(2.2, 2.05, 1.85) * core * sqrt(sqrt(core)) + vec3(0.09, 0.12, 0.16) * line * line * line / (1.0 + 0.55 * q.x * q.x));
        e += vec3(0.8, 0.9, 1.0) * now.w * now.w * veil * 0.006 / (0.006 + r * r);
        e = 1.0 - exp(-at.w * e);
        e += (1.0 - e) * IMG_NORM_PIXEL(cloud, p).rgb * (1.0 - 0.93 * who);
        float bend = bend_at(r, now, level);
        gl_FragColor = vec4(e, clamp(at.w * bend * (centre == 2 ? 1.0 - who : 1.0), -0.5, 0.49) + 128.0 / 255.0);
    } else {
        // Light on the skin: the star by its normal, the nebula from where the normal looks.
        vec4 n = IMG_NORM_PIXEL(faceNormal, p);
        float who = IMG_NORM_PIXEL(personMatte, p).r, on = min(n.a * 1.4, 1.0);
        vec3 to = vec3(-q, 0.42);
        float shade = centre == 2 ? 1.6 * (1.0 - n.z) * (1.0 - n.z) : max(0.0, dot(n.xyz, to) * inversesqrt(dot(to, to)));
        float facing = mix(0.42, shade, on);
        float key = now.y * (facing * 0.20 / (0.25 + r * r) + (0.20 + 0.12 * who) / (1.0 + 0.2 * r));
        vec3 sky = IMG_NORM_PIXEL(glow, p + n.xy * on * 1.5 / scale).rgb;
        vec3 gain = 1.0 + at.w * (vec3(1.0, 0.95, 0.88) * key + 1.6 * sky);
        // The lull before; after it the camera's iris has closed on the star, and opens slowly.
        gain *= (1.0 - 0.55 * now.w * now.w * at.w) * (1.0 - level.x * (1.0 - 0.45 * who) * at.w);
        gl_FragColor = vec4(gain, 1.0 - (0.5 - 0.3 * who) * dot(sky, vec3(0.3, 0.5, 0.2)));
    }
}
