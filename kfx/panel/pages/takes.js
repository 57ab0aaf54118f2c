// Takes: roll, cut, circle, note. Whoever may only look has the star, which circles.

import { $, button, make, press } from "./dom.js";
import { t } from "./words.js";

const ROOT = "/kfx/v1/take/";

export class Takes {
  constructor(link) {
    this.link = link;
    this.name = "";
    setInterval(() => this._clock(), 500);
  }

  show(rows, register) {
    const known = new Map(rows.map((row) => [row.a, row]));
    const is = (name) => known.has(ROOT + name);
    $("takes").hidden = !is("circle");
    if (!is("circle")) return;
    const may = this.link.role === "operator";
    const fire = (name) => this.link.set(ROOT + name, true);
    this.roll = button(`● ${t("roll")}`, { class: "roll", disabled: !may, onclick: () => fire("roll") });
    this.cut = button(`■ ${t("cut")}`, { disabled: !may, onclick: () => fire("cut") });
    this.star = button(`★ ${t("circle")}`, { class: "star", title: t("circle-doc"), onclick: () => fire("circle") });
    this.said = make("span", { class: "take-name num", role: "status" });
    const text = (name, word, clear) => {
      const field = make("input", { class: "text", value: known.get(ROOT + name)?.v ?? "", spellcheck: false,
        autocomplete: "off", maxLength: 200, placeholder: t(word), "aria-label": t(word) });
      field.dataset.address = ROOT + name;
      field.addEventListener("change", () => {
        if (clear && !field.value.trim()) return;
        this.link.set(ROOT + name, field.value.trim());
        if (clear) field.value = "";
      });
      if (!clear) register(ROOT + name, (value) => { if (document.activeElement !== field) field.value = value ?? ""; });
      return field;
    };
    const parts = [make("div", { class: "title" }, make("h3", {}, t("takes")), this.said)];
    parts.push(make("div", { class: "take-row" }, ...(may ? [this.roll, this.cut] : []), this.star));
    if (may) parts.push(make("div", { class: "take-row" }, text("slate", "slate"), text("note", "note", true)));
    $("takes").replaceChildren(...parts);
    register(`${ROOT}name`, (name) => this._rolls(name));
    register(`${ROOT}circle`, () => this._starred());
    this._rolls(known.get(`${ROOT}name`)?.v ?? "");
  }

  _rolls(name) {
    if (name && name !== this.name) Object.assign(this, { since: performance.now(), circled: false });
    if (this.name && !name) this.last = this.name;
    this.name = name;
    press(this.roll, !!name);
    this._clock();
  }

  _starred() {
    this.circled = true;
    this._clock();
  }

  _clock() {
    if (!this.said) return;
    const s = Math.floor((performance.now() - (this.since ?? 0)) / 1000);
    const long = `${Math.floor(s / 60)}:${String(s % 60).padStart(2, "0")}`;
    const star = this.circled ? " ★" : "";
    this.said.classList.toggle("rolling", !!this.name);
    const text = this.name ? `${this.name}${star} · ${long}` : this.last ? `${this.last}${star} · ${t("cut-said")}` : t("no-take");
    if (this.said.textContent !== text) this.said.textContent = text;
    press(this.star, !!this.circled);
  }
}
