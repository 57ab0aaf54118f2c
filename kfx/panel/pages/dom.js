// Makes elements; text only ever goes in as text.

export const $ = (id) => document.getElementById(id);

export function make(tag, properties = {}, ...children) {
  const one = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name === "class") one.className = value;
    else if (name.startsWith("on")) one.addEventListener(name.slice(2), value);
    else if (name === "data") Object.assign(one.dataset, value);
    else if (name in one && !name.startsWith("aria")) one[name] = value;
    else one.setAttribute(name, value);
  }
  one.append(...children.filter((child) => child !== null && child !== undefined));
  return one;
}

export function button(text, properties = {}) {
  return make("button", { type: "button", ...properties }, text);
}

export function press(one, on) {
  one.setAttribute("aria-pressed", on ? "true" : "false");
}
