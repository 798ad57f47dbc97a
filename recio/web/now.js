// The Now view: could it trade, what is held and guarded, today's net, the acts, and what happened last.
"use strict";

import { $, dress, grow, hide, make, put, sync, tableOf, text } from "./parts.js";
import { DASH, cents, countdown, dollars, exact, grouped, inOneWord, percent, quantity, sentence, signedDollars, toneOf, unknown, utc } from "./text.js";
import { nameOf, nearestRows, outcomeOf } from "./markets.js";
import { open, showActs } from "./acts.js";

const SHOWN = 12; // of what happened

const ended = (trade) => trade.state === "closed" || trade.state === "void";

// --- the first screen ---


function showCause(status) {
  const [first, ...more] = status.reasons;
  put($("cause"), status.ready ? "It could trade now." : sentence(inOneWord(first ?? "starting")));
  dress($("cause"), status.ready ? "cause good" : "cause warn");
  put($("more-causes"), more.length ? `and ${more.length} more: see Health` : "");
  hide($("more-causes"), more.length === 0);
}

function showFigures({ pnl, positions }) {
  put($("net"), signedDollars(pnl.realised_today), exact(pnl.realised_today));
  dress($("net"), "figure " + toneOf(pnl.realised_today));
  put($("net-detail"), unknown(pnl.wins) ? DASH : `${pnl.wins} won, ${pnl.losses} lost, fees ${dollars(pnl.fees_today)}`);
  put($("worth"), unknown(positions) ? DASH : positions.count ? dollars(positions.value) : "nothing held", "each at its best bid, before the fee of selling");
  put($("worst"), !positions?.count ? "" : `at worst ${signedDollars(positions.worst)} in all`);
  put($("balance"), dollars(pnl.balance), exact(pnl.balance));
}

function buildPosition() {
  const card = make("li", "position");
  card.append(make("a", "strong"), make("span", "figure"), make("span", "detail"), make("span", "detail closes"), make("span", "guard"), make("button", "small", "Close"));
  card.lastChild.type = "button";
  return card;
}

const isGone = (trade) => trade.state === "settling";

function showPosition(card, trade, status) {
  const [what, pnl, cost, closes, guard, button] = card.children, isBuying = trade.state === "opening";
  button.onclick = () => open("close", { id: trade.id });
  const name = `Close trade ${trade.id}: ${quantity(trade.quantity)} ${nameOf(trade, status)}`;
  if (button.ariaLabel !== name) button.ariaLabel = button.title = name;
  hide(button, isGone(trade) || isBuying);
  put(what, isBuying ? nameOf(trade, status) : `${quantity(trade.quantity)} ${nameOf(trade, status)}`, `trade ${trade.id}, ${trade.ticker}`);
  what.href = "#markets/" + trade.ticker;
  put(pnl, isBuying ? "buying" : signedDollars(trade.pnl), exact(trade.pnl));
  dress(pnl, "figure " + toneOf(trade.pnl));
  put(cost, isBuying ? "nothing bought yet" : `paid ${cents(trade.average_price)}, bid ${cents(trade.mark)}, model ${percent(trade.probability)}, at worst ${signedDollars(trade.worst)}`);
  grow(closes, trade.seconds_to_close, { speed: -status.clock_speed, text: (left) => (left > 0 ? "closes in " : "") + countdown(left) });
  const said = isGone(trade) ? "closed, waits for its settlement" : trade.state === "closing" ? "being sold" : trade.guarded ? "\u2713 guarded" : `\u26a0 NOT guarded: ${trade.unguarded_why}`;
  put(guard, said);
  dress(guard, trade.guarded ? "guard" : "guard bad");
  hide(guard, isBuying); // there is nothing to guard
}

function showPositions(status) {
  const held = status.trades.filter((trade) => !ended(trade));
  sync($("positions"), held, (trade) => trade.id, buildPosition, (card, trade) => showPosition(card, trade, status));
  hide($("no-positions"), held.length > 0);
  const bare = status.positions?.unguarded ?? 0;
  put($("unguarded"), bare ? `\u26a0 ${bare} of ${held.length} not guarded` : "");
}

// --- markets at a glance, what happened, and why nothing is bought ---

function buildGlance() {
  const line = make("li");
  line.append(make("a", "strong"), make("span"), make("span", "soft"), make("span", "note"));
  return line;
}

function showGlance(status) {
  const price = (name) => status.prices.find((each) => each.symbol === name)?.price;
  sync($("glance"), nearestRows(status), (row) => row.event, buildGlance, (line, row) => {
    const [what, quote, left, note] = line.children;
    what.href = "#markets/" + row.ticker;
    put(what, outcomeOf(row.ticker, "yes", status).replace("YES ", ""), row.ticker);
    put(quote, `${grouped(price(row.symbol))} now \u00b7 YES ${cents(row.yes_bid)} / ${cents(row.yes_ask)} \u00b7 model ${percent(row.probability)}`);
    grow(left, row.seconds_to_close, { speed: -status.clock_speed, text: (seconds) => (seconds > 0 ? "closes in " : "") + countdown(seconds) });
    put(note, unknown(row.note) ? "" : inOneWord(row.note));
  });
}

const reasonOf = (trade) => trade.note.split("; ")[0];

const refusalOf = (trade, status) => (trade.state === "void" ? status.orders.find((order) => order.state === "rejected" && order.client_order_id.includes(`-${trade.id}-entry-`)) : undefined);
const whyRefused = (order) => order.note.replace(/^rejected: /, "");

function happened(status) {
  const told = [], toldOf = new Set();
  for (const trade of status.trades) {
    const name = nameOf(trade, status), many = quantity(trade.quantity);
    const refusal = refusalOf(trade, status);
    toldOf.add(refusal);
    if (trade.state === "void") told.push({ at: trade.closed_at, key: trade.id + "v", trade: trade.id, text: `Tried to buy ${name}; ${refusal ? `the venue refused it: ${whyRefused(refusal)}` : "nothing was to be had"}`, tone: refusal ? "bad" : "" });
    else if (trade.state !== "opening") told.push({ at: trade.opened_at, key: trade.id + "b", trade: trade.id, text: `Bought ${many} ${name} at ${cents(trade.average_price)}`, tone: "" });
    if (trade.state === "closed") told.push({ at: trade.closed_at, key: trade.id + "c", trade: trade.id, text: `${reasonOf(trade) === "ended by settlement" ? "Settled" : "Sold"} ${name}: ${signedDollars(trade.pnl)} after fees`, tone: toneOf(trade.pnl) });
  }
  for (const order of status.orders) {
    if (order.state === "unknown") told.push({ at: order.created_at, key: order.client_order_id, text: `Order ${order.client_order_id}: nobody knows yet what became of it`, tone: "bad" });
    else if (order.state === "rejected" && !toldOf.has(order)) told.push({ at: order.created_at, key: order.client_order_id, text: `The venue refused to ${order.purpose === "exit" ? "sell" : "buy"} ${order.ticker}: ${whyRefused(order)}`, tone: "bad" });
  }
  return told.sort((a, b) => String(b.at).localeCompare(String(a.at))).slice(0, SHOWN);
}

function showActivity(status) {
  const told = happened(status), build = () => { const line = make("li"); line.append(make("time", "soft"), make("a")); return line; };
  sync($("activity"), told, (each) => each.key, build, (line, each) => {
    put(line.children[0], utc(each.at), each.at);
    put(line.children[1], each.text);
    if (each.trade !== undefined) line.children[1].href = `#history/real/${each.trade}`;
    dress(line.children[1], each.tone);
  });
  hide($("no-activity"), told.length > 0);
}

// Looks in which no event was open are told only while none is: of a market that is open now they say nothing.
function refused(rows) {
  const now = rows.filter((row) => row.event !== ""), shown = now.length ? now : rows;
  return shown.map((row) => ({ ...row, share: share(row, shown) }));
}

const GATES = { "unknown order": "order not proven yet", "re-entry": "bought here before", "market status": "market not open" };
function share(row, all) {
  const whole = all.filter((other) => other.event === row.event && other.by === row.by).reduce((sum, other) => sum + other.seconds, 0);
  return whole ? `${((100 * row.seconds) / whole).toFixed(0)} %` : DASH;
}
const rejections = tableOf("why", [
  text("Event", "id wide", (row) => row.event || DASH),
  { ...text("First closed gate, share of time", "id wide", (row) => `${GATES[row.gate] ?? row.gate} \u00b7 ${row.share}`), label: "" },
  { ...text("In its last words", "note", (row) => inOneWord(row.sentence)), label: "" },
], (row) => row.event + row.gate + row.by, "nothing was refused yet");

export function showNow(status) {
  showCause(status);
  showFigures(status);
  showPositions(status);
  showGlance(status);
  showActivity(status);
  rejections(refused(status.rejections), status);
  showActs(status);
}
