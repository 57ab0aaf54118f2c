"""The sink that only counts, for measuring and for tests."""

from __future__ import annotations

from kfx.types import Shot, StreamInfo


def open_sink(spec: str, stream: StreamInfo) -> NullSink:
    return NullSink()


class NullSink:
    """`shots` is how many were written."""

    def __init__(self) -> None:
        self.shots = 0

    def write(self, shot: Shot) -> None:
        self.shots += 1

    def close(self) -> None:
        pass

    def abort(self) -> None:
        pass

    def __enter__(self) -> NullSink:
        return self

    def __exit__(self, *exc: object) -> None:
        pass
