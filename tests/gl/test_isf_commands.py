"""Anyone's shader in the commands: ``kfx check --shader``, and as a look in a chain."""

import json
import os

import cv2
import numpy as np
import pytest

from kfx import presets
from kfx.cli import main
from kfx.engine.look.chain import Chain
from kfx.render.gpu import Gpu
from tests.faces import face_at, frame_of, tick_of
from tests.isf_files import GREEN, PIXELS, SIZE, write

FILL = "void main() { gl_FragColor = vec4(0.0, 1.0, 0.0, 1.0); }"
COUNT = """void main() {
    gl_FragColor = IMG_THIS_PIXEL(sum);
    if (PASSINDEX == 0) gl_FragColor += vec4(0.1, 0.0, 0.0, 1.0);
}"""
PASSES = [{"TARGET": "sum", "PERSISTENT": True, "FLOAT": True}, {}]


def check(capsys, *arguments):
    code = main(["check", *map(str, arguments)])
    said = capsys.readouterr()
    return code, [json.loads(line) for line in said.out.splitlines()], said.err


def test_a_good_shader_is_a_line_of_json(tmp_path, capsys):
    path = write(tmp_path, COUNT, {"NAME": "a", "TYPE": "float", "DEFAULT": 3}, PASSES=PASSES)
    code, verdicts, _ = check(capsys, "--shader", path)
    assert code == 0
    assert verdicts == [
        {
            "file": str(path),
            "ok": True,
            "kind": "filter",
            "passes": 2,
            "inputs": [{"name": "inputImage", "type": "image"}, {"name": "a", "type": "float"}],
            "error": None,
            "warnings": ["input a: default 3 is outside 0..1"],
        }
    ]


def test_one_bad_shader_fails_and_the_others_are_still_checked(tmp_path, capsys):
    files = [
        write(tmp_path, "void main() {\n oops = 1; }", name="a.fs"),
        write(tmp_path, FILL, name="b.fs", plate=False),
        tmp_path / "missing.fs",
        write(tmp_path, FILL, name="d.fs", IMPORTED={"t": {"PATH": "broken.png"}}),
    ]
    (tmp_path / "broken.png").write_bytes(b"no picture")
    code, verdicts, _ = check(capsys, "--shader", *files)
    assert code == 1
    assert [one["ok"] for one in verdicts] == [False, True, False, False]
    assert "a.fs:3: " in verdicts[0]["error"]
    assert verdicts[1]["kind"] == "generator"
    assert "missing.fs: No such file" in verdicts[2]["error"]
    assert "broken.png" in verdicts[3]["error"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes here")
def test_a_shader_that_hangs_is_given_up_and_the_others_are_checked(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("kfx.cli.check.SECONDS", 6)
    endless = tmp_path / "hang.fs"
    os.mkfifo(endless)  # reading it waits for ever, as a driver may
    code, verdicts, _ = check(capsys, "--shader", endless, write(tmp_path, FILL, name="good.fs"))
    assert code == 1
    assert [one["ok"] for one in verdicts] == [False, True]
    assert "hang.fs: it hangs" in verdicts[0]["error"]
    assert verdicts[0].keys() == verdicts[1].keys()


def test_an_older_glsl_can_be_asked_for(tmp_path, capsys):
    newer = "float f() { return 1; }\nvoid main() { gl_FragColor = vec4(f()); }"
    path = write(tmp_path, newer)
    assert check(capsys, "--shader", path, "--glsl", "330")[0] == 1
    assert check(capsys, "--shader", path)[0] == 0


@pytest.mark.parametrize("arguments", [[], ["supernova", "--glsl", "330"]])
def test_wrong_usage(arguments, capsys):
    assert check(capsys, *arguments)[0] == 2


def test_presets_are_checked_without_gl(monkeypatch, capsys):
    def no_context(*_, **__):
        raise AssertionError("a context was opened")

    monkeypatch.setattr("moderngl.create_context", no_context)
    assert main(["check", "supernova"]) == 0


@pytest.fixture(scope="module")
def gpu():
    with Gpu() as gpu:
        yield gpu


def play(gpu, path, faces, frames=3, before=None):
    with Chain(gpu, presets.load(str(path)), SIZE) as chain:
        shown = []
        for i in range(frames):
            if before is not None:
                before(chain, i)
            tick = tick_of(frame_of(PIXELS, i), faces[min(i, len(faces) - 1)], i and 1 / 30)
            shown.append(np.array(chain.render(tick)))
    return shown


def test_a_generator_is_a_look(gpu, tmp_path):
    path = write(
        tmp_path, FILL.replace("1.0); }", "step(0.5, isf_FragNormCoord.y)); }"), plate=False
    )
    shown = play(gpu, path, [[]], 1)[0]
    assert (shown[:90] == GREEN).all()
    assert (shown[90:] == PIXELS[90:]).all()


def test_a_transition_is_a_look(gpu, tmp_path):
    cv2.imwrite(str(tmp_path / "end.png"), np.full((2, 2, 3), (0, 255, 0), np.uint8))
    images = [{"NAME": "startImage", "TYPE": "image"}]
    images += [{"NAME": "endImage", "TYPE": "image", "DEFAULT": "end.png"}]
    progress = {"NAME": "progress", "TYPE": "float", "DEFAULT": 0.5}
    body = """void main() {
        bool late = isf_FragNormCoord.x < progress;
        gl_FragColor = late ? IMG_THIS_PIXEL(endImage) : IMG_THIS_PIXEL(startImage);
    }"""
    shown = play(gpu, write(tmp_path, body, *images, progress, plate=False), [[]], 1)[0]
    assert (shown[:, :160] == GREEN).all()
    assert (shown[:, 160:] == PIXELS[:, 160:]).all()


@pytest.mark.parametrize("region", ["frame", "face"])
def test_memory_goes_on_while_no_face_is_there_and_ends_at_a_cut(gpu, tmp_path, region):
    path = write(tmp_path, COUNT, PASSES=PASSES, KFX={"region": region})
    face = face_at()
    x, y = (int(one) for one in face.landmarks[4, :2])
    faces = [[face], [], [], [face], [face]]

    def cut(chain, i):
        if i == 4:
            chain.reset()

    shown = play(gpu, path, faces, 5, cut)
    assert [int(shown[i][y, x, 0]) for i in (0, 3, 4)] == pytest.approx([25, 102, 25], abs=1)
    if region == "face":
        assert (shown[1] == PIXELS).all()
