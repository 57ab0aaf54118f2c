"""SRT through the ffmpeg program, since the FFmpeg inside PyAV's wheels has none."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess

from kfx import clock
from kfx.errors import KfxError
from kfx.sources.stream_address import shown, srt

OPEN_S, SILENT_S = 8.0, 2.0  # patience until there are pictures, and between two
_POLL_S = 0.1


class Received:
    """A file to read NUT from. Raises `OSError` when nothing comes for `SILENT_S`."""

    def __init__(self, url: str) -> None:
        program = shutil.which("ffmpeg")
        if program is None:
            raise KfxError(f"{shown(url)}: SRT goes through the ffmpeg program; install one")
        command = [program, "-hide_banner", "-loglevel", "error", "-nostdin"]
        command += ["-fflags", "nobuffer", "-probesize", "500000", "-analyzeduration", "500000"]
        command += ["-i", srt(url)]
        command += ["-map", "0:v:0", "-c", "copy", "-flush_packets", "1", "-f", "nut"]
        with socket.create_server(("127.0.0.1", 0)) as door:
            door.settimeout(_POLL_S)
            to = f"tcp://127.0.0.1:{door.getsockname()[1]}"
            self._child = subprocess.Popen(
                [*command, to],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            try:
                self._link = self._accepted(door)
            except BaseException:
                self._stop()
                raise
        self._link.settimeout(OPEN_S)

    def _accepted(self, door: socket.socket) -> socket.socket:
        end = clock.now() + OPEN_S
        while clock.now() < end:
            with contextlib.suppress(TimeoutError):
                return door.accept()[0]
            if self._child.poll() is not None:
                raise OSError("ffmpeg got no connection")
        raise OSError("nothing came in time")

    def read(self, size: int = 65536) -> bytes:
        try:
            data = self._link.recv(max(1, size))
        except TimeoutError:
            raise OSError(f"silent for {SILENT_S:g} s") from None
        self._link.settimeout(SILENT_S)
        return data

    def close(self) -> None:
        """May be called twice, also from another thread while one reads."""
        with contextlib.suppress(OSError):
            self._link.shutdown(socket.SHUT_RDWR)
        self._link.close()
        self._stop()

    def _stop(self) -> None:
        self._child.kill()
        self._child.wait()
