"""A JACK server on its dummy driver: sound and MIDI devices on a machine that has none."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.waiting import LONG_S

PERIOD = 1024  # frames; with fewer a busy machine leaves some out
MIDI = "mido.backends.rtmidi/UNIX_JACK"
_PROBE = """
import sounddevice
assert any("JACK" in one["name"] for one in sounddevice.query_hostapis()), "PortAudio has no JACK"
"""


class Jack:
    """``with Jack() as jack: jack.python(…)``; skips the test, with the reason, without one."""

    def __enter__(self) -> Jack:
        if sys.platform != "linux" or not shutil.which("jackd"):
            pytest.skip("no JACK server on this machine: sudo apt install jackd2 libportaudio2")
        name = f"kfx{uuid.uuid4().hex[:8]}"
        self.env = {
            **os.environ,
            "JACK_DEFAULT_SERVER": name,
            "JACK_NO_START_SERVER": "1",
            "JACK_NO_AUDIO_RESERVATION": "1",
            "MIDO_BACKEND": MIDI,
            "OMP_NUM_THREADS": "1",
        }
        self._children: list[subprocess.Popen[str]] = []
        command = ["jackd", "-n", name, "-r", "-d", "dummy", "-r", "48000", "-p", str(PERIOD)]
        self._server = subprocess.Popen(
            command,
            env=self.env,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        probe = None
        for _ in range(40):
            time.sleep(0.25)
            probe = self.run(sys.executable, "-c", _PROBE)
            if probe.returncode == 0:
                return self
        self.__exit__()
        said = probe.stderr.strip().splitlines()[-1:] if probe else []
        pytest.skip(f"JACK's dummy driver can't be used here: {said}")

    def __exit__(self, *exc: object) -> None:
        for child in self._children:
            child.kill()
            child.communicate(timeout=LONG_S)
        self._server.send_signal(signal.SIGTERM)
        try:
            self._server.wait(LONG_S)
        except subprocess.TimeoutExpired:
            self._server.kill()
            self._server.wait(LONG_S)

    def run(self, *command: str, timeout: float = 240.0) -> subprocess.CompletedProcess[str]:
        """A command to its end, in a process that knows of this server."""
        return subprocess.run(
            command,
            env=self.env,
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=timeout,
        )

    def kfx(self, *arguments: object) -> subprocess.CompletedProcess[str]:
        """A command of kfx."""
        return self.run(sys.executable, "-m", "kfx", *map(str, arguments))

    def start(self, module: str, *arguments: object) -> subprocess.Popen[str]:
        """Run a module of the tests beside; returns once it has said that it is ready."""
        child = subprocess.Popen(
            [sys.executable, "-m", module, *map(str, arguments)],
            env=self.env,
            cwd=Path(ROOT),
            stdout=subprocess.PIPE,
            text=True,
        )
        self._children.append(child)
        assert child.stdout is not None
        assert child.stdout.readline().strip() == "ready", f"{module} didn't start"
        return child
