"""What was made beforehand is taken once, and is as good as new."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from kfx.engine.loop import ready_made
from kfx.engine.loop.ready_made import MadeOf


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    yield
    for gpu in ready_made._gpus:
        gpu.close()
    ready_made._gpus.clear()
    for tracker in ready_made._trackers.values():
        tracker.close()
    ready_made._trackers.clear()


def test_the_context_and_the_tracker_are_taken_by_the_engine() -> None:
    ready_made.make(MadeOf((), "mediapipe", (64, 36)), lambda wait_s: False)
    (gpu,), tracker = ready_made._gpus, ready_made._trackers["mediapipe", True]
    assert (gpu.compiled, tracker.names) == (0, {})
    with ready_made.gpu() as taken, ready_made.tracker("mediapipe", blendshapes=True) as eyes:
        assert taken is gpu
        assert eyes is tracker
        with ready_made.tracker("mediapipe", blendshapes=True) as another:
            assert another is not tracker


def test_a_call_ends_it() -> None:
    waits: list[float] = []

    def called(wait_s: float) -> bool:
        waits.append(wait_s)
        return True

    ready_made.make(MadeOf((), "mediapipe", (64, 36)), called)
    assert len(ready_made._gpus) == 1
    assert not ready_made._trackers
    assert 0.0 <= waits[0] <= ready_made.LONGEST_S
    assert len(waits) == 1


def test_what_cannot_be_made_is_left_to_the_engine() -> None:
    ready_made.make(MadeOf(("no.such.module",), "nobody", (64, 36)), lambda wait_s: False)
    assert len(ready_made._gpus) == 1
    assert not ready_made._trackers
