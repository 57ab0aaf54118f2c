"""Face data over UDP for other programs: ``osc://HOST:PORT[,HOST:PORT…][?format=…&…]``.

The formats are files of this folder: ``kfx`` (all that kfx knows, for TouchDesigner, Max, Pure
Data …), ``vmc``, ``livelink``, ``ifacialmocap``, ``facecap``, ``faceosc``; the text of each gives
its layout to the byte. All but kfx have a usual port, which may be left out. Options of all::

    rate=HZ (or fps=)   send no more often than this
    slot=0..7           only this performer; formats of one face otherwise follow the lowest slot
                        until that performer is lost
    mirror=1            as in a mirror: left and right change places

and of some::

    faces=1..8          kfx, livelink: so many at most, lowest slots first
    name=SUBJECT        livelink: what Unreal calls the performer
    names=SET[,SET]     vmc: vrm, vrm1, perfectsync, arkit
    mesh=0|1|blob       kfx: without, with landmarks; faceosc: without, with /raw
    bs=0|1              kfx: without, with the 52 blendshapes by name
    datagram=BYTES      OSC: the largest datagram; what is more is split over several
"""

from __future__ import annotations

import errno
import socket
from importlib import import_module
from typing import Protocol
from urllib.parse import urlsplit

from kfx import clock
from kfx.errors import KfxError, UsageError
from kfx.sinks import datagrams
from kfx.sinks.osc import faces as choice
from kfx.sinks.osc import wire
from kfx.sinks.osc.options import Options, parse
from kfx.sinks.osc.pose import decompose
from kfx.types import Shot, StreamInfo

__all__ = ["FORMATS", "Format", "OscSink", "decompose", "open_sink"]

FORMATS = ("kfx", "vmc", "livelink", "ifacialmocap", "facecap", "faceosc")
HELD_S = 5.0  # without a refusal, and the network is back
EXAMPLE = "write osc://127.0.0.1:9000"
Address = tuple[str, int]


class Format(Protocol):
    """What a module of this folder defines as ``Format``.

    Must: give datagrams without NaN, none larger than the option says if it can split at all.
    `needs_blendshapes` asks whoever tracks to fill `Face.blendshapes`.
    """

    @property
    def needs_blendshapes(self) -> bool: ...

    def datagrams(self, moment: choice.Moment) -> list[bytes]: ...


def open_sink(spec: str, stream: StreamInfo) -> OscSink:
    """Raises `UsageError` for a spec that makes no sense, `KfxError` for an unknown host."""
    where, _, query = spec.partition("?")
    if not where.startswith("osc://"):
        raise UsageError(f"{spec}: a host and a port are needed; {EXAMPLE}")
    modules = {name: import_module(f"kfx.sinks.osc.{name}") for name in FORMATS}
    taken = {name: module.OPTIONS for name, module in modules.items()}
    form, options = parse(spec, query, taken)
    module = modules[form]
    hosts = where.removeprefix("osc://").split(",")
    receivers = [_address(spec, one, module.PORT) for one in hosts]
    return OscSink(receivers, module.Format(options), options, stream, lacking=module.LACKING)


def _address(spec: str, text: str, usual: int | None) -> Address:
    try:
        url = urlsplit("//" + text)
        host, port = url.hostname, usual if url.port is None else url.port
    except ValueError:
        raise UsageError(f"{spec}: the port must be a number from 1 to 65535; {EXAMPLE}") from None
    if not host or not port or url.path not in ("", "/") or url.username is not None:
        raise UsageError(f"{spec}: a host and a port are needed; {EXAMPLE}")
    return host, port


class _Receiver:
    """One address, resolved once, with a socket that never waits."""

    def __init__(self, host: str, port: int) -> None:
        self.label = f"osc://[{host}]:{port}" if ":" in host else f"osc://{host}:{port}"
        self.refused_s: float | None = None  # when the network refused last, until it is back
        try:
            self._socket, self._to = datagrams.opened(host, port)
        except (OSError, UnicodeError) as error:
            raise KfxError(
                f"{self.label}: the host can't be found ({error}); use its IP address"
            ) from None
        self._socket.setblocking(False)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)

    def send(self, datagram: bytes) -> OSError | None:
        """None if the system took it."""
        try:
            self._socket.sendto(datagram, self._to)
        except OSError as error:  # nobody there, no network, or the buffer is full: data, no fault
            return error
        return None

    def close(self) -> None:
        self._socket.close()


class OscSink:
    """Sends the faces of every shot and waits for nobody: a receiver may come, go or be absent.

    Raises `KfxError` if a host's name can't be resolved (done once, here). `unsent` counts
    datagrams the system refused. `needs_blendshapes` says whether faces should carry them.
    """

    def __init__(
        self,
        receivers: list[Address],
        form: Format,
        options: Options,
        stream: StreamInfo,
        *,
        lacking: str = "",
    ) -> None:
        self.warnings: list[str] = []
        self._said: set[str] = set()
        self.unsent = 0
        self.needs_blendshapes = form.needs_blendshapes
        self._form, self._options, self._stream = form, options, stream
        self._lacking = lacking
        self._next: float | None = None  # when the next send is due, on the source's timeline
        self._last = 0.0
        self._receivers: list[_Receiver] = []
        try:
            for host, port in receivers:
                self._receivers.append(_Receiver(host, port))
        except KfxError:
            self.close()
            raise

    def write(self, shot: Shot) -> None:
        """Send the datagrams of the shot to every receiver, if `rate` lets it go.

        A picture that is only shown again says nothing new of the faces: nothing is sent.
        """
        if shot.filler or not self._due(shot.tick.time):
            return
        for datagram in self.datagrams(shot):
            for receiver in self._receivers:
                error = receiver.send(datagram)
                if error or receiver.refused_s is not None:
                    self._note(receiver, error)

    def datagrams(self, shot: Shot) -> list[bytes]:
        """What `write` sends, in order."""
        options, frame = self._options, shot.tick.frame
        height, width = frame.pixels.shape[:2]
        found = choice.whole(shot.tick.faces)
        if options.slot is not None:
            found = tuple(face for face in found if face.slot == options.slot)
        found = found[: options.faces]
        if self._lacking and any(face.found and not face.blendshapes for face in found):
            self._warn_once(f"the faces carry no blendshapes, so {self._lacking}")
        if options.mirror:
            found = tuple(choice.mirrored(face, width) for face in found)
        tag = wire.time_tag(clock.wall(frame.captured))
        moment = choice.Moment(frame, found, (width, height), tag, self._stream.rate)
        return self._form.datagrams(moment)

    def close(self) -> None:
        """Close the sockets. May be called twice."""
        for receiver in self._receivers:
            receiver.close()

    abort = close

    def __enter__(self) -> OscSink:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _due(self, time_s: float) -> bool:
        if self._options.rate is None:
            return True
        period = 1.0 / self._options.rate
        back = time_s < self._last  # a file that starts again
        self._last = time_s
        # A quarter of a period early is on time: live frames jitter.
        if not back and self._next is not None and time_s < self._next - period / 4:
            return False
        late = back or self._next is None or time_s > self._next + period
        self._next = (time_s if late or self._next is None else self._next) + period
        return True

    def _note(self, receiver: _Receiver, error: OSError | None) -> None:
        """A network that is down says so now and then, and takes datagrams in between."""
        now = clock.now()
        if error is None:
            if receiver.refused_s is not None and now - receiver.refused_s > HELD_S:
                receiver.refused_s = None
                self.warnings.append(f"{receiver.label} is back")
            return
        self.unsent += 1
        if error.errno in (errno.EAGAIN, errno.ENOBUFS, errno.ECONNREFUSED):
            return
        if receiver.refused_s is None:
            self.warnings.append(f"{receiver.label}: {error.strerror or error}; kfx goes on trying")
        receiver.refused_s = now

    def _warn_once(self, text: str) -> None:
        if text not in self._said:
            self._said.add(text)
            self.warnings.append(text)
