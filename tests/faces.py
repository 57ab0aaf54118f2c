"""Faces and frames for tests: the canonical face, posed and moved, without any tracker."""

from fractions import Fraction

import numpy as np

from kfx.canonical import canonical
from kfx.tracking import pose as poses
from kfx.types import Face, Frame, Tick, freeze


def pose_of(x, y, iod, yaw=0.0, roll=0.0):
    """A 4×4 pose at pixel (x, y), angles in degrees as `poses.yaw_pitch_roll` gives them."""
    a, b = np.radians(yaw), np.radians(roll)
    turn = np.array([[np.cos(a), 0, -np.sin(a)], [0, 1, 0], [np.sin(a), 0, np.cos(a)]])
    lean = np.array([[np.cos(b), -np.sin(b), 0], [np.sin(b), np.cos(b), 0], [0, 0, 1]])
    pose = np.eye(4, dtype=np.float32)
    pose[:3, :3] = lean @ turn * iod
    pose[:3, 3] = (x, y, 0)
    return pose


def landmarks_of(pose, shape=None):
    return poses.to_pixels(pose, canonical().vertices if shape is None else shape)


def face_at(x=160.0, y=80.0, iod=40.0, slot=0, presence=1.0, age=5, yaw=0.0, roll=0.0, shape=None):
    pose = pose_of(x, y, iod, yaw, roll)
    points = landmarks_of(pose, shape)
    return Face(slot, freeze(points), freeze(pose), iod, presence, age=age)


def smiling(amount=1.0):
    """The canonical face with the corners of its mouth drawn out and up, in iod units."""
    shape = canonical().vertices.copy()
    for corner, sign in ((61, -1), (291, 1)):
        away = np.linalg.norm(shape - shape[corner], axis=1, keepdims=True)
        shape += np.exp(-((away / 0.3) ** 2)) * np.float32([0.12 * sign, -0.10, 0]) * amount
    return shape.astype(np.float32)


def picture(width=320, height=180, seed=1):
    """A smooth colourful picture with fine noise, RGBA."""
    y, x = np.mgrid[:height, :width].astype(np.float32)
    noise = np.random.default_rng(seed).normal(0, 6, (height, width, 3))
    waves = [np.sin(x / 17 + y / 29), np.sin(x / 23 - y / 13 + 1), np.cos(x / 11 + y / 31)]
    rgb = 128 + 80 * np.stack(waves, axis=2) + noise
    pixels = np.empty((height, width, 4), np.uint8)
    pixels[..., :3] = np.clip(rgb, 0, 255)
    pixels[..., 3] = 255
    return freeze(pixels)


def frame_of(pixels, index=0, rate=Fraction(30), truth=None):
    return Frame(pixels, index, Fraction(index) / rate, 0.0, truth=truth)


def tick_of(frame, faces=(), dt=1 / 30):
    time = float(frame.time)
    return Tick(frame.index, time, dt, frame, tuple(faces), beat=time * 2, bar=time / 2)
