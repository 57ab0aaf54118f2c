"""Addresses of streams to read: what FFmpeg is given, and what may be shown of them."""

from __future__ import annotations

import contextlib
import ipaddress
import re
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from kfx.errors import UsageError

LOOPBACK = "127.0.0.1"


def shown(url: str) -> str:
    """A URL without user, password and passphrase."""
    try:
        one = urlsplit(url)
    except ValueError:
        return url.partition("://")[0] + "://…"
    query = re.sub(r"(passphrase|password|token|key)=[^&]*", r"\1=***", one.query)
    return urlunsplit((one.scheme, one.netloc.rpartition("@")[2], one.path, query, ""))


def bound(url: str) -> str:
    """A UDP address is bound to this machine alone where no other one is named."""
    one = urlsplit(url)
    if one.scheme != "udp" or "localaddr=" in one.query:
        return url
    host = one.hostname or LOOPBACK
    with contextlib.suppress(ValueError):
        if ipaddress.ip_address(host).is_multicast:
            return url
    query = urlencode([*parse_qsl(one.query), ("localaddr", host)])
    return urlunsplit(("udp", f"{host}:{_port(url)}", "", query, ""))


def srt(url: str) -> str:
    """FFmpeg counts latency in microseconds, and would listen on every network."""
    one = urlsplit(url)
    options = dict(parse_qsl(one.query))
    if options.get("latency", "").isdecimal():
        options["latency"] += "000"
    host = one.hostname or LOOPBACK
    return urlunsplit(("srt", f"{host}:{_port(url)}", "", urlencode(options), ""))


def _port(url: str) -> int:
    try:
        port = urlsplit(url).port
    except ValueError:
        port = None
    if not port:
        example = f"{urlsplit(url).scheme}://127.0.0.1:9700"
        raise UsageError(f"{shown(url)}: a port from 1 to 65535 is needed, as in {example}")
    return port
