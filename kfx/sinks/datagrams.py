"""A socket that sends datagrams to one address and hears nobody else."""

from __future__ import annotations

import contextlib
import ipaddress
import socket
from typing import Any


def opened(host: str, port: int) -> tuple[socket.socket, Any]:
    """A socket and the address to send to, found once. Raises `OSError` or `UnicodeError`.

    Sending binds a socket to a port on all of the machine's addresses; one that sends to this
    machine only is bound to it.
    """
    family, kind, _, _, to = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
    one = socket.socket(family, kind)
    with contextlib.suppress(OSError):  # it sends all the same
        if ipaddress.ip_address(str(to[0]).partition("%")[0]).is_loopback:
            one.bind((to[0], 0))
    return one, to
