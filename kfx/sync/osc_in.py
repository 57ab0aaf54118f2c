"""OSC by UDP into the show: every parameter at its address, in bounds, counted.

::

    /kfx/v1/film/grain 0.1              a knob, raw; ``…/grain/norm 0.5`` is the middle of its range
    /kfx/v1/chain/*/*/mix/norm 0        patterns reach several (? * [a-z] {this,that})
    /kfx/v1/panic                       the clean plate; never waits behind anything
    /kfx/v1/transport/time 12.5         where the song is
    /kfx/v1/osc/fader1 0.7              a signal that looks follow as ``osc.fader1``
    /kfx/v1/face/in/jawOpen 0.7         expressions for `retarget`: see `kfx.sync.face_in`
"""

from __future__ import annotations

import re
import select
import socket
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from kfx import clock
from kfx.errors import KfxError, UsageError
from kfx.sync import face_in, osc_packet
from kfx.sync.controls import PREFIX, AllowList, Controls, Counts
from kfx.sync.face_in import FaceIn
from kfx.sync.osc_packet import Message

LOOPBACK = "127.0.0.1"
RATE = 1000.0  # messages a second that are carried out; of more, the last one of each address waits
BURST = 500
MOST_WAITING = 2000  # addresses; what comes beyond is dropped and counted
PANIC = f"{PREFIX}/panic"
MOST_PLACES = 256  # whose faults are told
MOST_KINDS = 4
_WAIT_S = 0.25
_LARGEST = 65536  # bytes of a packet
_BUFFER = 4 << 20  # bytes asked of the system
_PATTERN = re.compile(r"[?*\[{]")
_VALUE = re.compile(r"""'[^']*'|"[^"]*"|[-+]?(\d[\d.e+-]*|\binf\b|\bnan\b)""")

Other = Callable[[str, tuple[Any, ...], float], bool]
"""Address, values and monotonic time of a message; False if it isn't meant."""


def parse(spec: str) -> tuple[str, int]:
    """``9600`` or ``0.0.0.0:9600`` → host, port. Raises `UsageError`."""
    host, colon, port = spec.rpartition(":")
    if not (port.isascii() and port.isdecimal() and 0 <= int(port) <= 65535):
        raise UsageError(f"--osc-in {spec}: write [HOST:]PORT, e.g. 9600 or 0.0.0.0:9600")
    return (host.strip("[]") if colon else "") or LOOPBACK, int(port)


class Inbox:
    """Carries out OSC messages whoever brings them: UDP here, a WebSocket elsewhere."""

    def __init__(
        self,
        controls: Controls,
        *,
        others: Sequence[Other] = (),
        faces: FaceIn | None = None,
        on_fault: Callable[[str], None] | None = None,
    ) -> None:
        """`others` are asked first: a transport, signals. `faces` takes expressions as they come.

        `on_fault` hears each kind of error of an address once, `MOST_KINDS` of them at most.
        """
        self.counts = Counts()
        self._controls, self._others = controls, tuple(others)
        self._faces = faces
        self._on_fault = on_fault or (lambda text: None)
        self._told: dict[str, set[str]] = {}  # by sender and address

    def packet(self, data: bytes, by: str) -> list[Message]:
        """The messages of a packet, none if it is malformed.

        A panic is carried out already, and so are expressions: 52 a face and frame would wait
        behind the limit on all others.
        """
        if self._faces is not None and self._faces.packet(data, clock.now()):
            self.counts.add("done")
            return []
        try:
            messages = osc_packet.read(data)
        except ValueError:
            self.counts.add("malformed")
            return []
        left = []
        for one in messages:
            if one.address == PANIC or self._shows_a_face(one.address):
                self.carry_out(one, by)
            else:
                left.append(one)
        return left

    def _shows_a_face(self, address: str) -> bool:
        return self._faces is not None and address.startswith(face_in.PREFIXES)

    def carry_out(self, message: Message, by: str) -> None:
        """Set what a message says. What can't be is counted and told once, never raised."""
        address, values = message
        try:
            at = clock.now()
            face = self._faces is not None and self._faces.message(address, values, at)
            if not face and not any(other(address, values, at) for other in self._others):
                if _PATTERN.search(address):
                    self._several(address, values, by)
                else:
                    self._controls.set(address, _value(values), by)
            self.counts.add("done")
        except Exception as error:  # a sender's fault is never the show's
            self.counts.add("refused")
            told = str(error) if isinstance(error, KfxError) else repr(error)
            if self._is_new(f"{by}: {address[:120]}", told):
                self._on_fault(f"{by}: {told}")

    def _is_new(self, place: str, told: str) -> bool:
        """Whether nobody has heard this of this place; another value makes no other fault."""
        if place not in self._told and len(self._told) >= MOST_PLACES:
            return False
        kinds = self._told.setdefault(place, set())
        kind = _VALUE.sub("…", told)
        if kind in kinds or len(kinds) >= MOST_KINDS:
            return False
        kinds.add(kind)
        return True

    def _several(self, pattern: str, values: tuple[Any, ...], by: str) -> None:
        norm = pattern.endswith("/norm")
        matcher = _matcher(pattern.removesuffix("/norm"))
        found = [one.address for one in self._controls.parameters() if matcher(one.address)]
        if not found:
            raise UsageError(f"{pattern[:120]}: fits no address")
        for address in found:
            self._controls.set(f"{address}/norm" if norm else address, _value(values), by)


class OscIn:
    """A UDP port whose messages go to an `Inbox`, in threads of its own until `close`.

    Whoever isn't on the allow-list is refused unread. Floods: `RATE` messages a second are
    carried out; what comes faster waits, and of each address only the last message.
    Raises `KfxError` where the port can't be had.
    """

    def __init__(
        self,
        inbox: Inbox,
        host: str = LOOPBACK,
        port: int = 0,
        *,
        allow: AllowList | None = None,
        now: Callable[[], float] = clock.now,
    ) -> None:
        self._inbox, self._allow, self._now = inbox, allow or AllowList(), now
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_DGRAM)
        try:
            self._socket.bind((host, port))
        except (OSError, UnicodeError) as error:
            self._socket.close()
            raise KfxError(
                f"osc-in {host}:{port}: can't be opened ({error}); use another --osc-in PORT"
            ) from None
        self._socket.setblocking(False)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
        self.host, self.port = host, int(self._socket.getsockname()[1])
        self._waiting: deque[tuple[Message, str]] = deque()
        self._compact_at = BURST
        self._tokens, self._since = float(BURST), now()
        self._over = False
        self._news = threading.Condition()
        self._threads = [
            threading.Thread(target=run, name=f"kfx-osc-{what}", daemon=True)
            for what, run in (("in", self._read), ("do", self._work))
        ]
        for thread in self._threads:
            thread.start()

    @property
    def counts(self) -> Counts:
        return self._inbox.counts

    def close(self) -> None:
        with self._news:
            self._over = True
            self._news.notify()
        for thread in self._threads:
            thread.join()
        self._socket.close()

    def _read(self) -> None:
        """A thread that only reads, so that panic never waits for what is being carried out."""
        while not self._over:
            select.select([self._socket], [], [], _WAIT_S)
            self._drain()

    def _drain(self) -> None:
        while not self._over:
            try:
                data, sender = self._socket.recvfrom(_LARGEST)
            except (BlockingIOError, InterruptedError):
                return
            except OSError:  # an answer to something never sent, on some systems
                continue
            if not self._allow.welcomes(sender[0]):
                self.counts.add("unwelcome")
                continue
            by = f"osc {sender[0]}"
            messages = [(one, by) for one in self._inbox.packet(data, by)]
            with self._news:
                self._waiting.extend(messages)
                if len(self._waiting) > self._compact_at:
                    self._compact()
                self._news.notify()

    def _compact(self) -> None:
        """A flood: of each address the last message counts."""
        last = {one.address: (one, by) for one, by in self._waiting}
        self.counts.add("replaced", len(self._waiting) - len(last))
        self.counts.add("dropped", max(0, len(last) - MOST_WAITING))
        self._waiting = deque(list(last.values())[-MOST_WAITING:])
        self._compact_at = max(BURST, 2 * len(self._waiting))

    def _work(self) -> None:
        while True:
            with self._news:
                while not self._over and not (self._waiting and self._token()):
                    # Without messages it waits for some, else for a token.
                    self._news.wait(1 / RATE if self._waiting else None)
                if self._over:
                    return
                message, by = self._waiting.popleft()
                if not self._waiting:
                    self._compact_at = BURST
            self._inbox.carry_out(message, by)

    def _token(self) -> bool:
        now = self._now()
        self._tokens = min(float(BURST), self._tokens + (now - self._since) * RATE)
        self._since = now
        if self._tokens < 1.0:
            return False
        self._tokens -= 1.0
        return True


def _value(values: tuple[Any, ...]) -> Any:
    """One argument is a value, none fires an event, several are a vector."""
    if not values:
        return True
    return values[0] if len(values) == 1 else list(values)


def _matcher(pattern: str) -> Callable[[str], bool]:
    """Whether an address fits an OSC pattern; raises `UsageError` for a broken one."""
    said = re.sub(r"\*+", "*", pattern)
    # Each star of a part multiplies the time that a mean pattern takes.
    if len(said) > 256 or max(part.count("*") for part in said.split("/")) > 3:
        raise UsageError(f"{pattern[:60]}…: an address pattern has 3 * a part, 256 letters at most")
    text, at = "", 0
    while at < len(said):
        letter = said[at]
        close = {"[": "]", "{": "}"}.get(letter)
        if close is None:
            text += {"*": "[^/]*", "?": "[^/]"}.get(letter, re.escape(letter))
            at += 1
            continue
        end = said.find(close, at)
        if end < 0:
            raise UsageError(f"{pattern[:120]}: {letter} has no end")
        inside = said[at + 1 : end]
        if letter == "{":
            text += "(?:" + "|".join(map(re.escape, inside.split(","))) + ")"
        else:
            sign = "^" if inside.startswith("!") else ""
            letters = re.sub(r"[\\\]\[^&~|]", lambda m: "\\" + m.group(), inside.lstrip("!"))
            text += f"[{sign}{letters}]" if letters else ""
        at = end + 1
    try:
        compiled = re.compile(text)
    except re.error:
        raise UsageError(f"{pattern[:120]}: is no address pattern") from None
    return lambda address: compiled.fullmatch(address) is not None
