"""Compiles and draws shaders in a process apart before they go live: it may hang, the show not.

A shader with an endless loop hangs the driver, some broken ones crash it. `prove` therefore draws
it first in a worker that is kept warm, and is killed when it doesn't answer in time. What is drawn
there is the very text that goes live, whatever has become of its file meanwhile.
"""

from __future__ import annotations

import atexit
import base64
import contextlib
import json
import math
import pickle
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from typing import Any

from kfx.errors import KfxError
from kfx.render.isf import Shader

START_S = 30.0  # for the worker's own start: libraries and a GL context
_READY = "ready"


def prove(
    shaders: Sequence[Shader],
    size: tuple[int, int],
    limit_s: float = 3.0,
    values: Mapping[str, Any] | None = None,
) -> None:
    """Compile each shader and draw two frames of `size` (width, height); `limit_s` for each one.

    `values` are those of its knobs that don't stand at their defaults.

    Raises `KfxError`, which names the file and what is wrong with it, at the first that fails,
    hangs or crashes the driver. May be called from any thread; the first call takes a start of
    the worker longer (`warm` takes that away), a call about as long as the shaders take to compile.
    """
    with _lock:
        worker = _warm()
        for shader in shaders:
            fault = worker.fault(shader, values or {}, size, limit_s)
            if fault and not worker.alive:
                _stop()
            if fault:
                raise KfxError(fault)


def warm() -> None:
    """Start the worker in good time. Raises `KfxError` if it has no GL."""
    with _lock:
        _warm()


def stop() -> None:
    """End the worker; the next `prove` starts another one."""
    with _lock:
        _stop()


class _Worker:
    """A process that answers each shader with what is wrong with it, empty if nothing is."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "kfx.render.canary"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        threading.Thread(target=self._listen, name="kfx-canary", daemon=True).start()

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def reach(self) -> bool:
        """Wait until it has its libraries and a GL context."""
        with contextlib.suppress(queue.Empty):
            return self._lines.get(timeout=START_S) == _READY
        return False

    def fault(
        self, shader: Shader, values: Mapping[str, Any], size: tuple[int, int], limit_s: float
    ) -> str:
        assert self._process.stdin is not None
        line, path = "", shader.path
        packed = base64.b64encode(pickle.dumps((shader, dict(values)))).decode("ascii")
        try:
            self._process.stdin.write(json.dumps([packed, size, limit_s]) + "\n")
            self._process.stdin.flush()
            line = self._lines.get(timeout=limit_s)
        except OSError:
            pass
        except queue.Empty:
            self.end()
            return f"{path}: isn't drawn within {limit_s:g} s; look for a loop without an end"
        if not line:
            self.end()
            return f"{path}: crashes the graphics driver; undo the last change"
        return str(json.loads(line))

    def end(self) -> None:
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(OSError, ValueError):
                if stream:
                    stream.close()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        with contextlib.suppress(ValueError, OSError):  # closed while it was read: the end
            for line in self._process.stdout:
                self._lines.put(line.rstrip("\n"))
        self._lines.put("")


_lock = threading.Lock()
_worker: _Worker | None = None


def _warm() -> _Worker:
    global _worker
    if _worker is not None and not _worker.alive:
        _stop()
    if _worker is None:
        _worker = _Worker()
        if not _worker.reach():
            _stop()
            raise KfxError("shaders can't be tried: no OpenGL in a second process; kfx doctor")
        atexit.register(stop)
    return _worker


def _stop() -> None:
    global _worker
    if _worker is not None:
        _worker.end()
        _worker = None
    atexit.unregister(stop)


def _serve() -> None:
    from kfx.render import isf_check
    from kfx.render.gpu import Gpu

    with Gpu() as gpu:
        print(_READY, flush=True)
        for line in sys.stdin:
            packed, size, limit_s = json.loads(line)
            shader, values = pickle.loads(base64.b64decode(packed))
            if hasattr(signal, "alarm"):  # ends it also when kfx died while it hangs
                signal.alarm(math.ceil(limit_s) + 2)
            fault = ""
            try:
                isf_check.draw(gpu, shader, (size[0], size[1]), values)
            except KfxError as error:
                fault = str(error)
            if hasattr(signal, "alarm"):
                signal.alarm(0)
            print(json.dumps(fault), flush=True)


if __name__ == "__main__":
    _serve()
