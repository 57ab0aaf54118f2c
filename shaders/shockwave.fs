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
    {"TARGET": "air", "WIDTH": "floor($WIDTH/4.0*$kfx_quality)", "HEIGHT": "floor($HEIGHT/4.0*$kfx_quality)", "FLOAT": true},
    {}
  ],
  "IMPORTED": {"gas": {"PATH": "textures/cosmos.png", "WRAP": "repeat"}},
  "KFX": {"region": "frame"}
}*/

vec4 landmark(int slot, int i) { return texelFetch(faceData, ivec2(i, slot), 0); }

// Centre (of 1), iod (of the height), presence of the largest face.
vec4 largest() {
    vec2 size = IMG_SIZE(inputImage);
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

void main() {
    vec2 p = isf_FragNormCoord;
    if (PASSINDEX == 0) { gl_FragColor = largest(); return; }
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
        for (int wave = 0; wave < 3; wave++) {
            float t = beat - every * floor(beat / every) + every * float(wave);
            float front = speed * pow(t + 0.003, 0.62) * (1.0 + 0.035 * torn.x);
            float w = width * (0.7 + 0.20 * front);
            float life = max(0.0, 1.0 - t / 2.2);
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
        }
        float u = amount * (1.0 + energy) * at.w * bend * 2.4;
        vec2 from = p + q / (scale * max(r, 0.01)) * u * (1.1 + colour);
        // Neither the performer is bent, nor a piece of them pulled into the air.
        float clear = 1.0 - behind * min(1.0, 1.5 * max(IMG_NORM_PIXEL(personMatte, p).r, max(IMG_NORM_PIXEL(personMatte, from).r, IMG_NORM_PIXEL(personMatte, mix(p, from, 0.5)).r)));
        gl_FragColor = vec4(u * unit * clear, 1.0 + min(1.0, amount * 5.0) * 2.1 * at.w * max(light, -0.22) * clear,
            mist * min(1.0, amount * 5.0) * at.w * vapour * (0.25 + haze * haze) * clear, 1.0);
    } else {
        vec3 a = mix(IMG_NORM_PIXEL(air, p).rgb, vec3(0.0, 1.0, 0.0), behind * IMG_NORM_PIXEL(personMatte, p).r);
        vec2 way = q / (scale * unit * max(r, 0.01)) * a.x;
        vec4 plate = IMG_NORM_PIXEL(inputImage, p + way);
        plate.r = IMG_NORM_PIXEL(inputImage, p + way * (1.0 + colour)).r;
        plate.b = IMG_NORM_PIXEL(inputImage, p + way * (1.0 - colour)).b;
        plate.rgb = plate.rgb * a.y / (1.0 + plate.rgb * max(a.y - 1.0, 0.0));
        plate.rgb += (vec3(0.80, 0.88, 1.0) - plate.rgb) * clamp(a.z, 0.0, 0.8);
        gl_FragColor = plate;
    }
}
