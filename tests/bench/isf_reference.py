"""Draws ISF files in kfx and in the reference JavaScript renderer, compares the pictures.

    npm install interactive-shader-format            # anywhere; nothing of it is kept here
    python -m tests.bench.isf_reference FOLDER \\
        --renderer node_modules/interactive-shader-format/build/build.js [-o out/isf]

Both get the same text, picture, values, size and times; sixteen frames are drawn, so that buffers
which last over frames count as well. The last frames are compared by SSIM (Wang et al. 2004), on
black where a shader leaves its alpha open.
Chromium draws without a GPU and without the network. The answer is a table of what differs, and
``-o`` keeps pairs of pictures to look at.
"""

from __future__ import annotations

import argparse
import base64
import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from kfx import effects, presets
from kfx.engine.look.chain import Chain
from kfx.errors import KfxError
from kfx.render.gpu import Gpu
from tests.faces import frame_of, picture, tick_of

SIZE = (320, 180)
FRAMES = 16  # the reference shows a pass to the next one a frame late: let that settle
MATCH = 0.95
BATCH = 60
# What the reference renderer is known to do otherwise, by what stands in the file.
_KNOWN = {
    "reads IMG_PIXEL(a, f(b, c)) as IMG_PIXEL(a, f(b)": r"IMG_(?:NORM_)?PIXEL\s*\([^()]*\(",
    "loads no IMPORTED pictures": r'"IMPORTED"',
    "keeps 8 bits of a FLOAT buffer": r'"FLOAT"\s*:\s*(?:true|1|"true")',
    "shows a PERSISTENT buffer a frame late": r'"(?:PERSISTENT|PERSISTENT_BUFFERS)"',
    "has other last bits in fract(sin(large))": r"fract\s*\(\s*(?:sin|cos|tan)|\brand\w*\s*\(",
}
_PAGE = """<!doctype html><canvas id=c width=%(width)d height=%(height)d></canvas><pre id=out></pre>
<script>%(renderer)s</script><script>
const jobs = %(jobs)s, image = new Image();
const Renderer = window.__isf;
const results = [];
image.onload = () => {
  for (const job of jobs) {
    const canvas = document.createElement('canvas');
    canvas.width = %(width)d; canvas.height = %(height)d;
    const gl = canvas.getContext('webgl', {premultipliedAlpha: false, alpha: true,
      antialias: false, preserveDrawingBuffer: true});
    const result = {name: job.name};
    try {
      const isf = new Renderer(gl);
      let frame = 0;
      // Its own evaluator of size expressions doesn't survive bundling: all it is asked here
      // is arithmetic.
      isf.math = {eval: (text) => Function('with (Math) { return ' + text + '; }')()};
      isf.setDateUniforms = function () {
        this.setValue('TIME', frame / 30);
        this.setValue('TIMEDELTA', frame ? 1 / 30 : 0);
        this.setValue('FRAMEINDEX', frame);
        this.setValue('DATE', [2000, 1, 1, frame / 30]);
      };
      console.error = console.log = () => {};
      isf.loadSource(job.fs, job.vs || undefined);
      if (!isf.valid) throw isf.error || 'not valid';
      for (const name in job.values) isf.setValue(name, job.values[name]);
      for (frame = 0; frame < %(frames)d; frame++) {
        // It counts texture units from 0 again in draw: pictures go above its own buffers.
        isf.contextState.textureIndex = 12;
        for (const name of job.images) isf.setValue(name, image);
        isf.draw(canvas);
      }
      const pixels = new Uint8Array(canvas.width * canvas.height * 4);
      gl.readPixels(0, 0, canvas.width, canvas.height, gl.RGBA, gl.UNSIGNED_BYTE, pixels);
      let text = '';
      for (let i = 0; i < pixels.length; i += 8192)
        text += String.fromCharCode.apply(null, pixels.subarray(i, i + 8192));
      result.pixels = btoa(text);
    } catch (error) { result.error = String(error && error.message || error); }
    const lose = gl.getExtension('WEBGL_lose_context'); if (lose) lose.loseContext();
    results.push(result);
  }
  document.getElementById('out').textContent = JSON.stringify(results);
};
image.src = 'data:image/png;base64,%(image)s';
</script>"""


def draw_here(gpu: Gpu, path: Path) -> tuple[np.ndarray, dict[str, Any]]:
    """The last frame as kfx draws it, bottom row first, and the job for the other renderer."""
    effect = effects.find(str(path))
    preset = presets.alone(effect)
    shader = effect.source
    filtering = any(name in shader.images for name in ("inputImage", "startImage"))
    pixels = picture(*SIZE) if filtering else np.zeros((SIZE[1], SIZE[0], 4), np.uint8)
    with Chain(gpu, preset, SIZE) as chain:
        for i in range(FRAMES):
            tick = tick_of(frame_of(pixels, i), [], 0.0 if i == 0 else 1 / 30)
            shown = np.array(chain.render(tick))
    values = {
        name: int(value) if isinstance(value, bool) else value
        for name, value in preset.chain[0].values.items()
        if name in shader.types and not isinstance(value, str)
    }
    vertex = path.with_suffix(".vs")
    job = {
        "name": str(path),
        "fs": path.read_text("utf-8-sig", errors="replace"),
        "vs": vertex.read_text("utf-8-sig", errors="replace") if vertex.exists() else "",
        "values": values,
        "images": [n for n in ("inputImage", "startImage", "endImage") if n in shader.images],
    }
    return shown[::-1], job


def draw_there(jobs: list[dict[str, Any]], renderer: str, chromium: str) -> list[dict[str, Any]]:
    """What the reference renderer makes of `jobs`, in a fresh browser."""
    done, png = cv2.imencode(".png", cv2.cvtColor(picture(*SIZE), cv2.COLOR_RGBA2BGRA))
    assert done
    page = _PAGE % {
        "width": SIZE[0],
        "height": SIZE[1],
        "frames": FRAMES,
        "renderer": renderer.replace("</script", "<\\/script"),
        "jobs": json.dumps(jobs).replace("</", "<\\/"),
        "image": base64.b64encode(png.tobytes()).decode(),
    }
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "page.html"
        file.write_text(page, encoding="utf-8")
        command = [
            *(chromium, "--headless=new", "--no-sandbox", "--disable-gpu-sandbox"),
            *("--use-angle=swiftshader", "--enable-unsafe-swiftshader"),
            *("--host-resolver-rules=MAP * ~NOTFOUND", f"--user-data-dir={folder}/profile"),
            *("--virtual-time-budget=600000", "--dump-dom", file.as_uri()),
        ]
        answer = subprocess.run(command, capture_output=True, text=True, timeout=900, check=False)
    found = re.search(r'<pre id="out">(.*?)</pre>', answer.stdout, re.S)
    if not found or not found[1]:
        return [{"name": job["name"], "error": "the browser gave no answer"} for job in jobs]
    text = found[1].replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    answers: list[dict[str, Any]] = json.loads(text)
    return answers


def known_reasons(text: str) -> list[str]:
    """Why the reference may differ on a file, as far as its text tells."""
    return [reason for reason, sign in _KNOWN.items() if re.search(sign, text)]


def on_black(pixels: np.ndarray) -> np.ndarray:
    """(h, w, 4) uint8, the colours times alpha."""
    shown = pixels.astype(np.float32)
    shown[..., :3] *= shown[..., 3:] / 255
    return shown.round().astype(np.uint8)


def ssim(a: np.ndarray, b: np.ndarray) -> float:
    """Mean structural similarity of two RGBA pictures over their colours, window sigma 1.5."""
    x, y = (image[..., :3].astype(np.float64) for image in (a, b))

    def blur(image: np.ndarray) -> np.ndarray:
        return cv2.GaussianBlur(image, (11, 11), 1.5)

    mx, my = blur(x), blur(y)
    vx, vy, cov = blur(x * x) - mx * mx, blur(y * y) - my * my, blur(x * y) - mx * my
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    score = ((2 * mx * my + c1) * (2 * cov + c2)) / ((mx * mx + my * my + c1) * (vx + vy + c2))
    return float(score.mean())


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--renderer", type=Path, required=True, help="the bundle of the package")
    parser.add_argument("--chromium", default=shutil.which("chromium") or "chromium")
    parser.add_argument("-o", "--out", type=Path, help="folder for pairs that differ")
    parser.add_argument("--only", default="", help="part of a file's name")
    options = parser.parse_args()
    # A browserify bundle keeps its modules to itself; the renderer is let out by this line.
    bundle = options.renderer.read_text("utf-8")
    bundle = bundle.replace(
        "module.exports = ISFRenderer;",
        "window.__isf = ISFRenderer;\nmodule.exports = ISFRenderer;",
    )
    if "window.__isf" not in bundle:
        parser.error(f"{options.renderer}: not the package's build/build.js; no renderer is in it")
    paths = [p for p in sorted(options.folder.rglob("*.fs")) if options.only in p.stem]
    here: dict[str, np.ndarray] = {}
    jobs = []
    rows: list[tuple[str, float, str]] = []
    with Gpu() as gpu:
        for path in paths:
            try:
                here[str(path)], job = draw_here(gpu, path)
                jobs.append(job)
            except KfxError as error:
                rows.append((path.stem, -1.0, f"kfx: {error}"))
    for start in range(0, len(jobs), BATCH):
        batch = jobs[start : start + BATCH]
        print(f"{start + len(batch)} of {len(jobs)} …", file=sys.stderr, flush=True)
        for answer in draw_there(batch, bundle, options.chromium):
            name = Path(answer["name"]).stem
            if "error" in answer:
                text = " ".join(str(answer["error"]).split())[:160]
                rows.append((name, -2.0, f"reference: {text}"))
                continue
            raw = np.frombuffer(base64.b64decode(answer["pixels"]), np.uint8)
            there, mine = (
                on_black(p) for p in (raw.reshape(SIZE[1], SIZE[0], 4), here[answer["name"]])
            )
            score = ssim(mine, there)
            away = float(np.abs(mine[..., :3].astype(int) - there[..., :3]).mean())
            rows.append((name, score, f"mean difference {away:.1f}"))
            if options.out and score < MATCH:
                options.out.mkdir(parents=True, exist_ok=True)
                pair = np.hstack([mine, there])[::-1, :, :3]
                cv2.imwrite(str(options.out / f"{name}.png"), pair[..., ::-1])
    compared = [row for row in rows if row[1] >= 0.0]
    matching = [row for row in compared if row[1] >= MATCH]
    reasons = {
        path.stem: known_reasons(path.read_text("utf-8", errors="replace")) for path in paths
    }
    for name, score, text in sorted(rows, key=lambda row: row[1]):
        if score < MATCH:
            why = "; ".join(reasons[name]) if score >= -1.0 and "kfx:" not in text else ""
            print(f"{score:6.3f}  {name:32} {text}{f'; the reference {why}' if why else ''}")
    fair = [row for row in compared if not reasons[row[0]]]
    print(
        f"{len(fair)} files without any of these reasons: "
        f"{sum(row[1] >= MATCH for row in fair)} match"
    )
    print(
        f"{len(paths)} files: {len(compared)} drawn by both, {len(matching)} of them match "
        f"(SSIM at least {MATCH}), {sum(r[1] == -2.0 for r in rows)} fail in the reference, "
        f"{sum(r[1] == -1.0 for r in rows)} fail in kfx"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
