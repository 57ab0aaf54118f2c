"""The Virtual Motion Capture protocol, for avatar programs: ``?format=vmc``.

A *Performer* listens on 39540, a *Marionette* (what shows the avatar) on 39539. Every shot is::

    /VMC/Ext/OK        i i i i       loaded 1, calibrated 3, mode 0, tracking 1 or 0 (no face)
    /VMC/Ext/T         f             seconds on the source's timeline
    /VMC/Ext/Root/Pos  s f×7         "root", at the origin: kfx sees no body
    /VMC/Ext/Bone/Pos  s f×7         Neck, Head, LeftEye, RightEye: local rotations, position 0
    /VMC/Ext/Blend/Val s f           0..1, as `names` says
    /VMC/Ext/Blend/Apply             after the last value

in bundles of at most 1472 bytes (the specification: 1500). The head's turn is shared by neck and
head. While nobody is seen only OK and T go out, so that the avatar keeps still.

``names``, of which several may be given, are ``vrm`` (presets of VRM 0: A I U E O Blink_L …, the
default), ``vrm1`` (aa ih ou …), ``perfectsync`` (JawOpen …) and ``arkit`` (jawOpen …).
Specification: github.com/sh-akira/VirtualMotionCaptureProtocol, version 3.1.
"""

from __future__ import annotations

from collections.abc import Sequence

from kfx import arkit
from kfx.sinks.osc import options, pose, visemes, wire
from kfx.sinks.osc.faces import Lead, Moment

PORT = 39540
OPTIONS = ("names", "datagram")
LACKING = "only head and eyes move"
NECK = 0.4  # of the head's turn
_STILL = (0.0, 0.0, 0.0)
_VALUE = "/VMC/Ext/Blend/Val"


class Format:
    """See the module's text."""

    needs_blendshapes = True

    def __init__(self, chosen: options.Options) -> None:
        self._largest = chosen.datagram or options.ETHERNET
        self._names = chosen.names
        self._lead = Lead(chosen.slot)

    def datagrams(self, moment: Moment) -> list[bytes]:
        face = self._lead.of(moment.faces)
        parts = [
            wire.message("/VMC/Ext/OK", "iiii", 1, 3, 0, int(face is not None)),
            wire.floats("/VMC/Ext/T", (float(moment.frame.time),)),
        ]
        if face is not None:
            # kfx's and Unity's axes are all opposite, so the numbers of a rotation are the same.
            head = pose.decompose(face.pose)[0]
            left_yaw, left_pitch, right_yaw, right_pitch = pose.gaze(face)
            parts += [
                _bone("/VMC/Ext/Root/Pos", "root", (0.0, 0.0, 0.0, 1.0)),
                _bone("/VMC/Ext/Bone/Pos", "Neck", pose.share(head, NECK)),
                _bone("/VMC/Ext/Bone/Pos", "Head", pose.share(head, 1 - NECK)),
                _bone("/VMC/Ext/Bone/Pos", "LeftEye", pose.unity_eye(left_yaw, left_pitch)),
                _bone("/VMC/Ext/Bone/Pos", "RightEye", pose.unity_eye(right_yaw, right_pitch)),
            ]
            shapes = arkit.values(face.blendshapes)
            if shapes:
                parts += [
                    wire.message(_VALUE, "sf", name, value)
                    for name, value in visemes.named(shapes, self._names)
                ]
                parts.append(wire.head("/VMC/Ext/Blend/Apply", ""))
        return wire.bundles(moment.tag, parts, self._largest)


def _bone(address: str, name: str, rotation: Sequence[float]) -> bytes:
    return wire.message(address, "sfffffff", name, *_STILL, *rotation)
