"""Which provider a net gets: one that answers as the CPU does, and the CPU where it goes astray."""

import numpy as np
import pytest

from kfx.neural import card as cards
from kfx.neural import providers
from kfx.neural.session import Given, Net, sample_picture
from tests import nets

FAST = "CUDAExecutionProvider"


class Stood:
    """A session on a provider that this machine doesn't have: the CPU's, with faults."""

    fault = ""

    def __init__(self, real, on_fast):
        self._real, self._on_fast = real, on_fast

    def get_providers(self):
        return [FAST, providers.CPU] if self._on_fast else [providers.CPU]

    def run(self, names, feeds, how=None):
        answers = self._real.run(names, feeds, how)
        if not self._on_fast:
            return answers
        if self.fault == "throws":
            raise RuntimeError("CUDNN_STATUS_EXECUTION_FAILED")
        changed = {"wrong": lambda one: 1 - one, "nan": lambda one: one * np.nan}
        changed["shape"] = lambda one: one[..., :-1]
        return [changed.get(self.fault, np.array)(one) for one in answers]

    def io_binding(self):
        return self._real.io_binding()

    def run_with_iobinding(self, binding, how):
        if self._on_fast and self.fault == "lost":
            raise RuntimeError("CUDA error 719: unspecified launch failure")
        self._real.run_with_iobinding(binding, how)


@pytest.fixture
def stood(monkeypatch):
    """The runtime has a faster provider, as good as `Stood.fault` lets it be."""
    runtime = providers.runtime()
    real = runtime.InferenceSession

    def session(path, options, providers, **named):
        on_fast = providers[0] == FAST
        if on_fast and Stood.fault == "opens":
            raise RuntimeError("CUDA failure 2: out of memory")
        return Stood(real(path, options, providers=providers[-1:], **named), on_fast)

    monkeypatch.setattr(runtime, "InferenceSession", session)
    monkeypatch.setattr(providers, "candidates", lambda: [FAST, providers.CPU])
    monkeypatch.setattr(Stood, "fault", "")
    return Stood


@pytest.fixture
def net(tmp_path, stood):
    def opened(fault, make=nets.scale_net, **options):
        stood.fault = fault
        made = nets.with_card(make(tmp_path / "turn.onnx"), **options)
        return Net(cards.load(made), (32, 16))

    return opened


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("wrong", "differs from the CPU's"),
        ("nan", "holds NaN"),
        ("shape", "has the shape"),
        ("throws", "CUDNN_STATUS"),
        ("opens", "out of memory"),
    ],
)
def test_a_provider_that_answers_otherwise_is_passed_over(net, fault, said):
    with net(fault) as one:
        assert one.provider == providers.CPU
        (told,) = one.fallbacks
        assert told.startswith("CUDA: ")
        assert said in told


def test_a_good_one_is_taken_and_one_that_is_lost_gives_way_to_the_cpu(net, stood):
    picture = sample_picture((32, 16))
    with net("") as one:
        assert one.provider == FAST
        assert one.fallbacks == ()
        before = np.array(one.run(Given(picture))["y"])
        stood.fault = "lost"
        assert (one.run(Given(picture))["y"] == before).all()
        assert one.provider == providers.CPU
        assert one.fallbacks == ("CUDA: CUDA error 719: unspecified launch failure",)


def test_a_fault_of_the_net_itself_costs_it_no_provider(tmp_path, stood):
    made = nets.faulty_net(tmp_path / "bad.onnx", "throws")
    text = nets.card_text(size=(16, 16)) + '\n[input.time]\nis = "time"\n'
    made.with_suffix(".toml").write_text(text)
    with Net(cards.load(made.with_suffix(".toml")), (16, 16)) as one:
        picture = sample_picture((16, 16))
        with pytest.raises(Exception, match="out of data bounds"):
            one.run(Given(picture, time=1.0))
        one.run(Given(picture, time=0.0))
        assert one.provider == FAST
        assert one.fallbacks == ()
