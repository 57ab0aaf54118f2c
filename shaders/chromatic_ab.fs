/*{
  "ISFVSN": "2",
  "DESCRIPTION": "A lens that bends red less than blue: fringes that grow towards the corners and jump with the kick (E46)",
  "CREDIT": "kfx",
  "CATEGORIES": ["Finishing"],
  "INPUTS": [
    {"NAME": "inputImage", "TYPE": "image"},
    {"NAME": "beat", "TYPE": "float"},
    {"NAME": "energy", "TYPE": "float"},
    {"NAME": "amount", "TYPE": "float", "DEFAULT": 0.003, "MIN": 0.0, "MAX": 0.02, "UNIT": "frame widths", "DOC": "width of the fringe at the edge of the frame"},
    {"NAME": "kick", "TYPE": "float", "DEFAULT": 0.8, "MIN": 0.0, "MAX": 6.0, "DOC": "how many times wider it jumps on the hit"},
    {"NAME": "every", "TYPE": "float", "DEFAULT": 1.0, "MIN": 0.25, "MAX": 16.0, "UNIT": "beats", "DOC": "time between two hits"},
    {"NAME": "model", "TYPE": "long", "VALUES": [0, 1, 2], "LABELS": ["lens", "zoom", "shift"], "DEFAULT": 0, "DOC": "lens = corners only, zoom = grows evenly from the centre, shift = the whole frame sideways"},
    {"NAME": "direction", "TYPE": "point2D", "DEFAULT": [1.0, 0.0], "MIN": [-1.0, -1.0], "MAX": [1.0, 1.0], "DOC": "where the shift goes"}
  ],
  "KFX": {"region": "frame"}
}*/

void main() {
    vec2 p = isf_FragNormCoord;
    vec2 aspect = vec2(1.0, RENDERSIZE.y / RENDERSIZE.x);
    float rest = 1.0 - min(fract(beat / every) * every * 2.5, 1.0);
    float hit = 1.0 + kick * (rest * rest * rest + 0.5 * energy);
    vec2 q = (p - 0.5) * 2.0 * aspect;
    // Lateral colour of a real lens grows with the cube of the height; the face stays clean.
    vec2 way = model == 0 ? q * dot(q, q) : model == 1 ? q : direction;
    way *= amount * hit * 0.5 / aspect;
    vec4 plate = IMG_THIS_PIXEL(inputImage);
    // Red lies outside, blue inside: each is read where the lens has put it.
    float red = IMG_NORM_PIXEL(inputImage, p - way).r;
    float blue = IMG_NORM_PIXEL(inputImage, p + way).b;
    gl_FragColor = vec4(red, plate.g, blue, plate.a);
}
