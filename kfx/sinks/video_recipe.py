"""How each kind of video file is encoded, and which colour tags it can carry."""

from __future__ import annotations

from dataclasses import dataclass, field

from av.video.reformatter import Colorspace

from kfx.types import ColourTags, StreamInfo

MATRICES: dict[int, Colorspace] = {
    1: Colorspace.ITU709,
    4: Colorspace.FCC,
    5: Colorspace.ITU601,
    6: Colorspace.ITU601,
    7: Colorspace.SMPTE240M,
    9: Colorspace.BT2020,
}
"""H.273 matrix → swscale's name for it."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """How one suffix is encoded."""

    codec: str
    format: str
    options: dict[str, str]
    opaque: str  # pixel formats
    alpha: str | None = None  # None: transparent pictures are laid over black
    even: bool = False  # sizes are made even by repeating the last column and row
    full_range: bool = False  # may carry full range
    odd_width: tuple[str, dict[str, str]] | None = None  # codec and options for those
    matrices: frozenset[int] = frozenset({1, 4, 5, 6, 7, 9})  # that its tags can name
    transfers: frozenset[int] | None = None  # None: all
    copied_audio: frozenset[str] = frozenset()
    audio_codec: str = "aac"
    container_options: dict[str, str] = field(default_factory=dict)


_COMMON_AUDIO = frozenset({"aac", "mp3", "ac3", "eac3", "alac"})
RECIPES: dict[str, Recipe] = {
    ".mp4": Recipe(
        codec="libx264",
        format="mp4",
        # 26 ms of CPU a grainy 720p frame, 43.1 dB; veryfast takes 43 ms for 41.9 dB and 2/3 size.
        options={"crf": "16", "preset": "superfast"},
        opaque="yuv420p",
        even=True,
        full_range=True,
        copied_audio=_COMMON_AUDIO,
        container_options={"movflags": "+faststart"},
    ),
    ".mov": Recipe(
        codec="prores_aw",  # 43 ms of CPU a 720p frame, 57.7 dB; prores_ks takes 129 ms for 55.7 dB
        format="mov",
        options={"profile": "4", "vendor": "apl0"},
        opaque="yuv444p10le",
        alpha="yuva444p10le",
        odd_width=("prores_ks", {"profile": "4444", "vendor": "apl0"}),  # prores_aw refuses them
        matrices=frozenset({1, 6, 9}),
        transfers=frozenset({1, 2, 16, 18}),
        copied_audio=_COMMON_AUDIO | {"pcm_s16le", "pcm_s24le", "pcm_s32le"},
        audio_codec="pcm_s16le",
    ),
}


def coded_tags(stream: StreamInfo, recipe: Recipe) -> ColourTags:
    """The tags to write: the stream's where it has them, otherwise what its height suggests.

    Every tag is written. What the format can't name becomes its equal (BT.709, 601 and 2020
    share a transfer curve; 5 and 6 are one matrix) or else the assumed value.
    """
    given, height = stream.colour, stream.size[1]
    assumed = 1 if height > 576 else 5 if height in (288, 576) else 6
    matrix = {10: 9}.get(given.matrix, given.matrix)
    if matrix not in MATRICES:
        matrix = assumed
    primaries = given.primaries if given.primaries not in (0, 2, 3) else matrix
    transfer = given.transfer
    if transfer in (0, 2, 3):
        transfer = {4: 4, 5: 6, 9: 14}.get(matrix, matrix)
    if given.matrix == 0 and transfer == 13:
        transfer = 1  # sRGB stills go into a film as they look, like in an editor
    if matrix not in recipe.matrices:
        matrix = 6 if matrix == 5 else 1 if height > 576 else 6
    if recipe.transfers is not None and transfer not in recipe.transfers:
        transfer = 1 if transfer in (6, 14, 15) else 2
    full = given.full and given.matrix != 0 and recipe.full_range  # RGB is full by nature
    return ColourTags(primaries, transfer, matrix, full)
