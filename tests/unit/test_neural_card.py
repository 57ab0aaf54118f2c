"""Model cards: what they say, what is refused, and that they survive being written."""

from dataclasses import replace

import numpy as np
import onnx
import pytest

from kfx import assets
from kfx.canonical import canonical
from kfx.errors import KfxError
from kfx.neural import answer, fitting, inspect
from kfx.neural import card as cards
from kfx.neural.session import Given, Net, sample_picture
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


def keeps_its_word(card):
    """Its net runs on any picture, and answers the same to the same: finite, of one size."""
    with Net(card, (64, 48)) as net:
        width, height = net.size
        light = [np.full((height, width, 4), level, np.uint8) for level in (0, 255)]
        landmarks = (canonical().vertices * 0.3 + 0.5).astype(np.float32)
        knobs = {port.name: port.default for port in card.role("knob")}
        runs = []
        for picture in (sample_picture(net.size), *light, sample_picture(net.size)):
            given = Given(picture, landmarks=landmarks, knobs=knobs)
            answers = net.run(given, net.fresh_state())
            if card.kind in cards.DRAWN:
                runs.append(np.array(answer.drawn(card, answers, picture, {})))
            else:
                runs.append(np.concatenate([one.ravel() for one in answers.values()]))
        assert {one.shape for one in runs} == {runs[0].shape}
        assert all(np.isfinite(one.astype(np.float32)).all() for one in runs)
        assert (runs[0] == runs[-1]).all()


@pytest.mark.parametrize("path", OWN, ids=lambda path: path.name)
def test_every_own_net_keeps_its_cards_word(path):
    card = cards.load(path)
    assert card.sha256
    assert card.licence
    assert card.notes["data"]
    assert card.path.stat().st_size < 3_000_000
    keeps_its_word(card)


def test_every_net_at_hand_keeps_its_cards_word(shared):
    at_hand = {path.name: path for path in (shared / "data" / "onnx").rglob("*.onnx")}
    slow = {"agllnet_256x256.onnx"}
    seen = 0
    for path in EXAMPLES:
        card = cards.load(path)
        if card.path.name in at_hand.keys() - slow:
            keeps_its_word(replace(card, path=at_hand[card.path.name]))
            seen += 1
    assert seen >= 37


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
        (('kind = "image"', ""), "kind is missing; it is one of image"),
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
        (("[input.x]", "[input.x]\nmean = [0.1, 0.2]"), "input.x: mean: 2 numbers for 3 channels"),
        (("[output.y]", "[output.y]\nstd = [1, 2, 3, 4]"), "output.y: std: 4 numbers for 3"),
    ],
)
def test_a_card_of_another_net(tmp_path, change, said):
    nets.scale_net(tmp_path / "x.onnx")
    with pytest.raises(KfxError) as error:
        Net(parsed(nets.card_text().replace(*change, 1), tmp_path), (64, 48))
    assert said in str(error.value)


def test_a_hash_that_fits(tmp_path):
    net = nets.scale_net(tmp_path / "x.onnx")
    text = nets.card_text().replace("kind", f'sha256 = "{fitting.hash_of(net)}"\nkind', 1)
    with Net(parsed(text, tmp_path), (16, 16)) as one:
        assert one.size == (16, 16)


def test_a_hash_covers_weights_that_lie_beside_the_net(tmp_path):
    net = nets.scale_net(tmp_path / "x.onnx")
    model = onnx.load(str(net))
    tensor = next(one for one in model.graph.initializer if one.name == "gain")
    (tmp_path / "gain.bin").write_bytes(tensor.raw_data)
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.ClearField("raw_data")
    tensor.external_data.add(key="location", value="gain.bin")
    net.write_bytes(model.SerializeToString())
    guessed = inspect.inspect(net)
    Net(guessed, (16, 16)).close()
    (tmp_path / "gain.bin").write_bytes(np.float32(-0.5).tobytes())
    with pytest.raises(KfxError, match="this isn't the net"):
        Net(guessed, (16, 16))
    (tmp_path / "gain.bin").write_bytes(b"ab")
    with pytest.raises(KfxError, match=r"cut short: gain.bin has 2 bytes of 4"):
        Net(guessed, (16, 16))


def test_a_missing_net(tmp_path):
    with pytest.raises(KfxError, match=r"x\.onnx: .*is the path right"):
        Net(parsed(nets.card_text(), tmp_path), (16, 16))
