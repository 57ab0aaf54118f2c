"""Packets of the Live Link Face app, for Unreal's ARKit source: ``?format=livelink``, port 11111.

A datagram for each face, big-endian, no OSC::

    u8   6            version
    i32  n, n bytes   device id: a UUID that `name` and slot decide, so Unreal finds it again
    i32  n, n bytes   subject, UTF-8: `name` for slot 0 or the one chosen, ``name-2`` for slot 1, …
    i32  f32          frame and subframe of the timecode: the source's, or else the time of day
    i32  i32          frame rate, numerator and denominator
    u8   61           and so many f32: ARKit's 52, then yaw, pitch, roll of head, left and right eye

A face that is lost ends after the frame rate, at once and twice a second.

Angles are radians; yaw > 0 turns to the subject's right, pitch > 0 looks down, roll > 0 leans to
the subject's left shoulder; the turn is yaw · pitch · roll, eyes are relative to the head. That is
what the app itself writes: in seven of its recordings an eye that looks left to the full
(eyeLookOutLeft 1) has yaw -0.6, one that looks down to the full pitch 0.5, and roll is yaw times
pitch. (They were recorded without the head's turn; the app is taken to treat it as the eyes'.)
"""

from __future__ import annotations

import struct
import uuid
from collections.abc import Sequence
from fractions import Fraction

from kfx import arkit, clock, timecode
from kfx.sinks.osc import options, pose
from kfx.sinks.osc.faces import Losses, Moment
from kfx.types import Face, Frame

PORT = 11111
OPTIONS = ("faces", "name")
LACKING = "only head and eyes move"
VERSION, COUNT = 6, 61


class Format:
    """See the module's text."""

    needs_blendshapes = True

    def __init__(self, chosen: options.Options) -> None:
        self._name, self._slot = chosen.name, chosen.slot
        self._losses = Losses()

    def datagrams(self, moment: Moment) -> list[bytes]:
        stamp = frame_time(moment.frame, moment.rate)
        found = [face for face in moment.faces if face.found]
        lost = self._losses.due({face.slot for face in found}, moment.frame.captured)
        out = [self._packet(face.slot, stamp, channels(face)) for face in found]
        return out + [self._packet(slot, stamp, ()) for slot in lost]

    def _packet(self, slot: int, stamp: bytes, values: Sequence[float]) -> bytes:
        alone = slot == 0 or self._slot is not None
        subject = (self._name if alone else f"{self._name}-{slot + 1}").encode("utf-8", "replace")
        device = str(uuid.uuid5(uuid.NAMESPACE_URL, f"kfx:{self._name}:{slot}")).upper().encode()
        head = struct.pack(f">Bi{len(device)}si", VERSION, len(device), device, len(subject))
        tail = struct.pack(f">B{COUNT}f", COUNT, *values) if values else b""
        return head + subject + stamp + tail


def channels(face: Face) -> tuple[float, ...]:
    """The 61 values; shapes are 0 where the face carries none."""
    pitch, yaw, roll = pose.arkit_angles(pose.decompose(face.pose)[0])
    left_yaw, left_pitch, right_yaw, right_pitch = pose.gaze(face)
    shapes = arkit.values(face.blendshapes) or (0.0,) * len(arkit.NAMES)
    eyes = (-left_yaw, left_pitch, 0.0, -right_yaw, right_pitch, 0.0)
    return (*shapes, -yaw, pitch, -roll, *eyes)


def frame_time(frame: Frame, rate: Fraction) -> bytes:
    """Frame, subframe and rate as they stand in a packet."""
    number, part = _counted(frame, rate)
    return struct.pack(">ifii", number, part, rate.numerator, rate.denominator)


def _counted(frame: Frame, rate: Fraction) -> tuple[int, float]:
    if frame.timecode:
        try:
            return timecode.parse(frame.timecode, rate), 0.0
        except ValueError:
            pass  # of another rate: the time of day is better than a wrong count
    frames = clock.local_date(frame.captured)[3] * float(rate)
    return int(frames), frames - int(frames)
