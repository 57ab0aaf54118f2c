"""The web panel of a live show, as an option: on for this machine unless told otherwise."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from kfx.errors import KfxError, UsageError

if TYPE_CHECKING:
    from kfx.engine.desk.live_show import LiveShow
    from kfx.engine.desk.session import Session
    from kfx.engine.stats import Stats
    from kfx.panel.pictures import Pictures
    from kfx.panel.server import Panel

OFF = "off"
LOOPBACK, PORT = "127.0.0.1", 8770


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """A group of its own in ``--help``."""
    group = parser.add_argument_group("control panel")
    group.add_argument(
        "--panel",
        metavar="[HOST:]PORT",
        help=f"the panel in a browser (default: this machine only, {PORT} or the next free port; "
        f"0.0.0.0:{PORT} lets tablets pair and look; '{OFF}' for none)",
    )


def address_of(text: str | None) -> tuple[str, int] | None:
    """Host and port of ``--panel``; None for ``off``. Raises `UsageError`."""
    if text == OFF:
        return None
    host, _, port = (text or str(PORT)).rpartition(":")
    if not (port.isdecimal() and 1 <= int(port) <= 65535):
        raise UsageError(f"--panel {text}: write [HOST:]PORT, as in 0.0.0.0:{PORT}, or {OFF}")
    return host or LOOPBACK, int(port)


class PanelExtra:
    """Opens the panel once a session has its desk; without one, every part is empty.

    Raises `UsageError` for an option that can't be understood.
    """

    def __init__(self, options: argparse.Namespace, show: LiveShow | None = None) -> None:
        self._asked_for = options.panel is not None
        self._address, self._show = address_of(options.panel), show
        self.panel: Panel | None = None
        self.ends: list[Pictures] = []
        self.begins: list[Callable[[Session], Callable[[], None]]] = []
        if self._address is not None:
            from kfx.panel.pictures import Pictures

            self.ends.append(Pictures())
            self.begins.append(self._begin)

    def ready(self, stats: Stats) -> None:
        """The show starts: the panel shows its state from here on."""
        if self.panel is not None:
            self.panel.show(stats)

    @property
    def url(self) -> str | None:
        """Where the panel is, for this machine."""
        return self.panel.url if self.panel else None

    def _begin(self, session: Session) -> Callable[[], None]:
        from kfx.panel.ahead import Ahead, cache_folder
        from kfx.panel.server import Panel

        assert self._address is not None
        assert session.desk is not None
        host, port = self._address
        try:
            panel = Panel(
                session.desk,
                self.ends[0],
                host=host,
                port=port,
                tokens=tokens(),
                says=session.fault,
                ahead=Ahead(Path.cwd(), cache_folder()),
                nets=lambda: getattr(session.look, "nets", []),
            )
            panel.__enter__()
        except KfxError as error:
            if self._asked_for:
                raise
            session.fault(str(error))  # nobody asked for it: the show goes on without
            return lambda: None
        self.panel = panel
        if self._show is not None:
            self._show.heard.append(lambda show: panel.play(show.show, show.edits.steps))
            panel.play(self._show.show, self._show.edits.steps)
        if panel.pairing_url:
            print(qr(panel.pairing_url), file=sys.stderr)
            print(f"panel: {panel.lan_url}  code {panel.roles.code}", file=sys.stderr, flush=True)
        return panel.close


def tokens() -> Path:
    """Where the tokens of paired devices are kept, by the custom of the system."""
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home())) / "kfx" / "panel.json"
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(state) / "kfx" / "panel.json"


def qr(text: str) -> str:
    """A QR code for a terminal."""
    import io

    import segno

    out = io.StringIO()
    with contextlib.suppress(UnicodeError):
        segno.make(text, micro=False).terminal(out, compact=True)
    return out.getvalue()
