"""Written files: frames, times, tags, timecode, audio and colours come back as they went in."""

import errno
import os
import shutil
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from kfx import sinks, sources
from kfx.errors import KfxError, UsageError
from kfx.types import ColourTags, Frame, Shot, StreamInfo, Tick
from tests.unit import media

SHARED = Path(__file__).resolve().parents[2] / "../shared/data/faces/video"
SIZE = (64, 48)


def write(path, pictures, *, stamps=None, rate=Fraction(25), **stream):
    height, width = pictures[0].shape[:2]
    info = StreamInfo(size=(width, height), rate=rate, **stream)
    with sinks.open(str(path), info) as sink:
        for index, picture in enumerate(pictures):
            time = stamps[index] if stamps else index / rate
            sink.write(media.shot(picture, index, time))
    return sink


def read(path, **cut):
    with sources.open(str(path), **cut) as source:
        return source.info, list(source.frames())


@pytest.mark.parametrize("suffix", ["mp4", "mov"])
@pytest.mark.parametrize("rate", ["24000/1001", "25", "30000/1001", "30", "60", "12", "47/3"])
def test_constant_rate_round_trip(tmp_path, suffix, rate):
    rate = Fraction(rate)
    path = tmp_path / f"a.{suffix}"
    sink = write(path, [media.numbered(i) for i in range(40)], rate=rate)
    info, frames = read(path)
    assert info.rate == rate
    assert not info.variable_rate
    assert info.frame_count == 40
    assert [f.time for f in frames] == [i / rate for i in range(40)]
    assert [media.number_of(f.pixels) for f in frames] == [i % 25 for i in range(40)]
    assert sink.dropped == 0
    assert os.listdir(tmp_path) == [path.name]
    with av.open(str(path)) as container:
        video = container.streams.video[0]
        assert video.average_rate == rate
        assert abs(video.duration * video.time_base - 40 / rate) < Fraction(1, 1000)


@pytest.mark.parametrize("suffix", ["mp4", "mov"])
@pytest.mark.parametrize("scale", [600, 1000, 15360, 90000])
def test_variable_rate_is_preserved(tmp_path, suffix, scale):
    steps = (0, 33, 66, 116, 133, 344, 377, 411)
    stamps = [Fraction(7, 3) + Fraction(n * scale // 1000, scale) for n in steps]
    path = tmp_path / f"a.{suffix}"
    write(path, [media.numbered(i) for i in range(8)], rate=Fraction(30), stamps=stamps)
    info, frames = read(path)
    assert info.variable_rate
    assert [f.time for f in frames] == [stamp - stamps[0] for stamp in stamps]


@pytest.mark.parametrize("suffix", ["mp4", "mov"])
@pytest.mark.parametrize("code", ["01:00:00:00", "00:59:59;28"])
def test_timecode_round_trip(tmp_path, suffix, code):
    path = tmp_path / f"a.{suffix}"
    write(path, [media.numbered(0)] * 5, rate=Fraction(30000, 1001), timecode=code)
    info, frames = read(path)
    assert info.timecode == code
    assert frames[2].timecode in ("01:00:00:02", "01:00:00;00")


PURE = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255), (0, 0, 0), (200, 50, 100)]


def weights(matrix):
    return {1: (0.2126, 0.0722), 9: (0.2627, 0.0593)}.get(matrix, (0.299, 0.114))


def expected_codes(colour, matrix, full):
    """8-bit Y, Cb, Cr (ITU-T H.273, 8.3)."""
    red_weight, blue_weight = weights(matrix)
    red, green, blue = (c / 255 for c in colour)
    luma = red_weight * red + (1 - red_weight - blue_weight) * green + blue_weight * blue
    cb, cr = (blue - luma) / (2 - 2 * blue_weight), (red - luma) / (2 - 2 * red_weight)
    if full:
        return 255 * luma, 255 * cb + 128, 255 * cr + 128
    return 219 * luma + 16, 224 * cb + 128, 224 * cr + 128


@pytest.mark.parametrize("colour", PURE)
@pytest.mark.parametrize(("suffix", "within", "back"), [("mp4", 1.5, 2), ("mov", 1, 1)])
@pytest.mark.parametrize("matrix", [1, 6, 9])
@pytest.mark.parametrize("full", [False, True])
def test_colours_are_coded_by_the_tags(tmp_path, colour, suffix, within, back, matrix, full):
    path = tmp_path / f"a.{suffix}"
    write(path, [media.flat(colour)] * 2, colour=ColourTags(1, 1, matrix, full))
    full = full and suffix == "mp4"  # ProRes has no full range
    with av.open(str(path)) as container:
        coded = next(container.decode(video=0))
    assert coded.colorspace == matrix
    assert coded.color_primaries == coded.color_trc == 1
    assert (coded.color_range == 2) == full
    bits = coded.format.components[0].bits
    kind = np.uint8 if bits == 8 else np.uint16
    codes = [float(np.frombuffer(plane, kind)[0]) / 2 ** (bits - 8) for plane in coded.planes]
    assert np.abs(np.subtract(codes, expected_codes(colour, matrix, full))[:3]).max() <= within
    _, frames = read(path)
    assert np.abs(frames[0].pixels[..., :3].astype(int) - colour).max() <= back


@pytest.mark.parametrize("suffix", ["mp4", "mov"])
@pytest.mark.parametrize(
    ("height", "colour", "tags"),
    [
        (48, ColourTags(), ColourTags(6, 6, 6)),
        (576, ColourTags(), ColourTags(5, 6, 5)),
        (592, ColourTags(), ColourTags(1, 1, 1)),
        (48, ColourTags(9, 16, 9), ColourTags(9, 16, 9)),
        (48, ColourTags(1, 13, 0, True), ColourTags(1, 1, 6)),
        (48, ColourTags(1, 13, 1, True), ColourTags(1, 13, 1, True)),
    ],
)
def test_every_tag_is_written(tmp_path, suffix, height, colour, tags):
    path = tmp_path / f"a.{suffix}"
    write(path, [media.flat((90, 90, 90), (64, height))] * 2, colour=colour)
    found = read(path)[0].colour
    if suffix == "mov":  # ProRes: limited range, 601 and 709 are one curve, 5 is called 6
        curve = {6: 1, 13: 2}.get(tags.transfer, tags.transfer)
        tags = ColourTags(tags.primaries, curve, {5: 6}.get(tags.matrix, tags.matrix))
    assert found == tags


@pytest.mark.parametrize("size", [(63, 48), (64, 47), (63, 47)])
def test_odd_sizes(tmp_path, size):
    picture = media.flat((40, 90, 200), size)
    sink = write(tmp_path / "a.mp4", [picture] * 3)
    assert any("padded" in note for note in sink.warnings)
    info, frames = read(tmp_path / "a.mp4")
    assert info.size == (64, 48)
    assert np.abs(frames[0].pixels[..., :3].astype(int) - (40, 90, 200)).max() <= 2
    write(tmp_path / "a.mov", [picture] * 3)
    assert read(tmp_path / "a.mov")[0].size == size


def test_prores_keeps_straight_alpha(tmp_path):
    picture = media.flat((220, 60, 20))
    picture[:, 32:, 3] = 100
    write(tmp_path / "a.mov", [picture] * 3, has_alpha=True)
    info, frames = read(tmp_path / "a.mov")
    assert info.has_alpha
    found = frames[0].pixels.astype(int)
    assert np.abs(found[:, 4:28] - (220, 60, 20, 255)).max() <= 2
    assert np.abs(found[:, 36:60] - (220, 60, 20, 100)).max() <= 2
    with av.open(str(tmp_path / "a.mov")) as container:
        assert container.streams.video[0].codec_context.codec_tag == "ap4h"


def test_mp4_lays_alpha_over_black(tmp_path):
    picture = media.flat((220, 60, 20))
    picture[..., 3] = 128
    sink = write(tmp_path / "a.mp4", [picture] * 3, has_alpha=True)
    assert any("over black" in note for note in sink.warnings)
    _, frames = read(tmp_path / "a.mp4")
    assert np.abs(frames[0].pixels[..., :3].astype(int) - (110, 30, 10)).max() <= 2


def test_flipped_views_and_reused_pixels(tmp_path):
    picture = media.flat((200, 30, 30))
    picture[:24] = (30, 30, 200, 255)
    upside_down = picture[::-1].copy()[::-1]
    assert upside_down.strides[0] < 0
    for name in ("a.mp4", "a.mov", "a.%02d.png"):
        with sinks.open(str(tmp_path / name), StreamInfo(SIZE, Fraction(25))) as sink:
            for index in range(3):
                sink.write(media.shot(upside_down, index, index / Fraction(25)))
    for name in ("a.mp4", "a.mov", "a.%02d.png"):
        top = read(tmp_path / name)[1][0].pixels[4, 4, :3].astype(int)
        assert np.abs(top - (30, 30, 200)).max() <= 2, name


@pytest.mark.parametrize(("suffix", "codec"), [("mp4", "aac"), ("mov", "aac")])
def test_audio_is_copied(tmp_path, suffix, codec):
    path = media.make(tmp_path / "in.mp4", [media.numbered(i) for i in range(50)], tone_s=2)
    info, frames = read(path)
    write(tmp_path / f"a.{suffix}", [f.pixels for f in frames], audio=info.audio)
    with av.open(str(tmp_path / f"a.{suffix}")) as container:
        assert container.streams.audio[0].codec_context.codec.canonical_name == codec
    before, after = media.sound(path), media.sound(tmp_path / f"a.{suffix}")
    assert abs(before[0] - after[0]) < 0.02
    assert abs(before[1] - after[1]) < 0.02
    assert np.array_equal(before[2][2000:90000], after[2][2000:90000])


def clicks(path, codec, *, start_s=0.0):
    """Two seconds of picture; the sound clicks at every quarter second of the picture."""
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", 25)
        video.width, video.height = SIZE
        audio = container.add_stream(codec, rate=48000)
        for index in range(50):
            frame = av.VideoFrame.from_ndarray(media.numbered(index), "rgba")
            frame = frame.reformat(format="yuv420p")
            frame.pts, frame.time_base = index, Fraction(1, 25)
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        wave = np.zeros((2, 96000), np.float32)
        for at in range(0, 96000, 12000):
            wave[:, at + 100 : at + 150] = 0.9
        wave = wave[:, round(start_s * 48000) :]
        sound = av.AudioFrame.from_ndarray(np.ascontiguousarray(wave), "fltp", "stereo")
        sound.sample_rate, sound.time_base = 48000, Fraction(1, 48000)
        sound.pts = round(start_s * 48000)
        container.mux(audio.encode(sound))
        container.mux(audio.encode(None))
    return path


@pytest.mark.parametrize("suffix", ["mp4", "mov"])
@pytest.mark.parametrize(
    ("name", "codec"),
    [("in.mp4", "aac"), ("in.mkv", "libopus"), ("in.mkv", "mp2"), ("in.mov", "pcm_s16le")],
)
@pytest.mark.parametrize("late", [0.0, 0.3])
@pytest.mark.parametrize(("start", "stop"), [(0, None), ("3/5", "8/5"), ("19/20", "6/5")])
def test_audio_stays_in_step_with_a_cut(tmp_path, suffix, name, codec, late, start, stop):
    source = clicks(tmp_path / name, codec, start_s=late)
    start, stop = Fraction(start), None if stop is None else Fraction(stop)
    info, frames = read(source, start_s=start, stop_s=stop)
    path = tmp_path / f"out.{suffix}"
    write(
        path,
        [f.pixels for f in frames],
        stamps=[f.time for f in frames],
        audio=info.audio,
        audio_from=start,
        audio_to=stop,
    )
    _, written = read(path)
    assert len(written) == len(frames)
    begins, ends, samples = media.sound(path)
    loud = np.flatnonzero(np.abs(samples) > 0.4)
    heard = [at for i, at in enumerate(loud) if i == 0 or at - loud[i - 1] > 2000]
    times = [begins + (at - 100) / 48000 for at in heard]
    end = stop or Fraction(2)
    start = frames[0].time
    wanted = [n / 4 for n in range(8) if n / 4 >= max(late, float(start)) and n / 4 + 0.02 < end]
    wanted = [at - float(start) for at in wanted]
    times = [at for at in times if -0.005 <= at < float(end - start) - 0.01]
    assert len(times) == len(wanted)
    assert np.abs(np.subtract(times, wanted)).max(initial=0) < 0.008
    assert abs(ends - float(end - start)) < 1 / 25 + 0.022


@pytest.mark.parametrize("name", ["a.mp4", "a.mov", "a.%04d.png", "new/folder/a.mp4", "a.png"])
def test_nothing_is_left_after_an_error(tmp_path, name):
    before = sorted(tmp_path.rglob("*"))
    sink = sinks.open(str(tmp_path / name), StreamInfo(SIZE, Fraction(25)))

    def break_off():
        with sink:
            sink.write(media.shot(media.numbered(1), 0, Fraction(0)))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        break_off()
    assert sorted(tmp_path.rglob("*")) == before
    sink.abort()
    sink.close()


@pytest.mark.parametrize("name", ["a.mp4", "a.mov", "a.%04d.png", "a.png"])
def test_overwriting_needs_force(tmp_path, name):
    pictures = [media.numbered(1)]
    write(tmp_path / name, pictures)
    with pytest.raises(KfxError, match=r"exists; add --force to replace it"):
        write(tmp_path / name, pictures)
    write(tmp_path / name, [media.numbered(9)], overwrite=True)
    assert media.number_of(read(tmp_path / name)[1][0].pixels) == 9
    assert len(os.listdir(tmp_path)) == 1


def test_an_abort_keeps_what_was_there(tmp_path):
    path = tmp_path / "a.mp4"
    write(path, [media.numbered(3)] * 3)
    before = path.read_bytes()
    sink = sinks.open(str(path), StreamInfo(SIZE, Fraction(25), overwrite=True))
    sink.write(media.shot(media.numbered(1), 0, Fraction(0)))
    sink.abort()
    assert path.read_bytes() == before


def test_missing_folders_are_made(tmp_path):
    write(tmp_path / "x/y/a.mp4", [media.numbered(1)])
    assert read(tmp_path / "x/y/a.mp4")[0].frame_count == 1


@pytest.mark.parametrize(
    ("name", "error", "says"),
    [
        ("", KfxError, "is a folder"),
        ("file.txt/a.mp4", KfxError, "a part of its path is a file"),
        ("a.%04d.mp4", UsageError, "only .png can be numbered"),
        ("a%02d.b%02d.png", UsageError, "one number"),
        ("x" * 300 + ".mp4", KfxError, "name is too long|can't be written"),
    ],
)
def test_bad_targets_are_refused(tmp_path, name, error, says):
    (tmp_path / "file.txt").write_text("x")
    from kfx.sinks import file

    with pytest.raises(error, match=says):
        file.open_sink(str(tmp_path / name), StreamInfo(SIZE, Fraction(25)))
    assert os.listdir(tmp_path) == ["file.txt"]


def test_unwritable_folder(tmp_path):
    if not hasattr(os, "geteuid") or os.geteuid() == 0:
        pytest.skip("this user may write everywhere")
    tmp_path.chmod(0o500)
    with pytest.raises(KfxError, match="check the permissions"):
        write(tmp_path / "a.mp4", [media.numbered(1)])


@pytest.mark.parametrize("name", ["a.mp4", "a.mov", "a.%04d.png"])
def test_full_disk(name):
    """A file system of 300 kB, where this user may mount one."""
    folder = Path("/tmp") / f"kfx_full_disk_{os.getpid()}"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", str(folder)]
    if not shutil.which("mount") or subprocess.run(command, capture_output=True).returncode:
        folder.rmdir()
        pytest.skip("a small file system can't be mounted here")
    try:
        rng = np.random.default_rng(0)
        noise = [rng.integers(0, 255, (240, 320, 4), np.uint8) for _ in range(30)]
        with pytest.raises(KfxError, match="disk is full"):
            write(folder / name, noise)
        assert os.listdir(folder) == []
    finally:
        subprocess.run(["umount", str(folder)], check=True)
        folder.rmdir()


def test_full_disk_while_saving_pictures(tmp_path, monkeypatch):
    def full(self, data):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(KfxError, match="disk is full"):
        write(tmp_path / "a.%04d.png", [media.numbered(i) for i in range(20)])
    assert os.listdir(tmp_path) == []


def test_a_live_show_keeps_the_pictures_from_before_the_disk_was_full(tmp_path, monkeypatch):
    real = Path.write_bytes

    def full(self, data):
        if int(self.suffixes[0][1:]) < 7:
            return real(self, data)
        real(self, data[:100])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    info = StreamInfo(SIZE, Fraction(25), live=True, first_number=0)
    sink = sinks.open(str(tmp_path / "a.%04d.png"), info)
    shots = (media.shot(media.numbered(index), index, index / 25) for index in range(30))
    with pytest.raises(KfxError, match=r"disk is full; .*what was written before is kept$"):
        all(sink.write(shot) is None for shot in shots)
    with pytest.raises(KfxError, match="disk is full"):  # of what still waited
        sink.close()
    assert sorted(os.listdir(tmp_path)) == [f"a.{n:04}.png" for n in range(7)]
    assert media.number_of(read(tmp_path / "a.0006.png")[1][0].pixels) == 6


def test_live_times_and_equal_stamps(tmp_path):
    info = StreamInfo(SIZE, Fraction(30), live=True)
    times = [5.0, 5.033, 5.033, 5.071, 5.07, 5.2]
    with sinks.open(str(tmp_path / "a.mp4"), info) as sink:
        for index, time in enumerate(times):
            frame = Frame(media.numbered(index), index, Fraction(0), 0.0)
            sink.write(Shot(frame.pixels, Tick(index, time, 0.0, frame)))
    assert (sink.written, sink.dropped) == (4, 2)
    _, frames = read(tmp_path / "a.mp4")
    assert [round(float(f.time), 3) for f in frames] == [0, 0.033, 0.071, 0.2]


def test_a_frame_of_another_size_is_refused(tmp_path):
    with pytest.raises(KfxError, match="32x24"):
        write(tmp_path / "a.mp4", [media.numbered(0), media.numbered(1, (32, 24))])
    assert os.listdir(tmp_path) == []


def test_no_shot_at_all(tmp_path):
    for name in ("a.mp4", "a.mov", "a.%04d.png"):
        with pytest.raises(KfxError, match="no frame"):
            sinks.open(str(tmp_path / name), StreamInfo(SIZE, Fraction(25))).close()
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("has_alpha", [False, True])
def test_png_sequence_is_exact(tmp_path, has_alpha):
    rng = np.random.default_rng(0)
    pictures = [rng.integers(0, 255, (48, 64, 4), np.uint8) for _ in range(12)]
    info = StreamInfo(SIZE, Fraction(24), has_alpha=has_alpha, first_number=1)
    with sinks.open(str(tmp_path / "f/%06d.png"), info) as sink:
        for index, picture in enumerate(pictures, 100):
            sink.write(media.shot(picture, index, index / Fraction(24)))
    names = sorted(os.listdir(tmp_path / "f"))
    assert names == [f"{n:06d}.png" for n in range(101, 113)]
    for name, picture in zip(names, pictures, strict=True):
        found = cv2.imread(str(tmp_path / "f" / name), cv2.IMREAD_UNCHANGED)
        code = cv2.COLOR_RGBA2BGRA if has_alpha else cv2.COLOR_RGBA2BGR
        assert np.array_equal(found, cv2.cvtColor(picture, code))


def test_one_png_holds_one_frame(tmp_path):
    write(tmp_path / "a.png", [media.numbered(4)])
    assert (tmp_path / "a.png").is_file()
    with pytest.raises(KfxError, match=r"b\.%04d\.png"):
        write(tmp_path / "b.png", [media.numbered(1), media.numbered(2)])
    assert not (tmp_path / "b.png").exists()


def test_null_counts():
    sink = write("null", [media.numbered(0)] * 7)
    assert sink.shots == 7


@pytest.mark.shared
@pytest.mark.parametrize("suffix", ["mp4", "mov"])
@pytest.mark.parametrize(
    "name", ["grid_bbaf2n.mpg", "openmpf_video_01.mp4", "pyfeat_face_noface.mov"]
)
def test_clips_of_others_survive(tmp_path, name, suffix):
    if not (SHARED / name).exists():
        pytest.skip("the project's shared clips aren't here")
    info, frames = read(SHARED / name)
    path = tmp_path / f"a.{suffix}"
    write(
        path,
        [f.pixels for f in frames],
        stamps=[f.time for f in frames],
        rate=info.rate,
        colour=info.colour,
        audio=info.audio,
    )
    found, written = read(path)
    assert [f.time for f in written] == [f.time for f in frames]
    assert found.rate == info.rate
    before, after = media.sound(SHARED / name), media.sound(path)
    assert abs(before[1] - after[1]) < 1 / info.rate
    errors = [
        np.mean((a.pixels.astype(float) - b.pixels) ** 2)
        for a, b in zip(frames, written, strict=True)
    ]
    psnr = 10 * np.log10(255**2 / np.mean(errors))
    assert psnr > (39 if suffix == "mp4" else 52)
    if shutil.which("ffmpeg"):
        command = ["ffmpeg", "-v", "error", "-i", str(path), "-vsync", "passthrough"]
        command += ["-enc_time_base", "1:90000", "-f", "null", "-"]
        told = subprocess.run(command, capture_output=True, text=True)
        assert (told.returncode, told.stderr) == (0, "")


class Quota:
    """Lets a file grow to a number of bytes, then the disk is full."""

    def __init__(self, monkeypatch, limit):
        from kfx.sinks import rescue

        real = rescue.Disk.write
        self.calls_after = 0

        def write(disk, data):
            if disk.error is None and disk.tell() + len(data) > limit:
                disk.error = OSError(errno.ENOSPC, "No space left on device")
            elif disk.error is not None:
                self.calls_after += 1
            return real(disk, data)

        monkeypatch.setattr(rescue.Disk, "write", write)


def noise(count, size=(320, 240)):
    rng = np.random.default_rng(0)
    return [rng.integers(0, 255, (size[1], size[0], 4), np.uint8) for _ in range(count)]


def record(path, pictures, *, rate=30):
    info = StreamInfo((pictures[0].shape[1], pictures[0].shape[0]), Fraction(rate), live=True)
    with sinks.open(str(path), info) as sink:
        for index, picture in enumerate(pictures):
            frame = Frame(picture, index, Fraction(0), 0.0)
            sink.write(Shot(picture, Tick(index, index / rate, 0.0, frame)))
    return sink


@pytest.mark.parametrize("suffix", ["mp4", "mov"])
def test_a_recording_becomes_an_ordinary_file(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    record(path, [media.numbered(i) for i in range(75)])
    data = path.read_bytes()
    assert b"moof" not in data[:200]
    info, frames = read(path)
    assert (info.rate, info.frame_count) == (30, 75)
    assert [round(float(f.time) * 30) for f in frames] == list(range(75))
    assert [media.number_of(f.pixels) for f in frames] == [i % 25 for i in range(75)]
    assert os.listdir(tmp_path) == [path.name]


@pytest.mark.parametrize(("name", "share"), [("a.mp4", 0.7), ("a.mp4", 0.995), ("a.mov", 0.7)])
def test_a_disk_that_fills_up_leaves_a_film_of_what_came_before(tmp_path, monkeypatch, name, share):
    """In the middle, and while the end of the file is being written."""
    pictures = noise(75)
    record(tmp_path / "whole" / name, pictures)
    size = (tmp_path / "whole" / name).stat().st_size
    Quota(monkeypatch, int(size * share))
    with pytest.raises(KfxError, match=r"the disk is full; .*; what was recorded before is kept"):
        record(tmp_path / name, pictures)
    frames = read(tmp_path / name)[1]
    assert 30 <= len(frames) <= 75
    whole = frames[:-4]  # the last fragment ends in coded order, not in the order shown
    assert [round(float(f.time) * 30) for f in whole] == list(range(len(whole)))
    assert sorted(os.listdir(tmp_path)) == sorted([name, "whole"])


def test_a_disk_that_is_full_at_once_leaves_nothing(tmp_path, monkeypatch):
    Quota(monkeypatch, 1000)
    with pytest.raises(KfxError, match=r"the disk is full; make room and begin again$"):
        record(tmp_path / "a.mp4", noise(40))
    assert os.listdir(tmp_path) == []


RECORD = """
import os, signal, sys
sys.path.insert(0, "tests/unit")
from tests.unit.test_sink_file import *
path, info = Path(sys.argv[1]), StreamInfo(SIZE, Fraction(30), live=True)
sink = sinks.open(str(path), info)
for index in range(200):
    picture = media.numbered(index)
    frame = Frame(picture, index, Fraction(0), 0.0)
    sink.write(Shot(picture, Tick(index, index / 30, 0.0, frame)))
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(os.name == "nt", reason="an open file can't be renamed on Windows")
def test_the_recording_of_a_killed_kfx_is_kept_beside_the_next_one(tmp_path):
    path = tmp_path / "take.mp4"
    root = Path(__file__).parents[2]
    subprocess.run([sys.executable, "-c", RECORD, str(path)], cwd=root, check=False)
    assert not path.exists()
    sink = record(path, [media.numbered(i) for i in range(40)])
    rescued = tmp_path / "take.rescued-1.mp4"
    assert sink.warnings == [f"an unfinished recording was kept as {rescued}"]
    assert sorted(os.listdir(tmp_path)) == ["take.mp4", "take.rescued-1.mp4"]
    frames = read(rescued)[1]
    assert len(frames) >= 100
    whole = frames[:-4]  # the last fragment ends in coded order, not in the order shown
    assert [media.number_of(f.pixels) for f in whole] == [i % 25 for i in range(len(whole))]


def test_a_show_that_breaks_keeps_its_recording(tmp_path):
    info = StreamInfo(SIZE, Fraction(30), live=True)

    def show():
        with sinks.open(str(tmp_path / "a.mp4"), info) as sink:
            for index in range(10):
                frame = Frame(media.numbered(index), index, Fraction(0), 0.0)
                sink.write(Shot(frame.pixels, Tick(index, index / 30, 0.0, frame)))
            raise RuntimeError("elsewhere")

    with pytest.raises(RuntimeError, match="elsewhere"):
        show()
    assert len(read(tmp_path / "a.mp4")[1]) == 10


@pytest.mark.skipif(os.name == "nt", reason="locks are POSIX")
def test_a_recording_in_progress_is_left_alone(tmp_path):
    info = StreamInfo(SIZE, Fraction(30), live=True)
    with sinks.open(str(tmp_path / "a.mp4"), info) as first:
        for index in range(80):
            frame = Frame(media.numbered(index), index, Fraction(0), 0.0)
            first.write(Shot(frame.pixels, Tick(index, index / 30, 0.0, frame)))
        record(tmp_path / "a.mp4", [media.numbered(0)] * 3)
        assert os.listdir(tmp_path) != ["a.mp4"]
    assert len(read(tmp_path / "a.mp4")[1]) == 80
    assert os.listdir(tmp_path) == ["a.mp4"]
