"""How much memory nets may take."""

import pytest

from kfx.neural import memory


@pytest.mark.parametrize(
    ("container", "wanted"),
    [(str(3 << 30), 3 << 29), (str(100 << 20), memory.LEAST), ("max\n", None), (None, None)],
)
def test_half_of_what_machine_or_container_has(tmp_path, monkeypatch, container, wanted):
    monkeypatch.setattr(memory, "_CGROUP", tmp_path / "memory.max")
    if container is not None:
        (tmp_path / "memory.max").write_text(container)
    monkeypatch.setattr(memory.os, "sysconf", {"SC_PHYS_PAGES": 4 << 20, "SC_PAGE_SIZE": 4096}.get)
    assert memory.limit() == (8 << 30 if wanted is None else wanted)


def test_a_runtime_without_such_a_call_runs_unbounded():
    assert memory.register(object()) is False


def test_what_runs_keep_is_added_up_and_what_they_give_back_is_taken_off(monkeypatch):
    sizes = iter([100, 400, 400, 300, 300, 900])
    monkeypatch.setattr(memory, "resident", lambda: next(sizes))
    watch = memory.Watch()
    kept = []
    for _ in range(3):
        with watch:
            pass
        kept.append(watch.kept)
    assert kept == [300, 200, 800]
