"""Makes pictures of text knobs: a line of words as a distance field, a list as texels."""

from __future__ import annotations

import os
import sys
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from kfx.errors import KfxError
from kfx.types import Pixels

ROW_PX = 96  # how high a line is
REACH_PX = ROW_PX * 7 / 64  # from the outline to 0 or 1
SIZE_PX, BASE_PX, MARGIN_PX = ROW_PX * 44 / 64, ROW_PX * 48 / 64, ROW_PX * 10 / 64
FINE = 2  # drawn so many times as large first
STEPS = 1024  # of a number in a list, to 1
_LATIN = "DejaVuSans-Bold.ttf"  # comes with matplotlib
# Fonts with hangul, kana or both, as systems bring them; the first that has all letters is taken.
_KNOWN = (
    *(
        "NotoSansCJK-Bold.ttc",
        "NotoSansCJKkr-Bold.otf",
        "NotoSansKR-Bold.otf",
        "NotoSansKR-Bold.ttf",
    ),
    *("AppleSDGothicNeo.ttc", "ヒラギノ角ゴシック W6.ttc", "Arial Unicode.ttf"),
    *("malgunbd.ttf", "YuGothB.ttc", "meiryob.ttc", "msgothic.ttc"),
    *("NanumSquareRoundB.ttf", "NanumGothicBold.ttf", "NotoSerifCJK-Bold.ttc"),
    *("NotoSansJP-Bold.otf", "NotoSansJP-Bold.ttf", "ipaexg.ttf", "TakaoGothic.ttf"),
    *("NotoSansCJK-Regular.ttc", "NanumGothic.ttf", "wqy-microhei.ttc"),
)


def listed(numbers: tuple[float, ...]) -> Pixels:
    """(1, n, 4): red, green and blue are the bytes, low first, of each number times `STEPS`."""
    whole = np.round(np.asarray(numbers, np.float64) * STEPS).astype(np.uint32)
    texels = np.full((1, len(numbers), 4), 255, np.uint8)
    for place in range(3):
        texels[0, :, place] = whole >> (8 * place) & 255
    return texels


def drawn(text: str, font: str = "") -> Pixels:
    """(`ROW_PX`, w, 4) the distance field of a line of text; 0.5 lies on the outline.

    `font` is a file; without one it is the first known one that has all letters. Raises
    `KfxError` where none has.
    """
    import cv2
    from PIL import Image, ImageDraw

    letters = _font(font, text)
    wide = round(letters.getlength(text) + 2 * MARGIN_PX * FINE)
    canvas = Image.new("L", (wide, ROW_PX * FINE))
    at = (MARGIN_PX * FINE, BASE_PX * FINE)
    ImageDraw.Draw(canvas).text(at, text, font=letters, fill=255, anchor="ls")
    ink = (np.asarray(canvas) > 127).astype(np.uint8)
    away = cv2.distanceTransform(ink, cv2.DIST_L2, 5) - cv2.distanceTransform(
        1 - ink, cv2.DIST_L2, 5
    )
    size = (max(2, wide // FINE), ROW_PX)
    field = cv2.resize(away / FINE, size, interpolation=cv2.INTER_AREA) / (2 * REACH_PX) + 0.5
    grey = np.rint(np.clip(field, 0.0, 1.0) * 255).astype(np.uint8)
    return np.repeat(grey[..., None], 4, axis=2)


def _font(path: str, text: str) -> Any:
    from PIL import ImageFont

    size = round(SIZE_PX * FINE)
    missing = text
    for one in (Path(path),) if path else _fonts():
        try:
            font = ImageFont.truetype(str(one), size)
            lacks = _lacking(font, text)
        except OSError as error:
            if path:
                raise KfxError(f"{path}: no font that can be read ({error})") from error
            continue
        if not lacks:
            return font
        missing = min(missing, lacks, key=len)
    where = f"{path} lacks" if path else "no font of this machine is known to have"
    remedy = "name another file: font = ..." if path else "put one beside the preset: font = ..."
    raise KfxError(f"text {text[:40]!r}: {where} {missing[:12]!r}; {remedy}")


def _lacking(font: Any, text: str) -> str:
    """The letters that a font draws as it draws what can't be."""
    nothing = bytes(font.getmask("\uffff"))
    return "".join(
        dict.fromkeys(
            one for one in text if not one.isspace() and bytes(font.getmask(one)) == nothing
        )
    )


@cache
def _fonts() -> tuple[Path, ...]:
    """The known fonts that are there, best first."""
    found: dict[str, Path] = {}
    spec = find_spec("matplotlib")
    for place in (spec and spec.submodule_search_locations) or ():
        found[_LATIN] = Path(place) / "mpl-data" / "fonts" / "ttf" / _LATIN
    for folder in _folders():
        for here, _, names in os.walk(folder):
            for name in names:
                if name in _KNOWN:
                    found.setdefault(name, Path(here) / name)
    return tuple(found[name] for name in (_LATIN, *_KNOWN) if name in found)


def _folders() -> tuple[Path, ...]:
    home = Path.home()
    if sys.platform == "win32":
        own = Path(os.environ.get("LOCALAPPDATA", home)) / "Microsoft" / "Windows" / "Fonts"
        return Path(os.environ.get("WINDIR", "C:/Windows")) / "Fonts", own
    if sys.platform == "darwin":
        roots = (Path("/System/Library"), Path("/Library"), home / "Library")
        return tuple(root / "Fonts" for root in roots)
    roots = (Path("/usr/share"), Path("/usr/local/share"), home / ".local" / "share")
    return (*(root / "fonts" for root in roots), home / ".fonts")
