"""``kfx ctl``: control a running show from a shell."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

DESCRIPTION = """Control a running kfx live from a shell or a script.

An address may be written without /kfx/v1: film/grain, chain/3/film/grain, preset, mode.
Behind …/norm a value is 0..1 of its range. `kfx ctl list` names all addresses.
"""
EPILOG = """examples:
  kfx ctl list film                    the addresses below film, with values and ranges
  kfx ctl get film/grain
  kfx ctl set film/grain 0.1
  kfx ctl set chain/3/film/grain/norm 0.5
  kfx ctl preset rnb_neon --fade 2     cross-fade to a preset in two seconds
  kfx ctl cue chorus                   go to a cue; without a name the next one
  kfx ctl panic                        the clean plate, now; kfx ctl set mode live ends it
  kfx ctl watch --json                 every change from now on, one line each
  kfx ctl set learn film/grain         the MIDI control that is moved next moves it
"""
CUE_GO, CUE_GOTO = "cue/go", "cue/goto"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    from kfx.sync.oscquery_client import PORT

    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)

    def action(name: str, line: str) -> argparse.ArgumentParser:
        sub = actions.add_parser(name, help=line, description=line[0].upper() + line[1:] + ".")
        sub.add_argument("--host", default="127.0.0.1", help="default: this machine")
        sub.add_argument("--port", type=int, default=PORT, help=f"default: {PORT}")
        return sub

    get = action("get", "print a value")
    get.add_argument("address", metavar="ADDRESS")
    get.add_argument("--json", action="store_true", help="the whole parameter as JSON")
    change = action("set", "set a value, or fire an event")
    change.add_argument("address", metavar="ADDRESS")
    change.add_argument("value", metavar="VALUE", nargs="*", help="several make a vector")
    preset = action("preset", "go over to a preset")
    preset.add_argument("name", metavar="NAME", help="of the library, or a .toml file")
    preset.add_argument("--fade", type=float, metavar="S", help="seconds of the cross-fade")
    cue = action("cue", "go to a cue, or to the next one")
    cue.add_argument("name", metavar="NAME", nargs="?")
    action("panic", "the clean plate, now")
    for name, line in (("undo", "take back the last step"), ("redo", "do it again")):
        action(name, line)
    listing = action("list", "print the addresses with values and ranges")
    listing.add_argument("address", metavar="PREFIX", nargs="?", default="")
    listing.add_argument("--json", action="store_true", help="as one JSON list")
    watch = action("watch", "print every change from now on")
    watch.add_argument("address", metavar="PREFIX", nargs="?", default="")
    watch.add_argument("--json", action="store_true", help="one JSON object a line")


def run(options: argparse.Namespace) -> int:
    from kfx.sync.oscquery_client import Client

    with Client(options.host, options.port) as show:
        _check_playing(show, options)
        if options.action == "get":
            _get(show, options.address, as_json=options.json)
        elif options.action == "set":
            show.set(full(options.address), _value(options.value))
        elif options.action == "preset":
            _preset(show, options.name, options.fade)
        elif options.action == "cue":
            goes = (full(CUE_GO), True) if options.name is None else (full(CUE_GOTO), options.name)
            show.set(*goes)
        elif options.action == "list":
            _list(_below(show, options.address), as_json=options.json)
        elif options.action == "watch":
            _watch(show, options.address, as_json=options.json)
        else:
            show.set(full(options.action))
    return 0


def _check_playing(show: Any, options: argparse.Namespace) -> None:
    """Raise `UsageError` where an address is missing only for what kfx live was started without."""
    from kfx.errors import UsageError

    wanted = full(CUE_GO) if options.action == "cue" else full(getattr(options, "address", ""))
    for place, remedy in (
        (full(CUE_GO), "no show is played; start it by kfx live -s SHOW.toml"),
        (full("learn"), "no MIDI is listened to; start it by kfx live --midi PORT"),
    ):
        if wanted == place and not any(one["FULL_PATH"] == place for one in show.methods()):
            raise UsageError(f"{place}: {remedy}")


def full(address: str) -> str:
    """An address with what may be left out put before it."""
    from kfx.sync.controls import PREFIX

    if address == PREFIX or address.startswith(f"{PREFIX}/"):
        return address
    return f"{PREFIX}/{address.strip('/')}".rstrip("/")


def _get(show: Any, address: str, *, as_json: bool) -> None:
    from kfx.errors import UsageError

    address = full(address)
    found = _short(show, address) or show.node(address)
    if "TYPE" not in found:
        raise UsageError(f"{address}: is no value; see: kfx ctl list {address}")
    print(json.dumps(found, ensure_ascii=False) if as_json else _text(found))


def _short(show: Any, address: str) -> dict[str, Any] | None:
    """The parameter that ``/kfx/v1/film/grain`` means, which isn't listed under that name."""
    from kfx.sync.oscquery_tree import NORM

    parts = address.split("/")
    if parts[-1] == NORM and len(parts) == 6:
        knob = _short(show, "/".join(parts[:-1])) or {}
        return knob.get("CONTENTS", {}).get(NORM)  # type: ignore[no-any-return]
    if len(parts) != 5:
        return None
    ending = "/".join(parts[3:])
    found = [
        one
        for one in show.methods()
        if one["FULL_PATH"].count("/") == 6 and one["FULL_PATH"].endswith(f"/{ending}")
    ]
    return found[0] if len(found) == 1 else None


def _below(show: Any, prefix: str) -> list[dict[str, Any]]:
    """The parameters below an address, or of each effect of that name."""
    from kfx.errors import UsageError

    found = [one for one in show.methods() if _is_below(one["FULL_PATH"], prefix)]
    if not found:
        raise UsageError(f"{full(prefix)}: there is no such address; see: kfx ctl list")
    return found


def _is_below(address: str, prefix: str) -> bool:
    whole = f"{address}/"
    return whole.startswith(f"{full(prefix)}/") or (
        "/chain/" in address and f"/{prefix.strip('/')}/" in whole
    )


def _preset(show: Any, name: str, fade_s: float | None) -> None:
    place = "preset"
    if name.endswith(".toml"):  # the show runs in a folder of its own
        place, name = "load", str(Path(name).resolve())
    if fade_s is None:
        show.set(full(place), name)
        return
    before = show.node(full("fade"))["VALUE"][0]
    show.set(full("fade"), fade_s)
    try:
        show.set(full(place), name)
    finally:
        show.set(full("fade"), before)


def _list(methods: list[dict[str, Any]], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(methods, ensure_ascii=False, indent=1))
        return
    rows = [(one["FULL_PATH"], _text(one), _range(one)) for one in methods]
    wide = [max((len(row[i]) for row in rows), default=0) for i in (0, 1)]
    for path, value, span in rows:
        print(f"{path:{wide[0]}}  {value:{min(wide[1], 24)}}  {span}".rstrip())


def _watch(show: Any, prefix: str, *, as_json: bool) -> None:
    for path, values in show.watch():
        if not _is_below(path, prefix):
            continue
        if as_json:
            print(json.dumps({"address": path, "values": list(values)}), flush=True)
        else:
            print(path, *(_plain(value) for value in values), flush=True)
    print("kfx: the show has ended", file=sys.stderr)


def _value(words: list[str]) -> Any:
    values = [_word(word) for word in words]
    return True if not values else values[0] if len(values) == 1 else values


def _word(word: str) -> Any:
    """A number, true, false or text, as it is written."""
    if word.lower() in ("true", "false"):
        return word.lower() == "true"
    for kind in (int, float):
        try:
            return kind(word)
        except ValueError:
            continue
    return word


def _text(node: dict[str, Any]) -> str:
    if "VALUE" not in node:
        return "(event)" if node["TYPE"] == "I" else "-"
    return " ".join(_plain(value) for value in node["VALUE"])


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _range(node: dict[str, Any]) -> str:
    span = node.get("RANGE", [{}])[0]
    unit = f" {node['UNIT'][0]}" if "UNIT" in node else ""
    if "VALS" in span:
        return "one of " + ", ".join(map(str, span["VALS"]))
    if "MIN" in span:
        return f"{span['MIN']:g}..{span['MAX']:g}{unit}"
    return "true or false" if node["TYPE"] == "T" else ""
