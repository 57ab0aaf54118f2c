"""AOVs written beside a render: their names, their values, and how they vanish."""

import io
import itertools
from fractions import Fraction

import av
import cv2
import numpy as np
import pytest

from kfx import cli, presets, sources
from kfx.canonical import canonical
from kfx.engine import aov_names, offline
from kfx.errors import KfxError, UsageError
from kfx.sinks.aov import AovSequence, spec_beside
from kfx.types import FIRST_NUMBER, StreamInfo

SIZE = (320, 180)
STREAM = StreamInfo(SIZE, Fraction(30))


def exr(path):
    """(h, w, channels) float32 in RGBA order."""
    with av.open(io.BytesIO(path.read_bytes()), format="exr_pipe") as container:
        frame = next(container.decode(video=0))
    planes = [np.frombuffer(p, np.float32).reshape(frame.height, -1) for p in frame.planes]
    order = (2, 0, 1, 3)[: len(planes)]
    return np.stack([planes[i][:, : frame.width] for i in order], axis=2)


def png(path):
    """(h, w, channels) uint16 in RGBA order."""
    image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert image.dtype == np.uint16
    return cv2.cvtColor(image, cv2.COLOR_BGRA2RGBA) if image.ndim == 3 else image


@pytest.mark.parametrize(
    ("out", "beside"),
    [
        ("out.mp4", "out.uv.%06d.png"),
        ("a/b.c.mov", "a/b.c.uv.%06d.png"),
        ("fx.%04d.png", "fx.uv.%04d.png"),
        ("frames/%06d.png", "frames/uv.%06d.png"),
        ("still.png", "still.uv.png"),
    ],
)
def test_the_files_lie_beside_the_picture(out, beside):
    assert spec_beside(out, "uv") == beside


def test_names():
    assert aov_names.parse("uv, matte,uv") == ("uv", "matte")
    with pytest.raises(UsageError, match=r"--aov depth: unknown; write some of uv,normal"):
        aov_names.parse("uv,depth")
    with pytest.raises(UsageError, match="--aov"):
        aov_names.parse(",")


def values(name):
    random = np.random.default_rng(5)
    low, high = {"normal": (-1, 1), "motion": (-500, 500)}.get(name, (0, 1))
    shape = (180, 320) if name == "matte" else (180, 320, 4)
    data = random.uniform(low, high, shape).astype(np.float32)
    if name == "motion":
        data[..., 2] = 0
    if name != "matte":
        data[..., 3] = random.uniform(0, 1, shape[:2])
    return data


@pytest.mark.parametrize("name", aov_names.AOVS)
def test_a_png_decodes_to_what_was_drawn(tmp_path, name):
    data = values(name)
    with AovSequence(name, str(tmp_path / "o.mp4"), STREAM) as sequence:
        sequence.put(7, data)
    read = png(tmp_path / f"o.{name}.001008.png").astype(np.float64)
    back = read / 65535
    if name == "normal":
        back[..., :3] = read[..., :3] / 32767.5 - 1
    if name == "motion":
        back[..., :2] = (read[..., :2] - 32768) / 64
    assert np.abs(back - data).max() <= {"motion": 1 / 128, "normal": 2e-5}.get(name, 1e-5) * 1.01


@pytest.mark.parametrize("name", aov_names.AOVS)
def test_an_exr_holds_it_exactly(tmp_path, name):
    data = values(name)
    with AovSequence(name, str(tmp_path / "o.mp4"), STREAM, suffix=".exr") as sequence:
        sequence.put(7, data)
    read = exr(tmp_path / f"o.{name}.001008.exr")
    assert (read == (data if data.ndim == 3 else data[..., None])).all()


def test_what_a_png_cannot_hold_is_clipped(tmp_path):
    data = np.full((4, 4, 4), 9000, np.float32)
    data[:2] = -9000
    with AovSequence("motion", str(tmp_path / "o.mp4"), STREAM) as sequence:
        sequence.put(0, data)
    read = png(tmp_path / "o.motion.001001.png")
    assert (read[2:, :, 0] == 65535).all()
    assert (read[:2, :, 0] == 0).all()


def render(out, names, *, start="0", stop="0.2", **options):
    with sources.open(
        "performer", size=SIZE, start_s=Fraction(start), stop_s=Fraction(stop)
    ) as source:
        return offline.render(
            source,
            options.pop("preset", presets.load("none")),
            str(out),
            size=SIZE,
            tracker="truth",
            aov=names,
            **options,
        )


def truth(start="0", stop="0.2"):
    with sources.open(
        "performer", size=SIZE, start_s=Fraction(start), stop_s=Fraction(stop)
    ) as source:
        return [(FIRST_NUMBER + f.index, f.truth[0].landmarks) for f in source.frames()]


def test_a_clean_plate_has_aovs_with_the_pictures_numbers(tmp_path):
    names = tuple(aov_names.AOVS)
    render(tmp_path / "x.%04d.png", names, start="0.5", stop="0.7")
    known = truth("0.5", "0.7")
    wanted = {f"x.{i:04d}.png" for i, _ in known}
    wanted |= {f"x.{name}.{i:04d}.png" for i, _ in known for name in names}
    assert {path.name for path in tmp_path.iterdir()} == wanted
    (_, before), (index, points) = known[2:4]
    at = points[5, :2].astype(int)

    def pixel(name):
        return png(tmp_path / f"x.{name}.{index:04d}.png")[at[1], at[0]].astype(float)

    np.testing.assert_allclose(pixel("uv")[:2] / 65535, canonical().uv[5], atol=0.02)
    assert pixel("uv")[3] == 65535
    moved = (pixel("motion")[:2] - 32768) / 64
    np.testing.assert_allclose(moved, (points - before)[5, :2] * (1, -1), atol=0.12)  # smoothed
    assert np.abs(moved).max() > 0.25
    assert pixel("normal")[2] / 32767.5 - 1 > 0.7
    assert pixel("parts")[0] == 65535
    assert pixel("matte") == 65535
    assert png(tmp_path / f"x.matte.{index:04d}.png")[2, 2] == 0


def test_the_values_are_as_fine_and_as_far_as_they_were_drawn(tmp_path):
    render(
        tmp_path / "x.mp4", ("uv", "normal", "motion"), start="0.2", stop="0.6", aov_format="exr"
    )
    known = truth("0.2", "0.6")
    moved, expected = [], []
    for (_, before), (index, points) in itertools.pairwise(known):
        x, y = points[5, :2].astype(int)
        moved.append(exr(tmp_path / f"x.motion.{index:06d}.exr")[y, x, :2])
        expected.append((points - before)[5, :2] * (1, -1))
    np.testing.assert_allclose(moved, expected, atol=0.3)  # smoothed
    assert min(map(min, moved)) < -0.2  # down too
    assert max(map(max, moved)) > 0.2
    uv, normal = (exr(tmp_path / f"x.{name}.{index:06d}.exr") for name in ("uv", "normal"))
    on = uv[..., 3] > 0.99
    assert len(np.unique(uv[..., 0][on])) > 0.5 * on.sum()  # not steps of a byte
    assert (normal[..., 0][on] < -0.3).any()
    assert (normal[..., 0][on] > 0.3).any()
    np.testing.assert_allclose(np.linalg.norm(normal[..., :3][on], axis=1), 1.0, atol=1e-3)


def test_motion_effects_are_in_the_aovs(tmp_path):
    look = presets.with_settings(presets.load("supernova"), ["expr_amp.gain=3"])
    render(tmp_path / "p.mp4", ("uv",), stop="1", aov_format="exr")
    render(tmp_path / "q.mp4", ("uv",), stop="1", aov_format="exr", preset=look)
    last = sorted(tmp_path.glob("p.uv.*"))[-1].name
    plain, driven = exr(tmp_path / last), exr(tmp_path / last.replace("p.", "q.", 1))
    assert np.abs(plain - driven).max() > 0.05


def test_files_that_exist_are_refused_before_anything_is_written(tmp_path):
    (tmp_path / "o.uv.001004.png").write_bytes(b"mine")
    with pytest.raises(KfxError, match=r"o\.uv\.001004\.png exists; add --force"):
        render(tmp_path / "o.mp4", ("normal", "uv"))
    assert [path.name for path in tmp_path.iterdir()] == ["o.uv.001004.png"]
    render(tmp_path / "o.mp4", ("uv",), overwrite=True)
    assert png(tmp_path / "o.uv.001004.png").shape == (180, 320, 4)


def test_a_failure_leaves_nothing(tmp_path):
    def stop(shot):
        if shot.tick.index == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        render(tmp_path / "deep" / "o.mp4", ("uv", "matte"), on_shot=stop)
    assert list(tmp_path.iterdir()) == []


def test_without_faces_there_is_nothing_but_files(tmp_path):
    still = tmp_path / "grey.png"
    cv2.imwrite(str(still), np.full((180, 320, 3), 128, np.uint8))
    with sources.open(str(still), size=SIZE) as source:
        offline.render(source, presets.load("none"), str(tmp_path / "o.png"), aov=("uv", "parts"))
    assert png(tmp_path / "o.uv.png").max() == 0
    assert png(tmp_path / "o.parts.png").max() == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-o", "x.mp4", "--aov", "depth"], "--aov depth: unknown"),
        (["-o", "null", "--aov", "uv"], "is written beside a file"),
    ],
)
def test_the_command_says_what_is_wrong(capsys, arguments, message):
    assert cli.main(["render", "performer", "-p", "none", "--to", "0.1", *arguments]) != 0
    assert message in capsys.readouterr().err
