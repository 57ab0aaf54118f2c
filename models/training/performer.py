"""Measures the performer's portrait: landmarks, the head's own pose, the matte.

    python models/training/performer.py [--proof FOLDER]

The portrait is the public-domain picture of Grace Hopper that matplotlib ships. FaceMesh looks
at it through many slightly different crops and the answers are averaged; the matte starts from
selfie segmentation, is settled by GrabCut between hand-set hints, and gets its soft edge from a
guided filter. Writes ``models/performer/portrait.npz`` and ``models/performer/matte.png``.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import mediapipe as mp
import numpy as np

from kfx.sources.performer_portrait import MARGIN, SIZE, anatomy, picture, portrait_rgb

OUT = Path(__file__).resolve().parents[1] / "performer"
LEFT_IRIS, RIGHT_IRIS = 473, 468  # the subject's left is on the right of the picture

# Hand-set hints, portrait pixels: certainly person, certainly not. Only where the flag, its cord
# and the grey hair fool the network.
SURE_PERSON = [
    [(175, 88), (182, 64), (200, 48), (217, 43), (222, 30), (255, 27), (300, 36), (345, 70),
     (362, 100), (364, 170), (345, 200), (160, 200), (152, 170), (150, 130), (155, 105)],  # hat
    [(160, 195), (158, 225), (170, 262), (185, 268), (350, 268), (368, 225), (370, 195)],  # ears
    [(176, 265), (184, 283), (200, 290), (210, 320), (325, 312), (345, 295), (352, 270)],  # hair
]  # fmt: skip
NOT_PERSON = [
    [(0, 0), (228, 0), (216, 26), (212, 38), (200, 41), (184, 54), (173, 70), (170, 82),
     (148, 100), (144, 150), (146, 180), (148, 200), (151, 225), (155, 250), (160, 280),
     (180, 294), (197, 301), (200, 312), (190, 322), (150, 345), (60, 372), (42, 392),
     (0, 380)],  # the flag and its cord
    [(346, 297), (329, 308), (333, 318), (345, 326)],  # blue under the hair
]  # fmt: skip


def measure_landmarks(rgb: np.ndarray, rounds: int = 12) -> np.ndarray:
    """The mean of FaceMesh over crops of five scales: (478, 3) portrait pixels."""
    height, width = rgb.shape[:2]
    rng = np.random.default_rng(1906)
    answers = []
    with mp.solutions.face_mesh.FaceMesh(
        static_image_mode=True, refine_landmarks=True, max_num_faces=1
    ) as mesh:
        for scale in (0.8, 1.0, 1.3, 1.7, 2.2):
            for _ in range(rounds):
                turn, (dx, dy) = rng.uniform(-4, 4), rng.uniform(-12, 12, 2)
                to_crop = cv2.getRotationMatrix2D((262, 230), turn, scale)
                to_crop[:, 2] += dx + (scale - 1) * 262, dy + (scale - 1) * 230
                w, h = int(width * scale), int(height * scale)
                crop = cv2.warpAffine(
                    rgb, to_crop, (w, h), flags=cv2.INTER_LANCZOS4, borderMode=cv2.BORDER_REFLECT
                )
                found = mesh.process(crop).multi_face_landmarks
                if not found:
                    continue
                points = np.array([(p.x * w, p.y * h, p.z * w) for p in found[0].landmark])
                back = cv2.invertAffineTransform(to_crop)
                points[:, :2] = points[:, :2] @ back[:, :2].T + back[:, 2]
                points[:, 2] /= scale
                answers.append(points)
    print(f"{len(answers)} answers, spread {np.std(answers, axis=0).mean():.2f} px")
    return np.mean(answers, axis=0)


def on_set() -> np.ndarray:
    """The portrait as kfx shows it, cut out and lit: FaceMesh's oval depends on the backdrop."""
    lit = picture(2.0).astype(np.float32)
    lit = lit[..., :3] + (26, 24, 34) * (1 - lit[..., 3:] / 255)
    lit = cv2.resize(np.clip(lit, 0, 255).astype(np.uint8), SIZE, interpolation=cv2.INTER_AREA)
    left, top = MARGIN[:2]
    return np.ascontiguousarray(lit[top : top + 600, left : left + 512])


def rotation(yaw: float, pitch: float, roll: float) -> np.ndarray:
    """3×3 from radians: roll about z, then pitch about x, then yaw about y."""
    cy, sy, cp, sp, cr, sr = (f(a) for a in (yaw, pitch, roll) for f in (np.cos, np.sin))
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_x = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
    about_z = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
    return about_y @ about_x @ about_z


def mirror_pairs(points: np.ndarray) -> np.ndarray:
    """For every landmark its partner on the other side, found once from near-frontal points."""
    mirrored = points * (-1, 1, 1)
    distance = ((points[:, None] - mirrored[None]) ** 2).sum(axis=2)
    return distance.argmin(axis=1)


def own_pose(landmarks: np.ndarray) -> np.ndarray:
    """The rotation by which the portrait's head is off frontal: symmetry gives yaw and roll.

    Pitch has no symmetry; the portrait is taken as level.
    """
    centre = (landmarks[LEFT_IRIS] + landmarks[RIGHT_IRIS]) / 2
    points = landmarks - centre
    total = np.eye(3)
    for _ in range(30):
        frontal = points @ total  # inverse rotation, applied to rows
        pairs = mirror_pairs(frontal)
        axis = (frontal - frontal[pairs])[np.abs(frontal[:, 0]) > 15]
        axis *= np.sign(axis[:, :1])
        axis = axis.sum(axis=0)
        step = rotation(-np.arctan2(axis[2], axis[0]), 0.0, np.arctan2(axis[1], axis[0]))
        total = total @ step
    return total


def refine_depth(landmarks: np.ndarray, frames: int = 160) -> np.ndarray:
    """Landmarks with the depth that makes FaceMesh agree with itself when the head turns.

    FaceMesh's z of one frontal picture is a guess. Where a wrong z meets a turn, its answer on
    the turned picture is off by dz · sin(angle); least squares over a take gives dz. Only the
    smooth part of dz is believed, and positions are left alone.
    """
    from kfx import sources

    anatomy.cache_clear()
    with (
        sources.open("performer?noise=0&seed=1906") as performer,
        mp.solutions.face_mesh.FaceMesh(static_image_mode=True, refine_landmarks=True) as mesh,
    ):
        width, height = performer.info.size
        misses, turns = [], []
        for index in range(0, frames * 11, 11):
            frame = performer.frame(index)
            found = mesh.process(np.ascontiguousarray(frame.pixels[..., :3])).multi_face_landmarks
            if not found:
                continue
            truth = frame.truth[0]
            seen = np.array([(p.x * width, p.y * height) for p in found[0].landmark])
            turn = truth.pose[:3, :3] / truth.iod
            misses.append((seen - truth.landmarks[:, :2]) / (truth.iod / anatomy().iod))
            turns.append((-turn[0, 2], -turn[1, 2]))
    error, sines = np.array(misses), np.array(turns)[:, None]
    error, sines = error - error.mean(axis=0), sines - sines.mean(axis=0)
    off = -(error * sines).sum(axis=(0, 2)) / (sines**2).sum(axis=(0, 2))
    flat = landmarks[:, :2]
    near = np.exp(-((flat[:, None] - flat[None]) ** 2).sum(axis=2) / (2 * 14.0**2))
    smooth = (near * off[None]).sum(axis=1) / near.sum(axis=1)
    print(f"{len(misses)} frames, depth off by {np.sqrt((off**2).mean()):.1f} px, "
          f"error {np.linalg.norm(misses, axis=2).mean():.2f} px")  # fmt: skip
    return landmarks + np.stack([0 * smooth, 0 * smooth, smooth - smooth[LEFT_IRIS]], axis=1)


def segment(rgb: np.ndarray) -> np.ndarray:
    """Person probability (h, w) 0..1 from selfie segmentation on the whole and on the head."""
    with mp.solutions.selfie_segmentation.SelfieSegmentation(model_selection=0) as net:
        whole = net.process(rgb).segmentation_mask
        x0, y0, x1, y1 = 110, 0, 420, 340
        head = net.process(np.ascontiguousarray(rgb[y0:y1, x0:x1])).segmentation_mask
    mixed = whole.copy()
    mixed[y0 : y1 - 40, x0 + 10 : x1 - 10] = (
        0.5 * mixed[y0 : y1 - 40, x0 + 10 : x1 - 10] + 0.5 * head[: y1 - 40, 10:-10]
    )
    return mixed


def measure_matte(rgb: np.ndarray) -> np.ndarray:
    """(600, 512) 0..1 with a soft, true edge."""
    chance = segment(rgb)
    labels = np.full(chance.shape, cv2.GC_PR_BGD, np.uint8)
    labels[chance > 0.5] = cv2.GC_PR_FGD
    sure = cv2.erode((chance > 0.9).astype(np.uint8), np.ones((15, 15)))
    away = cv2.dilate((chance > 0.1).astype(np.uint8), np.ones((25, 25)))
    labels[sure > 0] = cv2.GC_FGD
    labels[away == 0] = cv2.GC_BGD
    labels[420:, 45:480] = cv2.GC_FGD
    for polygon in SURE_PERSON:
        cv2.fillPoly(labels, [np.array(polygon)], cv2.GC_FGD)
    for polygon in NOT_PERSON:
        cv2.fillPoly(labels, [np.array(polygon)], cv2.GC_BGD)
    cv2.setRNGSeed(1)
    cv2.grabCut(rgb, labels, None, np.zeros((1, 65)), np.zeros((1, 65)), 6, cv2.GC_INIT_WITH_MASK)
    hard = np.isin(labels, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8)
    hard = cv2.morphologyEx(hard, cv2.MORPH_OPEN, np.ones((5, 5)))
    hard = cv2.medianBlur(hard * 255, 7).astype(np.float32) / 255
    soft = cv2.ximgproc.guidedFilter(rgb.astype(np.float32) / 255, hard, 4, 1e-4)
    smooth = cv2.GaussianBlur(hard, (0, 0), 1.2)
    edge = np.clip(soft, 0, 1) * 0.5 + smooth * 0.5
    return np.clip((edge - 0.12) / 0.76, 0, 1)


def extend(matte: np.ndarray) -> np.ndarray:
    """Continue arms and body past the portrait: (SIZE[1], SIZE[0])."""
    left, top, right, bottom = MARGIN
    big = cv2.copyMakeBorder(matte, top, bottom, left, right, cv2.BORDER_CONSTANT, value=0)
    y = np.arange(SIZE[1])[:, None] - top
    x = np.arange(SIZE[0])[None, :] - left
    edge_left = np.interp(
        y, [386, 406, 432, 467, 508, 549, 600, 800], [51, 38, 30.5, 26, 22, 18, 14, 2]
    )
    edge_right = np.interp(y, [390, 411, 439, 520, 600, 800], [489, 499, 507, 518, 525, 536])
    body = 1 / (1 + np.exp(-(x - edge_left) / 0.7)) / (1 + np.exp((x - edge_right) / 0.7))
    by_curve = np.clip((y - 396) / 8, 0, 1)  # below the shoulders the edge is drawn by hand
    return big + (body - big) * by_curve


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--proof", type=Path, help="write pictures to check by eye here")
    options = parser.parse_args()
    rgb = portrait_rgb()
    OUT.mkdir(parents=True, exist_ok=True)
    matte = extend(measure_matte(rgb))
    cv2.imwrite(str(OUT / "matte.png"), np.round(matte * 255).astype(np.uint8),
                [cv2.IMWRITE_PNG_COMPRESSION, 9])  # fmt: skip
    landmarks = measure_landmarks(on_set())
    for step in range(4):
        if step:
            landmarks = refine_depth(landmarks)
        pose = own_pose(landmarks)
        np.savez_compressed(
            OUT / "portrait.npz", landmarks=landmarks.astype("f4"), rotation=pose.astype("f4")
        )
    print(pose.round(3))
    if options.proof:
        left, top, right, bottom = MARGIN
        big = cv2.copyMakeBorder(rgb, top, bottom, left, right, cv2.BORDER_REFLECT)
        for name, colour in (("green", (0, 200, 0)), ("dark", (24, 22, 30))):
            view = big * matte[..., None] + np.array(colour) * (1 - matte[..., None])
            view = cv2.resize(
                view.astype(np.uint8), None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC
            )
            cv2.imwrite(str(options.proof / f"matte_{name}.png"), view[..., ::-1])


if __name__ == "__main__":
    main()
