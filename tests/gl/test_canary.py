"""The canary: a shader that hangs, crashes or doesn't compile never reaches the show."""

import os
import threading
from pathlib import Path

import pytest

from kfx.errors import KfxError
from kfx.render import canary, isf
from tests.waiting import LONG_S

SIZE = (64, 36)
HEAD = '/*{"INPUTS": [{"NAME": "inputImage", "TYPE": "image"}]}*/\n'
GOOD = "void main() { gl_FragColor = IMG_THIS_PIXEL(inputImage); }"
# llvmpipe leaves a loop after 65536 rounds: two of them, one in the other, are ten minutes.
ENDLESS = """void main() {
    float x = IMG_THIS_PIXEL(inputImage).a * 1e9, sum = 0.0;
    for (float i = 0.0; i < x; i += 1.0)
        for (float j = 0.0; j < x; j += 1.0) sum += sin(i * sum + j);
    gl_FragColor = vec4(sum);
}"""


@pytest.fixture(scope="module", autouse=True)
def worker():
    yield
    canary.stop()


def file(folder: Path, text: str, name: str = "a.fs") -> isf.Shader:
    path = folder / name
    path.write_text(HEAD + text)
    return isf.load(path)


def test_a_good_shader_passes_and_the_worker_stays(tmp_path):
    good = file(tmp_path, GOOD)
    canary.prove([good, good], SIZE, LONG_S)
    first = canary._worker
    canary.prove([good], (128, 72), LONG_S)
    assert canary._worker is first


def test_a_fault_names_the_file_and_the_line(tmp_path):
    good, bad = file(tmp_path, GOOD), file(tmp_path, "void main() { nonsense; }", "b.fs")
    with pytest.raises(KfxError, match=r"b\.fs.*2.*nonsense"):
        canary.prove([good, bad], SIZE, LONG_S)
    canary.prove([good], SIZE, LONG_S)


def test_a_shader_that_hangs_is_given_up_and_the_next_one_is_tried(tmp_path):
    canary.warm()
    pid = canary._worker._process.pid
    with pytest.raises(KfxError, match=r"isn't drawn within 0\.5 s; look for a loop"):
        canary.prove([file(tmp_path, ENDLESS)], SIZE, 0.5)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    canary.prove([file(tmp_path, GOOD)], SIZE, LONG_S)


def test_a_driver_that_crashes_is_told(tmp_path, monkeypatch):
    canary.warm()
    canary._worker._process.kill()
    canary._worker._process.wait()
    canary.prove([file(tmp_path, GOOD)], SIZE, LONG_S)  # died in between: another one
    fault = canary._Worker.fault

    def crashing(worker, *given):
        threading.Timer(0.3, worker._process.kill).start()
        return fault(worker, *given)

    monkeypatch.setattr(canary._Worker, "fault", crashing)
    with pytest.raises(KfxError, match=r"a\.fs: crashes the graphics driver"):
        canary.prove([file(tmp_path, ENDLESS)], SIZE, LONG_S)
