"""What a look remembers goes on when it is drawn at another size: trails, stills, nets' results."""

from fractions import Fraction
from functools import partial

import numpy as np
import pytest

from kfx import effects, presets, sources
from kfx.engine.look.chain import Chain
from kfx.engine.look.look import Look
from kfx.engine.loop.picture import Picture, scaled
from kfx.engine.stats import Stats
from kfx.engine.ticks import Ticks
from kfx.neural import card as cards
from kfx.neural import inspect
from kfx.neural.worker import Slowed
from kfx.render.gpu import Gpu
from tests import nets
from tests.faces import face_at, frame_of, picture, tick_of
from tests.looks import preset_of

SIZE, HALF = (320, 180), (160, 90)
FRAMES = 14
PIXELS = picture(*SIZE)
HZ = 8.0


@pytest.fixture(scope="module")
def gpu():
    with Gpu() as gpu:
        yield gpu


@pytest.fixture(scope="module")
def performer():
    """Ticks of a performer with true faces."""
    ticks = Ticks()
    with sources.open("performer", size=SIZE, stop_s=Fraction(FRAMES + 2, 30)) as source:
        return [ticks.tick(frame, frame.truth) for frame in source.frames()]


def apart(one, other):
    """Mean difference of two pictures in levels of 255."""
    return np.abs(one[..., :3].astype(float) - other[..., :3]).mean()


def handed_over(gpu, performer, name, seen):
    """What is `seen` of one tick: drawn at half size throughout; as inherited; begun anew."""
    preset = presets.alone(effects.find(name))
    small = [scaled(tick, HALF) for tick in performer]
    with Chain(gpu, preset, SIZE) as large, Chain(gpu, preset, HALF) as always:
        for one, other in zip(performer[:FRAMES], small, strict=False):
            large.render(one)
            always.render(other)
        with Chain(gpu, preset, HALF) as heir, Chain(gpu, preset, HALF) as fresh:
            for chain in (heir, fresh):
                for _ in chain.warm(small[FRAMES]):
                    pass
            heir.inherit(large)
            return [seen(chain, small[FRAMES]) for chain in (always, heir, fresh)]


def picture_of(chain, tick):
    return np.array(chain.render(tick))


def points_of(chain, tick):
    chain.render(tick)
    return chain.shown[0].landmarks


@pytest.mark.parametrize(
    "name", ["captcha_grid", "cosmic_bg", "echo_trails", "flash", "multiply", "slit_scan"]
)
def test_what_a_shader_remembers_goes_on_at_another_size(gpu, performer, name):
    always, heir, fresh = handed_over(gpu, performer, name, picture_of)
    assert apart(fresh, always) > 0.2, "nothing is remembered that shows"
    assert apart(heir, always) < 0.5 * apart(fresh, always)


@pytest.mark.parametrize("name", ["deadpan_step", "expr_amp", "liquify"])
def test_what_a_motion_remembers_goes_on_at_another_size(gpu, performer, name):
    always, heir, fresh = handed_over(gpu, performer, name, points_of)
    assert np.abs(fresh - always).max() > 0.01, "nothing is remembered that shows"
    assert np.abs(heir - always).max() < 0.001


def live(gpu, card, sizes, faces, **values):
    """A slow net's pictures, half size, while its look goes through `sizes`; and its look."""
    faults = []
    with Look(
        gpu, preset_of(card, **values), SIZE, pace=partial(Slowed, hz=HZ), on_fault=faults.append
    ) as look:
        shown = Picture([look], Stats(SIZE, Fraction(30), "", ""), period_s=10.0)
        pictures, index = [], 0

        def draw():
            nonlocal index
            tick = tick_of(frame_of(PIXELS, index), faces(index), 1 / 30 if index else 0.0)
            pictures.append(np.array(shown.draw(tick))[::2, ::2])
            index += 1

        for size in sizes:
            look.resize(size)
            for _ in range(60):
                if look.size == size and look.settled:
                    break
                draw()
            assert look.size == size
            for _ in range(12):
                draw()
        assert look.resizes
        assert faults == []
        return pictures, look.nets


@pytest.mark.parametrize("options", [{"region": "face"}, {"region": "head"}, {}])
def test_a_nets_results_go_on_at_another_size(gpu, tmp_path, options):
    net = nets.scale_net(tmp_path / "turn.onnx", shape=(1, 3, 96, 96))
    card = str(nets.with_card(net, size=(96, 96), **options))
    pictures, (facts,) = live(
        gpu, card, [SIZE, HALF, SIZE], lambda i: [face_at(150 + 0.4 * i, 80, 40)]
    )
    plate = PIXELS[::2, ::2]
    from_plate = [apart(one[20:60, 60:90], plate[20:60, 60:90]) for one in pictures]
    began = next(i for i, far in enumerate(from_plate) if far > 0.9 * max(from_plate))
    assert max(from_plate) > 10.0
    assert min(from_plate[began:]) > 0.75 * max(from_plate), "the plate came through"
    assert facts["hz"] == pytest.approx(HZ, rel=0.5)


def test_a_net_that_remembers_does_so_at_another_size(gpu, tmp_path):
    net = nets.counting_net(tmp_path / "count.onnx")
    text = cards.dumps(inspect.inspect(net)).replace('region = "face"', 'region = "frame"')
    net.with_suffix(".toml").write_text(text)
    pictures, _ = live(gpu, str(net), [SIZE, HALF], lambda i: [], light=0.0)
    counted = [int(one[20, 40, 0]) for one in pictures[4:]]  # the plate comes before
    shown = counted[counted.index(1) :]
    assert shown == sorted(shown)
    assert shown[-1] > len(pictures) / (30 / HZ) - 4


def test_only_a_net_that_takes_frames_as_they_come_keeps_a_look_at_its_size(gpu, tmp_path):
    free = nets.with_card(nets.scale_net(tmp_path / "free.onnx"))
    with Look(gpu, preset_of(str(free)), SIZE) as look:
        assert not look.resizes
    faces = nets.with_card(nets.scale_net(tmp_path / "face.onnx"), region="face")
    with Look(gpu, preset_of(str(faces)), SIZE) as look:
        assert look.resizes
