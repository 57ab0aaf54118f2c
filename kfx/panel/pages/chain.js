// The chain: a card for each effect, with its knobs; fold, solo, bypass, remove, drag to reorder.

import { $, button, make, press } from "./dom.js";
import { knob, labelOf } from "./knobs.js";
import { modulation, movable } from "./modulation.js";
import { routing } from "./routing.js";
import { t } from "./words.js";

const QUIET = new Set(["bypass", "solo"]);

export class Chain {
  constructor(link, register) {
    this.link = link;
    this.register = register;
    this.folded = new Set(JSON.parse(sessionStorage.getItem("kfx.folded") || "[]"));
    this.open = new Set(); // what is edited: routings of effects, modulation of knobs
    this.live = new Map(); // address → what shows the value of the moment
    this.moved = [];
  }

  // Where the knobs stand now that signals move.
  at(moved) {
    this.moved = moved;
    for (const [address, value] of moved) this.live.get(address)?.(value);
  }

  // Builds the cards anew, keeping focus and scroll where they were.
  show(tree, rows) {
    const scroll = $("chain").scrollTop;
    const at = document.activeElement;
    const focus = at?.closest("[data-keep], [data-address]")?.dataset;
    const marked = at?.matches("input.text") ? [at.selectionStart, at.selectionEnd] : null;
    this.live.clear();
    this.tree = tree;
    this.cards = tree.chain.map((one, place) => this._card(one, place, rows));
    const empty = make("li", { class: "empty" }, t("empty"));
    $("links").replaceChildren(...(this.cards.length ? this.cards : [empty]));
    $("chain").scrollTop = scroll;
    this.at(this.moved);
    if (focus) {
      const [kind, key] = focus.keep ? ["keep", focus.keep] : ["address", focus.address];
      const again = document.querySelector(`[data-${kind}="${CSS.escape(key)}"]`);
      const one = again?.querySelector("[tabindex='0'],select,input,button") || again;
      one?.focus({ preventScroll: true });
      if (marked && one?.matches("input.text")) one.setSelectionRange(...marked);
    }
  }

  _card(one, place, rows) {
    const base = `/kfx/v1/chain/${place}/`;
    const own = rows.filter((row) => row.a.startsWith(base));
    const leaf = (row) => row.a.split("/").at(-1);
    const at = (name) => own.find((row) => leaf(row) === name && row.a.split("/").length === 7);
    const bypass = this._switch(at("bypass"), "B", t("bypass"));
    const solo = this._switch(at("solo"), "S", t("solo"));
    const grip = make("button", {
      type: "button", class: "grip", "aria-label": `${t("reorder")}: ${one.effect}`, title: t("reorder"),
    }, "⠿");
    const id = `${one.effect}#${rows.filter((row) => row.a.endsWith("/solo")).indexOf(at("solo"))}`;
    const fold = button(one.effect.replaceAll("_", " ") + (one.bus ? ` → ${one.bus}` : ""), { class: "name", title: one.doc });
    const when = this._when(one, place, id);
    const whom = one.slots && this._whom(one, place, id);
    const remove = button("✕", {
      class: "small quiet", "aria-label": `${t("remove")}: ${one.effect}`, title: t("remove"),
      onclick: () => this.link.do("remove", { place }),
    });
    const body = make("div", { class: "knobs" });
    for (const row of own) {
      if (QUIET.has(leaf(row)) && row.k === "bool") continue;
      const control = knob(row, (value) => this.link.set(row.a, value), () => this.link.you);
      this.register(row.a, control.update);
      const name = row.label ?? leaf(row);
      if (movable(row, name)) body.append(...this._movable(control, row, name, one.moved[name] ?? [], place));
      else body.append(control.element);
    }
    const card = make("li", { class: `link ${one.kind}`, data: { place: String(place) } },
      make("header", {}, grip, fold, when.toggle, whom?.toggle ?? null, solo, bypass, remove), when.row, ...(whom ? [whom.chips] : []), body);
    const show = (closed) => {
      card.classList.toggle("folded", closed);
      fold.setAttribute("aria-expanded", String(!closed));
    };
    fold.addEventListener("click", () => {
      const closed = !this.folded.has(id);
      this.folded[closed ? "add" : "delete"](id);
      sessionStorage.setItem("kfx.folded", JSON.stringify([...this.folded]));
      show(closed);
    });
    show(this.folded.has(id));
    const off = at("bypass");
    if (off) {
      card.classList.toggle("off", !!off.v);
      this.register(off.a, (value, by) => { bypass.update(value, by); card.classList.toggle("off", !!value); });
    }
    this._drag(grip, card, place);
    return card;
  }

  // The condition under which an effect is drawn, as a text behind a button.
  _when(one, place, id) {
    const field = make("input", { class: "text", value: one.when, placeholder: "bar.phase < 0.5 and face.jawOpen > 0.3",
      maxLength: 1000, spellcheck: false, autocomplete: "off", "aria-label": `${t("when")}: ${one.effect}` });
    field.dataset.was = one.when;
    field.dataset.keep = `when ${id}`;
    field.addEventListener("keydown", (event) => {
      if (event.key === "Escape") field.value = one.when;
      if (event.key === "Enter" || event.key === "Escape") field.blur();
    });
    field.addEventListener("change", () => this.link.do("when", { place, condition: field.value.trim() }));
    const row = make("div", { class: "when" }, make("span", {}, t("when")), field);
    const toggle = button(one.when ? `${t("if")} ${one.when}` : t("if"), {
      class: `small cond${one.when ? " some" : ""}`, title: one.when ? `${t("when")} ${one.when}` : t("when-doc"),
      "aria-label": `${t("when")}: ${one.effect}: ${one.when || t("always")}`,
    });
    this._opens(toggle, row, `when ${id}`);
    return { toggle, row };
  }

  // The button that says whom an effect draws, and the chips it opens.
  _whom(one, place, id) {
    const chips = routing(one, Object.values(this.tree.performers), (slots) => this.link.do("route", { place, slots }));
    const said = one.slots.length ? one.slots.join(", ") : t("everybody");
    const toggle = button(`→ ${said}`, {
      class: `small whom${one.slots.length ? " some" : ""}`, title: `${t("routing")}: ${said}`,
      "aria-label": `${t("routing")}: ${one.effect}: ${said}`,
    });
    this._opens(toggle, chips, `slots ${id}`);
    return { toggle, chips };
  }

  // A knob that signals may move: a button beside it opens what moves it.
  _movable(control, row, name, moves, place) {
    const about = { signals: this.tree.signals, curves: this.tree.curves, opens: (...parts) => this._opens(...parts) };
    const editor = modulation(row, name, moves, about, (what, more) => this.link.do(what, { place, ...more }));
    const said = moves.length ? `${t("moved")} ${moves.map((one) => one.text).join(" + ")}` : t("modulation");
    const toggle = button("∿", {
      class: `small quiet wave${moves.length ? " on" : ""}`, title: said, "aria-label": `${t("modulation")}: ${labelOf(row)}`,
    });
    this._opens(toggle, editor, row.a);
    if (moves.length && control.live) this.live.set(row.a, control.live);
    return [make("div", { class: "movable" }, control.element, toggle), editor];
  }

  _opens(toggle, what, key) {
    toggle.dataset.keep = `open ${key}`;
    const show = () => {
      what.hidden = !this.open.has(key);
      toggle.setAttribute("aria-expanded", String(!what.hidden));
    };
    toggle.addEventListener("click", () => {
      this.open[this.open.has(key) ? "delete" : "add"](key);
      show();
    });
    show();
  }

  _switch(row, letter, word) {
    if (!row) return null;
    const one = button(letter, { class: `small ${word === t("solo") ? "solo" : "off"}`, title: `${word}: ${row.doc ?? ""}`, "aria-label": `${word} ${row.a.split("/").at(-2)}` });
    one.dataset.address = row.a;
    let now = !!row.v;
    press(one, now);
    one.addEventListener("click", () => this.link.set(row.a, !now));
    one.update = (value) => { now = !!value; press(one, now); };
    this.register(row.a, one.update);
    return one;
  }

  _drag(grip, card, place) {
    const go = (to) => {
      if (to !== place && to >= 0 && to < this.cards.length) this.link.do("move", { place, to });
    };
    grip.addEventListener("keydown", (event) => {
      const by = { ArrowUp: -1, ArrowDown: 1 }[event.key];
      if (by) { event.preventDefault(); go(place + by); }
    });
    grip.addEventListener("pointerdown", (event) => {
      event.preventDefault();
      grip.focus();
      grip.setPointerCapture(event.pointerId);
      card.classList.add("dragged");
      let to = place;
      const move = (one) => {
        // Its place among the others is after all those whose middle lies above the pointer.
        to = this.cards.filter((other) => {
          const box = other.getBoundingClientRect();
          return other !== card && one.clientY > box.top + box.height / 2;
        }).length;
        this.cards.forEach((other) => other.classList.remove("before", "after"));
        const others = this.cards.filter((other) => other !== card);
        if (to < others.length) others[to].classList.add("before");
        else others.at(-1)?.classList.add("after");
      };
      const end = (one) => {
        grip.removeEventListener("pointermove", move);
        this.cards.forEach((other) => other.classList.remove("before", "after"));
        card.classList.remove("dragged");
        if (one.type === "pointerup") go(to);
      };
      grip.addEventListener("pointermove", move);
      grip.addEventListener("pointerup", end, { once: true });
      grip.addEventListener("pointercancel", end, { once: true });
    });
  }
}

