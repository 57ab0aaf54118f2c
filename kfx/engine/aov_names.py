"""The names of the AOVs and the images they are."""

from __future__ import annotations

from kfx.errors import UsageError

AOVS = {
    "uv": "faceUV",
    "normal": "faceNormal",
    "motion": "faceMotion",
    "parts": "faceParts",
    "matte": "personMatte",
}


def images(names: tuple[str, ...]) -> tuple[str, ...]:
    """The images a chain must draw for these AOVs."""
    return tuple(AOVS[name] for name in names)


def parse(text: str) -> tuple[str, ...]:
    """``uv,matte`` → ("uv", "matte"). Raises `UsageError` that names what there is."""
    names = tuple(dict.fromkeys(word.strip() for word in text.split(",") if word.strip()))
    unknown = [name for name in names if name not in AOVS]
    if unknown or not names:
        said = ", ".join(unknown) or repr(text)
        raise UsageError(f"--aov {said}: unknown; write some of {','.join(AOVS)}")
    return names
