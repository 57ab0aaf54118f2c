/*{
  "ISFVSN": "2",
  "DESCRIPTION": "A flash of a show's cue: over-exposed by coloured light as far as its level says",
  "CREDIT": "kfx",
  "CATEGORIES": ["Camera", "Finishing"],
  "INPUTS": [
    {"NAME": "inputImage", "TYPE": "image"},
    {"NAME": "level", "TYPE": "float", "DEFAULT": 0.0, "MIN": 0.0, "MAX": 1.0, "DOC": "how far it goes"},
    {"NAME": "tint", "TYPE": "color", "DEFAULT": [1.0, 1.0, 1.0, 1.0], "DOC": "its light"}
  ],
  "KFX": {"region": "frame", "pointwise": true}
}*/

void main() {
    vec4 plate = IMG_THIS_PIXEL(inputImage);
    // The shutter hung: highlights run over first, blacks hold longest, and only a full flash
    // covers all of them.
    vec3 gain = exp2(4.6 * level * tint.rgb);
    vec3 lit = plate.rgb * gain / (1.0 + plate.rgb * (gain - 1.0));
    lit = 1.0 - (1.0 - lit) * (1.0 - level * level * level * tint.rgb);
    gl_FragColor = vec4(level > 0.0 ? lit : plate.rgb, plate.a);
}
