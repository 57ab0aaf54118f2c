"""``kfx list``: what there is to put into the other commands."""

from __future__ import annotations

import argparse

EPILOG = """examples:
  kfx list effects
  kfx list devices
"""
THINGS = ("sources", "sinks", "effects", "presets", "devices", "trackers")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("things", choices=THINGS, metavar="THINGS", help=", ".join(THINGS))


def run(options: argparse.Namespace) -> int:
    rows = globals()[f"_{options.things}"]()
    width = max((len(name) for name, _ in rows), default=0)
    for name, text in rows:
        print(f"{name.ljust(width)}  {text}")
    return 0


def _sources() -> list[tuple[str, str]]:
    from kfx import sources

    return list(sources.KINDS.items())


def _sinks() -> list[tuple[str, str]]:
    from kfx import sinks

    return list(sinks.KINDS.items())


def _effects() -> list[tuple[str, str]]:
    from kfx import effects

    specs = [effects.find(name) for name in effects.names()]
    return [(spec.name, f"{spec.kind:7} {spec.doc}") for spec in specs]


def _presets() -> list[tuple[str, str]]:
    from kfx import presets

    return [(name, presets.load(name).doc) for name in presets.names()]


def _trackers() -> list[tuple[str, str]]:
    from kfx import tracking

    return [(name, "") for name in tracking.finder_names()]


def _devices() -> list[tuple[str, str]]:
    from kfx.cli.common import quiet_libraries

    with quiet_libraries():
        from kfx.sources import camera

        found = [(f"camera:{d.index}", f"{d.name} {d.path}".strip()) for d in camera.devices()]
    found = found or [("none", "no camera found; kfx live -i performer needs none")]
    return found + _sync_devices()


def _sync_devices() -> list[tuple[str, str]]:
    """What `--sync` can listen to: sound inputs and MIDI ports."""
    from kfx.cli.common import quiet_libraries
    from kfx.errors import KfxError
    from kfx.sync import audio_in, midi_in

    found = []
    for kind, devices in (("audio", audio_in.devices), ("midi", midi_in.ports)):
        try:
            with quiet_libraries():
                rows = devices()
        except KfxError as error:
            found.append((f"no {kind}", str(error)))
            continue
        found += [(one, "MIDI input") if isinstance(one, str) else one for one in rows]
    return found
