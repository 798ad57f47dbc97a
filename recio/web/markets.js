// The Markets view: prices, the venue, and every strike beside what the model says.
"use strict";

import { $, dress, edge, grow, hide, make, parted, put, sync, tableOf, text, tile, withRole } from "./parts.js";
import { DASH, MINUS, age, cents, countdown, dollars, exact, grouped, inOneWord, percent, plusMinus, quantity, rounded, unknown, utc, word } from "./text.js";

export const STALE = 15; // real seconds after which an age stands out

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
  const chart = "#markets/" + row.ticker;
  if (strike.getAttribute("href") !== chart) strike.href = chart;
  put(strike, unknown(row.strike) ? DASH : (COMPARISON[row.strike_type] ?? "") + grouped(row.strike), row.ticker);
  const active = row.status === "active" ? "" : word(row.status).toUpperCase() + ", ";
  const near = status.nearest.has(row.ticker) ? "\u25b8 nearest, " : "";
  const { magnitude, sign } = rounded(distance ?? 0, 2);
  put(where, active + (distance === null ? "spot unknown" : near + "spot " + (plusMinus(sign) || "\u00b1") + magnitude));
}

function buildStrike() {
  const box = make("span");
  box.append(make("a", "main"), make("span", "sub"));
  return box;
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
  { head: "Strike", kind: "strike", build: buildStrike, show: showStrike },
  { head: "Closes in", kind: "num closes", show: (cell, row, status) => grow(cell, row.seconds_to_close, { speed: -status.clock_speed, text: countdown }) },
  text("Model YES", "num model-figure", (row) => percent(row.probability), (row) => (unknown(row.probability) ? "unknown" : String(row.probability))),
  { head: "Market against model", label: "", kind: "scale-cell", build: buildScale, show: showScale },
  { head: "YES bid / ask", label: "YES", kind: "num", build: parted("main", "size"), show: quote("yes") },
  edge("Edge YES", (row) => row.edge_yes),
  { head: "NO bid / ask", label: "NO", kind: "num", build: parted("main", "size"), show: quote("no") },
  edge("Edge NO", (row) => row.edge_no),
  { head: "Book age", kind: "num minor", build: parted("", ""), show: showBook },
  { head: "Why not traded", label: "", kind: "note", show: (cell, row) => put(cell, unknown(row.note) ? "" : inOneWord(row.note)) },
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
  const rate = venue.limits, left = unknown(rate) ? "" : `tokens left: reads ${leftOf(rate.read_left, rate.read_capacity)}, orders ${leftOf(rate.write_left, rate.write_capacity)}` + (rate.refusals ? `, ${rate.refusals} refused` : "") + (rate.slowed?.length ? `, slowed: ${rate.slowed.join(", ")}` : "");
  const offset = unknown(venue.clock_offset_seconds) ? "clock not compared yet" : `its clock ${venue.clock_offset_seconds >= 0 ? "+" : MINUS}${Math.abs(venue.clock_offset_seconds).toFixed(2)} s from ours`;
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
  const points = (Number(volatility) * 1e4).toFixed(2) + " bp in a second";
  return unknown(price) ? points : `${points} (${dollars(Number(price) * Number(volatility))})`;
}


export function showMarkets(status) {
  status.nearest = nearestTickers(status);
  showPrices(status);
  showVenue(status);
  board(withHeadings(status.board, showBoardEvent(status.board, status)), status);
}

// "YES BTC > 84,250", for whoever holds it; the ticker where its strike is not known.
export function outcomeOf(ticker, side, status, known = null) {
  const row = status.board.find((each) => each.ticker === ticker) ?? known;
  if (!row || unknown(row.strike)) return `${side.toUpperCase()} ${ticker}`;
  return `${side.toUpperCase()} ${row.symbol} ${COMPARISON[row.strike_type] ?? ""}${grouped(row.strike)}`;
}

// Of a trade, called the same before and after its market has left the board.
export const nameOf = (trade, status) => outcomeOf(trade.ticker, trade.side, status, trade.market);

export function nearestRows(status) {
  const found = new Map();
  for (const row of status.board) {
    const distance = Math.abs(distanceToMoney(row, status) ?? Infinity), best = found.get(row.event);
    if (!best || distance < best.distance) found.set(row.event, { distance, row });
  }
  return Array.from(found.values(), (each) => each.row);
}
