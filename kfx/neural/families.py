"""What the names of well-known nets tell of the pictures they want, where a run alone can't."""

from __future__ import annotations

import re

_SCALES: tuple[tuple[str, str], ...] = (
    (r"u-?2-?net|midas|depth.?anything|dpt|bisenet|parsing|isnet", "ImageNet"),
    (r"modnet|anime|cartoon|face.?paint|gfpgan|codeformer|restoreformer|gpen|pix2pix", "-1..1"),
    (r"rvm|robust.?video|selfie|mediapipe|esrgan|realesr|zero.?dce|sci_|waifu", "0..1"),
    (r"candy|mosaic|udnie|rain.?princess|pointilism|starry|style.?transfer", "0..255"),
    (r"dexined|hed\b|teed|pidinet", "BGR"),
)
_EDGES = r"edge|dexined|\bhed\b|teed|pidinet|sketch|lineart|line.?drawing|contour|canny|scribble"
_COLOURS = r"colou?ri[sz]|siggraph|eccv16|ddcolor|deoldify"
_WHOLE = r"resolution|esrgan|realesr|upscal|waifu|inpaint|\blama\b"
_FACES = r"face|portrait.?(paint|style|draw)|gfpgan|codeformer|gpen"


def scale_of(name: str) -> str:
    """The scale that a net of such a name is fed in, "" where the name tells nothing."""
    return next((scale for words, scale in _SCALES if re.search(words, name.lower())), "")


def draws_edges(name: str) -> bool:
    return re.search(_EDGES, name.lower()) is not None


def colourises(name: str) -> bool:
    return re.search(_COLOURS, name.lower()) is not None


def whole(name: str) -> bool:
    """Whether a net is made for whole pictures though it takes squares."""
    return draws_edges(name) or colourises(name) or re.search(_WHOLE, name.lower()) is not None


def for_faces(name: str) -> bool:
    return re.search(_FACES, name.lower()) is not None
