"""Looks are pictured ahead by a process apart: kept by content, never in the show's way."""

import os
import sys
import threading
from dataclasses import replace

import httpx
import numpy as np
import pytest

from kfx import effects, presets
from kfx.panel import ahead, stills
from kfx.panel.ahead import Ahead
from tests.panel.shows import rolling
from tests.panel.test_server import control, until
from tests.waiting import LONG_S
from tests.waiting import until as eventually

LOOK = """version = 1
[[chain]]
effect = "film"
grain = 0.1
"""


def test_pictures_come_and_a_look_that_kills_the_process_is_left_out(tmp_path, monkeypatch):
    monkeypatch.setattr(ahead, "MODULE", "tests.panel.fake_stills")
    made = Ahead(tmp_path, tmp_path / "cache")
    with rolling(tmp_path, ahead=made) as (panel, _, _), control(panel) as one:
        said = until(one, "thumbnails", lambda said: said["left"] == 0)
        assert set(said["versions"]) >= {"ballad_film"}
        assert set(said["effects"]) == {"bloom"}
        assert "supernova" not in said["versions"]
        assert not said["fault"]
        for query in ({"name": "ballad_film"}, {"effect": "bloom"}):
            answer = httpx.get(f"{panel.url}thumbnail", params=query)
            assert answer.content == b"\xff\xd8jpeg"
        for query in ({"name": "bloom"}, {"effect": "../../etc/passwd"}, {"effect": ""}):
            assert httpx.get(f"{panel.url}thumbnail", params=query).status_code == 404


def test_a_process_that_always_falls_is_told_of_and_left_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(ahead, "MODULE", "tests.panel.no_such_module")
    made = Ahead(tmp_path, tmp_path / "cache")
    made.begin()
    eventually(lambda: made.fault)
    assert made.left == 0
    made.close()


def test_it_ends_with_the_panel(tmp_path, monkeypatch):
    """Whatever becomes of kfx: the process reads an end of its standard input and is gone."""
    read, write = os.pipe()
    gone = threading.Event()
    monkeypatch.setattr(os, "_exit", lambda status: gone.set())
    real = os.read
    monkeypatch.setattr(stills.os, "read", lambda fd, size: real(read, size))
    watching = threading.Thread(target=stills._end_with_parent)
    watching.start()
    assert not gone.is_set()
    os.close(write)
    watching.join(LONG_S)
    assert gone.is_set()
    os.close(read)


def test_a_key_is_of_the_content_alone(tmp_path):
    def key(text, name="one.toml"):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return stills.key_of(presets.load(str(path)))

    first = key(LOOK)
    assert key(LOOK) == first == key(LOOK, "two.toml")
    assert key(LOOK.replace("0.1", "0.11")) != first
    film = presets.alone(effects.find("film"))
    assert stills.key_of(film) != stills.key_of(presets.alone(effects.find("bloom")))
    motion = presets.alone(effects.find("expr_amp"))
    assert stills.key_of(motion) == stills.key_of(replace(motion, name="other"))


def test_what_is_in_the_cache_is_not_drawn_again(tmp_path, monkeypatch):
    (tmp_path / "mine.toml").write_text(LOOK, encoding="utf-8")
    monkeypatch.setattr(presets, "names", lambda: [])
    monkeypatch.setattr(effects, "names", lambda: ["film", "nonesuch"])
    drawn = []

    class Stage:
        def picture(self, preset, *, fired):
            drawn.append((preset.name, fired))
            return np.full((108, 192, 4), 255, np.uint8)

    monkeypatch.setattr(stills, "Stage", Stage)
    said = []
    stills.run(tmp_path, tmp_path / "cache", [], said.append)
    assert drawn == [("mine", False), ("film", True)]
    assert said[0] == {"left": 2, "at": "look/mine"}
    assert [one["name"] for one in said if "file" in one] == ["mine", "film"]
    assert said[-1] == {"left": 0}
    again = []
    stills.run(tmp_path, tmp_path / "cache", ["effect/film"], again.append)
    assert [one.get("name") for one in again] == ["mine", None]
    assert len(drawn) == 2
    monkeypatch.setattr(stills, "MOST_KEPT", 1)
    stills._prune(tmp_path / "cache")
    assert len(list((tmp_path / "cache").glob("*.jpg"))) == 1


@pytest.mark.skipif(not hasattr(os, "SCHED_IDLE"), reason="another system's priorities")
def test_it_takes_only_what_nobody_else_wants():
    import subprocess

    code = "import os; from kfx.panel import stills; stills.lowest_priority(); "
    code += "print(os.sched_getscheduler(0) == os.SCHED_IDLE, os.nice(0))"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.split() == ["True", "19"]


@pytest.mark.gl
def test_a_look_is_pictured_on_the_performer(monkeypatch):
    monkeypatch.setattr(stills, "REST_S", 0.0)
    monkeypatch.setattr(stills, "FRAMES", 6)
    stage = stills.Stage()
    plain = stage.picture(presets.load("none"), fired=False)
    chrome = stage.picture(presets.alone(effects.find("chrome_skin")), fired=True)
    assert plain.shape == chrome.shape == (108, 192, 4)
    # The face lies in the middle and was changed; the corner wasn't.
    change = np.abs(plain[..., :3].astype(int) - chrome[..., :3]).mean(axis=2)
    assert change[40:70, 80:112].mean() > 20
    assert change[:10, :10].mean() < 1
