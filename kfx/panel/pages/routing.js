// Whom an effect draws: everybody, slots by number, performers by name.

import { button, make, press } from "./dom.js";
import { t } from "./words.js";

const SLOTS = [0, 1, 2, 3, 4, 5, 6, 7];
const plain = (slot) => String(slot).toLowerCase();

// A row of chips that toggle; `route` gets the new list, empty for everybody.
export function routing(one, performers, route) {
  const named = ["lead", ...performers, ...one.slots.filter((slot) => typeof slot === "string")];
  const names = named.filter((name, i) => named.findIndex((other) => plain(other) === plain(name)) === i);
  let slots = one.slots; // kept here too: the next click may come before the news of this one
  const chips = [];
  const has = (slot) => slots.some((other) => plain(other) === plain(slot));
  const show = () => { for (const [made, on] of chips) press(made, on()); };
  const chip = (text, said, on, next) => {
    const made = button(text, {
      class: "small slot", "aria-label": said, title: said,
      onclick: () => { slots = next(); show(); route(slots); },
    });
    made.dataset.keep = `${one.effect}/slot/${text}`;
    chips.push([made, on]);
    return made;
  };
  const toggled = (slot) => (has(slot) ? slots.filter((other) => plain(other) !== plain(slot)) : [...slots, slot]);
  const row = make("div", { class: "routing", role: "group", "aria-label": `${t("routing")}: ${one.effect}` },
    chip(t("everybody"), `${t("everybody")}: ${one.effect}`, () => !slots.length, () => []),
    ...[...SLOTS, ...names].map((slot) =>
      chip(String(slot), `${t("face")} ${slot}: ${one.effect}`, () => has(slot), () => toggled(slot))));
  show();
  return row;
}
