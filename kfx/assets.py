"""Finds the folders of shaders, presets and models, in a checkout or inside the wheel."""

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent
_IN_WHEEL = {
    "shaders": _PACKAGE / "shaders",
    "presets": _PACKAGE / "presets_library",  # kfx/presets is a package
    "models": _PACKAGE / "models",
}


def folder(kind: str) -> Path:
    """The folder of `kind`: ``shaders``, ``presets`` or ``models``."""
    installed = _IN_WHEEL[kind]
    return installed if installed.is_dir() else _PACKAGE.parent / kind


def names(kind: str, suffix: str) -> list[str]:
    """The file stems with `suffix` in the folder of `kind`, sorted."""
    return sorted(p.stem for p in folder(kind).glob(f"*{suffix}"))
