"""Video files: every frame, exact times, upright pixels, and errors that name the remedy."""

import shutil
import subprocess
import threading
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from kfx import sources
from kfx.errors import KfxError, UsageError
from kfx.types import ColourTags
from tests.unit import media

SHARED = Path(__file__).resolve().parents[2] / "../shared/data/faces/video"
NTSC = Fraction(30000, 1001)


def read(path, **cut):
    with sources.open(str(path), **cut) as source:
        return source, list(source.frames())


@pytest.mark.parametrize("suffix", ["mp4", "mov", "mkv"])
@pytest.mark.parametrize("rate", ["24000/1001", "24", "25", "30000/1001", "50", "60000/1001"])
def test_every_frame_at_its_exact_time(tmp_path, rate, suffix):
    rate = Fraction(rate)
    path = media.make(tmp_path / f"a.{suffix}", [media.numbered(i) for i in range(40)], rate=rate)
    source, frames = read(path)
    assert source.info.rate == rate
    assert not source.info.variable_rate
    assert source.info.frame_count == 40
    assert [f.time for f in frames] == [i / rate for i in range(40)]
    assert [f.index for f in frames] == list(range(40))
    assert [media.number_of(f.pixels) for f in frames] == [i % 25 for i in range(40)]
    assert not frames[0].pixels.flags.writeable
    assert source.warnings == []


def test_variable_rate_keeps_true_times(tmp_path):
    stamps = [Fraction(n, 90000) for n in (0, 3000, 6000, 10500, 12000, 31000, 34000, 37003)]
    path = media.make(
        tmp_path / "vfr.mp4",
        [media.numbered(i) for i in range(8)],
        rate=Fraction(30),
        stamps=stamps,
    )
    source, frames = read(path)
    assert source.info.variable_rate
    assert source.info.rate == 30
    assert [f.time for f in frames] == stamps
    assert any("variable" in note for note in source.info.notes)
    _, cut = read(path, start_s=Fraction(1, 10))
    assert [(f.index, f.time) for f in cut] == [(i, stamps[i]) for i in range(3, 8)]


@pytest.mark.parametrize("start", [Fraction(1, 2), Fraction(1001, 1000), Fraction(5, 2)])
@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts"])
def test_cut_is_exact(tmp_path, suffix, start):
    options = {"g": "24", "crf": "4"}  # key frames apart, B-frames between
    path = media.make(
        tmp_path / f"a.{suffix}", [media.numbered(i) for i in range(90)], rate=NTSC, options=options
    )
    stop = start + Fraction(1, 3)
    source, frames = read(path, start_s=start, stop_s=stop)
    wanted = [i for i in range(90) if start <= i / NTSC < stop]
    assert [f.index for f in frames] == wanted
    assert [f.time for f in frames] == [i / NTSC for i in wanted]
    assert [media.number_of(f.pixels) for f in frames] == [i % 25 for i in wanted]
    assert source.info.frame_count == len(wanted)


@pytest.mark.parametrize(
    ("start", "stop"), [(2, None), (Fraction(1, 2), Fraction(51, 100)), (0, 0), (3, 1)]
)
def test_empty_cut_is_refused(tmp_path, start, stop):
    path = media.make(tmp_path / "a.mp4", [media.numbered(i) for i in range(25)])
    if stop == Fraction(51, 100):
        start, stop = Fraction(501, 1000), Fraction(51, 100)
    with pytest.raises(KfxError, match="choose another cut"):
        sources.open(
            str(path), start_s=Fraction(start), stop_s=None if stop is None else Fraction(stop)
        )


def test_timecode_runs_with_the_frames(tmp_path):
    path = media.make(
        tmp_path / "a.mov",
        [media.numbered(i) for i in range(50)],
        rate=NTSC,
        timecode="00:59:59;28",
    )
    source, frames = read(path)
    assert source.info.timecode == "00:59:59;28"
    assert [f.timecode for f in frames[:3]] == ["00:59:59;28", "00:59:59;29", "01:00:00;00"]
    source, frames = read(path, start_s=Fraction(1))
    assert source.info.timecode == frames[0].timecode == "01:00:00;28"


def corners(pixels):
    """Red, green, blue, white by their strongest channel: the order round the picture."""
    spots = [pixels[4, 4], pixels[4, -5], pixels[-5, -5], pixels[-5, 4]]
    return "".join(
        "w" if spot[:3].min() > 150 else "rgb"[int(np.argmax(spot[:3]))] for spot in spots
    )


def quarters():
    picture = media.flat((255, 0, 0))
    picture[:24, 32:] = (0, 255, 0, 255)
    picture[24:, 32:] = (0, 0, 255, 255)
    picture[24:, :32] = (255, 255, 255, 255)
    return picture


@pytest.mark.parametrize(
    ("rotation", "flip", "size", "order"),
    [
        (0, False, (64, 48), "rgbw"),
        (180, False, (64, 48), "bwrg"),
        (90, False, (48, 64), "gbwr"),
        (-90, False, (48, 64), "wrgb"),
        (0, True, (64, 48), "grwb"),
    ],
)
def test_rotation_is_applied(tmp_path, rotation, flip, size, order):
    path = media.make(tmp_path / "a.mp4", [quarters()] * 3, rotation=rotation, flip=flip)
    source, frames = read(path)
    assert source.info.size == size
    assert frames[0].pixels.shape == (size[1], size[0], 4)
    assert corners(frames[0].pixels) == order


def test_wide_pixels_become_square(tmp_path):
    path = media.make(tmp_path / "a.mp4", [quarters()] * 3, aspect=Fraction(16, 11))
    source, frames = read(path)
    assert source.info.size == (94, 48)
    assert frames[0].pixels.shape == (48, 94, 4)
    assert corners(frames[0].pixels) == "rgbw"
    assert any("16:11" in note for note in source.info.notes)


def test_odd_size(tmp_path):
    path = media.make(
        tmp_path / "a.mp4", [media.flat((200, 40, 90), (63, 47))] * 3, pix_fmt="yuv444p"
    )
    source, frames = read(path)
    assert source.info.size == (63, 47)
    assert frames[0].pixels.flags.c_contiguous
    assert np.abs(frames[0].pixels[..., :3].astype(int) - (200, 40, 90)).max() <= 2


@pytest.mark.parametrize(
    ("codec", "pix_fmt", "options"),
    [
        ("libx264", "yuv420p10le", {"crf": "4"}),
        ("prores_aw", "yuv422p10le", {}),
        ("ffv1", "yuv444p16le", {}),
    ],
)
def test_many_bits_are_read_as_eight(tmp_path, codec, pix_fmt, options):
    path = media.make(
        tmp_path / "a.mkv",
        [media.flat((10, 130, 240))] * 3,
        codec=codec,
        pix_fmt=pix_fmt,
        options=options,
    )
    source, frames = read(path)
    assert np.abs(frames[0].pixels[..., :3].astype(int) - (10, 130, 240)).max() <= 1
    assert any("read as 8 bits" in note for note in source.info.notes)


@pytest.mark.parametrize(
    ("suffix", "codec", "pix_fmt"),
    [
        ("mov", "prores_ks", "yuva444p10le"),
        ("mov", "png", "rgba"),
        ("mov", "qtrle", "argb"),
        ("webm", "libvpx-vp9", "yuva420p"),
    ],
)
def test_alpha_stays_straight(tmp_path, suffix, codec, pix_fmt):
    picture = media.flat((220, 60, 20))
    picture[:, 32:, 3] = 100
    options = {"profile": "4444"} if codec == "prores_ks" else {}
    path = media.make(
        tmp_path / f"a.{suffix}", [picture] * 3, codec=codec, pix_fmt=pix_fmt, options=options
    )
    source, frames = read(path)
    assert source.info.has_alpha
    found = frames[0].pixels
    assert np.abs(found[4:-4, 4:28].astype(int) - (220, 60, 20, 255)).max() <= 3
    assert np.abs(found[4:-4, 36:-4].astype(int) - (220, 60, 20, 100)).max() <= 3


@pytest.mark.parametrize("matrix", [1, 5, 6, 9])
@pytest.mark.parametrize("full", [False, True])
def test_matrix_and_range_follow_the_tags(tmp_path, matrix, full):
    red_weight, blue_weight = {1: (0.2126, 0.0722), 9: (0.2627, 0.0593)}.get(matrix, (0.299, 0.114))
    colour = np.array([200, 50, 100]) / 255
    luma = colour @ (red_weight, 1 - red_weight - blue_weight, blue_weight)
    chroma = [
        (colour[2] - luma) / (2 - 2 * blue_weight),
        (colour[0] - luma) / (2 - 2 * red_weight),
    ]
    scale = (255, 0, 255) if full else (219, 16, 224)  # ITU-T H.273, 8.3
    codes = [scale[0] * luma + scale[1]] + [scale[2] * c + 128 for c in chroma]
    with av.open(str(tmp_path / "a.mkv"), "w") as container:
        video = container.add_stream("ffv1", 25)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv444p"
        video.codec_context.colorspace = matrix
        video.codec_context.color_range = 2 if full else 1
        frame = av.VideoFrame(64, 48, "yuv444p")
        for plane, code in zip(frame.planes, codes, strict=True):
            np.frombuffer(plane, np.uint8)[:] = round(code)
        frame.colorspace, frame.color_range = matrix, 2 if full else 1
        container.mux(video.encode(frame))
        container.mux(video.encode(None))
    source, frames = read(tmp_path / "a.mkv")
    assert source.info.colour == ColourTags(2, 2, matrix, full)
    assert np.abs(frames[0].pixels[0, 0, :3] - colour * 255).max() <= 1.5


def test_untagged_sd_is_601_and_hd_is_709(tmp_path):
    for size, matrix in (((64, 48), 5), ((64, 720), 1)):
        path = media.make(
            tmp_path / f"{matrix}.mkv",
            [media.flat((200, 50, 100), size)],
            codec="ffv1",
            pix_fmt="yuv444p",
            options={},
            matrix=2,
        )
        if matrix == 1:
            path = media.make(
                path, [media.flat((200, 50, 100), size)], codec="ffv1", pix_fmt="yuv444p",
                options={}, matrix=1,
            )  # fmt: skip
        _, frames = read(path)
        assert np.abs(frames[0].pixels[0, 0, :3].astype(int) - (200, 50, 100)).max() <= 1


def test_notes_for_hdr_and_interlaced(tmp_path):
    hdr = media.make(tmp_path / "hdr.mkv", [media.flat((90, 90, 90))] * 2, matrix=1, transfer=16)
    assert any("PQ" in note for note in read(hdr)[0].info.notes)
    woven = media.make(tmp_path / "i.mp4", [media.flat((90, 90, 90))] * 2, interlaced=True)
    assert any("interlaced" in note for note in read(woven)[0].info.notes)


def test_audio_is_named(tmp_path):
    with_tone = media.make(tmp_path / "a.mp4", [media.numbered(0)] * 5, tone_s=0.2)
    silent = media.make(tmp_path / "b.mp4", [media.numbered(0)] * 5)
    assert read(with_tone)[0].info.audio == str(with_tone)
    assert read(silent)[0].info.audio is None


def audio_only(path):
    with av.open(str(path), "w") as container:
        audio = container.add_stream("aac", rate=48000)
        sound = av.AudioFrame.from_ndarray(np.zeros((2, 4800), np.float32), "fltp", "stereo")
        sound.sample_rate = 48000
        container.mux(audio.encode(sound))
        container.mux(audio.encode(None))


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("none.mp4", None, "no such file"),
        ("empty.mp4", b"", "empty"),
        ("text.mp4", b"this is no video\n" * 500, "can't be read as video|no video"),
        ("text.txt", b"this is no video\n" * 500, "can't be read as video|no video"),
        ("noise.mp4", np.random.default_rng(1).bytes(200_000), "can't be read as video|decoded"),
        ("noise.264", np.random.default_rng(2).bytes(200_000), "can't be read as video|decoded"),
        ("zeros.mov", bytes(100_000), "can't be read as video"),
        ("plate.yuv", bytes(4608), "rawvideo"),
        ("a.mp4?mood=blue", b"x", "unknown option"),
    ],
)
def test_what_is_no_video_is_refused(tmp_path, name, content, says, capfd):
    path = tmp_path / name
    if content is not None:
        Path(str(path).partition("?")[0]).write_bytes(content)
    with pytest.raises(KfxError, match=says) as caught:
        sources.open(str(path))
    assert str(caught.value).startswith(str(path))
    assert capfd.readouterr() == ("", "")


def test_folder_and_audio_are_refused(tmp_path):
    with pytest.raises(KfxError, match="is a folder"):
        sources.open(str(tmp_path))
    audio_only(tmp_path / "a.m4a")
    with pytest.raises(KfxError, match="only audio"):
        sources.open(str(tmp_path / "a.m4a"))
    with pytest.raises(UsageError):
        sources.open(str(tmp_path / "a.m4a?x=1"))


def test_truncated_file_ends_with_one_warning(tmp_path, capfd):
    rng = np.random.default_rng(0)
    pictures = [rng.integers(0, 255, (48, 64, 4), np.uint8) for _ in range(60)]
    whole = media.make(
        tmp_path / "a.mp4", pictures, container_options={"movflags": "+faststart"}
    ).read_bytes()
    (tmp_path / "cut.mp4").write_bytes(whole[: len(whole) // 2])
    source, frames = read(tmp_path / "cut.mp4")
    assert 10 < len(frames) < 60
    assert len(source.warnings) == 1
    assert capfd.readouterr() == ("", "")


def test_headless_mp4_is_refused(tmp_path):
    whole = media.make(tmp_path / "a.mp4", [media.numbered(i) for i in range(60)]).read_bytes()
    (tmp_path / "cut.mp4").write_bytes(whole[: len(whole) // 2])  # its index stood at the end
    with pytest.raises(KfxError, match="cut off"):
        sources.open(str(tmp_path / "cut.mp4"))


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("suffix", ["mkv", "ts", "mp4", "avi"])
def test_damage_never_breaks_out(tmp_path, suffix, seed):
    path = media.make(tmp_path / f"a.{suffix}", [media.numbered(i) for i in range(40)])
    data = bytearray(path.read_bytes())
    rng = np.random.default_rng(seed)
    for at in rng.integers(0, len(data), 30):
        data[at] = rng.integers(0, 256)
    path.write_bytes(data)
    try:
        _, frames = read(path)
    except KfxError:
        return
    times = [f.time for f in frames]
    assert times == sorted(set(times))


def test_close_from_another_thread_ends_frames(tmp_path):
    path = media.make(tmp_path / "a.mp4", [media.numbered(i) for i in range(200)])
    source = sources.open(str(path))
    frames = source.frames()
    next(frames)
    closer = threading.Thread(target=source.close)
    closer.start()
    left = sum(1 for _ in frames)
    closer.join(5)
    assert not closer.is_alive()
    assert left < 200
    source.close()


def test_names_that_look_like_something_else(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("http:a.mp4", "a?b.mp4", "ünïcode – 演.mp4", "-a.mp4"):
        media.make(tmp_path / name, [media.numbered(i) for i in range(3)])
        assert len(read(name)[1]) == 3


@pytest.mark.shared
@pytest.mark.parametrize(
    ("name", "count", "rate", "size"),
    [
        ("grid_bbaf2n.mpg", 75, "25", (360, 288)),
        ("grid_sbia1a.mpg", 75, "25", (360, 288)),
        ("openh264_Zhling_1280x720.264", 19, "25", (1280, 720)),
        ("openmpf_v01_h265_aac.mp4", 31, "30000/1001", (640, 480)),
        ("openmpf_v01_theora_vorbis.ogg", 31, "30000/1001", (640, 480)),
        ("openmpf_v01_vp8_opus.webm", 31, "30000/1001", (640, 480)),
        ("openmpf_video_01.mp4", 90, "30000/1001", (640, 480)),
        ("pyfeat_WolfgangLanger_Pexels.mp4", 472, "24000/1001", (640, 360)),
        ("pyfeat_no_face.mp4", 95, "24", (960, 540)),
        ("pyfeat_single_face.mp4", 72, "30", (640, 360)),
    ],
)
def test_clips_of_others(name, count, rate, size):
    if not (SHARED / name).exists():
        pytest.skip("the project's shared clips aren't here")
    source, frames = read(SHARED / name)
    assert source.info.rate == Fraction(rate)
    assert source.info.size == size
    assert [f.time for f in frames] == [i / Fraction(rate) for i in range(count)]
    _, cut = read(SHARED / name, start_s=Fraction(2, 5))
    skipped = -int(-Fraction(2, 5) * Fraction(rate) // 1)
    assert [(f.index, f.time) for f in cut] == [(f.index, f.time) for f in frames[skipped:]]
    assert np.array_equal(cut[0].pixels, frames[skipped].pixels)
    if shutil.which("ffprobe") and not name.endswith("ogg"):
        command = ["ffprobe", "-v", "error", "-count_frames", "-select_streams", "v:0"]
        command += ["-show_entries", "stream=nb_read_frames", "-of", "csv=p=0", str(SHARED / name)]
        told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        assert int(told.strip().strip(",")) == count


@pytest.mark.shared
def test_phone_clip_with_uneven_times():
    path = SHARED / "pyfeat_face_noface.mov"
    if not path.exists():
        pytest.skip("the project's shared clips aren't here")
    source, frames = read(path)
    assert source.info.variable_rate
    assert len(frames) == 169
    assert frames[-1].time == Fraction(97695, 15360)
