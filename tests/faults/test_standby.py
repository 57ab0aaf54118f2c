"""Who stands by has made what the running engine is made of, and goes at once when it is called."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from kfx.engine.loop import ready_made, standby
from kfx.engine.loop.ready_made import MadeOf
from kfx.sinks import vcam_link
from tests.waiting import LONG_S

ROOT = Path(__file__).parents[2]
# A module that tells which modules were there when it began.
ENGINE = """
import json, sys
there = sorted(sys.modules)
open(sys.argv[1], "w").write(json.dumps([there, sys.argv[1:]]))
"""
LATE = "imaplib"  # of the standard library; nothing of kfx uses it


class Spare:
    """A process that stands by for the supervisor that this test is."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "an_engine.py").write_text(ENGINE)
        self._listener = vcam_link.listen(vcam_link.address(str(folder), vcam_link.LIFELINE))
        path = os.pathsep.join((str(folder), str(ROOT)))
        self.process = subprocess.Popen(
            [sys.executable, "-m", "kfx.engine.loop.standby", "an_engine", str(folder / "told")],
            env={**os.environ, vcam_link.FOLDER_VARIABLE: str(folder), "PYTHONPATH": path},
        )
        self.peer: Connection = self._listener.accept()
        assert self.peer.recv_bytes() == b"%d" % self.process.pid

    def told(self) -> list[str]:
        assert self.process.wait(LONG_S) == 0
        modules, arguments = json.loads((self.folder / "told").read_text())
        assert arguments == [str(self.folder / "told")]
        return list(modules)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        self.peer.close()
        self._listener.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


@pytest.fixture
def spares() -> Iterator[list[Spare]]:
    made: list[Spare] = []
    yield made
    for one in made:
        one.close()


def test_it_has_loaded_what_the_engine_has_loaded(folder: Path, spares: list[Spare]) -> None:
    ready_made.leave(folder, MadeOf(("sys", LATE, "no.such.module"), "mediapipe", None))
    spares.append(spare := Spare(folder))
    assert spare.peer.recv_bytes() == standby.READY
    spare.peer.send_bytes(standby.GO)
    assert LATE in spare.told()


def test_called_while_it_loads_it_goes_at_once(folder: Path, spares: list[Spare]) -> None:
    """The module before the last one waits for a call, and the last one isn't loaded any more."""
    (folder / "a_slow_one.py").write_text(
        "import os, select\n"
        "from kfx.engine.loop import standby\n"
        f"open({str(folder / 'loading')!r}, 'w').close()\n"
        f"while not os.path.exists({str(folder / 'called')!r}): select.select([], [], [], 0.01)\n"
    )
    ready_made.leave(folder, MadeOf((LATE, "a_slow_one"), "mediapipe", None))  # the last one first
    spares.append(spare := Spare(folder))
    spare.peer.send_bytes(standby.GO)
    (folder / "called").touch()
    modules = spare.told()
    assert LATE not in modules


def test_with_its_supervisor_it_ends(folder: Path, spares: list[Spare]) -> None:
    spares.append(spare := Spare(folder))
    assert spare.peer.recv_bytes() == standby.READY
    spare.peer.close()
    assert spare.process.wait(LONG_S) == 0
    assert not (folder / "told").exists()


def test_an_engine_that_has_told_nothing_is_made_of_nothing(folder: Path) -> None:
    assert ready_made.left(folder) == MadeOf()
    (folder / ready_made.FILE).write_text("{half")
    assert ready_made.left(folder) == MadeOf()
    whole = MadeOf(("a", "b.c"), "mediapipe", (1280, 720))
    ready_made.leave(folder, whole)
    assert ready_made.left(folder) == whole
