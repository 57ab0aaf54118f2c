"""Stands for `kfx.panel.stills`: pictures a few looks without GL, and falls over one of them."""

import json
import os
import sys
from pathlib import Path

folder, cache, *rest = sys.argv[1:]
skip = [one for one in rest if one != "--skip"]
Path(cache).mkdir(parents=True, exist_ok=True)
todo = [("look", "ballad_film"), ("look", "supernova"), ("effect", "bloom")]
for i, (kind, name) in enumerate(todo):
    if f"{kind}/{name}" in skip:
        continue
    print(json.dumps({"left": len(todo) - i, "at": f"{kind}/{name}"}), flush=True)
    if name == "supernova":
        os._exit(134)
    file = Path(cache) / f"{i:032}.jpg"
    file.write_bytes(b"\xff\xd8jpeg")
    print(json.dumps({"kind": kind, "name": name, "file": str(file)}), flush=True)
print(json.dumps({"left": 0}), flush=True)
