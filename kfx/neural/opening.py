"""Opens a net beside the show: reading, proving and warming up may take seconds."""

from __future__ import annotations

import threading
from collections.abc import Generator

from kfx.neural import worker
from kfx.neural.card import Card
from kfx.neural.session import Net, shared

WAIT_S = 0.002  # of a frame's time, each time it is asked


def opened(card: Card, frame: tuple[int, int]) -> Generator[None, None, Net]:
    """``net = yield from opened(card, frame)``: `session.shared`, in a thread that draws back.

    Between two steps pictures are drawn. Raises `KfxError` as `shared` does.
    """
    found: list[Net] = []
    failed: list[Exception] = []

    def work() -> None:
        worker.gently()  # the pool of threads that a session starts inherits it
        try:
            found.append(shared(card, frame))
        except Exception as error:  # handed on to who asked
            failed.append(error)

    thread = threading.Thread(target=work, name="kfx-net-open", daemon=True)
    thread.start()
    worker.waited_for(thread)
    while thread.is_alive():
        thread.join(WAIT_S)
        yield
    if failed:
        raise failed[0]
    return found[0]
