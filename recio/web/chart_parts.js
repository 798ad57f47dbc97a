// What charts are made of: SVG elements, axes with their units, and the panel with its table for who cannot see the drawing.
"use strict";

import { hide, headOf, make, put, rowOf, withRole } from "./parts.js";
import { decimalsFor, nearest, scale, ticks, timeText, timeTicks } from "./chart_scale.js";
import { MINUS } from "./text.js";

const SVG = "http://www.w3.org/2000/svg";
const LETTERS = 12, LINE = 15; // pixels
const TOP = 24, BOTTOM = 22, RIGHT = 10;
const SECONDS_SHOWN = 300; // of a shorter time the ticks have their seconds, and need the room

export function drawn(tag, attributes, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, typeof value === "number" ? Math.round(value * 10) / 10 : value);
  element.append(...children);
  return element;
}

const ruler = document.createElement("canvas").getContext("2d");

// Pixels of a text, in whatever letters this browser has.
export function wideAs(text) {
  ruler.font = `${LETTERS}px ${getComputedStyle(document.body).fontFamily}`;
  return ruler.measureText(text).width;
}

export function shortened(text, room) {
  let kept = text.length;
  while (kept > 1 && wideAs(text.slice(0, kept)) > room) kept -= 1;
  return kept < text.length ? text.slice(0, kept) + "\u2026" : text;
}

export const written = (x, y, text, name = "tick", anchor = "start") => drawn("text", { x, y, class: name, "text-anchor": anchor }, text);

export function picture(width, height, label) {
  return drawn("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "img", tabindex: 0, "aria-label": label });
}

export function number(value, step = 1) {
  const text = Math.abs(value).toLocaleString("en-US", { minimumFractionDigits: decimalsFor(step), maximumFractionDigits: decimalsFor(step) });
  return (value < 0 ? MINUS : "") + text;
}

// The field of a chart within `svg`: axes with labels, and the scales of both. `x` and `y` are [from, to]; `unit` stands above the upright axis, with the clock of the other.
export function axes(svg, { width, top = 0, height, x, y, unit, says = number, at = ticks(y[0], y[1], Math.max(2, Math.floor((height - TOP - BOTTOM) / 34))), times = true, left = 0, acrossSays = null, acrossAt = null }) {
  const step = at.length > 1 ? at[1] - at[0] : Math.abs(at[0]) || 1, labels = at.map((each) => says(each, step));
  const box = { left: Math.max(left, 10 + Math.max(...labels.map(wideAs))), right: width - RIGHT, top: top + TOP, bottom: top + height - BOTTOM };
  const px = scale(x[0], x[1], box.left, box.right), py = scale(y[0], y[1], box.bottom, box.top);
  svg.append(written(0, top + 13, times ? `${unit} \u00b7 UTC` : unit, "unit"));
  at.forEach((each, index) => svg.append(
    drawn("line", { x1: box.left, x2: box.right, y1: py(each), y2: py(each), class: each === 0 ? "zero" : "grid" }),
    written(box.left - 6, py(each) + 4, labels[index], "tick", "end"),
  ));
  const room = Math.max(3, Math.floor((width - 44) / (times && x[1] - x[0] < SECONDS_SHOWN ? 84 : 66))), across = acrossAt ?? (times ? timeTicks(x[0], x[1], room) : ticks(x[0], x[1], room)), each = across.length > 1 ? across[1] - across[0] : 60;
  for (const place of across) {
    const text = acrossSays ? acrossSays(place, each) : times ? timeText(place, each) : number(place, each), half = wideAs(text) / 2;
    svg.append(written(Math.min(Math.max(px(place), box.left + half - 6), box.right + RIGHT - half - 1), box.bottom + 16, text, "tick", "middle"));
  }
  return { svg, px, py, box, x, y };
}

const path = (field, points) => points.map(([x, y]) => `${field.px(x).toFixed(1)},${field.py(y).toFixed(1)}`).join(" ");

export function lines(field, found, name) {
  for (const points of found) {
    if (points.length === 1) field.svg.append(drawn("circle", { cx: field.px(points[0][0]), cy: field.py(points[0][1]), r: 1.5, class: `${name} single` }));
    else field.svg.append(drawn("polyline", { points: path(field, points), class: name }));
  }
}

// Between two rows of points over the same times.
export function between(field, upper, lower, name) {
  field.svg.append(drawn("polygon", { points: `${path(field, upper)} ${path(field, [...lower].reverse())}`, class: name }));
}

export function column(field, from, to, name) {
  const left = Math.max(field.box.left, field.px(from)), right = Math.min(field.box.right, field.px(to));
  if (right > left) field.svg.append(drawn("rect", { x: left, width: right - left, y: field.box.top, height: field.box.bottom - field.box.top, class: name }));
}

export const upright = (field, at, name) => field.svg.append(drawn("line", { x1: field.px(at), x2: field.px(at), y1: field.box.top, y2: field.box.bottom, class: name }));
export const level = (field, value, name) => field.svg.append(drawn("line", { x1: field.box.left, x2: field.box.right, y1: field.py(value), y2: field.py(value), class: name }));

// An own trade: up where it was bought, down where it was sold, hollow on paper; its words beside it where there is room.
export function mark(field, { at, value, bought, paper, title, label }) {
  const x = Math.min(Math.max(field.px(at), field.box.left), field.box.right), y = field.py(value), tip = bought ? 2 : -2, foot = bought ? 13 : -13;
  const shape = drawn("path", { d: `M${x.toFixed(1)} ${(y + tip).toFixed(1)}l6 ${foot - tip}h-12z`, class: `mark ${bought ? "bought" : "sold"}${paper ? " paper" : ""}` });
  shape.append(drawn("title", {}, title));
  field.svg.append(shape);
  const free = label && freePlace(field, x, y + foot + (bought ? 4 : 2), bought ? LINE : -LINE, wideAs(label));
  if (!free) return; // its title and the table say it
  field.labels.push(free);
  field.svg.append(written(free.from, free.place, label, "says"));
}

// Right of the mark, else left, else a line further.
function freePlace(field, x, first, step, wide) {
  const { left, right, top, bottom } = field.box, taken = (field.labels ??= []);
  for (let line = 0; line < 6; line += 1) {
    const place = Math.min(Math.max(first + step * line, top + 10), bottom - 4);
    for (const from of [x + 10, x - 10 - wide]) {
      const isFree = taken.every((other) => Math.abs(other.place - place) >= LINE || from >= other.from + other.wide || from + wide <= other.from);
      if (from >= left && from + wide <= right && isFree) return { from, place, wide };
    }
  }
  return null;
}

// --- the panel around a drawing ---

export function panel(title) {
  const box = make("figure", "chart"), caption = make("figcaption"), name = make("strong", "", title), keys = make("span", "keys"), note = make("span", "soft"), drawing = make("div", "drawing"), under = make("p", "readout"), details = make("details"), summary = make("summary", "", "As a table"), scroller = make("div", "scroller");
  caption.append(name, keys, note);
  under.setAttribute("aria-hidden", "true"); // the table says it to who cannot see the drawing
  withRole(scroller, "region").setAttribute("aria-label", `${title}, as a table`);
  scroller.tabIndex = 0; // it scrolls, also by the keyboard
  details.append(summary, scroller);
  box.append(caption, drawing, under, details);
  const made = { box, drawing, under, title, keys, note, name, at: null };
  made.refill = () => fill(made, details, scroller);
  details.addEventListener("toggle", made.refill);
  return made;
}

// One row each time it is opened, or what is open is drawn anew: a closed table costs nothing.
function fill({ columns, rows, title }, details, scroller) {
  if (!details.open || !columns) return;
  const table = withRole(make("table"), "table"), body = withRole(make("tbody"), "rowgroup");
  table.setAttribute("aria-label", title);
  for (const row of rows()) {
    const line = rowOf(columns);
    columns.forEach((each, index) => each.show(line.children[index].firstChild, row));
    body.append(line);
  }
  table.append(headOf(columns), body);
  scroller.replaceChildren(table);
}

// `draw(width)` gives the drawing; `readings` ([x, words], ascending) are told under the pointer and by the arrow keys.
export function show(made, { draw, columns, rows, keys = [], note = "", readings = null }) {
  Object.assign(made, { columns, rows });
  made.keys.replaceChildren(...keys.map(([name, text]) => { const key = make("span", "key", text); key.prepend(make("i", name)); return key; }));
  put(made.note, note);
  made.redraw = () => {
    const width = Math.floor(made.drawing.clientWidth);
    if (width < 40) return;
    const field = draw(width), focused = made.drawing.contains(document.activeElement);
    if (!focused && !made.drawing.matches(":hover")) made.at = null;
    made.drawing.replaceChildren(field.svg);
    if (focused) field.svg.focus({ preventScroll: true });
    if (readings?.length) follow(made, field, readings);
  };
  made.redraw();
  made.refill();
  if (!made.watched) { made.watched = new ResizeObserver(() => made.redraw()); made.watched.observe(made.drawing); }
}

function follow(made, field, readings) {
  const cross = drawn("line", { y1: field.box.top, y2: field.box.bottom, class: "cross" }), sorted = readings.map(([x]) => x);
  let index = made.at === null ? readings.length - 1 : nearest(sorted, made.at); // what is looked at stays
  field.svg.append(cross);
  const tell = (to, seen = true) => {
    index = Math.min(Math.max(to, 0), readings.length - 1);
    made.at = seen ? sorted[index] : null;
    cross.setAttribute("x1", field.px(sorted[index]));
    cross.setAttribute("x2", field.px(sorted[index]));
    cross.classList.toggle("seen", seen);
    put(made.under, readings[index][1]);
  };
  tell(index, made.at !== null);
  field.svg.addEventListener("pointermove", (event) => {
    const x = event.clientX - field.svg.getBoundingClientRect().left, within = (x - field.box.left) / (field.box.right - field.box.left);
    tell(nearest(sorted, field.x[0] + within * (field.x[1] - field.x[0])));
  });
  field.svg.addEventListener("pointerleave", () => tell(readings.length - 1, false));
  field.svg.addEventListener("keydown", (event) => {
    const by = { ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10 }[event.key];
    if (by) { tell(index + by); event.preventDefault(); }
  });
}

export const none = (made, hidden) => hide(made.box, hidden);
