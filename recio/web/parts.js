// Elements, ages that go on counting, and tables whose rows become cards on a phone; it knows no figure.
"use strict";

import { DASH, age, cents, dollars, exact, signedCents, toneOf, unknown } from "./text.js";

export const $ = (id) => document.getElementById(id);
const STALE_SIGN = "\u26a0 ";

// --- the document ---

export function make(tag, className = "", text = "") {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text) element.textContent = text;
  return element;
}

export function put(element, text, title) {
  if (element.shown !== text) element.textContent = element.shown = text;
  if (title !== undefined && element.title !== title) element.title = title;
}

export function dress(element, className) {
  if (element.className !== className) element.className = className;
}

export const hide = (element, hidden) => { if (element.hidden !== hidden) element.hidden = hidden; };

export function sync(parent, items, keyOf, create, show) {
  const kept = parent.kept || (parent.kept = new Map());
  const keys = items.map((item) => String(keyOf(item)));
  const wanted = new Set(keys);
  parent.at = stamp();
  for (const [key, element] of kept) if (!wanted.has(key)) { element.remove(); kept.delete(key); }
  let here = parent.firstElementChild;
  items.forEach((item, index) => {
    let element = kept.get(keys[index]);
    if (!element) kept.set(keys[index], (element = create(item)));
    if (element === here) here = here.nextElementSibling;
    else parent.insertBefore(element, here);
    element.row = item; // for whoever asks what it is about
    show(element, item);
  });
}

// --- scripts of a view ---

// A browser may remember for as long as the page lives that a script could not be fetched: the page is loaded anew then.
export const missed = { scripts: false };
export const fetched = (name) => import("./" + name).catch((problem) => {
  missed.scripts = true;
  throw problem;
});

// --- ages: counted on between messages, so that a dead page grows old ---

export const growing = new Map();
export const clock = { heard: null }; // when the last good message was sent, as far as can be known, by both clocks of this computer

// A sleeping device may stop either clock: the larger difference counts.
export const stamp = (ago = 0) => ({ steady: performance.now() - ago * 1000, wall: Date.now() - ago * 1000 });
export const since = (then) => Math.max(0, performance.now() - then.steady, Date.now() - then.wall) / 1000;

export function grow(element, seconds, { speed = 1, limit = Infinity, text = age } = {}) {
  if (unknown(seconds)) { growing.delete(element); put(element, DASH); element.classList.remove("stale"); return; }
  growing.set(element, { seconds, speed, limit, text });
}

export function advance() {
  const passed = clock.heard ? since(clock.heard) : 0;
  for (const [element, { seconds, speed, limit, text }] of growing) {
    if (!element.isConnected) { growing.delete(element); continue; }
    const now = seconds + passed * speed, stale = now > limit;
    put(element, (stale ? STALE_SIGN : "") + text(now));
    if (element.classList.contains("stale") !== stale) element.classList.toggle("stale", stale);
  }
}

// --- tables ---

// Roles are spelled out: a row laid out as a card would lose them.
export function withRole(element, role) { element.setAttribute("role", role); return element; }

// A row with `heading` is one wide cell before the rows it heads.
export function tableOf(id, columns, keyOf, nothing, rowClass = () => "", heading = null) {
  const table = withRole($(id), "table"), body = withRole(make("tbody"), "rowgroup");
  const empty = make("p", "empty", nothing);
  table.append(headOf(columns), body);
  table.after(empty);
  return (rows, status) => {
    hide(empty, rows.length > 0);
    hide(table, rows.length === 0);
    sync(body, rows, keyOf, (row) => (row.heading ? headingOf(columns.length, heading) : rowOf(columns)), (line, row) => {
      if (row.heading) { heading.show(line.firstChild, row, status); return; }
      dress(line, rowClass(row, status));
      columns.forEach((column, index) => column.show(line.children[index].firstChild, row, status));
    });
  };
}

export function headOf(columns) {
  const head = withRole(make("thead"), "rowgroup"), line = withRole(make("tr"), "row");
  for (const column of columns) {
    const cell = withRole(make("th", column.kind, column.head), "columnheader");
    cell.scope = "col";
    line.append(cell);
  }
  head.append(line);
  return head;
}

export function rowOf(columns) {
  const line = withRole(make("tr"), "row");
  columns.forEach((column, index) => {
    const cell = withRole(make(index ? "td" : "th", column.kind), index ? "cell" : "rowheader");
    if (!index) cell.scope = "row";
    cell.dataset.label = column.label ?? column.head;
    cell.append((column.build || (() => make("span")))());
    line.append(cell);
  });
  return line;
}

export function headingOf(width, heading) {
  const line = withRole(make("tr", "heading"), "row"), cell = withRole(make("th"), "rowheader");
  cell.colSpan = width;
  cell.scope = "rowgroup";
  cell.append(...heading.build().childNodes);
  line.append(cell);
  return line;
}

export function parted(...classes) {
  return () => { const box = make("span"); box.append(...classes.map((name) => make("span", name))); return box; };
}

export const text = (head, kind, read, title) => ({ head, kind, show: (cell, row) => put(cell, read(row), title && title(row)) });
export const toned = (head, kind, read, write) => ({
  head, kind, show: (cell, row) => { put(cell, write(read(row)), exact(read(row))); dress(cell, toneOf(read(row))); },
});
export const edge = (head, read) => ({ // below zero is the usual case and no loss: only a gain is coloured
  head, label: "net edge", kind: "num",
  show: (cell, row) => { put(cell, signedCents(read(row)), exact(read(row))); dress(cell, toneOf(read(row)) === "up" ? "up strong" : "soft"); },
});
export const money = (head, kind, read, write) => text(head, kind, (row) => write(read(row)), (row) => exact(read(row)));

export function tile(tag, ...parts) {
  return () => { const box = make(tag, "tile"); box.append(...parts.map(([name, kind]) => make(name, kind))); return box; };
}
