"""The status of a live show on a terminal: one calm screen; plain news lines elsewhere."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from kfx.engine.stats import Stats

EVERY_S = 0.5
NEWEST_WARNINGS = 4
_LOUD = {"live": "bold black on green", "black": "bold white on red"}
_KEYS = (
    ("p", "panic"),
    ("l", "live"),
    ("b", "bypass"),
    ("f", "freeze"),
    ("k", "black"),
    ("space", "compare"),
    ("q", "quit"),
)


class Screen:
    """``with Screen("supernova") as screen: live.run(…, status=screen, ready=screen.ready)``.

    It draws itself in its own thread, so that the loop spends no time on it. Away from a terminal
    every piece of news is one line on stderr, told once.
    """

    def __init__(self, title: str, *, keys: bool = False, plain: bool = False) -> None:
        self.title: Callable[[], str] = lambda: title  # of the look that is shown
        self._keys = keys
        self._told = 0
        self._stats: Stats | None = None
        self._urls: list[tuple[str, str]] = []
        self._over = threading.Event()
        console = Console(file=sys.stderr)
        self._live: Live | None = None
        if console.is_terminal and not plain:
            self._live = Live(console=console, auto_refresh=False, transient=True)
        self._thread = threading.Thread(target=self._run, name="kfx-screen", daemon=True)

    def __enter__(self) -> Screen:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: object, trace: TracebackType | None
    ) -> None:
        self._over.set()
        if self._live and self._thread.ident is not None:
            self._thread.join(5.0)
            self._live.stop()
        if self._stats:
            self._news(self._stats)

    def ready(self, stats: Stats, sinks: list[Any], *, panel: str | None = None) -> None:
        """The sinks are open: `live.run` calls this once."""
        self._stats = stats
        # A sink is called what its module is: preview, obs.
        self._urls = [
            (type(sink).__module__.rpartition(".")[2], url)
            for sink in sinks
            if (url := getattr(sink, "url", None))
        ]
        self._urls += [("panel", panel)] if panel else []
        if self._live:
            self._live.start()
            self._thread.start()
            return
        self._news(stats)
        width, height = stats.size
        _line(f"kfx live: {width}x{height} at {float(stats.rate):g} fps, {stats.renderer}")
        for name, url in self._urls:
            _line(f"{name}: {url}")
        if control := stats.show.get("control_url"):
            _line(f"control: {control} (see kfx ctl --help)")
        _line("Ctrl-C ends the show")

    def __call__(self, stats: Stats) -> None:
        """`live.run` calls this about twice a second."""
        if not self._live:
            self._news(stats)

    def _run(self) -> None:
        assert self._live
        assert self._stats
        while not self._over.wait(EVERY_S):
            snapshot = self._stats.snapshot()
            self._live.update(
                status(snapshot, self.title(), urls=self._urls, keys=self._keys), refresh=True
            )

    def _news(self, stats: Stats) -> None:
        """What hasn't been told yet, a line each; on a terminal once the screen is gone."""
        told, news = stats.told, stats.news_since(self._told)
        self._told = told
        for text in news:
            _line(f"kfx: {text}")


def _line(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def status(
    now: dict[str, Any],
    title: str,
    *,
    urls: list[tuple[str, str]] | None = None,
    keys: bool = False,
) -> Group:
    """A `Stats.snapshot` as something rich can print, about a dozen lines high."""
    width, height = now["size"]
    wanted = now.get("output_fps", now["rate"])
    shown = now.get("output", "live")
    head = Text.assemble(
        ("kfx live ", "bold"),
        f"{title}  {width}x{height}  ",
        (f" {shown.upper()} ", _LOUD.get(shown, "bold black on yellow")),
        f"  {_clock(now['seconds'])}",
    )
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    slow = now["frames"] > 0 and now["fps"] < 0.95 * wanted
    grid.add_row(
        "rate",
        Text.assemble(
            (f"{now['fps']:.1f} fps", "yellow" if slow else ""),
            f" of {wanted:g}   longest gap {now['longest_gap_ms']:.0f} ms"
            f"   repeated {now['repeated']}",
        ),
    )
    for spec, ms in now["latency_ms"].items():
        state = now["state"].get(spec, "ok")
        lost = sum(n for name, n in now["dropped_at"].items() if _belongs(name, spec))
        grid.add_row(
            "sink",
            Text.assemble(
                f"{spec}  ",
                (state, "green" if state == "ok" else "bold red"),
                f"  latency {_three(ms)}  dropped {lost}",
            ),
        )
    times = "   ".join(f"{name} {_three(ms)}" for name, ms in now["stage_ms"].items())
    grid.add_row("stages", f"{times}   p50/p95/p99 ms")
    elsewhere = {
        name: count
        for name, count in now["dropped_at"].items()
        if count and not any(_belongs(name, spec) for spec in now["latency_ms"])
    }
    grid.add_row("dropped", "  ".join(f"{k} {v}" for k, v in elsewhere.items()) or "nothing")
    parts = [(name, now["state"][name]) for name in ("source", "tracker", "effects")
             if name in now["state"]]  # fmt: skip
    said = Text("   ").join(
        Text.assemble(f"{name} ", (state, "green" if state == "ok" else "bold red"))
        for name, state in parts
    )
    grid.add_row("state", Text.assemble(f"{now['faces']} faces   ", said))
    if "governor" in now:
        grid.add_row("given up", Text("; ".join(now["governor"]) or "nothing"))
    for name, url in urls or ():
        grid.add_row(name, url)
    if "control_url" in now:
        grid.add_row("control", f"{now['control_url']}  (kfx ctl)")
    for warning in now["warnings"][-NEWEST_WARNINGS:]:
        grid.add_row("news", Text(warning, style="yellow"))
    foot = Text("   ").join(Text.assemble((key, "bold"), f" {what}") for key, what in _KEYS)
    return Group(head, grid, foot if keys else Text("Ctrl-C ends the show", style="dim"))


def _belongs(name: str, spec: str) -> bool:
    """Whether drops of this name are those of a sink."""
    return name == spec or name.startswith(f"{spec}.")


def _three(ms: dict[str, float]) -> str:
    return "/".join(f"{ms[p]:.1f}" for p in ("p50", "p95", "p99"))


def _clock(seconds: float) -> str:
    whole = int(seconds)
    return f"{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02}"
