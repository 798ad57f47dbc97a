// The story of a trade of the system before recio, below History: what was rebuilt beside what the old ledger said.
"use strict";

import { $, hide, make, put, sync, tableOf, text } from "./parts.js";
import { drawRows, figure } from "./lists.js";
import { dollars, quantity, signedDollars, unknown, utc } from "./text.js";

const FROM = { fills: "its fills", orders: "its orders", settlement: "its settlement alone", ledger: "the old ledger alone: the records of the venue say nothing" };

const compared = tableOf("old-compared", [
  text("Figure", "id wide", (row) => row.title),
  text("Old ledger", "num", (row) => figure(row.of, row.theirs), (row) => row.theirs ?? "not said"),
  text("Rebuilt", "num", (row) => figure(row.of, row.ours), (row) => row.ours ?? "not known"),
  text("", "word strong", (row) => (row.disagrees ? "\u26a0 disagrees" : "")),
], (row) => row.name, "nothing to compare", (row) => (row.disagrees ? "unknown" : ""));

const own = tableOf("old-own-fills", [
  text("When (UTC)", "id", (row) => utc(row.at, 0)),
  text("", "word", (row) => (row.is_exit ? "sold" : "bought")),
  text("Contracts", "num", (row) => quantity(row.quantity)),
  text("At", "num", (row) => figure("price", row.price)),
  text("Fee", "num", (row) => figure("dollars", row.fee), (row) => row.fee ?? "not known"),
  text("Fill", "word", (row) => row.fill_id),
], (row) => row.fill_id, "none: it was rebuilt without fills", () => "");

const when = (time) => (unknown(time) ? "at a time that is not known" : `${utc(time, 0)} UTC`);
const sum = (value) => (unknown(value) ? "an unknown sum" : dollars(value));

// Sentences, oldest first.
function tale(told) {
  const lines = [`${when(told.opened_at)}: bought ${quantity(told.quantity)} contracts of ${told.side.toUpperCase()} for ${sum(told.entry_cost)}.`];
  if (Number(told.exit_proceeds)) lines.push(`Sold for ${dollars(told.exit_proceeds)}.`);
  if (Number(told.payout)) lines.push(`Paid out ${dollars(told.payout)} at the settlement.`);
  lines.push(`${unknown(told.closed_at) ? "Its end is not known" : `Ended ${when(told.closed_at)}`}: ${unknown(told.net_pnl) ? "what it came to cannot be known" : `${signedDollars(told.net_pnl)} after ${dollars(told.fees)} of fees`}.`);
  lines.push(`Rebuilt from ${FROM[told.source]}.`);
  const differ = told.compared.filter((each) => each.disagrees).map((each) => each.title.toLowerCase());
  lines.push(unknown(told.old_row) ? "The old ledger has no row of it." : `The old ledger (${told.old_row}) ${differ.length ? `says otherwise about ${differ.join(", ")}` : "agrees"}${told.has_fees ? "" : "; its figures are without fees"}.`);
  const words = [["strategy", told.strategy], ["bought by", told.entry_method], ["ended by", told.close_method]].filter(([, value]) => !unknown(value));
  if (words.length) lines.push(`In the old words: ${words.map((each) => each.join(" ")).join(", ")}.`);
  if (told.is_test) lines.push("The old system marked it as a test.");
  if (told.doubtful) lines.push("Its hour is in doubt: autumn has it twice, and the old row names no offset.");
  if (told.fills_tie !== null) lines.push(`Its own fills ${told.fills_tie ? "come to these figures exactly" : "do not come to these figures: orders, the settlement or the old ledger tell the rest"}.`);
  if (told.trades_of_market > 1) lines.push(`This market had ${told.trades_of_market} trades: orders, fills and settlements of the market below are those while this one lasted, and some may be another's.`);
  if (told.is_cut) lines.push("There are more rows than are shown: recio history has them all.");
  return lines;
}

function show(told) {
  put($("old-title"), `Imported trade ${told.number} of ${told.ticker}: ${told.side.toUpperCase()}`);
  sync($("old-tale"), tale(told).map((line, index) => ({ line, index })), (each) => each.index, () => make("li"), (item, each) => put(item, each.line));
  compared(told.compared, null);
  own(told.own_fills, null);
  for (const name of ["orders", "fills", "settlements"]) {
    drawRows($(`old-${name}`), told[name].columns, told[name].rows, "imported");
    hide($(`no-old-${name}`), told[name].rows.length > 0);
  }
}

export async function showImported(which, asked) {
  hide($("old-story"), true);
  if (which[0] !== "imported") { put($("old-said"), ""); return; }
  const found = await asked(`api/v1/trades/${which.join("/")}`, $("old-said"));
  if (!found || location.hash !== `#history/${which.join("/")}`) return;
  show(found);
  hide($("old-story"), false);
  $("old-title").focus({ preventScroll: true });
}
