"""What the operator may do to the output."""

import ctypes
import sys
import threading
import types

import pytest

from kfx.cli import live_keys
from kfx.engine.loop import fine_timer
from kfx.engine.loop.switches import MODES, Switches
from kfx.errors import UsageError
from tests.waiting import until


def test_panic_overrides_everything():
    switches = Switches()
    switches.set("freeze")
    switches.hold = True
    switches.panic()
    assert switches.shown == switches.mode == "clean"
    assert switches.hold is False


def test_compare_counts_only_where_effects_are_seen():
    switches = Switches()
    switches.hold = True
    assert switches.shown == "compare"
    switches.set("black")
    assert switches.shown == "black"
    switches.set("live")
    switches.hold = False
    assert switches.shown == "live"


def test_toggle_goes_back_to_live():
    switches = Switches()
    for mode in MODES:
        assert switches.toggle(mode) == ("live" if mode == "live" else mode)
        assert switches.toggle(mode) == "live"


@pytest.mark.parametrize("change", [Switches.set, Switches.toggle])
def test_an_unknown_mode_is_refused_by_name(change):
    switches = Switches()
    with pytest.raises(UsageError, match=r"'sepia'.*live, clean, bypass"):
        change(switches, "sepia")
    assert switches.mode == "live"


def test_every_change_wakes_who_waits():
    switches = Switches()
    for change in (
        switches.panic,
        lambda: switches.set("live"),
        lambda: switches.toggle("black"),
        lambda: setattr(switches, "hold", True),
    ):
        switches.changed.clear()
        change()
        assert switches.changed.is_set()


def test_keys():
    switches, stop = Switches(), threading.Event()
    seen = []
    for key in "bBfk pp x":
        live_keys.press(key, switches, stop)
        seen.append(switches.shown)
    assert seen == ["bypass", "live", "freeze", "black", "black", *["clean"] * 4]
    assert not live_keys.press("x", switches, stop)
    live_keys.press("l", switches, stop)
    assert switches.hold, "compare was toggled while something else was shown"
    assert not stop.is_set()
    assert live_keys.press("q", switches, stop)
    assert stop.is_set()


def test_a_windows_console_is_asked_for_keys(monkeypatch):
    pressed = list("xpk")
    console = types.SimpleNamespace(kbhit=lambda: bool(pressed), getwch=lambda: pressed.pop(0))
    monkeypatch.setitem(sys.modules, "msvcrt", console)
    monkeypatch.setattr(live_keys.sys, "platform", "win32")
    monkeypatch.setattr(live_keys.sys, "stdin", types.SimpleNamespace(isatty=lambda: True))
    switches, stop = Switches(), threading.Event()
    with live_keys.Keys(switches, stop) as keys:
        assert keys.active
        until(lambda: not pressed and switches.mode == "black")


def test_windows_is_asked_for_short_waits_and_let_go(monkeypatch):
    asked = []
    library = types.SimpleNamespace(
        timeBeginPeriod=lambda ms: asked.append(("begin", ms)),
        timeEndPeriod=lambda ms: asked.append(("end", ms)),
    )
    monkeypatch.setattr(fine_timer.sys, "platform", "win32")
    windll = types.SimpleNamespace(winmm=library)
    monkeypatch.setattr(ctypes, "windll", windll, raising=False)
    with fine_timer.fine_timer():
        assert asked == [("begin", 1)]
    assert asked[-1] == ("end", 1)
