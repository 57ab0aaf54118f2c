"""Two hundred clients at a panel, viewers, slow readers and liars, and what the loop feels of it.

``python -m tests.panel.crowd`` runs a real show alone, with the crowd, and while looks are pictured
ahead, in turn, and prints the gaps between its pictures side by side. The crowd is a process of its
own, as on a set.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import struct
import subprocess
import sys
import tempfile
import threading
from fractions import Fraction

from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

LIARS, SLOW, BUSY = 80, 60, 60


def picture_number(data):
    """The number of a picture that the panel has sent."""
    length = struct.unpack(">I", data[:4])[0]
    return json.loads(data[4 : 4 + length])["n"]


async def _come_again(url, act):
    """A client that acts until it is thrown out, then comes back."""
    while True:
        with contextlib.suppress(OSError, EOFError, TimeoutError, WebSocketException):
            async with connect(url, max_size=2**22, close_timeout=0.1) as one:
                await act(one)
        await asyncio.sleep(0.2)


async def _lie(one):
    while True:
        await one.send("{")
        await one.send('{"t":"do","what":"move","place":9,"to":-1}')
        await asyncio.sleep(0.01)


async def _be_slow(one):
    one.transport.pause_reading()
    await asyncio.sleep(60)


async def _be_busy(one):
    async for data in one:
        await one.send(str(picture_number(data)))


async def crowd(port, seconds):
    """Be everybody for a while."""
    acts = [("control", _lie)] * LIARS + [("picture", _be_slow)] * SLOW
    acts += [("picture", _be_busy)] * BUSY
    url = f"ws://127.0.0.1:{port}"
    tasks = [asyncio.ensure_future(_come_again(f"{url}/{path}", act)) for path, act in acts]
    await asyncio.wait(tasks, timeout=seconds)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def others_of(kind, port, seconds, cache):
    """What runs beside the show in a stretch of this kind."""
    command = [sys.executable, "-m"]
    if kind == "crowd":
        command += ["tests.panel.crowd", "--attack", str(port), "--seconds", str(seconds)]
    elif kind == "stills":
        command += ["kfx.panel.stills", cache, tempfile.mkdtemp(dir=cache)]
    else:
        return None
    return subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "LP_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
    )


def measure(seconds, rounds, preset, size, fps, cache):
    """Stretches of each kind in turn; a row of figures for each kind."""
    import numpy as np

    from kfx import clock, presets, sources
    from kfx.engine import live
    from kfx.engine.desk.session import Inputs, Session
    from kfx.engine.loop.switches import Switches
    from kfx.panel.pictures import Pictures
    from kfx.panel.server import Panel

    gaps = {"idle": [], "crowd": [], "stills": []}
    met = {"sockets": 0}
    now, last, stop = ["start"], [0.0], threading.Event()

    class Watched(Pictures):
        def put(self, shot):
            at = clock.now()
            if now[0] in gaps and last[0]:
                gaps[now[0]].append(1000.0 * (at - last[0]))
            last[0] = at
            super().put(shot)

    pictures, opened = Watched(), []

    def begin(session):
        panel = Panel(session.desk, pictures, port=8890)
        panel.__enter__()
        opened.append(panel)
        return panel.close

    def stretches():
        stop.wait(8.0)  # compiled, settled
        for i in range(3 * rounds):
            kind = ("idle", "crowd", "stills")[i % 3]
            others = others_of(kind, opened[0].port, seconds, cache)
            if stop.wait(1.5):  # everybody is there
                return
            last[0], now[0] = 0.0, kind
            stop.wait(seconds - 2.0)
            met["sockets"] = max(met["sockets"], opened[0]._door.sockets)
            now[0] = "between"
            if others:
                others.stdin.close()  # at which pictures end; a crowd goes when its time is over
                others.wait()
        stop.set()

    switches = Switches()
    threading.Thread(target=stretches, daemon=True).start()
    with Session(Inputs(), switches, frame_s=1 / fps, extras=[begin]) as session:
        live.run(
            lambda: sources.open("performer", size=size, rate=Fraction(fps)),
            presets.load(preset),
            ["null"],
            size=size,
            ticks=session.ticks,
            on_look=session.begin,
            also=[pictures],
            switches=switches,
            ready=lambda stats, sinks: session.ready(stats),
            stop=stop,
        )
    met["refused"], met["garbage"] = opened[0]._door.refused, opened[0].garbage
    rows = {
        kind: {
            "pictures": len(one),
            **{f"p{part}": round(float(np.percentile(one, part)), 2) for part in (50, 95, 99)},
            "worst": round(max(one), 1),
        }
        for kind, one in gaps.items()
    }
    return {"ms between pictures": rows, **met}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10.0, help="of each stretch")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("-p", "--preset", default="none")
    parser.add_argument("--size", default="640x360")
    parser.add_argument("--fps", type=int, default=30)
    parser.add_argument("--attack", type=int, metavar="PORT", help="be the crowd, and no more")
    options = parser.parse_args()
    if options.attack:
        asyncio.run(crowd(options.attack, options.seconds))
        return
    width, _, height = options.size.partition("x")
    size = int(width), int(height)
    with tempfile.TemporaryDirectory() as cache:
        found = measure(options.seconds, options.rounds, options.preset, size, options.fps, cache)
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
