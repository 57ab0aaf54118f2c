"""What controllers need of a running show, and the signals they give to looks."""

from __future__ import annotations

import ipaddress
import math
import re
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Protocol

from kfx.errors import UsageError

PREFIX = "/kfx/v1"
SIGNALS = (f"{PREFIX}/osc/", f"{PREFIX}/midi/")
MOST_SIGNALS = 512
LARGEST = 1e6
_NAME = re.compile(r"[\w./:-]{1,64}", re.ASCII)


class Parameter(Protocol):
    """As `kfx.engine.desk.tree.Parameter` has it."""

    @property
    def address(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def value(self) -> Any: ...
    @property
    def range(self) -> tuple[Any, ...]: ...
    @property
    def unit(self) -> str: ...
    @property
    def doc(self) -> str: ...
    @property
    def writable(self) -> bool: ...


class Controls(Protocol):
    """A tree of parameters; what can't be set raises `KfxError`. Any thread may call."""

    def parameters(self) -> Sequence[Any]: ...

    def get(self, address: str) -> Any: ...

    def set(self, address: str, value: Any, by: str = "") -> None: ...

    def subscribe(self, heard: Callable[[Any], None]) -> Callable[[], None]: ...


class Signals:
    """Values that controllers send for looks to follow: ``osc.fader1``, ``midi.cc7``.

    Any thread may `put`; the loop asks `at`. Names beyond `MOST_SIGNALS` are left out.
    """

    def __init__(self) -> None:
        self._values: dict[str, float] = {}
        self._frozen: Mapping[str, float] = MappingProxyType({})
        self._lock = threading.Lock()

    def put(self, name: str, value: Any) -> None:
        """Raises `UsageError` for a name or value that is none."""
        if not _NAME.fullmatch(name):
            raise UsageError(f"signal {name[:60]!r}: letters, digits and _ . / : - only")
        if isinstance(value, str | bytes) or not isinstance(value, int | float):
            raise UsageError(f"signal {name}: {str(value)[:60]!r} is no number")
        number = float(value)
        if not math.isfinite(number):
            raise UsageError(f"signal {name}: {number} is no number")
        with self._lock:
            if name not in self._values and len(self._values) >= MOST_SIGNALS:
                raise UsageError(f"signal {name}: there are {MOST_SIGNALS} already")
            self._values[name] = min(max(number, -LARGEST), LARGEST)
            self._frozen = MappingProxyType(dict(self._values))

    def message(self, address: str, values: Sequence[Any], at: float = 0.0) -> bool:
        """Take ``/kfx/v1/osc/NAME x`` or ``/kfx/v1/midi/ccN x``; False for another address."""
        prefix = next((one for one in SIGNALS if address.startswith(one)), None)
        if prefix is None:
            return False
        name = address.removeprefix(f"{PREFIX}/").replace("/", ".", 1)
        self.put(name, values[0] if values else 1.0)
        return True

    def at(self, time_s: float) -> Mapping[str, float]:
        """All of them as they are now."""
        return self._frozen


class AllowList:
    """Which hosts may send: this machine always, others where they are named.

    Raises `UsageError` for what is neither an address nor a network (``10.0.0.0/24``).
    """

    def __init__(self, hosts: Sequence[str] = ()) -> None:
        self.hosts = tuple(hosts)
        try:
            self._networks = [ipaddress.ip_network(host, strict=False) for host in hosts]
        except ValueError as error:
            raise UsageError(f"--allow: {error}; name an address or a network") from None

    def welcomes(self, host: str) -> bool:
        try:
            address = ipaddress.ip_address(host.partition("%")[0])
        except ValueError:
            return False
        mapped = getattr(address, "ipv4_mapped", None)
        address = mapped or address
        return address.is_loopback or any(address in network for network in self._networks)


class Counts:
    """How many packets were taken, and what became of the others; any thread may count."""

    def __init__(self) -> None:
        self._counter: Counter[str] = Counter()
        self._lock = threading.Lock()

    def add(self, what: str, count: int = 1) -> None:
        with self._lock:
            self._counter[what] += count

    def __getitem__(self, what: str) -> int:
        return self._counter[what]

    def as_dict(self) -> dict[str, int]:
        with self._lock:
            return dict(self._counter)


def whole_address(controls: Controls, address: str) -> str:
    """`address` with ``/kfx/v1`` before it; "" stays. Raises `KfxError` where there is none."""
    if not address:
        return ""
    address = address if address.startswith("/") else f"{PREFIX}/{address}"
    controls.get(address)
    return address
