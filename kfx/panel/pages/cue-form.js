// The form of a cue: where it is, its name, the look it brings and what it does to the output.

import { button, make } from "./dom.js";
import { buttons, cancel, dialog } from "./looks.js";
import { t } from "./words.js";

const HOLDS = ["", "freeze", "black", "clean", "live"];

export const toml = (value) => JSON.stringify(value); // a TOML text or number looks the same

// `done` gets what has changed, as a line of TOML.
export function editCue(cue, at, looks, done) {
  const field = (value, more = {}) => make("input", { class: "text", value, spellcheck: false, autocomplete: "off", ...more });
  const before = { at, name: cue?.name ?? "", preset: cue?.preset ?? "", fade: cue?.fade_beats ?? 0,
    hold: cue?.hold ?? "", flash: cue?.flash ?? false, notes: cue?.notes ?? "" };
  const where = field(at, { maxLength: 20 });
  const name = field(before.name, { maxLength: 60 });
  const names = looks.filter((one) => !one.includes("/"));
  if (before.preset && !names.includes(before.preset)) names.unshift(before.preset);
  const choice = (all, value, text) => {
    const select = make("select", {}, ...all.map((one) => make("option", { value: one }, one ? text(one) : "–")));
    select.value = value;
    return select;
  };
  const preset = choice(["", ...names], before.preset, (one) => one.replaceAll("_", " "));
  const fade = field(String(before.fade), { inputMode: "decimal" });
  const holds = HOLDS.includes(before.hold) ? HOLDS : [...HOLDS, before.hold];
  const hold = choice(holds, before.hold, t);
  const flash = make("input", { type: "checkbox", checked: before.flash });
  const notes = field(before.notes, { maxLength: 200 });
  const go = () => {
    const said = [];
    const say = (key, value) => said.push(`${key} = ${toml(value)}`);
    const text = where.value.trim();
    if (!cue || text !== at) say("at", /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : text);
    if (name.value.trim() !== before.name) say("name", name.value.trim());
    if (preset.value !== before.preset) say("preset", preset.value);
    const beats = Number(fade.value.replace(",", ".")) || 0;
    if (beats !== before.fade) say("fade_beats", beats || false);
    if (hold.value !== before.hold) {
      if (before.hold) say(before.hold, false);
      if (hold.value) say(hold.value, true);
    }
    if (flash.checked !== before.flash) say("flash", flash.checked);
    if (notes.value.trim() !== before.notes) say("notes", notes.value.trim());
    if (said.length) done(said.join(", "));
    one.close();
  };
  const row = (word, element) => {
    element.setAttribute("aria-label", t(word)); // else a select is called by all its options
    return make("label", { class: "choice" }, make("span", { class: "label" }, t(word)), element);
  };
  const form = make("div", { class: "form" }, row("cue-at", where), row("name", name), row("look", preset),
    row("fade-beats", fade), row("output", hold), row("flash", flash), row("notes", notes));
  form.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && event.target.tagName === "INPUT") { event.preventDefault(); go(); }
  });
  const one = dialog(t(cue ? "edit-cue" : "add-cue"), form,
    buttons(button(t(cue ? "change" : "add-cue"), { class: "main", onclick: go }), cancel()));
  name.focus();
}
