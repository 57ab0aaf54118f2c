"""Make the grain tile of the film shader: seamless Gaussian noise, slightly clumped.

    python models/training/grain_tile.py

Writes ``shaders/textures/grain.png``, 256², three layers, mean 0.5, standard deviation 1/8.
"""

from pathlib import Path

import cv2
import numpy as np

OUT = Path(__file__).resolve().parents[2] / "shaders" / "textures" / "grain.png"


def main() -> None:
    white = np.random.default_rng(1895).standard_normal((3, 256, 256))
    # Silver grains clump: a little of the neighbourhood, wrapped round so that the tile repeats.
    frequency = np.hypot(np.fft.fftfreq(256)[:, None], np.fft.fftfreq(256)[None])
    shaped = np.fft.ifft2(np.fft.fft2(white) * np.exp(-((frequency / 0.42) ** 2))).real
    shaped /= shaped.std(axis=(1, 2), keepdims=True)
    tile = np.clip(127.5 + shaped * 32, 0, 255).round().astype(np.uint8)
    cv2.imwrite(str(OUT), tile.transpose(1, 2, 0))
    print(f"{OUT.name}: {OUT.stat().st_size // 1024} kB")


if __name__ == "__main__":
    main()
