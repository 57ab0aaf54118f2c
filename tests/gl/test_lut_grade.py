"""The grade on the GPU is the grade of the file, to one step of eight bits."""

import numpy as np
import pytest

from kfx import assets, effects
from kfx.engine.look.chain import Chain
from kfx.presets import Link, Preset
from kfx.render.cube import load_cube
from kfx.render.gpu import Gpu
from tests.faces import frame_of, tick_of
from tests.unit.test_cube import LOOKS, UNIT, evaluate


@pytest.fixture(scope="module")
def gpu():
    with Gpu() as gpu:
        yield gpu


@pytest.fixture(scope="module")
def pixels():
    noise = np.random.default_rng(7).integers(0, 256, (12, 16, 4), np.uint8)
    noise[0, :, :3] = np.linspace(0, 255, 16).round()[:, None]
    noise[..., 3] = 255
    return noise


def graded(gpu, pixels, **values):
    spec = effects.find("lut_grade")
    known = {name: knob.default for name, knob in spec.knobs.items()}
    preset = Preset("test", "", (Link(spec, {**known, "look_lut": "", **values}),))
    with Chain(gpu, preset, (16, 12)) as chain:
        return chain.render(tick_of(frame_of(pixels), []))[..., :3].astype(float)


def expected(pixels, path):
    table = load_cube(path)
    colours = [evaluate(table, c / 255.0) for c in pixels[..., :3].reshape(-1, 3)]
    return 255.0 * np.clip(colours, 0, 1).reshape(*pixels.shape[:2], 3)


def test_without_tables_and_cdl_it_changes_nothing(gpu, pixels):
    assert np.abs(graded(gpu, pixels) - pixels[..., :3]).max() <= 1


@pytest.mark.parametrize("path", LOOKS, ids=lambda path: path.stem)
def test_a_look_is_what_its_file_says(gpu, pixels, path):
    assert np.abs(graded(gpu, pixels, look_lut=str(path)) - expected(pixels, path)).max() <= 1.1


def test_a_65_cube_is_near_enough(gpu, pixels, tmp_path):
    axis = np.linspace(0, 1, 65)
    b, g, r = np.meshgrid(axis, axis, axis, indexing="ij")
    rows = np.stack([r**1.2, 0.9 * g + 0.1 * r * b, b**0.9], -1).reshape(-1, 3)
    path = tmp_path / "big.cube"
    path.write_text("LUT_3D_SIZE 65\n" + "\n".join(f"{r:.6f} {g:.6f} {b:.6f}" for r, g, b in rows))
    assert np.abs(graded(gpu, pixels, look_lut=str(path)) - expected(pixels, path)).max() <= 2.0


def test_a_curve_and_a_shaper_are_read(gpu, pixels, tmp_path):
    curve = tmp_path / "curve.cube"
    rows = "\n".join(f"{x} {x * x} {1 - x}" for x in np.linspace(0, 1, 33))
    curve.write_text(f"LUT_1D_SIZE 33\n{rows}\n")
    assert np.abs(graded(gpu, pixels, look_lut=str(curve)) - expected(pixels, curve)).max() <= 1.1
    shaped = tmp_path / "shaped.cube"
    shaped.write_text(f"LUT_1D_SIZE 33\nLUT_3D_SIZE 2\n{rows}\n" + UNIT.split("\n", 1)[1])
    assert np.abs(graded(gpu, pixels, look_lut=str(shaped)) - expected(pixels, shaped)).max() <= 1.1


def test_the_input_table_comes_first(gpu, pixels, tmp_path):
    negative = tmp_path / "negative.cube"
    negative.write_text("LUT_1D_SIZE 2\n1 1 1\n0 0 0\n")
    path = assets.folder("shaders") / "luts" / "bleach.cube"
    inverse = pixels.copy()
    inverse[..., :3] = 255 - pixels[..., :3]
    shown = graded(gpu, pixels, input_lut=str(negative), look_lut=str(path))
    assert np.abs(shown - expected(inverse, path)).max() <= 1.1


def test_cdl_is_ascs(gpu, pixels):
    shown = graded(
        gpu,
        pixels,
        slope=(1.1, 0.95, 1.02, 1.05),
        offset=(0.02, -0.01, 0.03, 0.01),
        power=(0.9, 1.1, 1.2, 1.0),
        saturation=1.3,
    )
    c = pixels[..., :3] / 255.0 * np.array([1.1, 0.95, 1.02]) * 1.05
    c = np.clip(c + np.array([0.02, -0.01, 0.03]) + 0.01, 0, 1) ** np.array([0.9, 1.1, 1.2])
    luma = (c @ np.array([0.2126, 0.7152, 0.0722]))[..., None]
    assert np.abs(shown - 255 * np.clip(luma + 1.3 * (c - luma), 0, 1)).max() <= 2.0
