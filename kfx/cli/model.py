"""``kfx model``: what a net is, and what it makes of a picture."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

DESCRIPTION = """Look at ONNX nets before they are played.

`inspect` says what a net wants and answers. Without a card beside it, the card is guessed from
names, shapes and a run on a portrait, and printed ready to save as NAME.toml.

`try` runs the net on a picture and writes before and after, side by side. A net for faces or heads
is given the faces that are found in the picture and drawn onto them, as it is live; one that is
given landmarks moves them, and the numbers that it says are printed.
"""
MOST_SAID = 12  # numbers that are printed
EPILOG = """examples:
  kfx model inspect candy.onnx                 its card, guessed where there is none
  kfx model inspect candy.onnx -o candy.toml   save it beside the net, then change what is wrong
  kfx model inspect candy.onnx --json
  kfx model try candy.onnx portrait.jpg -o candy.png
  kfx model try gamma.onnx portrait.jpg --set gamma=2.2
  kfx render clip.mp4 -p candy.onnx -o out.mp4 the net as a look of its own
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("what", choices=tuple(WHAT), help="inspect or try")
    parser.add_argument("net", metavar="NET", help="an .onnx file or its .toml card")
    parser.add_argument("image", nargs="?", metavar="IMAGE", help="a picture, for try")
    parser.add_argument("-o", "--out", metavar="FILE", help="the card (.toml), or the picture")
    parser.add_argument("--set", action="append", default=[], metavar="KNOB=VALUE", help="for try")
    parser.add_argument("--guess", action="store_true", help="guess even where there is a card")
    parser.add_argument("--json", action="store_true", help="one line of JSON")
    parser.add_argument("--force", action="store_true", help="replace files that exist")


def run(options: argparse.Namespace) -> int:
    from kfx.cli import common

    with common.quiet_libraries():
        return WHAT[options.what](options)


def _inspect(options: argparse.Namespace) -> int:
    from kfx.errors import UsageError
    from kfx.neural import card as cards
    from kfx.neural import fitting, onnx_file

    if options.image:
        raise UsageError("kfx model inspect: takes one net; for a picture: kfx model try")
    card = _card(options)
    file = onnx_file.read(card.path)
    fitting.check_hash(card, file.weights)
    text = cards.dumps(card)
    if options.out:
        _save(Path(options.out), text.encode(), options.force)
    if options.json:
        print(json.dumps(_facts(card, file)))
    elif not options.out:
        print(text, end="")
    else:
        guessed = "" if card.where else ", guessed; look at it: kfx model try"
        print(f"{options.out}: the card of {card.path.name}, {card.kind}{guessed}")
    if not options.json and card.kind not in cards.PLAYED:
        print(f"kfx: no effect can be made of it: {card.doc or card.kind}", file=sys.stderr)
    return 0


def _facts(card: Any, file: Any) -> dict[str, Any]:
    from kfx.neural.card import PLAYED

    return {
        "name": card.name,
        "kind": card.kind,
        "effect": card.kind in PLAYED,
        "guessed": not card.where,
        "doc": card.doc,
        "region": card.region,
        "stick": card.stick,
        "class": card.training,
        "licence": card.licence,
        "sha256": card.sha256,
        "bytes": file.bytes,
        "inputs": [_port(port) for port in card.inputs],
        "outputs": [_port(port) for port in card.outputs],
        "knobs": list(card.knobs) if card.kind in PLAYED else [],
        "tensors": {
            "inputs": {one.name: [one.type, list(one.shape)] for one in file.inputs},
            "outputs": {one.name: [one.type, list(one.shape)] for one in file.outputs},
        },
    }


def _port(port: Any) -> dict[str, Any]:
    values = asdict(port)
    return {"is": values.pop("role"), **{key: value for key, value in values.items() if value}}


def _try(options: argparse.Namespace) -> int:
    from kfx.errors import KfxError, UsageError
    from kfx.neural import card as cards
    from kfx.neural import trial
    from kfx.params import parse
    from kfx.render.pictures import load_picture

    if not options.image:
        raise UsageError("kfx model try: name a picture: kfx model try net.onnx portrait.jpg")
    card = _card(options)
    if card.kind not in cards.PLAYED:
        raise KfxError(f"{options.net}: {card.doc or card.kind}; there is nothing to draw")
    knobs: dict[str, Any] = {name: knob.default for name, knob in card.knobs.items()}
    for setting in options.set:
        name, _, text = setting.partition("=")
        if name not in knobs:
            raise UsageError(f"--set {setting}: {card.name} has {', '.join(knobs)}")
        try:
            knobs[name] = parse(card.knobs[name], text)
        except ValueError as error:
            raise UsageError(f"--set {setting}: {error}") from error
    picture = load_picture(Path(options.image))
    faces = None if card.region == "frame" else _faces(picture)
    says: dict[str, float] = {}
    if card.kind == "landmarks":
        result, says = _on_landmarks(card, picture, knobs, faces or ())
    else:
        result = trial.run(card, picture, knobs, faces or ())
    out = Path(options.out or f"{card.name}_try.png")
    _save(out, trial.encoded(result.picture, out), options.force)
    facts = {
        "out": str(out),
        "size": list(result.size),
        "provider": result.provider,
        "ms": round(result.ms, 2),
        "faces": None if faces is None else len(faces),
        **({"says": says} if says else {}),
    }
    if faces is not None and not faces:
        given = "nothing" if card.kind == "landmarks" else "the whole picture"
        note = f"no face was found in it; the net was given {given}"
        print(f"kfx: {options.image}: {note}", file=sys.stderr)
    if options.json:
        print(json.dumps(facts))
    else:
        size = "×".join(map(str, result.size))
        print(f"{out}: before and after; {size}, {result.ms:.1f} ms on {result.provider}")
        for name, value in sorted(says.items(), key=lambda one: -abs(one[1]))[:MOST_SAID]:
            print(f"  {name} {value:.3f}")
    return 0


def _on_landmarks(
    card: Any, picture: Any, knobs: dict[str, Any], faces: tuple[Any, ...]
) -> tuple[Any, dict[str, float]]:
    """Before and after of a net that moves faces, as a chain draws it, and what it says."""
    from fractions import Fraction

    import numpy as np

    from kfx.effects import EffectSpec
    from kfx.engine.look.chain import Chain
    from kfx.neural.trial import Trial
    from kfx.presets import Link, Preset
    from kfx.render.gpu import Gpu
    from kfx.types import Frame, Tick

    effect = EffectSpec(card.name, "net", card.doc, card.knobs, card, card.where)
    size = (picture.shape[1], picture.shape[0])
    tick = Tick(0, 0.0, 0.0, Frame(picture, 0, Fraction(0), 0.0), faces)
    with Gpu() as gpu, Chain(gpu, Preset("try", "", (Link(effect, knobs),)), size) as chain:
        after = chain.render(tick)
        facts, says = chain.nets[0], chain.said(tick)
    both = np.concatenate([picture, after], axis=1)
    return Trial(both, size, facts["provider"], facts["ms"]), says


def _faces(picture: Any) -> tuple[Any, ...]:
    """The faces in a picture that stands alone."""
    from fractions import Fraction

    from kfx.tracking.tracker import Tracker
    from kfx.types import Frame

    with Tracker() as tracker:
        return tracker.track(Frame(picture, 0, Fraction(0), 0.0))


def _card(options: argparse.Namespace) -> Any:
    """The net's card: its own, the one beside it, or a guess."""
    from kfx.errors import UsageError
    from kfx.neural import card as cards
    from kfx.neural import inspect

    path = Path(options.net)
    if path.suffix not in (".onnx", ".toml"):
        raise UsageError(f"{options.net}: name an .onnx file or its .toml card")
    beside = path if path.suffix == ".toml" else path.with_suffix(".toml")
    if path.suffix == ".toml" or (beside.is_file() and not options.guess):
        card = cards.load(beside)
        return inspect.inspect(card.path) if options.guess else card
    return inspect.inspect(path)


def _save(path: Path, data: bytes, force: bool) -> None:
    from kfx.errors import KfxError

    if path.exists() and not force:
        raise KfxError(f"{path}: it exists; --force replaces it")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f".{path.name}.part")
        part.write_bytes(data)
        part.replace(path)
    except OSError as error:
        raise KfxError(f"{path}: {error.strerror}; is the folder writable?") from error


WHAT = {"inspect": _inspect, "try": _try}
