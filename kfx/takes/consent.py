"""Whose consent a take stands on: the id of a record for each performer, never the record itself.

An id is whatever the production files its papers under. Given the record as a JSON file with an
``id``, the take holds its SHA-256 too, so that one can prove later which version was meant.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from kfx.errors import UsageError

MOST_ID = 120  # letters
MOST_BYTES = 1024 * 1024
EVERYBODY = ""
NEEDED = ("likeness", "generative")  # classes of effects that nobody may be put through without


@dataclass(frozen=True, slots=True)
class Consent:
    """One record."""

    id: str
    sha256: str | None = None  # of the file it was read from


def parse(specs: Iterable[str]) -> dict[str, Consent]:
    """``WHO=ID`` → whom → consent; WHO is a performer's name or slot, ID may be a ``.json`` file.

    An ID alone is everybody's. Raises `UsageError`.
    """
    found: dict[str, Consent] = {}
    for spec in specs:
        who, equals, said = spec.rpartition("=")
        who, said = who.strip(), said.strip()
        if equals and not who:
            raise UsageError(f"--consent {spec[:80]}: name the performer: lead=KFX-2026-014")
        if who in found:
            raise UsageError(f"--consent {spec[:80]}: {who or 'everybody'} has one already")
        consent = _read(said) if said.endswith(".json") else Consent(said)
        if not consent.id.strip() or len(consent.id) > MOST_ID or not consent.id.isprintable():
            raise UsageError(f"--consent {spec[:80]}: its id is no line of 1..{MOST_ID} letters")
        found[who] = consent
    return found


def of(consents: Mapping[str, Consent], slot: int, name: str) -> Consent | None:
    """The consent of a performer: by name, by slot, or everybody's."""
    return next((consents[who] for who in (name, str(slot), EVERYBODY) if who in consents), None)


def rows(members: Mapping[int, str], consents: Mapping[str, Consent]) -> list[dict[str, object]]:
    """`members` of a take's document: slot → name, with what each one's consent is."""
    found: list[dict[str, object]] = []
    for slot, name in sorted(members.items()):
        one = of(consents, slot, name)
        row: dict[str, object] = {"face_id": slot, "name": name}
        row["consent_id"] = one.id if one else None
        if one is not None and one.sha256 is not None:
            row["consent_sha256"] = one.sha256
        found.append(row)
    return found


def missing(members: Iterable[Mapping[str, object]], classes: Iterable[str]) -> str:
    """A warning where effects of these classes were on faces without consent; else empty."""
    needs = [one for one in NEEDED if one in set(classes)]
    without = [
        str(one.get("name") or f"slot {one.get('face_id')}")
        for one in members
        if not one.get("consent_id")
    ]
    if not needs or not without:
        return ""
    return (
        f"{' and '.join(needs)} effects were shown, and no consent is on record of "
        f"{', '.join(without)}; say it by --consent WHO=ID, or kfx take consent TAKE WHO=ID"
    )


def notes(
    members: Sequence[Mapping[str, object]],
    consents: Mapping[str, Consent],
    classes: Iterable[str],
) -> list[str]:
    """What a take has to warn of: nobody's consent, and consents of nobody."""
    there = {str(one[key]) for one in members for key in ("name", "face_id")}
    strangers = [who for who in consents if who and who not in there]
    found = [f"consent of {who}: nobody of that name or slot was in the take" for who in strangers]
    without = missing(members, classes)
    return [*found, without] if without else found


def _read(path: str) -> Consent:
    try:
        with Path(path).expanduser().open("rb") as file:
            data = file.read(MOST_BYTES + 1)
        if len(data) > MOST_BYTES:
            raise UsageError(f"--consent {path}: is too large for a consent record")
        said = json.loads(data.decode("utf-8"))
    except OSError as error:
        raise UsageError(f"--consent {path}: can't be read ({error.strerror})") from None
    except (ValueError, RecursionError):
        raise UsageError(f"--consent {path}: is no JSON; give the record's id instead") from None
    name = said.get("id") if isinstance(said, dict) else None
    if not isinstance(name, str):
        raise UsageError(f'--consent {path}: has no "id"; give the id itself')
    return Consent(name, hashlib.sha256(data).hexdigest())
