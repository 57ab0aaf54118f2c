"""The only module that reads a clock: everything else is handed a time.

`now` is monotonic and has no meaning outside this process; `wall` translates such a time into
seconds since 1970 for wire formats and file names.
"""

import time


def now() -> float:
    """Monotonic seconds, highest resolution the machine has."""
    return time.perf_counter()


def cpu() -> float:
    """Seconds of CPU this process has used."""
    return time.process_time()


def wall(at: float | None = None) -> float:
    """Unix seconds that correspond to the monotonic time `at` (default: now)."""
    return time.time() if at is None else time.time() - (now() - at)


def sleep_until(deadline: float) -> float:
    """Sleep until the monotonic `deadline`; return by how many seconds it was missed (>= 0)."""
    left = deadline - now()
    if left > 0:
        time.sleep(left)
    return max(0.0, now() - deadline)


def pause(seconds: float) -> None:
    """Sleep for `seconds`; for polling loops only."""
    time.sleep(max(0.0, seconds))


def local_date(at: float | None = None) -> tuple[int, int, int, float]:
    """Year, month 1–12, day and seconds since local midnight (ISF's ``DATE``)."""
    t = time.localtime(wall(at))
    return t.tm_year, t.tm_mon, t.tm_mday, t.tm_hour * 3600.0 + t.tm_min * 60.0 + t.tm_sec
