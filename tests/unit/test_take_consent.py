"""Whose consent a take stands on."""

import hashlib
import json
from dataclasses import replace
from fractions import Fraction

import pytest

from kfx import presets, takes
from kfx.cli import main
from kfx.engine.takes import take_files
from kfx.engine.takes.take_effects import Asked
from kfx.engine.takes.take_files import About, Facts
from kfx.errors import UsageError
from kfx.takes import consent
from kfx.types import Frame, Shot, SourceInfo, StreamInfo, Tick
from tests.faces import face_at, picture

SIZE, RATE = (64, 36), Fraction(24)
PIXELS = picture(*SIZE)
FACES = (face_at(20, 18, 9), replace(face_at(44, 18, 9), slot=1))


def recorded(folder, consents, preset="ballad_film"):
    """A finished take with two faces, the first pinned as lead."""
    info = SourceInfo("camera:test", "camera", SIZE, RATE, live=True)
    about = About(consents=consent.parse(consents))
    facts = Facts(info, StreamInfo(SIZE, RATE), about=about, members={0: "lead"})
    look = presets.load(preset)
    files = take_files.TakeFiles(folder, "A001_T01", facts, look)
    for n in range(2):
        frame = Frame(PIXELS, n, Fraction(n, 24), 0.0)
        tick = Tick(n, n / 24, 1 / 24, frame, FACES)
        files.write(Shot(PIXELS, tick, tick))
        files.effects.see(n, Shot(PIXELS, tick, tick), Asked(look))
    return files.finish({"frames": 2}, [])


def ids(take):
    return {one["face_id"]: (one["name"], one["consent_id"]) for one in take.data["members"]}


def test_members_are_the_faces_seen_with_the_consent_of_each(tmp_path):
    record = tmp_path / "lead.json"
    record.write_text(json.dumps({"id": "KFX-2026-014", "performer": "secret"}))
    take = recorded(tmp_path, [f"lead={record}", "1=B-7"])
    assert ids(take) == {0: ("lead", "KFX-2026-014"), 1: ("", "B-7")}
    wanted = hashlib.sha256(record.read_bytes()).hexdigest()
    assert take.data["members"][0]["consent_sha256"] == wanted
    assert "secret" not in (take.folder / "take.json").read_text()
    assert take.data["warnings"] == []
    assert take.members == {0: "lead"}  # a face without a name is no performer to route by


def test_an_id_alone_is_everybodys_and_a_name_counts_more(tmp_path):
    take = recorded(tmp_path, ["ALL-1", "lead=L-2", "stranger=S-3"])
    assert ids(take) == {0: ("lead", "L-2"), 1: ("", "ALL-1")}
    assert "consent of stranger: nobody" in take.data["warnings"][0]


def test_anothers_face_without_consent_is_told_and_may_be_mended_later(tmp_path, capsys):
    look = tmp_path / "swap.toml"
    look.write_text('version = 1\n[[chain]]\neffect = "face_exchange"\n')
    take = recorded(tmp_path, ["lead=L-2"], str(look))
    (warning,) = take.data["warnings"]
    assert "likeness effects were shown, and no consent is on record of slot 1" in warning
    assert main(["take", "consent", str(take.folder), "nobody=X"]) == 2
    assert "in this take is lead, 1" in capsys.readouterr().err
    assert main(["take", "consent", str(take.folder), "1=B-7"]) == 0
    assert "consent of 1 is on record" in capsys.readouterr().out
    again = takes.load(take.folder)
    assert ids(again) == {0: ("lead", "L-2"), 1: ("", "B-7")}
    assert again.data["warnings"] == []


@pytest.mark.parametrize(
    ("specs", "said"),
    [
        (["=X"], "name the performer"),
        (["lead="], "its id is no line"),
        (["lead=a\nb"], "its id is no line"),
        (["lead=" + "x" * 200], "its id is no line"),
        (["lead=A", "lead=B"], "lead has one already"),
        (["lead=missing.json"], "can't be read"),
        (["lead={}/list.json"], 'has no "id"'),
        (["lead={}/broken.json"], "is no JSON"),
    ],
)
def test_a_consent_that_says_nothing_is_refused(tmp_path, specs, said):
    (tmp_path / "list.json").write_text("[1]")
    (tmp_path / "broken.json").write_bytes(b"\xff{")
    with pytest.raises(UsageError, match=said):
        consent.parse([one.replace("{}", str(tmp_path)) for one in specs])


def test_consent_without_takes_is_told(capsys):
    args = ["live", "-i", "performer", "-o", "null", "--seconds", "1", "--consent", "lead=X"]
    assert main(args) == 2
    assert "add --take DIR" in capsys.readouterr().err
