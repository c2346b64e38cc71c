// Making elements, and numbers as words. Texts become text nodes: nothing that a run says is read as HTML.
const data = JSON.parse(document.getElementById("data").textContent);
const byId = id => document.getElementById(id);
const SVG = "http://www.w3.org/2000/svg";

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "style") for (const [key, one] of Object.entries(value)) element.style.setProperty(key, one);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter(child => child !== null && child !== undefined && child !== false));
  return element;
}
const make = (tag, attributes, ...children) => fill(document.createElement(tag), attributes, children);
const draw = (tag, attributes, ...children) => fill(document.createElementNS(SVG, tag), attributes, children);

const ICONS = {
  play: "M8 5.5v13l10.5-6.5z", pause: "M8.5 5.5v13M15.5 5.5v13", back: "M14.5 6l-6 6 6 6", next: "M9.5 6l6 6-6 6",
  close: "M6.5 6.5l11 11M17.5 6.5l-11 11", wide: "M9 4H4v5M15 4h5v5M9 20H4v-5M15 20h5v-5",
  plus: "M12 5v14M5 12h14", minus: "M5 12h14", fit: "M4 9V4h5M20 9V4h-5M4 15v5h5M20 15v5h-5",
  auto: "M12 3.5a8.5 8.5 0 1 0 0 17zM12 3.5a8.5 8.5 0 0 1 0 17", dark: "M20 14.5A8.5 8.5 0 0 1 9.5 4a8.5 8.5 0 1 0 10.500 10.500z",
  light: "M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM12 2.500v2M12 19.500v2M2.500 12h2M19.500 12h2M5.300 5.300l1.400 1.400M17.300 17.300l1.400 1.400M5.300 18.700l1.400-1.400M17.300 6.700l1.400-1.400",
};
const icon = name => draw("svg", { viewBox: "0 0 24 24", "aria-hidden": "true" }, draw("path", { d: ICONS[name] }));
function iconButton(name, label, act) {
  return make("button", { type: "button", class: "icon", "aria-label": label, title: label, onclick: act }, icon(name));
}
function setIcon(button, name, label) {
  button.replaceChildren(icon(name));
  button.setAttribute("aria-label", label);
  button.title = label;
}

const whole = value => Math.round(value).toLocaleString("en-US");

// About four digits, in the shortest form that is still read at a glance.
function short(value) {
  if (value === null || value === undefined) return "–";
  const size = Math.abs(value);
  if (value === 0) return "0";
  if (size >= 1e6 || size < 1e-4) return value.toExponential(2).replace("e+", "e").replace("-", "−").replace("e-", "e−");
  const text = size >= 1000 ? whole(value) : Number(value.toPrecision(size < 1 ? 3 : 4)).toString();
  return text.replace("-", "−");
}

function amount(value) {
  for (const [unit, size] of [["B", 1e9], ["M", 1e6], ["k", 1e3]]) {
    if (value >= size) return [Number((value / size).toPrecision(3)).toString(), unit];
  }
  return [String(value), ""];
}

function duration(seconds) {
  const s = Math.round(seconds);
  if (s < 60) return seconds < 10 ? `${Number(seconds.toPrecision(2))} s` : `${s} s`;
  const two = value => String(value).padStart(2, "0");
  if (s < 3600) return `${Math.floor(s / 60)}:${two(s % 60)} min`;
  if (s < 172800) return `${Math.floor(s / 3600)}:${two(Math.floor(s % 3600 / 60))} h`;
  return `${Math.floor(s / 86400)} d ${Math.floor(s % 86400 / 3600)} h`;
}

function moment(text) {
  const time = new Date(text);
  if (isNaN(time)) return text || "";
  return time.toLocaleString("en-GB", { day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit" });
}
