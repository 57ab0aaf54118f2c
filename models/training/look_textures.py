"""Make the textures of the looks that draw on the mesh, from the canonical face.

    python models/training/look_textures.py [NAME ...]

Each function of `MAKERS` returns pictures by file name, RGB with row 0 at the top (v = 1), which
are written to ``shaders/textures/``.
"""

import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
from scipy.interpolate import LinearNDInterpolator, NearestNDInterpolator
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import dijkstra
from scipy.spatial import cKDTree

from kfx import canonical as c

SMALL = [
    *(cv2.IMWRITE_PNG_COMPRESSION, 9),
    *(cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_FILTERED),
]
FOLDER = Path(__file__).resolve().parents[2] / "shaders" / "textures"
METRIC = np.array([3.0, 2.72])  # iod per unit of UV, about, on the front of the face
REACH = 1 / 48  # distance fields stop here, in UV
Pictures = dict[str, np.ndarray]


def texels(size: int) -> np.ndarray:
    """(size, size, 2) UV of every texel's centre, top row first."""
    axis = (np.arange(size) + 0.5) / size
    return np.stack(np.meshgrid(axis, axis[::-1]), axis=2)


def bytes_of(*layers: np.ndarray) -> np.ndarray:
    """0..1 layers as an RGB picture."""
    return (np.clip(np.stack(layers, axis=2), 0, 1) * 255).round().astype(np.uint8)


def segment_distance(size: int, segments: np.ndarray) -> np.ndarray:
    """Distance to the nearest of `segments` (n, 2, 2), 1 = `REACH`."""
    uv, out = texels(size), np.full((size, size), REACH)
    for a, b in segments:
        low, high = np.minimum(a, b) - REACH, np.maximum(a, b) + REACH
        x0, x1 = (np.clip([low[0], high[0]], 0, 1) * size).astype(int)
        y0, y1 = ((1 - np.clip([high[1], low[1]], 0, 1)) * size).astype(int)
        here = uv[y0 : y1 + 1, x0 : x1 + 1]
        along = b - a
        t = np.clip(((here - a) @ along) / max(along @ along, 1e-9), 0, 1)[..., None]
        away = np.linalg.norm(here - a - t * along, axis=2)
        out[y0 : y1 + 1, x0 : x1 + 1] = np.minimum(out[y0 : y1 + 1, x0 : x1 + 1], away)
    return out / REACH


def fbm(size: int, seed: int, lowest: float, octaves: int) -> np.ndarray:
    """Seamless noise in 0..1: white noise shaped in frequency."""
    frequency = np.hypot(np.fft.fftfreq(size)[:, None], np.fft.fftfreq(size)[None]) * size
    white = np.fft.fft2(np.random.default_rng(seed).standard_normal((size, size)))
    shape = 1 / np.maximum(frequency, lowest) ** 1.6
    shape[frequency > lowest * 2**octaves] = 0
    shape[0, 0] = 0
    noise = np.fft.ifft2(white * shape).real
    return np.clip(0.5 + 0.22 * noise / noise.std(), 0, 1)


def wire() -> Pictures:
    """r distance to the nearest mesh edge, g to the nearest vertex, b to the nearest contour of
    lids, lips, brows and oval; all in UV, 1 = `REACH`."""
    mesh = c.canonical()
    edges = {
        tuple(sorted((t[i], t[(i + 1) % 3]))) for t in mesh.triangles.tolist() for i in range(3)
    }
    loops = (c.OUTER_LIPS, c.INNER_LIPS, c.RIGHT_LIDS, c.LEFT_LIDS, c.OVAL)
    contours = [pair for loop in loops for pair in pairwise((*loop, loop[0]))]
    for brow in (c.BROWS[:5], c.BROWS[5:10], c.BROWS[10:15], c.BROWS[15:]):
        contours += list(pairwise(brow))
    contours += list(pairwise((168, 6, 197, 195, 5, 4)))
    points = np.repeat(mesh.uv[:468, None], 2, axis=1)
    drawn = [mesh.uv[np.array(sorted(edges))], points, mesh.uv[np.array(contours)]]
    return {"face_wire.png": bytes_of(*(segment_distance(600, s) for s in drawn))}


def shape() -> Pictures:
    """r depth of the canonical face, 0 nearest the camera, 1 = 1.6 iod behind; g distance over
    the skin from the nose tip, 1 = 2.4 iod; b seamless noise."""
    mesh = c.canonical()
    every = np.concatenate([mesh.triangles, mesh.eye_triangles, mesh.mouth_triangles]).astype(int)
    a, b = np.concatenate([every[:, [i, (i + 1) % 3]] for i in range(3)]).T
    length = np.linalg.norm(mesh.vertices[a] - mesh.vertices[b], axis=1)
    graph = coo_matrix((length, (a, b)), (478, 478)).tocsr()
    walk = dijkstra(graph, directed=False, indices=4)[:468]
    depth = mesh.vertices[:468, 2] - mesh.vertices[:468, 2].min()
    uv, layers = texels(128), []
    for values, full in ((depth, 1.6), (walk, 2.4)):
        inside = LinearNDInterpolator(mesh.uv[:468], values)(uv)
        edge = NearestNDInterpolator(mesh.uv[:468], values)(uv)
        filled = np.where(np.isnan(inside), edge, inside)
        layers.append(cv2.GaussianBlur(filled, (0, 0), 1.2) / full)
    return {"face_shape.png": bytes_of(*layers, fbm(128, 7, 3, 4))}


def shards() -> Pictures:
    """Porcelain. ``shard_ids``: r, g the low byte of the landmark that stands for the piece, large
    and small; b bit 0 and 1 their ninth bits. ``shard_edges``: UV distance to the crack between
    the pieces, large and small, and to the craquelure; 1 = `REACH`."""
    mesh = c.canonical()
    size = 1024
    rng = np.random.default_rng(28)
    uv = texels(size)
    warp = np.stack([fbm(size, s, 5, 3) - 0.5 for s in (1, 2)], axis=2) * 0.030
    warp += np.stack([fbm(size, s, 40, 3) - 0.5 for s in (3, 4)], axis=2) * 0.0014
    hit = mesh.uv[425]  # the cheek takes the blow

    def spread(uv: np.ndarray) -> np.ndarray:
        """Where the pieces are of one size: cracks run from the blow, and round it."""
        away = (uv - hit) * METRIC
        r = np.linalg.norm(away, axis=-1, keepdims=True)
        ray = away / np.maximum(r, 1e-6) * np.minimum(r / 0.15, 1)
        return np.concatenate([0.95 * np.log(r + 0.25), 0.85 * ray, 0.34 * away], axis=-1)

    spots = spread(mesh.uv[:468])

    def scatter(count: int) -> np.ndarray:
        """Landmarks chosen one by one, each as far as can be from the others."""
        chosen = [425]
        favour = rng.uniform(0.7, 1.3, 468)
        while len(chosen) < count:
            away = np.linalg.norm(spots[:, None] - spots[chosen][None], axis=2).min(axis=1)
            chosen.append(int((away * favour).argmax()))
        return np.array(chosen)

    def nearest(seeds: np.ndarray, places: np.ndarray) -> np.ndarray:
        return cKDTree(seeds).query(places.reshape(size * size, -1))[1].reshape(size, size)

    def distance(cell: np.ndarray) -> np.ndarray:
        border = (cell != np.roll(cell, 1, 0)) | (cell != np.roll(cell, 1, 1))
        border[0] = border[:, 0] = False
        away = cv2.distanceTransform((~border).astype(np.uint8), cv2.DIST_L2, 5)
        away = np.maximum(away - 0.5, 0) / (size * REACH)
        return cv2.resize(np.minimum(away, 1), (456, 456), interpolation=cv2.INTER_AREA)

    ids, edges = [], []
    for count in (36, 84):
        chosen = scatter(count)
        cell = nearest(spots[chosen], spread(uv + warp))
        ids.append(chosen[cell])
        edges.append(distance(cell))
    craquelure = nearest(rng.uniform(0, 1, (300, 2)) * METRIC, (uv + warp) * METRIC)
    edges.append(distance(craquelure))
    packed = np.stack([ids[0] & 255, ids[1] & 255, (ids[0] >> 8) + 2 * (ids[1] >> 8)], axis=2)
    return {"shard_ids.png": packed.astype(np.uint8), "shard_edges.png": bytes_of(*edges)}


MAKERS: dict[str, Callable[[], Pictures]] = {"wire": wire, "shape": shape, "shards": shards}


def main() -> None:
    for name in sys.argv[1:] or MAKERS:
        for file, picture in MAKERS[name]().items():
            cv2.imwrite(str(FOLDER / file), picture[..., ::-1], SMALL)
            print(f"{file}: {(FOLDER / file).stat().st_size // 1024} kB")


if __name__ == "__main__":
    main()
