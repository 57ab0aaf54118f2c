"""Make kfx's own look tables: five grades as 17³ .cube files for any software that reads them.

    python models/training/look_luts.py

Writes ``shaders/luts/*.cube``. Input and output are Rec. 709 video; a grade is a short chain of
what a colourist does: tone curve, saturation by hue and by purity, split tone, black and white.
"""

from pathlib import Path

import numpy as np

OUT = Path(__file__).resolve().parents[2] / "shaders" / "luts"
SIZE = 17
LUMA = np.array([0.2126, 0.7152, 0.0722])


def luma(c):
    return (c @ LUMA)[..., None]


def smooth(low, high, x):
    t = np.clip((x - low) / (high - low), 0.0, 1.0)
    return t * t * (3 - 2 * t)


def purity(c):
    """0 for greys to 1 for pure colours, as the eye takes it: dark noise isn't colour."""
    return (c.max(-1) - c.min(-1))[..., None] / (0.25 + 0.75 * c.max(-1)[..., None])


def hue(c):
    """Degrees, red 0, green 120, blue 240."""
    a = c[..., 0] - 0.5 * (c[..., 1] + c[..., 2])
    b = 0.8660254 * (c[..., 1] - c[..., 2])
    return (np.degrees(np.arctan2(b, a)) % 360)[..., None]


def near(c, degrees, width):
    """How near the hue of `c` is, 1 to 0; fades towards the greys, which have none."""
    away = np.abs((hue(c) - degrees + 180) % 360 - 180)
    return (1 - smooth(0.35 * width, width, away)) * smooth(0.03, 0.22, purity(c))


def skin(c):
    return near(c, 24, 34) * (1 - smooth(0.62, 0.85, purity(c)))


def saturate(c, amount):
    y = luma(c)
    return y + (c - y) * amount


def turn(c, degrees):
    """Turn the hue of each colour by so many degrees, luma kept."""
    y = luma(c)
    angle = np.radians(degrees)
    k = np.full(3, 3**-0.5)
    turned = c * np.cos(angle) + np.cross(k, c) * np.sin(angle)
    turned += k * (c @ k)[..., None] * (1 - np.cos(angle))
    return turned + y - luma(turned)


def tone(c, contrast, pivot=0.40, by_luma=0.5):
    """An S about `pivot` that keeps 0 and 1; by luma it leaves hues, by channel it enriches."""

    def curve(x):
        x = np.clip(x, 0.0, 1.0)
        low = pivot * (x / pivot) ** (1 + contrast)
        high = 1 - (1 - pivot) * ((1 - x) / (1 - pivot)) ** (1 + contrast)
        return np.where(x < pivot, low, high)

    y = luma(c)
    gain = curve(y) / np.maximum(y, 1e-4)
    return by_luma * c * gain + (1 - by_luma) * curve(c)


def split(c, shadows, highlights):
    """Colours laid into the lows and the highs; black, white and their luma stay."""
    y = np.clip(luma(c), 0, 1)
    low, high = 6.75 * y * (1 - y) ** 2, 6.75 * y * y * (1 - y)
    tint = low * np.array(shadows) + high * np.array(highlights)
    return c + tint - luma(tint)


def ends(c, black, white):
    return np.array(black) + c * (np.array(white) - np.array(black))


def shoulder(c, start=0.80, end=1.0):
    """Rolls what lies over `start` off towards `end`, as a negative does; white stays white."""
    room = end - start
    over = np.maximum(c - start, 0.0)
    return np.minimum(c, start) + room * over / (over + room) + 0.5 * room * over / room


def silver_blacks(c):
    """Supernova: a gritty city in cold silver, porcelain skin, and neon left burning."""
    flesh = skin(c)
    c = tone(c, 0.34, pivot=0.38, by_luma=0.7)
    c = turn(c, -5.0 * flesh)
    neon = smooth(0.45, 0.80, purity(c))
    c = saturate(c, 0.62 + 0.16 * flesh + 0.58 * neon * (1 - flesh))
    c = split(c, (-0.030, 0.002, 0.040), (-0.010, 0.002, 0.016))
    return ends(c + 0.018 * flesh, (0.014, 0.018, 0.028), (0.965, 0.985, 0.990))


def warm_print(c):
    """A print of the seventies' cinema: warm lights, green-blue depths, dense colour."""
    flesh = skin(c)
    c = tone(c, 0.22, pivot=0.36, by_luma=0.3)
    c = turn(c, -9.0 * near(c, 130, 50) - 6.0 * near(c, 225, 50) - 3.0 * flesh)
    dense = purity(c)
    c = saturate(c, 1.06 + 0.05 * flesh) * (1 - 0.16 * dense * (1 - flesh))
    c = split(c, (-0.026, 0.006, 0.014), (0.026, 0.002, -0.024))
    return ends(shoulder(c, 0.78), (0.020, 0.022, 0.020), (0.988, 0.965, 0.925))


def bleach(c):
    """Bleach bypass: the silver stays in the print; hard light, little colour."""
    flesh = skin(c)
    y = np.clip(luma(c), 0, 1)
    silver = np.where(c < 0.5, 2 * c * y, 1 - 2 * (1 - c) * (1 - y))
    c = c + 0.62 * (silver - c)
    c = saturate(c, 0.46 + 0.16 * flesh)
    c = split(c, (-0.014, 0.000, 0.012), (0.012, 0.004, -0.012))
    return ends(c, (0.010, 0.011, 0.013), (0.985, 0.985, 0.970))


def neon_night(c):
    """Night in the city: indigo depths, colours drawn towards cyan and magenta, skin kept."""
    flesh = skin(c)
    c = tone(c, 0.26, pivot=0.42, by_luma=0.6)
    to_cyan, to_magenta = near(c, 150, 60), near(c, 275, 55)
    c = turn(c, 28.0 * to_cyan + 26.0 * to_magenta - 3.0 * flesh)
    c = saturate(c, 1.14 - 0.24 * flesh)
    c = split(c, (0.006, -0.020, 0.062), (-0.024, 0.010, 0.026))
    return ends(c, (0.014, 0.010, 0.036), (0.970, 0.985, 0.990))


def dream_pastel(c):
    """A soft negative in afternoon light: lavender depths, peach lights, no hard edge."""
    flesh = skin(c)
    y = np.clip(luma(c), 1e-4, 1)
    c = c * y**0.80 / y  # a stop brighter in the mid-tones, hues kept
    c = saturate(shoulder(c, 0.74), 0.90 + 0.08 * flesh) + 0.012 * flesh
    c = split(c, (0.008, -0.004, 0.024), (0.020, -0.002, 0.004))
    return ends(c, (0.052, 0.047, 0.064), (0.992, 0.974, 0.966))


LOOKS = (silver_blacks, warm_print, bleach, neon_night, dream_pastel)


def main() -> None:
    OUT.mkdir(exist_ok=True)
    axis = np.linspace(0, 1, SIZE)
    b, g, r = np.meshgrid(axis, axis, axis, indexing="ij")
    corners = np.stack([r, g, b], -1)
    for look in LOOKS:
        table = np.clip(look(corners), 0, 1).reshape(-1, 3)
        lines = [f'TITLE "kfx {look.__name__}"', *(f"# {t}" for t in look.__doc__.split("\n"))]
        lines += [f"LUT_3D_SIZE {SIZE}", *(" ".join(f"{x:.5f}" for x in row) for row in table)]
        path = OUT / f"{look.__name__}.cube"
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        print(f"{path.name}: {path.stat().st_size // 1024} kB")


if __name__ == "__main__":
    main()
