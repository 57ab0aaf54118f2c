"""Hand-over between threads."""

import threading

import pytest

from kfx.engine.mailbox import Closed, Mailbox
from kfx.errors import Overflow
from tests.waiting import LONG_S


def test_newest_wins_and_drops_are_counted():
    box = Mailbox()
    for i in range(5):
        box.put(i)
    assert box.take() == 4
    assert box.dropped == 4
    assert box.take(0.0) is None


def test_a_full_queue_that_may_not_drop_says_so():
    box = Mailbox(2, newest=False)
    box.put(1)
    box.put(2)
    with pytest.raises(Overflow):
        box.put(3)
    assert [box.take(), box.take()] == [1, 2]


def test_a_waiting_queue_keeps_order_across_threads():
    box = Mailbox(3, newest=False, wait=True)

    def fill():
        for i in range(200):
            box.put(i)
        box.close()

    thread = threading.Thread(target=fill)
    thread.start()
    got = [box.take() for _ in range(200)]
    thread.join()
    assert got == list(range(200))
    with pytest.raises(Closed):
        box.take()


def test_close_hands_over_what_is_left_and_then_the_error():
    box = Mailbox(4, newest=False)
    box.put("last")
    box.close(ValueError("broken"))
    box.put("too late")
    assert box.take() == "last"
    with pytest.raises(ValueError, match="broken"):
        box.take()


def test_close_frees_a_waiting_writer():
    box = Mailbox(1, newest=False, wait=True)
    box.put(1)
    thread = threading.Thread(target=box.put, args=(2,))
    thread.start()
    box.close(discard=True)
    thread.join(LONG_S)
    assert not thread.is_alive()
