// What moves a knob: its signals with how far each moves it, one to add, each to take away.

import { button, make } from "./dom.js";
import { bar } from "./knobs.js";
import { t } from "./words.js";

const EVERY_MS = 100;
const KINDS = new Set(["float", "int", "bool", "vector"]);

export const movable = (row, name) => !row.ro && KINDS.has(row.k) && name !== "seed";

// `moves` are [signal, amount, text]; `act` gets "follow" or "unfollow" and what it needs.
export function modulation(row, name, moves, signals, act) {
  const span = spanOf(row);
  const lines = moves.map(([signal, amount, text]) => make("div", { class: "source" },
    typeof amount === "number" ? slider(row, name, signal, amount, span, act) : make("span", { class: "tag" }, text),
    button("✕", { class: "small quiet", "aria-label": `${t("remove")}: ${signal} → ${name}`, title: text,
      onclick: () => act("unfollow", { knob: name, signal }) })));
  return make("div", { class: "modulation", role: "group", "aria-label": `${t("modulation")}: ${name}` },
    ...lines, choose(row, name, moves, signals, (signal) => act("follow", { knob: name, signal, amount: span / 2 })));
}

function spanOf(row) {
  if (row.k === "bool" || row.r?.length !== 2) return 1;
  const [low, high] = row.r;
  return row.k === "vector" ? Math.max(...high.map((one, i) => one - low[i])) : high - low;
}

// The amount, sent on while it is dragged, though not as often as the pointer moves.
function slider(row, name, signal, amount, span, act) {
  let waiting = null;
  let value = amount;
  const send = () => { waiting = null; act("follow", { knob: name, signal, amount: value }); };
  const most = Math.max(span, Math.abs(amount));
  const { element } = bar({
    label: signal, unit: row.u, low: -most, high: most, value: amount, start: 0, centre: true,
    set: (next) => { value = next; waiting ??= setTimeout(send, EVERY_MS); },
  });
  element.dataset.keep = `${row.a}~${signal}`;
  const said = element.querySelector("[role=slider]");
  said.setAttribute("aria-label", `${signal} → ${name}`);
  return element;
}

function choose(row, name, moves, signals, add) {
  const there = new Set(moves.map(([signal]) => signal));
  const families = new Map();
  for (const signal of signals) {
    if (there.has(signal)) continue;
    const family = signal.split(".")[0];
    families.set(family, [...(families.get(family) ?? []), signal]);
  }
  const select = make("select", { "aria-label": `${t("add-signal")}: ${name}` },
    make("option", { value: "" }, `+ ${t("add-signal")}`),
    ...[...families].map(([family, all]) => make("optgroup", { label: family },
      ...all.map((signal) => make("option", { value: signal }, signal)))));
  select.dataset.keep = `${row.a}~add`;
  select.addEventListener("change", () => { if (select.value) add(select.value); });
  return select;
}
