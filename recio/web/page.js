// Shows what the daemon pushes over /events; it changes nothing there but the halts that a person asks for,
// and never lets figures that stopped arriving look alive.
"use strict";

const DASH = "\u2014", MINUS = "\u2212";
const QUIET_AFTER = 2, SILENT_AFTER = 5; // seconds; the daemon pushes more often
const RETRY_AFTER = 3, GIVE_UP_AFTER = 10; // after a refusal; on an attempt that gets no answer
const STALE = 15; // real seconds after which an age stands out

const $ = (id) => document.getElementById(id);
const unknown = (value) => value === null || value === undefined || value === "";

// --- text: unknown is a dash, never a number ---

const decimals = [0, 1, 2].map((digits) => new Intl.NumberFormat("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits }));

function rounded(text, digits) {
  const number = Number(text);
  const magnitude = decimals[digits].format(Math.abs(number));
  const sign = /[1-9]/.test(magnitude) ? Math.sign(number) : 0; // so that -0.0004 is not shown as -0.0
  return { magnitude, sign };
}

const minus = (sign) => (sign < 0 ? MINUS : "");
const plusMinus = (sign) => (sign > 0 ? "+" : minus(sign));

function cents(text) {
  if (unknown(text)) return DASH;
  const { magnitude, sign } = rounded(Number(text) * 100, 1);
  return minus(sign) + magnitude + "\u00a2";
}

function signedCents(text) {
  if (unknown(text)) return DASH;
  const { magnitude, sign } = rounded(Number(text) * 100, 1);
  return plusMinus(sign) + magnitude + "\u00a2";
}

function dollars(text) {
  if (unknown(text)) return DASH;
  const { magnitude, sign } = rounded(text, 2);
  return minus(sign) + "$" + magnitude;
}

function signedDollars(text) {
  if (unknown(text)) return DASH;
  const { magnitude, sign } = rounded(text, 2);
  return plusMinus(sign) + "$" + magnitude;
}

function grouped(text) { // keeps every digit the daemon sent
  if (unknown(text)) return DASH;
  const [whole, fraction] = String(text).split(".");
  const head = whole.replace(/\B(?=(\d{3})+$)/g, ",");
  return fraction === undefined ? head : head + "." + fraction;
}

const quantity = (text) => (unknown(text) ? DASH : grouped(String(text).replace(/\.00$/, "")));
const exact = (text) => (unknown(text) ? "unknown" : "$" + text);
const word = (text) => (unknown(text) ? DASH : String(text).replace(/_/g, " "));

function percent(probability) {
  if (unknown(probability)) return DASH;
  if (probability > 0 && probability < 0.0005) return "<0.1%";
  if (probability < 1 && probability >= 0.9995) return ">99.9%";
  return (probability * 100).toFixed(1) + "%";
}

function age(seconds) {
  if (seconds < 0) return "0.0 s";
  if (seconds < 10) return seconds.toFixed(1) + " s";
  if (seconds < 60) return Math.floor(seconds) + " s";
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return minutes + " m " + pad(seconds % 60) + " s";
  return Math.floor(minutes / 60) + " h " + pad(minutes % 60) + " m";
}

function countdown(seconds) {
  if (seconds <= 0) return "closed";
  const whole = Math.floor(seconds), hours = Math.floor(whole / 3600);
  const rest = pad((whole % 3600) / 60) + ":" + pad(whole % 60);
  return hours ? hours + ":" + rest : rest;
}

const pad = (number) => String(Math.floor(number)).padStart(2, "0");

function utc(time, from = 11) {
  const at = new Date(time);
  return unknown(time) || isNaN(at) ? DASH : at.toISOString().slice(from, 19).replace("T", " ");
}

const toneOf = (text) => {
  const number = unknown(text) ? 0 : Number(text);
  return number > 0 ? "up" : number < 0 ? "down" : "";
};

// --- the document ---

function make(tag, className = "", text = "") {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text) element.textContent = text;
  return element;
}

function put(element, text, title) {
  if (element.shown !== text) element.textContent = element.shown = text;
  if (title !== undefined && element.title !== title) element.title = title;
}

function dress(element, className) {
  if (element.className !== className) element.className = className;
}

const hide = (element, hidden) => { if (element.hidden !== hidden) element.hidden = hidden; };

function sync(parent, items, keyOf, create, show) {
  const kept = parent.kept || (parent.kept = new Map());
  const keys = items.map((item) => String(keyOf(item)));
  const wanted = new Set(keys);
  for (const [key, element] of kept) if (!wanted.has(key)) { element.remove(); kept.delete(key); }
  let here = parent.firstElementChild;
  items.forEach((item, index) => {
    let element = kept.get(keys[index]);
    if (!element) kept.set(keys[index], (element = create(item)));
    if (element === here) here = here.nextElementSibling;
    else parent.insertBefore(element, here);
    show(element, item);
  });
}

// --- ages: counted on between messages, so that a dead page grows old ---

const growing = new Map();
let heard = null; // when the last good message came, by both clocks of this computer

// A sleeping device may stop either clock: the larger difference counts.
const stamp = () => ({ steady: performance.now(), wall: Date.now() });
const since = (then) => Math.max(0, performance.now() - then.steady, Date.now() - then.wall) / 1000;

function grow(element, seconds, { speed = 1, limit = Infinity, text = age } = {}) {
  if (unknown(seconds)) { growing.delete(element); put(element, DASH); element.classList.remove("stale"); return; }
  growing.set(element, { seconds, speed, limit, text });
}

function advance() {
  const passed = heard ? since(heard) : 0;
  for (const [element, { seconds, speed, limit, text }] of growing) {
    if (!element.isConnected) { growing.delete(element); continue; }
    const now = seconds + passed * speed, stale = now > limit;
    put(element, (stale ? "\u26a0 " : "") + text(now));
    if (element.classList.contains("stale") !== stale) element.classList.toggle("stale", stale);
  }
}

// --- tables ---

// Roles are spelled out: a row laid out as a card would lose them.
function withRole(element, role) { element.setAttribute("role", role); return element; }

// A row with `heading` is one wide cell before the rows it heads.
function tableOf(id, columns, keyOf, nothing, rowClass = () => "", heading = null) {
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

function headOf(columns) {
  const head = withRole(make("thead"), "rowgroup"), line = withRole(make("tr"), "row");
  for (const column of columns) {
    const cell = withRole(make("th", column.kind, column.head), "columnheader");
    cell.scope = "col";
    line.append(cell);
  }
  head.append(line);
  return head;
}

function rowOf(columns) {
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

function headingOf(width, heading) {
  const line = withRole(make("tr", "heading"), "row"), cell = withRole(make("th"), "rowheader");
  cell.colSpan = width;
  cell.scope = "rowgroup";
  cell.append(...heading.build().childNodes);
  line.append(cell);
  return line;
}

function parted(...classes) {
  return () => { const box = make("span"); box.append(...classes.map((name) => make("span", name))); return box; };
}

const text = (head, kind, read, title) => ({ head, kind, show: (cell, row) => put(cell, read(row), title && title(row)) });
const toned = (head, kind, read, write) => ({
  head, kind, show: (cell, row) => { put(cell, write(read(row)), exact(read(row))); dress(cell, toneOf(read(row))); },
});
const edge = (head, read) => ({ // below zero is the usual case and no loss: only a gain is coloured
  head, label: "net edge", kind: "num",
  show: (cell, row) => { put(cell, signedCents(read(row)), exact(read(row))); dress(cell, toneOf(read(row)) === "up" ? "up strong" : "soft"); },
});
const money = (head, kind, read, write) => text(head, kind, (row) => write(read(row)), (row) => exact(read(row)));

// --- strike board ---

const COMPARISON = { greater: "> ", greater_or_equal: "\u2265 ", less: "< ", less_or_equal: "\u2264 ", between: "in " };

function spotOf(row, status) {
  const found = status.prices.find((price) => price.symbol === row.symbol);
  return found && !unknown(found.price) ? Number(found.price) : null;
}

function distanceToMoney(row, status) {
  const spot = spotOf(row, status);
  return spot === null || unknown(row.strike) ? null : spot - Number(row.strike);
}

// One of each event that has several strikes.
function nearestTickers(status) {
  const nearest = new Map();
  for (const row of status.board) {
    const distance = distanceToMoney(row, status), best = nearest.get(row.event);
    if (distance === null || row.event_strikes < 2) continue;
    if (!best || Math.abs(distance) < best.distance) nearest.set(row.event, { distance: Math.abs(distance), ticker: row.ticker });
  }
  return new Set(Array.from(nearest.values(), (each) => each.ticker));
}

// A single event is headed beside the title of the board.
function withHeadings(rows, shared) {
  if (shared) return rows;
  return rows.flatMap((row, index) => (rows[index - 1]?.event === row.event ? [row] : [headingBefore(row, rows), row]));
}

function headingBefore(row, rows) {
  return { ...row, heading: true, ticker: "heading of " + row.event, shown: rows.filter((other) => other.event === row.event).length };
}

function showHeading(cell, row, status) {
  const [name, left, at] = cell.children;
  put(name, `${row.event} \u00b7 ${row.symbol} `);
  grow(left, row.seconds_to_close, { speed: -status.clock_speed, text: (seconds) => (seconds > 0 ? "closes in " : "") + countdown(seconds) });
  put(at, ` at ${utc(row.closes_at)} UTC${shownOf(row.shown, row.event_strikes)}`);
}

const shownOf = (shown, all) => (shown < all ? ` \u00b7 ${shown} of ${all} strikes, nearest to the price` : "");

function showStrike(cell, row, status) {
  const [strike, where] = cell.children, distance = distanceToMoney(row, status);
  put(strike, unknown(row.strike) ? DASH : (COMPARISON[row.strike_type] ?? "") + grouped(row.strike), row.ticker);
  const active = row.status === "active" ? "" : word(row.status).toUpperCase() + ", ";
  const near = status.nearest.has(row.ticker) ? "\u25b8 nearest, " : "";
  const { magnitude, sign } = rounded(distance ?? 0, 2);
  put(where, active + (distance === null ? "spot unknown" : near + "spot " + (plusMinus(sign) || "\u00b1") + magnitude));
}

function buildScale() {
  const scale = withRole(make("span", "scale"), "img");
  scale.append(make("span", "range"), make("span", "model"));
  return scale;
}

function place(element, from, to) {
  const known = from !== null;
  hide(element, !known);
  if (!known) return;
  const left = from * 100 + "%", width = (to - from) * 100 + "%";
  if (element.style.left !== left) element.style.left = left;
  if (element.style.width !== width) element.style.width = width;
}

function showScale(scale, row) {
  const [range, model] = scale.children;
  const bid = unknown(row.yes_bid) ? null : Number(row.yes_bid), ask = unknown(row.yes_ask) ? null : Number(row.yes_ask);
  place(range, bid ?? ask, ask ?? bid);
  dress(range, "range" + (bid === null || ask === null ? " one-sided" : "") + (row.book_ok ? "" : " untrusted"));
  place(model, unknown(row.probability) ? null : row.probability, unknown(row.probability) ? null : row.probability);
  const label = `market ${cents(row.yes_bid)} to ${cents(row.yes_ask)}, model ${percent(row.probability)}`.replaceAll(DASH, "unknown");
  if (scale.shown !== label) { scale.shown = label; scale.title = label; scale.setAttribute("aria-label", label); }
}

function quote(side) {
  return (cell, row) => {
    const [prices, size] = cell.children, bid = row[side + "_bid"], ask = row[side + "_ask"];
    const shown = cents(bid).replace("\u00a2", "");
    put(prices, `${shown} / ${cents(ask)}`, `bid ${exact(bid)}, ask ${exact(ask)}`);
    put(size, "\u00d7 " + quantity(row[side + "_ask_size"]), "contracts at the ask");
  };
}

function showBook(cell, row, status) {
  const [state, old] = cell.children;
  const none = !row.book_ok && unknown(row.book_age_seconds);
  put(state, row.book_ok ? "" : none ? "\u2715 no book" : "\u2715 bad ");
  hide(old, none);
  grow(old, row.book_age_seconds, { speed: status.clock_speed, limit: STALE * status.clock_speed });
  old.title = row.book_ok ? "" : "this book is not trusted";
  dress(cell.parentNode, row.book_ok ? "num minor" : "num bad");
}

const board = tableOf("board", [
  { head: "Strike", kind: "strike", build: parted("main", "sub"), show: showStrike },
  { head: "Closes in", kind: "num closes", show: (cell, row, status) => grow(cell, row.seconds_to_close, { speed: -status.clock_speed, text: countdown }) },
  text("Model YES", "num model-figure", (row) => percent(row.probability), (row) => (unknown(row.probability) ? "unknown" : String(row.probability))),
  { head: "Market against model", label: "", kind: "scale-cell", build: buildScale, show: showScale },
  { head: "YES bid / ask", label: "YES", kind: "num", build: parted("main", "size"), show: quote("yes") },
  edge("Edge YES", (row) => row.edge_yes),
  { head: "NO bid / ask", label: "NO", kind: "num", build: parted("main", "size"), show: quote("no") },
  edge("Edge NO", (row) => row.edge_no),
  { head: "Book age", kind: "num minor", build: parted("", ""), show: showBook },
  { head: "Why not traded", label: "", kind: "note", show: (cell, row) => put(cell, unknown(row.note) ? "" : row.note) },
], (row) => row.ticker, "no open market known", (row, status) => (status.nearest.has(row.ticker) ? "near" : ""), { build: parted("strong", "countdown", "soft"), show: showHeading });

const boardEvent = parted("", "countdown", "")();
$("board-event").append(boardEvent);

function showBoardEvent(rows, status) {
  const [name, left, at] = boardEvent.children, first = rows[0];
  const shared = rows.every((row) => row.event === first.event);
  $("board").classList.toggle("one-close", shared);
  const named = shared && rows.length > 0;
  put(name, named ? first.event + " " : "");
  put(at, named ? ` at ${utc(first.closes_at)} UTC${shownOf(rows.length, first.event_strikes)}` : "");
  hide(left, !named);
  if (named) grow(left, first.seconds_to_close, { speed: -status.clock_speed, text: (seconds) => (seconds > 0 ? "closes in " : "") + countdown(seconds) });
  return shared;
}

// --- trades, orders, tasks ---

const sideTag = (row) => (unknown(row.side) ? DASH : row.side.toUpperCase());
const contract = { ...text("Contract", "id wide", (row) => row.ticker), label: "" };
const note = { ...text("Note", "note", (row) => (unknown(row.note) ? "" : row.note)), label: "" };
const pnlColumn = toned("P&L", "num strong", (row) => row.pnl, signedDollars);
const held = [
  { head: "Trade", kind: "id wide", build: parted("main", "sub"), show: (cell, row) => { put(cell.children[0], "#" + row.id + " "); put(cell.children[1], row.ticker); } },
  text("Side", "word", sideTag),
  text("Quantity", "num", (row) => quantity(row.quantity)),
  money("Average", "num", (row) => row.average_price, cents),
];

const openTrades = tableOf("trades", [
  ...held,
  text("State", "word", (row) => word(row.state)),
  money("Mark", "num", (row) => row.mark, cents),
  text("Model", "num", (row) => percent(row.probability)),
  pnlColumn,
  money("Cost", "num minor", (row) => row.cost, dollars),
  money("Fees", "num minor", (row) => row.fees, dollars),
  text("Opened", "num minor", (row) => utc(row.opened_at), (row) => row.opened_at),
  note,
], (row) => row.id, "no open trades");

const closedTrades = tableOf("closed", [
  ...held,
  text("Ended", "word", (row) => word(row.state)),
  pnlColumn,
  money("Cost", "num minor", (row) => row.cost, dollars),
  money("Fees", "num minor", (row) => row.fees, dollars),
  text("Closed", "num", (row) => utc(row.closed_at), (row) => row.closed_at ?? "unknown"),
  note,
], (row) => row.id, "no closed trades yet");

const orders = tableOf("orders", [
  text("Order", "id wide", (row) => row.client_order_id),
  contract,
  text("For", "word", (row) => word(row.purpose)),
  text("State", "strong word", (row) => (row.state === "unknown" ? "? UNKNOWN" : word(row.state))),
  text("Side", "word", (row) => word(row.side), (row) => (row.side === "bid" ? "bid: buys YES" : "ask: sells YES")),
  text("Filled / of", "num", (row) => `${quantity(row.filled)} / ${quantity(row.quantity)}`),
  { ...money("Limit (YES)", "num", (row) => row.price, cents), label: "Limit" },
  text("Created", "num minor", (row) => utc(row.created_at), (row) => row.created_at),
  note,
], (row) => row.client_order_id, "no orders", (row) => (row.state === "unknown" ? "unknown" : ""));

function showOrders(rows, status) {
  const lost = rows.filter((row) => row.state === "unknown");
  put($("orders-unknown"), lost.length ? `\u26a0 ${lost.length} of unknown fate: held as if alive until the venue settles it` : "");
  dress($("orders-unknown"), lost.length ? "beside bad" : "beside");
  orders([...lost, ...rows.filter((row) => row.state !== "unknown")], status);
}

const rejections = tableOf("why", [
  text("Event", "id wide", (row) => row.event || DASH),
  { ...text("First closed gate, cycles", "id wide", (row) => `${row.gate} \u00b7 ${grouped(String(row.cycles))}`), label: "" },
  text("Last words", "note", (row) => row.sentence),
], (row) => row.event + row.gate + row.by, "nothing was refused yet");

const strategies = tableOf("strategies", [
  text("Strategy", "id wide", (row) => row.name),
  text("Stage", "note", (row) => word(row.stage)),
  { ...text("Open, at worst, of", "num", (row) => `${row.open_trades ?? DASH} \u00b7 ${dollars(row.open_cost)}${row.budget ? " of " + dollars(row.budget) : ""}`), label: "Open" },
  text("On paper, won", "num", (row) => (unknown(row.settled) ? "" : `${row.settled}, ${row.won}`)),
  toned("P&L", "num", (row) => row.pnl, (sum) => (unknown(sum) ? "" : signedDollars(sum))),
], (row) => row.name, "");

const limits = tableOf("limits", [
  text("Limit", "id wide", (row) => word(row.name.replace(/_dollars$/, " ($)"))),
  { ...text("Taken at worst", "num strong", (row) => grouped(row.used)), label: "Taken" },
  text("May be", "num", (row) => grouped(row.limit)),
  text("", "note", (row) => (row.full ? "full: entries wait" : "")),
], (row) => row.name, "limits are not read yet", (row) => (row.full ? "unknown" : ""));

function showExternal(made) {
  const told = [];
  if (made?.positions.length) told.push("positions " + made.positions.map((row) => `${quantity(row.quantity)} ${row.ticker}`).join(", "));
  if (made?.orders) told.push(`${made.orders} resting orders`);
  put($("external"), told.length ? `made without recio, counted and never touched: ${told.join("; ")}` : "");
}

const TASK_SIGN = { running: "\u25cf", starting: "\u25d0", backing_off: "\u21bb", stopped: "\u25a0" };

function showSentence(cell, [, task]) {
  const [sentence, error] = cell.children;
  put(sentence, unknown(task.sentence) ? DASH : task.sentence);
  put(error, unknown(task.last_error) ? "" : "last error: " + task.last_error);
}

const tasks = tableOf("tasks", [
  text("Task", "name", ([name]) => word(name)),
  { head: "State", kind: "state", show: (cell, [, task]) => { put(cell, `${TASK_SIGN[task.state] ?? "?"} ${word(task.state)}`); dress(cell, "state-" + task.state); } },
  // Heartbeats age in real seconds even where market time runs faster.
  { head: "Age", kind: "num", show: (cell, [, task]) => grow(cell, task.age_seconds, { limit: STALE }) },
  { head: "Restarts", kind: "num restarts", show: (cell, [, task]) => { put(cell, unknown(task.restarts) ? DASH : String(task.restarts)); dress(cell, task.restarts > 0 ? "bad" : ""); } },
  { head: "Last did", label: "", kind: "note", build: parted("main", "error"), show: showSentence },
], ([name]) => name, "no tasks yet");

function showQueues(queues) {
  sync($("queues"), Object.entries(queues), ([name]) => name, () => make("li"), (item, [name, queue]) => {
    const full = queue.capacity > 0 && queue.depth >= queue.capacity * 0.8;
    put(item, `${word(name)} ${queue.depth ?? DASH} / ${queue.capacity ?? DASH}${full ? " nearly full" : ""}`);
    dress(item, full ? "bad" : "");
  });
}

// --- top of the page ---

// Anything not known to be harmless is shown as real money.
function modeOf({ mode, environment }) {
  if (mode === "demo") return ["demo", "play money"];
  if (mode === "paper") return ["paper", "no real orders"];
  if (mode === "live" && (environment === "demo" || environment === "sim")) return ["rehearsal", "play money"];
  return ["real", "REAL MONEY"];
}

function showBar(status) {
  const [treatment, meaning] = modeOf(status);
  put($("mode"), `${word(status.mode).toUpperCase()} \u00b7 ${word(status.environment)} \u00b7 ${meaning}`);
  dress($("mode"), "badge " + treatment);
  dress($("top"), treatment);
  put($("ready"), status.ready ? "\u2713 READY" : "\u2715 NOT READY");
  dress($("ready"), status.ready ? "pill good" : "pill warn");
  showSwitch($("entry-switch"), "entries", status.switches.entry);
  showSwitch($("exit-switch"), "exits", status.switches.exit);
  const speed = status.clock_speed === 1 ? "" : ` \u00d7${status.clock_speed}`;
  put($("clock"), `${utc(status.now)} UTC${speed}`, speed ? `market time runs${speed} as fast as yours` : status.now);
  put($("about"), `recio ${status.version} \u00b7 account ${word(status.account)} \u00b7 started ${utc(status.started_at, 0)} UTC \u00b7 all times but the lost-connection time are UTC market time`);
}

function showSwitch(element, name, on) {
  put(element, `${name} ${unknown(on) ? DASH : on ? "on" : "OFF"}`);
  dress(element, on ? "switch" : "switch off");
}

function showReasons(status) {
  hide($("reasons"), status.reasons.length === 0);
  const numbered = status.reasons.map((sentence, index) => ({ sentence, index }));
  sync($("reasons"), numbered, (item) => item.index, () => make("li"), (line, item) => put(line, item.sentence));
}

function marketSeconds(from, status) {
  const seconds = (new Date(status.now) - new Date(from)) / 1000;
  return isNaN(seconds) || unknown(from) ? null : seconds;
}

function notice() {
  const line = make("li");
  line.append(make("strong"), make("span"), make("span", "way-out"), make("span", "how-long"));
  line.lastChild.setAttribute("aria-hidden", "true"); // it changes every second: not to be read out
  return line;
}

function showNotice(line, [title, detail, wayOut, from], status) {
  [title, detail, wayOut].forEach((words, index) => put(line.children[index], words));
  grow(line.lastChild, marketSeconds(from, status), { speed: status.clock_speed, text: (seconds) => "for " + age(seconds) });
}

const HALTED = { halt: "HALTED", flatten: "FLATTENING", stop: "STOPPING" };

function proof(halt) {
  const seconds = (after) => `${after.toFixed(1)} s`;
  const rests = unknown(halt.verified_after) ? "not verified at the venue yet"
    : `nothing of ours rests at the venue (verified after ${seconds(halt.verified_after)}, ${halt.cancelled} cancelled)`;
  if (halt.level !== "flatten") return rests;
  return rests + (unknown(halt.flat_after) ? "; not flat yet" : `; flat after ${seconds(halt.flat_after)}`);
}

function showControls(status) {
  sync($("halts"), status.halts, (halt) => halt.cause + halt.since, notice, (line, halt) => showNotice(line, [
    `\u25a0 ${HALTED[halt.level]}: ${halt.cause}`, `since ${utc(halt.since)} UTC, by ${word(halt.by)}; ${proof(halt)}`,
    `To end it: ${halt.resolution}`, halt.since], status));
  sync($("causes"), status.causes, (cause) => cause.cause + cause.since, notice, (line, cause) => showNotice(line, [
    `\u26a0 No entries: ${cause.cause}`, cause.sentence,
    cause.consequences.length ? `Seen as well: ${cause.consequences.join(", ")}` : "Clears by itself", cause.since], status));
  sync($("blocks"), status.blocks, (block) => block.condition + block.since, notice, (line, block) => showNotice(line, [
    `\u26a0 ${block.condition}`, block.detail, `Clears by itself with: ${block.clears}`, block.since], status));
}

function tile(tag, ...parts) {
  return () => { const box = make(tag, "tile"); box.append(...parts.map(([name, kind]) => make(name, kind))); return box; };
}

function showPrices(status) {
  const create = tile("div", ["span", "label"], ["span", "figure"], ["span", "detail"], ["span", "detail"], ["span", "detail"], ["span", "detail"]);
  sync($("prices"), status.prices, (price) => price.symbol, create, (box, price) => {
    const [label, figure, old, volatility, sources, unreliable] = box.children;
    put(label, unknown(price.source) ? price.symbol : `${price.symbol} \u00b7 ${word(price.source)}`);
    put(figure, grouped(price.price), exact(price.price));
    grow(old, price.age_seconds, { speed: status.clock_speed, limit: STALE * status.clock_speed, text: (seconds) => age(seconds) + " old" });
    put(sources, price.sources.map(sourceText).join(", "), price.sources.map((each) => each.source + ": " + (each.note || each.state)).join("\n"));
    put(unreliable, unknown(price.unreliable) || price.unreliable === "" ? "" : "\u2715 " + price.unreliable);
    dress(unreliable, "detail bad");
    hide(unreliable, !price.unreliable);
    put(volatility, "volatility " + volatilityText(price), unknown(price.volatility) ? "unknown" : `${price.volatility} of the price, standard deviation over one second`);
  });
}

function sourceText(each) {
  if (each.state !== "good") return `\u2715\u00a0${each.source}\u00a0${each.state}`;
  return `\u2713\u00a0${each.source}\u00a0${grouped(each.price)}`;
}

function showVenue({ venue }) {
  const paused = !unknown(venue.phase) && venue.phase !== "trading";
  const pause = unknown(venue.next_pause) ? "" : `next pause ${utc(venue.next_pause[0])} to ${utc(venue.next_pause[1])} UTC`;
  const rate = venue.limits, left = unknown(rate) ? "" : `tokens left: reads ${leftOf(rate.read_left, rate.read_capacity)}, orders ${leftOf(rate.write_left, rate.write_capacity)}` + (rate.refusals ? `, ${rate.refusals} refused` : "") + (rate.slowed.length ? `, slowed: ${rate.slowed.join(", ")}` : "");
  const offset = unknown(venue.clock_offset_seconds) ? "clock not compared yet" : `its clock ${venue.clock_offset_seconds >= 0 ? "+" : "\u2212"}${Math.abs(venue.clock_offset_seconds).toFixed(2)} s from ours`;
  const create = tile("div", ["span", "label"], ["span", "figure"], ...Array(5).fill(["span", "detail"]));
  sync($("venue"), [venue], () => "venue", create, (box) => {
    const [label, figure, limits, clock, next, index, read] = box.children;
    put(label, "Kalshi");
    put(figure, unknown(venue.phase) ? DASH : word(venue.phase));
    dress(figure, "figure " + (paused ? "down" : ""));
    put(limits, left);
    put(clock, offset + streamText(venue.private_stream));
    put(next, pause);
    hide(next, pause === "");
    put(index, "index: " + venue.index);
    hide(index, !venue.index);
    put(read, venue.read);
    dress(read, "detail" + (venue.reads.some((each) => each.fault) ? " bad" : ""));
  });
}

const streamText = (stream) =>
  unknown(stream) ? "" : `; our orders and fills heard ${stream.lag_seconds.toFixed(2)} s after their sending, at worst ${stream.worst_seconds.toFixed(2)} s`;

const leftOf = (left, capacity) => `${grouped(left)} of ${grouped(capacity)}`;

function volatilityText({ price, volatility }) {
  if (unknown(volatility)) return DASH;
  const points = (Number(volatility) * 1e4).toFixed(2) + " bp/s";
  return unknown(price) ? points : `${points} (${dollars(Number(price) * Number(volatility))})`;
}

function showPnl({ pnl }) {
  const score = unknown(pnl.wins) || unknown(pnl.losses) ? DASH : `${pnl.wins} won, ${pnl.losses} lost`;
  const tiles = [
    ["Realised today", signedDollars(pnl.realised_today), exact(pnl.realised_today), toneOf(pnl.realised_today), `fees ${dollars(pnl.fees_today)}`],
    ["Unrealised", signedDollars(pnl.unrealised), exact(pnl.unrealised), toneOf(pnl.unrealised), "at the mark"],
    ["Balance", dollars(pnl.balance), exact(pnl.balance), "", "cash at the venue"],
    ["Trades today", unknown(pnl.trades_today) ? DASH : String(pnl.trades_today), "", "", score],
  ];
  sync($("pnl"), tiles, ([label]) => label, tile("div", ["dt", "label"], ["dd", "figure"], ["dd", "detail"]), (box, [label, figure, title, tone, detail]) => {
    put(box.children[0], label);
    put(box.children[1], figure, title);
    dress(box.children[1], "figure " + tone);
    put(box.children[2], detail);
  });
}

let shownVersion = null;

function show(status) {
  status.nearest = nearestTickers(status);
  showBar(status);
  showReasons(status);
  showControls(status);
  showPrices(status);
  showVenue(status);
  showPnl(status);
  board(withHeadings(status.board, showBoardEvent(status.board, status)), status);
  const live = (trade) => trade.state !== "closed" && trade.state !== "void";
  rejections(status.rejections, status);
  openTrades(status.trades.filter(live), status);
  closedTrades(status.trades.filter((trade) => !live(trade)), status);
  showOrders(status.orders, status);
  strategies(status.strategies, status);
  limits(status.limits, status);
  showExternal(status.external);
  tasks(Object.entries(status.tasks), status);
  showQueues(status.queues);
  if (shownVersion !== null && shownVersion !== status.version) location.reload(); // the daemon was upgraded, and this page with it
  shownVersion = status.version;
  headline = status.halts.length ? "HALTED" : status.ready ? "ready" : "NOT READY";
  headline += ` \u00b7 recio ${word(status.mode)} ${word(status.environment)}`;
}

// --- connection: must never be wrong ---

const opened = stamp();
let source = null, tried = opened, lost = false, headline = "recio";

function connect() {
  if (source) source.close();
  tried = stamp();
  source = new EventSource("events");
  source.onmessage = (event) => receive(event.data);
  source.onerror = () => lose();
}

function receive(data) {
  try {
    show(JSON.parse(data));
  } catch (problem) {
    console.error(problem);
    lose(`This page cannot read what the daemon sends (${problem.message}) \u2013 figures below are not to be trusted.`);
    return;
  }
  heard = stamp();
  lost = false;
  hide($("lost"), true);
  document.body.classList.remove("old");
  tick();
}

function lose(why) {
  lost = true;
  if (!why) source.close();
  const last = heard || opened, at = new Date(last.wall);
  const time = [at.getHours(), at.getMinutes(), at.getSeconds()].map(pad).join(":");
  const figures = heard ? "figures below are old" : "no figures yet";
  hide($("lost"), false);
  put($("lost-text"), why || `Not connected since ${time} \u2013 ${figures}.`, "your own clock's time");
  document.body.classList.add("old");
  tick();
}

function tick() {
  const silent = since(heard || opened);
  if (!lost && silent > SILENT_AFTER) lose();
  else if (lost && since(tried) > (source.readyState === EventSource.CLOSED ? RETRY_AFTER : GIVE_UP_AFTER)) connect();
  advance();
  put($("connection"), lost ? "\u2715 not connected" : heard ? pulse(silent) : "connecting");
  dress($("connection"), lost ? "connection bad" : "connection");
  if (lost) put($("lost-age"), `for ${age(silent)}, trying again`);
  const title = lost ? "NOT CONNECTED \u00b7 recio" : headline;
  if (document.title !== title) document.title = title;
}

// --- halts ---

async function requestHalt(event) {
  event.preventDefault();
  const said = $("halt-said"), token = $("halt-token");
  put(said, "asking\u2026");
  const asked = { level: $("halt-which").value, confirm: $("halt-confirm").value, token: token.value, why: $("halt-why").value };
  try {
    const answer = await fetch("halt", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(asked) });
    const words = await answer.json();
    put(said, answer.ok ? `${words.cause}: in force after ${words.in_force_after} s` : `Nothing was done: ${words.error}`);
    if (answer.ok) $("halt-confirm").value = "";
  } catch (problem) {
    put(said, `No answer (${problem.message}): it may or may not be in force; look above`);
  }
}

$("halt-which").addEventListener("change", () => put($("halt-word"), $("halt-which").value.toUpperCase()));
$("halt-form").addEventListener("submit", requestHalt);

const pulse = (silent) => (silent > QUIET_AFTER ? `\u26a0 quiet for ${age(silent)}` : `\u25cf live, ${age(silent)} ago`);

setInterval(tick, 500);
document.addEventListener("visibilitychange", tick); // timers slept while the page was hidden
addEventListener("pageshow", tick);
connect();
