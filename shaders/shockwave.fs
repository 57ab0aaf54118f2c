/*{
  "ISFVSN": "2",
  "DESCRIPTION": "On each kick a pressure wave runs out behind the performer: rings of bent air with colour at their edges (E41)",
  "CREDIT": "kfx",
  "CATEGORIES": ["Energy", "Distortion"],
  "INPUTS": [
    {"NAME": "inputImage", "TYPE": "image"},
    {"NAME": "faceData", "TYPE": "image"},
    {"NAME": "personMatte", "TYPE": "image"},
    {"NAME": "beat", "TYPE": "float"},
    {"NAME": "kfx_quality", "TYPE": "float"},
    {"NAME": "energy", "TYPE": "float"},
    {"NAME": "centre", "TYPE": "long", "VALUES": [0, 1], "LABELS": ["face", "frame"], "DEFAULT": 0, "DOC": "where it starts: at the largest face (none: no wave), or in the middle of the frame"},
    {"NAME": "every", "TYPE": "float", "DEFAULT": 1.0, "MIN": 0.5, "MAX": 16.0, "UNIT": "beats", "DOC": "beats between two waves"},
    {"NAME": "amount", "TYPE": "float", "DEFAULT": 0.2, "MIN": 0.0, "MAX": 0.5, "UNIT": "iod", "DOC": "how far the air bends the picture"},
    {"NAME": "speed", "TYPE": "float", "DEFAULT": 6.0, "MIN": 1.0, "MAX": 16.0, "UNIT": "iod/beat", "DOC": "how far a wave comes in its first beat"},
    {"NAME": "rings", "TYPE": "long", "MIN": 1, "MAX": 5, "DEFAULT": 3, "DOC": "crests of one wave"},
    {"NAME": "width", "TYPE": "float", "DEFAULT": 0.22, "MIN": 0.08, "MAX": 0.8, "UNIT": "iod", "DOC": "width of a crest as it leaves the head; it widens outwards"},
    {"NAME": "colour", "TYPE": "float", "DEFAULT": 0.35, "MIN": 0.0, "MAX": 1.0, "DOC": "how far the air splits red from blue"},
    {"NAME": "mist", "TYPE": "float", "DEFAULT": 0.35, "MIN": 0.0, "MAX": 1.0, "DOC": "moisture that shows behind a crest"},
    {"NAME": "behind", "TYPE": "float", "DEFAULT": 1.0, "MIN": 0.0, "MAX": 1.0, "DOC": "1 = behind the performer, 0 = through them too"}
  ],
  "PASSES": [
    {"TARGET": "origin", "WIDTH": "1", "HEIGHT": "1", "FLOAT": true},
    {"TARGET": "air", "WIDTH": "floor($WIDTH/4.0*$kfx_quality)", "HEIGHT": "floor($HEIGHT/4.0*$kfx_quality)", "FLOAT": true, "WHERE": "origin.a"},
    {"TARGET": "bent", "WIDTH": "floor(($WIDTH+31.0)/32.0)", "HEIGHT": "floor(($HEIGHT+31.0)/32.0)"},
    {"WHERE": "bent.r"}
  ],
  "IMPORTED": {"gas": {"PATH": "textures/cosmos.png", "WRAP": "repeat"}},
  "KFX": {"region": "frame"}
}*/

vec4 landmark(int slot, int i) { return texelFetch(faceData, ivec2(i, slot), 0); }

const float LIFE = 2.2;   // beats

float since() { return beat - every * floor(beat / every); }

// Centre (of 1), iod (of the height), presence of the largest face; it is 0 where no wave is on its way.
vec4 largest() {
    vec2 size = IMG_SIZE(inputImage);
    if (since() > LIFE) return vec4(0.0);
    if (centre == 1) return vec4(0.5, 0.5, 0.11, 1.0);
    vec4 best = vec4(0.5, 0.5, 0.0, 0.0);
    for (int slot = 0; slot < 8; slot++) {
        vec4 nose = landmark(slot, 4);
        if (nose.w <= 0.0) continue;
        // A turned head shortens the line between the eyes, not the one down the face.
        float wide = max(distance(landmark(slot, 468).xy, landmark(slot, 473).xy), 0.5 * distance(landmark(slot, 10).xy, landmark(slot, 152).xy)) / size.y;
        if (wide > best.z) best = vec4(mix(nose.xy, landmark(slot, 9).xy, 0.5) / size, wide, nose.w);
    }
    return best;
}

// Whether the air in a tile of the picture is anything but still.
float moved(vec2 tile) {
    vec2 grid = IMG_SIZE(air) / RENDERSIZE;
    ivec2 low = max(ivec2(floor((tile - 0.5) * grid)) - 1, ivec2(0));
    ivec2 high = min(ivec2(ceil((tile + 0.5) * grid)), textureSize(air, 0) - 1);
    vec3 most = vec3(0.0);
    for (int y = low.y; y <= high.y; y++)
        for (int x = low.x; x <= high.x; x++) most = max(most, abs(texelFetch(air, ivec2(x, y), 0).rgb - vec3(0.0, 1.0, 0.0)));
    if (texelFetch(origin, ivec2(0), 0).a <= 0.0) return 0.0;
    return most.x > 0.00005 || max(most.y, most.z) > 0.002 ? 1.0 : 0.0;
}

void main() {
    vec2 p = isf_FragNormCoord;
    if (PASSINDEX == 0) { gl_FragColor = largest(); return; }
    if (PASSINDEX == 2) { gl_FragColor = vec4(moved(gl_FragCoord.xy)); return; }
    vec4 at = texelFetch(origin, ivec2(0), 0);
    float unit = max(at.z, 0.04);
    vec2 scale = vec2(IMG_SIZE(inputImage).x / IMG_SIZE(inputImage).y, 1.0) / unit;
    vec2 q = (p - at.xy) * scale;
    float r = length(q);
    if (PASSINDEX == 1) {
        // Air is never even: the front is a little torn, and stronger here than there.
        vec2 torn = texture(gas, q / max(r, 0.01) * 0.16 + 0.02 * q + 0.37 * kfx_seed).rb - 0.5;
        float haze = texture(gas, q * 0.21 - 0.5 + 0.11 * kfx_seed).b;
        float bend = 0.0, light = 0.0, vapour = 0.0;
        // Asked at its end: software renderers go through a loop's body once more than its condition says.
        float t = since();
        int wave = 0;
        do {
            float front = speed * pow(t + 0.003, 0.62) * (1.0 + 0.035 * torn.x);
            float w = width * (0.7 + 0.20 * front);
            float life = max(0.0, 1.0 - t / LIFE);
            life *= life * smoothstep(0.15, 0.8, front) * (0.7 + 0.9 * torn.y) / (1.0 + 0.06 * front);
            for (int ring = 0; ring < rings; ring++) {
                float s = (r - front) / w + 2.6 * float(ring);
                float y = max(0.0, 1.0 - 0.25 * s * s);
                // A crest is a lens: it bends by its slope, gathers light on top and takes it from its feet.
                bend += life * s * y * y * y;
                light += life * (y * y * y * y - 0.55 * y * y);
                // Where pressure falls, behind a crest, moisture shows for a moment.
                vapour += life * max(0.0, 1.0 - abs(s + 0.9) * 0.45);
                life *= 0.58;
            }
            t += every;
        } while (++wave < 3 && t < LIFE);
        float u = amount * (1.0 + energy) * at.w * bend * 2.4;
        vec2 from = p + q / (scale * max(r, 0.01)) * u * (1.1 + colour);
        // Neither the performer is bent, nor a piece of them pulled into the air.
        float clear = 1.0 - behind * min(1.0, 1.5 * max(IMG_NORM_PIXEL(personMatte, p).r, max(IMG_NORM_PIXEL(personMatte, from).r, IMG_NORM_PIXEL(personMatte, mix(p, from, 0.5)).r)));
        gl_FragColor = vec4(u * unit * clear, 1.0 + min(1.0, amount * 5.0) * 2.1 * at.w * max(light, -0.22) * clear,
            mist * min(1.0, amount * 5.0) * at.w * vapour * (0.25 + haze * haze) * clear, 1.0);
    } else {
        vec3 a = mix(IMG_THIS_PIXEL(air).rgb, vec3(0.0, 1.0, 0.0), behind * IMG_THIS_PIXEL(personMatte).r);
        vec2 way = q / (scale * unit * max(r, 0.01)) * a.x;
        vec4 plate = IMG_NORM_PIXEL(inputImage, p + way);
        plate.r = IMG_NORM_PIXEL(inputImage, p + way * (1.0 + colour)).r;
        plate.b = IMG_NORM_PIXEL(inputImage, p + way * (1.0 - colour)).b;
        plate.rgb = plate.rgb * a.y / (1.0 + plate.rgb * max(a.y - 1.0, 0.0));
        plate.rgb += (vec3(0.80, 0.88, 1.0) - plate.rgb) * clamp(a.z, 0.0, 0.8);
        gl_FragColor = plate;
    }
}
