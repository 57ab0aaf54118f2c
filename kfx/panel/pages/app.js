// Puts the page together: what the tree says becomes controls, what changes reaches them.

import { Chain } from "./chain.js";
import { Cues } from "./cues.js";
import { $, button, make, press } from "./dom.js";
import { Health } from "./health.js";
import { knob } from "./knobs.js";
import { Link } from "./link.js";
import { Looks, buttons, cancel, dialog } from "./looks.js";
import { Picture } from "./picture.js";
import { Takes } from "./takes.js";
import { current, other, t, use } from "./words.js";

const ROOT = "/kfx/v1/";
const SHOWN = /^(cue\/(add|change|remove|undo|redo|go)|take\/.*)$/; // have their own place
const FIXED = new Set(["preset", "fade", "panic", "mode", "hold", "undo", "redo", "store", "recall", "save", "revert", "load", "learn", "forget"]);
const MODES = [["live", "L"], ["bypass", "B"], ["freeze", "F"], ["black", "K"]];

const link = new Link();
const picture = new Picture();
const health = new Health();
const updates = new Map(); // address → what shows it
const values = new Map(); // address → value
const register = (address, update) => {
  updates.set(address, [...(updates.get(address) ?? []), update]);
};
const chain = new Chain(link, register);
const looks = new Looks(link);
const cues = new Cues(link);
const takes = new Takes(link);
let tree = null;
let waiting = null;
let people = null;

looks.now = (address) => values.get(address);
cues.looks = () => tree.parameters.find((row) => row.a === `${ROOT}preset`).r;
looks.said = (text, bad) => say(text, bad);
const fire = (name) => link.set(ROOT + name, true);
const mode = (name) => link.set(`${ROOT}mode`, values.get(`${ROOT}mode`) === name ? "live" : name);

function say(text, bad = false, stays = false) {
  const news = $("news");
  news.textContent = text;
  news.hidden = !text;
  news.classList.toggle("bad", bad);
  clearTimeout(news.gone);
  if (text && !stays) news.gone = setTimeout(() => { news.hidden = true; }, bad ? 8000 : 3000);
}

// What is dragged or typed is not taken from under the hand: the tree waits until it is let go of.
function busy() {
  const at = document.activeElement;
  return document.querySelector(".dragging") || at?.matches(".type") || (at?.matches(".when input") && at.value !== at.dataset.was);
}

function arrived(message) {
  waiting = message;
  settle();
}

function settle() {
  if (!waiting || busy()) return;
  const message = waiting;
  waiting = null;
  take(message);
}

for (const kind of ["pointerup", "pointercancel", "focusout"]) document.addEventListener(kind, () => setTimeout(settle));

function take(message) {
  tree = message;
  updates.clear();
  values.clear();
  const rows = message.parameters;
  for (const row of rows) values.set(row.a, row.v);
  chain.show(message, rows);
  looks.take(message, rows, register);
  looks.steps(message.steps);
  others(rows);
  switches();
  picture.names = message.performers;
  $("name").textContent = message.preset.name;
  $("name").title = message.preset.doc;
  cues.show();
  const where = () => cues.at(values.get(`${ROOT}song/time`) ?? 0, { source: values.get(`${ROOT}song/source`), lock: values.get(`${ROOT}song/lock`) });
  where();
  for (const name of ["time", "source", "lock"]) register(`${ROOT}song/${name}`, where);
  takes.show(rows, register);
  learning(values.has(`${ROOT}learn`));
  register(`${ROOT}mode`, shown);
  register(`${ROOT}hold`, shown);
}

// Whatever else is registered: song, cues, takes, signals. One heading for each first word.
function others(rows) {
  const groups = new Map();
  for (const row of rows) {
    const [first, ...rest] = row.a.slice(ROOT.length).split("/");
    if (SHOWN.test(row.a.slice(ROOT.length)) || first === "chain" || (FIXED.has(first) && !rest.length)) continue;
    const may = link.role === "operator";
    if (!may && (!row.ro || first === "cue")) continue; // nothing to look at
    if (!groups.has(first)) groups.set(first, []);
    groups.get(first).push(row);
  }
  const blocks = [...groups].map(([name, own]) => make("div", { class: "group" },
    make("h3", {}, name), ...own.map((row) => {
      const control = knob(row, (value) => link.set(row.a, value), () => link.you);
      register(row.a, control.update);
      return control.element;
    })));
  $("others").replaceChildren(...(blocks.length ? blocks : [make("p", { class: "empty" }, t("no-others"))]));
}

// Learning: the next knob that is touched is moved by the next control that is moved.
function learning(there) {
  $("learn")?.remove();
  if (!there || link.role !== "operator") return;
  const one = button(t("learn-short"), { id: "learn", class: "small", title: t("learn"), onclick: () => learn(!document.body.classList.contains("learning")) });
  press(one, document.body.classList.contains("learning"));
  $("add").before(one);
}

function learn(on) {
  document.body.classList.toggle("learning", on);
  if ($("learn")) press($("learn"), on);
  if (on) say(t("learn-how"));
}

// While it waits, a touched knob is learned, one touched with the other button is forgotten.
function taught(event, what, word) {
  if (!document.body.classList.contains("learning")) return;
  const address = event.target.closest("[data-address]")?.dataset.address;
  if (!address) return;
  event.preventDefault();
  event.stopPropagation();
  link.set(ROOT + what, address);
  say(`${t(word)}: ${address.split("/").slice(-2).join(" ")}`);
  learn(false);
}

document.addEventListener("pointerdown", (event) => { if (!event.button) taught(event, "learn", "learn"); }, true);
document.addEventListener("contextmenu", (event) => taught(event, "forget", "forgotten"), true);

function switches() {
  const panic = button(t("panic"), { id: "panic", title: t("panic-doc"), onclick: () => fire("panic") });
  const modes = MODES.map(([name]) => button(t(name), {
    title: t(`${name}-doc`), data: { mode: name },
    onclick: () => link.set(`${ROOT}mode`, name),
  }));
  const hold = button(t("hold"), {
    title: t("hold-doc"), data: { mode: "hold" },
    onclick: () => link.set(`${ROOT}hold`, !values.get(`${ROOT}hold`)),
  });
  $("switches").replaceChildren(panic, ...modes, hold);
  shown();
}

function shown() {
  const now = values.get(`${ROOT}mode`);
  document.body.dataset.mode = now;
  for (const one of $("switches").querySelectorAll("[data-mode]")) {
    press(one, one.dataset.mode === "hold" ? !!values.get(`${ROOT}hold`) : one.dataset.mode === now);
  }
  const panic = $("panic");
  if (panic) press(panic, now === "clean");
}

function changed({ c }) {
  for (const [address, value, by] of c) {
    const row = waiting?.parameters.find((one) => one.a === address);
    if (row) row.v = value;
    values.set(address, value);
    for (const update of updates.get(address) ?? []) update(value, by);
  }
}

function peopled(message) {
  people = message;
  const here = message.here.length;
  $("who").textContent = `${t(link.role)}${here > 1 ? ` · ${here}` : ""}`;
  $("who").title = message.here.map(([name, role]) => `${name}: ${t(role)}`).join("\n");
  if (!message.devices) return $("people").replaceChildren();
  const rows = [make("h3", {}, t("people"))];
  if (!message.lan) rows.push(make("p", { class: "empty" }, t("lan-off")));
  else {
    rows.push(make("p", { class: "code" }, make("span", {}, message.lan), make("b", { class: "num" }, message.code),
      button(t("new-code"), { class: "small", onclick: () => link.do("code") })),
      make("img", { class: "qr", alt: t("qr"), width: 148, height: 148, src: `pairing.svg?${message.code}` }));
  }
  for (const [id, name, role] of message.devices) {
    const plays = button(t("plays"), { class: "small", title: t("plays-doc"), "aria-label": `${t("plays")}: ${name}`,
      onclick: () => link.do("appoint", { id, plays: role !== "operator" }) });
    press(plays, role === "operator");
    rows.push(make("p", { class: "device" }, make("span", {}, name), plays,
      button(t("revoke"), { class: "small", onclick: () => link.do("revoke", { id }) })));
  }
  $("people").replaceChildren(...rows);
}

function song({ beat, bar, tc }) {
  const whole = Math.floor(bar);
  const inBar = bar - whole;
  const beats = bar > 0.01 && beat > 0.01 ? Math.max(1, Math.round(beat / bar)) : 4;
  const said = `${whole + 1}:${Math.floor(inBar * beats + 1e-3) + 1}`;
  if (song.bar.textContent !== said) song.bar.textContent = said;
  const lock = values.get(`${ROOT}song/lock`);
  $("song").dataset.lock = lock ?? "";
  $("song").title = [values.get(`${ROOT}song/source`), lock].filter(Boolean).join(": ");
  song.tc.textContent = tc ? ` · ${tc}` : "";
}

song.bar = make("b");
song.tc = make("span", { class: "tc" });
$("song").append(song.bar, song.tc);

function language(one) {
  use(one);
  $("language").textContent = other() === "ko" ? "한국어" : "English";
  $("language").lang = other();
  $("help").setAttribute("aria-label", t("keys"));
  picture.tools();
  looks.tools(fire);
  health.tools();
  if (tree) take(tree);
  cues.show();
  if (people) peopled(people);
}

function tab(name) {
  document.body.dataset.tab = name;
  for (const one of $("tabs").children) one.setAttribute("aria-selected", String(one.dataset.tab === name));
  health.show();
}

function help() {
  const rows = [["P", "panic-doc"], ["L", "live-doc"], ["B", "bypass-doc"], ["F", "freeze-doc"], ["K", "black-doc"],
    ["Space", "k-hold"], ["W", "k-wipe"], ["S", "k-split"], ["D", "k-full"], ["1–8", "k-preset"], ["/", "k-add"],
    ["Ctrl Z / Y", "k-undo"], ["Shift", "k-drag"], ["⌫", "k-dbl"], ["↑ ↓", "k-move"]];
  dialog(t("keys"), make("table", {}, ...rows.map(([key, word]) => make("tr", {},
    make("th", { scope: "row" }, make("kbd", {}, key)), make("td", {}, t(word).replace(/ \([A-Z]\)$/, ""))))),
  buttons(cancel(t("close"))));
}

const KEYS = {
  p: () => fire("panic"), l: () => link.set(`${ROOT}mode`, "live"), b: () => mode("bypass"),
  f: () => mode("freeze"), k: () => mode("black"),
  w: () => picture.flip("wipe"), s: () => picture.flip("split"), d: () => picture.full(),
  "/": () => looks.add(), "?": help,
};
const EVERYBODYS = new Set(["w", "s", "d", "?"]);

document.addEventListener("keydown", (event) => {
  const field = event.target.closest?.("input, select, textarea");
  if (event.key === "Escape" && document.body.classList.contains("learning")) learn(false);
  if ($("dialog").open || (field && event.key !== "Escape")) return;
  const key = event.key.toLowerCase();
  const operator = link.role === "operator";
  if (event.ctrlKey || event.metaKey) {
    const inCues = event.target.closest?.("#cues") ? "cue/" : "";
    const act = { z: () => fire(inCues + (event.shiftKey ? "redo" : "undo")), y: () => fire(`${inCues}redo`), s: () => looks.save() }[key];
    if (act && operator) { event.preventDefault(); act(); }
    return;
  }
  if (event.altKey || event.repeat) return;
  if (key === " " && !event.target.closest("button")) { event.preventDefault(); picture.hold(true); return; }
  if (/^[1-8]$/.test(key) && operator && !event.target.closest("[role=slider]")) return looks.number(Number(key) - 1);
  if (KEYS[key] && (operator || EVERYBODYS.has(key))) { event.preventDefault(); KEYS[key](); }
});
// A button that was clicked with a pointer doesn't keep the keys: space compares again.
document.addEventListener("click", (event) => {
  if (event.detail && !$("dialog").open) event.target.closest("button")?.blur();
});
document.addEventListener("keyup", (event) => { if (event.key === " ") picture.hold(false); });
window.addEventListener("blur", () => picture.hold(false));

function pairing(on) {
  $("pairing").hidden = !on;
  document.body.classList.toggle("unpaired", on);
}

async function pair(code) {
  const answer = await fetch("pair", {
    method: "POST", headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ code, name: $("pair-name").value || navigator.platform || "" }),
  });
  const said = await answer.json();
  $("pair-said").textContent = said.error ?? "";
  if (answer.ok) { pairing(false); begin(); }
}

$("pairing").addEventListener("submit", (event) => { event.preventDefault(); pair($("pair-code").value.trim()); });
document.addEventListener("dragover", (event) => event.preventDefault());
document.addEventListener("drop", (event) => {
  event.preventDefault();
  if (link.role === "operator") for (const file of event.dataTransfer.files) looks.unpack(file);
});
$("language").addEventListener("click", () => language(other()));
$("help").addEventListener("click", help);
for (const one of $("tabs").children) one.addEventListener("click", () => tab(one.dataset.tab));

link.on("hello", ({ role }) => {
  document.body.dataset.role = role;
  document.body.classList.remove("away");
  say(link.lostOnce ? t("back") : "");
  pairing(false);
  if (role !== "operator") tab("show");
  picture.start();
  looks.read();
});
link.on("tree", arrived);
link.on("moved", ({ v }) => chain.at(v));
link.on("set", changed);
link.on("steps", ({ steps }) => looks.steps(steps));
link.on("minute", (message) => health.minute(message));
link.on("status", (message) => health.status(message));
link.on("people", peopled);
link.on("cues", (message) => cues.take(message));
link.on("error", ({ text, lost, a }) => {
  say(lost ? t("lost") : text, true, lost);
  if (a?.startsWith(`${ROOT}cue/`)) cues.show(); // what was dragged goes back
});
link.on("lost", () => {
  link.lostOnce = true;
  document.body.classList.add("away");
  say(t("lost"), true, true);
});
link.on("unpaired", () => {
  picture.stop();
  const code = /^#pair=(\d+)$/.exec(location.hash)?.[1];
  pairing(true);
  if (code) { history.replaceState(null, "", "/"); pair(code); }
});
picture.heard = song;

function begin() { link.start(); }

language(current());
tab(matchMedia("(max-width: 700px)").matches ? "chain" : "looks");
begin();
