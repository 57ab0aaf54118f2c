"""Who may look and who may touch: this machine is the operator, paired devices may look.

The operator may let a paired device play too, and take that back.

A viewer pairs with the code on the operator's screen and gets a token, of which only the hash is
kept; the operator can take it back. Tokens outlive the process in a file that only its owner may
read, so that a director's tablet needn't pair again when kfx starts again.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
import threading
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

Role = Literal["operator", "viewer"]
DIGITS = 6
MISSES = 5  # wrong codes in `MISS_S` before an address has to wait, and four times that for all
MISS_S = 60.0
MOST_DEVICES = 32


class Waiting(Exception):
    """Too many wrong codes; the message says what to do."""


@dataclass(frozen=True)
class Device:
    """A paired device; `id` names it without giving its token away."""

    id: str
    name: str
    hash: str
    role: Role = "viewer"


class Roles:
    """Codes and tokens. Any thread may call."""

    def __init__(self, file: Path | None = None) -> None:
        self._file = file
        self._lock = threading.Lock()
        self._devices = {one.hash: one for one in _read(file)}
        self._misses: list[tuple[float, str]] = []
        self.code = _new_code()

    @property
    def devices(self) -> tuple[Device, ...]:
        return tuple(self._devices.values())

    def renew(self) -> str:
        """Another code; the one before is worth nothing any more."""
        self.code = _new_code()
        return self.code

    def pair(self, code: str, name: str, address: str, now: float) -> str | None:
        """A token for whoever knows the code, None for a wrong one.

        Raises `Waiting` after too many wrong ones; so many, from anywhere, also change the code.
        """
        with self._lock:
            self._misses = [(at, who) for at, who in self._misses if now - at < MISS_S]
            own = sum(who == address for _, who in self._misses)
            if own >= MISSES or len(self._misses) >= 4 * MISSES:
                raise Waiting("too many wrong codes; wait a minute")
            if not secrets.compare_digest(code.encode(), self.code.encode()):
                self._misses.append((now, address))
                if len(self._misses) % MISSES == 0:
                    self.renew()
                return None
            if len(self._devices) >= MOST_DEVICES:
                raise Waiting("too many devices are paired; take one away first")
            token = secrets.token_urlsafe(24)
            device = Device(secrets.token_hex(4), name[:40] or address, _hash(token))
            self._devices[device.hash] = device
            self.renew()  # a code pairs one device
            self._write()
            return token

    def device(self, token: str | None) -> Device | None:
        """The device whose token this is, unless it was revoked."""
        return self._devices.get(_hash(token)) if token else None

    def appoint(self, id: str, role: Role) -> bool:
        """Let a device play, or only look; False where there is no such device."""
        with self._lock:
            found = [one for one in self._devices.values() if one.id == id]
            for one in found:
                self._devices[one.hash] = replace(one, role=role)
            self._write()
            return bool(found)

    def revoke(self, id: str) -> bool:
        """Take a device's token back; False where there is no such device."""
        with self._lock:
            found = [one.hash for one in self._devices.values() if one.id == id]
            for one in found:
                del self._devices[one]
            self._write()
            return bool(found)

    def _write(self) -> None:
        if self._file is None:
            return
        part = self._file.with_suffix(".part")
        with contextlib.suppress(OSError):  # then it is paired until kfx ends
            self._file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump([asdict(one) for one in self._devices.values()], file)
            os.replace(part, self._file)


def _read(file: Path | None) -> list[Device]:
    """Devices paired before; none where the file is missing or isn't one of ours."""
    if file is None:
        return []
    try:
        rows = json.loads(file.read_text(encoding="utf-8"))
        return [
            Device(
                str(row["id"]),
                str(row["name"]),
                str(row["hash"]),
                "operator" if row.get("role") == "operator" else "viewer",
            )
            for row in rows
        ][:MOST_DEVICES]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return []


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()


def _new_code() -> str:
    return f"{secrets.randbelow(10**DIGITS):0{DIGITS}}"
