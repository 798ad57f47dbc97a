// Each figure's unit, source and age, on demand: a tap, or the keyboard while the button for it is pressed. It changes no figure.
"use strict";

import { $, advance, clock, dress, grow, hide, put, since } from "./parts.js";
import { age, unknown } from "./text.js";

// --- where a figure comes from, and how old it is: seconds as of the last message, and how fast they pass ---

const task = (name) => ({ tasks }) => [tasks[name]?.age_seconds, 1];
const market = (seconds, status) => [seconds, status.clock_speed];
const book = (status, row) => market(row?.book_age_seconds, status);
const bookOf = (status, trade) => book(status, status.board.find((each) => each.ticker === trade?.ticker));
const oldest = (rows) => rows.reduce((most, each) => (unknown(each.age_seconds) || (most !== null && most > each.age_seconds) ? most : each.age_seconds), null);
const listed = (status) => market(oldest(status.venue.reads), status);
const told = () => [0, 1];
// Of what was asked for and not pushed.
const fetched = (status, row, element) => {
  let part = element;
  while (part && !part.at) part = part.parentElement;
  return [part ? since(part.at) - (clock.heard ? since(clock.heard) : 0) : null, 1];
};

const heldBooks = (status) => market(status.trades.filter((each) => unknown(each.closed_at)).map((each) => bookOf(status, each)[0]).reduce((most, each) => (unknown(each) ? most : Math.max(most ?? 0, each)), null), status);

const ROWS = ["own rows of trades, orders and fills", task("trade_manager")];
const BOOK = ["Kalshi's order book, over its socket", book];
const MODEL = ["own model, from price and volatility", task("entry")];
const LISTED = ["Kalshi's list of markets, over REST", listed];
const ALERTS = ["own alerts and what their channels answered", task("alerts")];
const CENTS = "cents for one contract", UTC = "UTC of market time", CLOSES = "hours, minutes and seconds of market time until it closes";

const LIMITS = { dollars: "dollars", contracts: "contracts", trades: "trades", minute: "orders in a minute", event: "entries", losses: "losses in a row", order: "contracts", strike: "contracts" };
const limitUnit = (row) => LIMITS[row.name.split("_").pop()] ?? "as its name says";

// By the column's head or label; "" is any other column of that table.
const TABLES = {
  board: {
    Strike: ["dollars: the strike, and how far the price is above it", ...LISTED], "Closes in": [CLOSES, ...LISTED],
    "Model YES": ["probability that YES is paid", ...MODEL], YES: [`${CENTS}: bid and ask; contracts at the ask`, ...BOOK], NO: [`${CENTS}: bid and ask; contracts at the ask`, ...BOOK],
    "net edge": [`${CENTS}: what the model says less the ask and the fee`, ...MODEL], "Book age": ["seconds of market time", ...BOOK],
    "": ["cents of bid and ask, probability of the model; in words why it is not traded", ...MODEL],
  },
  why: { "": ["share of the market's time since the start, in hundredths", "entry's own count of its first closed gates", task("entry")] },
  tasks: { Age: ["seconds since its last cycle", "the task itself", told], Restarts: ["times since the start", "what supervises the tasks", told], "": ["in its own words", "the task itself", told] },
  limits: { "": [limitUnit, "own rows and the account, counted at their worst", task("trade_manager")] },
  strategies: { "P&L": ["dollars net of fees", "rows of paper trades", task("shadow")], "": ["trades, dollars at worst and of its budget", ...ROWS] },
  orders: { Limit: [`${CENTS} of the side held`, ...ROWS], "Filled / of": ["contracts", ...ROWS], Created: [UTC, ...ROWS], "": ["number by which we know it", ...ROWS] },
  alerts: { Since: [UTC, ...ALERTS], Told: ["times", ...ALERTS], "": ["in words", ...ALERTS] },
  deliveries: { At: [UTC, ...ALERTS], "": ["in words", ...ALERTS] },
  sessions: { "": ["UTC of the machine", "rows of sessions", fetched] },
  passkeys: { "": ["UTC of the machine", "rows of passkeys", fetched] },
  pushes: { "": ["UTC of the machine", "rows of devices", fetched] },
};

const PLACES = [
  ["#history-rows td, #history-rows th, #old-story td, #old-story th", (row, cell) => unitOf(cell), "own rows, as they were when this was asked for", fetched],
  ["#story-charts figure, #market-charts figure", "as its axis says", "prices, books, own model and own fills, as recio kept them", fetched],
  ["#story-charts .beside, #market-charts .beside", UTC, ...LISTED],
  ["#story-seen td, #story-seen th", "as it says itself", "what the purchase was decided by, kept with it", fetched],
  ["#story td, #story th", (row, cell) => unitOf(cell), "own rows of this trade", fetched],
  ["#story-tale li, #old-tale li, #story-rules", "dollars and UTC of market time", "own rows of this trade", fetched],
  ["#performance-figures .tile", "dollars net of fees; trades, and closing times", "own rows of trades that have ended", fetched],
  ["#equity figure, #groups figure, #parity td, #parity th", "dollars net of fees, UTC, hundredths; n is the number of trades", "own rows of trades that have ended", fetched],
  ["#performance-sum", "trades", "own rows", (status, row) => fetched(status, row, $("equity"))],
  ["#net", "dollars net of fees, of what ended since midnight UTC", ...ROWS],
  ["#net-detail", "trades won and lost, dollars of fees, since midnight UTC", ...ROWS],
  ["#worth", "dollars: all that is held, each at its best bid, before the fee of selling", "own rows and the oldest book of what is held", heldBooks],
  ["#worst", "dollars net of fees, if all that is held pays nothing", ...ROWS],
  ["#balance", "dollars of cash", "Kalshi's account, over REST, compared with own rows", (status) => market(status.account_read?.age_seconds, status)],
  ["#unguarded", "positions", "own rows, and what their stops are judged by", task("exit")],
  ["#positions .figure", "dollars: all of it at the best bid, less what was paid and its fee, before the fee of selling", "own rows and its book", bookOf],
  ["#positions .closes", CLOSES, ...LISTED],
  ["#positions .guard", "in words", "what its stops are judged by", task("exit")],
  ["#positions .detail", `${CENTS} paid and bid, probability of the model, dollars at worst`, "own rows, its book and own model", bookOf],
  ["#glance .soft", CLOSES, ...LISTED],
  ["#glance span", `dollars of the price; ${CENTS}; probability of the model`, ...BOOK],
  ["#activity time", UTC, ...ROWS],
  ["#cause, #more-causes, #reasons li", "in words", "the failure detector and its switches", task("failure_detector")],
  ["#halts li, #causes li, #blocks li", "UTC, and time since then", "the failure detector", task("failure_detector")],
  ["#prices .tile", "dollars for one coin; volatility is the usual movement in one second, 1 bp is a hundredth of a per cent", (row) => `${row.source ?? "no source"}, one of ${row.sources.length} that are compared`, (status, row) => market(row?.age_seconds, status)],
  ["#venue .tile", "tokens, seconds, UTC of market time", "Kalshi over REST and its socket, own count of tokens", listed],
  ["#board-event, #board .heading", CLOSES, ...LISTED],
  ["#queues li", "messages that wait, of as many as may", "own wires", told],
  ["#external", "contracts and orders", "Kalshi's account, over REST", (status) => market(status.account_read?.age_seconds, status)],
  ["#orders-unknown", "orders", ...ROWS],
  ["#alerts-whom", "messages that wait", ...ALERTS],
  ["#backups", "hours and days since then", "rows of backups", task("alerts")],
];

const ALL = [...Object.keys(TABLES).map((id) => `#${id} tbody td, #${id} tbody th[data-label]`), ...PLACES.map(([places]) => places)].join(", ");

function entryOf(element) {
  const cell = element.closest("td, th[data-label]"), columns = cell && TABLES[cell.closest("table")?.id];
  if (columns) return { figure: cell, about: columns[headOf(cell)] ?? columns[cell.dataset.label] ?? columns[""] };
  for (const [places, ...about] of PLACES) {
    const figure = element.closest(places);
    if (figure) return { figure, about };
  }
  return null;
}

// A list says the unit of a column at its head.
const unitOf = (cell) => cell.closest("table").querySelectorAll("thead th")[cell.closest("td, th").cellIndex]?.title.replace(/^UTC$/, "time in UTC") || "in words, or as its column says";

const headOf = (cell) => cell.closest("table").querySelectorAll("thead th")[cell.cellIndex]?.textContent;

function rowOf(element) {
  for (let each = element; each; each = each.parentElement) if (each.row !== undefined) return each.row;
  return null;
}

// --- the line ---

let open = null;

const said = (part, row, figure) => (typeof part === "function" ? part(row, figure) : part);

export function refresh(status) {
  if (!open) return;
  if (!open.figure.isConnected || open.figure.offsetParent === null) { close(); return; }
  const row = rowOf(open.figure), [unit, source, old] = open.about, [seconds, speed] = old(status, row, open.figure);
  put($("figure-what"), `${said(unit, row, open.figure)}; from ${said(source, row, open.figure)}, `);
  if (unknown(seconds)) { grow($("figure-age"), null); put($("figure-age"), "age not known"); } else grow($("figure-age"), seconds, { speed, text: (now) => `${age(now)} ago` });
  advance();
}

export function explain(element, status) {
  const found = element.closest?.("#views") && !element.closest("a, button, input, select, summary") && entryOf(element);
  if (!found || !status) return;
  open?.figure.classList.remove("told");
  open = found;
  found.figure.classList.add("told");
  hide($("figure"), false);
  refresh(status);
  put($("figure-said"), $("figure-what").textContent + $("figure-age").textContent);
}

function close() {
  open?.figure.classList.remove("told");
  open = null;
  hide($("figure"), true);
  put($("figure-said"), "");
}

// --- by the keyboard: while the button is pressed, Tab goes from figure to figure ---

let reached = new Set();

function reach() {
  const on = $("figures").getAttribute("aria-pressed") === "true";
  const now = new Set(on ? Array.from(document.querySelectorAll(ALL)).filter((each) => each.offsetParent !== null && each.textContent !== "") : []);
  for (const each of reached) if (!now.has(each)) each.removeAttribute("tabindex");
  for (const each of now) if (!each.hasAttribute("tabindex")) each.tabIndex = 0;
  reached = now;
}

export function press(on) {
  $("figures").setAttribute("aria-pressed", String(on));
  dress($("figures"), on ? "small pressed" : "small");
  reach();
  if (!on) close();
}

export function listen(status) {
  document.addEventListener("focusin", (event) => { if (reached.has(event.target)) explain(event.target, status()); });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || $("figure").hidden && !reached.size) return;
    press(false);
    $("figures").focus();
  });
  $("figure-close").addEventListener("click", close);
  setInterval(() => { if (reached.size) reach(); }, 1000); // rows come and go
  addEventListener("hashchange", () => { close(); reach(); });
}
