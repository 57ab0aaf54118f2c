"""Make the tiles of the cosmic looks: gas clouds with filaments, and a field of stars.

    python models/training/cosmos_tiles.py

Writes ``shaders/textures/cosmos.png``, 256²: r soft clouds, g thin filaments, b other clouds, each
0..1 with mean near 0.5 (filaments 0.25); ``stars.png``, 512²: stars of all colours on black, as the
square root of their light; ``sparks.png``, 256×64: random numbers for debris. All of them repeat.
"""

from pathlib import Path

import cv2
import numpy as np

OUT = Path(__file__).resolve().parents[2] / "shaders" / "textures"


def clouds(rng: np.random.Generator, size: int, slope: float, low: float) -> np.ndarray:
    """Seamless noise whose amplitude falls as frequency**-slope, flattened below `low` cycles."""
    f = np.hypot(np.fft.fftfreq(size)[:, None], np.fft.fftfreq(size)[None]) * size
    shaped = np.fft.fft2(rng.standard_normal((size, size))) * np.maximum(f, low) ** -slope
    shaped[0, 0] = 0.0
    noise = np.fft.ifft2(shaped).real
    return noise / noise.std()


def even(noise: np.ndarray) -> np.ndarray:
    """0..1 with a flat histogram in the middle: a threshold of 0.3 hides about three tenths."""
    return 0.5 + 0.5 * np.tanh(noise * 0.65)


def filaments(rng: np.random.Generator, size: int) -> np.ndarray:
    """Thin bright seams where noise crosses zero; finer ones hang on the coarse ones."""
    coarse, fine = clouds(rng, size, 1.9, 3.0), clouds(rng, size, 1.7, 9.0)
    ridge = np.exp(-np.abs(coarse + 0.25 * fine) * 5.0)
    finer = np.exp(-np.abs(fine) * 4.0)
    tile = ridge * (0.55 + 0.45 * finer) + 0.35 * finer * np.exp(-np.abs(coarse) * 1.5)
    return np.clip(tile / np.quantile(tile, 0.998), 0.0, 1.0)


def stars(rng: np.random.Generator, size: int, count: int) -> np.ndarray:
    """(size, size, 3) of stars: many faint, few bright ones, from ember to ice."""
    y, x = np.mgrid[:size, :size].astype(np.float32)
    field = np.zeros((size, size, 3), np.float32)
    # Counts rise tenfold for a fourfold fall in light, as in the real sky (2.5 magnitudes).
    power = np.minimum(0.018 * rng.uniform(0.0008, 1.0, count) ** (-1 / 1.5), 1.6)
    for light in power:
        px, py = rng.uniform(0, size, 2)
        heat = rng.beta(2.2, 1.6)
        tint = np.float32([1.18 - 0.42 * heat, 0.94 + 0.02 * heat, 0.70 + 0.50 * heat])
        dx = (x - px + size / 2) % size - size / 2
        dy = (y - py + size / 2) % size - size / 2
        d = dx * dx + dy * dy
        spread = 0.55 + 0.25 * light
        dot = light * (
            np.exp(-d / (2 * spread * spread)) + 0.05 * light * np.exp(-np.sqrt(d) / 2.6)
        )
        field += dot[..., None] * tint
    return np.sqrt(1.0 - np.exp(-1.6 * field))


def save(name: str, tile: np.ndarray) -> None:
    path = OUT / name
    cv2.imwrite(str(path), np.clip(tile * 255, 0, 255).round().astype(np.uint8)[..., ::-1])
    print(f"{name}: {path.stat().st_size // 1024} kB")


def main() -> None:
    rng = np.random.default_rng(1604)
    gas = [even(clouds(rng, 256, 1.55, 2.5)), filaments(rng, 256), even(clouds(rng, 256, 1.5, 3.0))]
    save("cosmos.png", np.dstack(gas))
    save("stars.png", stars(rng, 512, 900))
    save("sparks.png", rng.uniform(0, 1, (64, 256, 3)))


if __name__ == "__main__":
    main()
