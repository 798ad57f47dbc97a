// The History, Performance and Log views: asked for when they are looked at, never pushed.
"use strict";

import { $, dress, fetched, hide, make, put, sync, tableOf, text, toned } from "./parts.js";
import { openPerformance } from "./charts.js";
import { UNREACHED, signedDollars, unknown } from "./text.js";

const LOG_EVERY = 2000;

async function asked(path, said) {
  try {
    const answer = await fetch(path), body = await answer.json();
    put(said, answer.ok ? "" : body.error);
    return answer.ok ? body : null;
  } catch {
    put(said, UNREACHED);
    return null;
  }
}

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
  const found = await asked("api/v1/log", $("log-said")), wanted = $("log-filter").value.toLowerCase(), box = $("log-lines");
  if (!found) return;
  const atEnd = box.scrollTop + box.clientHeight >= box.scrollHeight - 8;
  const lines = found.lines.filter(({ line, level }) => (line + level).toLowerCase().includes(wanted));
  const told = {}; // a line stays its own element while others come and go, so that what is being read stays where it is
  for (const each of lines) each.key = each.line + (told[each.line] = (told[each.line] ?? 0) + 1);
  sync(box, lines, (each) => each.key, () => make("li"), (item, each) => {
    put(item, each.line);
    dress(item, each.level === "warning" || each.level === "error" || each.level === "critical" ? "bad" : "");
  });
  hide($("no-log"), lines.length > 0);
  if (atEnd) box.scrollTop = box.scrollHeight;
}

$("log-filter").addEventListener("input", showLog);

// --- history ---

async function showHistory(more) {
  const [lists, old, story] = await Promise.all(["lists.js", "imported.js", "story.js"].map(fetched)).catch(() => []);
  if (!lists) { put($("history-said"), UNREACHED); return; }
  put($("history-said"), "");
  story.showStory(more, asked);
  old.showImported(more, asked);
  if (more.length < 2) lists.showList(more[0] ?? "", asked);
}

// --- which of them is looked at ---

let timer = null;
const VIEWS = { history: showHistory, performance: showPerformance, log: showLog };

// `more`: the parts of the address behind the view's name.
export function looked(view, more) {
  clearInterval(timer);
  VIEWS[view]?.(more);
  if (view === "log") timer = setInterval(showLog, LOG_EVERY);
}
