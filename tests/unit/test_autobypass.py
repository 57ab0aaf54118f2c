"""A link that fails or is too slow is left out alone, and tried again later."""

import pytest

from kfx.engine.look.autobypass import TOGETHER, AutoBypass, Strict
from kfx.errors import KfxError
from tests.looks import preset_of

BUDGET_S = 0.1
LOOK = preset_of("film", "liquify", "shatter")


class Drawing:
    """Units of the look with what each of them costs; a fault in place of a cost is raised."""

    def __init__(self, **options):
        self.now, self.told, self.drops, self.resets = 0.0, [], 0, []
        self.costs = {(0,): 0.001, (1,): 0.001, (2,): 0.001}
        self.own_s = 0.0  # of a picture, in no link
        self.care = AutoBypass(
            LOOK,
            budget_s=BUDGET_S,
            tell=lambda text: text in self.told or self.told.append(text),
            drop=self._dropped,
            now=lambda: self.now,
            **options,
        )
        self.queue_s = 0.0  # what the GPU has still to do

    def _dropped(self):
        self.drops += 1

    def _settle(self):
        self.now, self.queue_s = self.now + self.queue_s, 0.0

    def picture(self):
        """Draw one; returns the units that it shows and whether its slowness was taken care of."""
        started, shown = self.now, []
        self.queue_s += self.own_s
        for unit, cost in self.costs.items():
            if not self.care.allows(unit, lambda unit=unit: self.resets.append(unit)):
                continue
            with self.care.trying(unit, self._settle):
                if isinstance(cost, Exception):
                    raise cost
                self.queue_s += cost  # issued at once, drawn later
                shown.append(unit)
        self._settle()
        return shown, self.care.judge(self.now - started)

    def pictures(self, count):
        return [self.picture()[0] for _ in range(count)]


def test_a_fault_costs_its_link_alone_and_names_it():
    drawing = Drawing()
    drawing.costs[(2,)] = KfxError("no picture")
    assert drawing.pictures(9) == [[(0,), (1,)]] * 9
    assert drawing.told == ["chain[2] (shatter): no picture; left out"]
    assert drawing.drops == 5, "from the fifth on it isn't even tried"
    assert drawing.care.left_out == ("chain[2] (shatter)",)


def test_it_is_tried_again_and_starts_afresh():
    drawing = Drawing()
    drawing.costs[(2,)] = RuntimeError()
    drawing.pictures(6)
    assert drawing.told == ["chain[2] (shatter): RuntimeError(); left out"]
    drawing.now += 5.0
    assert drawing.pictures(2) == [[(0,), (1,)]] * 2
    assert drawing.drops == 6, "one fault on trial is enough"
    drawing.now += 5.0
    assert drawing.pictures(1) == [[(0,), (1,)]], "the pause has doubled"
    assert len(drawing.told) == 1, "a trial that ends as before is no news"
    drawing.costs[(2,)] = 0.001
    drawing.now += 5.0
    assert drawing.pictures(2) == [[(0,), (1,), (2,)]] * 2
    assert drawing.resets == [(2,)] * 6, "after each fault, before it runs again"
    assert drawing.told[-1] == "chain[2] (shatter) is back"
    assert drawing.care.left_out == ()


def test_a_single_fault_costs_one_picture_and_what_it_remembered():
    drawing = Drawing()
    drawing.costs[(1,)] = RuntimeError("once")
    drawing.picture()
    drawing.costs[(1,)] = 0.001
    assert drawing.pictures(1) == [[(0,), (1,), (2,)]]
    assert drawing.resets == [(1,)]
    assert drawing.care.left_out == ()


def test_the_slow_one_is_found_though_every_call_returns_at_once():
    drawing = Drawing()
    drawing.costs[(1,)] = 0.3
    seen = [drawing.picture() for _ in range(8)]
    everything = [(0,), (1,), (2,)]
    assert seen[:5] == [(everything, True)] * 5
    assert seen[5:] == [([(0,), (2,)], False)] * 3
    assert drawing.told == ["chain[1] (liquify): takes over 100 ms a picture; left out"]
    drawing.now += 5.0
    assert drawing.pictures(3) == [everything] * 2 + [[(0,), (2,)]], "one to see, one to time it"
    drawing.costs[(1,)] = 0.001
    drawing.now += 10.0
    assert drawing.pictures(2) == [everything] * 2
    assert drawing.care.left_out == ()


def test_where_they_are_too_slow_only_together_a_governor_comes_first_then_the_costliest_goes():
    drawing = Drawing()
    drawing.costs = {(0,): 0.02, (1,): 0.04, (2,): 0.06}
    seen = [drawing.picture() for _ in range(TOGETHER)]
    assert seen == [([(0,), (1,), (2,)], True)] * TOGETHER
    shown = drawing.pictures(6)
    assert shown[-1] == [(0,), (1,)], "what is left fits"
    assert drawing.care.left_out == ("chain[2] (shatter)",)
    says = "chain[2] (shatter): the costliest of a look that takes over 100 ms a picture; left out"
    assert drawing.told == [says]
    drawing.now += 5.0
    assert drawing.pictures(3) == [[(0,), (1,), (2,)]] * 2 + [[(0,), (1,)]], "still too much"
    drawing.costs[(1,)] = 0.001
    drawing.now += 10.0
    assert drawing.pictures(TOGETHER) == [[(0,), (1,), (2,)]] * TOGETHER


def test_nobody_is_blamed_for_what_is_lost_between_the_links():
    drawing = Drawing()
    drawing.own_s = 0.5
    handled = [drawing.picture()[1] for _ in range(10)]
    assert handled == [True, *[False] * 9], "after the first, which wasn't timed, others decide"
    assert drawing.told == []


def test_four_slow_pictures_are_forgiven_and_a_picture_that_compiles_says_nothing():
    drawing = Drawing()
    drawing.costs[(1,)] = 0.3
    drawing.pictures(4)
    drawing.costs[(1,)] = 0.001
    drawing.pictures(1)
    drawing.costs[(1,)] = 0.3
    drawing.pictures(4)
    assert drawing.care.left_out == ()
    for _ in range(20):
        drawing.care.judge(None)
    assert drawing.care.left_out == ()


def test_what_failed_once_in_a_picture_is_not_drawn_in_the_rest_of_it():
    drawing = Drawing()
    care = drawing.care
    for _ in range(5):
        assert care.allows((1,), lambda: drawing.resets.append((1,)))
        with care.trying((1,)):  # of one face,
            pass
        for _ in range(3):  # of others,
            with care.trying((1,)):
                raise RuntimeError("twisted")
        assert not care.allows((1,), lambda: None)  # and the warp of all of them
        care.judge(0.01)
    assert drawing.drops == 5
    assert care.left_out == ("chain[1] (liquify)",)


def test_links_of_one_pass_go_together():
    drawing = Drawing()
    drawing.costs = {(0, 2): RuntimeError("out of memory"), (1,): 0.001}
    assert drawing.pictures(2) == [[(1,)]] * 2
    assert drawing.told == ["chain[0] (film) + chain[2] (shatter): out of memory; left out"]


def test_where_nothing_may_be_left_out_a_fault_names_its_link():
    care = Strict(LOOK)
    assert care.allows((1,), lambda: None)
    with pytest.raises(KfxError, match=r"^chain\[1\] \(liquify\): no net$"), care.trying((1,)):
        raise KfxError("no net")
    with pytest.raises(ZeroDivisionError) as caught, care.trying((2,)):
        raise ZeroDivisionError
    assert caught.value.__notes__ == ["in chain[2] (shatter)"]
