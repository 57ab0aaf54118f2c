"""Stands for a tablet's Wi-Fi: a TCP proxy with a way, a rate, a buffer and stalls, by seed."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import random
import socket
from dataclasses import dataclass, field

from kfx import clock

CHUNK = 4096
BUFFER = 64 * 1024  # bytes in the access point, before whoever sends has to wait


@dataclass
class Air:
    """One direction that all connections share; told the time, it says when bytes are there.

    `rate` in bit/s. `stalls` are pauses of 150 to 300 ms, one every 2 to 5 s, as rate changes,
    scans and neighbours make them: nothing gets through, and what waits comes at once afterwards.
    """

    rate: float
    stalls: bool = False
    seed: int = 1
    way_s: float = 0.004
    jitter_s: float = 0.002
    waiting: int = 0  # bytes
    _free: float = 0.0
    _there: float = 0.0
    _chance: random.Random = field(init=False)
    _stall: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        self._chance = random.Random(self.seed)

    def there(self, now: float, size: int) -> float:
        """When `size` bytes handed over now are on the other side; never before earlier ones."""
        self._free = max(now, self._free) + 8.0 * size / self.rate
        if self.stalls:
            if self._stall is None:
                self._stall = self._next(now)
            while self._free >= self._stall[1]:
                self._stall = self._next(self._stall[1])
            if self._free >= self._stall[0]:
                self._free = self._stall[1]
        way_s = self.way_s + self._chance.expovariate(1.0 / self.jitter_s)
        self._there = max(self._there, self._free + way_s)
        return self._there

    def _next(self, after: float) -> tuple[float, float]:
        begin = after + self._chance.uniform(2.0, 5.0)
        return begin, begin + self._chance.uniform(0.15, 0.3)


class Radio:
    """``async with Radio(port, down, up) as radio:`` listens at `radio.port` for `port`.

    While `open` is clear nothing gets through, in a test that wants a stall of its own.
    """

    def __init__(self, to: int, down: Air, up: Air) -> None:
        self.open = asyncio.Event()
        self.open.set()
        self.port = 0
        self._to, self._airs = to, (down, up)
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Radio:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        far = socket.socket()
        far.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16 * 1024)  # the sender feels the air
        far.setblocking(False)
        with contextlib.suppress(OSError, asyncio.CancelledError):
            await asyncio.get_running_loop().sock_connect(far, ("127.0.0.1", self._to))
            far_reader, far_writer = await asyncio.open_connection(sock=far, limit=CHUNK)
            both = [
                asyncio.ensure_future(self._carry(far_reader, writer, self._airs[0])),
                asyncio.ensure_future(self._carry(reader, far_writer, self._airs[1])),
            ]
            try:
                await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for one in both:
                    one.cancel()
                await asyncio.gather(*both, return_exceptions=True)
                far_writer.close()
                writer.close()
        far.close()

    async def _carry(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, air: Air
    ) -> None:
        queue: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
        delivering = asyncio.ensure_future(self._deliver(queue, writer, air))
        try:
            while not delivering.done():
                while air.waiting >= BUFFER:
                    await asyncio.sleep(0.001)
                data = await reader.read(CHUNK)
                if not data:
                    break
                air.waiting += len(data)
                queue.put_nowait((air.there(clock.now(), len(data)), data))
            await queue.join()
        finally:
            delivering.cancel()
            await asyncio.gather(delivering, return_exceptions=True)
            while queue.qsize():
                air.waiting -= len(queue.get_nowait()[1])

    async def _deliver(
        self, queue: asyncio.Queue[tuple[float, bytes]], writer: asyncio.StreamWriter, air: Air
    ) -> None:
        while True:
            at, data = await queue.get()
            try:
                await asyncio.sleep(max(0.0, at - clock.now()))
                await self.open.wait()
            finally:
                air.waiting -= len(data)
            writer.write(data)
            await writer.drain()
            queue.task_done()


async def _run(to: int, rate: float, stalls: bool, seed: int) -> None:
    down, up = Air(rate, stalls, seed), Air(rate, stalls, seed)
    async with Radio(to, down, up) as radio:
        print(radio.port, flush=True)
        await asyncio.Event().wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("to", type=int, help="the port it leads to")
    parser.add_argument("--rate", type=float, default=20.0, help="Mbit/s")
    parser.add_argument("--stalls", action="store_true")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    asyncio.run(_run(options.to, 1e6 * options.rate, options.stalls, options.seed))


if __name__ == "__main__":
    main()
