// A market's charts: the price against the strikes, model against bid and ask, the settlement average, momentum; own trades on them.
"use strict";

import { hide, make, put, stamp, text } from "./parts.js";
import { apart, around, runs, spacing } from "./chart_scale.js";
import { axes, between, column, level, lines, mark, none, number, panel, picture, show, upright, wideAs, written } from "./chart_parts.js";
import { UNREACHED, cents, coin, grouped, percent, quantity, unknown, utc } from "./text.js";

const MINUTE = 60, SOON = 90, GAP = 30; // seconds
const LABELS = 6; // own trades beyond these are marked and not labelled
const COMPARISON = { greater: ">", greater_or_equal: "\u2265", less: "<", less_or_equal: "\u2264", between: "in" };

const second = (time) => new Date(time).getTime() / 1000;
const clockOf = (at) => utc(at * 1000);
const figures = (texts) => texts.map((each) => (unknown(each) ? null : Number(each)));

// --- pure: what is to be drawn, out of what was told ---

export const strikeOf = (row) => (unknown(row.floor_strike) ? row.cap_strike : row.floor_strike);
export const strikeText = (row) => (unknown(strikeOf(row)) ? "no strike yet" : `${COMPARISON[row.strike_type] ?? ""} ${grouped(strikeOf(row))}${row.strike_type === "between" ? ` to ${grouped(row.cap_strike)}` : ""}`.trim());
const levelsOf = (row) => (row.strike_type === "between" ? [row.floor_strike, row.cap_strike] : [strikeOf(row)]).filter((each) => !unknown(each)).map(Number);

// Fills of one trade in one second or two are one purchase: contracts together, their mean price.
export function together(own) {
  const found = [];
  for (const each of own) {
    const at = second(each.at), last = found.findLast((other) => other.key === `${each.kind} ${each.number} ${each.what}`), contracts = Number(each.quantity);
    if (last && at - last.until <= 2) {
      last.price = (last.price * last.quantity + Number(each.price) * contracts) / (last.quantity + contracts);
      last.quantity = Math.round((last.quantity + contracts) * 100) / 100; // of hundredths
      last.until = at;
    } else found.push({ ...each, at, until: at, quantity: contracts, price: Number(each.price), key: `${each.kind} ${each.number} ${each.what}` });
  }
  return found;
}

export const yesPrice = (own) => (own.side === "yes" ? own.price : 1 - own.price);
export const wordsOf = (own) => `${own.what} ${quantity(own.quantity)} ${own.side.toUpperCase()}${own.beside ? ` ${own.beside}` : ""} at ${cents(own.price)}`;

// The last known value at a time, or the first after it.
export function valueAt(at, values, wanted) {
  const index = at.findLastIndex((each) => each <= wanted);
  return index < 0 ? values[0] ?? null : values[index];
}

// Of another market of the event: its strike, or its name where that is not told.
function besideOf(told, ticker) {
  const row = told.strikes.find((each) => each.ticker === ticker);
  return row ? strikeText(row) : ticker;
}

// The strikes that a field of these values can show without making a flat line of them.
export function within(strikes, [low, high]) {
  return strikes.filter((each) => Math.abs(each - (low + high) / 2) <= 4 * (high - low));
}

// What a chart needs, as numbers; own trades of the whole event, and of this market alone.
export function numbersOf(told) {
  const own = together(told.own).map((each) => ({ ...each, beside: each.ticker === told.ticker ? "" : besideOf(told, each.ticker) }));
  return {
    from: second(told.begins_at), to: second(told.ends_at), close: second(told.closes_at), now: second(told.now),
    price: figures(told.price.price), bid: figures(told.quotes.yes_bid), ask: figures(told.quotes.yes_ask),
    mean: figures(told.average.mean), event: own, own: own.filter((each) => !each.beside),
  };
}

// Seconds without a point that make a hole; a market that runs faster has its points further apart.
const hole = (at) => Math.max(GAP, 3 * spacing(at));
const kept = (at) => `a point each ${Math.max(1, Math.round(spacing(at)))} s`;

// --- drawings: told and a width in, SVG out ---

function marked(field, own, valueOf) {
  own.forEach((each) => {
    const value = valueOf(each), label = own.length <= LABELS ? `${quantity(each.quantity)} ${each.side.toUpperCase()}${each.beside ? ` ${each.beside}` : ""} ${cents(each.price)}` : "";
    if (value !== null) mark(field, { at: each.at, value, bought: each.what === "bought", paper: each.kind === "shadow", title: `${clockOf(each.at)} ${wordsOf(each)}`, label });
  });
}

function past(field, { now, from, to }) {
  if (now > from && now < to) upright(field, now, "now");
}

const height = (width, high) => (width < 480 ? high - 20 : high);

export function priceChart(told, width) {
  const it = numbersOf(told), known = it.price.length > 0, strikes = levelsOf(told.strike), own = known ? within(strikes, around(it.price)) : strikes;
  const y = around([...it.price, ...own]), high = height(width, 280);
  const svg = picture(width, high, priceSummary(told));
  const inside = told.strikes.filter((row) => row.ticker !== told.ticker).map((row) => ({ row, value: Number(strikeOf(row)) })).filter(({ row, value }) => !unknown(strikeOf(row)) && value > y[0] && value < y[1] && !own.includes(value));
  const field = axes(svg, { width, height: high, x: [it.from, it.to], y, unit: `dollars per ${told.symbol}` });
  column(field, it.close - MINUTE, it.close, "closing");
  for (const { value } of inside) level(field, value, "strike");
  for (const value of own) level(field, value, "strike own");
  lines(field, runs(told.price.at, it.price, hole(told.price.at)), "price");
  lines(field, runs(told.average.at, it.mean, GAP), "average");
  past(field, it);
  strikeLabels(field, own, told.strike, inside, told.price.at.map((at, index) => [at, it.price[index]]));
  beyond(field, strikes, own, told.strike);
  marked(field, it.event, (each) => (known ? valueAt(told.price.at, it.price, each.at) : null));
  return field;
}

// A label stands at the left, unless the price runs through it there and not at the right.
function free(field, price, place, words) {
  const wide = wideAs(words) + 12, through = price.filter(([, value]) => value !== null && Math.abs(field.py(value) - place + 4) < 12).map(([at]) => field.px(at));
  return through.some((x) => x < field.box.left + wide) && !through.some((x) => x > field.box.right - wide) ? "end" : "start";
}

function strikeLabels(field, own, strike, inside, price) {
  const labels = [...own.map((value) => ({ value, words: own.length > 1 ? grouped(value) : strikeText(strike), name: "says own" })), ...inside.map(({ row, value }) => ({ value, words: strikeText(row), name: "says" }))];
  const places = labels.map(({ value }) => field.py(value) - 4);
  apart(places, 16).forEach((fits, index) => {
    const place = places[index] > field.box.top + 6 ? places[index] : places[index] + 18;
    if (!fits) return;
    const { words, name } = labels[index], side = free(field, price, place, words);
    field.svg.append(written(side === "end" ? field.box.right - 4 : field.box.left + 4, place, words, name, side));
  });
}

// A strike that lies outside of the field is named at the edge that it lies beyond.
function beyond(field, strikes, near, row) {
  const far = strikes.find((each) => !near.includes(each));
  if (far === undefined) return;
  const isAbove = far > field.y[1];
  field.svg.append(written(field.box.left + 4, isAbove ? field.box.top + 12 : field.box.bottom - 5, `${strikeText(row)} ${isAbove ? "\u2191" : "\u2193"}`, "says own"));
}

export function quoteChart(told, width) {
  const it = numbersOf(told), at = told.quotes.at, high = height(width, 280), svg = picture(width, high, quoteSummary(told));
  const percents = (values) => values.map((each) => (each === null ? null : each * 100));
  const field = axes(svg, { width, height: high, x: [it.from, it.to], y: [0, 100], at: [0, 25, 50, 75, 100], unit: "YES, \u00a2 a contract or %", left: 34 });
  column(field, it.close - MINUTE, it.close, "closing");
  const since = at.length ? at[0] : Math.min(it.now, it.to);
  column(field, it.from, since, "unkept");
  const bid = percents(it.bid), ask = percents(it.ask), both = at.map((_, index) => (bid[index] === null || ask[index] === null ? null : [bid[index], ask[index]]));
  for (const run of runs(at, both, hole(at))) between(field, run.map(([x, [, high]]) => [x, high]), run.map(([x, [low]]) => [x, low]), "market");
  lines(field, runs(at, bid, hole(at)), "quote");
  lines(field, runs(at, ask, hole(at)), "quote");
  lines(field, runs(at, percents(told.quotes.probability), hole(at)), "forecast");
  past(field, it);
  const words = at.length ? "not kept" : "no quotes are kept of this time";
  if (field.px(since) - field.box.left > wideAs(words) + 8) svg.append(written(field.box.left + 6, field.box.top + 14, words, "says"));
  marked(field, it.own, (each) => yesPrice(each) * 100);
  return field;
}

export function averageChart(told, width) {
  const it = numbersOf(told), from = it.close - MINUTE - 15, high = height(width, 240), svg = picture(width, high, averageSummary(told));
  const late = told.price.at.map((at, index) => [at, it.price[index]]).filter(([at]) => at >= from), strikes = levelsOf(told.strike), seen = around([...late.map(([, value]) => value), ...it.mean]);
  const near = within(strikes, seen), y = around([...late.map(([, value]) => value), ...it.mean, ...near]);
  const field = axes(svg, { width, height: high, x: [from, it.close], y, unit: `dollars per ${told.symbol}` });
  column(field, it.close - MINUTE, it.close, "closing");
  for (const value of near) level(field, value, "strike own");
  lines(field, runs(late.map(([at]) => at), late.map(([, value]) => value), GAP), "price");
  lines(field, runs(told.average.at, it.mean, GAP), "average");
  past(field, it);
  strikeLabels(field, near, told.strike, [], late);
  beyond(field, strikes, near, told.strike);
  return field;
}

export function momentumChart(told, width) {
  const it = numbersOf(told), { at, basis_points } = told.momentum, high = height(width, 180);
  const svg = picture(width, high, momentumSummary(told)), most = Math.max(1, ...basis_points.map(Math.abs)) * 1.1;
  const field = axes(svg, { width, height: high, x: [it.from, it.to], y: [-most, most], unit: "basis points" });
  lines(field, runs(at, basis_points, hole(at)), "price");
  past(field, it);
  return field;
}

// --- the same in words ---

const last = (values) => values.at(-1);

function priceSummary({ symbol, price, strike, own, average }) {
  const now = price.price.length ? `last ${coin(last(price.price))}` : "no price is kept of this time";
  return `Price of ${symbol} against the strike ${strikeText(strike)}: ${now}${average.at.length ? `, settlement average ${coin(last(average.mean))} of ${last(average.values)} of 60 values` : ""}; ${own.length} own fills in the event`;
}

function quoteSummary({ quotes, own, ticker }) {
  const mine = own.filter((each) => each.ticker === ticker).length;
  if (!quotes.at.length) return `No quotes are kept of this market; ${mine} own fills`;
  return `YES over time: bid ${cents(last(quotes.yes_bid))}, ask ${cents(last(quotes.yes_ask))}, model ${percent(last(quotes.probability))}; ${mine} own fills`;
}

function averageSummary({ average }) {
  return `The settlement average as it forms: ${coin(last(average.mean))} of ${last(average.values)} of 60 values`;
}

function momentumSummary({ symbol, momentum }) {
  return `Momentum of ${symbol}: ${momentum.at.length ? `${number(last(momentum.basis_points), 0.1)} basis points` : "not known"}`;
}

// The last row of each minute, oldest first; own trades between them.
function byMinute(at, row, own, close) {
  const kept = new Map(at.map((each, index) => [each >= close - MINUTE ? each : Math.floor(each / 60), { at: each, ...row(index) }]));
  return [...kept.values(), ...own.map((each) => ({ at: each.at, own: wordsOf(each) }))].sort((a, b) => a.at - b.at);
}

const when = text("Time (UTC)", "id", (row) => clockOf(row.at));
const told = (name, read) => text(name, "num", (row) => (row.own ? "" : read(row)));
const ownTrade = { ...text("Own trades", "note", (row) => row.own ?? ""), label: "" };

// --- the panels ---

function priceParts(found) {
  const it = numbersOf(found), meanAt = new Map(found.average.at.map((at, index) => [at, index])), { price, average, symbol } = found;
  return {
    draw: (width) => priceChart(found, width),
    keys: [["price", "price"], ["strike own", `strike ${strikeText(found.strike)}`], ["strike", "other strikes"], ...(average.at.length ? [["average", "settlement average"]] : []), ...ownKeys(it.event)],
    columns: [when, told(`${symbol}, $`, (row) => coin(row.price)), told("Average, $", (row) => coin(row.mean)), told("Of values", (row) => row.values ?? ""), ownTrade],
    rows: () => byMinute(price.at, (index) => { const known = meanAt.get(price.at[index]); return { price: price.price[index], mean: known === undefined ? null : Number(average.mean[known]).toFixed(2), values: known === undefined ? "" : `${average.values[known]} of 60` }; }, it.event, it.close),
    readings: price.at.map((at, index) => [at, `${clockOf(at)}: ${coin(price.price[index])}${meanAt.has(at) ? `, average ${coin(average.mean[meanAt.get(at)])} of ${average.values[meanAt.get(at)]} of 60 values` : ""}`]),
  };
}

function quoteParts(found) {
  const it = numbersOf(found), { quotes } = found;
  return {
    draw: (width) => quoteChart(found, width),
    keys: [["market", "market bid to ask"], ["forecast", "model"], ...ownKeys(it.own)],
    note: unknown(quotes.kept_since) ? "nothing is kept of this market" : `${kept(quotes.at)}, kept since ${utc(quotes.kept_since, 5)} UTC`,
    columns: [when, told("YES bid", (row) => cents(row.bid)), told("YES ask", (row) => cents(row.ask)), told("Model YES", (row) => percent(row.model)), ownTrade],
    rows: () => byMinute(quotes.at, (index) => ({ bid: quotes.yes_bid[index], ask: quotes.yes_ask[index], model: quotes.probability[index] }), it.own, Infinity),
    readings: quotes.at.map((at, index) => [at, `${clockOf(at)}: bid ${cents(quotes.yes_bid[index])}, ask ${cents(quotes.yes_ask[index])}, model ${percent(quotes.probability[index])}`]),
  };
}

function averageParts(found) {
  const { average } = found, row = (index) => ({ mean: average.mean[index], values: average.values[index] });
  return {
    draw: (width) => averageChart(found, width),
    keys: [["price", "price"], ["average", "average so far"], ["strike own", "strike"]],
    note: average.source === "index" ? "of the prints of the index" : "no print of the index was heard: of the price made of all sources",
    columns: [when, told("Average, $", ({ mean }) => coin(mean)), told("Of values", ({ values }) => `${values} of 60`)],
    rows: () => average.at.map((at, index) => ({ at, ...row(index) })),
    readings: average.at.map((at, index) => [at, `${clockOf(at)}: ${coin(average.mean[index])} of ${average.values[index]} of 60 values`]),
  };
}

function momentumParts(found) {
  const { at, basis_points } = found.momentum, says = (index) => `${number(basis_points[index], 0.1)} bp`;
  return {
    draw: (width) => momentumChart(found, width),
    note: at.length ? `weighted over half an hour, ${kept(at)}, known from ${clockOf(at[0])} UTC on` : "none is known of this time",
    columns: [when, told("Basis points", (row) => row.says)],
    rows: () => byMinute(at, (index) => ({ says: says(index) }), [], Infinity),
    readings: at.map((each, index) => [each, `${clockOf(each)}: ${says(index)}`]),
  };
}

function ownKeys(own) {
  const kinds = new Set(own.map((each) => each.what + (each.kind === "shadow" ? " paper" : "")));
  return [...kinds].map((kind) => [`mark ${kind}`, kind.includes("paper") ? kind.replace(" paper", " on paper") : kind]);
}

// --- what is open: one market at a time, asked for again while it is ---

let open = null, usual = 10_000, closing = 2_000; // milliseconds

export const every = (milliseconds) => { usual = closing = milliseconds; };

function built(host) {
  if (host.panels) return host.panels;
  const said = make("output"), about = make("p", "beside"), grid = make("div", "charts");
  said.setAttribute("role", "status");
  host.panels = { said, about, grid, price: panel("Price against the strikes"), quotes: panel("Model against the market"), average: panel("Settlement average in the closing minute"), momentum: panel("Momentum") };
  grid.append(...["price", "quotes", "average", "momentum"].map((name) => host.panels[name].box));
  host.replaceChildren(said, about, grid);
  return host.panels;
}

function paint(host, found) {
  const panels = built(host);
  hide(panels.grid, false);
  host.at = stamp();
  put(panels.about, `${found.symbol} ${strikeText(found.strike)} \u00b7 closes ${utc(found.closes_at)} UTC${unknown(found.result) ? "" : ` \u00b7 settled ${found.result.toUpperCase()}`}${found.has_more_own ? " \u00b7 of own trades only the last are marked" : ""}`);
  none(panels.average, !found.average.at.length);
  none(panels.momentum, !found.momentum.at.length);
  panels.price.title = `Price of ${found.symbol} against the strikes`;
  put(panels.price.name, panels.price.title);
  put(panels.momentum.name, `Momentum of ${found.symbol}`);
  show(panels.price, priceParts(found));
  show(panels.quotes, quoteParts(found));
  if (found.average.at.length) show(panels.average, averageParts(found));
  if (found.momentum.at.length) show(panels.momentum, momentumParts(found));
}

async function ask(mine) {
  const { said, grid } = built(mine.host);
  try {
    const answer = await fetch(`api/v1/markets/${encodeURIComponent(mine.ticker)}/chart`), body = await answer.json();
    if (open !== mine) return;
    put(said, answer.ok ? "" : answer.status === 404 ? "No charts: nothing is kept of this market any more." : body.error);
    if (answer.ok) paint(mine.host, body);
    const isRefused = answer.status >= 400 && answer.status < 500 && answer.status !== 429; // anything else passes
    if (isRefused) hide(grid, true);
    mine.wait = answer.ok && second(body.closes_at) - second(body.now) < SOON ? closing : usual;
    mine.isOver = isRefused || (answer.ok && second(body.now) > second(body.closes_at) + MINUTE);
  } catch {
    if (open === mine) put(said, UNREACHED);
  }
  if (open === mine && !mine.isOver) later(mine);
}

// A page that nobody sees asks for nothing.
function later(mine) {
  mine.timer = setTimeout(() => (document.hidden ? later(mine) : ask(mine)), mine.wait ?? usual);
}

export function follow(host, ticker) {
  leave();
  open = { host, ticker, timer: null, isOver: false };
  const { grid } = built(host);
  if (host.ticker !== ticker) { hide(grid, true); put(host.panels.about, ""); put(host.panels.said, "Reading\u2026"); }
  host.ticker = ticker;
  return ask(open);
}

export function leave() {
  if (open) clearTimeout(open.timer);
  open = null;
}
