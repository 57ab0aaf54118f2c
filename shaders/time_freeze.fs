/*{
  "ISFVSN": "2",
  "DESCRIPTION": "Time stops for a part of the picture: the world freezes round the performer, or all but a mouth; what they uncover freezes as it appears (E05)",
  "CREDIT": "kfx",
  "CATEGORIES": ["Time", "Body"],
  "INPUTS": [
    {"NAME": "inputImage", "TYPE": "image"},
    {"NAME": "personMatte", "TYPE": "image"},
    {"NAME": "faceParts", "TYPE": "image"},
    {"NAME": "beat", "TYPE": "float"},
    {"NAME": "kfx_quality", "TYPE": "float"},
    {"NAME": "iod", "TYPE": "float"},
    {"NAME": "frozen", "TYPE": "long", "VALUES": [0, 1, 2, 3, 4, 5, 6, 7], "LABELS": ["background", "all but face", "all but mouth", "all but eyes", "person", "face", "mouth", "eyes"], "DEFAULT": 0, "DOC": "what stands still; the last four stay where they were, so the performer should too"},
    {"NAME": "start", "TYPE": "float", "DEFAULT": 0.0, "MIN": 0.0, "MAX": 4096.0, "UNIT": "beats", "DOC": "beat on which time stops first"},
    {"NAME": "every", "TYPE": "float", "DEFAULT": 8.0, "MIN": 0.0, "MAX": 256.0, "UNIT": "beats", "DOC": "it stops again that often; 0 = once"},
    {"NAME": "hold", "TYPE": "float", "DEFAULT": 4.0, "MIN": 0.0, "MAX": 256.0, "UNIT": "beats", "DOC": "how long it stands, then it lets go within four frames; 0 = until it stops again"},
    {"NAME": "feather", "TYPE": "float", "DEFAULT": 0.08, "MIN": 0.0, "MAX": 0.3, "UNIT": "iod", "DOC": "how softly the still meets the live part"},
    {"NAME": "drain", "TYPE": "float", "DEFAULT": 0.3, "MIN": 0.0, "MAX": 1.0, "DOC": "how much colour what stands still loses"}
  ],
  "PASSES": [
    {"TARGET": "clock", "WIDTH": "1", "HEIGHT": "1", "PERSISTENT": true, "FLOAT": true},
    {"TARGET": "part", "WIDTH": "floor($WIDTH/4.0*$kfx_quality)", "HEIGHT": "floor($HEIGHT/4.0*$kfx_quality)"},
    {"TARGET": "still", "PERSISTENT": true},
    {}
  ],
  "KFX": {"region": "frame"}
}*/

const float LET_GO = 0.2;  // of the still's strength a frame

// The cue shown last (from 1), how strong the still is, whether it is taken now.
vec4 cue() {
    vec4 last = FRAMEINDEX == 0 ? vec4(0.0) : texelFetch(clock, ivec2(0), 0);
    float since = beat - start + 1e-4;
    float number = every > 0.0 ? floor(since / every) : 0.0;
    bool stands = since >= 0.0 && (hold <= 0.0 || since - number * every < hold);
    if (!stands) return vec4(last.x, max(0.0, last.y - LET_GO), 0.0, 1.0);
    return vec4(number + 1.0, 1.0, number + 1.0 != last.x ? 1.0 : 0.0, 1.0);
}

// The live part of the picture, or the frozen one if the last four are asked for.
float member(vec2 p) {
    int which = frozen % 4;
    if (which == 0) return IMG_NORM_PIXEL(personMatte, p).r;
    vec4 parts = IMG_NORM_PIXEL(faceParts, p);
    if (which == 1) return min(dot(parts, vec4(1.0)), 1.0);
    return which == 2 ? min(parts.g + parts.a, 1.0) : parts.b;
}

float soft(vec2 p) {
    // The person matte knows no more than 1/128 of the frame's width.
    float least = frozen % 4 == 0 ? IMG_SIZE(inputImage).x / 128.0 : 2.0;
    vec2 r = vec2(max(least, feather * iod)) / IMG_SIZE(inputImage);
    float sum = member(p), most = sum;
    for (int i = 0; i < 12; i++) {     // a spiral of equal areas
        float a = 2.39996 * float(i);
        float one = member(p + r * sqrt((float(i) + 0.5) / 12.0) * vec2(cos(a), sin(a)));
        sum += one;
        most = max(most, one);
    }
    // The edge lies outside the part, so that nothing of it is left in the still.
    return frozen % 4 == 0 ? smoothstep(0.0, 0.45, sum / 13.0) : mix(sum / 13.0, most, 0.6);
}

void main() {
    vec2 p = isf_FragNormCoord;
    if (PASSINDEX == 0) {
        gl_FragColor = cue();
    } else if (PASSINDEX == 1) {
        gl_FragColor = vec4(soft(p));
    } else if (PASSINDEX == 2) {
        vec4 now = texelFetch(clock, ivec2(0), 0);
        vec3 live = IMG_THIS_PIXEL(inputImage).rgb;
        float inside = IMG_NORM_PIXEL(part, p).r;
        // Alpha: how surely this is the still's. Near the live part it isn't yet, and goes on living.
        float sure = frozen < 4 ? smoothstep(0.7, 1.0, 1.0 - inside) : inside;
        vec4 old = IMG_THIS_PIXEL(still);
        if (now.z > 0.5 || FRAMEINDEX == 0) gl_FragColor = vec4(live, sure);
        else if (frozen < 4 && old.a < 1.0 && sure >= old.a)   // uncovered: it freezes as it appears
            gl_FragColor = vec4(mix(live, old.rgb, old.a), sure);
        else gl_FragColor = old;
    } else {
        vec4 plate = IMG_THIS_PIXEL(inputImage), held = IMG_THIS_PIXEL(still);
        float share = frozen < 4 ? 1.0 - IMG_NORM_PIXEL(part, p).r : held.a;
        share *= texelFetch(clock, ivec2(0), 0).y;
        float y = dot(held.rgb, vec3(0.2126, 0.7152, 0.0722));
        vec3 stopped = mix(held.rgb, vec3(y) * vec3(0.965, 0.985, 1.04), 0.8 * drain);
        gl_FragColor = vec4(mix(plate.rgb, stopped, share), plate.a);
    }
}
