"""The small nets that come with kfx: opened once, and what is wrong with a file is said."""

import pytest

from kfx import own_nets
from kfx.errors import KfxError


def test_a_net_is_opened_once_a_process():
    assert own_nets.session("blendshapes") is own_nets.session("blendshapes")
    assert own_nets.session("blendshapes") is not own_nets.session("motion")


@pytest.mark.parametrize("content", [None, b"", b"no net at all"])
def test_a_net_that_is_missing_or_broken_is_named(tmp_path, monkeypatch, content):
    if content is not None:
        (tmp_path / "gone.onnx").write_bytes(content)
    monkeypatch.setattr("kfx.assets.folder", lambda kind: tmp_path)
    with pytest.raises(KfxError, match=r"gone\.onnx: can't be opened .*install kfx again"):
        own_nets.session("gone")
