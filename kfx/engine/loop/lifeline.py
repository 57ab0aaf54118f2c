"""What a supervised engine says to its supervisor: that it lives, and that it is ending.

Without a supervisor every call does nothing.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from multiprocessing.connection import Connection

from kfx import clock

BEAT, REST = b".", b"z"
END = b"end"  # from the supervisor: end in good order (Windows has no signal that says so)
BEAT_S = 0.25
LAST_WORDS_S = 5.0  # for an orderly end after the supervisor has died

_peer: Connection | None = None
_told = 0.0


def hold(peer: Connection) -> None:
    """Beat through `peer` from now on; when it breaks the supervisor is dead and so is the show.

    The end is the one of SIGTERM, so that recordings are closed.
    """
    global _peer
    _peer = peer
    threading.Thread(target=_watch, args=(peer,), name="kfx-lifeline", daemon=True).start()


def beat() -> None:
    """Call it from the loop that must not hang, as often as it turns."""
    global _told
    if _peer is None or clock.now() - _told < BEAT_S:
        return
    _told = clock.now()
    _say(BEAT)


def rest() -> None:
    """The loop has ended by itself: what follows (closing files) may take its time."""
    _say(REST)


def _say(word: bytes) -> None:
    if _peer is not None:
        with contextlib.suppress(OSError):  # the watcher sees it too
            _peer.send_bytes(word)


def _watch(peer: Connection) -> None:
    word = b""
    with contextlib.suppress(EOFError, OSError):
        while word != END:
            word = peer.recv_bytes()
    # To the main thread; by `os.kill` Windows would end the process there and then.
    if sys.platform == "win32":
        signal.raise_signal(signal.SIGTERM)
    else:
        os.kill(os.getpid(), signal.SIGTERM)
    if word != END:
        clock.pause(LAST_WORDS_S)
        os._exit(1)
