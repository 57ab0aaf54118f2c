"""``--pin``: which slot is whose."""

import pytest

from kfx.cli.common import pins_of
from kfx.errors import UsageError


def test_slots_get_names():
    assert pins_of([]) == {}
    assert pins_of(["0=lead", " 2 = Mina K. "]) == {0: "lead", 2: "Mina K."}


@pytest.mark.parametrize("text", ["lead", "0", "0=", "=lead", "8=lead", "-1=lead", "a=lead", "²=x"])
def test_what_is_wrong_is_named(text):
    with pytest.raises(UsageError, match=r"^--pin .*: write SLOT=NAME, a slot of 0\.\.7"):
        pins_of([text])


@pytest.mark.parametrize("texts", [["0=a", "0=b"], ["0=a", "1=A"]])
def test_nothing_is_pinned_twice(texts):
    with pytest.raises(UsageError, match="pinned twice"):
        pins_of(texts)
