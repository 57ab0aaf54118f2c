// Where a pixel's grain lies, once a corner instead of once a pixel.

#if __VERSION__ < 130 || defined(GL_ES)
varying vec2 grain_at;
varying vec2 aside;
varying vec2 strength;  // of what the layers share, and of what each has of its own
#else
noperspective varying vec2 grain_at;
flat varying vec2 aside;
flat varying vec2 strength;
#endif

void main() {
    isf_vertShaderInit();
    // The same tile every frame, moved by the R2 sequence (Roberts 2018): takes match.
    // Over 1620 lines a clump covers two pixels.
    float frame = mod(float(FRAMEINDEX), 4096.0) + kfx_seed * 17.0;
    // Without grain it stands still: what it dithers does.
    vec2 offset = floor(fract(frame * vec2(0.7548777, 0.5698403)) * 256.0) * step(1e-6, grain);
    float clump = 1.0 + min(1.0, floor(RENDERSIZE.y / 1620.0)) + 2.0 * min(1.0, floor(RENDERSIZE.y / 3240.0));
    grain_at = (isf_FragNormCoord * RENDERSIZE / clump + offset) / 256.0;
    aside = 9.0 / RENDERSIZE;  // about a pixel, at most four and a half
    // Under 720 lines a pixel is a larger piece of the film, and its grain averages out.
    float whole = grain * 4.0 * (1.0 - 0.40 * fade) * clamp(RENDERSIZE.y / 720.0, 0.45, 1.0);
    strength = whole * vec2(1.0 - colour_grain, colour_grain);
}
