// The lists of the past below History: which there are and what they hold comes from the daemon; the address holds what is asked.
"use strict";

import { $, dress, hide, make, put, rowOf, stamp, withRole } from "./parts.js";
import { DASH, MINUS, cents, dollars, exact, grouped, percent, quantity, signedDollars, toneOf, unknown, utc, word } from "./text.js";

const WAIT = 250; // milliseconds after a key, so that not every letter is a question
const FIRST = "trades", WIDE = "(min-width: 961px)";
const NUMBERS = ["dollars", "price", "contracts", "count", "probability"];
const DOWN = { time: "newest first", id: "Z to A", word: "Z to A", note: "Z to A" }, UP = { time: "oldest first", id: "A to Z", word: "A to Z", note: "A to Z" };
const NAMES = { real: "real", shadow: "on paper", imported: "imported" };

// --- the address: #history/LIST?what=is&asked=for ---

export function askedFor(address) {
  const [name, query = ""] = address.split("?");
  return { name: name || FIRST, query: new URLSearchParams(query) };
}

const addressOf = (name, query) => `#history/${name}${String(query) && "?" + query}`;

// --- figures ---

const most = (text) => { // every digit that is not zero, and two of them always
  const [whole, fraction = ""] = String(text).split("."), more = fraction.replace(/0+$/, "");
  return more.length > 2 ? `${whole.startsWith("-") ? MINUS : ""}$${grouped(whole.replace("-", ""))}.${more}` : dollars(text);
};

const WRITE = {
  time: (value) => utc(value, 0), dollars: most, price: cents, contracts: quantity, count: (value) => grouped(value),
  probability: percent, trade: (value) => String(value).split(" ").at(-1), note: String, id: String, word,
};

export const figure = (of, value) => (unknown(value) ? DASH : WRITE[of](value));

const storyAddress = (kind, number) => `#history/${kind}/${kind === "imported" ? number.split(" ").map(encodeURIComponent).join("/") : number}`;

function columnOf(told, kind, index) {
  const isNet = told.name === "net_pnl", isTrade = told.of === "trade";
  const style = NUMBERS.includes(told.of) ? "num" : told.of, mark = isTrade && index === 0 ? "trade " : "";
  return {
    ...told, head: told.title, kind: `${style}${isNet ? " strong" : ""}`,
    build: () => make(isTrade ? "a" : "span"),
    show: (cell, row) => {
      const value = row[told.name], none = unknown(value);
      put(cell, none ? (told.of === "note" ? "" : DASH) : isNet ? signedDollars(value) : mark + figure(told.of, value));
      cell.parentElement.classList.toggle("none", none);
      cell.title = none ? "" : told.of === "dollars" || told.of === "price" ? exact(value) : told.of === "time" ? value : "";
      if (isNet) dress(cell, toneOf(value));
      if (isTrade && !none) cell.href = storyAddress(kind, value);
    },
  };
}

// --- the form ---

let lists = null, shown = null, fields = new Map(), timer = null;

function field(name, title, input) {
  const label = make("label", "", `${title} `);
  input.name = name;
  label.append(input);
  fields.set(name, { label, input });
  return label;
}

function choice(options) {
  const select = make("select");
  select.append(...options.map(([value, text]) => { const each = make("option", "", text); each.value = value; return each; }));
  return select;
}

function entry(type, placeholder = "") {
  const input = make("input");
  input.type = type;
  input.placeholder = placeholder;
  return input;
}

function build(list) {
  fields = new Map();
  const titles = new Map(list.kinds.flatMap((each) => each.columns).map((each) => [each.name, each.title]));
  $("history-form").replaceChildren(
    field("kind", "Kind", choice(list.kinds.map(({ kind }) => [kind, NAMES[kind]]))),
    field("mode", "Account", choice([["prod", "prod"], ["demo", "demo"]])),
    ...(list.has_ticker ? [field("ticker", "Market or coin", entry("text", "BTC or KXBTC15M"))] : []),
    ...(list.has_strategy ? [field("strategy", "Strategy", entry("text"))] : []),
    ...Object.entries(list.picks).map(([name, words]) => field(name, titles.get(name), choice([["", "any"], ...words.map((each) => [each, word(each)])]))),
    field("since", "Since (UTC)", entry("date")),
    field("until", "Before (UTC)", entry("date")),
    field("text", "Search", entry("search", list.has_ticker ? "market or id" : "any word")),
    field("sort", "Sort by", choice([])),
    field("order", "Order", choice([])),
  );
}

const unset = (list, name) => ({ kind: list.kinds[0].kind, mode: "prod", sort: list.time, order: "down" })[name] ?? "";
const kindOf = (list, query) => list.kinds.find(({ kind }) => kind === query.get("kind")) ?? list.kinds[0];

function fill(list, query) {
  const { kind, columns } = kindOf(list, query), there = new Set(columns.map((each) => each.name)), sort = query.get("sort") ?? list.time;
  hide(fields.get("kind").label, list.kinds.length < 2);
  hide(fields.get("mode").label, kind !== "imported");
  for (const name of [...Object.keys(list.picks), "strategy"]) if (fields.has(name)) hide(fields.get(name).label, !there.has(name));
  const of = columns.find((each) => each.name === sort)?.of;
  fields.get("sort").input.replaceChildren(...choice(columns.filter((each) => each.name !== "kind").map((each) => [each.name, each.title])).children);
  fields.get("order").input.replaceChildren(...choice([["down", DOWN[of] ?? "highest first"], ["up", UP[of] ?? "lowest first"]]).children);
  for (const [name, { input }] of fields) {
    const value = query.get(name) ?? unset(list, name);
    if (input.type === "date" && value.length > 10) input.type = "text"; // a link may name the minute
    if (input !== document.activeElement || input.value !== value) input.value = value;
  }
  const set = [...query].filter(([name]) => fields.has(name) && !["kind", "sort", "order"].includes(name)).map(([name, value]) => `${fields.get(name).label.firstChild.data.trim()} ${value}`);
  put($("history-asked"), set.length ? set.join(", ") : "everything");
}

// What the form says, without what goes without saying and without what this kind has not.
function said(list) {
  const query = new URLSearchParams(), { columns } = kindOf(list, new URLSearchParams({ kind: fields.get("kind").input.value }));
  const there = new Set(columns.map((each) => each.name));
  for (const [name, { input, label }] of fields) {
    const value = input.value.trim(), gone = name === "sort" ? !there.has(value) : name in list.picks || name === "strategy" ? !there.has(name) : false;
    if (value && value !== unset(list, name) && !gone && !(name === "mode" && label.hidden)) query.set(name, value);
  }
  return query;
}

function followForm() {
  const query = said(shown.list);
  history.replaceState(null, "", addressOf(shown.list.name, query));
  showList(`${shown.list.name}?${query}`, shown.asked);
}

// --- the table ---

// Heads of a list sort it; those of a story's part are only read.
function head(columns, sorts) {
  const line = withRole(make("tr"), "row"), part = withRole(make("thead"), "rowgroup");
  for (const column of columns) {
    const cell = withRole(make("th", column.kind, sorts ? "" : column.title), "columnheader");
    cell.scope = "col";
    cell.title = column.unit;
    if (sorts) sortable(cell, column);
    line.append(cell);
  }
  part.append(line);
  return part;
}

function sortable(cell, column) {
  const button = make("button", "sort", column.title);
  button.type = "button";
  button.addEventListener("click", () => sortBy(column));
  cell.dataset.head = column.title;
  cell.dataset.name = column.name;
  cell.append(button);
}

function sortBy(column) {
  const { list, query } = shown, next = new URLSearchParams(query);
  const isSame = (query.get("sort") ?? list.time) === column.name, isDown = (query.get("order") ?? "down") === "down";
  for (const each of ["after", "before", "sort", "order"]) next.delete(each);
  if (column.name !== list.time) next.set("sort", column.name);
  if (isSame && isDown) next.set("order", "up");
  location.hash = addressOf(list.name, next);
}

export function drawRows(table, told, rows, kind, sorts = "") {
  const columns = told.filter((each) => each.is_shown).map((each, index) => columnOf(each, kind, index)), key = `${kind} ${sorts}`;
  if (table.of !== key) table.replaceChildren(head(columns, sorts), withRole(make("tbody"), "rowgroup")); // a head that stays keeps the focus
  table.of = key;
  table.at = stamp();
  table.tBodies[0].replaceChildren(...rows.map((row) => {
    const line = rowOf(columns);
    dress(line, row.state === "unknown" ? "unknown" : "");
    columns.forEach((column, index) => column.show(line.children[index].firstChild, row));
    return line;
  }));
  hide(table, rows.length === 0);
}

function draw(found) {
  const { list, query } = shown, table = $("history-rows");
  drawRows(table, found.columns, found.rows, found.kind, list.name);
  const sort = query.get("sort") ?? list.time, way = (query.get("order") ?? "down") === "down" ? "descending" : "ascending";
  for (const cell of table.tHead.rows[0].cells) {
    if (cell.dataset.name === sort) cell.setAttribute("aria-sort", way);
    else cell.removeAttribute("aria-sort");
  }
  hide($("no-history"), found.rows.length > 0);
  for (const each of ["before", "after"]) $(`history-${each}`).disabled = found[each] === null;
  shown.found = found;
}

// Rows of a question that was not answered are not left standing under another.
function nothing() {
  for (const id of ["history-rows", "no-history"]) hide($(id), true);
  for (const each of ["before", "after"]) $(`history-${each}`).disabled = true;
}

function turn(way) {
  const next = new URLSearchParams(shown.query);
  next.delete("before");
  next.delete("after");
  next.set(way, shown.found[way]);
  location.hash = addressOf(shown.list.name, next);
}

// --- what is looked at ---

function tabs(name) {
  if (!$("history-lists").childElementCount) {
    $("history-lists").append(...lists.map((each) => { const link = make("a", "", each.title); link.href = addressOf(each.name, ""); return link; }));
    $("history-filter").open = matchMedia(WIDE).matches;
  }
  lists.forEach((each, index) => {
    const link = $("history-lists").children[index];
    if (each.name === name) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  });
}

export async function showList(address, asked) {
  lists ??= (await asked("api/v1/history", $("history-said")))?.lists ?? null;
  if (!lists) return;
  const { name, query } = askedFor(address), list = lists.find((each) => each.name === name);
  if (!list) { put($("history-said"), `There is no list ${name}.`); return; }
  if (shown?.list !== list) build(list);
  shown = { list, query, asked, found: null };
  tabs(name);
  fill(list, query);
  put($("history-title"), list.title);
  const every = new URLSearchParams(query);
  for (const each of ["after", "before"]) every.delete(each);
  $("history-csv").href = `api/v1/history/${name}.csv?${every}`;
  $("history-rows").ariaBusy = "true";
  const mine = shown, found = await asked(`api/v1/history/${name}?${query}`, $("history-said"));
  if (shown !== mine) return;
  if (found) draw(found);
  else nothing();
  $("history-rows").ariaBusy = "false";
}

$("history-form").addEventListener("input", (event) => {
  clearTimeout(timer);
  timer = setTimeout(followForm, event.target.tagName === "SELECT" ? 0 : WAIT);
});
$("history-form").addEventListener("submit", (event) => event.preventDefault());
for (const way of ["before", "after"]) $(`history-${way}`).addEventListener("click", () => turn(way));
