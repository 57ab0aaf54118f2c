"""The look of a take, kept picture by picture: written, read again, damaged, told of."""

import contextlib
import hashlib
import io
import json
from fractions import Fraction
from types import MappingProxyType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kfx import assets, presets, takes
from kfx import effects as effects_list
from kfx.cli import main
from kfx.engine.look.journal import Bypassed, Dropped, Journal, Page, Seen, State, Turned
from kfx.engine.stats import Stats
from kfx.engine.takes import look_log
from kfx.engine.takes.kept_preset import KeptPresets
from kfx.engine.takes.repeat import LeftOut
from kfx.engine.takes.take_effects import Asked, TakeEffects
from kfx.engine.takes.take_files import Facts
from kfx.engine.takes.take_recorder import TakeRecorder
from kfx.errors import KfxError
from kfx.presets import Preset
from kfx.takes.document import Take
from kfx.types import Frame, Shot, SourceInfo, StreamInfo, Tick
from tests.faces import frame_of, picture, tick_of
from tests.looks import preset_of

SIZE = (64, 36)
PIXELS = picture(*SIZE)
FILM = """version = 1
[[chain]]
effect = "film"
grain = 0.1
[[chain]]
effect = "lut_grade"
"""
CUBE = "LUT_3D_SIZE 2\n" + "\n".join(f"{r} {g} {b}" for b in (0, 1) for g in (0, 1) for r in (0, 1))


@pytest.fixture
def kept(tmp_path):
    """A take's folder with a log, and what writes into it."""

    class Written:
        def __init__(self):
            self.folder = tmp_path / "A001_T01"
            self.folder.mkdir()
            (tmp_path / "film.toml").write_text(FILM)
            self.look = presets.load(str(tmp_path / "film.toml"))
            self.keeps = KeptPresets(self.folder, "A001_T01", self.look)
            self.out = io.StringIO()
            self.writer = look_log.LookWriter(self.out, self.keeps)

        def read(self, text=None):
            if text is None:
                assert self.keeps.finish() == ""
                text = self.out.getvalue()
            (self.folder / "A001_T01_look.jsonl").write_text(text)
            files = [{"path": "A001_T01_look.jsonl", "role": "look"}]
            data = {"slate": "A001", "take": 1, "files": files}
            return look_log.load(Take(self.folder, data))

    return Written()


def test_all_that_is_done_to_a_look_reads_back(kept, tmp_path):
    look = kept.look
    other = presets.load("ballad_film")
    (tmp_path / "warm.cube").write_text(CUBE)
    turned = look.with_value(0, "grain", 0.1 + 0.02)
    before = State(turned, frozenset({1}), 3, Seen(look, beats=2.0), 0.25, 7.5)
    kept.writer.write(1001, Page(9, before, (), True))
    changes = (
        Turned(0, "grain", 1 / 30),
        Turned(1, "look_lut", str(tmp_path / "warm.cube")),
        Bypassed(0, True),
    )
    kept.writer.write(1004, Page(12, before, changes, True))
    kept.writer.write(1005, Page(13, before, (Seen(other, seconds=0.5, anew=True),), True))
    kept.writer.write(1006, Page(14, before, (Dropped(),), False))
    log = kept.read()
    (tmp_path / "warm.cube").unlink()  # it lies in the take
    first = log.first
    assert (log.index, first.since, first.bypassed) == (9, 3, frozenset({1}))
    assert first.preset.chain[0].values["grain"] == 0.1 + 0.02
    assert first.coming.preset.chain[0].values["grain"] == 0.1
    assert first.coming.preset.chain[0].effect is first.preset.chain[0].effect
    assert (first.done, first.beat, first.coming.beats) == (0.25, 7.5, 2.0)
    grain, lut, bypassed = log.at[1004].entries
    assert (grain, bypassed) == (Turned(0, "grain", 1 / 30), Bypassed(0, True))
    assert first.preset.checked(1, "look_lut", lut.value).startswith(str(kept.folder.resolve()))
    (seen,) = log.at[1005].entries
    assert [one.effect.name for one in seen.preset.chain] == [
        one.effect.name for one in other.chain
    ]
    assert (seen.seconds, seen.anew) == (0.5, True)
    assert all(
        one.effect.where.startswith(str(kept.folder))
        for one in seen.preset.chain
        if one.effect.kind == "shader"
    )
    assert (log.at[1006].entries, log.at[1006].drawn) == ([Dropped()], False)


def test_what_live_left_out_is_known_by_its_frames(kept):
    state, out = State(kept.look), frozenset({(0,)})
    for frame, left, drawn in ((1001, (), 1), (1002, out, 1), (1003, out, 0), (1004, (), 1)):
        page = Page(frame, state, (), bool(drawn), frozenset(left))
        kept.writer.write(frame, page, ("nets run: beside",) if frame > 1002 else ())
    assert kept.writer.gave_up == [
        {"what": "left out: chain[0] (film)", "ranges": [[1002, 1003]]},
        {"what": "nets run: beside", "ranges": [[1003, 1004]]},
        {"what": "left out: all effects", "ranges": [[1003, 1003]]},
    ]
    log = kept.read()
    assert {n: one.left_out for n, one in log.at.items() if one.left_out is not None} == {
        1002: out,
        1004: frozenset(),
    }
    care, resets = LeftOut(), []
    skips = care(kept.look)
    care.units = log.at[1002].left_out
    assert not skips.allows((0,), lambda: resets.append(0))
    assert skips.allows((1,), lambda: resets.append(1))
    care.units = log.at[1004].left_out
    assert skips.allows((0,), lambda: resets.append(0))
    assert resets == [0]  # what it remembers is of before


def test_only_values_of_a_look_are_written_again_where_nothing_else_differs(kept):
    state = State(kept.look)
    for n in range(5):
        seen = Seen(kept.look.with_value(0, "grain", n / 100))
        kept.writer.write(1001 + n, Page(n, state, (seen,), True))
    log = kept.read()
    assert sorted(p.name for p in kept.folder.iterdir()) == [
        "A001_T01_look.jsonl",
        "A001_T01_preset",
    ]
    values = [log.at[1001 + n].entries[0].preset.chain[0].values["grain"] for n in range(5)]
    assert values == [n / 100 for n in range(5)]


def test_a_look_that_is_loaded_again_is_kept_once_unless_its_shader_was_saved(kept, tmp_path):
    (tmp_path / "mine.fs").write_text("/*{}*/ void main() { gl_FragColor = vec4(1.0); }")
    (tmp_path / "mine.toml").write_text('version = 1\n[[chain]]\neffect = "mine.fs"\n')
    mine = [kept.keeps.keep(presets.load(str(tmp_path / "mine.toml"))) for _ in range(2)]
    (tmp_path / "mine.fs").write_text("/*{}*/ void main() { gl_FragColor = vec4(0.125); }")
    mine.append(kept.keeps.keep(presets.load(str(tmp_path / "mine.toml"))))
    assert kept.keeps.finish() == ""
    assert mine[0] == mine[1] == "A001_T01_preset_2/mine.toml"
    assert mine[2] == "A001_T01_preset_3/mine.toml"
    assert "0.125" in (kept.folder / "A001_T01_preset_3/shaders/mine.fs").read_text()


def test_a_picture_that_nobody_got_leaves_its_changes_to_the_next_one():
    journal, preset = Journal(), Preset("none", "", ())
    journal.on = True
    first, second = State(preset), State(preset, frozenset({1}))
    journal.begin(first)
    journal.add(Bypassed(1, True))
    journal.end(7)
    journal.begin(second)  # the picture of 7 came too late to be sent
    journal.end(8)
    journal.add(Bypassed(1, False))  # seen from the next picture on
    page = journal.take(8, frozenset())
    assert (page.before, page.entries, page.drawn) == (first, (Bypassed(1, True),), True)
    assert page.lost == 1
    journal.begin(first)
    page = journal.take(9, frozenset())  # that failed in the middle
    assert (page.entries, page.drawn, page.lost) == ((Bypassed(1, False),), False, 0)


STATE = '{"frame":1001,"state":{"preset":"A001_T01_preset/film.toml","bypassed":[]}}\n'


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "line 2: is damaged"),
        ('{"frame":1000,"drop":true}', "its frames fall"),
        ('{"frame":1002,"knob":[0]}', "line 2: is damaged"),
        ('{"frame":1002,"look":{"preset":"../../x.toml"}}', "lies outside the take"),
        ('{"frame":1002,"look":{"preset":"A001_T01_preset/y.toml"}}', "line 2: preset"),
        ('{"frame":1002,"look":{"preset":"A001_T01_preset/film.toml","values":[[9,"grain",1]]}}',
         "line 2: chain.9."),
    ],
)  # fmt: skip
def test_a_damaged_log_is_named(kept, line, said):
    assert kept.keeps.finish() == ""
    with pytest.raises(KfxError, match=said):
        kept.read(STATE + line + "\n")
    assert kept.read(STATE + '{"half') is not None
    assert kept.read("") is None


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 2000) | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                "frame state look knob bypass drop drawn left_out gave_up preset values "
                "bypassed coming".split()
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)


@given(st.lists(_JSON, max_size=4))
@settings(max_examples=80, deadline=None)
def test_no_log_crashes_kfx(tmp_path_factory, lines):
    folder = tmp_path_factory.getbasetemp() / "fuzzed_log"
    folder.mkdir(exist_ok=True)
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (folder / "A001_T01_look.jsonl").write_text(text)
    with contextlib.suppress(KfxError):
        look_log.load(Take(folder, {"slate": "A001", "take": 1, "files": []}))


def test_a_take_tells_what_the_governor_gave_up(tmp_path, capsys):
    recorder = TakeRecorder(tmp_path, "A001")
    stats = Stats(SIZE, Fraction(24), "test", "truth")
    info = SourceInfo("camera:test", "camera", SIZE, Fraction(24), live=True)
    facts = Facts(info, StreamInfo(SIZE, Fraction(24)), hands=True)
    recorder.open(facts, stats, lambda: Asked(Preset("look", "", ())))
    for n in range(4):
        stats.show["governor"] = ["tracking: every 2nd frame"] if n in (1, 2) else []
        frame = Frame(PIXELS, n, Fraction(n, 24), 0.0)
        tick = Tick(n, n / 24, 1 / 24, frame, (), signals=MappingProxyType({}))
        recorder.put(Shot(PIXELS, tick, tick))
    recorder.finish()
    (take,) = takes.takes_in(tmp_path)
    assert take.gave_up == ["tracking: every 2nd frame (frames 1002-1003)"]
    assert take.data["hands"] is True
    assert main(["take", "list", str(tmp_path)]) == 0
    assert "gave up: tracking: every 2nd frame (frames 1002-1003)" in capsys.readouterr().out


def test_models_that_motions_read_are_told_once():
    """What ai_motion moves a face by belongs to a take as a net of the chain does."""
    looks = (preset_of("ai_motion"), preset_of("expr_bank", "retarget", "film"))
    effects = TakeEffects(looks[0])
    effects.see(0, Shot(PIXELS, tick_of(frame_of(PIXELS))), Asked(looks[0]))
    effects.see(1, Shot(PIXELS, tick_of(frame_of(PIXELS, 1))), Asked(looks[1]))
    rows = {row["file"]: row for row in effects.models()}
    folder = assets.folder("models")
    assert sorted(rows) == ["blendshapes.onnx", "expression_basis.npz", "motion.onnx", "rig.npz"]
    assert len(effects.models()) == 4
    for name, row in rows.items():
        assert row["sha256"] == hashlib.sha256((folder / name).read_bytes()).hexdigest()
        assert row["licence"] == "Apache-2.0"


def test_motions_name_models_that_are_there():
    for name in effects_list.names():
        spec = effects_list.find(name)
        for file in spec.source.models if spec.kind == "motion" else ():
            assert (assets.folder("models") / file).is_file(), (name, file)
