"""Derive kfx's canonical face (shape, triangles, UVs, mirror map) from tracked photographs.

    python models/training/canonical_face.py ../shared/data/faces/stills/*.{jpg,png}

Every face that MediaPipe finds in the pictures (and in matplotlib's portrait) is brought to one
scale and pose by generalised Procrustes analysis (Gower 1975), averaged by the median and made
symmetric. Triangles are the faces of MediaPipe's tessellation graph; eyes and mouth, which it
leaves open, are filled. Writes ``models/canonical_face.npz``:

vertices (478, 3) float32, inter-ocular distance 1, origin between the irises, x to the
subject's left, y down, z away from the camera · uv (478, 2) float32 in 0..1, v up ·
triangles (852, 3), eye_triangles, mouth_triangles uint16, clockwise on screen ·
mirror (478,) uint16, the landmark on the other side.
"""

from __future__ import annotations

import sys
from itertools import pairwise
from pathlib import Path

import cv2
import mediapipe as mp
import numpy as np
from matplotlib.cbook import get_sample_data
from mediapipe.python.solutions import face_mesh_connections as graph
from scipy.optimize import linear_sum_assignment

OUT = Path(__file__).resolve().parents[1] / "canonical_face.npz"
IRIS = slice(468, 478)
# Lids and lips as chains from one corner to the other, upper and lower.
EYES = (
    ([33, 246, 161, 160, 159, 158, 157, 173, 133], [33, 7, 163, 144, 145, 153, 154, 155, 133]),
    ([263, 466, 388, 387, 386, 385, 384, 398, 362], [263, 249, 390, 373, 374, 380, 381, 382, 362]),
)
MOUTH = (
    [78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308],
    [78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308],
)


def faces_in(paths: list[str]) -> np.ndarray:
    """(n, 478, 3) landmarks in pixels of every face found, each picture also mirrored."""
    found = []
    with mp.solutions.face_mesh.FaceMesh(
        static_image_mode=True, refine_landmarks=True, max_num_faces=8
    ) as mesh:
        for path in [str(get_sample_data("grace_hopper.jpg", asfileobj=False)), *paths]:
            picture = cv2.imread(path)
            if picture is None:
                continue
            scale = max(1.0, 900 / max(picture.shape[:2]))
            rgb = cv2.cvtColor(cv2.resize(picture, None, fx=scale, fy=scale), cv2.COLOR_BGR2RGB)
            height, width = rgb.shape[:2]
            for view in (rgb, np.ascontiguousarray(rgb[:, ::-1])):
                for face in mesh.process(view).multi_face_landmarks or []:
                    points = np.array([(p.x, p.y, p.z) for p in face.landmark])
                    found.append(points * (width, height, width))
    return np.array(found)


def align(points: np.ndarray, target: np.ndarray) -> np.ndarray:
    """`points` moved onto `target` by the least-squares similarity (Umeyama 1991)."""
    a, b = points[:468], target[:468]
    ca, cb = a.mean(0), b.mean(0)
    u, s, vt = np.linalg.svd((b - cb).T @ (a - ca))
    sign = np.diag([1, 1, np.sign(np.linalg.det(u @ vt))])
    rotation = u @ sign @ vt
    scale = (s * np.diag(sign)).sum() / ((a - ca) ** 2).sum()
    return (points - ca) @ (scale * rotation).T + cb


def mirror_map(shape: np.ndarray) -> np.ndarray:
    """For each landmark its twin: the cheapest matching of the shape with its mirror image."""
    flipped = shape[:468] * (-1, 1, 1)
    distance = np.linalg.norm(flipped[:, None] - shape[None, :468], axis=2)
    twin = np.arange(478)
    twin[:468] = linear_sum_assignment(distance)[1]
    for one, other in zip(range(468, 473), (473, 476, 475, 474, 477), strict=True):
        twin[one], twin[other] = other, one
    wrong = np.flatnonzero(twin[twin] != np.arange(478))
    assert not len(wrong), f"the mean shape is too crooked to mirror at {wrong}"
    return twin


def mesh_triangles() -> np.ndarray:
    """The 852 faces of the tessellation: its 3-cliques without the two that are no faces."""
    near: dict[int, set[int]] = {}
    for a, b in graph.FACEMESH_TESSELATION:
        near.setdefault(a, set()).add(b)
        near.setdefault(b, set()).add(a)
    cliques = {frozenset((a, b, c)) for a in near for b in near[a] for c in near[a] & near[b]}

    # An edge carries two faces at most: a clique all of whose edges carry three is no face.
    edges: dict[frozenset[int], int] = {}
    for t in cliques:
        for v in t:
            edges[t - {v}] = edges.get(t - {v}, 0) + 1
    cliques = {t for t in cliques if any(edges[t - {v}] <= 2 for v in t)}
    assert len(cliques) == 852, f"{len(cliques)} triangles: is the tessellation another one?"
    return np.array(sorted(sorted(t) for t in cliques))


def strip(upper: list[int], lower: list[int]) -> np.ndarray:
    """Triangles between two chains that share both end points."""
    triangles = []
    for (a, b), (c, d) in zip(pairwise(upper), pairwise(lower), strict=True):
        triangles += [(a, b, c)] if a != c else []
        triangles += [(b, d, c)] if b != d else [(a, b, c)]
        if a == c:
            triangles[-1:] = [(a, b, d)]
    return np.array([t for t in dict.fromkeys(triangles) if len(set(t)) == 3])


def oriented(triangles: np.ndarray, shape: np.ndarray) -> np.ndarray:
    """Each triangle turned so that it is clockwise on a screen with y down."""
    a, b, c = (shape[triangles[:, i], :2] for i in range(3))
    area = (b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]
    turned = triangles.copy()
    turned[area < 0] = turned[area < 0][:, [0, 2, 1]]
    return turned.astype(np.uint16)


def unwrap(shape: np.ndarray) -> np.ndarray:
    """(478, 2) UVs: the face rolled off a vertical cylinder about the head's axis, v up."""
    axis_z = 0.95  # behind the irises, in iod
    angle = np.arctan2(shape[:, 0], axis_z - shape[:, 2] + 0.35)
    uv = np.stack([angle, -shape[:, 1]], 1)
    low, high = uv[:468].min(0), uv[:468].max(0)
    return 0.02 + 0.96 * (uv - low) / (high - low)


def main() -> None:
    faces = faces_in(sys.argv[1:])
    mean = faces[0]
    for _ in range(20):
        mean = np.median([align(face, mean) for face in faces], axis=0)
        mean = mean - (mean[468] + mean[473]) / 2
        mean /= np.linalg.norm(mean[468] - mean[473])
    # Turn it to face the camera: the mirrored mean must coincide with the mean.
    right = (mean[473] - mean[468]) / np.linalg.norm(mean[473] - mean[468])
    down = mean[152] - mean[10]
    down -= right * (right @ down)
    down /= np.linalg.norm(down)
    mean = mean @ np.stack([right, down, np.cross(right, down)], 1)
    faces_of_mesh = mesh_triangles()
    twin = mirror_map(mean)
    shape = (mean + mean[twin] * (-1, 1, 1)) / 2
    uv = unwrap(shape)

    skin = oriented(faces_of_mesh, shape)
    eyes = oriented(np.concatenate([strip(*eye) for eye in EYES]), shape)
    mouth = oriented(strip(*MOUTH), shape)
    everything = np.concatenate([skin, eyes, mouth])
    a, b, c = (uv[everything[:, i]] for i in range(3))
    area = (b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]
    print(f"{len(faces)} faces; triangles {len(skin)} + {len(eyes)} + {len(mouth)}")
    print(f"UV triangles that overlap: {(area > 0).sum()} of {len(area)}")
    print(f"asymmetry before mirroring: {np.abs(mean - shape).max():.3f} iod")
    np.savez_compressed(
        OUT,
        vertices=shape.astype(np.float32),
        uv=uv.astype(np.float32),
        triangles=skin,
        eye_triangles=eyes,
        mouth_triangles=mouth,
        mirror=twin.astype(np.uint16),
    )


if __name__ == "__main__":
    main()
