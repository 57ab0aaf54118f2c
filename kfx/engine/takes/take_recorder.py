"""Rolls and cuts takes beside a running show: a slow or full disk ends the take, never the show."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kfx.engine.desk.tree import Change
from kfx.engine.look.journal import Page
from kfx.engine.loop.deliver import FILE_QUEUE, FINISH_S
from kfx.engine.mailbox import Closed, Mailbox
from kfx.engine.stats import Stats
from kfx.engine.takes.take_effects import Asked
from kfx.engine.takes.take_files import About, Facts, TakeFiles
from kfx.errors import KfxError, UsageError
from kfx.takes import document, naming
from kfx.takes.document import Take
from kfx.types import Shot

MOST_QUEUE_BYTES = 512 * 1024 * 1024  # of plates and pictures that wait for the disk
LEAST_QUEUE = 12
ABOUT = About()
MOST_CHANGES = 10_000  # of controls that wait to be written


@dataclass(frozen=True, slots=True)
class _Sent:
    """A shot with all that a take is to know of it."""

    shot: Shot
    asked: Asked
    page: Page | None  # where it was drawn
    gave_up: tuple[str, ...]  # by the governor


class _Rolling:
    """One take and its thread."""

    def __init__(self, files: TakeFiles, stats: Stats) -> None:
        self.files, self._stats = files, stats
        width, height = files.facts.stream.size
        depth = min(FILE_QUEUE, max(LEAST_QUEUE, MOST_QUEUE_BYTES // (width * height * 8)))
        self.box: Mailbox[_Sent] = Mailbox(depth, newest=False)
        self.changes: Mailbox[dict[str, Any]] = Mailbox(MOST_CHANGES)
        self.take: Take | None = None
        self.thread = threading.Thread(target=self._run, name=f"kfx-{files.name}", daemon=True)
        self.thread.start()

    def _run(self) -> None:
        warnings: list[str] = []
        try:
            while (sent := self.box.take()) is not None:
                self.files.write(sent.shot)
                self.files.look(sent.page, sent.gave_up)
                self.files.effects.see(self.files.shots - 1, sent.shot, sent.asked)
                self._write_changes()
        except Closed:
            pass
        except Exception as error:  # a take's fault must not end the show
            warnings.append(str(error) or repr(error))
            self._stats.warn(f"take {self.files.name}: {error}; the take ends here")
            self._stats.state["take"] = f"{self.files.name} failed"
            self.box.close(discard=True)
        try:
            self._write_changes()
            self.take = self.files.finish(self._stats.report(), warnings)
        except Exception as error:
            self._stats.warn(f"take {self.files.name}: {error}")

    def _write_changes(self) -> None:
        try:
            while (change := self.changes.take(0.0)) is not None:
                self.files.control(change)
        except Closed:
            return


class TakeRecorder:
    """Stands among the outputs of a show as an `Output` does; `roll` and `cut` from any thread.

    `asked` tells the look of the moment, `page` how the picture of a tick was drawn.
    """

    spec = "take"
    failed = True  # it is never what keeps a show alive: see `Outputs.all_failed`

    def __init__(
        self, folder: Path, slate: str, *, rolls: bool = True, about: About = ABOUT
    ) -> None:
        """With `rolls` the first take begins with the first shot. Raises `KfxError`."""
        naming.next_name(folder, slate)
        self._folder, self._slate = folder, slate
        self._wants = rolls
        self.about = about
        self._lock = threading.Lock()
        self._now: _Rolling | None = None
        self._all: list[_Rolling] = []
        self._stats: Stats | None = None
        self._facts: Facts | None = None
        self._asked: Callable[[], Asked] | None = None
        self._page: Callable[[int], Page | None] = lambda index: None
        self.on_change: Callable[[], None] = lambda: None

    def open(
        self,
        facts: Facts,
        stats: Stats,
        asked: Callable[[], Asked],
        page: Callable[[int], Page | None] | None = None,
    ) -> None:
        """What a take has to know, once the show is open."""
        self._facts, self._stats, self._asked = facts, stats, asked
        self._page = page or self._page
        stats.state["take"] = "standing by"

    needs_blendshapes = True  # a take may be rendered with another look

    # The operator's, from any thread.

    @property
    def slate(self) -> str:
        return self._slate

    @slate.setter
    def slate(self, slate: str) -> None:
        self._slate = naming.checked_slate(slate)

    @property
    def name(self) -> str:
        """The take that rolls; empty for none."""
        now = self._now
        return now.files.name if now is not None else ""

    @property
    def last(self) -> str:
        """The take that rolls or was the last to."""
        return self._all[-1].files.name if self._all else ""

    def roll(self) -> str:
        """Begin the next take. Raises `UsageError` while one is rolling."""
        with self._lock:
            if self._now is not None:
                raise UsageError(f"take {self._now.files.name} is rolling; cut it first")
            return self._begin()

    def cut(self) -> str:
        """End the take. Raises `UsageError` where none is rolling."""
        with self._lock:
            now, self._now, self._wants = self._now, None, False
            if now is None:
                raise UsageError("no take is rolling; roll one")
            now.box.close()
            assert self._stats is not None
            self._stats.state["take"] = "standing by"
        self.on_change()
        return now.files.name

    def note(self, text: str, by: str = "") -> None:
        """Say something of the take that rolls, or of the last one. Raises `KfxError`."""
        self._change(lambda take, at: take.note(text, by, at))

    def circle(self, on: bool = True) -> None:
        """Mark the take that rolls, or the last one, as one to keep. Raises `KfxError`."""
        self._change(lambda take, at: take.circle(on))

    def heard(self, change: Change) -> None:
        """Something was set on the desk; given to `Desk.subscribe`."""
        now = self._now
        if now is not None:
            said = {"address": change.address, "value": change.value, "by": change.by}
            now.changes.put({**said, "number": change.number})

    # An output's.

    def start(self) -> None:
        """Nothing is opened before the first shot."""

    def put(self, shot: Shot) -> None:
        """Leave a shot for the take that rolls; never blocks."""
        page = self._page(shot.drawn.index) if shot.drawn is not None else None
        with self._lock:
            if self._wants and self._now is None:
                self._wants = False
                try:
                    self._begin()
                except KfxError as error:
                    assert self._stats is not None
                    self._stats.warn(f"take: {error}")
            now = self._now
            if now is None:
                return
            if now.box.closed or not now.thread.is_alive():
                self._now = None
                return
            try:
                assert self._asked is not None
                assert self._stats is not None
                gave_up = tuple(self._stats.show.get("governor", ()))
                now.box.put(_Sent(shot, self._asked(), page, gave_up))
            except KfxError as error:
                now.box.close()
                self._now = None
                assert self._stats is not None
                self._stats.warn(f"take {now.files.name}: {error}; the take ends here")
                self._stats.state["take"] = f"{now.files.name} ended: the disk is too slow"

    def finish(self) -> None:
        """End what rolls and wait until every take is written."""
        with self._lock:
            now, self._now, self._wants = self._now, None, False
        if now is not None:
            now.box.close()
        for one in self._all:
            one.thread.join(FINISH_S)
            if one.thread.is_alive() and self._stats is not None:
                self._stats.warn(f"take {one.files.name}: isn't written after {FINISH_S:.0f} s")

    def note_news(self) -> None:
        """Faults are told as they come."""

    def _begin(self) -> str:
        assert self._facts is not None
        assert self._stats is not None
        assert self._asked is not None
        name = naming.next_name(self._folder, self._slate)
        files = TakeFiles(self._folder, name, self._facts, self._asked().preset)
        self._now = _Rolling(files, self._stats)
        self._all.append(self._now)
        self._stats.state["take"] = f"{name} rolling"
        self.on_change()
        return name

    def _change(self, change: Callable[[Take, str], None]) -> None:
        if not self._all:
            raise UsageError("there is no take yet; roll one")
        last = self._all[-1]
        folder = last.files.folder
        if last.thread.is_alive():
            at = last.files.code(last.files.seconds)
            last.files.later.append(lambda take: change(take, at))
            return
        take = document.load(folder)
        change(take, "")
        document.save(take)
