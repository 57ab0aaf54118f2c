"""Messages of FaceOSC (ofxFaceTracker), for VJ patches: ``?format=faceosc``, usually port 8338.

One bundle a shot (two with ``datagram=1024`` or less)::

    /found                    i      1 or 0; nothing more follows a 0
    /pose/position            f f    middle of the face, pixels of a picture 640 wide
    /pose/scale               f      pixels of it for one model unit
    /pose/orientation         f f f  radians: pitch > 0 down, yaw > 0 to the subject's right,
                                     roll > 0 to the subject's left shoulder; the turn is
                                     pitch · yaw · roll
    /gesture/mouth/width      f      and /gesture/mouth/height, /gesture/eyebrow/left and right,
                                     /gesture/eye/left and right, /gesture/jaw, /gesture/nostrils
    /raw                      f×132  66 points x y, pixels of the same picture (not with mesh=0)

Gestures are distances on the face with its pose taken out, in model units: a face is 40 units
wide, a mouth about 16. As in FaceOSC, "left" is left in the picture, whoever's eye that is;
mirror=1 turns it about. Only one face is sent.
"""

from __future__ import annotations

import numpy as np

from kfx.canonical import canonical
from kfx.sinks.osc import options, pose, wire
from kfx.sinks.osc.faces import Lead, Moment

PORT = 8338
OPTIONS = ("mesh", "datagram")
LACKING = ""
WIDTH = 640.0  # of the picture FaceOSC's pixels belong to
# FaceTracker's 66 points on the mesh. Left of the picture here; the right is the other side.
_JAW = (127, 234, 132, 58, 172, 136, 149, 148)
_BROW = (70, 63, 105, 66, 107)
_EYE = (33, 160, 158, 133, 153, 144)  # outer corner, upper lid, inner corner, lower lid


def _points() -> tuple[int, ...]:
    other = [int(k) for k in canonical().mirror]
    eye = [other[_EYE[k]] for k in (3, 2, 1, 0, 5, 4)]
    return (
        *(*_JAW, 152, *(other[k] for k in reversed(_JAW))),
        *(*_BROW, *(other[k] for k in reversed(_BROW))),
        *(168, 197, 5, 4, 60, 20, 2, other[20], other[60]),
        *(*_EYE, *eye),
        *(78, 40, 37, 0, other[37], other[40], other[78]),  # outer lips: over the top,
        *(other[91], other[84], 17, 84, 91),  # and back below
        *(81, 13, other[81], other[178], 14, 178),  # inner lips
    )


POINTS = np.array(_points())
"""The landmarks that stand for FaceTracker's 66 points."""
_ACROSS = 40.0  # model units from ear to ear, as in FaceTracker's model
# address, first and second of the 66 points: as ofxFaceTracker measures them
GESTURES = (
    ("/gesture/mouth/width", 48, 54),
    ("/gesture/mouth/height", 61, 64),
    ("/gesture/eyebrow/left", 38, 20),
    ("/gesture/eyebrow/right", 43, 23),
    ("/gesture/eye/left", 38, 41),
    ("/gesture/eye/right", 43, 46),
    ("/gesture/jaw", 33, 8),
    ("/gesture/nostrils", 31, 35),
)
_FIRST = np.array([first for _, first, _ in GESTURES])
_SECOND = np.array([second for _, _, second in GESTURES])


class Format:
    """See the module's text."""

    needs_blendshapes = False

    def __init__(self, chosen: options.Options) -> None:
        self._largest = chosen.datagram or options.ETHERNET
        self._raw = chosen.mesh != "0"
        self._lead = Lead(chosen.slot)
        ears = canonical().vertices[POINTS[[0, 16]]]
        self._unit = _ACROSS / float(np.linalg.norm(ears[0] - ears[1]))  # in one iod

    def datagrams(self, moment: Moment) -> list[bytes]:
        face = self._lead.of(moment.faces)
        parts = [wire.message("/found", "i", int(face is not None))]
        if face is not None:
            turn, _, scale = pose.decompose(face.pose)
            smaller = WIDTH / moment.size[0]
            points = face.landmarks[POINTS]
            ends = points[_FIRST] - points[_SECOND]
            # A pose turns and scales, so lengths only have to be scaled back.
            lengths = np.linalg.norm(ends, axis=1) * (self._unit / max(scale, 1e-3))
            middle = points[:, :2].mean(axis=0) * smaller
            parts += [
                wire.floats("/pose/position", middle.tolist()),
                wire.floats("/pose/scale", (scale / self._unit * smaller,)),
                wire.floats("/pose/orientation", pose.tracker_angles(turn)),
                *(
                    wire.floats(address, (length,))
                    for (address, _, _), length in zip(GESTURES, lengths.tolist(), strict=True)
                ),
            ]
            if self._raw:
                parts.append(wire.array("/raw", points[:, :2] * np.float32(smaller)))
        return wire.bundles(moment.tag, parts, self._largest)
