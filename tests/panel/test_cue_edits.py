"""Cues are edited in the text of a show: all else stays, what can't be played isn't kept."""

import tomllib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kfx import shows
from kfx.engine.desk.conductor import Conductor
from kfx.engine.desk.cue_edits import CueEdits
from kfx.engine.loop.switches import Switches
from kfx.errors import KfxError, UsageError
from kfx.panel.cues import cue_sheet
from kfx.shows import editing
from kfx.sync.song import SongTime

TEXT = """# storyboard
version = 1
bpm = 120                     # four beats are two seconds
length = 40.0
preset = "ballad_film"

[envelope.kick]
decay_ms = 180

# the verse, softly
[[cue]]
at = "3:1"                    # bar:beat
name = "verse"
preset = "rnb_neon"
fade_beats = 4

[[cue]]
at = "5:1"
envelope = "kick"
every_beats = 1
until = "7:1"

# black at the end
[[cue]]
at = "9:1"
black = true # out
"""


def differing(before, after):
    """Lines that went, and lines that came."""
    old, new = before.splitlines(), after.splitlines()
    return [one for one in old if one not in new], [one for one in new if one not in old]


def test_a_cue_goes_elsewhere_and_nothing_else_changes():
    after = editing.changed(TEXT, "show.toml", 0, {"at": "4:2"})
    gone = 'at = "3:1"                    # bar:beat'
    assert differing(TEXT, after) == ([gone], [gone.replace("3:1", "4:2")])
    after = editing.changed(TEXT, "show.toml", 1, {"at": "6:1.5"})  # it takes its end along
    assert differing(TEXT, after)[1] == ['at = "6:1.5"', 'until = "8:1.5"']
    said = {"at": "8:1", "name": "out", "black": False, "clean": True}
    gone, come = differing(TEXT, editing.changed(TEXT, "show.toml", 2, said))
    assert gone == ['at = "9:1"', "black = true # out"]
    assert come == ['at = "8:1"', 'name = "out"', "clean = true"]


@pytest.mark.parametrize(
    ("at", "new"), [("4.0", "8.0"), ('"4 s"', '"8.000 s"'), ('"01:00:04:00"', '"01:00:08:00"')]
)
def test_a_place_is_spelled_as_it_was(at, new):
    head = 'version = 1\nbpm = 120\noffset = "01:00:00:00"\nfps = 25\n[[cue]]\nat = '
    after = editing.changed(f"{head}{at}\npanic = true", "show.toml", 0, {"at": "5:1"})
    assert after == f"{head}{new}\npanic = true"


def test_a_cue_is_put_where_it_comes_in_the_song_and_taken_away_again():
    said = editing.fields_of('at = "4:1", preset = "sn_metal", fade_beats = 2, flash = false')
    after = editing.added(TEXT, "show.toml", said)
    data = tomllib.loads(after)["cue"]
    assert [one["at"] for one in data] == ["3:1", "4:1", "5:1", "9:1"]
    assert data[1] == {"at": "4:1", "preset": "sn_metal", "fade_beats": 2}
    assert editing.removed(after, "show.toml", 1) == TEXT
    last = editing.added(TEXT, "show.toml", {"at": "12:1", "live": True})
    assert last.endswith('# out\n\n[[cue]]\nat = "12:1"\nlive = true\n')
    assert editing.removed(last, "show.toml", 3) == TEXT
    without = editing.removed(TEXT, "show.toml", 2)
    assert "black" not in without  # nor the comment that was about it
    only = "version = 1\nbpm = 120\n"
    one = editing.added(only, "show.toml", {"at": "1:1", "panic": True})
    assert editing.removed(one, "show.toml", 0) == only


@pytest.mark.parametrize(
    "said", ['at = "1:1"\nx=1', "at = ", 'where = "1:1"', "at = " + "1" * 2000, "}", 'at = "1:1"}']
)
def test_what_is_no_cue_is_refused(said):
    with pytest.raises(UsageError):
        editing.fields_of(said)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.sampled_from(["a", "b", "m", "r"]), max_size=6), st.integers(0, 3), st.randoms())
def test_whatever_is_edited_the_file_stays_a_show_that_says_it(verbs, number, random):
    text = TEXT
    for verb in verbs:
        before = tomllib.loads(text).get("cue", [])
        at = f"{random.randint(1, 15)}:{random.choice(['1', '2', '4.5'])}"
        try:
            if verb in "ab":
                text = editing.added(
                    text, "show.toml", {"at": at, "flash": verb == "a", "live": True}
                )
                assert len(tomllib.loads(text)["cue"]) == len(before) + 1
            elif verb == "m":
                text = editing.changed(text, "show.toml", number, {"at": at})
                assert tomllib.loads(text)["cue"][number]["at"] == at
            else:
                text = editing.removed(text, "show.toml", number)
                del before[number]
                assert tomllib.loads(text).get("cue", []) == before
        except UsageError:
            assert number >= len(before) or verb in "ab"
    assert text.startswith("# storyboard\nversion = 1\nbpm = 120                     # four")


def test_an_edit_is_saved_played_undone_and_done_again(tmp_path):
    path = tmp_path / "show.toml"
    path.write_text(TEXT, encoding="utf-8")
    played = []
    edits = CueEdits(str(path), played.append)
    edits.change('0 at = "2:1"')
    assert path.read_text(encoding="utf-8") == TEXT.replace('"3:1" ', '"2:1" ')
    assert [cue.time_s for cue in played[-1].show.cues if cue.preset] == [2.0]
    edits.add('at = "8:1", freeze = true')
    edits.remove(1)
    assert edits.steps == (3, 0)
    for _ in range(3):
        edits.undo()
    assert path.read_text(encoding="utf-8") == TEXT
    edits.redo()
    assert edits.steps == (1, 2)
    assert [cue.time_s for cue in played[-1].show.cues if cue.preset] == [2.0]
    with pytest.raises(UsageError, match=r"cue\[9\]: there are 3 cues"):
        edits.remove(9)
    # What can't be played is neither written nor played.
    kept, count = path.read_text(encoding="utf-8"), len(played)
    with pytest.raises(KfxError, match="nonesuch"):
        edits.change('0 preset = "nonesuch"')
    with pytest.raises(KfxError, match="outside the song"):
        edits.change('0 at = "99:1"')
    assert (path.read_text(encoding="utf-8"), len(played)) == (kept, count)
    # What somebody wrote meanwhile is kept by an edit, and never undone.
    path.write_text(f"# mine\n{kept}", encoding="utf-8")
    edits.change('0 name = "intro"')
    assert path.read_text(encoding="utf-8").startswith("# mine\n")
    path.write_text(f"# again\n{kept}", encoding="utf-8")
    with pytest.raises(UsageError, match="somebody has changed it"):
        edits.undo()


class FakeDesk:
    def __init__(self):
        self.shown = []

    def change(self, preset, *, seconds=0.0, beats=0.0):
        self.shown.append(preset.name)


def test_an_edited_show_goes_on_from_where_the_song_is():
    fired, desk, switches = [], FakeDesk(), Switches()
    timeline = shows.build(shows.read(TEXT, "show.toml"))
    conductor = Conductor(timeline, switches, frame_s=1 / 24, on_fired=fired.append)
    conductor.play_on(desk)

    def at(time_s):
        conductor.hear(SongTime(time_s, 1.0, time_s / 2, time_s * 2, 0.0, "locked", "grid"))

    at(4.5)
    assert desk.shown == ["rnb_neon"]
    count = len(fired)
    for number, place in ((2, "8:1"), (1, "6:1")):  # of what comes, nothing is told again
        text = editing.changed(TEXT, "show.toml", number, {"at": place})
        conductor.play(shows.build(shows.read(text, "show.toml")))
        at(4.6)
        assert (desk.shown, len(fired)) == (["rnb_neon"], count)
    text = editing.changed(TEXT, "show.toml", 0, {"at": "4:1"})  # behind the song: not yet
    conductor.play(shows.build(shows.read(text, "show.toml")))
    at(4.7)
    assert desk.shown == ["rnb_neon", "ballad_film"]
    for i in range(8):
        at(4.8 + i / 5)
    assert desk.shown[-1] == "rnb_neon"
    assert fired[-1].name == "verse"


def test_a_sheet_has_a_row_for_each_table_and_counts_bars_as_people_do():
    text = TEXT.replace("length", "first_downbeat = 0.5\nlength")
    sheet = cue_sheet(shows.read(text, "show.toml"), (1, 0))
    assert (sheet["first"], sheet["bars"][0], sheet["bars"][1]) == (0, [-1.5, 4], [0.5, 4])
    assert [(row["n"], row["at"], len(row["times"])) for row in sheet["cues"]] == [
        (0, "3:1", 1),
        (1, "5:1", 8),
        (2, "9:1", 1),
    ]
    assert sheet["cues"][1]["last"] == "6:4"
