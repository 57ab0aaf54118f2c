// Where a pixel's grain lies, once a corner instead of once a pixel.

varying vec2 grain_at;
varying vec2 aside;
varying float strength;

void main() {
    isf_vertShaderInit();
    // The same tile every frame, moved by the R2 sequence (Roberts 2018): takes match.
    // Over 1620 lines a clump covers two pixels.
    float frame = mod(float(FRAMEINDEX), 4096.0) + kfx_seed * 17.0;
    vec2 offset = floor(fract(frame * vec2(0.7548777, 0.5698403)) * 256.0);
    float clump = 1.0 + min(1.0, floor(RENDERSIZE.y / 1620.0)) + 2.0 * min(1.0, floor(RENDERSIZE.y / 3240.0));
    grain_at = (isf_FragNormCoord * RENDERSIZE / clump + offset) / 256.0;
    aside = 4.0 / RENDERSIZE;
    // Under 720 lines a pixel is a larger piece of the film, and its grain averages out.
    strength = grain * 4.0 * (1.0 - 0.40 * fade) * clamp(RENDERSIZE.y / 720.0, 0.45, 1.0);
}
