"""Colour tables load as they are meant, and a bad one says which line is at fault."""

from pathlib import Path

import numpy as np
import pytest

from kfx import assets
from kfx.errors import KfxError
from kfx.render import cube

UNIT = "LUT_3D_SIZE 2\n" + "\n".join(f"{r} {g} {b}" for b in (0, 1) for g in (0, 1) for r in (0, 1))


def load(tmp_path: Path, text: str, *, encoding: str = "utf-8"):
    path = tmp_path / "look.cube"
    path.write_bytes(text.encode(encoding))
    return cube.load_cube(path)


def entry(picture, k):
    return picture.reshape(-1, 4)[k]


def evaluate(picture, colour):
    """A colour through a table, by the packing that the docstring of `load_cube` describes."""
    c = np.asarray(colour, float)
    n1, n3 = int(entry(picture, 0)[3]), int(entry(picture, 1)[3])
    if n1:
        x = np.clip(c * entry(picture, 0)[:3] + entry(picture, 1)[:3], 0, n1 - 1)
        width = picture.shape[1]
        start = -(-cube.HEADER_TEXELS // width) * width
        curves = picture.reshape(-1, 4)[start : start + n1, :3]
        c = np.array([np.interp(x[i], range(n1), curves[:, i]) for i in range(3)])
    if n3:
        q = np.clip(c * entry(picture, 2)[:3] + entry(picture, 3)[:3], 0, n3 - 1)
        low = np.minimum(q.astype(int), n3 - 2)
        part = q - low
        row = int(entry(picture, 2)[3])
        table = picture[row:, :, :3].reshape(n3, n3, n3, 3)  # b, g, r
        corner, result, left = low.copy(), 0.0, 1.0
        for axis in [*np.argsort(-part, kind="stable"), None]:
            here = part[axis] if axis is not None else 0.0
            result = result + table[corner[2], corner[1], corner[0]] * (left - here)
            if axis is not None:
                corner[axis] += 1
                left = here
        c = result
    return c


def test_a_unit_cube_changes_nothing(tmp_path):
    picture = load(tmp_path, UNIT)
    assert picture.dtype == np.float32
    for colour in np.random.default_rng(0).random((20, 3)):
        assert evaluate(picture, colour) == pytest.approx(colour, abs=1e-6)


def test_red_runs_fastest(tmp_path):
    rows = [f"{k} 0 0" for k in range(27)]
    picture = load(tmp_path, "\n".join(["LUT_3D_SIZE 3", *rows]))
    table = picture[int(entry(picture, 2)[3]) :, :, 0]
    assert table.shape == (9, 3)
    assert table[0].tolist() == [0, 1, 2]
    assert evaluate(picture, (0, 0.5, 0))[0] == 3
    assert evaluate(picture, (0, 0, 0.5))[0] == 9


def test_a_1d_table_has_its_own_domain_a_channel(tmp_path):
    text = "LUT_1D_SIZE 3\nDOMAIN_MIN 0 0 0\nDOMAIN_MAX 1 2 4\n0 0 0\n0.25 0.5 0.5\n1 1 1\n"
    picture = load(tmp_path, text)
    assert evaluate(picture, (0.5, 1.0, 2.0)) == pytest.approx([0.25, 0.5, 0.5])
    assert evaluate(picture, (-1.0, 9.0, 1.0)) == pytest.approx([0.0, 1.0, 0.25])


def test_a_shaper_stands_before_the_cube(tmp_path):
    cells = UNIT.replace("LUT_3D_SIZE 2\n", "")
    text = (
        "LUT_1D_SIZE 2\nLUT_1D_INPUT_RANGE -1 3\nLUT_3D_SIZE 2\nLUT_3D_INPUT_RANGE 0 4\n"
        f"0 0 0\n4 4 4\n{cells}\n"
    )
    picture = load(tmp_path, text)
    assert evaluate(picture, (-1, 1, 3)) == pytest.approx([0.0, 0.5, 1.0])


def test_a_long_shaper_wraps_over_the_rows_of_a_small_cube(tmp_path):
    curve = "\n".join(f"{k / 99} {k / 99} {1 - k / 99}" for k in range(100))
    text = f"LUT_1D_SIZE 100\nLUT_3D_SIZE 2\n{curve}\n" + UNIT.split("\n", 1)[1]
    assert evaluate(load(tmp_path, text), (0.3, 0.7, 0.2)) == pytest.approx(
        [0.3, 0.7, 0.8], abs=1e-6
    )


@pytest.mark.parametrize(
    "change",
    [
        lambda t: "﻿" + t,
        lambda t: t.replace("\n", "\r\n"),
        lambda t: t.replace("\n", "\r"),
        lambda t: t.replace("\n", "\n\n   \n"),
        lambda t: "# made by hand\n" + t.replace("1 1 1", "1 1 1 # white") + "\n# end",
        lambda t: 'TITLE "a # in quotes 1 2 3"\n' + t,
        lambda t: "MADE_BY_SOMEBODY 1.0\nLUT_3D_INPUT_RANGE 0.0 1.0\n" + t,
        lambda t: t.replace("0 1 1", "\t0.0e0   1.0 +1"),
        lambda t: t.replace("LUT_3D_SIZE", "lut_3d_size"),
    ],
)
def test_it_is_read_tolerantly(tmp_path, change):
    assert evaluate(load(tmp_path, change(UNIT)), (0.1, 0.5, 0.9)) == pytest.approx([0.1, 0.5, 0.9])


def test_video_range_is_taken_off(tmp_path):
    picture = load(tmp_path, "LUT_IN_VIDEO_RANGE\nLUT_OUT_VIDEO_RANGE\n" + UNIT)
    assert evaluate(picture, (0.0, 0.5, 1.0)) == pytest.approx([0.0, 0.5, 1.0], abs=1e-6)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "neither LUT_1D_SIZE nor LUT_3D_SIZE"),
        ("<svg></svg>", "neither LUT_1D_SIZE"),
        ("LUT_3D_SIZE 1\n0 0 0", r"look\.cube:1: LUT_3D_SIZE '1' is no size within 2\.\.120"),
        ("\nLUT_3D_SIZE 256\n", r"look\.cube:2: LUT_3D_SIZE '256'"),
        ("LUT_1D_SIZE many\n", r":1: LUT_1D_SIZE 'many' is no size"),
        ("LUT_1D_SIZE 70000\n", r"within 2\.\.65536"),
        (UNIT + "\n0 0 0", "9 rows of numbers where 8 are due"),
        (UNIT.rsplit("\n", 1)[0], "7 rows of numbers where 8 are due; is it cut short"),
        (UNIT.replace("1 1 1", "1 1"), r"look\.cube:9: '1 1' is no row of three numbers"),
        (UNIT.replace("1 1 1", "1 1 1 1"), r"look\.cube:9"),
        (UNIT.replace("0 1 1", "0 nan 1"), r"look\.cube:8: '0 nan 1'"),
        (UNIT.replace("0 1 1", "nan 0 1"), r"look\.cube:8: 'nan 0 1'"),
        (UNIT.replace("0 1 1", "0,5 1 1"), r"look\.cube:8: '0,5 1 1'"),
        (UNIT.replace("0 1 1", "1e999 1 1"), r"look\.cube:8"),
        ("DOMAIN_MIN 0 0\n" + UNIT, r":1: DOMAIN_MIN '0 0' is no list of 3 numbers"),
        ("DOMAIN_MIN 0 1 0\nDOMAIN_MAX 1 1 1\n" + UNIT, "the input range .* is empty"),
        ("LUT_1D_SIZE 65536\nLUT_3D_SIZE 2\n" + "0 0 0\n" * 65544, "too large beside a cube of 2"),
    ],
)
def test_a_fault_is_named_with_its_line(tmp_path, text, fault):
    with pytest.raises(KfxError, match=fault):
        load(tmp_path, text)


def test_a_missing_and_a_huge_file_are_refused(tmp_path, monkeypatch):
    with pytest.raises(KfxError, match="is the path right"):
        cube.load_cube(tmp_path / "none.cube")
    monkeypatch.setattr(cube, "LARGEST_FILE", 10)
    with pytest.raises(KfxError, match="larger than 0 MB"):
        load(tmp_path, UNIT)


LOOKS = sorted(assets.folder("shaders").glob("luts/*.cube"))


@pytest.mark.parametrize("path", LOOKS, ids=lambda path: path.stem)
def test_the_looks_that_come_with_kfx_keep_greys_in_order(path):
    picture = cube.load_cube(path)
    greys = np.array([evaluate(picture, (x, x, x)) for x in np.linspace(0, 1, 40)])
    assert (np.diff(greys @ (0.2126, 0.7152, 0.0722)) > 0).all()
    assert (greys[0] < 0.08).all()
    assert (greys[-1] > 0.9).all()
