// The song's bars with its cues and where it is; a click on a cue goes there.

import { $, button, make, press } from "./dom.js";
import { t } from "./words.js";

export class Cues {
  constructor(link) {
    this.link = link;
    this.sheet = null;
    this.time = 0;
  }

  take(sheet) {
    this.sheet = sheet;
    this.show();
  }

  show() {
    const { sheet } = this;
    $("cues").hidden = !sheet;
    if (!sheet) return;
    const part = (time) => `${100 * Math.min(1, Math.max(0, time / sheet.length))}%`;
    const may = this.link.role === "operator";
    const go = (cue) => this.link.set("/kfx/v1/cue/goto", cue[1]);
    const every = [1, 2, 4, 8, 16, 32, 64].find((n) => sheet.bars.length / n <= 48) ?? 128;
    const bars = sheet.bars.map((time, i) => [time, i]).filter(([, i]) => i % every === 0)
      .map(([time, i]) => {
        const one = make("i", { class: "barline" }, i % (4 * every) === 0 ? String(i + 1) : "");
        one.style.left = part(time);
        return one;
      });
    const marks = sheet.cues.map((cue) => {
      const one = button("", {
        class: "cue-mark", disabled: !may, title: `${cue[1]} ${cue[2]} ${cue[3]}`,
        "aria-label": `${cue[1]} ${cue[2] || cue[3]}`, onclick: () => go(cue),
      });
      one.style.left = part(cue[0]);
      return one;
    });
    this.head = make("i", { class: "playhead" });
    this.rows = sheet.cues.map((cue) => button("", { class: "cue", disabled: !may, onclick: () => go(cue) }));
    this.rows.forEach((row, i) => {
      const [, at, name, text] = sheet.cues[i];
      row.append(make("b", { class: "num" }, at), make("span", { class: "cue-name" }, name), make("span", { class: "look-doc" }, text));
    });
    $("cues").replaceChildren(make("h3", {}, `${t("cues")}: ${sheet.name}`),
      make("div", { class: "strip" }, ...bars, ...marks, this.head),
      make("div", { class: "cue-list" }, ...this.rows));
    this.now = undefined;
    this.at(this.time);
  }

  // The song is at this second.
  at(time) {
    this.time = time;
    if (!this.sheet || !this.head) return;
    this.head.style.left = `${100 * Math.min(1, Math.max(0, time / this.sheet.length))}%`;
    const now = this.sheet.cues.findLastIndex((cue) => cue[0] <= time + 1e-3);
    if (now === this.now) return;
    this.now = now;
    this.rows.forEach((row, i) => press(row, i === now));
    if (now >= 0) this.rows[now].scrollIntoView({ block: "nearest" });
  }
}
