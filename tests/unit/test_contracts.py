"""The contracts of sources and sinks, held over every kind there is."""

import sys
from fractions import Fraction

import cv2
import numpy as np
import pytest

from kfx import sinks, sources
from kfx.types import Face, Frame, Shot, StreamInfo, Tick
from tests.unit import media
from tests.unit.test_sink_ndi import fake_ndi  # noqa: F401 - a fixture
from tests.unit.test_sink_textures import fake_textures  # noqa: F401 - a fixture
from tests.unit.test_sink_vcam import FAKES
from tests.unit.test_source_camera import fake  # noqa: F401 - a fixture

SIZE = (64, 48)


@pytest.fixture(params=sorted(sources.KINDS))
def spec(request, tmp_path):
    """A spec of every kind."""
    if request.param == "camera":
        request.getfixturevalue("fake")
        return "camera:0"
    pictures = [media.numbered(i) for i in range(5)]
    if request.param == "file":
        return str(media.make(tmp_path / "clip.mp4", pictures))
    if request.param == "image":
        for i, picture in enumerate(pictures):
            cv2.imwrite(str(tmp_path / f"plate.{i:04d}.png"), picture[..., [2, 1, 0]])
        return str(tmp_path / "plate.%04d.png")
    return "performer?size=64x48"


def test_every_source(spec):
    source = sources.open(spec)
    with source:
        info = source.info
        assert info.kind == sources.parse(spec).kind
        assert isinstance(info.rate, Fraction)
        assert info.live == (info.kind == "camera")
        frames = []
        for frame in source.frames():
            frames.append(frame)
            if len(frames) == 5:
                break
    source.close()  # a second time does no harm
    assert len(frames) == 5
    width, height = info.size
    for before, frame in zip([None, *frames], frames, strict=False):
        assert frame.pixels.shape == (height, width, 4)
        assert frame.pixels.dtype == np.uint8
        assert not frame.pixels.flags.writeable
        assert isinstance(frame.time, Fraction)
        assert before is None or (before.index < frame.index and before.time < frame.time)
        if not info.has_alpha:
            assert (frame.pixels[..., 3] == 255).all()
        for face in frame.truth or ():
            assert isinstance(face, Face)
            assert face.landmarks.shape == (478, 3)


SINKS = [
    *("out.mp4", "out.mov", "%04d.png", "null", "osc://127.0.0.1:9", "preview:0", "vcam"),
    *("obs:28766", "udp://127.0.0.1:9", "nut://127.0.0.1:28767", "ndi:Name"),
    *("spout:Name", "syphon:Name"),
]


@pytest.fixture(params=SINKS)
def target(request, tmp_path, monkeypatch):
    """A spec of every kind of sink, files in an empty folder."""
    if request.param == "vcam":
        monkeypatch.setenv("PYTHONPATH", str(FAKES))
        monkeypatch.setenv("FAKE_LOG", str(tmp_path / "log"))
    if request.param.startswith("ndi"):
        request.getfixturevalue("fake_ndi")
    if request.param.startswith(("spout", "syphon")):
        request.getfixturevalue("fake_textures")(
            "win32" if request.param.startswith("spout") else "darwin"
        )
    if request.param.startswith("preview"):
        return "preview"
    if sinks.kind_of(request.param) == "file":
        return str(tmp_path / "files" / request.param)
    return request.param


def shots(count=4):
    for i in range(count):
        pixels = media.numbered(i, SIZE)[::-1]  # a negative row stride, as the chain gives it
        pixels.flags.writeable = False
        frame = Frame(pixels, i, Fraction(i, 25), 0.0)
        yield Shot(pixels, Tick(i, i / 25, 0.0 if i == 0 else 1 / 25, frame))


def stream(**options):
    return StreamInfo(size=SIZE, rate=Fraction(25), **options)


def test_every_kind_of_sink_is_tried():
    assert {sinks.kind_of(spec) for spec in SINKS} == set(sinks.KINDS)


def test_every_sink_takes_shots_and_closes_twice(target, tmp_path):
    with sinks.open(target, stream()) as sink:
        for shot in shots():
            before = shot.pixels.copy()
            sink.write(shot)
            assert (shot.pixels == before).all(), "it changed the shot"
    sink.close()
    if sinks.kind_of(target) == "file":
        names = [p.name for p in (tmp_path / "files").iterdir()]
        assert len(names) == (4 if "%" in target else 1)


def test_every_sink_aborts_without_a_trace(target, tmp_path):
    def fail():
        with sinks.open(target, stream()) as sink:
            for shot in shots():
                sink.write(shot)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    folder = tmp_path / "files"
    assert not folder.exists() or not list(folder.rglob("*.*"))
    assert "pyvirtualcam" not in sys.modules
