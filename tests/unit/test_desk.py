"""The desk: one tree, one stream of changes, one history, whoever controls the show."""

import contextlib
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kfx import presets
from kfx.engine.desk.tree import CHAIN, Parameter
from kfx.errors import KfxError, UsageError
from tests.desks import FILM, Heard, desk_of
from tests.waiting import LONG_S

GRAIN = "/kfx/v1/chain/1/film/grain"


@pytest.fixture
def desk():
    made, _, _ = desk_of()
    yield made
    made.close()


def test_every_parameter_can_be_read_at_its_address(desk):
    for one in desk.parameters():
        assert desk.parameter(one.address) == one
        assert desk.get(one.address) == one.value
    addresses = [one.address for one in desk.parameters()]
    assert len(set(addresses)) == len(addresses)
    assert GRAIN in addresses


def test_every_writable_parameter_takes_its_own_value(desk):
    for one in desk.parameters():
        if one.value is not None and one.address != "/kfx/v1/preset":
            desk.set(one.address, one.value)
            assert desk.get(one.address) == one.value


def test_a_knob_is_set_raw_normalised_and_by_its_short_name(desk):
    desk.set(GRAIN, 0.1, "test")
    assert desk.get(GRAIN) == 0.1
    assert desk.get(f"{GRAIN}/norm") == pytest.approx(0.5)
    desk.set(f"{GRAIN}/norm", 1.0)
    assert desk.get("/kfx/v1/film/grain") == 0.2
    desk.set_normalised("/kfx/v1/film/grain", 7)
    assert desk.get(GRAIN) == 0.2


@pytest.mark.parametrize(
    ("address", "value", "said"),
    [
        (GRAIN, 9, "/kfx/v1/chain/1/film/grain: 9 is outside 0..0.2"),
        (GRAIN, "much", "no number"),
        ("/kfx/v1/mode", "backwards", "none of live, clean"),
        ("/kfx/v1/preset", "nope", "none of"),
        ("/kfx/v1/preset", "../../etc/passwd", "none of"),
        ("/kfx/v1/nope", 1, "no such address"),
        ("/kfx/v1/chain/9/film/grain", 0.1, "no such address"),
        ("/kfx/v1/chain/0/film/grain", 0.1, "no such address"),
        ("/kfx/v1/recall", "A", "store it first"),
        ("", 1, "no such address"),
    ],
)
def test_what_cant_be_set_says_why_and_changes_nothing(desk, address, value, said):
    before = [(one.address, one.value) for one in desk.parameters()]
    with pytest.raises(UsageError, match=said):
        desk.set(address, value)
    assert [(one.address, one.value) for one in desk.parameters()] == before


def test_changes_are_told_with_who_and_in_order(desk):
    heard = Heard(desk)
    desk.set(GRAIN, 0.1, "panel 1")
    desk.set("/kfx/v1/mode", "freeze", "osc 10.0.0.5")
    grain, mode = heard.until(GRAIN), heard.until("/kfx/v1/mode")
    assert (grain.value, grain.by) == (0.1, "panel 1")
    assert (mode.value, mode.by) == ("freeze", "osc 10.0.0.5")
    assert grain.number < mode.number


def test_what_was_so_already_is_no_news(desk):
    heard = Heard(desk)
    desk.set(GRAIN, 0.05)
    desk.set("/kfx/v1/hold", True)
    heard.until("/kfx/v1/hold")
    assert [one.address for one in heard.changes] == ["/kfx/v1/hold"]


def test_a_listener_that_hangs_holds_nobody_up_and_hears_the_last_value(desk):
    go, seen, last = threading.Event(), [], threading.Event()

    def slow(change):
        seen.append(change.value)
        go.wait(LONG_S)
        if change.value == 0.2:
            last.set()

    desk.subscribe(slow)
    quick = Heard(desk)
    for i in range(1, 201):
        desk.set(GRAIN, i / 1000)
    quick.until(GRAIN)
    go.set()
    assert last.wait(LONG_S)
    assert len(seen) < 200


def test_a_listener_that_fails_is_told_of_and_stays():
    faults = []
    desk, _, _ = desk_of(on_fault=faults.append)

    def broken(change):
        raise RuntimeError("oh")

    desk.subscribe(broken)
    heard = Heard(desk)
    desk.set(GRAIN, 0.1)
    desk.set(GRAIN, 0.11)
    heard.until(GRAIN)
    desk.close()
    assert "oh" in faults[0]


def test_who_left_hears_nothing_any_more(desk):
    gone, heard = Heard(desk), Heard(desk)
    gone.end()
    desk.set(GRAIN, 0.1)
    heard.until(GRAIN)
    assert gone.changes == []


def test_panic_needs_no_value_and_ends_by_mode():
    desk, _, switches = desk_of()
    heard = Heard(desk)
    desk.set("/kfx/v1/panic", True, "key")
    assert switches.shown == "clean"
    assert heard.until("/kfx/v1/mode").value == "clean"
    desk.set("/kfx/v1/mode", "live")
    desk.set("/kfx/v1/panic", 0.0)  # the button is let go
    assert switches.shown == "live"
    desk.close()


def test_keys_that_set_the_switches_are_told_after_the_next_frame():
    desk, _, switches = desk_of()
    heard = Heard(desk)
    switches.toggle("black")
    desk.drawn()
    assert heard.until("/kfx/v1/mode").value == "black"
    desk.close()


def test_undo_takes_back_step_by_step_and_redo_does_them_again(desk):
    desk.set(GRAIN, 0.1, "a")
    desk.bypass(0, True)
    desk.move(0, 2)
    assert desk.steps == (3, 0)
    assert desk.get("/kfx/v1/chain/2/deadpan_step/bypass") is True
    desk.undo()
    assert desk.get("/kfx/v1/chain/0/deadpan_step/bypass") is True
    desk.undo()
    assert desk.get("/kfx/v1/chain/0/deadpan_step/bypass") is False
    desk.undo()
    assert desk.get(GRAIN) == 0.05
    assert desk.undo() is False
    for _ in range(3):
        assert desk.redo()
    assert desk.redo() is False
    assert desk.get("/kfx/v1/chain/0/film/grain") == 0.1
    assert desk.get("/kfx/v1/chain/2/deadpan_step/bypass") is True


def test_a_drag_is_one_step_and_another_hand_begins_a_new_one():
    now = [0.0]
    desk, _, _ = desk_of(now=lambda: now[0])
    for i in range(20):
        now[0] += 0.05
        desk.set(GRAIN, 0.1 + i / 1000, "panel 1")
    desk.set(GRAIN, 0.02, "panel 2")
    now[0] += 2.0
    desk.set(GRAIN, 0.03, "panel 2")
    assert desk.steps == (3, 0)
    desk.undo()
    desk.undo()
    desk.undo()
    assert desk.get(GRAIN) == 0.05
    desk.close()


def test_a_change_after_undo_forgets_what_was_undone(desk):
    desk.set(GRAIN, 0.1)
    desk.undo()
    desk.set(GRAIN, 0.12)
    assert desk.redo() is False
    assert desk.get(GRAIN) == 0.12


def test_two_looks_are_kept_and_come_back(desk):
    desk.store("A")
    desk.set(GRAIN, 0.15)
    desk.store("B")
    desk.set("/kfx/v1/recall", "A")
    assert desk.get(GRAIN) == 0.05
    desk.recall("B")
    assert desk.get(GRAIN) == 0.15
    with pytest.raises(UsageError, match="use A or B"):
        desk.store("C")


def test_effects_come_go_and_move_with_their_bypass(desk):
    heard = Heard(desk)
    desk.bypass(2, True)
    desk.add("bloom", 0)
    assert heard.until(CHAIN).value == ("bloom", "deadpan_step", "film", "flash")
    assert desk.get("/kfx/v1/chain/3/flash/bypass") is True
    desk.move(3, 0)
    assert desk.get("/kfx/v1/chain/0/flash/bypass") is True
    desk.remove(1)
    assert [link.effect.name for link in desk.preset.chain] == ["flash", "deadpan_step", "film"]
    desk.add("film")
    assert desk.preset.chain[-1].effect.name == "film"


@pytest.mark.parametrize(
    "wrong",
    [
        lambda d: d.add("nope"),
        lambda d: d.add("/tmp/some.fs"),
        lambda d: d.add("film", 99),
        lambda d: d.remove(3),
        lambda d: d.move(0, 3),
        lambda d: d.move(-1, 0),
        lambda d: d.bypass(9),
        lambda d: d.solo(9),
        lambda d: d.load("nope"),
        lambda d: d.load("nope/none.toml"),
        lambda d: d.save(),
        lambda d: d.save("look.txt"),
        lambda d: d.revert(),
    ],
)
def test_edits_that_cant_be_leave_the_look_as_it_is(desk, wrong):
    before = desk.preset
    with pytest.raises(KfxError):
        wrong(desk)
    assert desk.preset == before
    assert desk.steps == (0, 0)


def test_whom_an_effect_draws_is_an_edit_like_others(desk, tmp_path):
    desk.route(0, [1, "lead"], by="me")
    assert desk.preset.chain[0].slots == (1, "lead")
    for place, slots, said in (
        (0, [8], "outside 0..7"),
        (0, [1, 1], "twice"),
        (2, [1], "doesn't look at faces"),
        (9, [1], "3 effects"),
    ):
        with pytest.raises(UsageError, match=said):
            desk.route(place, slots)
    assert desk.steps == (1, 0)
    desk.save(str(tmp_path / "routed.toml"))
    assert presets.load(str(tmp_path / "routed.toml")).chain[0].slots == (1, "lead")
    desk.undo()
    assert desk.preset.chain[0].slots == ()


def test_signals_come_to_a_knob_and_leave_it(tmp_path):
    text = FILM.replace(
        "0.05", '{ base = 0.05, "beat.decay" = { amount = 0.02, release_ms = 90 } }'
    )
    desk, _, _ = desk_of(text, now=lambda: 0.0)
    grain = "/kfx/v1/chain/1/film/grain"

    def sources():
        found = desk.preset.chain[1].modulation.get("grain", ())
        return [(one.signal, one.amount, one.release_ms) for one in found]

    for amount in (0.03, 0.05, 0.1):  # one gesture
        desk.follow(1, "grain", "beat.decay", amount, by="me")
    assert sources() == [("beat.decay", 0.1, 90.0)]
    assert desk.moved == {grain: pytest.approx(0.15)}
    assert desk.get(grain) == 0.05
    assert desk.steps == (1, 0)
    desk.follow(1, "grain", "audio.low", -0.2, by="me")
    assert desk.moved == {grain: 0.0}  # kept within its range
    for knob, signal, amount in (
        ("seed", "beat.decay", 1.0),
        ("grian", "beat.decay", 1.0),
        ("grain", "beat.dekay", 1.0),
        ("grain", "beat.decay", float("nan")),
    ):
        with pytest.raises(UsageError):
            desk.follow(1, knob, signal, amount)
    desk.save(str(tmp_path / "moved.toml"))
    saved = presets.load(str(tmp_path / "moved.toml")).chain[1]
    assert saved.modulation == desk.preset.chain[1].modulation
    for signal in ("beat.decay", "audio.low"):
        desk.follow(1, "grain", signal, None, by="me")
    assert sources() == []
    assert desk.moved == {}
    for _ in range(4):
        desk.undo()
    assert sources() == [("beat.decay", 0.02, 90.0)]


def test_solo_shows_one_and_gives_back_what_was_bypassed(desk):
    desk.bypass(0, True)
    desk.solo(1)
    addresses = ["0/deadpan_step", "1/film", "2/flash"]

    def bypassed():
        return [desk.get(f"/kfx/v1/chain/{one}/bypass") for one in addresses]

    assert bypassed() == [True, False, True]
    desk.solo(2)
    assert bypassed() == [True, True, False]
    assert desk.get("/kfx/v1/chain/2/flash/solo") is True
    desk.set("/kfx/v1/chain/2/flash/solo", False)
    assert bypassed() == [True, False, False]


def test_a_preset_is_loaded_with_a_fade():
    desk, look, _ = desk_of()
    heard = Heard(desk)
    desk.set("/kfx/v1/fade", 1.5)
    desk.set("/kfx/v1/preset", "supernova", "pad")
    assert look.changes == [("supernova", 1.5, 0.0, False)]
    assert heard.until("/kfx/v1/preset").value == "supernova"
    desk.load("rnb_neon", beats=4.0)
    assert look.changes[-1] == ("rnb_neon", 0.0, 4.0, False)
    desk.undo()
    assert desk.get("/kfx/v1/preset") == "supernova"
    desk.close()


def test_save_keeps_comments_and_moves_to_the_new_file(desk, tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('version = 1\n[[chain]]\neffect = "film"\ngrain = 0.05 # fine\n')
    desk.load(str(path))
    desk.set("/kfx/v1/film/grain", 0.1)
    desk.save()
    assert "grain = 0.1 # fine" in path.read_text()
    desk.set("/kfx/v1/film/grain", 0.15)
    desk.revert()
    assert desk.get("/kfx/v1/film/grain") == 0.1
    other = tmp_path / "other.toml"
    desk.save(str(other))
    assert desk.get("/kfx/v1/preset") == str(other)
    assert presets.load(str(other)).chain == desk.preset.chain


def test_presets_of_the_library_are_not_written_over_by_accident(desk):
    desk.load("supernova")
    with pytest.raises(UsageError, match="comes with kfx"):
        desk.save()


def test_an_editors_save_is_taken_and_kfxs_own_is_no_news(desk, tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('version = 1\n[[chain]]\neffect = "film"\n')
    desk.load(str(path))
    desk.reloaded(presets.load(str(path)))
    assert desk.steps == (1, 0)
    path.write_text('version = 1\n[[chain]]\neffect = "film"\ngrain = 0.2\n')
    desk.reloaded(presets.load(str(path)))
    assert desk.get("/kfx/v1/film/grain") == 0.2
    desk.undo()
    assert desk.get("/kfx/v1/film/grain") == 0.05


def test_others_bring_their_own_parameters(desk):
    taken, heard = [], Heard(desk)
    desk.register(Parameter("/kfx/v1/cue/goto", "choice", None, None, ("a", "b")), taken.append)
    desk.register(Parameter("/kfx/v1/song/beat", "float", 0.0))
    desk.set("/kfx/v1/cue/goto", "b", "pad")
    assert taken == ["b"]
    assert heard.until("/kfx/v1/cue/goto").value == "b"
    desk.tell("/kfx/v1/song/beat", 4.0)
    assert desk.get("/kfx/v1/song/beat") == 4.0
    with pytest.raises(UsageError, match="only be read"):
        desk.set("/kfx/v1/song/beat", 1.0)
    with pytest.raises(UsageError, match="none of a, b"):
        desk.set("/kfx/v1/cue/goto", "c")
    desk.unregister("/kfx/v1/cue")
    with pytest.raises(UsageError, match="no such address"):
        desk.get("/kfx/v1/cue/goto")


def test_a_setter_that_fails_is_the_setters_error_and_no_change(desk):
    def broken(value):
        raise UsageError("the take is rolling")

    desk.register(Parameter("/kfx/v1/take", "bool", False), broken)
    with pytest.raises(UsageError, match="rolling"):
        desk.set("/kfx/v1/take", True)
    assert desk.get("/kfx/v1/take") is False


def test_a_look_that_went_back_by_itself_is_told():
    desk, look, _ = desk_of()
    before = look.preset
    desk.load("supernova")
    heard = Heard(desk)
    look.preset = before  # as `Look` does where a shader doesn't compile
    desk.drawn()
    assert heard.until("/kfx/v1/preset").by == "fault"
    desk.close()


def test_an_event_of_a_shader_is_let_go_of_once_it_was_drawn(tmp_path):
    (tmp_path / "boom.fs").write_text(
        '/*{"ISFVSN": "2", "INPUTS": [{"NAME": "inputImage", "TYPE": "image"}, '
        '{"NAME": "boom", "TYPE": "event"}]}*/\n'
        "void main() { gl_FragColor = IMG_THIS_PIXEL(inputImage) + (boom ? 1.0 : 0.0); }\n"
    )
    path = tmp_path / "boom.toml"
    path.write_text('version = 1\n[[chain]]\neffect = "boom.fs"\n')
    desk, look, _ = desk_of()
    desk.load(str(path))
    assert desk.parameter("/kfx/v1/boom/boom").kind == "event"
    desk.set("/kfx/v1/boom/boom", 1.0)
    assert look.preset.chain[0].values["boom"] is True
    desk.drawn()  # it may have been fired while this frame was drawn
    assert look.preset.chain[0].values["boom"] is True
    desk.drawn()
    assert look.preset.chain[0].values["boom"] is False
    assert desk.steps == (1, 0)
    desk.close()


def test_a_file_knob_reads_nothing_outside_its_folders(desk, tmp_path):
    (tmp_path / "secret.cube").write_text("x")
    desk.add("lut_grade")
    one = next(o for o in desk.parameters() if o.kind == "file")
    with pytest.raises(UsageError, match=r"lies outside|missing"):
        desk.set(one.address, str(tmp_path / "secret.cube"))


@given(st.text(max_size=60), st.one_of(st.floats(), st.text(max_size=9), st.none(), st.booleans()))
@settings(max_examples=60, deadline=None)
def test_no_address_and_no_value_breaks_the_desk(address, value):
    desk, look, _ = desk_of()
    before = look.preset
    for one in (address, f"/kfx/v1/{address}", f"{GRAIN}/{address}", f"/kfx/v1/chain/{address}"):
        with contextlib.suppress(KfxError):
            desk.set(one, value)
    assert look.preset == before
    desk.close()


def test_many_hands_at_once_end_in_one_state():
    desk, look, _ = desk_of()

    def hand(number):
        for i in range(40):
            desk.set(GRAIN, (i % 20) / 100, f"hand {number}")
            desk.bypass(number % 3, i % 2 == 0)
            desk.parameters()
            if i % 10 == 0:
                desk.undo()

    hands = [threading.Thread(target=hand, args=(n,)) for n in range(4)]
    for one in hands:
        one.start()
    for one in hands:
        one.join()
    assert desk.get(GRAIN) == look.preset.chain[1].values["grain"]
    desk.close()
