"""Reads what a stream's address says: where to, how it is coded and what else was asked for."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlencode, urlsplit

from kfx.errors import UsageError

LOOPBACK = "127.0.0.1"
EXAMPLES = {
    "nut": "nut://127.0.0.1:9500",
    "udp": "udp://10.0.0.5:9600",
    "srt": "srt://127.0.0.1:9700?mode=listener",
    "rtsp": "rtsp://10.0.0.5:8554/kfx",
    "rtmp": "rtmp://live.example/app/key",
    "rtmps": "rtmps://live.example/app/key",
}
_H264 = {"bitrate": r"\d+(\.\d+)?[kM]?", "codec": r"\w+", "preset": r"\w+", "gop": r"\d+(\.\d+)?"}
_OPTIONS = {
    "nut": {"codec": "raw|ffv1", "mode": "listener|caller"},
    "udp": _H264,
    "srt": _H264
    | {"mode": "listener|caller", "latency": r"\d+", "passphrase": ".{10,79}", "streamid": ".+"},
    "rtsp": _H264 | {"transport": "tcp|udp"},
    "rtmp": _H264,
    "rtmps": _H264,
}
_SAYS = {
    "codec": "raw or ffv1",
    "mode": "listener or caller",
    "transport": "tcp or udp",
    "latency": "milliseconds, a whole number",
    "bitrate": "bits a second, such as 6M or 800k",
    "gop": "seconds between pictures a viewer can start at, such as 1 or 0.5",
    "passphrase": "10 to 79 characters",
}


@dataclass(frozen=True, slots=True)
class Address:
    """`place` is what may be shown: without user, password, stream key and passphrase."""

    spec: str
    scheme: str
    host: str
    port: int | None
    url: str  # for FFmpeg, without our options
    options: dict[str, str] = field(default_factory=dict)

    @property
    def place(self) -> str:
        return f"{self.scheme}://{self.host}" + (f":{self.port}" if self.port else "")


def parse(spec: str) -> Address:
    """Raises `UsageError` that names the option, what it takes and an example."""
    scheme = spec.partition(":")[0]
    example = f"write {EXAMPLES[scheme]}"
    try:
        url = urlsplit(spec)
        host, port = url.hostname or LOOPBACK, url.port
    except ValueError:
        raise UsageError(f"{spec}: the port must be a number from 1 to 65535; {example}") from None
    if not spec.startswith(scheme + "://") or (not port and not scheme.startswith("rt")):
        raise UsageError(f"{spec}: a host and a port are needed; {example}")
    known, options = _OPTIONS[scheme], dict(parse_qsl(url.query, keep_blank_values=True))
    for name, value in options.items():
        if name not in known:
            raise UsageError(f"{spec}: unknown option {name!r}; {scheme} takes {', '.join(known)}")
        if not re.fullmatch(known[name], value):
            says = _SAYS.get(name, "letters, digits and _") if known is not _OPTIONS["nut"] else ""
            says = says or _SAYS[name]
            shown = "***" if name == "passphrase" else repr(value)
            raise UsageError(f"{spec.partition('?')[0]}: {name}: {shown} is wrong; it takes {says}")
    user = f"{url.netloc.rpartition('@')[0]}@" if "@" in url.netloc else ""
    plain = f"{scheme}://{user}{host}" + (f":{port}" if port else "") + url.path
    if scheme == "srt":
        plain += "?" + urlencode(_srt_options(options))
    return Address(spec, scheme, host, port, plain, options)


def _srt_options(options: dict[str, str]) -> dict[str, str]:
    """FFmpeg's: it counts latency in microseconds; 1316 bytes are seven MPEG-TS packets."""
    passed = {k: options[k] for k in ("mode", "passphrase", "streamid") if k in options}
    latency_ms = int(options.get("latency", "120"))
    return passed | {"latency": str(latency_ms * 1000), "pkt_size": "1316"}
