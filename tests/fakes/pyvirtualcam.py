"""Stands in for pyvirtualcam, on PYTHONPATH: writes "time r g b" of every frame's first pixel.

FAKE_LOG names the file. FAKE_REFUSE is why it can't be opened, FAKE_SLOW the seconds a frame
takes, FAKE_SLOW_CLOSE those that it closes in; while a file FAKE_LOG.broken is there, frames fail
as pyvirtualcam's do: by printing; one FAKE_LOG.dies ends the process that opens a camera, once.
"""

import os
import time


class Camera:
    def __init__(self, width, height, fps, *, device=None, fmt="RGB"):
        dies = os.environ.get("FAKE_LOG", "") + ".dies"
        if os.path.exists(dies):
            os.unlink(dies)
            os._exit(9)
        if os.environ.get("FAKE_REFUSE"):
            raise RuntimeError(os.environ["FAKE_REFUSE"])
        self.width, self.height, self.fps = width, height, fps
        self.device, self.native_fmt = device or "Fake Camera", "I420"
        self._log = open(os.environ["FAKE_LOG"], "a", buffering=1)  # noqa: SIM115
        self._log.write(f"open {os.getpid()} {width} {height} {fps}\n")

    def send(self, frame):
        assert frame.shape == (self.height, self.width, 3)
        assert frame.flags.c_contiguous
        if os.path.exists(os.environ["FAKE_LOG"] + ".broken"):
            os.write(2, b"error writing frame: No such device")
            return
        time.sleep(float(os.environ.get("FAKE_SLOW", "0")))
        r, g, b = frame[0, 0]
        self._log.write(f"{time.monotonic()} {r} {g} {b}\n")

    def close(self):
        time.sleep(float(os.environ.get("FAKE_SLOW_CLOSE", "0")))
        self._log.write("close\n")
        self._log.close()
