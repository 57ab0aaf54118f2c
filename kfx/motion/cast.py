"""Who is meant: a performer by the number of a slot or by the name that slot is pinned by."""

from __future__ import annotations

from collections.abc import Mapping

LEAD = "lead"
"""Slot 0, where nobody is pinned by that name: the largest face of the first picture."""


def slot_of(one: int | str, names: Mapping[int, str]) -> int | None:
    """The slot that is meant by `one`; `names` are those of pinned slots. None for nobody."""
    if isinstance(one, int):
        return one
    known = {name.casefold(): slot for slot, name in names.items()}
    known.setdefault(LEAD, 0)
    found = known.get(one.casefold())
    return int(one) if found is None and one.isdecimal() else found
