"""Which control moves which address: learned by moving it, and written down beside the show.

One for all kinds of controllers. Controls are heard in threads that must not wait (JACK's drops
what comes meanwhile), so the file is written in a thread of its own.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from kfx.errors import KfxError
from kfx.sync.controls import Controls, whole_address

Map = TypeVar("Map")


class Learned(Generic[Map]):
    """`mappings` is what is known; `keep` replaces it, `close` waits until it is written.

    `save` writes a map and raises `KfxError`, which `on_fault` hears; without it nothing is
    written.
    """

    def __init__(
        self,
        controls: Controls,
        mappings: Map,
        *,
        save: Callable[[Map], None] | None = None,
        on_fault: Callable[[str], None] | None = None,
    ) -> None:
        self.mappings = mappings
        self._controls, self._save = controls, save
        self._on_fault = on_fault or (lambda text: None)
        self._learning = ""
        self._news = threading.Condition()
        self._unwritten: list[Map] = []
        self._writer: threading.Thread | None = None

    @property
    def learning(self) -> str:
        """The address that waits for a control, "" for none."""
        return self._learning

    def learn(self, address: str) -> None:
        """Map the control that is moved next to `address`; "" gives up.

        ``/kfx/v1`` may be left out. Raises `KfxError` where there is no such address.
        """
        self._learning = whole_address(self._controls, address)

    def taken(self) -> str:
        """The address that a control was waited for, "" for none: whoever asks has it."""
        with self._news:
            address, self._learning = self._learning, ""
        return address

    def keep(self, mappings: Map) -> None:
        """This is the map from now on; it is written shortly, the newest one if there are more."""
        with self._news:
            self.mappings = mappings
            if self._save is None:
                return
            self._unwritten = [mappings]
            if self._writer is None:
                self._writer = threading.Thread(target=self._write, name="kfx-learned")
                self._writer.start()

    def close(self) -> None:
        """Wait until everything is written."""
        with self._news:
            writer = self._writer
        if writer is not None:
            writer.join()

    def _write(self) -> None:
        assert self._save is not None
        while True:
            with self._news:
                if not self._unwritten:
                    self._writer = None
                    return
                mappings = self._unwritten.pop()
            try:
                self._save(mappings)
            except KfxError as error:
                self._on_fault(str(error))
