"""Does to a look what was done to it live, at the same frames."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from kfx import presets
from kfx.engine.look.autobypass import Strict, Unit
from kfx.engine.look.crossfade import Progress
from kfx.engine.look.journal import Bypassed, Seen, State, Turned
from kfx.engine.look.look import Look
from kfx.engine.look.plan import compile_plan
from kfx.engine.takes.look_log import LookLog
from kfx.errors import UsageError
from kfx.presets import Preset
from kfx.takes.clock_log import FIRST_FRAME


class LeftOut:
    """What a look takes as its `care`: the links that live left out are left out again."""

    def __init__(self) -> None:
        self.units: frozenset[Unit] = frozenset()

    def __call__(self, preset: Preset) -> Strict:
        return _Skips(preset, self)


class _Skips(Strict):
    def __init__(self, preset: Preset, now: LeftOut) -> None:
        super().__init__(preset)
        self._now = now
        self._stale: set[Unit] = set()

    def allows(self, unit: Unit, reset: Callable[[], None]) -> bool:
        if unit in self._now.units:
            self._stale.add(unit)
            return False
        if unit in self._stale:
            self._stale.discard(unit)
            reset()
        return True


class Repeat:
    """Give a `Look` its `preset` and `care`, tell `begin` of it and `before` of each picture.

    With `settings`, as ``--set`` has them, these knobs have their values all the time. Raises
    `UsageError` for settings that fit no look of the take.
    """

    def __init__(self, log: LookLog, settings: Sequence[str] = ()) -> None:
        self._log, self._settings = log, list(settings)
        self.care = LeftOut()
        for setting in self._settings:
            _check(setting, log.presets)
        self.preset = self._set(log.first.preset)

    @property
    def needs_person(self) -> bool:
        """Whether any of the looks needs a person matte."""
        return any(compile_plan(one).needs_person for one in self._log.presets)

    def begin(self, look: Look) -> None:
        self._look = look
        first: State = self._log.first
        look.bypass_only(first.bypassed)
        if first.coming is not None:
            fade = Progress(first.coming.seconds, first.coming.beats, first.done, first.beat)
            self._to(first.coming, fade)

    def before(self, shot: int) -> bool:
        """Do what comes with the shot of that number, counted from 0: whether it is drawn."""
        done = self._log.at.get(FIRST_FRAME + shot)
        if done is None:
            return True
        if done.left_out is not None:
            self.care.units = done.left_out
        for entry in done.entries:
            if isinstance(entry, Seen):
                self._to(entry)
            elif isinstance(entry, Turned):
                if not self._has(entry):
                    self._look.set(entry.place, entry.knob, entry.value)
            elif isinstance(entry, Bypassed):
                self._look.bypass(entry.place, entry.on)
            else:
                self._look.drop()
        return done.drawn

    def _to(self, seen: Seen, begun: Progress | None = None) -> None:
        self._look.change(
            self._set(seen.preset),
            seconds=seen.seconds,
            beats=seen.beats,
            rebuild=seen.anew,
            bypassed=seen.bypassed,
            begun=begun,
        )

    def _set(self, preset: Preset) -> Preset:
        for setting in self._settings:
            try:
                preset = presets.with_settings(preset, [setting])
            except UsageError:  # it is meant for another look of the take
                continue
        return preset

    def _has(self, turned: Turned) -> bool:
        """Whether a setting holds this knob."""
        chain = self._look.preset.chain
        if not self._settings or turned.place >= len(chain):
            return False
        effect = chain[turned.place].effect.name
        number = sum(link.effect.name == effect for link in chain[: turned.place])
        names = {f"{effect}.{turned.knob}", f"{effect}[{number}].{turned.knob}"}
        if number:
            names.discard(f"{effect}.{turned.knob}")
        return any(one.partition("=")[0].strip() in names for one in self._settings)


def _check(setting: str, looks: Sequence[Preset]) -> None:
    fault: UsageError | None = None
    for preset in looks:
        try:
            presets.with_settings(preset, [setting])
            return
        except UsageError as error:
            fault = fault or error
    assert fault is not None
    raise fault
