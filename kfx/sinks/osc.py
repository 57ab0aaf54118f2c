"""Face data as OSC 1.0 bundles over UDP: ``osc://127.0.0.1:9000``.

Every shot is one bundle whose time tag is the moment the frame was captured::

    /kfx/v1/frame                   i f      index, time on the source's timeline in seconds
    /kfx/v1/size                    i i      width, height of the frame in pixels
    /kfx/v1/face/<slot>/found       i        1 seen, 0 lost (then repeated twice a second)
    /kfx/v1/face/<slot>/id          s        who it is; the slot's number for now
    /kfx/v1/face/<slot>/bbox        f f f f  x0 y0 x1 y1 around the landmarks, 0..1, y down
    /kfx/v1/face/<slot>/presence    f        0..1, fades in and out
    /kfx/v1/face/<slot>/pose/quat   f f f f  x y z w, canonical face → frame; frontal is 0 0 0 1
    /kfx/v1/face/<slot>/pose/trans  f f f    x y z of the face's origin, in pixels of the frame
    /kfx/v1/face/<slot>/pose/scale  f        pixels for one inter-ocular distance

and one more bundle with the same time tag for each face's mesh::

    /kfx/v1/face/<slot>/lm          f × 1434 x y z of 478 landmarks; x and z divided by the
                                             width, y by the height; y down, z away

<slot> is 0–7. No datagram is larger than 9216 bytes (the limit of macOS).
"""

from __future__ import annotations

import math
import socket
import struct
from urllib.parse import parse_qsl, urlsplit

import numpy as np
import numpy.typing as npt
from pythonosc.osc_message_builder import OscMessageBuilder

from kfx import clock
from kfx.errors import KfxError, UsageError
from kfx.types import LANDMARK_COUNT, Face, Shot, StreamInfo

MAX_DATAGRAM = 9216
REPEAT_S = 0.5  # how often a lost face is said to be lost: a datagram may get lost as well
_NTP_EPOCH = 2208988800  # seconds from 1900 to 1970
_MESH_TAGS = "f" * (LANDMARK_COUNT * 3)


def open_sink(spec: str, stream: StreamInfo) -> OscSink:
    """``osc://host:port``; the only option is ``?format=kfx``."""
    example = "write osc://127.0.0.1:9000"
    try:
        url = urlsplit(spec)
        host, port = url.hostname, url.port
    except ValueError:
        raise UsageError(f"{spec}: the port must be a number from 1 to 65535; {example}") from None
    if not host or not port or url.path not in ("", "/"):
        raise UsageError(f"{spec}: a host and a port are needed; {example}")
    for name, value in parse_qsl(url.query, keep_blank_values=True):
        if name != "format":
            raise UsageError(f"{spec}: unknown option {name!r}; osc takes format=kfx")
        if value != "kfx":
            raise UsageError(f"{spec}: format: {value!r} is unknown; the only one is kfx")
    return OscSink(host, port)


class OscSink:
    """Sends the faces of every shot and waits for nobody: a receiver may come, go or be absent.

    Raises `KfxError` if the host's name can't be resolved (done once, here). `unsent` counts
    datagrams the system refused.
    """

    def __init__(self, host: str, port: int) -> None:
        self.warnings: list[str] = []
        self.unsent = 0
        try:
            family, kind, _, _, self._to = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
        except (OSError, UnicodeError) as error:
            raise KfxError(
                f"osc://{host}:{port}: the host can't be found ({error}); use its IP address"
            ) from None
        self._socket = socket.socket(family, kind)
        self._socket.setblocking(False)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        self._lost_since: dict[int, float] = {}  # slot → when its loss was last sent
        self._known: set[int] = set()

    def write(self, shot: Shot) -> None:
        """Send one bundle for the shot and one for each face's mesh."""
        for datagram in self.datagrams(shot):
            try:
                self._socket.sendto(datagram, self._to)
            except OSError:  # nobody there, no network, or the buffer is full: data, not a fault
                self.unsent += 1

    def datagrams(self, shot: Shot) -> list[bytes]:
        """What `write` sends, in order."""
        frame, faces = shot.tick.frame, shot.tick.faces
        height, width = frame.pixels.shape[:2]
        tag = time_tag(clock.wall(frame.captured))
        parts = [
            message("/kfx/v1/frame", "if", frame.index & 0x7FFFFFFF, float(frame.time)),
            message("/kfx/v1/size", "ii", width, height),
        ]
        for face in faces:
            parts += _face_messages(face, width, height)
        parts += self._losses({face.slot for face in faces}, frame.captured)
        return [bundle(tag, parts)] + [
            bundle(tag, [mesh_message(face, width, height)]) for face in faces
        ]

    def _losses(self, present: set[int], now_s: float) -> list[bytes]:
        for slot in present:
            self._lost_since.pop(slot, None)
        for slot in self._known - present:
            self._lost_since[slot] = -math.inf
        self._known = present
        due = [slot for slot, at in self._lost_since.items() if now_s - at >= REPEAT_S]
        for slot in due:
            self._lost_since[slot] = now_s
        return [message(f"/kfx/v1/face/{slot}/found", "i", 0) for slot in sorted(due)]

    def close(self) -> None:
        """Close the socket. May be called twice."""
        self._socket.close()

    abort = close

    def __enter__(self) -> OscSink:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def time_tag(unix_s: float) -> int:
    """The 64-bit NTP time of Unix seconds: 32 bits of seconds since 1900, 32 of fraction."""
    return round((unix_s + _NTP_EPOCH) * 2**32) & (2**64 - 1)


def _text(text: str) -> bytes:
    raw = text.encode()
    return raw + b"\0" * (4 - len(raw) % 4)


def message(address: str, tags: str, *values: int | float | str) -> bytes:
    """One OSC message; `tags` of ``i``, ``f`` and ``s``, one for each value."""
    builder = OscMessageBuilder(address)
    for tag, value in zip(tags, values, strict=True):
        builder.add_arg(value, tag)
    return builder.build().dgram


def bundle(tag: int, messages: list[bytes]) -> bytes:
    """One OSC bundle with an NTP time tag (python-osc's builder would parse each part again)."""
    parts = (struct.pack(">I", len(m)) + m for m in messages)
    return b"#bundle\0" + struct.pack(">Q", tag) + b"".join(parts)


def mesh_message(face: Face, width: int, height: int) -> bytes:
    """All landmarks as one message: 0.01 ms, where one message each takes 6 ms."""
    scaled = face.landmarks / np.array([width, height, width], np.float32)
    address = _text(f"/kfx/v1/face/{face.slot}/lm")
    return address + _text("," + _MESH_TAGS) + scaled.astype(">f4").tobytes()


def _face_messages(face: Face, width: int, height: int) -> list[bytes]:
    base = f"/kfx/v1/face/{face.slot}"
    x0, y0, x1, y1 = face.box
    quaternion, translation, scale = decompose(face.pose)
    return [
        message(base + "/found", "i", int(face.found)),
        message(base + "/id", "s", str(face.slot)),
        message(base + "/bbox", "ffff", x0 / width, y0 / height, x1 / width, y1 / height),
        message(base + "/presence", "f", face.presence),
        message(base + "/pose/quat", "ffff", *quaternion),
        message(base + "/pose/trans", "fff", *translation),
        message(base + "/pose/scale", "f", scale),
    ]


def decompose(
    pose: npt.NDArray[np.floating],
) -> tuple[tuple[float, ...], tuple[float, ...], float]:
    """Quaternion (x y z w, w >= 0), translation and scale of a 4×4 similarity.

    The quaternion is the dominant eigenvector of Bar-Itzhack's symmetric matrix ("New method for
    extracting the quaternion from a rotation matrix", 2000): the best fit where the matrix is
    not quite a rotation. A pose that has none (zero, mirrored, NaN) gives identity and scale 0.
    """
    linear = np.asarray(pose[:3, :3], np.float64)
    translation = tuple(float(v) if math.isfinite(v) else 0.0 for v in pose[:3, 3])
    determinant = float(np.linalg.det(linear)) if np.isfinite(linear).all() else 0.0
    if determinant <= 1e-12:
        return (0.0, 0.0, 0.0, 1.0), translation, 0.0
    scale = determinant ** (1 / 3)
    r = linear / scale
    k = np.array(
        [
            [r[0, 0] - r[1, 1] - r[2, 2], 0, 0, 0],
            [r[0, 1] + r[1, 0], r[1, 1] - r[0, 0] - r[2, 2], 0, 0],
            [r[0, 2] + r[2, 0], r[1, 2] + r[2, 1], r[2, 2] - r[0, 0] - r[1, 1], 0],
            [r[2, 1] - r[1, 2], r[0, 2] - r[2, 0], r[1, 0] - r[0, 1], np.trace(r)],
        ]
    )
    q = np.linalg.eigh(k)[1][:, -1]  # reads the lower triangle
    q = q if q[3] >= 0 else -q
    return tuple(float(v) for v in q), translation, scale
