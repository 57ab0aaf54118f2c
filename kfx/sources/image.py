"""A still, or the numbered stills of a sequence like ``plate.%04d.png``."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from kfx import clock
from kfx.errors import KfxError, UsageError
from kfx.sources import Request
from kfx.types import FIRST_NUMBER, ColourTags, Frame, Pixels, SourceInfo, freeze

_NUMBER = re.compile(r"%(?:0(\d+))?d")
_STILL_RATE = Fraction(25)
_SEQUENCE_RATE = Fraction(24)
_SRGB = ColourTags(primaries=1, transfer=13, matrix=0, full=True)
_ENDS = {b"\xff\xd8\xff": b"\xff\xd9", b"\x89PNG": b"IEND"}  # what a whole file holds last
_MOST_SECONDS = 24 * 3600


def open_source(request: Request) -> ImageSource:
    """Options: `fps`, for a still `seconds` to repeat it, for a sequence ``gaps=hold``."""
    if _NUMBER.search(request.rest):
        request.reject_unknown_options({"gaps"})
        return ImageSource(request, *_sequence(request))
    request.reject_unknown_options({"seconds"})
    return ImageSource(request, *_still(request))


class ImageSource:
    """A `Source`. A picture that comes several times in a row is read once and shared.

    `warnings` names the numbers that ``gaps=hold`` filled with the picture before.
    """

    def __init__(
        self,
        request: Request,
        rate: Fraction,
        paths: list[Path],
        warnings: list[str],
        first_number: int = FIRST_NUMBER,
    ) -> None:
        self.warnings = warnings
        self._spec = request.spec
        start, stop = request.start_s, request.stop_s
        first = max(0, -int(-start * rate // 1))
        last = len(paths) if stop is None else min(len(paths), -int(-stop * rate // 1))
        if first >= last:
            raise KfxError(
                f"{request.spec}: no frame in this cut; it is {float(len(paths) / rate):g} s long"
            )
        self._first, self._paths = first, paths[first:last]
        self._shown: Path | None = None
        self._closed = threading.Event()
        notes: list[str] = []
        self._pixels = _read(self._paths[0], notes)
        self._shown = self._paths[0]
        height, width = self._pixels.shape[:2]
        self.info = SourceInfo(
            spec=request.spec,
            kind="image",
            size=(width, height),
            rate=rate,
            frame_count=len(self._paths),
            has_alpha=bool((self._pixels[..., 3] < 255).any()) or "alpha" in notes,
            colour=_SRGB,
            first_number=first_number,
            notes=tuple(note for note in notes if note != "alpha"),
        )

    def frames(self) -> Iterator[Frame]:
        for index, path in enumerate(self._paths, self._first):
            if self._closed.is_set():
                return
            captured = clock.now()
            if path != self._shown:
                pixels = _read(path, [])
                if pixels.shape != self._pixels.shape:
                    raise KfxError(
                        f"{path}: is {pixels.shape[1]}x{pixels.shape[0]}, the frames before are "
                        f"{self.info.size[0]}x{self.info.size[1]}; bring them all to one size"
                    )
                self._pixels, self._shown = pixels, path
            yield Frame(self._pixels, index, index / self.info.rate, captured)

    def close(self) -> None:
        self._closed.set()

    def __enter__(self) -> ImageSource:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def _still(request: Request) -> tuple[Fraction, list[Path], list[str]]:
    rate = request.rate or _STILL_RATE
    text = request.option("seconds", "")
    try:
        seconds = Fraction(text) if text else 1 / rate
    except (ValueError, ZeroDivisionError):
        seconds = Fraction(0)
    if not 0 < seconds <= _MOST_SECONDS:
        raise UsageError(f"{request.spec}: seconds={text} is outside 0..{_MOST_SECONDS}")
    return rate, [Path(request.rest)] * max(1, round(seconds * rate)), []


def _sequence(request: Request) -> tuple[Fraction, list[Path], list[str], int]:
    """Every number from the lowest to the highest; a gap is an error unless ``gaps=hold``."""
    rate = request.rate or _SEQUENCE_RATE
    gaps = request.option("gaps", "error")
    if gaps not in ("error", "hold"):
        raise UsageError(f"{request.spec}: gaps={gaps} is neither error nor hold")
    pattern = Path(request.rest)
    if _NUMBER.search(str(pattern.parent)) or len(_NUMBER.findall(pattern.name)) != 1:
        raise UsageError(f"{request.spec}: one number, in the file name: frames/plate.%04d.png")
    folder = pattern.parent
    if not folder.is_dir():
        raise KfxError(f"{request.spec}: the folder {folder} doesn't exist; check the path")
    found = _numbered(folder, pattern.name)
    if not found:
        raise KfxError(f"{request.spec}: no file in {folder} is called like that; check the digits")
    low, high = min(found), max(found)
    # Only a gap inside the cut matters: --from and --to lead around it.
    start = max(low, low - int(-request.start_s * rate // 1))
    stop = high + 1
    if request.stop_s is not None:
        stop = min(stop, low - int(-request.stop_s * rate // 1))
    missing = [number for number in range(start, stop) if number not in found]
    if missing and gaps == "error":
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise KfxError(
            f"{request.spec}: {_name(pattern.name, missing[0])}{more} is missing between {low} and "
            f"{high}; render it again, cut around it, or add ?gaps=hold to repeat the frame before"
        )
    warnings = [
        f"{request.spec}: {_name(pattern.name, number)} is missing; the frame before is held"
        for number in missing
    ]
    paths: list[Path] = []
    for number in range(low, high + 1):
        paths.append(found[number] if number in found else paths[-1])
    return rate, paths, warnings, low


def _numbered(folder: Path, name: str) -> dict[int, Path]:
    match = _NUMBER.search(name)
    assert match
    before, after = name[: match.start()], name[match.end() :]
    found = {}
    for path in folder.iterdir():
        digits = path.name[len(before) : len(path.name) - len(after)]
        if not (digits.isascii() and digits.isdecimal()):
            continue
        if _name(name, int(digits)) == path.name:
            found[int(digits)] = path
    return found


def _name(pattern: str, number: int) -> str:
    return _NUMBER.sub(lambda match: match[0] % number, pattern)


def _read(path: Path, notes: list[str]) -> Pixels:
    """(h, w, 4) RGBA; appends to `notes` what was converted, and "alpha" where it has one."""
    if path.is_dir():
        raise KfxError(f"{path}: is a folder; name a file, or a sequence like plate.%04d.png")
    try:
        data = np.fromfile(path, np.uint8)  # cv2.imread can't open every path on Windows
    except FileNotFoundError:
        raise KfxError(f"{path}: no such file; check the path") from None
    except OSError as error:
        raise KfxError(f"{path}: can't be read ({error.strerror}); check its permissions") from None
    if not data.size:
        raise KfxError(f"{path}: is empty (0 bytes); copy or export it again")
    for head, end in _ENDS.items():
        if data[: len(head)].tobytes() == head and end not in data.tobytes():
            raise KfxError(f"{path}: is cut off; copy or export it again")
    try:
        image = cv2.imdecode(data, cv2.IMREAD_UNCHANGED)
    except cv2.error:
        image = None
    if image is None:
        raise KfxError(f"{path}: can't be read as a picture; save it as PNG, JPEG or TIFF again")
    image = _upright(_eight_bit(image, notes), path)
    if image.ndim == 2 or image.shape[2] == 1:
        return freeze(cv2.cvtColor(image, cv2.COLOR_GRAY2RGBA))
    if image.shape[2] == 4:
        notes.append("alpha")
        return freeze(cv2.cvtColor(image, cv2.COLOR_BGRA2RGBA))
    return freeze(cv2.cvtColor(image, cv2.COLOR_BGR2RGBA))


def _eight_bit(image: npt.NDArray[np.generic], notes: list[str]) -> Pixels:
    if image.dtype == np.uint8:
        return image
    if image.dtype == np.uint16:
        notes.append("16-bit picture read as 8 bits")
        return ((image.astype(np.uint32) + 128) // 257).astype(np.uint8)
    notes.append("floating-point picture read as 8 bits: 0..1 is kept, the rest cut off")
    return np.rint(np.clip(np.nan_to_num(image.astype(np.float32)), 0, 1) * 255).astype(np.uint8)


# EXIF orientation (tag 274) → transpose, then flip as cv2.flip names it.
_TURNS = {
    2: (False, 1),
    3: (False, -1),
    4: (False, 0),
    5: (True, None),
    6: (True, 1),
    7: (True, -1),
    8: (True, 0),
}


def _upright(image: Pixels, path: Path) -> Pixels:
    from PIL import Image  # here: only the rotation is asked of it

    try:
        with Image.open(path) as opened:
            transpose, flip = _TURNS.get(opened.getexif().get(274, 1), (False, None))
    except (OSError, ValueError, SyntaxError):
        return image  # a format that Pillow doesn't know has no EXIF either
    if transpose:
        image = cv2.transpose(image)
    return image if flip is None else cv2.flip(image, flip)
