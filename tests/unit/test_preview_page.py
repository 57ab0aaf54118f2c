"""The preview page in a real browser: wipe, side by side, hold to compare, 1:1, and a new show."""

from __future__ import annotations

import shutil
import threading
import time
from fractions import Fraction

import cv2
import numpy as np
import pytest

from kfx import sinks
from kfx.types import Frame, Shot, StreamInfo, Tick
from tests.unit.test_sink_preview import free_port
from tests.waiting import LONG_S

SIZE = (960, 540)
PICTURE, PLATE = (200, 40, 120), (10, 200, 30)


class Show:
    def __init__(self, port: int) -> None:
        self.sink = sinks.open(f"preview:{port}", StreamInfo(SIZE, Fraction(30), live=True))
        plate, picture = (
            np.full((SIZE[1], SIZE[0], 4), (*rgb, 255), np.uint8) for rgb in (PLATE, PICTURE)
        )
        self._shot = Shot(picture, Tick(0, 0.0, 0.0, Frame(plate, 0, Fraction(0), 0.0)))
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while not self._end.wait(1 / 30):
            self.sink.write(self._shot)

    def __enter__(self) -> Show:
        return self

    def __exit__(self, *exc: object) -> None:
        self._end.set()
        self._thread.join()
        self.sink.close()


@pytest.fixture
def page():
    program = next(filter(None, map(shutil.which, ("chromium", "google-chrome"))), None)
    if program is None:
        pytest.skip("no chromium on this machine")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=program, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": SIZE[0], "height": SIZE[1]})
        page.faults = []
        page.on("pageerror", lambda error: page.faults.append(str(error)))
        yield page
        browser.close()


def wait_for(page, what: dict[tuple[int, int], tuple[int, int, int]]) -> None:
    """Until the page shows these colours at these points."""
    end = time.monotonic() + LONG_S
    while True:
        data = np.frombuffer(page.screenshot(type="png"), np.uint8)
        seen = cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1]
        shown = {at: seen[at[1], at[0]].astype(int) for at in what}
        if all(np.abs(shown[at] - rgb).max() < 8 for at, rgb in what.items()):
            return
        assert time.monotonic() < end, f"shows {shown}, not {what}; {page.faults}"


def test_the_page(page) -> None:
    port = free_port()
    left, right, top = (200, 300), (800, 300), (480, 60)
    with Show(port) as show:
        page.goto(show.sink.url)
        wait_for(page, {left: PICTURE, right: PICTURE})
        page.keyboard.press("2")
        wait_for(page, {left: PLATE, right: PICTURE})
        page.mouse.move(480, 300)
        page.mouse.down()
        page.mouse.move(120, 300)
        page.mouse.up()
        wait_for(page, {(60, 300): PLATE, left: PICTURE})
        page.keyboard.press("t")
        wait_for(page, {(60, 40): PLATE, (60, 200): PICTURE, (900, 40): PLATE})
        page.keyboard.press("3")
        wait_for(page, {left: PLATE, right: PICTURE, top: (11, 11, 13)})
        page.keyboard.press("1")
        wait_for(page, {left: PICTURE, right: PICTURE})
        page.keyboard.down(" ")
        wait_for(page, {left: PLATE, right: PLATE})
        page.keyboard.up(" ")
        wait_for(page, {left: PICTURE, top: PICTURE})
        assert show.sink.viewers <= 1
        page.keyboard.press("4")
        wait_for(page, {left: PLATE, right: PLATE})
    with Show(port):  # the page that is still open finds it
        page.keyboard.press("1")
        wait_for(page, {left: PICTURE})
    assert page.faults == []
