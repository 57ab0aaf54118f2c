"""An engine that is killed, hangs or crashes is replaced; the camera shows pictures all along."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from kfx.engine.loop import standby, stem, supervisor
from kfx.sinks.slate import BACKGROUND
from tests.waiting import LONG_S, until

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX")
forked = pytest.mark.skipif(not stem.possible(), reason="needs Linux 5.3 for forked engines")
SUPERVISE = """
import sys
from kfx.engine.loop import supervisor
if sys.argv[1] == "alone":  # as where nothing can be forked
    supervisor.stem.possible = lambda: False
    del sys.argv[1]
supervisor.HANG_S, supervisor.SPARE_S, supervisor.TRUST_S = 2.0, 0.1, 300.0
supervisor.PAUSES_S = (0.0, 0.0, 0.1, 0.2)
one = supervisor.Supervisor("tests.faults.show", sys.argv[1:])
code = one.run()
print("restarts", one.restarts, file=sys.stderr)
sys.exit(code)
"""


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


class Show:
    """A supervised show with a fake camera."""

    def __init__(self, folder: Path, *faults: str, alone: bool = False) -> None:
        self.folder, self.log = folder, folder / "log"
        environment = dict(os.environ, FAKE_LOG=str(self.log), TMPDIR=str(folder))
        environment["PYTHONPATH"] = f"{ROOT / 'tests/fakes'}:{ROOT}"
        self.process = subprocess.Popen(
            [sys.executable, "-c", SUPERVISE, *["alone"][:alone], str(folder), *faults],
            env=environment,
            stderr=subprocess.PIPE,
            text=True,
        )

    @property
    def pids(self) -> list[int]:
        file = self.folder / "pids"
        return [int(word) for word in file.read_text().split()] if file.exists() else []

    @property
    def reds(self) -> list[int]:
        """Red of every picture of the camera: ten times the number of the engine's life."""
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        rows = [line.split() for line in lines]
        return [int(row[1]) for row in rows if len(row) == 4 and row[0][0].isdigit()]

    @property
    def openings(self) -> list[str]:
        return [line for line in self.log.read_text().splitlines() if line.startswith("open")]

    def family(self) -> list[int]:
        """Every process that works for this show: its environment names the log."""
        mark = f"FAKE_LOG={self.log}".encode()
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    if mark in (entry / "environ").read_bytes().split(b"\0"):
                        found.append(int(entry.name))
                except OSError:
                    continue
        return [pid for pid in found if alive(pid)]

    def standing_by(self) -> list[int]:
        """The engines, and who is to become one."""
        return self._of("kfx.engine.loop.standby") + self._of("kfx.engine.loop.stem")[1:]

    def stems(self) -> list[int]:
        """What forks them, where that can be done."""
        return self._of("kfx.engine.loop.stem")[:1]

    def _of(self, module: str) -> list[int]:
        """Processes of a module, the oldest first."""
        lines = [(pid, Path(f"/proc/{pid}/cmdline").read_bytes()) for pid in sorted(self.family())]
        return [pid for pid, line in lines if module.encode() in line]

    def end(self, number: int = signal.SIGTERM) -> tuple[int, str]:
        if self.process.poll() is None:
            self.process.send_signal(number)
        _, said = self.process.communicate(timeout=LONG_S)
        return self.process.returncode, said


@pytest.fixture
def show(tmp_path: Path) -> Iterator[Callable[..., Show]]:
    shows: list[Show] = []

    def start(*faults: str, alone: bool = False) -> Show:
        shows.append(Show(tmp_path, *faults, alone=alone))
        return shows[-1]

    yield start
    for one in shows:
        one.process.kill()
        one.process.communicate()
        if Path("/proc").is_dir():
            until(lambda one=one: not one.family())  # nothing outlives a killed supervisor


@pytest.mark.parametrize("alone", [False, True])
def test_a_killed_engine_is_replaced_while_the_camera_stays(
    show: Callable[..., Show], alone: bool
) -> None:
    one = show("run", alone=alone)
    until(lambda: 10 in one.reds)
    os.kill(one.pids[0], signal.SIGKILL)
    until(lambda: 20 in one.reds)
    assert len(one.openings) == 1
    code, said = one.end()
    assert code == 0
    assert "kfx: the engine was killed (SIGKILL); another one takes over (1)" in said
    assert (one.folder / "ended").exists()
    assert set(one.reds) <= {0, 10, BACKGROUND[0], 20}
    assert (
        sorted(one.reds[one.reds.index(10) :], key=[10, BACKGROUND[0], 20].index)
        == (one.reds[one.reds.index(10) :])
    )
    until(lambda: one.log.read_text().endswith("close\n"))
    left = ["ended", "log", "looks", "pids"]
    until(lambda: sorted(path.name for path in one.folder.iterdir()) == left)


@forked
def test_killed_again_before_another_one_stands_by(show: Callable[..., Show]) -> None:
    one = show("run")
    for life in (1, 2, 3):
        until(lambda life=life: life * 10 in one.reds)
        os.kill(one.pids[-1], signal.SIGKILL)
    until(lambda: 40 in one.reds)
    assert len(one.openings) == 1
    stems = one.stems()
    assert len(stems) == 1, "all of them are forks of the same"
    assert one.end()[0] == 0


@forked
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_show_goes_on_without_what_forked_its_engine(
    show: Callable[..., Show], number: int
) -> None:
    one = show("run")
    until(lambda: 10 in one.reds)
    (stem,) = one.stems()
    os.kill(stem, number)
    if number == signal.SIGKILL:
        until(lambda: not alive(stem))
        os.kill(one.pids[0], signal.SIGKILL)
        until(lambda: 20 in one.reds)
    assert one.end()[0] == 0
    assert (one.folder / "ended").exists()


def test_an_engine_that_hangs_or_crashes_is_replaced(show: Callable[..., Show]) -> None:
    one = show("hang", "raise", "run")
    until(lambda: 30 in one.reds)
    code, said = one.end(signal.SIGINT)
    assert code == 0
    assert said.count("the engine hung for 2 s; another one takes over (1)") == 1
    told = "the engine crashed (exit code 70); another one takes over in 0.1 s (2)"
    assert said.count(told) == 1
    assert len(one.openings) == 1


def test_a_look_that_kills_two_engines_is_not_given_to_a_third(show: Callable[..., Show]) -> None:
    one = show("poisoned", "poisoned", "run")
    until(lambda: 30 in one.reds)
    assert (one.folder / "looks").read_text().split() == ["none", "look", "none"]
    assert "the last look may be why: the show goes on with the one it began with" in one.end()[1]


def test_an_engine_that_ends_by_itself_is_the_end(show: Callable[..., Show]) -> None:
    one = show("slow-end")
    assert one.process.wait(LONG_S) == 0
    assert "restarts 0" in one.end()[1]
    assert (one.folder / "ended").exists()


def test_a_refusal_is_no_crash(show: Callable[..., Show]) -> None:
    assert show("refuse").process.wait(LONG_S) == 2


def test_what_never_starts_is_given_up(show: Callable[..., Show]) -> None:
    one = show("early")
    assert one.process.wait(LONG_S) == 1
    assert "3 times before its first picture" in one.end()[1]
    assert len(one.pids) == 3


def test_one_that_cannot_take_over_is_followed_by_another(show: Callable[..., Show]) -> None:
    one = show("raise", "refuse", "run")  # a camera that is away for a moment, for one
    until(lambda: 30 in one.reds)
    _, said = one.end()
    assert "the engine ended (exit code 2); another one takes over in 0.1 s (2)" in said
    assert len(one.openings) == 1


def test_engines_that_die_one_after_the_other_come_ever_more_slowly(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    now = 100.0
    monkeypatch.setattr(supervisor.clock, "now", lambda: now)
    one = supervisor.Supervisor("nothing", (), say=lambda text: None)
    one._folder, one._shown = str(tmp_path), True

    def start() -> supervisor._Engine:
        process = SimpleNamespace(pid=1, poll=lambda: -signal.SIGKILL)
        peer = SimpleNamespace(send_bytes=lambda word: None)
        return supervisor._Engine(process, peer, began=now, beaten=now)  # type: ignore[arg-type]

    monkeypatch.setattr(one, "_start", start)
    engines = [start()]
    pauses = []
    for lived_s in (100.0, *[1.0] * 6, 50.0, 1.0):
        now += lived_s
        assert one._turn(engines) is None
        pauses.append(round(one._go_at - now, 6))
    assert pauses == [0.0, 0.0, 1.0, 2.0, 5.0, 10.0, 10.0, 0.0, 0.0]


def test_nobody_goes_before_the_pause_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[bytes] = []
    peer = SimpleNamespace(send_bytes=sent.append)
    one = supervisor.Supervisor("nothing", ())
    engine = supervisor._Engine(SimpleNamespace(pid=1), peer, wanted=True)  # type: ignore[arg-type]
    now = 100.0
    monkeypatch.setattr(supervisor.clock, "now", lambda: now)
    one._go_at = 102.0
    one._go(engine)
    now = 101.9
    one._go(engine)
    assert (sent, engine.going) == ([], False)
    now = 102.0
    one._go(engine)
    assert (sent, engine.going, engine.began) == ([standby.GO], True, 102.0)


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks for processes in /proc")
@pytest.mark.parametrize(
    ("number", "alone"), [(signal.SIGINT, False), (signal.SIGHUP, False), (signal.SIGHUP, True)]
)
def test_who_stands_by_goes_with_the_show(
    show: Callable[..., Show], number: int, alone: bool
) -> None:
    one = show("run", alone=alone)
    until(lambda: 10 in one.reds)
    until(lambda: len(one.standing_by()) == 2)  # the engine and the spare
    assert one.end(number)[0] == 0
    assert (one.folder / "ended").exists()  # its files were closed
    until(lambda: not one.family())


def test_a_killed_supervisor_takes_everything_with_it(show: Callable[..., Show]) -> None:
    one = show("run")
    until(lambda: 10 in one.reds)
    until(lambda: len(one.standing_by()) == 2)
    assert len(one.family()) >= 4  # itself, the engine, the one that stands by and the camera
    one.process.kill()
    until(lambda: not one.family())
    assert (one.folder / "ended").exists()  # the engine closed its files
    assert one.log.read_text().endswith("close\n")
