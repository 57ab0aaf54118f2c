"""Makes a show's OSCQuery and OSC ports known by mDNS, so that controllers list it by name."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable
from types import TracebackType

from kfx.sync.osc_in import LOOPBACK

SERVICES = ("_oscjson._tcp.local.", "_osc._udp.local.")
ANY = ("0.0.0.0", "::")


class Announce:
    """``with Announce("kfx supernova", host, port):``; a show on loopback is told there alone.

    Without a network that carries mDNS nothing is announced, and `on_fault` hears why: whoever
    knows the port can still connect.
    """

    def __init__(
        self, name: str, host: str, port: int, *, on_fault: Callable[[str], None] | None = None
    ) -> None:
        self._zeroconf = None
        try:
            from zeroconf import InterfaceChoice, ServiceInfo, Zeroconf

            every = host in ANY
            self._zeroconf = Zeroconf(InterfaceChoice.All if every else [host])
            server = f"{_letters(socket.gethostname())}-kfx-{port}.local."
            for kind in SERVICES:
                info = ServiceInfo(
                    kind,
                    f"{name[:50]}.{kind}",
                    port,
                    parsed_addresses=_addresses() if every else [host],
                    server=server,
                    properties={"txtvers": "1"},
                )
                self._zeroconf.register_service(info, allow_name_change=True)
        except Exception as error:  # no interface, no multicast, no zeroconf: never the show's end
            self.close()
            if on_fault:
                on_fault(f"mDNS: {name} can't be announced ({error!r}); connect by its port")

    def __enter__(self) -> Announce:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: object, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        if self._zeroconf is not None:
            with contextlib.suppress(Exception):
                self._zeroconf.close()
            self._zeroconf = None


def _addresses() -> list[str]:
    found = [LOOPBACK]
    with contextlib.suppress(OSError):
        found += socket.gethostbyname_ex(socket.gethostname())[2]
    return list(dict.fromkeys(found))


def _letters(name: str) -> str:
    return "".join(one if one.isalnum() else "-" for one in name.partition(".")[0]) or "host"
