/*{
  "ISFVSN": "2",
  "DESCRIPTION": "Glass skin under a thin film: the highlights of the face break into oil-slick and pearl colours that turn with the head (E29)",
  "CREDIT": "kfx",
  "CATEGORIES": ["Face", "Material"],
  "INPUTS": [
    {"NAME": "inputImage", "TYPE": "image"},
    {"NAME": "faceUV", "TYPE": "image"},
    {"NAME": "faceNormal", "TYPE": "image"},
    {"NAME": "faceParts", "TYPE": "image"},
    {"NAME": "faceData", "TYPE": "image"},
    {"NAME": "bar", "TYPE": "float"},
    {"NAME": "kfx_scale", "TYPE": "float"},
    {"NAME": "amount", "TYPE": "float", "DEFAULT": 0.45, "MIN": 0.0, "MAX": 1.0, "DOC": "strength of the film's colours"},
    {"NAME": "thickness", "TYPE": "float", "DEFAULT": 390.0, "MIN": 200.0, "MAX": 600.0, "UNIT": "nm", "DOC": "thickness of the film: which colour stands where"},
    {"NAME": "variation", "TYPE": "float", "DEFAULT": 0.45, "MIN": 0.0, "MAX": 1.0, "DOC": "how unevenly it lies on the skin"},
    {"NAME": "sweep", "TYPE": "float", "DEFAULT": 0.4, "MIN": 0.0, "MAX": 1.0, "DOC": "how far the colours run through once a bar"},
    {"NAME": "gloss", "TYPE": "float", "DEFAULT": 0.6, "MIN": 0.0, "MAX": 1.0, "DOC": "0 = powder pearl everywhere, 1 = wet light only in the highlights"},
    {"NAME": "detail", "TYPE": "float", "DEFAULT": 0.4, "MIN": 0.0, "MAX": 1.0, "DOC": "how far pores and folds bend the film"}
  ],
  "PASSES": [
    {"TARGET": "sheen", "WIDTH": "floor($WIDTH*$kfx_scale)", "HEIGHT": "floor($HEIGHT*$kfx_scale)", "REACH_IOD": 0.02},
    {}
  ],
  "IMPORTED": {
    "film": {"PATH": "textures/thin_film.png"},
    "studio": {"PATH": "textures/studio.png"},
    "liquid": {"PATH": "textures/liquid.png", "WRAP": "repeat"}
  },
  "KFX": {"region": "face"}
}*/

float luma(vec3 c) { return dot(c, vec3(0.2126, 0.7152, 0.0722)); }
float light_at(vec2 p) { return luma(IMG_PIXEL(inputImage, p).rgb); }


// What the film throws back, as the root of a fourth; a: its cover.
vec4 sheen_at(vec2 here) {
    vec4 uv = IMG_THIS_PIXEL(faceUV);
    if (uv.a <= 0.0) return vec4(0.0);
    vec4 plate = IMG_NORM_PIXEL(inputImage, here);
    vec4 parts = IMG_THIS_PIXEL(faceParts);
    vec4 normal = IMG_THIS_PIXEL(faceNormal);
    int slot = int(uv.b * 8.0);
    float scale = distance(texelFetch(faceData, ivec2(468, slot), 0).xyz, texelFetch(faceData, ivec2(473, slot), 0).xyz);

    vec2 p = here * IMG_SIZE(inputImage);
    float a = max(0.8, scale * 0.035);
    float e = light_at(p + vec2(a, 0.0)), w = light_at(p - vec2(a, 0.0)), n = light_at(p + vec2(0.0, a)), s = light_at(p - vec2(0.0, a));
    float y = luma(plate.rgb), mean = (e + w + n + s) * 0.25;
    vec2 bend = vec2(e - w, n - s) * detail * 1.6 / (mean + 0.12);
    bend /= 1.0 + 1.6 * length(bend);
    vec2 m = normal.xy * 0.95 - bend;
    m *= pow(1.0 + dot(m, m) * dot(m, m) * dot(m, m), -0.1667);

    // The film is thick where it has run together; it thins and thickens once a bar.
    vec3 pool = IMG_NORM_PIXEL(liquid, uv.xy * vec2(0.9, 0.72) + fract(kfx_seed * vec2(0.7549, 0.5698)) + vec2(0.0, 0.006 * TIME)).rgb;
    float nm = thickness + variation * (260.0 * (pool.r - 0.5) + 130.0 * (pool.g - 0.5)) + sweep * 120.0 * sin(6.2831853 * bar);
    float cosine = sqrt(max(0.0, 1.0 - dot(m, m) * 0.92));
    vec3 colour = IMG_NORM_PIXEL(film, vec2(cosine, clamp((nm - 120.0) / 700.0, 0.01, 0.99))).rgb;
    colour *= colour * 1.25;
    colour.g = min(colour.g, 0.66 * (colour.r + colour.b));          // rose, lilac, amber, ice: a green face is a sick face
    float grey = luma(colour);
    colour = max(vec3(0.0), mix(vec3(grey), colour, 0.86));          // as it is in a real room: paler than in the book

    // What shines: the plate's own highlights, the studio's boxes, and all that is seen aslant.
    vec3 box = IMG_NORM_PIXEL(studio, vec2(0.75, 0.75) + m * 0.242).rgb;
    float sheen = dot(box * box, vec3(1.0));
    float aslant = pow(1.0 - cosine, 2.0) * smoothstep(0.0, 0.6, uv.a);
    float bright = smoothstep(0.92, 1.30, y / max(mean, 0.04)) * 0.5 + smoothstep(0.45, 0.95, y);
    float wet = (0.16 + 0.85 * sheen) * (0.35 + 0.9 * y) + 0.55 * aslant + 0.75 * bright;
    float powder = 0.55 + 0.30 * y + 0.35 * aslant;
    float shine = mix(powder, wet, gloss) * (0.20 + 1.1 * mean - 0.25 * mean * mean);

    float cover = smoothstep(0.0, 0.7, uv.a) * (1.0 - parts.b) * (1.0 - parts.a) * (1.0 - 0.3 * parts.g);
    return vec4(sqrt(min(colour * shine * amount * 0.525, 1.0)), cover);
}

void main() {
    if (PASSINDEX == 0) {
        gl_FragColor = sheen_at(isf_FragNormCoord);
        return;
    }
    vec4 plate = IMG_THIS_PIXEL(inputImage);
    vec4 top = IMG_THIS_PIXEL(sheen);
    gl_FragColor = plate;
    if (top.a > 0.0) {
        vec3 film = top.rgb * top.rgb * 4.0;
        // A film takes from what goes in what it throws back: the skin under it turns complementary.
        float most = max(film.r, max(film.g, film.b));
        vec3 skin = plate.rgb * (1.0 - 0.55 * film * min(0.6, amount / max(most, 1e-3)));
        vec3 lit = 1.0 - (1.0 - skin) * exp(-film);
        gl_FragColor.rgb = mix(plate.rgb, lit, top.a);
    }
}
