"""The face G-buffer beyond the mesh: rings over forehead, ears and throat, wherever skin goes on.

The mesh ends in the middle of the forehead, where a material would end like a mask. Rings around
its oval carry UV and normals on; how far the face covers them is told by the picture, see
`kfx.render.skin_glsl`.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt

from kfx import canonical as c
from kfx.render import facemesh
from kfx.render import gbuffer_mesh as mesh
from kfx.render.skin_glsl import LIKE_SKIN, put, reached, skin_of_face
from kfx.types import LANDMARK_COUNT, Face, freeze

RINGS = ((0.1, 1.0), (0.22, 1.0), (0.36, 1.0), (0.52, 0.0))
"""Distance from the oval in iod, coverage where skin is seen."""
THROAT = (0.05, 0.36)  # between these distances it fades out below the chin
SHADE = (0.30, 0.55)  # of the luma of skin near by: what is darker is hair
INWARDS = 0.15  # of the way to the face's middle, there its skin is looked at
ROUND = 1.3  # how far normals lean outwards, per iod of distance
_OVAL = np.array(c.OVAL, np.uint32)
_COUNT = len(_OVAL) * len(RINGS)

_HERE = put(
    """
float skin_here(vec3 seen, vec4 own) {
    float part = (dot(seen, vec3(1.0)) + 0.02) / (dot(own.rgb, vec3(1.0)) + 0.02);
    return like_skin(seen, own) * smoothstep(SHADE_LOW, SHADE_HIGH, part);
}
""",
    SHADE_LOW=SHADE[0],
    SHADE_HIGH=SHADE[1],
)
VERTEX = (
    """
in vec3 rim;  // the vertex in pixels, y down, and 0; on a ring the oval's nearest point, and 1
uniform float iod;
uniform vec2 centre;
out vec4 v_own;    // the colour of the skin hereabouts, and how far the face's strays
out float v_ring;  // how much of a ring may be covered
"""
    + LIKE_SKIN
    + _HERE
    + skin_of_face("around(skin_at[i], 0.05 * iod)")
    + reached("skin_here")
    + put(
        """
void go_on() {
    v_own = skin_of_face();
    // A cheek in the light and one in the shade differ: what lies a little further in tells more.
    vec3 near = around(mix(rim.xy, centre, INWARDS), 0.03 * iod);
    // Skin close by strays less than a face's as a whole: what differs from it is sooner hair.
    float known = like_skin(near, v_own);
    v_own = vec4(mix(v_own.rgb, near, known), v_own.a * (1.0 - 0.7 * known));
    vec2 way = position.xy - rim.xy;
    v_ring = rim.z > 0.0 ? edges.x * reached(rim.xy, way, iod, v_own) : 1.0;
    v_coverage *= 1.0 - rim.z;
    v_parts.r = shut.r;
}
""",
        INWARDS=INWARDS,
    )
)
FRAGMENT = (
    """
in vec4 v_own;
in float v_ring;
"""
    + LIKE_SKIN
    + _HERE
    + """
float covered() {  // whole well inside the mesh, then as far as there is skin
    // No branch: llvmpipe runs both sides of an if, and a loop of one turn twice.
    ivec2 at = ivec2(gl_FragCoord.xy * texel - 0.25);
    vec3 seen = 0.5 * (texelFetch(plate, at, 0).rgb + texelFetch(plate, at + 1, 0).rgb);
    float found = v_ring * skin_here(seen, v_own);
    return mix(found, 1.0, v_coverage);
}
"""
)


@cache
def layout() -> mesh.Layout:
    """`gbuffer_mesh.layout` with the rings' vertices behind it; UV goes on at the oval's pace."""
    one = mesh.layout()
    flat, uv = c.canonical().vertices[_OVAL, :2], c.canonical().uv[_OVAL]
    pace = np.linalg.norm(uv - uv.mean(axis=0), axis=1)
    pace /= np.linalg.norm(flat - flat.mean(axis=0), axis=1)
    out = _outwards(uv) * pace[:, None]
    parts = np.zeros((len(_OVAL), 8), np.float32)
    parts[:, (0, 4)] = 1.0  # skin, open or shut
    rings = [np.hstack([uv + out * distance, parts]) for distance, _ in RINGS]
    below = np.clip(_outwards(flat)[:, 1], 0.0, 1.0)  # 1 under the chin
    shares = []
    for distance, share in RINGS:
        t = np.clip((distance - THROAT[0]) / (THROAT[1] - THROAT[0]), 0.0, 1.0)
        shares.append(share * (1.0 - t * below))
    edges = np.tile(np.concatenate(shares)[:, None], (1, 2))
    return mesh.Layout(
        freeze(np.concatenate([one.landmark, np.tile(_OVAL, len(RINGS))])),
        freeze(np.concatenate([one.fixed, *rings]).astype(np.float32)),
        one.overlay,
        one.rims,
        freeze(np.concatenate([one.edges, edges]).astype(np.float32)),
    )


@cache
def triangles() -> facemesh.Triangles:
    """Bare skin of the mesh, then those of the rings, numbered as in `layout`."""
    ring = facemesh.ring_triangles().astype(np.int64)
    first = len(mesh.layout().landmark) - LANDMARK_COUNT
    ring = np.where(ring >= LANDMARK_COUNT, ring + first, ring)
    return freeze(np.concatenate([_bare(), ring.astype(np.uint32)]))


def split(whole: npt.NDArray[np.bool_]) -> tuple[facemesh.Triangles, int]:
    """`triangles`, those first whose corners all are `whole` (n,), and how many numbers they have.

    They are skin by where they lie: only the others need a look at the picture, which costs twice
    as much to draw.
    """
    of_mesh = _bare()
    inside = np.take(whole, of_mesh).all(axis=1)
    out = np.concatenate([of_mesh[inside], of_mesh[~inside], triangles()[len(of_mesh) :]])
    return out, 3 * int(inside.sum())


@cache
def _bare() -> facemesh.Triangles:
    return freeze(facemesh.skin_triangles()[facemesh.bare()])


def with_rings(face: Face, vertices: facemesh.Array) -> tuple[facemesh.Array, facemesh.Array]:
    """`gbuffer_mesh.drawn`'s vertices with the rings', and ``rim`` (n, 3) of all."""
    count = len(vertices)
    out = np.empty((count + _COUNT, vertices.shape[1]), np.float32)
    rim = np.zeros((count + _COUNT, 3), np.float32)
    out[:count], rim[:count, :2] = vertices, vertices[:, :2]
    oval = np.take(vertices, _OVAL, axis=0)  # the first vertices are the landmarks
    way = _outwards(oval[:, :2])
    far, shares = _far()
    rings = out[count:].reshape(len(RINGS), len(_OVAL), -1)
    rings[:] = oval
    iod = np.float32(face.iod)
    rings[..., :2] += way * (far * iod)
    rings[..., 2] += far[..., 0] * (np.float32(0.5) * iod)
    rings[..., 3:5] += way * (far * np.float32([ROUND, -ROUND]))
    rings[..., 8:10] = shares
    rim[count:].reshape(len(RINGS), len(_OVAL), 3)[..., :2] = oval[:, :2]
    rim[count:, 2] = 1.0
    return out, rim


@cache
def _far() -> tuple[facemesh.Array, facemesh.Array]:
    """(rings, 1, 1) distance of each ring in iod; (rings, 36, 2) what of it may be covered."""
    far = np.array([distance for distance, _ in RINGS], np.float32)
    shares = layout().edges[-_COUNT:].reshape(len(RINGS), len(_OVAL), 2)
    return freeze(far[:, None, None]), freeze(shares)


def _outwards(points: facemesh.Array) -> facemesh.Array:
    out = points - points.mean(axis=0)
    length = np.sqrt((out * out).sum(axis=1, keepdims=True))
    return np.asarray(out / np.maximum(length, 1e-6), np.float32)
