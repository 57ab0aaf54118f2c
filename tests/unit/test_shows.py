"""Shows: reading, working out, playing, rehearsing, spreadsheets."""

import csv
import io
import json
import tomllib
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kfx import shows
from kfx.cli import main
from kfx.engine.desk.conductor import Conductor
from kfx.engine.loop.switches import Switches
from kfx.errors import KfxError
from kfx.shows import Fired, Mode, To, cue_csv, moment, rehearsal
from kfx.shows.envelope import Pulses, Rise, value
from kfx.sync.grid import steady
from kfx.sync.song import SongTime

HEAD = 'bpm = 120\nlength = 60\noffset = "01:00:00:00"\nfps = 24\n[envelope.kick]\ndecay_ms = 200\n'
RATES = [Fraction(24000, 1001), Fraction(24), Fraction(25), Fraction(30000, 1001), Fraction(60)]


def show(*cues, head=HEAD):
    return shows.read(head + "".join(f"[[cue]]\n{cue}\n" for cue in cues), "show.toml")


def timeline(*cues, **options):
    return shows.build(show(*cues, **options))


def problems(*cues):
    return shows.build(show(*cues), strict=False).problems


def fault_of(make):
    try:
        make()
    except KfxError as error:
        return str(error)
    return None


def played(player, times):
    """(frame, action) of everything done, signals left out."""
    return [(i, one) for i, t in enumerate(times) for one in player.at(t).actions]


@pytest.mark.parametrize(
    ("said", "second"),
    [("1:1", 0.0), ("9:1", 16.0), ("9:2.5", 16.75), (12.5, 12.5), (3, 3.0), ("2.5s", 2.5)]
    + [("01:00:12:12", 12.5), ("0:1", -2.0)],
)
def test_a_place_is_a_bar_a_second_or_a_timecode(said, second):
    grid = steady(120.0)
    assert moment.seconds(said, grid, offset="01:00:00:00", fps=Fraction(24)) == second


@pytest.mark.parametrize(
    ("second", "said"), [(0.0, "1:1"), (16.75, "9:2.5"), (15.999999, "9:1"), (-0.5, "0:4")]
)
def test_people_count_bars_and_beats_from_one(second, said):
    assert moment.bar_beat(steady(120.0), second) == said


@pytest.mark.parametrize(
    ("cue", "said"),
    [
        ('at = "9:0"\nflash = true', "beats count from 1"),
        ('at = "nine"\nflash = true', 'write "9:1"'),
        ("flash = true", 'at is missing; write at = "9:1"'),
        ('at = "1:1"', "it does nothing; add preset"),
        ('at = "1:1"\nfade_s = 2', "a fade is that of a preset"),
        ('at = "1:1"\npreset = "none"\nfade_s = -1', "fade_s: -1 is outside 0..600"),
        ('at = "1:1"\npreset = "none"\nfade_s = 1\nfade_beats = 1', "say one of them"),
        ('at = "1:1"\nflsh = true', "'flsh' is unknown; did you mean flash?"),
        ('at = "1:1"\nenvelope = "snare"', "'snare' isn't declared (there are: kick)"),
        ('at = "1:1"\nramp = { "film.grain" = 3 }', "write { to = 3, beats = 4 }, or use set"),
        ('at = "1:1"\nramp = { "film.grain" = { to = 1 } }', "say how long"),
        ('at = "1:1"\nfreeze = true\nblack = true', "freeze and black: say one of them"),
        ('at = "1:1"\npanic = { beats = 2 }', "write panic = true"),
        ('at = "1:1"\nflash = true\nslots = ["lead"]', "flash is of the whole picture"),
        ('at = "1:1"\npreset = "none"\nslots = [9]', "9 is outside 0..7"),
        ('at = "1:1"\nflash = true\nevery_beats = 1', 'say how long: until = "33:1"'),
        ('at = "1:1"\nflash = true\nevery_beats = 0.001\nuntil = "9:1"', "outside 0.03125..1024"),
    ],
)
def test_a_cue_that_is_wrong_is_named_with_its_remedy(cue, said):
    with pytest.raises(KfxError) as caught:
        show(cue)
    assert str(caught.value).startswith("show.toml: cue[0]")
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "bpm = 128"),
        ("bpm = 9", "bpm: 9 is outside 20..400"),
        ("bpm = 120\nversion = 7", "version: 7: this kfx reads version 1"),
        ('bpm = 120\noffset = "01:00:00:00"', "say the rate it counts at too"),
        ('bpm = 120\nfps = 25\noffset = "01:00:00:29"', "outside a day of 25"),
        ('bpm = 120\nsong = "gone.wav"', "song: gone.wav: can't be read"),
        ("bpm = 120\n[envelope.move]\ndecay_ms = 1", "move is kfx's own"),
        ("bpm = 120\nlead_ms = 9000", "lead_ms: 9000 is outside -1000..5000"),
        ("bpm = ", "show.toml: "),
    ],
)
def test_a_show_that_is_wrong_is_named_with_its_remedy(text, said):
    with pytest.raises(KfxError) as caught:
        shows.read(text, "show.toml")
    assert said in str(caught.value)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["to", "from", "beats", "film.grain", "x"]), inner, max_size=3
        )
    ),
    max_leaves=6,
)


@settings(max_examples=150, deadline=None)
@given(
    st.dictionaries(st.sampled_from(shows.reading.KEYS), anything, max_size=5),
    st.lists(
        st.dictionaries(st.sampled_from(shows.reading.CUE_KEYS), anything, max_size=5), max_size=3
    ),
)
def test_whatever_a_file_holds_it_is_a_show_or_an_error(top, cues):
    import tomlkit

    def clean(one):
        if isinstance(one, dict):
            return {key: clean(value) for key, value in one.items() if value is not None}
        return (
            [clean(value) for value in one if value is not None] if isinstance(one, list) else one
        )

    try:
        text = tomlkit.dumps(clean({"bpm": 120, **top, "cue": cues}))
        tomllib.loads(text)
    except Exception:  # no TOML can say this
        return
    fault = fault_of(lambda: shows.build(shows.read(text, "show.toml"), strict=False))
    assert fault is None or fault.startswith("show.toml: ")


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=200))
def test_whatever_a_sheet_holds_it_is_cues_or_an_error(text):
    for head in ("", ",".join(cue_csv.COLUMNS) + "\n", "bar,beat,preset,env,notes\n"):
        fault = fault_of(lambda sheet=head + text: cue_csv.read(sheet, "cues.csv"))
        assert fault is None or fault.startswith("cues.csv: ")


def test_a_rehearsal_finds_what_would_go_wrong():
    found = problems(
        'at = "99:1"\nflash = true',
        'at = "2:1"\npreset = "no_such"',
        'at = "3:1"\npreset = "ballad_film"\nset = { "film.grian" = 0.1 }',
        'at = "4:1"\nramp = { "film.grain" = { to = 0.1, beats = 8 } }',
        'at = "5:1"\nset = { "film.grain" = 0.0 }',
        'at = "7:1"\nset = { "film.grain" = 7 }',
        'at = "8:1"\nset = { "glow.amount" = 7 }',
    )
    said = " | ".join(found)
    for part in (
        "99:1 (196.00 s) lies outside the song, which is 60.0 s long",
        "preset 'no_such'",
        "film has no knob 'grian'; did you mean grain?",
        "is still on its way from cue[3]",
        "7 is outside",
        "the look has no glow here",
    ):
        assert part in said
    assert len(found) == 6


def test_cues_that_black_hides_are_named():
    cues = (
        'at = "2:1"\nblack = true',
        'at = "3:1"\npreset = "ballad_film"',
        'at = "3:3"\nflash = true',
        'at = "4:1"\nlive = true',
        'at = "5:1"\npreset = "none"',
        'at = "6:1"\nfreeze = { beats = 2 }',  # over before the next cue
        'at = "7:1"\nflash = true',
        'at = "8:1"\nblack = true\npreset = "ballad_film"',  # got ready in the dark
        'at = "9:1"\npreset = "none"',
    )
    one = timeline(*cues)
    assert [note for note in one.notes if "hides" in note] == [
        "cue[0] ('2:1'): black hides 2 cues until 4:1 (cue[1] ('3:1'), ballad_film); "
        "add live = true to see them",
        "cue[7] ('8:1'): black hides 1 cue to the end (cue[8] ('9:1'), none); "
        "add live = true to see it",
    ]
    assert not one.problems
    found = rehearsal.rehearse(one, Fraction(24))
    hidden = [row.cue.place[:6] for row in found.rows if row.unseen]
    assert hidden == ["cue[1]", "cue[2]", "cue[8]"]
    sheet = rehearsal.table(found).splitlines()
    assert sheet[2].endswith("ballad_film [unseen: black]")
    assert sheet[1].endswith("black")
    assert sheet[7].endswith("flash")
    assert rehearsal.as_dict(found)["cues"][1]["unseen"] == "black"


def test_more_than_three_flashes_a_second_are_a_problem():
    flash = "flash = true\nevery_beats = 0.5"  # 4 a second
    assert "WCAG" in problems(f'at = "2:1"\n{flash}\nuntil = "4:1"')[0]
    assert not problems('at = "2:1"\nflash = true\nevery_beats = 1\nuntil = "4:1"')


@pytest.mark.parametrize("rate", RATES, ids=str)
def test_a_cue_fires_on_the_frame_nearest_to_it(rate):
    one = timeline('at = "3:1"\npreset = "ballad_film"', 'at = "9:2.5"\nfreeze = { seconds = 1 }')
    player = shows.Player(one, frame_s=float(1 / rate))
    done = played(player, [float(i / rate) for i in range(round(30 * rate))])
    assert [(i, type(what)) for i, what in done] == [
        (0, To),
        (round(4 * rate), To),
        (round(4 * rate), Fired),
        (round(Fraction("16.75") * rate), Mode),
        (round(Fraction("16.75") * rate), Fired),
        (round(Fraction("17.75") * rate), Mode),
    ]


CUES = (
    'at = "3:1"\npreset = "ballad_film"\nfade_beats = 2',
    'at = "4:1"\nramp = { "film.grain" = { to = 0.1, beats = 8, curve = "ease" } }',
    'at = "7:1"\nset = { "film.grain" = 0.02 }\nblack = { beats = 4 }',
    'at = "9:1"\npreset = "supernova"\nslots = ["lead"]',
    'at = "10:1"\npanic = true',
    'at = "12:1"\nlive = true\nflash = true',
    'at = "13:1"\nenvelope = "kick"\nevery_beats = 1\nuntil = "15:1"',
)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(-1.0, 45.0), min_size=1, max_size=12))
def test_wherever_the_song_jumps_the_show_is_what_it_is_there(times):
    one = BUILT
    player = shows.Player(one)
    look, mode = None, "live"
    for time in times:
        actions, signals = player.at(time)
        for action in actions:
            look = action.preset if isinstance(action, To) else look
            mode = action.mode if isinstance(action, Mode) else mode
    fresh = shows.Player(one)
    actions, wanted = fresh.at(times[-1])
    assert look is next(a.preset for a in actions if isinstance(a, To))
    assert mode == next((a.mode for a in actions if isinstance(a, Mode)), "live")
    assert signals == wanted


BUILT = timeline(*CUES)


def test_a_jump_brings_no_fade_and_fires_nothing_in_between():
    player = shows.Player(BUILT)
    player.at(0.0)
    (there,) = player.at(5.0).actions
    assert there.preset.name == "ballad_film"
    assert (there.seconds, there.beats) == (0.0, 0.0)


def test_a_ramp_moves_the_knob_from_where_it_is_to_where_it_shall_be():
    look = BUILT.looks[BUILT.look_at(5.0)]
    film = next(link for link in look.preset.chain if link.effect.name == "film")

    def grain(time_s):
        signals = BUILT.signals_at(time_s)
        moved = sum(one.amount * signals[one.signal] for one in film.modulation["grain"])
        return film.values["grain"] + moved

    start = film.values["grain"]
    assert grain(5.9) == start
    assert grain(8.0) == pytest.approx((start + 0.1) / 2)  # half way of an eased ramp
    assert grain(10.0) == pytest.approx(0.1)
    assert grain(11.99) == pytest.approx(0.1)
    assert grain(12.0) == pytest.approx(0.02)


def test_a_preset_for_one_performer_lies_over_the_look_until_the_next_preset():
    one = timeline(
        'at = "2:1"\npreset = "supernova"\nslots = ["lead"]',
        'at = "3:1"\npreset = "sn_metal"\nslots = ["lead"]',
        'at = "4:1"\npreset = "none"\nslots = ["lead"]',
        head='preset = "ballad_film"\n' + HEAD,
    )
    base, first, second, none = (look.preset.chain for look in one.looks)
    assert base == none
    assert first[: len(base)] == base
    assert {link.slots for link in first[len(base) :]} == {("lead",)}
    names = [link.effect.name for link in second[len(base) :]]
    assert "chrome_skin" in names
    assert "iris_nova" not in names
    assert any("left out" in note for note in one.notes)


def test_envelopes_rise_hold_and_fall():
    shape = shows.Envelope(0.1, 0.2, 0.4, "linear")
    told = [value(shape, t) for t in (0.0, 0.05, 0.1, 0.3, 0.5, 0.7, 9.0)]
    assert told == pytest.approx([0.0, 0.5, 1.0, 1.0, 0.5, 0.0, 0.0])
    pulses = Pulses(shape, (1.0, 1.4))
    assert pulses.at(0.99) == 0.0
    assert pulses.at(1.45) == pytest.approx(max(value(shape, 0.45), value(shape, 0.05)))
    assert Rise(1.0, 1.0).at(0.99, slack_s=0.02) == 1.0  # a step counts for the nearest frame
    assert BUILT.signals_at(24.0)["cue.kick"] == 1.0
    assert 0.0 < BUILT.signals_at(24.1)["cue.kick"] < 1.0


def song(time_s, rate=1.0):
    return SongTime(time_s, rate, 0.0, 0.0, 0.0, "locked", "test")


def test_what_the_operator_does_counts_more_than_the_show():
    switches = Switches()
    conductor = Conductor(BUILT, switches)
    conductor.hear(song(11.9))
    conductor.hear(song(12.01))
    assert switches.mode == "black"
    switches.panic()
    conductor.hear(song(12.4))
    conductor.hear(song(14.1))  # the show would go on live
    assert switches.mode == "clean"
    switches.set("live")
    conductor.hear(song(17.9))
    conductor.hear(song(18.05))
    assert switches.mode == "clean"  # the show's own panic
    conductor.hear(song(22.0))
    assert switches.mode == "live"


class Look:
    def __init__(self):
        self.changes, self.prepared = [], []

    def change(self, preset, *, seconds=0.0, beats=0.0):
        self.changes.append((preset, seconds, beats))

    def prepare(self, preset):
        self.prepared.append(preset)


def test_a_look_is_got_ready_before_its_cue_and_shown_with_its_fade():
    look = Look()
    conductor = Conductor(BUILT, Switches())
    conductor.play_on(look, look)
    for i in range(24 * 5):
        conductor.hear(song(i / 24))
        if i == 90:
            assert look.prepared == [BUILT.looks[1].preset]
            assert not look.changes
    assert look.changes == [(BUILT.looks[1].preset, 0.0, 2.0)]


def test_cues_go_through_a_spreadsheet_and_back(tmp_path):
    text = HEAD + "".join(f"[[cue]]\n{cue}\n" for cue in CUES)
    path = tmp_path / "show.toml"
    path.write_text("# keep me\n" + text)
    before = shows.load(path)
    sheet = cue_csv.write(before)
    made = cue_csv.into(path.read_text(), cue_csv.read(sheet, "cues.csv"))
    assert made.startswith("# keep me\n")
    after = shows.read(made, str(path))
    one, two = shows.build(before), shows.build(after)
    for i in range(0, 40 * 24, 7):
        t = i / 24
        assert one.mode_at(t) == two.mode_at(t)
        assert one.looks[one.look_at(t)].preset.name == two.looks[two.look_at(t)].preset.name
        assert sorted(one.signals_at(t).values()) == pytest.approx(
            sorted(two.signals_at(t).values())
        )
    assert cue_csv.write(after) == sheet


@pytest.mark.parametrize("separator", [";", "\t"])
def test_a_sheet_is_read_as_other_languages_write_it(separator):
    comma = cue_csv.write(show(*CUES))
    other = io.StringIO()
    csv.writer(other, delimiter=separator).writerows(csv.reader(io.StringIO(comma)))
    assert other.getvalue() != comma
    assert cue_csv.read(other.getvalue(), "x.csv") == cue_csv.read(comma, "x.csv")


def test_the_short_sheet_of_a_storyboard_is_read():
    sheet = "bar,beat,preset,env,notes\n9,1,supernova,,drop\n10,2.5,,kick,\n"
    assert cue_csv.read(sheet, "cues.csv") == [
        {"at": "9:1", "notes": "drop", "preset": "supernova"},
        {"at": "10:2.5", "envelope": ["kick"]},
    ]


def test_show_check_prints_a_cue_sheet_and_fails_with_problems(tmp_path, capsys):
    path = tmp_path / "show.toml"
    path.write_text(HEAD + "".join(f"[[cue]]\n{cue}\n" for cue in CUES))
    assert main(["show", "check", str(path)]) == 0
    out = capsys.readouterr().out
    assert "4:1       0:06.000  01:00:06:00  144    -    film.grain to 0.1 over 4 s" in out
    assert "14 cues in 60.0 s at 24 frames a second, no problems" in out
    path.write_text(HEAD + '[[cue]]\nat = "40:1"\npreset = "no_such"\n')
    assert main(["show", "check", str(path), "--json", "--fps", "25"]) == 1
    data = json.loads(capsys.readouterr().out)
    assert len(data["problems"]) == 2
    assert data["fps"] == [25, 1]
    path.write_text("bpm = 1")
    assert main(["show", "check", str(path), "--json"]) == 1
    assert "bpm" in json.loads(capsys.readouterr().out)["problems"][0]


def test_show_cues_writes_and_imports_csv(tmp_path, capsys):
    path, new, sheet = tmp_path / "show.toml", tmp_path / "new.toml", tmp_path / "cues.csv"
    path.write_text(HEAD + '[[cue]]\nat = "2:1"\nflash = { level = 0.5, decay_ms = 300 }\n')
    assert main(["show", "cues", str(path), "--csv"]) == 0
    sheet.write_text(capsys.readouterr().out)
    assert main(["show", "cues", str(path), "--import", str(sheet), "-o", str(new)]) == 0
    assert shows.load(new).cues[0].flash == shows.load(path).cues[0].flash
    assert main(["show", "cues", str(path), "--import", str(sheet), "-o", str(new)]) == 1
    assert "--force" in capsys.readouterr().err


def test_a_rehearsal_numbers_frames_at_the_rate_asked_for():
    found = rehearsal.rehearse(BUILT, Fraction(24000, 1001))
    assert [row.frame for row in found.rows[:2]] == [96, 144]
    assert found.rows[1].timecode == "01:00:06:00"
    assert not found.problems


def test_the_example_rehearses_without_a_problem(repo_root, capsys):
    path = repo_root / "examples" / "show.toml"
    assert main(["show", "check", str(path), "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    (drop,) = (one for one in data["cues"] if one["name"] == "drop")
    assert (drop["bar_beat"], drop["time_s"], drop["frame"]) == ("13:1", 22.92, 550)
