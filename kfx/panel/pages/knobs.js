// A control for each parameter, made from its one declaration: bar, choice, switch, colour, button.

import { button, make, press } from "./dom.js";
import { t } from "./words.js";

const FINE = 0.1;
const KINDS = {
  float: number, int: number, bool: truth, choice, vector, event: trigger, file: text, text,
};

// Every control is `{element, update(value, by), live(value)}`; `update` shows what was set
// elsewhere, `live` where signals have moved it to.
export function knob(row, set, me) {
  const control = (row.ro ? reading : KINDS[row.k] || text)(row, set);
  const { element } = control;
  element.classList.add("knob");
  element.dataset.address = row.a;
  element.title = [row.doc, row.k === "float" || row.k === "int" ? t("reset") : ""]
    .filter(Boolean).join("\n");
  return {
    element,
    update(value, by) {
      control.update(value);
      if (by && by !== me() && !row.ro) flash(element, by);
    },
    live: control.live,
  };
}

export const labelOf = (row) => (row.label || row.a.split("/").at(-1)).replaceAll("_", " ");

function flash(element, by) {
  element.dataset.by = by;
  element.classList.remove("flash");
  void element.offsetWidth; // so that it starts anew
  element.classList.add("flash");
  clearTimeout(element.unflash);
  element.unflash = setTimeout(() => element.classList.remove("flash"), 1600);
}

export function digits(span) {
  return span > 500 ? 0 : span > 20 ? 1 : span > 2 ? 2 : 3;
}

// What can only be read: the song's time, the take that rolls.
function reading(row) {
  const value = make("span", { class: "num" });
  const show = (now) => {
    const said = typeof now === "number" && !Number.isInteger(now) ? now.toFixed(2) : now ?? "–";
    value.textContent = `${said} ${row.u ?? ""}`.trim();
  };
  show(row.v);
  return {
    element: make("div", { class: "reading" }, make("span", { class: "label" }, labelOf(row)), value),
    update: show,
  };
}

function number(row, set) {
  const [low, high] = row.r?.length === 2 ? row.r : [0, 1];
  return bar({
    label: labelOf(row), unit: row.u, low, high, value: row.v, start: row.d,
    whole: row.k === "int", disabled: row.ro, set,
  });
}

// A bar to drag, with a number to type in. Shift is fine; a double click is how it comes.
export function bar({ label, unit = "", low, high, value, start, whole, disabled, set, narrow, centre }) {
  const span = high - low || 1;
  const places = whole ? 0 : digits(span);
  let now = value ?? low;
  const fill = make("i", { class: "fill" });
  const mark = make("i", { class: "mark" });
  const ring = make("i", { class: "ring", hidden: true });
  const read = make("span", { class: "value num" });
  const slider = make("div", {
    class: "bar", role: "slider", tabindex: disabled ? "-1" : "0", "aria-label": label,
    "aria-valuemin": String(low), "aria-valuemax": String(high),
  }, fill, mark, make("span", { class: "label" }, label), ring);
  if (disabled) slider.setAttribute("aria-disabled", "true");
  const input = make("button", { type: "button", class: "read", tabindex: -1, disabled: !!disabled },
    read, unit ? make("span", { class: "unit" }, unit) : null);
  const element = make("div", { class: narrow ? "numeric narrow" : "numeric" }, slider, input);

  const show = () => {
    const part = Math.min(1, Math.max(0, (now - low) / span));
    const from = centre ? -low / span : 0; // a bar that goes both ways is filled from 0
    fill.style.transform = `translateX(${100 * Math.min(from, part)}%) scaleX(${Math.abs(part - from)})`;
    const said = Number(now).toFixed(places);
    read.textContent = said;
    slider.setAttribute("aria-valuenow", said);
    slider.setAttribute("aria-valuetext", `${said} ${unit}`.trim());
    element.classList.toggle("moved-off", start !== undefined && Math.abs(now - start) > span * 1e-4);
  };
  const go = (next) => {
    next = Math.min(high, Math.max(low, whole ? Math.round(next) : next));
    if (!Number.isFinite(next) || next === now) return;
    now = next;
    show();
    set(whole ? now : Number(now.toPrecision(7)));
  };
  if (start !== undefined && start > low && start < high) {
    mark.style.left = `${100 * (start - low) / span}%`;
  } else mark.hidden = true;

  let drag = null;
  slider.addEventListener("pointerdown", (event) => {
    if (disabled || event.button) return;
    slider.setPointerCapture(event.pointerId);
    slider.classList.add("dragging");
    drag = { x: event.clientX, y: event.clientY, at: now, fine: event.shiftKey, moved: false };
  });
  slider.addEventListener("pointermove", (event) => {
    if (!drag) return;
    if (event.shiftKey !== drag.fine) Object.assign(drag, { x: event.clientX, at: drag.exact ?? now, fine: event.shiftKey });
    if (!drag.moved && Math.abs(event.clientX - drag.x) < 2) return;
    drag.moved = true;
    const pace = span / slider.clientWidth * (drag.fine ? FINE : 1);
    drag.exact = drag.at + (event.clientX - drag.x) * pace;
    go(drag.exact);
  });
  const end = (event) => {
    // A click goes there; a drag has gone there already.
    if (drag && !drag.moved && event.type === "pointerup" && event.detail !== 2) {
      const box = slider.getBoundingClientRect();
      clearTimeout(slider.click);
      slider.click = setTimeout(() => go(low + span * (event.clientX - box.left) / box.width), 220);
    }
    drag = null;
    slider.classList.remove("dragging");
  };
  slider.addEventListener("pointerup", end);
  slider.addEventListener("pointercancel", end);
  slider.addEventListener("dblclick", () => {
    clearTimeout(slider.click);
    if (!disabled && start !== undefined) go(start);
  });
  slider.addEventListener("keydown", (event) => {
    if (disabled || event.ctrlKey || event.metaKey || event.altKey) return;
    const step = whole ? Math.max(1, Math.round(span / 100)) : span / 100 * (event.shiftKey ? FINE : 1);
    const to = {
      ArrowRight: now + step, ArrowUp: now + step, ArrowLeft: now - step, ArrowDown: now - step,
      PageUp: now + 10 * step, PageDown: now - 10 * step, Home: low, End: high,
      Backspace: start, Delete: start,
    }[event.key];
    if (to !== undefined) {
      event.preventDefault();
      go(to);
    } else if (event.key === "Enter" || /^[\d.-]$/.test(event.key)) {
      event.preventDefault();
      type(event.key === "Enter" ? "" : event.key);
    }
  });

  const type = (first) => {
    const field = make("input", { class: "type num", inputMode: "decimal", "aria-label": label });
    field.value = first || Number(now).toFixed(places);
    let over = false;
    const done = (keep) => {
      if (over) return;
      over = true;
      field.replaceWith(input);
      const typed = Number(field.value.replace(",", "."));
      if (keep && field.value.trim()) go(typed);
      if (keep !== null) slider.focus({ preventScroll: true });
    };
    field.addEventListener("keydown", (event) => {
      event.stopPropagation();
      if (event.key === "Enter") done(true);
      if (event.key === "Escape") done(false);
    });
    field.addEventListener("blur", () => { if (!over) { over = true; field.replaceWith(input); go(Number(field.value.replace(",", "."))); } });
    input.replaceWith(field);
    field.focus();
    if (!first) field.select();
  };
  input.addEventListener("click", () => type(""));
  show();
  const live = (value) => {
    ring.hidden = false;
    ring.style.left = `${100 * Math.min(1, Math.max(0, (value - low) / span))}%`;
  };
  return { element, live, update(next) { now = next; show(); } };
}

function truth(row, set) {
  const said = labelOf(row);
  const one = make("button", { type: "button", role: "switch", class: "toggle", disabled: !!row.ro },
    make("span", { class: "label" }, said), make("i", { class: "lamp" }));
  let now = !!row.v;
  const show = () => one.setAttribute("aria-checked", String(now));
  one.addEventListener("click", () => { now = !now; show(); set(now); });
  show();
  const live = (value) => { one.dataset.live = String(!!value); };
  return { element: one, live, update(value) { now = !!value; show(); } };
}

function choice(row, set) {
  const select = make("select", { disabled: !!row.ro, "aria-label": labelOf(row) });
  const options = (row.r || []).map((one) => make("option", { value: String(one) }, String(one)));
  if (row.v === undefined) options.unshift(make("option", { value: "", disabled: true }, "–"));
  select.append(...options);
  const show = (value) => { select.value = value === undefined ? "" : String(value); };
  select.addEventListener("change", () => {
    set(row.r.find((one) => String(one) === select.value));
    if (row.v === undefined) show(undefined);
  });
  show(row.v);
  return {
    element: make("label", { class: "choice" }, make("span", { class: "label" }, labelOf(row)), select),
    update: (value) => { if (row.v !== undefined) show(value); },
  };
}

function vector(row, set) {
  let now = [...row.v];
  const [lows, highs] = row.r;
  const isColour = now.length === 4 && lows.every((one) => one === 0) && highs.every((one) => one === 1);
  const names = isColour ? ["alpha"] : ["x", "y", "z", "w"];
  const bars = [];
  const one = (name, i) => {
    bars[i] = bar({
      label: name, low: lows[i], high: highs[i], value: now[i], start: row.d?.[i], narrow: true,
      disabled: row.ro, set: (value) => { now[i] = value; set([...now]); },
    });
    return bars[i].element;
  };
  const parts = isColour ? [one("alpha", 3)] : names.slice(0, now.length).map(one);
  let well = null;
  const swatch = make("i", { class: "swatch", hidden: true });
  if (isColour) {
    well = make("input", { type: "color", disabled: !!row.ro, "aria-label": labelOf(row) });
    well.addEventListener("input", () => {
      for (let i = 0; i < 3; i++) now[i] = parseInt(well.value.slice(1 + 2 * i, 3 + 2 * i), 16) / 255;
      set([...now]);
    });
    parts.unshift(well, swatch);
  }
  const show = () => {
    if (well) {
      const hex = (part) => Math.round(255 * part).toString(16).padStart(2, "0");
      well.value = `#${now.slice(0, 3).map(hex).join("")}`;
    }
    bars.forEach((each, i) => each.update(now[i]));
  };
  show();
  return {
    element: make("div", { class: "vector", role: "group", "aria-label": labelOf(row) },
      make("span", { class: "label" }, labelOf(row)), ...parts),
    update(value) { now = [...value]; show(); },
    live(value) {
      bars.forEach((each, i) => each.live(value[i]));
      if (!well) return;
      swatch.hidden = false;
      swatch.style.background = `rgb(${value.slice(0, 3).map((part) => Math.round(255 * part)).join(" ")})`;
    },
  };
}

function trigger(row, set) {
  const one = button(labelOf(row), { class: "trigger", disabled: !!row.ro });
  one.addEventListener("click", () => set(true));
  return { element: one, update() { press(one, true); setTimeout(() => press(one, false), 200); } };
}

function text(row, set) {
  const field = make("input", {
    class: "text", value: row.v ?? "", readOnly: !!row.ro, "aria-label": labelOf(row),
    spellcheck: false, autocomplete: "off",
  });
  field.addEventListener("change", () => set(field.value));
  field.addEventListener("keydown", (event) => event.stopPropagation());
  return {
    element: make("label", { class: "choice" }, make("span", { class: "label" }, labelOf(row)), field),
    update(value) { if (document.activeElement !== field) field.value = value ?? ""; },
  };
}
