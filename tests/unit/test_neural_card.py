"""Model cards: what they say, what is refused, and that they survive being written."""

import pytest

from kfx import assets
from kfx.errors import KfxError
from kfx.neural import card as cards
from kfx.neural.session import Net
from tests import nets
from tests.conftest import ROOT

EXAMPLES = sorted((ROOT / "examples" / "cards").glob("*.toml"))
OWN = sorted(assets.folder("models").glob("*.toml"))


def parsed(text, tmp_path):
    return cards.parse(text, tmp_path / "x.toml")


@pytest.mark.parametrize("path", [*OWN, *EXAMPLES], ids=lambda path: path.name)
def test_every_card_of_kfx_is_read_and_survives_writing(path):
    card = cards.load(path)
    again = cards.parse(cards.dumps(card), path)
    assert (again.kind, again.region, again.stick) == (card.kind, card.region, card.stick)
    assert [port.role for port in again.inputs] == [port.role for port in card.inputs]
    if card.kind in cards.DRAWN:
        assert again.picture == card.picture
        assert again.answer == card.answer
        assert card.licence
        assert card.source
        assert len(card.sha256) == 64


def test_a_card_without_extras(tmp_path):
    card = parsed(nets.card_text(size=(8, 6)), tmp_path)
    assert card.picture.size == (8, 6)
    assert card.path == tmp_path / "x.onnx"
    assert list(card.knobs) == ["light", "rate_hz", "mix", "seed"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (('"image"', '"picture"'), "kind: 'picture' is none of image"),
        (('"frame"', '"screen"'), "region: 'screen' is none of face, head, frame"),
        (('"NCHW"', '"NCWH"'), "layout: 'NCWH' is none of NCHW"),
        (('is = "picture"', 'is = "image"'), "input.x: is: 'image' is none of picture"),
        (('kind = "image"', 'kind = "image"\nsizes = 3'), "'sizes' is unknown"),
        (("[input.x]", "[input.x]\nrangee = [0, 1]"), "'rangee' is unknown; did you mean range?"),
        (("[input.x]", "[input.x]\nrange = [1, 1]"), "range: [1, 1] has no width"),
        (("[input.x]", "[input.x]\nstd = [0, 1, 1]"), "std: 0 can't be divided by"),
        (("[input.x]", "[input.x]\nsize = [0, 9]"), "no [width, height]"),
        (("[input.x]", "[input.x]\nsize = [nan, 9]"), "size"),
        (("[input.x]", '[input.s]\nis = "state"\nfrom = "z"\n[input.x]'), "no output 'z'"),
        (("[input.x]", "[input.s]\nis = 'knob'\nmin = 2\n[input.x]"), "default: 0 is outside 2..1"),
        (('kind = "image"', 'kind = "image"\nfile = "../x.onnx"'), "lies outside"),
        (("[output.y]", "[outputs.y]"), "'outputs' is unknown; did you mean output?"),
        (("[input.x]", "[input]\nx = 3\n#"), "input.x: write it as a table"),
        (('kind = "image"', "kind = "), "x.toml"),
    ],
)
def test_a_wrong_card_says_where(tmp_path, change, said):
    text = nets.card_text().replace(*change, 1)
    with pytest.raises(KfxError) as error:
        parsed(text, tmp_path)
    assert said in str(error.value)
    assert "x.toml" in str(error.value)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"layout": "NHWC", "size": (16, 16)}, "input.x: size: the card gives 16 along H of NHWC"),
        ({"layout": "CHW", "size": (16, 16)}, "layout: CHW has 3 axes, the net has 1×3×16×16"),
        ({"size": (16, 8)}, "input.x: size: the card gives 8 along H"),
        ({}, "input.x: size is missing: the net is fixed to 1×3×16×16"),
    ],
)
def test_a_card_that_does_not_fit_its_net(tmp_path, options, said):
    net = nets.scale_net(tmp_path / "x.onnx", shape=(1, 3, 16, 16))
    with pytest.raises(KfxError) as error:
        Net(cards.load(nets.with_card(net, **options)), (64, 48))
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("[input.x]", "[input.z]"), "the net has no such one; it has x"),
        (("[output.y]", "[output.z]"), "the net has no such one; it has y"),
        (("[input.x]", '[input.x]\ntype = "uint8"'), "type: the net has float32, not uint8"),
        (('kind = "image"', 'kind = "image"\nsha256 = "ab"'), "this isn't the net"),
    ],
)
def test_a_card_of_another_net(tmp_path, change, said):
    nets.scale_net(tmp_path / "x.onnx")
    with pytest.raises(KfxError) as error:
        Net(parsed(nets.card_text().replace(*change, 1), tmp_path), (64, 48))
    assert said in str(error.value)


def test_a_hash_that_fits(tmp_path):
    net = nets.scale_net(tmp_path / "x.onnx")
    text = nets.card_text().replace("kind", f'sha256 = "{cards.hash_of(net)}"\nkind', 1)
    with Net(parsed(text, tmp_path), (16, 16)) as one:
        assert one.size == (16, 16)


def test_a_missing_net(tmp_path):
    with pytest.raises(KfxError, match=r"x\.onnx: .*is the path right"):
        Net(parsed(nets.card_text(), tmp_path), (16, 16))
