"""The child process that joins an Ableton Link session, so that kfx never loads aalink (GPL-3).

``python -m kfx.sync.link_process BPM`` writes a line ``BEAT TEMPO PLAYING PEERS`` 50 times a
second, or once ``error: …``. It ends when its stdin does: when kfx closes it, or dies.
"""

from __future__ import annotations

import os
import sys
import threading

from kfx import clock

PERIOD_S = 0.02
SETTLE_S = 0.5  # enabled earlier, aalink puts its own tempo on the session


def main(bpm: float) -> int:
    try:
        import aalink
    except ImportError as error:
        print(f"error: aalink is missing ({error}); pip install 'kfx[link]'", flush=True)
        return 1
    import asyncio

    link = aalink.Link(bpm, asyncio.new_event_loop())
    clock.pause(SETTLE_S)
    link.start_stop_sync_enabled = True
    link.enabled = True
    ended = threading.Event()

    def watch() -> None:
        while os.read(0, 64):
            pass
        ended.set()

    threading.Thread(target=watch, daemon=True).start()
    due = clock.now()
    while not ended.is_set():
        print(f"{link.beat:.6f} {link.tempo:.6f} {int(link.playing)} {link.num_peers}", flush=True)
        due = max(due + PERIOD_S, clock.now())
        clock.sleep_until(due)
    link.enabled = False
    return 0


if __name__ == "__main__":
    code = main(float(sys.argv[1]))
    sys.stdout.flush()
    os._exit(code)  # aalink's own threads would keep the process
