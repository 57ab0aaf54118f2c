"""OBS Studio under Xvfb with kfx's script loaded, driven over obs-websocket."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
import signal
import socket
import subprocess
import time
from contextlib import ExitStack
from pathlib import Path

import cv2
import numpy as np
import pytest
from websockets.sync.client import connect

PROGRAMS = ("obs", "Xvfb", "dbus-run-session")
SIZE = (1280, 720)
PASSWORD = "only-for-this-test"


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def require() -> None:
    missing = [name for name in PROGRAMS if not shutil.which(name)]
    if missing:
        pytest.skip(
            f"{', '.join(missing)} not installed: apt-get install --no-install-recommends "
            "obs-studio obs-plugins xvfb dbus-x11 libgl1-mesa-dri libegl-mesa0"
        )


class RequestError(AssertionError):
    """OBS said no."""


class Obs:
    """A running OBS. `call` sends a request of obs-websocket 5 and returns its answer."""

    def __init__(self, home: Path, script: Path, settings: dict[str, object]) -> None:
        self.home = home
        self.port = free_port()
        self._children: list[subprocess.Popen[bytes]] = []
        self._number = 0
        self._open = ExitStack()
        _write_config(home, self.port, script, settings)
        try:
            self._start()
        except BaseException:
            self.close()
            raise

    def _start(self) -> None:
        read, write = os.pipe()
        screen = ["-screen", "0", "1280x800x24", "+extension", "GLX", "-nolisten", "tcp"]
        self._spawn(["Xvfb", "-displayfd", str(write), *screen], {}, pass_fds=(write,))
        os.close(write)
        with os.fdopen(read) as told:
            display = told.readline().strip()
        runtime = self.home / "run"
        runtime.mkdir(mode=0o700)
        self._spawn(
            [
                *("dbus-run-session", "--", "obs", "--multi", "--minimize-to-tray"),
                *("--disable-updater", "--disable-missing-files-check"),
                *("--profile", "kfx", "--collection", "kfx"),
            ],
            {
                "HOME": str(self.home),
                "XDG_CONFIG_HOME": str(self.home / ".config"),
                "XDG_RUNTIME_DIR": str(runtime),
                "DISPLAY": f":{display}",
                "QT_QPA_PLATFORM": "xcb",
                "LIBGL_ALWAYS_SOFTWARE": "1",
            },
        )
        end = time.monotonic() + 20
        while True:
            try:
                url = f"ws://127.0.0.1:{self.port}"
                self._socket = self._open.enter_context(connect(url, max_size=None))
                break
            except OSError:
                assert time.monotonic() < end, f"OBS didn't come up:\n{self.log()[-3000:]}"
                time.sleep(0.1)
        hello = json.loads(self._socket.recv(5))["d"]["authentication"]
        identify = {"rpcVersion": 1, "authentication": _answer(hello), "eventSubscriptions": 0}
        self._socket.send(json.dumps({"op": 1, "d": identify}))
        assert json.loads(self._socket.recv(5))["op"] == 2

    def _spawn(self, command: list[str], environment: dict[str, str], **more: object) -> None:
        # OpenCV points Qt at its own plugins, for every child as well.
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("QT_QPA_")}
        log = (self.home / f"{Path(command[0]).name}.log").open("wb")
        with log:
            child = subprocess.Popen(
                command,
                env=inherited | environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                **more,
            )
        self._children.append(child)

    def call(self, request: str, **data: object) -> dict:
        self._number += 1
        body = {"requestType": request, "requestId": str(self._number), "requestData": data}
        self._socket.send(json.dumps({"op": 6, "d": body}))
        while True:
            message = json.loads(self._socket.recv(10))
            if message["op"] == 7 and message["d"]["requestId"] == str(self._number):
                break
        status = message["d"]["requestStatus"]
        if not status["result"]:
            raise RequestError(f"{request}: {status}")
        return message["d"].get("responseData") or {}

    def screenshot(self, source: str, kind: str = "jpg", width: int = SIZE[0]) -> np.ndarray:
        """BGR or BGRA of what OBS shows of a source or a scene."""
        answer = self.call(
            "GetSourceScreenshot",
            sourceName=source,
            imageFormat=kind,
            imageWidth=width,
            imageHeight=width * SIZE[1] // SIZE[0],
        )
        data = base64.b64decode(answer["imageData"].partition(",")[2])
        return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)

    def log(self) -> str:
        files = sorted((self.home / ".config/obs-studio/logs").glob("*.txt"))
        said = [path.read_text(errors="replace") for path in files]
        return "\n".join(said) or (self.home / "dbus-run-session.log").read_text(errors="replace")

    def close(self) -> None:
        self._open.close()
        for child in reversed(self._children):
            if child.poll() is None:
                os.killpg(child.pid, signal.SIGINT if child is not self._children[0] else 15)
                try:
                    child.wait(5)
                except subprocess.TimeoutExpired:
                    os.killpg(child.pid, signal.SIGKILL)
                    child.wait()


def _answer(hello: dict[str, str]) -> str:
    def digest(text: str) -> str:
        return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()

    return digest(digest(PASSWORD + hello["salt"]) + hello["challenge"])


def _write_config(home: Path, port: int, script: Path, settings: dict[str, object]) -> None:
    folder = home / ".config/obs-studio"
    (folder / "basic/profiles/kfx").mkdir(parents=True)
    (folder / "basic/scenes").mkdir(parents=True)
    (folder / "global.ini").write_text(
        "[General]\nFirstRun=true\nEnableAutoUpdates=false\n"
        "[Basic]\nProfile=kfx\nProfileDir=kfx\nSceneCollection=kfx\nSceneCollectionFile=kfx\n"
        "[OBSWebSocket]\nFirstLoad=false\nServerEnabled=true\n"
        f"ServerPort={port}\nAuthRequired=true\nServerPassword={PASSWORD}\nAlertsEnabled=false\n"
    )
    (folder / "basic/profiles/kfx/basic.ini").write_text(
        "[General]\nName=kfx\n[Output]\nMode=Simple\n"
        f"[Video]\nBaseCX={SIZE[0]}\nBaseCY={SIZE[1]}\nOutputCX={SIZE[0]}\nOutputCY={SIZE[1]}\n"
        "FPSType=0\nFPSCommon=30\n"
    )
    scenes = {
        "name": "kfx",
        "current_scene": "Scene",
        "current_program_scene": "Scene",
        "scene_order": [{"name": "Scene"}],
        "sources": [{"id": "scene", "name": "Scene", "settings": {}}],
        "modules": {"scripts-tool": [{"path": str(script), "settings": settings}]},
    }
    (folder / "basic/scenes/kfx.json").write_text(json.dumps(scenes))
