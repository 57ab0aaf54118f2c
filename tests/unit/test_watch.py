"""What fails or is too slow five frames running is left out, and tried again later."""

from kfx.engine.loop.watch import LONGEST_RETRY_S, PATIENCE, Watch

SLOW, QUICK = 0.2, 0.01


def test_four_slow_frames_are_forgiven_and_the_fifth_is_not():
    watch = Watch(0.1, retry_s=5)
    for _ in range(3):
        assert not any(watch.took(SLOW, 0.0) for _ in range(PATIENCE - 1))
        assert not watch.took(QUICK, 0.0)
    said = [watch.took(SLOW, 1.0) for _ in range(PATIENCE)]
    assert said == [False] * (PATIENCE - 1) + [True]
    assert watch.paused
    assert not watch.allows(5.9)
    assert watch.allows(6.0)


def test_errors_and_slow_frames_count_alike():
    watch = Watch(0.1)
    said = [watch.bad(0.0), watch.took(SLOW, 0.0), watch.bad(0.0), watch.took(SLOW, 0.0)]
    assert said == [False] * 4
    assert watch.bad(0.0)


def test_on_trial_one_bad_frame_is_enough_and_the_pause_doubles():
    watch, now, pauses = Watch(0.1, retry_s=5), 0.0, []
    for _ in range(PATIENCE):
        watch.bad(now)
    for _ in range(8):
        before = now
        while not watch.allows(now):
            now += 0.5
        pauses.append(now - before)
        assert watch.bad(now)
    assert pauses[:4] == [5, 10, 20, 40]
    assert pauses[-1] == LONGEST_RETRY_S


def test_five_good_frames_clear_its_name():
    watch = Watch(0.1, retry_s=5)
    for _ in range(PATIENCE):
        watch.bad(0.0)
    assert watch.allows(5.0)
    for _ in range(PATIENCE):
        assert not watch.took(QUICK, 5.0)
    assert not watch.bad(6.0), "it is trusted again"
    for _ in range(PATIENCE - 1):
        watch.bad(6.0)
    assert not watch.allows(10.9)
    assert watch.allows(11.0), "and its pauses start from the shortest"
