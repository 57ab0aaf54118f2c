"""A performer's own modes of expression: learned, kept by name, and used by expr_amp."""

import json
from dataclasses import replace

import numpy as np
import pytest

from kfx.canonical import canonical
from kfx.cli import main
from kfx.errors import KfxError
from kfx.motion.expr_amp import ExprAmp
from kfx.tracking import calibration, own_basis
from kfx.tracking.calibration import Calibration
from tests.faces import face_at, frame_of, picture, smiling, tick_of

REST = canonical().vertices
SMILE = (smiling() - REST).astype(np.float32)
PLAIN = Calibration((0.0,) * 51, (1.0,) * 51)


def minute():
    """Somebody who can do nothing but smile, and trembles a little."""
    rng = np.random.default_rng(3)
    sizes = np.abs(np.sin(np.arange(320) / 11.0))
    return [REST + np.float32(s) * SMILE + rng.normal(0, 2e-4, REST.shape) for s in sizes]


@pytest.fixture(scope="module")
def basis():
    return own_basis.learned(minute())


@pytest.fixture
def lead(basis, tmp_path, monkeypatch):
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    return calibration.save("lead", replace(PLAIN, basis=basis))


def test_the_modes_are_what_was_shown(basis):
    assert len(basis.sigma) == 1, "trembling was learned"
    gram = basis.modes @ basis.modes.T
    np.testing.assert_allclose(gram, np.eye(len(gram)), atol=1e-5)
    smile = SMILE.reshape(-1)
    turned = (SMILE[canonical().mirror.astype(int)] * np.float32([-1, 1, 1])).reshape(-1)
    even = (smile + turned) / 2
    assert np.linalg.norm(basis.modes @ even) > 0.99 * np.linalg.norm(even)
    again = own_basis.learned(minute())
    np.testing.assert_array_equal(again.modes, basis.modes)


def test_a_head_that_is_laid_a_little_wrong_teaches_nothing(basis):
    """Turns and shifts of up to four degrees and a twentieth of an iod, as tracking leaves them."""
    shapes = []
    for k, shape in enumerate(minute()):
        angle = 0.07 * np.sin(k / 7.0)
        turn = np.float32(
            [[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]]
        )
        shapes.append(shape @ turn.T + np.float32([0.05 * np.cos(k / 5.0), 0, 0]))
    swayed = own_basis.learned(shapes)
    assert swayed.sigma[0] == pytest.approx(basis.sigma[0], rel=0.1)
    assert abs(float(swayed.modes[0] @ basis.modes[0])) > 0.98


def test_too_little_is_told():
    with pytest.raises(KfxError, match="10 frames look ahead, 300 are needed"):
        own_basis.learned(minute()[:10])
    with pytest.raises(KfxError, match="hardly moves"):
        own_basis.learned([REST] * 320)
    with pytest.raises(KfxError, match="0 frames"):
        own_basis.learned([np.full_like(REST, np.nan)] * 320)


def test_it_is_kept_with_the_calibration(basis, lead):
    loaded = calibration.load("lead").basis
    np.testing.assert_allclose(loaded.modes, basis.modes, atol=2e-3)
    np.testing.assert_allclose(loaded.sigma, basis.sigma, rtol=1e-3)
    assert calibration.known("nobody") is None
    assert calibration.known("") is None
    document = json.loads(lead.read_text())
    for damage in (
        {},
        {"sigma_iod": [1.0], "modes_f16": "AAAA"},
        {"sigma_iod": [], "modes_f16": ""},
    ):
        lead.write_text(json.dumps({**document, "basis": damage}))
        with pytest.raises(KfxError, match="damaged"):
            calibration.load("lead")


def pushed(shape, names=None, **knobs):
    """How far expr_amp moves a face that shows `shape` after a while at rest, in iod."""
    motion = ExprAmp({"gain": 2.0, "attack": 0.0, **knobs})
    motion.names = names or {}
    for k in range(12):
        face = face_at(200, 100, 50, age=k + 2, shape=REST if k < 11 else shape)
        points = motion.drive(face, tick_of(frame_of(PIXELS, k), [face], bool(k) / 30))
    return (points - face.landmarks) / 50


PIXELS = picture(400, 200)


def test_a_performer_is_pushed_along_their_own_expressions(lead):
    usual = pushed(smiling(0.5))
    own = pushed(smiling(0.5), performer="lead")
    np.testing.assert_array_equal(pushed(smiling(0.5), {0: "lead"}), own)
    np.testing.assert_array_equal(pushed(smiling(0.5), {0: "lead"}, own=0.0), usual)
    np.testing.assert_array_equal(pushed(smiling(0.5), {1: "lead"}), usual)
    np.testing.assert_array_equal(pushed(smiling(0.5), performer="nobody"), usual)
    half = pushed(smiling(0.5), performer="lead", own=0.5)
    np.testing.assert_allclose(half, (own + usual) / 2, atol=1e-4)
    # Their minute holds the smile as it is: what is added has its direction.
    along = [
        float((one * SMILE).sum() / np.linalg.norm(one) / np.linalg.norm(SMILE))
        for one in (own, usual)
    ]
    assert along[0] > max(along[1], 0.8)
    assert np.abs(own).max() < 0.3
    # What they never showed passes as it is; the others' modes push it.
    brows = REST.copy()
    brows[[105, 66, 107, 334, 296, 336], 1] -= 0.1
    assert np.abs(pushed(brows, performer="lead")).max() < 0.3 * np.abs(pushed(brows)).max()


def test_the_command_keeps_what_it_can(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setattr("sys.platform", "linux")
    spec = "performer?size=320x240&fps=25"
    assert main(["calibrate", "김 민지", spec, "--to", "2", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["frames"] == said["frames_with_face"] == 50
    assert said["modes"] == 0
    assert "300 are needed" in said["why"]
    assert calibration.load("김 민지").basis is None
    assert main(["calibrate", "lead", spec]) == 2
    assert "add --to" in capsys.readouterr().err
    assert main(["calibrate", " ", spec, "--to", "2"]) != 0
    assert "needs a name" in capsys.readouterr().err
    assert main(["calibrate", "lead", spec, "--to", "0.4"]) == 1
    assert "too few" in capsys.readouterr().err
