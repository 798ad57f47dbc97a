// The History, Performance and Log views: asked for when they are looked at, never pushed.
"use strict";

import { $, dress, hide, make, put, sync, tableOf, text, toned } from "./parts.js";
import { openPerformance } from "./charts.js";
import { showStory, storyOf } from "./story.js";
import { DASH, cents, dollars, quantity, signedDollars, unknown, utc } from "./text.js";

const LOG_EVERY = 2000;

async function asked(path, said) {
  try {
    const answer = await fetch(path), body = await answer.json();
    put(said, answer.ok ? "" : body.error);
    return answer.ok ? body : null;
  } catch (problem) {
    put(said, `No answer: ${problem.message}`);
    return null;
  }
}

// --- history ---

let offset = 0;

// What the old system traded has no more to it than its row.
function showTicker(link, row) {
  put(link, row.ticker, `${row.kind} ${row.number}`);
  if (row.kind === "imported") link.removeAttribute("href");
  else link.href = storyOf(row);
}

const history = tableOf("history", [
  { head: "Trade", kind: "id wide", build: () => make("a"), show: showTicker },
  text("Side", "word", (row) => row.side.toUpperCase()),
  text("Quantity", "num", (row) => quantity(row.quantity)),
  text("Paid", "num", (row) => cents(row.entry_price)),
  toned("Net", "num strong", (row) => row.net_pnl, (sum) => (unknown(sum) ? "held" : signedDollars(sum))),
  text("Fees", "num minor", (row) => dollars(row.fees)),
  text("Ended", "num", (row) => (unknown(row.closed_at) ? DASH : utc(row.closed_at, 0)), (row) => row.closed_at ?? "held"),
  text("By", "word", (row) => row.exit_reason || row.ended_by || "held"),
  { ...text("Strategy and why", "note", (row) => [row.strategy, row.why].filter(Boolean).join(": ")), label: "" },
], (row) => row.kind + row.number, "no trades");

async function showHistory() {
  const query = new URLSearchParams({ kind: $("history-kind").value, offset });
  for (const name of ["ticker", "since"]) if ($("history-" + name).value.trim()) query.set(name, $("history-" + name).value.trim());
  const every = new URLSearchParams(query);
  every.delete("offset");
  $("history-csv").href = "trades.csv?" + every;
  const found = await asked("api/v1/trades?" + query, $("history-said"));
  if (!found) return;
  history(found.trades, null);
  $("newer").disabled = offset === 0;
  $("older").disabled = !found.more;
}

function turn(by) { offset = Math.max(0, offset + by); showHistory(); }

$("older").addEventListener("click", () => turn(50));
$("newer").addEventListener("click", () => turn(-50));
$("history-form").addEventListener("input", () => { offset = 0; showHistory(); });
$("history-form").addEventListener("submit", (event) => event.preventDefault());

// --- performance ---

const parityTable = tableOf("parity", [
  text("Day (UTC)", "id", (row) => row.day),
  text("Strategy", "id", (row) => row.strategy),
  text("Compared", "num", (row) => `${row.compared} of ${row.trades}`),
  text("Decided otherwise", "num", (row) => (row.decided_otherwise ? String(row.decided_otherwise) : "")),
  text("Prices", "num", (row) => signedDollars(row.price_difference)),
  text("Fees", "num", (row) => signedDollars(row.fee_difference)),
  toned("Live less paper", "num strong", (row) => row.pnl_difference, signedDollars),
  text("Four weeks", "note", (row) => `${signedDollars(row.span_difference)} in ${row.span_closes} closes, ${unknown(row.span_low) ? "too few to know" : `${signedDollars(row.span_low)} to ${signedDollars(row.span_high)}`}`),
  text("", "note", (row) => (row.parted ? "parted beyond chance" : "")),
], (row) => row.day + row.strategy, "no night has compared yet", (row) => (row.parted || row.decided_otherwise ? "unknown" : ""));

async function showParity() {
  const found = await asked("api/v1/parity", $("parity-said"));
  if (!found) return;
  const newest = new Map(found.days.map((row) => [row.strategy, row]).reverse()), parted = [...newest.values()].filter((row) => row.parted);
  put($("parity-said"), parted.length ? `\u26a0 ${parted.map((row) => row.strategy).join(", ")}: paper says nothing of live` : "");
  dress($("parity-said"), parted.length ? "beside bad" : "beside");
  parityTable(found.days, null);
}

function showPerformance(chosen) {
  showParity();
  openPerformance(chosen);
}

// --- log ---

async function showLog() {
  const found = await asked("api/v1/log", $("log-said")), wanted = $("log-filter").value.toLowerCase(), box = $("log");
  if (!found) return;
  const atEnd = box.scrollTop + box.clientHeight >= box.scrollHeight - 8;
  const lines = found.lines.filter(({ line, level }) => (line + level).toLowerCase().includes(wanted));
  sync(box, lines.map((each, index) => ({ ...each, index })), (each) => each.index, () => make("li"), (item, each) => {
    put(item, each.line);
    dress(item, each.level === "warning" || each.level === "error" || each.level === "critical" ? "bad" : "");
  });
  hide($("no-log"), lines.length > 0);
  if (atEnd) box.scrollTop = box.scrollHeight;
}

$("log-filter").addEventListener("input", showLog);

// --- which of them is looked at ---

let timer = null;
const VIEWS = { history: showHistory, performance: showPerformance, log: showLog };

// `more`: the parts of the address behind the view's name.
export function looked(view, more) {
  clearInterval(timer);
  if (view === "history") showStory(more, asked);
  if (view !== "history" || !more.length) VIEWS[view]?.(more);
  if (view === "log") timer = setInterval(showLog, LOG_EVERY);
}
