"""kfx's own layout: everything about every face, as OSC bundles.

Every shot is a bundle, or several with the same time tag, the moment the frame was captured::

    /kfx/v1/frame                   i f      index, time on the source's timeline in seconds
    /kfx/v1/size                    i i      width, height of the frame in pixels
    /kfx/v1/face/<slot>/found       i        1 seen, 0 lost (then repeated twice a second)
    /kfx/v1/face/<slot>/id          s        who it is; the slot's number for now
    /kfx/v1/face/<slot>/bbox        f f f f  x0 y0 x1 y1 around the landmarks, 0..1, y down
    /kfx/v1/face/<slot>/presence    f        0..1, fades in and out
    /kfx/v1/face/<slot>/pose/quat   f f f f  x y z w, canonical face → frame; frontal is 0 0 0 1
    /kfx/v1/face/<slot>/pose/trans  f f f    x y z of the face's origin, in pixels of the frame
    /kfx/v1/face/<slot>/pose/scale  f        pixels for one inter-ocular distance
    /kfx/v1/face/<slot>/gaze        f f f f  degrees: left eye's yaw and pitch, right eye's; yaw > 0
                                             to the subject's left, pitch > 0 down
    /kfx/v1/face/<slot>/bs/<name>   f        0..1, the 52 of ARKit: bs/jawOpen … (not with bs=0)

and one more bundle with the same time tag for each face's mesh (not with mesh=0)::

    /kfx/v1/face/<slot>/lm          f × 1434 x y z of 478 landmarks; x and z divided by the
                                             width, y by the height; y down, z away
    /kfx/v1/face/<slot>/lm          b        with mesh=blob: the same, big-endian float32
    /kfx/v1/face/<slot>/lm/<first>  f × 3n   where datagram= is too small for a whole mesh: n
                                             landmarks from number <first> on

<slot> is 0–7. No datagram is larger than `datagram`: 9216 bytes, macOS's limit, which every
machine takes from itself and from a wired network. A mesh is then five or six Ethernet frames, and
gone if one is; over Wi-Fi datagram=1472 loses less.
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np

from kfx import arkit
from kfx.sinks.osc import options, pose, wire
from kfx.sinks.osc.faces import Losses, Moment
from kfx.types import LANDMARK_COUNT, Face

PORT = None  # nobody listens for kfx unless told to
OPTIONS = ("faces", "mesh", "bs", "datagram")
LACKING = ""
_MESH_HEAD = 96  # bytes of a mesh's bundle that aren't landmarks or type tags, at most


class Format:
    """See the module's text."""

    def __init__(self, chosen: options.Options) -> None:
        self.needs_blendshapes = chosen.bs
        self._mesh = chosen.mesh
        self._bs = chosen.bs
        self._largest = chosen.datagram or options.MACOS
        self._losses = Losses()

    def datagrams(self, moment: Moment) -> list[bytes]:
        frame, (width, height) = moment.frame, moment.size
        parts = [
            wire.message("/kfx/v1/frame", "if", frame.index & 0x7FFFFFFF, float(frame.time)),
            wire.message("/kfx/v1/size", "ii", width, height),
        ]
        for face in moment.faces:
            parts += _face(face, width, height)
            shapes = arkit.values(face.blendshapes) if self._bs else None
            if shapes:
                parts += wire.singles(_shape_heads(face.slot), shapes)
        lost = self._losses.due({face.slot for face in moment.faces}, frame.captured)
        parts += [wire.message(f"/kfx/v1/face/{slot}/found", "i", 0) for slot in lost]
        out = wire.bundles(moment.tag, parts, min(self._largest, options.ETHERNET))
        if self._mesh != "0":
            for face in moment.faces:
                out += self._meshes(face, moment)
        return out

    def _meshes(self, face: Face, moment: Moment) -> list[bytes]:
        width, height = moment.size
        scaled = face.landmarks / np.array([width, height, width], np.float32)
        address = f"/kfx/v1/face/{face.slot}/lm"
        blob = self._mesh == "blob"
        # A float takes a byte of type tag as well.
        room = (self._largest - _MESH_HEAD) // (12 if blob else 15)
        if room >= LANDMARK_COUNT:
            return [wire.bundle(moment.tag, [wire.array(address, scaled, blob=blob)])]
        starts = range(0, LANDMARK_COUNT, room)
        pieces = [
            wire.array(f"{address}/{first}", scaled[first : first + room], blob=blob)
            for first in starts
        ]
        return [wire.bundle(moment.tag, [piece]) for piece in pieces]


@cache
def _shape_heads(slot: int) -> tuple[bytes, ...]:
    return tuple(wire.head(f"/kfx/v1/face/{slot}/bs/{name}", "f") for name in arkit.NAMES)


def _face(face: Face, width: int, height: int) -> list[bytes]:
    base = f"/kfx/v1/face/{face.slot}"
    x0, y0, x1, y1 = face.box
    quaternion, translation, scale = pose.decompose(face.pose)
    return [
        wire.message(base + "/found", "i", int(face.found)),
        wire.message(base + "/id", "s", str(face.slot)),
        wire.floats(base + "/bbox", (x0 / width, y0 / height, x1 / width, y1 / height)),
        wire.floats(base + "/presence", (face.presence,)),
        wire.floats(base + "/pose/quat", quaternion),
        wire.floats(base + "/pose/trans", translation),
        wire.floats(base + "/pose/scale", (scale,)),
        wire.floats(base + "/gaze", [math.degrees(angle) for angle in pose.gaze(face)]),
    ]
