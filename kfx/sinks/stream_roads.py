"""Ways bytes leave this process: UDP datagrams, a TCP connection, a child that knows more.

Each is a file to write into. A write takes at most `TIMEOUT_S` and raises `OSError` when the other
side is gone; `ready` says whether a write would wait.
"""

from __future__ import annotations

import contextlib
import functools
import os
import select
import shutil
import socket
import subprocess
import sys
import tempfile
from typing import Protocol

from kfx import clock
from kfx.errors import KfxError
from kfx.sinks import datagrams
from kfx.sinks.stream_url import Address

TIMEOUT_S = 2.0
START_S = 8.0  # a child may need on a busy machine
DATAGRAM = 1316  # seven packets of MPEG-TS
_POLL_S = 0.05


class Road(Protocol):
    """Where an encoder writes."""

    def write(self, data: bytes) -> int: ...

    def ready(self) -> bool: ...

    def close(self) -> None: ...


class Udp:
    """Datagrams to one address, which may be a group. Nobody there is no error."""

    def __init__(self, host: str, port: int) -> None:
        self._socket, self._to = datagrams.opened(host, port)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)

    def write(self, data: bytes) -> int:
        with contextlib.suppress(ConnectionRefusedError):  # the last datagram found nobody
            self._socket.sendto(data, self._to)
        return len(data)

    def ready(self) -> bool:
        return True

    def close(self) -> None:
        self._socket.close()


class Tcp:
    """One open connection. It holds little, so that a slow reader is noticed at once."""

    def __init__(self, link: socket.socket) -> None:
        self._link = link
        link.settimeout(TIMEOUT_S)
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def write(self, data: bytes) -> int:
        self._link.sendall(data)
        return len(data)

    def ready(self) -> bool:
        return bool(select.select([], [self._link], [], 0)[1])

    def close(self) -> None:
        self._link.close()


class Child:
    """A program that connects back to us over loopback and takes the bytes from there."""

    def __init__(self, command: list[str], environment: dict[str, str] | None = None) -> None:
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - open as long as the child runs
        self._child: subprocess.Popen[bytes] | None = None
        try:
            with socket.create_server(("127.0.0.1", 0)) as door:
                door.settimeout(_POLL_S)
                source = f"tcp://127.0.0.1:{door.getsockname()[1]}"
                self._child = subprocess.Popen(
                    [source if word == "SOURCE" else word for word in command],
                    env=os.environ | (environment or {}),
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=self._said,
                )
                self._tcp = Tcp(self._accepted(door))
        except BaseException:
            self.close()
            raise

    def _accepted(self, door: socket.socket) -> socket.socket:
        end = clock.now() + START_S
        while True:
            try:
                return door.accept()[0]
            except TimeoutError:
                self._look()
                if clock.now() > end:
                    raise OSError(f"{START_S:g} s without a sign of its start") from None

    def _look(self) -> None:
        """Raise what the child said if it has ended."""
        if self._child is None or self._said.closed:
            raise OSError("it is closed")
        if self._child.poll() is not None:
            raise OSError(self._reason())

    def _reason(self) -> str:
        self._said.seek(0)
        lines = self._said.read().decode("utf-8", "replace").strip().splitlines()
        return lines[-1][:200] if lines else f"ended with {self._child and self._child.returncode}"

    def write(self, data: bytes) -> int:
        try:
            return self._tcp.write(data)
        except TimeoutError:
            raise OSError("the other side takes nothing any more") from None
        except OSError:
            if self._child is not None:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self._child.wait(1)  # it has closed its end and is about to say why
            self._look()
            raise

    def ready(self) -> bool:
        self._look()
        return self._tcp.ready()

    def close(self) -> None:
        with contextlib.suppress(AttributeError):  # it never connected
            self._tcp.close()
        if self._child is not None:
            try:
                self._child.wait(1)  # it ends by itself at the end of its input
            except subprocess.TimeoutExpired:
                self._child.kill()
                self._child.wait()
        self._said.close()


def carried(address: Address) -> tuple[list[str], dict[str, str]]:
    """Command and environment of the child for `address`. Raises `KfxError` for SRT without one."""
    if address.scheme == "srt":
        quick = ["-fflags", "nobuffer", "-probesize", "32", "-analyzeduration", "1"]
        command = [_ffmpeg_with_srt(address), "-hide_banner", "-loglevel", "error", "-nostdin"]
        command += [*quick, "-f", "nut", "-i", "SOURCE", "-c", "copy"]
        return [*command, "-flush_packets", "1", "-f", "mpegts", address.url], {}
    environment = {
        "KFX_STREAM_URL": address.url,
        "KFX_STREAM_TRANSPORT": address.options.get("transport", "tcp"),
    }
    return [sys.executable, "-m", "kfx.sinks.stream_carrier", "SOURCE"], environment


def _ffmpeg_with_srt(address: Address) -> str:
    """The program, since the FFmpeg inside PyAV's wheels has no SRT."""
    program = shutil.which("ffmpeg")
    if not program or not _has_srt(program):
        lacks = "has no SRT" if program else "is not installed"
        raise KfxError(
            f"{address.place}: SRT goes through the ffmpeg program, which {lacks}; install one "
            "with libsrt (apt-get install ffmpeg, brew install ffmpeg), or use rtsp:// or udp://"
        )
    return program


@functools.cache
def _has_srt(program: str) -> bool:
    listed = subprocess.run(
        [program, "-hide_banner", "-protocols"], capture_output=True, text=True, timeout=20
    )
    return "srt" in listed.stdout.split()
