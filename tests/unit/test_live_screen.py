"""The status screen of a live show, and its news where there is no terminal."""

import io
from fractions import Fraction

from rich.console import Console

from kfx.cli.live_screen import NEWEST_WARNINGS, Screen, status
from kfx.engine.loop.times import Times
from kfx.engine.stats import Stats


def stats_of():
    stats = Stats((1280, 720), Fraction(30), "llvmpipe", "mediapipe", started=0.0)
    stats.ended = 3725.0
    for spec, seconds in (("vcam", 0.021), ("osc://10.0.0.5:9000", 0.018)):
        stats.latency[spec] = Times()
        stats.latency[spec].append(seconds)
        stats.state[spec] = "ok"
    stats.state |= {"source": "lost; trying again", "tracker": "ok", "effects": "ok"}
    stats.show = {"mode": "latency", "output": "clean", "governor": ["tracking: every 2nd frame"]}
    stats.drop("capture", 3)
    stats.drop("vcam", 2)
    stats.drop("vcam.gone", 5)
    return stats


def printed(stats, width=110, **options):
    console = Console(file=io.StringIO(), width=width)
    console.print(status(stats.snapshot(), "supernova", **options))
    return console.file.getvalue()


def test_the_screen_tells_what_matters():
    stats = stats_of()
    stats.warn("camera:0: the camera stopped sending")
    text = printed(stats, urls=[("preview", "http://127.0.0.1:8765/")], keys=True)
    for part in (
        "supernova  1280x720",
        "CLEAN",
        "1:02:05",
        "vcam  ok  latency 21.0/21.0/21.0  dropped 7",
        "osc://10.0.0.5:9000  ok  latency 18.0/18.0/18.0  dropped 0",
        "capture 3",
        "lost; trying again",
        "tracking: every 2nd frame",
        "http://127.0.0.1:8765/",
        "stopped sending",
        "p panic",
        "q quit",
    ):
        assert part in text, text


def test_it_stays_one_screen():
    stats = stats_of()
    for i in range(50):
        stats.warn(f"warning {i}")
    text = printed(stats)
    assert text.count("warning") == NEWEST_WARNINGS
    assert "warning 49" in text
    assert len(text.splitlines()) < 20
    assert "Ctrl-C" in text
    assert "[" not in printed(stats, width=60), "no markup is taken for text"


def test_brackets_in_news_are_text():
    stats = stats_of()
    stats.warn("presets/x.toml: chain[0] (echo): copies: 99")
    assert "chain[0] (echo)" in printed(stats)


def test_elsewhere_news_are_told_once(capsys):
    stats = stats_of()
    with Screen("supernova") as screen:
        screen.ready(stats, [])
        stats.warn("a sink is gone")
        screen(stats)
        screen(stats)
        stats.warn("and one at the end")
    said = capsys.readouterr().err.splitlines()
    assert said[0] == "kfx live: 1280x720 at 30 fps, llvmpipe"
    assert said.count("kfx: a sink is gone") == 1
    assert said[-1] == "kfx: and one at the end"
