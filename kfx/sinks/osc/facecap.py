"""Messages of the Face Cap app: ``?format=facecap``, port 9000 or 8080 as the receiver listens.

Every shot in which the face is seen is one bundle of at most 1472 bytes::

    /HT   f f f    head's position in metres: x right in the picture, y up, z towards the camera
    /HR   f f f    head's turn in degrees about x, y, z; see below
    /HRQ  f f f f  the same as a quaternion x y z w
    /ELR  f f      left eye's turn in the head, degrees about x and y
    /ERR  f f      right eye's
    /W    i f      number of a blendshape, 0..1; the 52 of `ORDER`

About x > 0 looks down, about y > 0 turns to the subject's left, about z > 0 leans to the subject's
right shoulder; the turn is y · x · z, as the app's own Unity example reads it.
"""

from __future__ import annotations

import math

from kfx import arkit
from kfx.sinks.osc import options, pose, wire
from kfx.sinks.osc.faces import Lead, Moment

PORT = 9000
OPTIONS = ("datagram",)
LACKING = "only head and eyes move"
ORDER: tuple[str, ...] = tuple(
    """
    browInnerUp browDownLeft browDownRight browOuterUpLeft browOuterUpRight eyeLookUpLeft
    eyeLookUpRight eyeLookDownLeft eyeLookDownRight eyeLookInLeft eyeLookInRight eyeLookOutLeft
    eyeLookOutRight eyeBlinkLeft eyeBlinkRight eyeSquintLeft eyeSquintRight eyeWideLeft eyeWideRight
    cheekPuff cheekSquintLeft cheekSquintRight noseSneerLeft noseSneerRight jawOpen jawForward
    jawLeft jawRight mouthFunnel mouthPucker mouthLeft mouthRight mouthRollUpper mouthRollLower
    mouthShrugUpper mouthShrugLower mouthClose mouthSmileLeft mouthSmileRight mouthFrownLeft
    mouthFrownRight mouthDimpleLeft mouthDimpleRight mouthUpperUpLeft mouthUpperUpRight
    mouthLowerDownLeft mouthLowerDownRight mouthPressLeft mouthPressRight mouthStretchLeft
    mouthStretchRight tongueOut
    """.split()
)
"""What the numbers of ``/W`` stand for."""
_PLACES = tuple(arkit.NAMES.index(name) for name in ORDER)


class Format:
    """See the module's text."""

    needs_blendshapes = True

    def __init__(self, chosen: options.Options) -> None:
        self._largest = chosen.datagram or options.ETHERNET
        self._lead = Lead(chosen.slot)

    def datagrams(self, moment: Moment) -> list[bytes]:
        face = self._lead.of(moment.faces)
        if face is None:
            return []
        turn = pose.decompose(face.pose)[0]
        left_yaw, left_pitch, right_yaw, right_pitch = map(math.degrees, pose.gaze(face))
        parts = [
            wire.floats("/HT", pose.position_m(face, moment.size)),
            wire.floats("/HR", [math.degrees(angle) for angle in pose.arkit_angles(turn)]),
            wire.floats("/HRQ", pose.to_arkit(turn)),
            wire.floats("/ELR", (left_pitch, left_yaw)),
            wire.floats("/ERR", (right_pitch, right_yaw)),
        ]
        shapes = arkit.values(face.blendshapes)
        if shapes:
            parts += [
                wire.message("/W", "if", number, shapes[place])
                for number, place in enumerate(_PLACES)
            ]
        return wire.bundles(moment.tag, parts, self._largest)
