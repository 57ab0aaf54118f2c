// What moves a knob: its signals, how far and how each moves it, one to add, each to take away.

import { button, make } from "./dom.js";
import { bar } from "./knobs.js";
import { buttons, cancel, dialog } from "./looks.js";
import { t } from "./words.js";

const EVERY_MS = 100;
const KINDS = new Set(["float", "int", "bool", "vector"]);
const TIMES = [["attack_ms", "attack"], ["release_ms", "release"]];
const LONG_MS = 2000; // of a bar; more can be typed
const BEATS = [0.25, 0.5, 1, 2, 4, 8, 16, 32];
const FASTEST_HZ = 10;

export const movable = (row, name) => !row.ro && KINDS.has(row.k) && name !== "seed";

// `moves` are {signal, amount, text, how}; `act` gets "follow" or "unfollow" and what it needs.
// `said` has the curves there are and `opens`, which folds a part away behind a button.
export function modulation(row, name, moves, said, act) {
  const span = spanOf(row);
  const lines = moves.flatMap((one) => {
    const { signal, amount, text } = one;
    const follow = later((now, how) => act("follow", { knob: name, signal, amount: now, how }));
    const more = typeof amount === "number" ? shape(row, name, one, said.curves, (how) => follow(one.amount, how)) : null;
    const toggle = more ? button("⋯", { class: "small quiet", title: `${t("shape")}: ${text}`, "aria-label": `${t("shape")}: ${signal} → ${name}` }) : "";
    if (more) said.opens(toggle, more, `shape ${row.a} ${signal}`);
    const line = make("div", { class: "source" },
      more ? slider(row, name, one, span, (next) => { one.amount = next; follow(next, {}); }) : make("span", { class: "tag" }, text),
      toggle,
      button("✕", { class: "small quiet", "aria-label": `${t("remove")}: ${signal} → ${name}`, title: text,
        onclick: () => act("unfollow", { knob: name, signal }) }));
    if (Object.keys(one.how).length) toggle.classList?.add("on");
    return more ? [line, more] : [line];
  });
  const add = (signal) => act("follow", { knob: name, signal, amount: span / 2, how: {} });
  return make("div", { class: "modulation", role: "group", "aria-label": `${t("modulation")}: ${name}` },
    ...lines, choose(row, name, moves, said.signals, add));
}

function spanOf(row) {
  if (row.k === "bool" || row.r?.length !== 2) return 1;
  const [low, high] = row.r;
  return row.k === "vector" ? Math.max(...high.map((one, i) => one - low[i])) : high - low;
}

// Sent on while it is dragged, though not as often as the pointer moves; nothing said is lost.
function later(send) {
  let waiting = null;
  let amount = 0;
  let how = {};
  return (now, more) => {
    amount = now;
    how = { ...how, ...more };
    waiting ??= setTimeout(() => { waiting = null; send(amount, how); how = {}; }, EVERY_MS);
  };
}

function slider(row, name, { signal, amount }, span, set) {
  const most = Math.max(span, Math.abs(amount));
  const { element } = bar({
    label: signal, unit: row.u, low: -most, high: most, value: amount, start: 0, centre: true, set,
  });
  element.dataset.keep = `${row.a}~${signal}`;
  element.querySelector("[role=slider]").setAttribute("aria-label", `${signal} → ${name}`);
  return element;
}

// The curve, how fast it rises and falls, and the pace of an lfo.
function shape(row, name, { signal, how }, curves, set) {
  const whose = `${signal} → ${name}`;
  const keep = (element, key) => { element.dataset.keep = `${row.a}~${signal}~${key}`; return element; };
  const number = (key, label, unit, high, value, start, put) => {
    const { element } = bar({ label: t(label), unit, low: 0, high, value, start, set: put });
    element.querySelector("[role=slider]").setAttribute("aria-label", `${t(label)}: ${whose}`);
    return keep(element, key);
  };
  const select = (key, label, options, value, text, put) => {
    const one = make("select", { "aria-label": `${t(label)}: ${whose}` },
      ...options.map((option) => make("option", { value: String(option) }, text(option))));
    one.value = String(value);
    one.addEventListener("change", () => put(one.value));
    return keep(make("label", { class: "choice" }, make("span", { class: "label" }, t(label)), one), key);
  };
  const parts = [
    select("curve", "curve", curves, how.curve ?? "linear", (one) => t(`curve-${one}`), (curve) => set({ curve })),
    ...TIMES.map(([key, label]) => number(key, label, "ms", Math.max(LONG_MS, how[key] ?? 0), how[key] ?? 0, 0,
      (value) => set({ [key]: value }))),
  ];
  if (signal.startsWith("lfo.")) {
    const beats = how.rate_beats ?? 1;
    const all = BEATS.includes(beats) ? BEATS : [...BEATS, beats].sort((a, b) => a - b);
    parts.push(
      select("beats", "every-beats", all, beats, String, (value) => set({ rate_beats: Number(value) })),
      number("hz", "rate-hz", "Hz", FASTEST_HZ, how.rate_hz ?? 0, 0,
        (value) => set(value >= 0.001 ? { rate_hz: value } : { rate_beats: beats })),
      number("phase", "phase", "", 1, how.phase ?? 0, 0, (value) => set({ phase: value })));
  }
  return make("div", { class: "shape", role: "group", "aria-label": `${t("shape")}: ${whose}` }, ...parts);
}

function choose(row, name, moves, signals, add) {
  const there = new Set(moves.map(({ signal }) => signal));
  const families = new Map();
  for (const signal of signals) {
    if (there.has(signal)) continue;
    const family = signal.split(".")[0];
    families.set(family, [...(families.get(family) ?? []), signal]);
  }
  const select = make("select", { "aria-label": `${t("add-signal")}: ${name}` },
    make("option", { value: "" }, `+ ${t("add-signal")}`),
    make("option", { value: "other" }, t("other-signal")),
    ...[...families].map(([family, all]) => make("optgroup", { label: family },
      ...all.map((signal) => make("option", { value: signal }, signal)))));
  select.dataset.keep = `${row.a}~add`;
  select.addEventListener("change", () => {
    if (select.value === "other") ask(add);
    else if (select.value) add(select.value);
    select.value = "";
  });
  return select;
}

// The name of a signal that a show or a controller sends.
function ask(add) {
  const field = make("input", { class: "text", placeholder: "cue.kick, osc.fader1, midi.cc7", maxLength: 70, spellcheck: false });
  const go = () => { one.close(); if (field.value.trim()) add(field.value.trim()); };
  field.addEventListener("keydown", (event) => { if (event.key === "Enter") { event.preventDefault(); go(); } });
  const one = dialog(t("add-signal"),
    make("label", { class: "choice" }, make("span", { class: "label" }, t("name")), field),
    buttons(button(t("add-signal"), { class: "main", onclick: go }), cancel()));
  field.focus();
}
