// The live picture: JPEG over a socket, drawn as it comes; each is acknowledged when it was drawn.

import { $, button, press } from "./dom.js";
import { t } from "./words.js";

export class Picture {
  constructor() {
    this.canvas = $("picture");
    this.context = this.canvas.getContext("2d", { alpha: false });
    this.mode = "whole";
    this.at = 0.5; // of the wipe
    this.held = this.zoom = this.safe = this.faces = this.still = false;
    this.names = {}; // slot → performer
    this.drawn = 0;
    this.heard = () => {};
    this._pause = 300;
    new ResizeObserver(() => this._wish()).observe($("frame"));
    document.addEventListener("visibilitychange", () => this._wish());
    this._wiping();
  }

  start() {
    this._wanted = true;
    this._open();
  }

  stop() {
    this._wanted = false;
    this._socket?.close();
  }

  _open() {
    if (!this._wanted || (this._socket && this._socket.readyState <= WebSocket.OPEN)) return;
    const socket = new WebSocket(`ws://${location.host}/picture`);
    socket.binaryType = "arraybuffer";
    socket.onopen = () => { this._pause = 300; this._said = ""; this._wish(); };
    socket.onmessage = (event) => this._take(socket, event.data);
    socket.onclose = () => {
      $("frame").classList.add("stale");
      setTimeout(() => this._open(), this._pause);
      this._pause = Math.min(this._pause * 1.6, 3000);
    };
    this._socket = socket;
  }

  // What is wanted of the server, told when it has changed.
  _wish() {
    const ratio = window.devicePixelRatio || 1;
    const width = this.zoom ? 8192 : Math.max(160, Math.round($("frame").clientWidth * ratio));
    const said = JSON.stringify({
      width,
      plate: this.mode !== "whole" || this.held,
      faces: this.faces,
      paused: document.hidden || this.still,
    });
    if (this._socket?.readyState === WebSocket.OPEN && said !== this._said) {
      this._said = said;
      this._socket.send(said);
    }
  }

  async _take(socket, data) {
    const view = new DataView(data);
    const start = 4 + view.getUint32(0);
    const head = JSON.parse(new TextDecoder().decode(new Uint8Array(data, 4, start - 4)));
    let at = start;
    if (!head.l.length) { // asks how long the way is
      socket.send(String(head.n));
      return;
    }
    try {
      const parts = head.l.map((length) => {
        const blob = new Blob([new Uint8Array(data, at, length)], { type: "image/jpeg" });
        at += length;
        return createImageBitmap(blob);
      });
      const [picture, plate] = await Promise.all(parts);
      if (head.n > this.drawn || this.drawn - head.n > 100) this._draw(head, picture, plate);
    } finally {
      if (socket.readyState === WebSocket.OPEN) socket.send(String(head.n));
    }
  }

  _draw(head, picture, plate) {
    this._last?.picture.close();
    this._last?.plate?.close();
    this._last = { head, picture, plate };
    this.drawn = head.n;
    $("frame").classList.remove("stale", "none");
    this._paint();
    this.heard(head);
  }

  _paint() {
    if (!this._last) return;
    const { head, picture, plate } = this._last;
    const { canvas, context } = this;
    if (canvas.width !== picture.width || canvas.height !== picture.height) {
      canvas.width = picture.width;
      canvas.height = picture.height;
    }
    const { width, height } = canvas;
    context.drawImage(this.held && plate ? plate : picture, 0, 0);
    if (this.mode === "wipe" && plate && !this.held) {
      const x = Math.round(this.at * width);
      if (x > 0) context.drawImage(plate, 0, 0, x, height, 0, 0, x, height);
    }
    if (this.mode === "split" && plate && !this.held) {
      this._split(picture, plate, width, height);
      return;
    }
    if (this.safe) this._areas(width, height);
    if (this.faces) this._boxes(head.faces || [], width, height);
  }

  // The middle of the plate beside the middle of the picture.
  _split(picture, plate, width, height) {
    const { context } = this;
    const half = width / 2;
    context.drawImage(plate, width / 4, 0, half, height, 0, 0, half, height);
    context.drawImage(picture, width / 4, 0, half, height, half, 0, half, height);
    context.fillStyle = "#fff";
    context.fillRect(half - 1, 0, 2, height);
  }

  _areas(width, height) {
    const { context } = this;
    context.lineWidth = Math.max(1, width / 900);
    for (const [part, colour] of [[0.93, "#ffffffb0"], [0.9, "#ffd54fc0"]]) {
      context.strokeStyle = colour;
      context.strokeRect(width * (1 - part) / 2, height * (1 - part) / 2, width * part, height * part);
    }
    context.strokeStyle = "#ffffff90";
    context.beginPath();
    context.moveTo(width / 2 - width / 40, height / 2);
    context.lineTo(width / 2 + width / 40, height / 2);
    context.moveTo(width / 2, height / 2 - width / 40);
    context.lineTo(width / 2, height / 2 + width / 40);
    context.stroke();
  }

  _boxes(faces, width, height) {
    const { context } = this;
    const letter = Math.max(12, width / 60);
    context.font = `600 ${letter}px system-ui, sans-serif`;
    context.lineWidth = Math.max(1.5, width / 640);
    for (const [slot, x0, y0, x1, y1] of faces) {
      context.strokeStyle = context.fillStyle = "#62c8f4";
      context.strokeRect(x0 * width, y0 * height, (x1 - x0) * width, (y1 - y0) * height);
      const name = this.names?.[slot];
      const text = name ? `${slot} ${name}` : String(slot);
      const left = Math.min(x0 * width, width - letter);
      const top = Math.max(letter * 1.3, y0 * height); // a face at the top is named inside
      context.fillRect(left, top - letter * 1.3, context.measureText(text).width + letter * 0.6, letter * 1.3);
      context.fillStyle = "#0b0d10";
      context.fillText(text, left + letter * 0.3, top - letter * 0.3);
    }
  }

  hold(on) {
    if (this.held === on) return;
    this.held = on;
    press(this._buttons.hold, on);
    this._wish();
    this._paint();
  }

  show(mode) {
    this.mode = mode;
    $("wipe").hidden = mode !== "wipe";
    for (const name of ["wipe", "split"]) press(this._buttons[name], mode === name);
    this._place();
    this._wish();
    this._paint();
  }

  flip(mode) {
    this.show(this.mode === mode ? "whole" : mode);
  }

  toggle(name) {
    this[name] = !this[name];
    press(this._buttons[name], this[name]);
    $("frame").classList.toggle("zoomed", this.zoom);
    this._wish();
    this._paint();
  }

  full() {
    if (document.fullscreenElement) document.exitFullscreen();
    else $("frame").requestFullscreen?.();
  }

  tools() {
    const hold = button(t("picture-hold"), { title: "Space" });
    for (const [kind, on] of [["pointerdown", true], ["pointerup", false], ["pointercancel", false],
      ["pointerleave", false]]) hold.addEventListener(kind, () => this.hold(on));
    const toggled = (name, word, title = "") =>
      button(t(word), { title, onclick: () => this.toggle(name) });
    const shown = (name, key) => button(t(`picture-${name}`), {
      title: `${t(`k-${name}`)} (${key})`, onclick: () => this.flip(name),
    });
    this._buttons = {
      wipe: shown("wipe", "W"), split: shown("split", "S"), hold, zoom: toggled("zoom", "zoom"), safe: toggled("safe", "safe"),
      faces: toggled("faces", "faces"), still: toggled("still", "pause"),
    };
    for (const name of ["wipe", "split"]) press(this._buttons[name], this.mode === name);
    press(hold, this.held);
    for (const name of ["zoom", "safe", "faces", "still"]) press(this._buttons[name], this[name]);
    const full = button(t("full"), { title: "D", onclick: () => this.full() });
    $("tools").replaceChildren(...Object.values(this._buttons), full);
    $("wipe").setAttribute("aria-label", t("picture-wipe"));
    this.canvas.setAttribute("aria-label", t("picture"));
  }

  _wiping() {
    const wipe = $("wipe");
    const go = (event) => {
      const box = this.canvas.getBoundingClientRect();
      this.at = Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
      this._place();
      this._paint();
    };
    wipe.addEventListener("pointerdown", (event) => {
      wipe.setPointerCapture(event.pointerId);
      wipe.onpointermove = go;
    });
    wipe.addEventListener("pointerup", () => { wipe.onpointermove = null; });
    wipe.addEventListener("keydown", (event) => {
      const by = { ArrowLeft: -0.02, ArrowRight: 0.02 }[event.key];
      if (!by) return;
      event.preventDefault();
      this.at = Math.min(1, Math.max(0, this.at + by));
      this._place();
      this._paint();
    });
    new ResizeObserver(() => this._place()).observe(this.canvas);
  }

  _place() {
    const box = this.canvas.getBoundingClientRect();
    const frame = $("frame").getBoundingClientRect();
    $("wipe").style.left = `${box.left - frame.left + this.at * box.width}px`;
    $("wipe").setAttribute("aria-valuenow", String(Math.round(this.at * 100)));
  }
}

