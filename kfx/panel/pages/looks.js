// Presets, their cross-fade, save and compare; the library that effects are added from.

import { $, button, make, press } from "./dom.js";
import { bar } from "./knobs.js";
import { t } from "./words.js";

export class Looks {
  constructor(link) {
    this.link = link;
    this.library = { presets: [], effects: [] };
    this.name = "";
    this.eight = [];
    this.large = (localStorage.getItem("kfx.large") ?? String(matchMedia("(pointer: coarse)").matches)) === "true";
    link.on("eight", ({ names }) => {
      if (String(names) === String(this.eight)) return;
      this.eight = names;
      this.show();
    });
    this.seen = {}; // look → version of its picture
    this.effects = {};
    this.left = 0;
    link.on("thumbnails", (said) => {
      this.seen = said.versions;
      this.effects = said.effects;
      this.left = said.left;
      this.fault = said.fault;
      this._pictures();
      this.pictured?.();
    });
    link.on("saved", (said) => { this.said(`${said.name}: ${t("saved")}`); this.read(); });
    link.on("exists", (said) => this._overwrite(said.name));
    link.on("differences", (said) => this._differences(said.rows));
  }

  said() {}

  async read() {
    const answer = await fetch("library");
    if (answer.ok) {
      this.library = await answer.json();
      this.show();
    }
  }

  // From the tree: which look it is, and how long a change of look takes.
  take(tree, rows, register) {
    this.name = rows.find((row) => row.a === "/kfx/v1/preset")?.v ?? "";
    this.title = tree.preset.name;
    const fade = rows.find((row) => row.a === "/kfx/v1/fade");
    if (fade) {
      const control = bar({
        label: t("fade"), unit: t("sec"), low: 0, high: 10, value: fade.v, start: 0,
        set: (value) => this.link.set(fade.a, value),
      });
      control.element.classList.add("knob");
      control.element.dataset.address = fade.a;
      register(fade.a, control.update);
      $("fade").replaceChildren(control.element);
    }
    this.fade = () => this.now("/kfx/v1/fade") ?? 0;
    this.show();
  }

  now() {}

  // The eight within reach first, then the others.
  get order() {
    const all = this.library.presets;
    const chosen = this.eight.map((name) => all.find((one) => one.name === name)).filter(Boolean);
    return [...chosen, ...all.filter((one) => !chosen.includes(one))];
  }

  show() {
    const kept = document.activeElement?.closest("#presets [data-keep]")?.dataset.keep;
    $("presets").classList.toggle("large", this.large);
    document.body.classList.toggle("eight", this.large);
    const shown = this.large ? this.order.slice(0, 8) : this.order;
    $("presets").replaceChildren(...shown.map((one, i) => {
      const seen = make("span", { class: "look-name" }, one.name.replaceAll("_", " "));
      const key = i < 8 ? make("kbd", {}, String(i + 1)) : null;
      const own = one.own ? make("span", { class: "tag" }, t("own")) : null;
      const chosen = button("", { class: "look", title: one.doc || one.name, data: { preset: one.name, keep: one.name } });
      chosen.append(make("span", { class: "look-head" }, seen, own, key),
        make("span", { class: "look-doc" }, one.doc));
      press(chosen, one.name === this.name || (one.own && one.name === this.title));
      chosen.addEventListener("click", () => this.load(one.name));
      return make("div", { class: "look-card" }, chosen, this.large ? null : this._within(one.name));
    }));
    this._pictures();
    if (kept) document.querySelector(`#presets [data-keep="${CSS.escape(kept)}"]`)?.focus({ preventScroll: true });
  }

  // Takes a look into the eight, or out of them.
  _within(name) {
    const is = this.eight.includes(name);
    const one = button(is ? "★" : "☆", { class: "small quiet within", title: t("within"), data: { keep: `eight ${name}` },
      "aria-label": `${t("within")}: ${name}`,
      onclick: () => this.link.do("eight", { names: is ? this.eight.filter((other) => other !== name) : [...this.eight, name] }) });
    press(one, is);
    return one;
  }

  // Looks as they were last seen in this show, else as they were drawn ahead.
  _pictures() {
    for (const one of $("presets").querySelectorAll(".look")) picture(one, "name", one.dataset.preset, this.seen, this.left !== 0);
    const said = this.fault ? `${t("no-pictures")}: ${this.fault}` : this.left ? `${t("drawing")} ${this.left}` : "";
    if ($("drawing").textContent !== said) $("drawing").textContent = said;
  }

  load(name) {
    this.link.do("load", { name, seconds: this.fade() });
  }

  // A preset pack, dropped on the page.
  async unpack(file) {
    const name = file.name.replace(/\.zip$/i, "").replace(/[^\w +-]+/g, "_").slice(0, 60);
    const answer = await fetch(`pack?name=${encodeURIComponent(name)}`, { method: "POST", body: file });
    const said = await answer.json();
    this.said(said.error ?? `${said.name}: ${t("added")}`, !!said.error);
    if (answer.ok) this.read();
  }

  number(i) {
    const one = this.order[i];
    if (one) this.load(one.name);
  }

  tools(fire) {
    const one = (word, act, title = "") => button(t(word), { title, onclick: act, class: "small" });
    const large = button(t("eight"), { class: "small", title: t("eight-doc"), onclick: () => {
      this.large = !this.large;
      localStorage.setItem("kfx.large", String(this.large));
      press(large, this.large);
      this.show();
    } });
    press(large, this.large);
    $("looks-tools").replaceChildren(large,
      one("save", () => this.save()),
      one("save-as", () => this._saveAs(), "Ctrl+S"),
      one("revert", () => this.link.do("revert")),
      one("changes", () => this.link.do("differences")),
    );
    const sign = (text, word, keys) => button(text, { class: "small", title: `${t(word)} (${keys})`, "aria-label": t(word), onclick: () => fire(word) });
    this.undo = sign("↶", "undo", "Ctrl+Z");
    this.redo = sign("↷", "redo", "Ctrl+Y");
    const kept = ["A", "B"].flatMap((place) => [
      button(`▸${place}`, { class: "small", title: `${t("store")} ${place}`, "aria-label": `${t("store")} ${place}`,
        onclick: () => this.link.set("/kfx/v1/store", place) }),
      button(place, { class: "small", title: `${t("recall")} ${place}`, "aria-label": `${t("recall")} ${place}`,
        onclick: () => this.link.set("/kfx/v1/recall", place) }),
    ]);
    $("chain-tools").replaceChildren(this.undo, this.redo, ...kept,
      button(`+ ${t("add-short")}`, { class: "small add", id: "add", title: `${t("add")} (/)`, "aria-label": t("add"), onclick: () => this.add() }));
  }

  steps([undo, redo]) {
    if (!this.undo) return;
    this.undo.disabled = !undo;
    this.redo.disabled = !redo;
  }

  save() {
    const own = this.library.presets.find((one) => one.name === this.title)?.own;
    if (own) this.link.do("save", { name: "", overwrite: true });
    else this._saveAs();
  }

  _saveAs() {
    const field = make("input", { class: "text", maxLength: 64, value: this._free(), spellcheck: false });
    const go = () => {
      this.link.do("save", { name: field.value.trim(), overwrite: false });
      $("dialog").close();
    };
    dialog(t("save-as"), make("label", { class: "choice" }, make("span", { class: "label" }, t("name")), field),
      buttons(button(t("save"), { class: "main", onclick: go }), cancel()));
    field.addEventListener("keydown", (event) => { if (event.key === "Enter") { event.preventDefault(); go(); } });
    field.select();
  }

  _free() {
    const taken = new Set(this.library.presets.map((one) => one.name));
    const stem = (this.title || "look").replace(/ ?\d+$/, "");
    for (let i = 2; ; i++) if (!taken.has(`${stem} ${i}`)) return `${stem} ${i}`;
  }

  _overwrite(name) {
    dialog(name, make("p", {}, t("exists")), buttons(
      button(t("overwrite"), { class: "main", onclick: () => {
        this.link.do("save", { name, overwrite: true });
        $("dialog").close();
      } }), cancel()));
  }

  _differences(rows) {
    const lines = rows.map(([place, before, after]) => make("tr", {},
      make("th", { scope: "row" }, place), make("td", { class: "num" }, before ?? "–"), make("td", { class: "num" }, after ?? "–")));
    dialog(t("changes"), rows.length ? make("table", {}, ...lines) : make("p", {}, t("nothing")),
      buttons(cancel(t("close"))));
  }

  add() {
    const field = make("input", { class: "text", type: "search", "aria-label": t("search"), placeholder: t("search"), spellcheck: false });
    const list = make("ul", { class: "library" });
    const choose = (name) => {
      this.link.do("add", { effect: name, place: -1 });
      $("dialog").close();
    };
    const show = () => {
      const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
      const found = this.library.effects.filter((one) =>
        words.every((word) => `${one.name} ${one.kind} ${one.doc}`.toLowerCase().includes(word)));
      list.replaceChildren(...found.map((one) => make("li", { class: one.kind },
        button("", { onclick: () => choose(one.name), data: { effect: one.name } }))));
      found.forEach((one, i) => list.children[i].firstChild.append(
        make("b", {}, one.name.replaceAll("_", " ")), make("span", { class: "look-doc" }, one.doc)));
      pictures();
    };
    const pictures = this.pictured = () => {
      for (const one of list.children) picture(one.firstChild, "effect", one.firstChild.dataset.effect, this.effects, this.left !== 0);
    };
    field.addEventListener("input", show);
    field.addEventListener("keydown", (event) => {
      // Else the button that focus goes back to is pressed by the same key.
      if (event.key === "Enter") { event.preventDefault(); list.querySelector("button")?.click(); }
      if (event.key === "ArrowDown") { event.preventDefault(); list.querySelector("button")?.focus(); }
    });
    show();
    dialog(t("add"), field, list, buttons(cancel(t("close"))));
    field.focus();
  }
}

// Puts the picture into a card, or says that it is still being drawn.
function picture(card, key, name, versions, pending) {
  const version = String(versions[name] ?? (pending ? "pending" : ""));
  if ((card.dataset.version ?? "") === version) return;
  card.dataset.version = version;
  card.querySelector(".thumbnail")?.remove();
  if (!version) return;
  card.prepend(version === "pending" ? make("i", { class: "thumbnail pending", title: t("drawing-one") })
    : make("img", { class: "thumbnail", alt: "", loading: "lazy", src: `thumbnail?${key}=${encodeURIComponent(name)}&v=${version}` }));
}

export function dialog(title, ...children) {
  const one = $("dialog");
  one.replaceChildren(make("h2", { id: "dialog-title" }, title), ...children);
  if (!one.open) one.showModal();
  return one;
}

export const cancel = (word = t("cancel")) => button(word, { onclick: () => $("dialog").close() });

export const buttons = (...all) => make("div", { class: "row end" }, ...all);
