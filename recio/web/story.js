// One trade's whole story, below History: asked for by its address, #history/KIND/NUMBER, and never pushed.
"use strict";

import { $, hide, make, put, sync, tableOf, text } from "./parts.js";
import { openMarket } from "./charts.js";
import { DASH, age, cents, coin, dollars, grouped, percent, plusMinus, quantity, rounded, signedCents, signedDollars, unknown, utc, word } from "./text.js";

const exact = (time) => (unknown(time) ? DASH : time.slice(0, 23).replace("T", " ").replace(/Z$/, ""));
const hour = (time) => exact(time).slice(11) || DASH;
const inASecond = (value) => `${(Number(value) * 1e4).toFixed(2)} bp in a second`;
const signed = (value, digits) => { const { magnitude, sign } = rounded(value, digits); return plusMinus(sign) + magnitude; };
const after = (from, to) => (unknown(from) || unknown(to) ? "" : `${((new Date(to) - new Date(from)) / 1000).toFixed(2)} s`);

const orders = tableOf("story-orders", [
  text("Order", "id wide", (row) => `${row.purpose} ${row.client_order_id}`, (row) => row.venue_order_id ?? "no id of the venue"),
  text("State", "strong word", (row) => (row.state === "unknown" ? "? UNKNOWN" : word(row.state))),
  text("Filled / of", "num", (row) => `${quantity(row.filled)} / ${quantity(row.quantity)}`),
  text("Limit", "num", (row) => cents(row.limit)),
  text("Written", "num", (row) => hour(row.written_at), (row) => row.written_at),
  text("Answered after", "num", (row) => after(row.written_at, row.answered_at) || DASH, (row) => row.answered_at ?? "not answered"),
  text("Fees", "num", (row) => dollars(row.fees)),
  { ...text("Why, and what was said", "note", (row) => [row.why, row.note].filter(Boolean).join("; ")), label: "" },
], (row) => row.client_order_id, "no orders: it was on paper");

const fills = tableOf("story-fills", [
  text("Fill", "id wide", (row) => row.fill_id),
  text("Of", "word", (row) => row.purpose),
  text("At", "num", (row) => hour(row.at), (row) => row.at),
  text("Contracts", "num", (row) => quantity(row.quantity)),
  text("Price", "num", (row) => cents(row.price)),
  text("Fee", "num", (row) => dollars(row.fee), (row) => `$${row.fee}`),
  text("", "note", (row) => (row.is_taker ? "taken" : "made")),
], (row) => row.fill_id, "no fills");

// What a purchase was decided by: its name in words, and its figure with its unit. What is not here is told as it was kept.
const SEEN = {
  probability: ["Model: probability of the side bought", (value) => percent(Number(value))],
  ask: ["Asked for one contract", cents], ask_quantity: ["Contracts on offer at that", quantity], limit: ["Most to pay for one", cents],
  edge: ["Edge of one, after its fee", signedCents], price: ["Price of the coin", (value) => "$" + coin(value)], price_source: ["Price from", word],
  price_at: ["Price heard at", (value) => `${utc(value)} UTC`], strike: ["Strike", (value) => "$" + grouped(value)], model: ["Model", word],
  momentum: ["Momentum", (value) => `${signed(value, 1)} bp`], seconds_to_close: ["To the close", (value) => age(Number(value))],
  volatility: ["Volatility, measured", inASecond], volatility_to_come: ["Volatility, expected until the close", inASecond],
  price_error_bp: ["Price may be off by", (value) => `${Number(value).toFixed(1)} bp`], mean_expected: ["Settlement average expected", (value) => "$" + coin(value)],
  mean_unknown_dollars: ["Of its prints so far not known", dollars], mean_variance_seconds: ["Seconds of movement still in it", (value) => Number(value).toFixed(0)],
};

const ORDER = Object.keys(SEEN), placeOf = (name) => (ORDER.includes(name) ? ORDER.indexOf(name) : ORDER.length);

const seen = tableOf("story-seen", [
  text("What", "id", ([name]) => SEEN[name]?.[0] ?? word(name)),
  text("Value", "num", ([name, value]) => (SEEN[name] && value !== "unknown" ? SEEN[name][1](value) : value), ([name, value]) => `${name} ${value}`),
], ([name]) => name, "nothing was kept");

const steps = tableOf("story-steps", [
  text("What", "id wide", (row) => `${hour(row.at)} ${row.what}`, (row) => row.at),
  { ...text("Order", "note", (row) => row.client_order_id ?? ""), label: "" },
  { ...text("", "note", (row) => (["order pending", "fill"].includes(row.what) ? "" : Object.entries(row.detail).map(([name, value]) => `${word(name)} ${value}`).join("; "))), label: "" },
], (row) => `${row.at} ${row.what} ${row.detail.fill_id ?? row.client_order_id}`, "nothing was logged");

const SIDE = (told) => told.side.toUpperCase();

// Sentences, oldest first: what somebody would tell who is asked what happened.
function tale(told) {
  const lines = [`${exact(told.decided_at)}: ${told.strategy} decided to buy ${SIDE(told)}, because ${told.why_bought || "of a reason that was not kept"}.`];
  lines.push(Number(told.bought) ? `Bought ${quantity(told.bought)} contracts for ${dollars(told.paid)}.` : "Bought nothing.");
  if (Number(told.sold)) lines.push(`Sold ${quantity(told.sold)} of them for ${dollars(told.received)}${told.why_sold.length ? `, because ${told.why_sold.at(-1)}` : ""}.`);
  if (told.result) lines.push(`The market settled ${word(told.result).toUpperCase()} at ${exact(told.settled_at)}, by ${told.settled_by}.`);
  if (unknown(told.ended_by)) lines.push(`It is ${told.state}; the market closes at ${exact(told.closes_at)}.`);
  else if (told.ended_by === "no fill") lines.push("It ended without a fill.");
  else lines.push(`Ended by ${told.ended_by} at ${exact(told.ended_at)}: ${signedDollars(told.net_pnl)} after ${dollars(told.fees)} of fees${Number(told.payout) ? `, paid out ${dollars(told.payout)}` : ""}.`);
  if (told.replay) lines.push(`To see it again: ${told.replay.command} (${told.replay.seconds_into} s into the file).`);
  else lines.push("No recording of that moment is kept.");
  if (told.is_cut) lines.push("There are more rows than are shown: recio audit --trade has them all.");
  return lines;
}

function show(told) {
  put($("story-title"), `Trade ${told.number}${told.kind === "shadow" ? " on paper" : ""}: ${SIDE(told)} of ${told.ticker}`);
  put($("story-rules"), told.rules ?? "");
  sync($("story-tale"), tale(told).map((line, index) => ({ line, index })), (each) => each.index, () => make("li"), (item, each) => put(item, each.line));
  seen(Object.entries(told.seen).sort(([one], [other]) => placeOf(one) - placeOf(other)), null);
  orders(told.orders, null);
  fills(told.orders.flatMap((order) => order.fills.map((fill) => ({ ...fill, purpose: order.purpose }))), null);
  steps(told.steps, null);
}

// Which of the two parts of History is looked at: the list, or the story of [kind, number].
export async function showStory(which, asked) {
  hide($("history-list"), which.length > 1);
  hide($("story"), true);
  if (which.length !== 2 || which[0] === "imported") { put($("story-said"), ""); return; }
  const found = await asked(`api/v1/trades/${which.map(encodeURIComponent).join("/")}`, $("story-said"));
  if (!found || location.hash !== `#history/${which.join("/")}`) return;
  show(found);
  hide($("story"), false);
  openMarket($("story-charts"), found.ticker);
  $("story-title").focus({ preventScroll: true });
}
