"""Makes a show's OSCQuery and OSC ports known by mDNS, so that controllers list it by name."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable
from typing import Any

from kfx.sync.osc_in import LOOPBACK

SERVICES = ("_oscjson._tcp.local.", "_osc._udp.local.")
ANY = ("0.0.0.0", "::")


class Announce:
    """Announces a show until `close`, in a thread: to ask whether a name is free takes seconds.

    A show on loopback is told of there alone. Without a network that carries mDNS nothing is
    announced, and `on_fault` hears why: whoever knows the port can still connect.
    """

    def __init__(
        self, name: str, host: str, port: int, *, on_fault: Callable[[str], None] | None = None
    ) -> None:
        self.announced = threading.Event()
        self._name, self._host, self._port = name, host, port
        self._on_fault = on_fault or (lambda text: None)
        self._over = threading.Event()
        threading.Thread(target=self._run, name="kfx-announce", daemon=True).start()

    def close(self) -> None:
        """Take it back, in the thread, soon."""
        self._over.set()

    def _run(self) -> None:
        zeroconf = None
        try:
            from zeroconf import InterfaceChoice, Zeroconf

            zeroconf = Zeroconf(InterfaceChoice.All if self._host in ANY else [self._host])
            if self._host == LOOPBACK:
                _hear_only_this_machine(zeroconf)
            for kind in SERVICES:
                if not self._over.is_set():
                    zeroconf.register_service(self._service(kind), allow_name_change=True)
            self.announced.set()
            self._over.wait()
        except Exception as error:  # no interface, no multicast, no zeroconf: never the show's end
            self._on_fault(f"mDNS: {self._name} can't be announced ({error!r}); use its port")
        finally:
            if zeroconf is not None:
                with contextlib.suppress(Exception):
                    zeroconf.close()

    def _service(self, kind: str) -> Any:
        from zeroconf import ServiceInfo

        every = self._host in ANY
        return ServiceInfo(
            kind,
            f"{self._name[:50]}.{kind}",
            self._port,
            parsed_addresses=_addresses() if every else [self._host],
            server=f"{_letters(socket.gethostname())}-kfx-{self._port}.local.",
            properties={"txtvers": "1"},
        )


def _hear_only_this_machine(zeroconf: Any) -> None:
    """mDNS listens at every address, since what is sent to a group reaches no other; on Linux its
    sockets can be tied to the loopback device instead, so that no network can talk to it.
    """
    if not hasattr(socket, "SO_BINDTODEVICE"):
        return
    for reader in zeroconf.engine.readers:
        sock = reader.transport.get_extra_info("socket")
        with contextlib.suppress(OSError):  # an old kernel lets root alone do this
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"lo\0")


def _addresses() -> list[str]:
    found = [LOOPBACK]
    with contextlib.suppress(OSError):
        found += socket.gethostbyname_ex(socket.gethostname())[2]
    return list(dict.fromkeys(found))


def _letters(name: str) -> str:
    return "".join(one if one.isalnum() else "-" for one in name.partition(".")[0]) or "host"
