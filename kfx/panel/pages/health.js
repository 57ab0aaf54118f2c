// How the show is: figures, faults with what to do, and the last minute as graphs.

import { $, make } from "./dom.js";
import { t } from "./words.js";

const POINTS = 120;
const GRAPHS = [["fps", 0, "#5bd18b"], ["latency", 1, "#62c8f4"], ["render", 2, "#c9a4ff"]];

export class Health {
  constructor() {
    this.points = [];
    this.now = null;
  }

  tools() {
    this.graphs = GRAPHS.map(([word, index, colour]) => {
      const canvas = make("canvas", { width: 240, height: 44, "aria-hidden": "true" });
      const value = make("span", { class: "num value" });
      const element = make("figure", { title: t("minute") },
        make("figcaption", {}, make("span", {}, t(word)), value), canvas);
      return { element, canvas, value, index, colour };
    });
    $("graphs").replaceChildren(...this.graphs.map((one) => one.element));
    this.show();
  }

  minute({ now, points }) {
    this.points = points;
    this.take(now);
  }

  status({ now, point }) {
    this.points.push(point);
    if (this.points.length > POINTS) this.points.shift();
    this.take(now);
  }

  take(now) {
    if (now.fps === undefined) return;
    this.now = now;
    this.show();
  }

  show() {
    const now = this.now;
    if (!now) return;
    const wanted = now.output_fps ?? now.rate;
    const late = Object.values(now.latency_ms)[0]?.p50 ?? 0;
    const dropped = Object.values(now.dropped_at).reduce((a, b) => a + b, 0);
    chip("rate", `${now.fps.toFixed(1)} fps`, now.frames && now.fps < 0.95 * wanted);
    chip("late", `${late.toFixed(0)} ms`, late > 150, t("latency"));
    chip("lost", dropped ? `−${dropped}` : "", dropped > 0, t("dropped"));
    if (!$("health").offsetParent) return; // nobody sees it
    for (const one of this.graphs) this._draw(one);
    const rows = [
      [t("rate"), `${now.fps.toFixed(1)} / ${wanted.toFixed(2)} fps · ${now.size.join("×")}`],
      [t("faces_now"), now.faces],
      ...Object.entries(now.latency_ms).map(([spec, ms]) =>
        [spec, `${now.state[spec] ?? "ok"} · ${three(ms)} ms`, now.state[spec] !== "ok"]),
      ...Object.entries(now.stage_ms).map(([name, ms]) => [name, `${three(ms)} ms`]),
      ...Object.entries(now.state).filter(([name]) => !(name in now.latency_ms))
        .map(([name, state]) => [name, state, state !== "ok"]),
      [t("dropped"), Object.entries(now.dropped_at).filter(([, n]) => n)
        .map(([name, n]) => `${name} ${n}`).join(", ") || t("none")],
      ...(now.governor ? [[t("gave"), now.governor.join("; ") || t("none")]] : []),
      [t("renderer"), `${now.renderer} · ${/llvmpipe|software|swiftshader|softpipe/i.test(now.renderer) ? "CPU" : "GPU"}`],
      ...(now.nets ?? []).map((net) => [`${t("net")} ${net.name}`, netSaid(net)]),
      ...(now.panel ? [[t("panel"), `${t("picture-late")} ${now.panel.picture_ms.toFixed(0)} ms · ${now.panel.sockets} / ${now.panel.refused} / ${now.panel.garbage}`]] : []),
    ];
    $("figures").replaceChildren(...rows.flatMap(([name, value, bad]) => [
      make("dt", {}, String(name)), make("dd", { class: bad ? "num bad" : "num" }, String(value))]));
    $("faults").replaceChildren(...now.warnings.slice(-8).reverse().map((text) => make("li", {}, text)));
  }

  _draw({ canvas, value, index, colour }) {
    const ratio = window.devicePixelRatio || 1;
    const width = Math.round(canvas.clientWidth * ratio);
    const height = Math.round(canvas.clientHeight * ratio);
    if (!width) return;
    if (canvas.width !== width) canvas.width = width;
    if (canvas.height !== height) canvas.height = height;
    const context = canvas.getContext("2d");
    const all = this.points.map((point) => point[index]);
    const top = Math.max(1, ...all) * 1.15;
    value.textContent = (all.at(-1) ?? 0).toFixed(1);
    context.clearRect(0, 0, width, height);
    context.beginPath();
    all.forEach((one, i) => {
      const x = (i + POINTS - all.length) / (POINTS - 1) * width;
      const y = height - one / top * (height - 2) - 1;
      if (i) context.lineTo(x, y);
      else context.moveTo(x, y);
    });
    context.strokeStyle = colour;
    context.lineWidth = 1.5 * ratio;
    context.stroke();
  }
}

// Where it runs, how long it took, and what it didn't run on.
const netSaid = ({ provider, ms, hz, passed_over: passed }) =>
  [provider, ms !== undefined && `${ms} ms`, hz && `${hz} Hz`, passed?.length ? `${t("not-on")} ${passed.join("; ")}` : ""].filter(Boolean).join(" · ");

const three = (ms) => ["p50", "p95"].map((name) => (ms[name] ?? 0).toFixed(1)).join(" / ");

function chip(id, text, bad, title = "") {
  const one = $(id);
  if (one.textContent !== text) one.textContent = text;
  one.classList.toggle("bad", !!bad);
  if (title) one.title = title;
}
