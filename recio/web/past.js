// The History, Performance and Log views: asked for when they are looked at, never pushed.
"use strict";

import { $, dress, hide, make, put, sync, tableOf, text, toned } from "./parts.js";
import { showImported } from "./imported.js";
import { showList } from "./lists.js";
import { showStory } from "./story.js";
import { dollars, signedDollars, unknown } from "./text.js";

const LOG_EVERY = 2000;
const SVG = "http://www.w3.org/2000/svg";

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

// --- performance ---

function drawn(tag, attributes) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}

// Running sums from zero, and the deepest fall below the highest one before.
function equityOf(days) {
  let sum = 0, highest = 0, fall = 0;
  const points = [0];
  for (const day of days) {
    sum += Number(day.net_pnl);
    highest = Math.max(highest, sum);
    fall = Math.max(fall, highest - sum);
    points.push(sum);
  }
  return { points, fall };
}

const WIDTH = 720, EQUITY = 170, BARS = 90, GAP = 26;

function chart(days, points) {
  const top = Math.max(...points), low = Math.min(...points), span = top - low || 1, step = WIDTH / days.length;
  const y = (value) => 8 + ((top - value) / span) * (EQUITY - 16);
  const svg = drawn("svg", { viewBox: `0 0 ${WIDTH} ${EQUITY + GAP + BARS}`, role: "img", "aria-label": `net profit after fees over ${days.length} days, from ${days[0].day}: now ${signedDollars(points.at(-1))}` });
  svg.append(drawn("line", { x1: 0, x2: WIDTH, y1: y(0), y2: y(0), class: "axis" }));
  svg.append(drawn("polyline", { points: points.map((value, index) => `${(index * step).toFixed(1)},${y(value).toFixed(1)}`).join(" "), class: "equity" }));
  const most = Math.max(...days.map((day) => Math.abs(Number(day.net_pnl)))) || 1, middle = EQUITY + GAP + BARS / 2;
  svg.append(drawn("line", { x1: 0, x2: WIDTH, y1: middle, y2: middle, class: "axis" }));
  days.forEach((day, index) => {
    const net = Number(day.net_pnl), height = (Math.abs(net) / most) * (BARS / 2 - 2);
    const bar = drawn("rect", { x: index * step + step * 0.1, width: Math.min(40, step * 0.8), y: net > 0 ? middle - height : middle, height, class: net < 0 ? "loss" : "gain" });
    const title = drawn("title", {});
    title.textContent = `${day.day}: ${signedDollars(day.net_pnl)}, ${day.wins} won, ${day.losses} lost`;
    bar.append(title);
    svg.append(bar);
  });
  return svg;
}

const daysTable = tableOf("days", [
  text("Day (UTC)", "id", (row) => row.day),
  toned("Net", "num strong", (row) => row.net_pnl, signedDollars),
  text("Fees", "num", (row) => dollars(row.fees)),
  text("Won", "num", (row) => String(row.wins)),
  text("Lost", "num", (row) => String(row.losses)),
], (row) => row.day, "no day with a trade yet");

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

async function showPerformance() {
  showParity();
  const found = await asked("api/v1/days", $("performance-said"));
  if (!found) return;
  const { points, fall } = equityOf(found.days), trades = found.days.reduce((sum, day) => sum + day.wins + day.losses, 0);
  $("equity").replaceChildren(...(found.days.length ? [chart(found.days, points)] : []));
  put($("performance-sum"), `${signedDollars(points.at(-1))} after fees in ${found.days.length} days, ${trades} trades won or lost; deepest fall ${dollars(fall)}`);
  daysTable([...found.days].reverse(), null);
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
const VIEWS = { performance: showPerformance, log: showLog };

// `more`: the parts of the address behind the view's name.
export function looked(view, more) {
  clearInterval(timer);
  if (view === "history") { showStory(more, asked); showImported(more, asked); }
  if (view === "history" && more.length < 2) showList(more[0] ?? "", asked);
  VIEWS[view]?.();
  if (view === "log") timer = setInterval(showLog, LOG_EVERY);
}
