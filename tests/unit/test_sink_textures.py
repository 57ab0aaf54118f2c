"""Spout and Syphon against stand-ins for their libraries: their programs run on no test machine."""

from __future__ import annotations

import sys
import threading
import types
from fractions import Fraction

import numpy as np
import pytest

from kfx import sinks
from kfx.errors import KfxError
from kfx.types import Frame, Shot, StreamInfo, Tick
from tests.waiting import until

STREAM = StreamInfo(size=(64, 48), rate=Fraction(30), live=True)
PIXELS = np.arange(48 * 64 * 4, dtype=np.uint8).reshape(48, 64, 4)[::-1]
SHOT = Shot(PIXELS, Tick(0, 0.0, 0.0, Frame(PIXELS, 0, Fraction(0), 0.0)))


class FakeSpout:
    """SpoutGL's sender, as far as its binding's source tells."""

    context, accepts = True, True

    def __init__(self) -> None:
        self.calls, self.threads, self.pictures = [], set(), []
        FakeSpout.last = self

    def __getattr__(self, name: str):
        def call(*values: object) -> bool:
            self.calls.append(name)
            self.threads.add(threading.current_thread())
            if name == "sendImage":
                picture, width, height, form, invert, fbo = values
                assert picture.flags.c_contiguous
                assert (width, height, form, invert, fbo) == (64, 48, 0x1908, False, 0)
                self.pictures.append(picture.copy())
                return self.accepts
            return self.context

        return call


class FakeSyphon:
    """syphon-python's Metal server and its texture helpers."""

    has_clients, device = False, "device"

    def __init__(self, name: str) -> None:
        self.name, self.published, self.stopped = name, [], 0
        FakeSyphon.last = self

    def publish_frame_texture(self, texture: dict, is_flipped: bool) -> None:
        assert is_flipped
        self.published.append(texture["data"])

    def stop(self) -> None:
        self.stopped += 1


@pytest.fixture
def fake_textures(monkeypatch):
    """Both libraries, and a platform that is whichever is asked for."""
    raw = types.SimpleNamespace(
        create_mtl_texture=lambda device, width, height: {"size": (width, height)},
        copy_bytes_to_mtl_texture=lambda data, texture: texture.update(data=data),
    )
    modules = {
        "SpoutGL": types.SimpleNamespace(SpoutSender=FakeSpout),
        "syphon": types.SimpleNamespace(SyphonMetalServer=FakeSyphon),
        "syphon.utils.raw": raw,
    }
    for name, module in modules.items():
        monkeypatch.setitem(sys.modules, name, module)

    def on(platform: str) -> None:
        for module in ("kfx.sinks.spout", "kfx.sinks.syphon"):
            monkeypatch.setattr(f"{module}.sys", types.SimpleNamespace(platform=platform))

    return on


def test_spout(fake_textures) -> None:
    fake_textures("win32")
    with sinks.open("spout:Stage", STREAM) as sink:
        sink.write(SHOT)
        until(lambda: FakeSpout.last.pictures)
    sink.close()
    sender = FakeSpout.last
    assert (sender.pictures[0] == PIXELS).all()
    assert sender.calls[:2] == ["setSenderName", "createOpenGL"]
    assert sender.calls[-2:] == ["releaseSender", "closeOpenGL"]
    assert len(sender.threads) == 1, "an OpenGL context belongs to one thread"


def test_spout_without_a_context_and_one_that_refuses(fake_textures, monkeypatch) -> None:
    fake_textures("win32")
    monkeypatch.setattr(FakeSpout, "accepts", False)
    with sinks.open("spout", STREAM) as sink:
        until(lambda: [sink.write(SHOT), len(FakeSpout.last.pictures) >= 3][1])
        assert len(sink.warnings) == 1
    monkeypatch.setattr(FakeSpout, "context", False)
    with pytest.raises(KfxError, match=r"Spout can't start \(no OpenGL context\)"):
        sinks.open("spout", STREAM)


def test_syphon(fake_textures, monkeypatch) -> None:
    fake_textures("darwin")
    with sinks.open("syphon:Stage", STREAM) as sink:
        server = FakeSyphon.last
        sink.write(SHOT)
        assert server.published == []
        monkeypatch.setattr(FakeSyphon, "has_clients", True)
        sink.write(SHOT)
        assert server.published == [PIXELS.tobytes()]
    sink.close()
    assert server.stopped == 1


@pytest.mark.parametrize(
    ("spec", "platform", "module", "says"),
    [
        ("spout:a", "linux", None, "Spout is for Windows; here use"),
        ("syphon:a", "win32", None, "Syphon is for macOS; here use"),
        ("spout:a", "win32", "SpoutGL", r"isn't installed .*pip install SpoutGL"),
        ("syphon:a", "darwin", "syphon", r"isn't installed .*pip install syphon-python"),
    ],
)
def test_where_it_cannot_be(fake_textures, monkeypatch, spec, platform, module, says) -> None:
    fake_textures(platform)
    if module:
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(KfxError, match=says):
        sinks.open(spec, STREAM)
