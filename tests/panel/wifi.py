"""How old the picture is on a tablet: the panel's own way beside multipart MJPEG, through `radio`.

``python -m tests.panel.wifi`` shows moving pictures with the time written into them to a headless
Chromium, at each rate with and without stalls, in turn, and prints a row for each. The age is that
of what stands on the screen, looked at 60 times a second. WebRTC isn't built and isn't compared.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import shutil
import subprocess
import sys
import tempfile
import threading
from fractions import Fraction
from pathlib import Path

import numpy as np

from kfx import clock
from kfx.types import Frame, Shot, Tick, freeze

SIZE = (1280, 720)
BITS = 24
READ = """([selector, ms]) => new Promise((done) => {
  const shown = document.querySelector(selector);
  const own = document.createElement('canvas');
  const rows = [];
  const begin = performance.now();
  const read = () => {
    let canvas = shown;
    if (shown.tagName === 'IMG') {
      own.width = shown.naturalWidth; own.height = shown.naturalHeight;
      own.getContext('2d').drawImage(shown, 0, 0);
      canvas = own;
    }
    const { width, height } = canvas;
    const at = performance.timeOrigin + performance.now();
    const y = height - Math.ceil(height / 24);
    const data = canvas.getContext('2d').getImageData(0, y, width, 1).data;
    let stamp = 0;
    for (let i = 0; i < 24; i++) {
      if (data[4 * Math.round((i + 0.5) * width / 32)] > 128) stamp += 2 ** i;
    }
    rows.push([at % 2 ** 24, stamp, width]);
    if (performance.now() - begin < ms) requestAnimationFrame(read);
    else done(rows);
  };
  read();
})"""


class Show:
    """Moving pictures about as hard to encode as a face in a room, 30 a second, for `put`."""

    def __init__(self, *puts) -> None:
        import cv2

        chance = np.random.default_rng(1)
        width, height = SIZE
        field = np.zeros((height, 2 * width, 3), np.float32)
        for scale, strength in ((64, 60.0), (16, 30.0), (4, 18.0), (1, 4.0)):
            part = chance.normal(0, strength, (height // scale + 1, 2 * width // scale + 1, 3))
            field += cv2.resize(part.astype(np.float32), (2 * width, height))
        rgb = np.clip(field + 120, 0, 255).astype(np.uint8)
        self._film = np.dstack([rgb, np.full((height, 2 * width), 255, np.uint8)])
        self.over = threading.Event()
        self._puts = puts
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        number, due = 0, clock.now()
        while not self.over.is_set():
            number, due = number + 1, max(due + 1 / 30, clock.now() - 0.1)
            clock.sleep_until(due)
            x = 7 * number % SIZE[0]
            pixels = self._film[:, x : x + SIZE[0]].copy()
            height, block = SIZE[1] // 12, SIZE[0] // 32
            now = clock.now()
            stamp = int(1000 * clock.wall(now)) % 2**BITS
            for i in range(BITS):
                pixels[-height:, i * block : (i + 1) * block, :3] = 255 * (stamp >> i & 1)
            frame = Frame(freeze(pixels), number, Fraction(number, 30), now)
            shot = Shot(frame.pixels, Tick(number, number / 30, 1 / 30, frame))
            for put in self._puts:
                put(shot)

    def close(self) -> None:
        self.over.set()
        self._thread.join()


class Multipart:
    """The newest picture as multipart MJPEG, as soon as the socket takes it: as cameras do."""

    def __init__(self) -> None:
        self.port = 0
        self._shot: Shot | None = None
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        self._ready.wait()

    def put(self, shot: Shot) -> None:
        self._shot = shot

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        made = self._loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", 0))
        self.port = made.sockets[0].getsockname()[1]
        self._ready.set()
        self._loop.run_forever()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        import cv2

        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            asked = await reader.readuntil(b"\r\n\r\n")
            if not asked.startswith(b"GET /stream"):
                page = b"<!doctype html><img id=picture src=/stream>"
                head = f"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {len(page)}"
                writer.write(head.encode() + b"\r\nConnection: close\r\n\r\n" + page)
                await writer.drain()
                writer.close()
                return
            writer.write(
                b"HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=kfx\r\n\r\n"
            )
            sent = None
            while True:
                shot = self._shot
                if shot is None or shot is sent:
                    await asyncio.sleep(0.002)
                    continue
                sent = shot
                bgr = cv2.cvtColor(np.asarray(shot.pixels), cv2.COLOR_RGBA2BGR)
                data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, 82])[1].tobytes()
                head = f"--kfx\r\nContent-Type: image/jpeg\r\nContent-Length: {len(data)}\r\n\r\n"
                writer.write(head.encode() + data + b"\r\n")
                await writer.drain()


def figures(rows: list[list[float]]) -> str:
    """Median and 95th percentile of the age, pictures a second, width."""
    told = np.array(rows[1:], np.float64)
    ages = (told[:, 0] - told[:, 1]) % 2**BITS
    fps = 1000 * (len(np.unique(told[:, 1])) - 1) / (told[-1, 0] - told[0, 0])
    p50, p95, worst = np.percentile(ages, (50, 95, 100))
    width = np.median(told[:, 2])
    return f"{p50:8.0f} {p95:8.0f} {worst:8.0f} {fps:8.1f} {width:8.0f}"


@contextlib.contextmanager
def radio(to: int, rate: float | None, stalls: bool, seed: int):
    """The port of a radio of its own process that leads there; the port itself without a rate."""
    if rate is None:
        yield to
        return
    command = [sys.executable, "-m", "tests.panel.radio", str(to), "--rate", str(rate)]
    command += ["--seed", str(seed), *(["--stalls"] if stalls else [])]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as one:
        assert one.stdout is not None
        try:
            yield int(one.stdout.readline())
        finally:
            one.terminate()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=8.0, help="of each stretch")
    parser.add_argument("--rates", default="0,20,8,3", help="Mbit/s; 0 is loopback itself")
    parser.add_argument("--ways", default="panel,mjpeg")
    parser.add_argument("--stalls", choices=("both", "no", "yes"), default="both")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()

    from playwright.sync_api import sync_playwright

    from kfx.panel.pictures import Pictures
    from kfx.panel.server import Panel
    from tests.desks import desk_of

    program = shutil.which("chromium") or shutil.which("google-chrome")
    desk, _, _ = desk_of()
    pictures, multipart = Pictures(), Multipart()
    show = Show(pictures.put, multipart.put)
    print(f"{'Mbit/s':8}{'stalls':8}{'way':8}     p50      p95    worst      fps    width")
    with (
        tempfile.TemporaryDirectory() as folder,
        Panel(desk, pictures, port=0, folder=Path(folder)) as panel,
        sync_playwright() as play,
    ):
        browser = play.chromium.launch(executable_path=program, args=["--no-sandbox"])
        for text in options.rates.split(","):
            rate = float(text) or None
            for stalls in {"both": (False, True), "no": (False,), "yes": (True,)}[options.stalls]:
                if stalls and rate is None:
                    continue
                for way in options.ways.split(","):
                    port = panel.port if way == "panel" else multipart.port
                    with radio(port, rate, stalls, options.seed) as through:
                        page = browser.new_page(viewport={"width": 1400, "height": 900})
                        page.set_default_timeout(60_000)
                        page.goto(f"http://127.0.0.1:{through}/", wait_until="commit")
                        page.wait_for_selector("#picture")
                        page.wait_for_timeout(3000)
                        rows = page.evaluate(READ, ["#picture", 1000 * options.seconds])
                        page.close()
                    name = "loopback" if rate is None else text
                    print(
                        f"{name:8}{'yes' if stalls else 'no':8}{way:8}{figures(rows)}", flush=True
                    )
        browser.close()
    show.close()
    multipart.close()
    desk.close()


if __name__ == "__main__":
    main()
