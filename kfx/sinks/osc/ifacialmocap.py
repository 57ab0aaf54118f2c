"""Text of the iFacialMocap app, for VSeeFace, Warudo, VNyan: ``?format=ifacialmocap``, port 49983.

One datagram a shot, no OSC::

    eyeBlink_L-12|jawOpen-40|…|=head#rx,ry,rz,px,py,pz|rightEye#rx,ry,rz|leftEye#rx,ry,rz|

Shapes are 0..100 without decimals, sides are called ``_L`` and ``_R``. Angles are degrees in
ARKit's axes: rx > 0 looks down, ry > 0 turns to the subject's left, rz > 0 leans to the subject's
right shoulder, the turn is ry · rx · rz; eyes are relative to the head. Positions are metres from
the camera, x to the right in the picture, y up, z towards the camera (so negative). Nothing goes
out while no face is seen. kfx doesn't wait to be asked, as the phone does: a receiver that wants
the phone's address is given this machine's.
"""

from __future__ import annotations

import math

from kfx import arkit
from kfx.sinks.osc import options, pose
from kfx.sinks.osc.faces import Lead, Moment

PORT = 49983
OPTIONS = ()
LACKING = "only head and eyes move"


def _short(name: str) -> str:
    """``eyeBlinkLeft`` → ``eyeBlink_L``. Jaw and mouth move to a side: ``jawLeft`` stays."""
    if name in ("jawLeft", "jawRight", "mouthLeft", "mouthRight"):
        return name
    for side in ("Left", "Right"):
        if name.endswith(side):
            return f"{name.removesuffix(side)}_{side[0]}"
    return name


_NAMES = tuple(_short(name) for name in arkit.NAMES)


class Format:
    """See the module's text."""

    needs_blendshapes = True

    def __init__(self, chosen: options.Options) -> None:
        self._lead = Lead(chosen.slot)

    def datagrams(self, moment: Moment) -> list[bytes]:
        face = self._lead.of(moment.faces)
        if face is None:
            return []
        shapes = arkit.values(face.blendshapes)
        pairs = zip(_NAMES, shapes, strict=True) if shapes else ()
        text = "".join(f"{name}-{round(value * 100)}|" for name, value in pairs)
        turn = [math.degrees(a) for a in pose.arkit_angles(pose.decompose(face.pose)[0])]
        left_yaw, left_pitch, right_yaw, right_pitch = map(math.degrees, pose.gaze(face))
        text += f"=head#{_numbers(*turn, *pose.position_m(face, moment.size))}|"
        text += f"rightEye#{_numbers(right_pitch, right_yaw, 0.0)}|"
        text += f"leftEye#{_numbers(left_pitch, left_yaw, 0.0)}|"
        return [text.encode("ascii")]


def _numbers(*values: float) -> str:
    return ",".join(f"{value:.5f}" for value in values)
