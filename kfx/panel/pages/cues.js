// The song's bars with its cues and where it is: a click on a cue goes there, a drag moves it.

import { editCue, toml } from "./cue-form.js";
import { $, button, make, press } from "./dom.js";
import { t } from "./words.js";

const ROOT = "/kfx/v1/cue/";
const FINE = 0.25; // of a beat
const SETTLES_MS = 300; // keys that follow at once are one edit
const MOST_ZOOM = 32;

export class Cues {
  constructor(link) {
    this.link = link;
    this.sheet = null;
    this.time = 0;
    this.zoom = 1;
    this.looks = () => [];
    new ResizeObserver(() => this._draw()).observe($("cues"));
  }

  take(sheet) {
    this.sheet = sheet;
    clearTimeout(this.waiting);
    this.show();
  }

  get may() { return this.link.role === "operator"; }
  get edits() { return this.may && !!this.sheet?.steps; }

  show() {
    const { sheet } = this;
    $("cues").hidden = !sheet;
    if (!sheet || this.dragged) return;
    const kept = document.activeElement?.closest("#cues [data-keep]")?.dataset.keep;
    const [undo, redo] = sheet.steps ?? [0, 0];
    const fire = (name) => this.link.set(ROOT + name, true);
    const zoom = (by) => () => this._zoom(this.zoom * by);
    const small = (text, word, onclick, more = {}) => button(text, {
      class: "small", title: t(word), "aria-label": t(word), onclick, data: { keep: word }, ...more });
    const tools = [small("−", "zoom-out", zoom(0.5)), small("+", "zoom-in", zoom(2))];
    if (this.edits) {
      tools.unshift(small("↶", "undo-cue", () => fire("undo"), { disabled: !undo }),
        small("↷", "redo-cue", () => fire("redo"), { disabled: !redo }));
      tools.push(button(`+ ${t("add-cue")}`, { class: "small", data: { keep: "add-cue" }, onclick: () => this.add(this.time) }));
    }
    if (this.may) tools.push(button(t("go-next"), { class: "small main", data: { keep: "go-next" }, onclick: () => fire("go") }));
    this.strip = make("div", { class: "strip" });
    this.strip.addEventListener("dblclick", (event) => {
      if (this.edits && !event.target.closest(".cue-mark")) this.add(this._timeAt(event.clientX));
    });
    this.line = make("div", { class: "timeline" }, this.strip);
    this.line.addEventListener("wheel", (event) => {
      if (!event.ctrlKey) return;
      event.preventDefault();
      this._zoom(this.zoom * (event.deltaY < 0 ? 1.25 : 0.8), event.clientX);
    }, { passive: false });
    this.rows = sheet.cues.map((cue) => this._row(cue));
    this.list = make("div", { class: "cue-list" }, ...this.rows.map((row) => row.element));
    this.where = make("span", { class: "cue-where num" });
    $("cues").replaceChildren(
      make("div", { class: "title" }, make("h3", {}, `${t("cues")}: ${sheet.name}`), this.where,
        make("span", { class: "row" }, ...tools)),
      this.line, this.edits ? make("p", { class: "hint" }, t("cue-how")) : "", this.list);
    this._draw();
    this.now = undefined;
    this.at(this.time);
    if (kept) document.querySelector(`#cues [data-keep="${CSS.escape(kept)}"]`)?.focus({ preventScroll: true });
  }

  _row(cue) {
    const said = cue.times.length > 1 ? `${cue.at} – ${cue.last}` : cue.at;
    const go = button("", { class: "cue", disabled: !this.may, data: { keep: `row ${cue.n}` }, onclick: () => this.go(cue) });
    go.append(make("b", { class: "num" }, said), make("span", { class: "cue-name" }, cue.name),
      make("span", { class: "look-doc" }, cue.times.length > 1 ? `${cue.text} ×${cue.times.length}` : cue.text));
    const name = `${cue.at} ${cue.name || cue.text}`;
    const tools = !this.edits ? [] : [
      button("✎", { class: "small quiet", title: t("edit"), "aria-label": `${t("edit")}: ${name}`, onclick: () => this.edit(cue) }),
      button("✕", { class: "small quiet", title: t("remove"), "aria-label": `${t("remove")}: ${name}`, onclick: () => this.remove(cue) })];
    return { cue, go, element: make("div", { class: "cue-row" }, go, ...tools) };
  }

  go(cue) { this.link.set(`${ROOT}goto`, cue.at); }

  remove(cue) { this.link.set(`${ROOT}remove`, cue.n); }

  add(time) { editCue(null, this._said(this._snapped(time, 1)), this.looks(), (said) => this.link.set(`${ROOT}add`, said)); }

  edit(cue) { editCue(cue, cue.at, this.looks(), (said) => this.link.set(`${ROOT}change`, `${cue.n} ${said}`)); }

  // Bars, beats where there is room, cues, the place where the song is.
  _draw() {
    const { sheet, strip } = this;
    if (!sheet || !strip || this.dragged) return;
    const kept = document.activeElement?.closest(".cue-mark")?.dataset.keep;
    strip.style.width = `${100 * this.zoom}%`;
    const wide = strip.clientWidth || 600;
    this.perBeat = wide / Math.max(1, sheet.bars.reduce((sum, bar) => sum + bar[1], 0));
    const perBar = wide / Math.max(1, sheet.bars.length);
    const every = [1, 2, 4, 8, 16, 32, 64].find((n) => perBar * n >= 7) ?? 128;
    const named = [1, 2, 4, 8, 16, 32, 64].find((n) => perBar * n >= 34) ?? 128;
    const lines = [];
    const line = (time, kind, text = "") => {
      const one = make("i", { class: kind }, text);
      one.style.left = this._part(time);
      lines.push(one);
    };
    sheet.bars.forEach(([time, beats], i) => {
      const end = sheet.bars[i + 1]?.[0] ?? sheet.length;
      const number = sheet.first + i;
      if ((number - 1) % every === 0 && time >= 0) line(time, "barline", (number - 1) % named === 0 ? String(number) : "");
      for (let beat = 1; this.perBeat >= 7 && beat < beats; beat++) {
        const at = time + (end - time) * beat / beats;
        if (at >= 0) line(at, "beatline");
      }
    });
    for (const cue of sheet.cues) for (const time of cue.times.slice(1)) line(time, "cue-again");
    const marks = sheet.cues.map((cue) => this._mark(cue));
    // Cues that lie on one another are stepped down; a name ends where the next one begins.
    const x = sheet.cues.map((cue) => cue.times[0] / sheet.length * wide);
    let level = 0;
    marks.forEach((mark, i) => {
      level = i && x[i] - x[i - 1] < 10 ? (level + 1) % 3 : 0;
      mark.dataset.level = String(level);
      const next = x.find((one, j) => j > i && one - x[i] >= 10) ?? wide;
      mark.querySelector("span").style.maxWidth = `${Math.max(0, next - x[i] - 14)}px`;
    });
    this.head = make("i", { class: "playhead" });
    strip.replaceChildren(...lines, ...marks, this.head);
    this._head();
    if (kept) strip.querySelector(`[data-keep="${CSS.escape(kept)}"]`)?.focus({ preventScroll: true });
  }

  _mark(cue) {
    const name = `${cue.name || cue.text}`;
    const mark = button("", {
      class: "cue-mark", disabled: !this.may, title: `${cue.at} ${cue.name} ${cue.text}`.trim(),
      "aria-label": `${cue.at} ${name}`, data: { keep: `mark ${cue.n}` },
    });
    mark.append(make("span", {}, cue.name));
    let time = cue.times[0]; // where it is seen, before the show has heard of it
    const place = (to) => { time = to; mark.style.left = this._part(to); };
    const send = (to) => {
      const at = this._said(to);
      if (at === cue.at) this.show();
      else this.link.set(`${ROOT}change`, `${cue.n} at = ${toml(at)}`);
    };
    place(time);
    let drag = null;
    const over = () => {
      drag = this.dragged = null;
      mark.classList.remove("dragging");
      delete mark.dataset.at;
      document.removeEventListener("keydown", escape, true);
    };
    const escape = (event) => {
      if (event.key !== "Escape") return;
      event.stopPropagation();
      over();
      mark.dropped = true;
      this.show();
    };
    mark.addEventListener("pointerdown", (event) => {
      if (event.button) return;
      mark.dropped = false;
      if (!this.edits) return;
      mark.setPointerCapture(event.pointerId);
      drag = { x: event.clientX, from: time };
    });
    mark.addEventListener("pointermove", (event) => {
      if (!drag || (!this.dragged && Math.abs(event.clientX - drag.x) < 4)) return;
      if (!this.dragged) {
        this.dragged = cue;
        mark.classList.add("dragging");
        document.addEventListener("keydown", escape, true);
      }
      const by = (event.clientX - drag.x) / this.strip.clientWidth * this.sheet.length;
      place(this._snapped(drag.from + by, event.shiftKey ? FINE : this.perBeat < 4 ? 0 : 1));
      mark.dataset.at = this._said(time);
    });
    mark.addEventListener("pointerup", () => {
      const moved = this.dragged === cue;
      if (drag) over();
      if (!moved) return;
      mark.dropped = true;
      send(time);
    });
    mark.addEventListener("pointercancel", () => { if (drag) { over(); this.show(); } });
    mark.addEventListener("click", () => { if (!mark.dropped) this.go(cue); mark.dropped = false; });
    mark.addEventListener("keydown", (event) => {
      if (!this.edits || event.ctrlKey || event.metaKey || event.altKey) return;
      const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      const bars = { PageUp: -1, PageDown: 1 }[event.key];
      if (by || bars) {
        place(by ? this._stepped(time, by * (event.shiftKey ? FINE : 1)) : this._barAway(time, bars));
        mark.setAttribute("aria-label", `${this._said(time)} ${name}`);
        clearTimeout(this.waiting);
        this.waiting = setTimeout(() => send(time), SETTLES_MS);
      } else if (event.key === "Delete" || event.key === "Backspace") this.remove(cue);
      else if (event.key === "e") this.edit(cue);
      else return;
      event.preventDefault();
      event.stopPropagation();
    });
    return mark;
  }

  _zoom(to, clientX) {
    const { line } = this;
    const box = line.getBoundingClientRect();
    const x = clientX === undefined ? line.clientWidth / 2 : clientX - box.left;
    const part = (line.scrollLeft + x) / (line.scrollWidth || 1);
    this.zoom = Math.min(MOST_ZOOM, Math.max(1, to));
    this._draw();
    line.scrollLeft = part * line.scrollWidth - x;
  }

  _part(time) { return `${100 * Math.min(1, Math.max(0, time / this.sheet.length))}%`; }

  _timeAt(clientX) {
    const box = this.strip.getBoundingClientRect();
    return (clientX - box.left) / box.width * this.sheet.length;
  }

  // Bar and beat (both from 0) of a time, and back; within a bar beats are even.
  _place(time) {
    const { bars, length } = this.sheet;
    const i = Math.max(0, bars.findLastIndex((bar) => bar[0] <= time + 1e-4));
    const [start, beats] = bars[i];
    const end = bars[i + 1]?.[0] ?? Math.max(length, start + 1);
    return { bar: i, beat: Math.max(0, (time - start) / (end - start) * beats), beats };
  }

  _time(bar, beat) {
    const { bars, length } = this.sheet;
    const i = Math.min(Math.max(bar, 0), bars.length - 1);
    const [start, beats] = bars[i];
    const end = bars[i + 1]?.[0] ?? Math.max(length, start + 1);
    return start + (end - start) * beat / beats;
  }

  // On a beat, a part of one, or with step 0 on a bar.
  _snapped(time, step) {
    const { bar, beat, beats } = this._place(Math.min(Math.max(time, 0), this.sheet.length));
    const unit = step || beats;
    let to = Math.round(beat / unit) * unit;
    let at = this._time(bar, to);
    while (at < 0) at = this._time(bar, to += unit);
    return Math.min(at, this._time(this.sheet.bars.length - 1, 0));
  }

  _stepped(time, beats) {
    const one = this._place(time);
    let { bar } = one;
    let beat = Math.round((one.beat + beats) * 100) / 100;
    if (beat < 0 && bar > 0) beat += this._place(this._time(--bar, 0)).beats;
    const to = this._time(bar, beat);
    return to < 0 ? time : Math.min(to, this.sheet.length);
  }

  _barAway(time, bars) {
    const { bar, beat } = this._place(time);
    const to = this._time(bar + bars, beat);
    return to < 0 || bar + bars < 0 || bar + bars >= this.sheet.bars.length ? time : to;
  }

  _said(time) {
    let { bar, beat, beats } = this._place(time);
    beat = Math.round(beat * 100) / 100;
    if (beat >= beats) [bar, beat] = [bar + 1, 0];
    return `${this.sheet.first + bar}:${Number((beat + 1).toFixed(2))}`;
  }

  // The song is at this second; `about` says whose clock it follows.
  at(time, about) {
    this.time = time;
    if (about) this.about = about;
    if (!this.sheet || !this.head) return;
    this._head();
    const now = this.sheet.cues.findLastIndex((cue) => cue.times[0] <= time + 1e-3);
    if (now === this.now) return;
    this.now = now;
    this.rows.forEach((row, i) => press(row.go, i === now));
    if (now < 0) return;
    const row = this.rows[now].element; // within the list alone: the bars stay in sight
    const top = row.offsetTop - this.list.offsetTop;
    if (top < this.list.scrollTop || top + row.offsetHeight > this.list.scrollTop + this.list.clientHeight) {
      this.list.scrollTop = top - this.list.clientHeight / 2;
    }
  }

  _head() {
    this.head.style.left = this._part(this.time);
    const { source, lock } = this.about ?? {};
    const minutes = Math.floor(Math.max(0, this.time) / 60);
    const { bar, beat } = this._place(Math.max(0, this.time));
    const said = [`${this.sheet.first + bar}:${Math.floor(beat + 1e-3) + 1}`, `${minutes}:${(Math.max(0, this.time) % 60).toFixed(1).padStart(4, "0")}`, source, lock === "none" ? "" : lock];
    this.where.textContent = said.filter(Boolean).join(" · ");
    this.where.dataset.lock = lock ?? "";
  }
}
