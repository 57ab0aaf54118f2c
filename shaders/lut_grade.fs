/*{
  "ISFVSN": "2",
  "DESCRIPTION": "A colourist's grade: input table, ASC CDL, look table, from .cube files, interpolated in tetrahedra (E48)",
  "CREDIT": "kfx",
  "CATEGORIES": ["Finishing"],
  "INPUTS": [
    {"NAME": "inputImage", "TYPE": "image"},
    {"NAME": "input_lut", "TYPE": "image", "DOC": "a .cube that brings log or raw footage to Rec. 709, before all else"},
    {"NAME": "look_lut", "TYPE": "image", "DEFAULT": "luts/silver_blacks.cube", "DOC": "the .cube of the look: silver_blacks, warm_print, bleach, neon_night, dream_pastel in luts/, or your own"},
    {"NAME": "slope", "TYPE": "color", "DEFAULT": [1.0, 1.0, 1.0, 1.0], "MIN": [0.0, 0.0, 0.0, 0.0], "MAX": [2.0, 2.0, 2.0, 2.0], "DOC": "CDL slope of red, green, blue, and of all three"},
    {"NAME": "offset", "TYPE": "color", "DEFAULT": [0.0, 0.0, 0.0, 0.0], "MIN": [-0.3, -0.3, -0.3, -0.3], "MAX": [0.3, 0.3, 0.3, 0.3], "DOC": "CDL offset of red, green, blue, and of all three"},
    {"NAME": "power", "TYPE": "color", "DEFAULT": [1.0, 1.0, 1.0, 1.0], "MIN": [0.6, 0.6, 0.6, 0.6], "MAX": [1.6, 1.6, 1.6, 1.6], "DOC": "CDL power of red, green, blue, and of all three; over 1 is darker"},
    {"NAME": "saturation", "TYPE": "float", "DEFAULT": 1.0, "MIN": 0.0, "MAX": 2.0, "DOC": "CDL saturation, 0 = black and white"}
  ],
  "PASSES": [
    {"TARGET": "lattice", "WIDTH": "33", "HEIGHT": "1089"},
    {}
  ],
  "KFX": {"region": "frame", "pointwise": true}
}*/

// The whole grade is worked out for the 33³ corners of the colour cube, and a pixel only finds its
// place between four of them: exact for tables of 2, 3, 5, 9, 17, 33 and half of a 65. Eight bits a
// corner, with a sixteenth of room at both ends, are read three times as fast as floats here.
const float ROOM = 0.0625;

// Point q (0..n-1 a channel) of a cube that lies at (r, row + g + n·b). The corner of a cell is
// left along its largest fraction first: four of the eight corners, weights that add up to 1.
vec3 tetrahedron(sampler2D t, vec3 q, int n, int row) {
    vec3 i = min(floor(q), float(n - 2));
    vec3 f = q - i;
    bool rg = f.r >= f.g, gb = f.g >= f.b, rb = f.r >= f.b;
    float high = max(f.r, f.g), low = min(f.r, f.g);
    float most = max(high, f.b), least = min(low, f.b), middle = max(low, min(high, f.b));
    ivec2 whole = ivec2(1, n + 1);
    ivec2 first = rg && rb ? ivec2(1, 0) : (!rg && gb ? ivec2(0, 1) : ivec2(0, n));
    ivec2 second = whole - (rb && gb ? ivec2(0, n) : (rg && !gb ? ivec2(0, 1) : ivec2(1, 0)));
    ivec2 at = ivec2(int(i.r), row + int(i.g) + n * int(i.b));
    return texelFetch(t, at, 0).rgb * (1.0 - most) + texelFetch(t, at + first, 0).rgb * (most - middle)
         + texelFetch(t, at + second, 0).rgb * (middle - least) + texelFetch(t, at + whole, 0).rgb * least;
}

vec4 texel(sampler2D t, float k) {
    float w = float(textureSize(t, 0).x);
    float y = floor((k + 0.5) / w);
    return texelFetch(t, ivec2(int(k - y * w), int(y)), 0);
}

float curve(sampler2D t, float start, float last, float x, int channel) {
    x = clamp(x, 0.0, last);
    float i = min(floor(x), last - 1.0);
    return mix(texel(t, start + i)[channel], texel(t, start + i + 1.0)[channel], x - i);
}

// A table as kfx/render/cube.py lays it out; a picture of one texel is no table.
vec3 table(sampler2D t, vec3 c) {
    int w = textureSize(t, 0).x;
    if (w < 2) return c;
    vec4 scale1 = texel(t, 0.0), offset1 = texel(t, 1.0), scale3 = texel(t, 2.0), offset3 = texel(t, 3.0);
    if (scale1.a > 1.5) {
        vec3 x = c * scale1.rgb + offset1.rgb;
        float start = float(w) * ceil(4.0 / float(w)), last = scale1.a - 1.0;
        c = vec3(curve(t, start, last, x.r, 0), curve(t, start, last, x.g, 1), curve(t, start, last, x.b, 2));
    }
    if (offset1.a > 1.5) {
        vec3 q = clamp(c * scale3.rgb + offset3.rgb, 0.0, offset1.a - 1.0);
        c = tetrahedron(t, q, int(offset1.a), int(scale3.a));
    }
    return c;
}

void main() {
    if (PASSINDEX == 0) {
        float b = floor(gl_FragCoord.y / 33.0);
        vec3 c = vec3(floor(gl_FragCoord.x), floor(gl_FragCoord.y - 33.0 * b), b) / 32.0;
        c = table(input_lut, c);
        // ASC CDL 1.2: slope, offset, power, then saturation about the Rec. 709 luma.
        c = clamp(c * slope.rgb * slope.a + offset.rgb + offset.a, 0.0, 1.0);
        c = pow(max(c, 1e-6), power.rgb * power.a);
        c = mix(vec3(dot(c, vec3(0.2126, 0.7152, 0.0722))), c, saturation);
        c = table(look_lut, c);
        gl_FragColor = vec4((c + ROOM) / (1.0 + 2.0 * ROOM), 1.0);
    } else {
        vec4 plate = IMG_THIS_PIXEL(inputImage);
        vec3 c = tetrahedron(lattice, plate.rgb * 32.0, 33, 0);
        gl_FragColor = vec4(c * (1.0 + 2.0 * ROOM) - ROOM, plate.a);
    }
}
