"""Stills and sequences: upright, eight bits, every number there."""

from fractions import Fraction

import cv2
import numpy as np
import pytest

from kfx import sinks, sources
from kfx.errors import KfxError, UsageError
from kfx.types import FIRST_NUMBER, Shot, StreamInfo, Tick
from tests.unit import media


def read(spec, **cut):
    with sources.open(str(spec), **cut) as source:
        return source, list(source.frames())


def save(path, array, options=()):
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(cv2.imencode(path.suffix, array, list(options))[1])
    return path


def sequence(folder, numbers, size=(32, 24), name="plate.%04d.png"):
    for number in numbers:
        save(folder / (name % number), np.full((size[1], size[0], 3), number % 250, np.uint8))
    return folder / name


def test_a_still_is_one_frame(tmp_path):
    save(tmp_path / "ünï.png", np.full((24, 32, 3), (30, 60, 200), np.uint8))
    source, frames = read(tmp_path / "ünï.png")
    assert source.info.size == (32, 24)
    assert source.info.rate == 25
    assert source.info.frame_count == len(frames) == 1
    assert not source.info.has_alpha
    assert tuple(frames[0].pixels[0, 0]) == (200, 60, 30, 255)
    assert not frames[0].pixels.flags.writeable


def test_a_still_can_be_repeated(tmp_path):
    path = save(tmp_path / "a.png", np.zeros((24, 32, 3), np.uint8))
    source, frames = read(f"{path}?fps=24&seconds=2.5")
    assert source.info.frame_count == len(frames) == 60
    assert [f.time for f in frames] == [Fraction(i, 24) for i in range(60)]
    _, cut = read(f"{path}?seconds=2", start_s=Fraction(1, 2), stop_s=Fraction(1))
    assert [f.index for f in cut] == list(range(13, 25))


@pytest.mark.parametrize("seconds", ["0", "-1", "x", "1/0", "999999"])
def test_silly_lengths_are_refused(tmp_path, seconds):
    path = save(tmp_path / "a.png", np.zeros((24, 32, 3), np.uint8))
    with pytest.raises(UsageError, match="seconds"):
        sources.open(f"{path}?seconds={seconds}")


@pytest.mark.parametrize(
    ("suffix", "array", "expected", "note"),
    [
        (".png", np.full((4, 4), 77, np.uint8), (77, 77, 77, 255), ""),
        (".png", np.full((4, 4, 4), (1, 2, 3, 90), np.uint8), (3, 2, 1, 90), ""),
        (".png", np.full((4, 4, 3), (257, 514, 65535), np.uint16), (255, 2, 1, 255), "16-bit"),
        (".tiff", np.full((4, 4), 32768, np.uint16), (128, 128, 128, 255), "16-bit"),
        (".tiff", np.full((4, 4, 3), (0, 0.5, 9), np.float32), (255, 128, 0, 255), "floating"),
        (".bmp", np.full((4, 4, 3), (1, 2, 3), np.uint8), (3, 2, 1, 255), ""),
        (".webp", np.full((16, 16, 4), (10, 20, 30, 90), np.uint8), (30, 20, 10, 90), ""),
    ],
)
def test_depths_and_channels(tmp_path, suffix, array, expected, note):
    path = save(
        tmp_path / f"a{suffix}",
        array,
        (cv2.IMWRITE_WEBP_QUALITY, 101, cv2.IMWRITE_TIFF_COMPRESSION, 1),
    )
    source, frames = read(path)
    found = frames[0].pixels[1, 1].astype(int)
    assert np.abs(found - expected).max() <= 1
    assert source.info.has_alpha == (expected[3] < 255)
    assert any(note in said for said in source.info.notes) if note else not source.info.notes


def test_cmyk_and_palette(tmp_path):
    from PIL import Image

    Image.new("CMYK", (16, 16), (0, 255, 255, 0)).save(tmp_path / "a.jpg", quality=95)
    assert np.abs(read(tmp_path / "a.jpg")[1][0].pixels[4, 4].astype(int)[[1, 2]]).max() < 60
    image = Image.new("P", (16, 16), 1)
    image.putpalette([0, 0, 0, 10, 200, 30])
    image.save(tmp_path / "b.png")
    assert tuple(read(tmp_path / "b.png")[1][0].pixels[4, 4]) == (10, 200, 30, 255)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_rotation(tmp_path, orientation):
    from PIL import Image, ImageOps

    upright = np.zeros((24, 40, 3), np.uint8)
    upright[:12, :20], upright[:12, 20:], upright[12:, :20] = (250, 0, 0), (0, 250, 0), (0, 0, 250)
    exif = Image.Exif()
    exif[274] = orientation
    Image.fromarray(upright).save(tmp_path / "a.jpg", quality=100, subsampling=0, exif=exif)
    with Image.open(tmp_path / "a.jpg") as image:
        wanted = np.asarray(ImageOps.exif_transpose(image)).astype(int)
    source, frames = read(tmp_path / "a.jpg")
    assert source.info.size == (wanted.shape[1], wanted.shape[0])
    assert np.abs(frames[0].pixels[..., :3] - wanted).max() <= 4


def test_sequence_starts_at_its_lowest_number(tmp_path):
    pattern = sequence(tmp_path / "p", range(1001, 1011))
    save(tmp_path / "p" / "plate.12.png", np.zeros((2, 2, 3), np.uint8))  # other digits
    save(tmp_path / "p" / "matte.1000.png", np.zeros((2, 2, 3), np.uint8))
    source, frames = read(pattern)
    assert source.info.rate == 24
    assert [f.index for f in frames] == list(range(10))
    assert [f.time for f in frames] == [Fraction(i, 24) for i in range(10)]
    assert [int(f.pixels[0, 0, 0]) for f in frames] == [n % 250 for n in range(1001, 1011)]
    source, frames = read(f"{pattern}?fps=23.976", start_s=Fraction(1, 8))
    assert source.info.rate == Fraction(24000, 1001)
    assert frames[0].index == 3


def test_a_gap_names_the_file(tmp_path):
    pattern = sequence(tmp_path / "p", [1, 2, 3, 6, 7])
    with pytest.raises(KfxError, match=r"plate\.0004\.png and 1 more is missing"):
        sources.open(str(pattern))
    assert len(read(pattern, stop_s=Fraction(3, 24))[1]) == 3
    assert len(read(pattern, start_s=Fraction(5, 24))[1]) == 2
    source, frames = read(f"{pattern}?gaps=hold")
    assert [int(f.pixels[0, 0, 0]) for f in frames] == [1, 2, 3, 3, 3, 6, 7]
    assert len(source.warnings) == 2
    with pytest.raises(UsageError, match="neither error nor hold"):
        sources.open(f"{pattern}?gaps=skip")


def test_sizes_must_agree(tmp_path):
    pattern = sequence(tmp_path / "p", range(3))
    sequence(tmp_path / "p", [3], size=(40, 24))
    with pytest.raises(KfxError, match=r"plate\.0003\.png: is 40x24"):
        read(pattern)


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("none.png", None, "no such file"),
        ("empty.png", b"", "empty"),
        ("text.jpg", b"no picture", "can't be read as a picture"),
        ("noise.png", np.random.default_rng(0).bytes(9999), "can't be read as a picture"),
        ("f/plate.%04d.png", None, "doesn't exist"),
        ("plate.%04d.png", None, "no file in"),
        ("a%02d.b%02d.png", None, "one number"),
        ("a.png?mood=1", None, "unknown option"),
    ],
)
def test_what_is_no_picture_is_refused(tmp_path, name, content, says):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(KfxError, match=says) as caught:
        sources.open(str(tmp_path / name))
    assert str(tmp_path) in str(caught.value)


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_half_a_picture_is_refused(tmp_path, suffix):
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    path = save(tmp_path / f"a{suffix}", noise)
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(KfxError, match="cut off"):
        sources.open(str(path))


def test_alpha_of_a_later_frame_is_kept(tmp_path):
    for number, alpha in enumerate((255, 90)):
        save(tmp_path / f"a{number}.png", np.full((4, 4, 4), (1, 2, 3, alpha), np.uint8))
    source, frames = read(tmp_path / "a%d.png")
    assert source.info.has_alpha
    assert frames[1].pixels[0, 0, 3] == 90


def test_written_sequence_comes_back(tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (48, 64, 4), np.uint8)
    stream = StreamInfo((64, 48), Fraction(24), has_alpha=True)
    with sinks.open(str(tmp_path / "%06d.png"), stream) as sink:
        for index in range(4):
            sink.write(media.shot(noise, index, index / Fraction(24)))
    assert all(np.array_equal(f.pixels, noise) for f in read(tmp_path / "%06d.png")[1])


def test_files_keep_the_numbers_of_their_plate(tmp_path):
    sequence(tmp_path / "in", [7, 8, 9])
    with sources.open(str(tmp_path / "in" / "plate.%04d.png"), start_s=Fraction(1, 24)) as source:
        assert source.info.first_number == 7
        stream = StreamInfo(source.info.size, source.info.rate, first_number=7)
        with sinks.open(str(tmp_path / "out" / "fx.%05d.png"), stream) as sink:
            for frame in source.frames():
                sink.write(Shot(frame.pixels, Tick(frame.index, float(frame.time), 0.0, frame)))
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["fx.00008.png", "fx.00009.png"]


def test_a_still_begins_as_a_file_does(tmp_path):
    save(tmp_path / "one.png", np.zeros((24, 32, 3), np.uint8))
    with sources.open(str(tmp_path / "one.png")) as source:
        assert source.info.first_number == FIRST_NUMBER == 1001
