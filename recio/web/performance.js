// The Performance view: equity and drawdown, what trades came to by day, strategy, hour and price, and calibration.
"use strict";

import { $, dress, hide, put, stamp, sync, text, tile, toned } from "./parts.js";
import { apart, around } from "./chart_scale.js";
import { axes, between, drawn, lines, none, number, panel, picture, shortened, show, wideAs, written } from "./chart_parts.js";
import { MINUS, UNREACHED, dollars, percent, signedDollars, toneOf, unknown, utc } from "./text.js";

const DAY = 86_400;
const second = (time) => new Date(time).getTime() / 1000;
const inDollars = (value, step) => (value < 0 ? MINUS + "$" : "$") + number(Math.abs(value), step >= 1 ? 1 : Math.min(step, 0.01));

// --- pure: what is to be drawn ---

// [mean, low, high] of a trade times the trades of a group: what it may come to again.
export const spread = (row) => (unknown(row.mean_low) ? null : [Number(row.mean_low) * row.trades, Number(row.mean_high) * row.trades]);

export const tone = (low, high) => (low > 0 ? "gain" : high < 0 ? "loss" : "unsure");

export const intervalText = (row) => (unknown(row.mean_low) ? "too few closes" : `${signedDollars(row.mean_low)} to ${signedDollars(row.mean_high)}`);

const dayOf = (row) => second(`${row.group}T00:00:00Z`);
const dated = (days) => days.filter((row) => !isNaN(dayOf(row)));

export function spanOf(found) {
  const days = dated(found.by_day);
  const ends = [...days.flatMap((row) => [dayOf(row), dayOf(row) + DAY]), ...found.equity.map((row) => second(row.at))];
  return ends.length ? [Math.min(...ends), Math.max(...ends)] : [0, DAY];
}

// Between two ends of trades nothing rose or fell.
export const stepped = (points) => points.flatMap((point, index) => (index ? [[point[0], points[index - 1][1]], point] : [point]));

// --- drawings ---

// Three fields over one time: the running net, how far it lies below its highest, and each day's net with its interval.
export function equityChart(found, width) {
  const parts = width < 480 ? [190, 110, 160] : [220, 120, 170], x = spanOf(found), svg = picture(width, parts[0] + parts[1] + parts[2], equitySummary(found));
  const nets = found.equity.map((row) => [second(row.at), Number(row.net_pnl)]), drawdowns = found.equity.map((row) => [second(row.at), -Number(row.drawdown)]), days = dated(found.by_day);
  const left = 14 + Math.max(...[...nets.map(([, net]) => net), 10].map((each) => wideAs(inDollars(each, Math.abs(each) > 40 ? 1 : 0.001))));
  const net = axes(svg, { width, height: parts[0], x, y: around([0, ...nets.map(([, each]) => each)]), unit: "net after fees, dollars", says: inDollars, left });
  lines(net, [stepped([[x[0], 0], ...nets])], "price");
  const deepest = Math.min(-0.01, ...drawdowns.map(([, each]) => each));
  const under = axes(svg, { width, top: parts[0], height: parts[1], x, y: [deepest * 1.1, 0], unit: "drawdown, dollars", says: inDollars, left });
  const fallen = stepped([[x[0], 0], ...drawdowns]);
  between(under, fallen.map(([at]) => [at, 0]), fallen, "drawdown");
  const spreads = days.map(spread), bars = axes(svg, { width, top: parts[0] + parts[1], height: parts[2], x, y: around([0, ...days.map((row) => Number(row.net_pnl)), ...spreads.flatMap((each) => each ?? [])]), unit: "net of each day, dollars", says: inDollars, left });
  days.forEach((row, index) => dayBar(bars, row, spreads[index]));
  return net;
}

function dayBar(field, row, reach) {
  const from = field.px(dayOf(row)), wide = field.px(dayOf(row) + DAY) - from, net = Number(row.net_pnl), bar = Math.max(1, Math.min(28, wide * 0.7)), middle = from + wide / 2;
  const rect = drawn("rect", { x: middle - bar / 2, width: bar, y: Math.min(field.py(net), field.py(0)), height: Math.max(1, Math.abs(field.py(net) - field.py(0))), class: net < 0 ? "loss" : "gain" });
  rect.append(drawn("title", {}, `${row.group}: ${signedDollars(row.net_pnl)}, ${row.trades} trades; a trade ${intervalText(row)}`));
  field.svg.append(rect);
  if (reach && wide > 5) field.svg.append(drawn("path", { d: `M${middle.toFixed(1)} ${field.py(reach[0]).toFixed(1)}V${field.py(reach[1]).toFixed(1)}`, class: "whisker" }));
}

// One row for each group: the mean of a trade as a dot, its interval as a line, and how many trades and closes stand behind it.
export function groupChart(rows, width, label) {
  const known = rows.filter((row) => !unknown(row.mean)), high = known.length * (known.length > 12 ? 22 : 28) + 52, svg = picture(width, high, label);
  const says = known.map((row) => shortened(row.group, width * 0.4)), counts = known.map((row) => `n ${number(row.trades)}`), left = 12 + Math.max(60, ...says.map(wideAs)), right = 12 + Math.max(44, ...counts.map(wideAs));
  const inner = Math.max(80, width - right), y = [known.length, 0];
  const field = axes(svg, { width: inner, height: high, x: around([0, ...known.flatMap((row) => [row.mean, row.mean_low ?? row.mean, row.mean_high ?? row.mean].map(Number))]), y, at: known.map((_, index) => index + 0.5), says: (at) => says[Math.floor(at)], unit: "net of a trade, dollars", times: false, acrossSays: inDollars, left });
  const zero = field.px(0);
  svg.append(drawn("line", { x1: zero, x2: zero, y1: field.box.top, y2: field.box.bottom, class: "zero" }));
  known.forEach((row, index) => groupRow(field, row, index + 0.5, counts[index], width));
  return field;
}

function groupRow(field, row, place, count, width) {
  const y = field.py(place), has = !unknown(row.mean_low), name = has ? tone(Number(row.mean_low), Number(row.mean_high)) : "unsure";
  if (has) field.svg.append(drawn("line", { x1: field.px(Number(row.mean_low)), x2: field.px(Number(row.mean_high)), y1: y, y2: y, class: `interval ${name}` }));
  const dot = drawn("circle", { cx: field.px(Number(row.mean)), cy: y, r: 4.5, class: `dot ${name}${has ? "" : " few"}` });
  dot.append(drawn("title", {}, `${row.group}: ${signedDollars(row.mean)} a trade, ${intervalText(row)}; ${row.trades} trades in ${row.closes} closes, net ${signedDollars(row.net_pnl)}`));
  field.svg.append(dot, written(width - 2, y + 4, count, "tick", "end"));
}

export function calibrationChart(found, width) {
  const wide = Math.min(width, 460), high = Math.round(wide * 0.8), svg = picture(wide, high, calibrationSummary(found));
  const field = axes(svg, { width: wide, height: high, x: [0, 100], y: [0, 100], at: [0, 25, 50, 75, 100], says: (each) => `${each}%`, unit: "% ended so, over % the model said", times: false, acrossAt: [0, 25, 50, 75, 100], acrossSays: (each) => `${each}%` });
  lines(field, [[[0, 0], [100, 100]]], "even");
  const places = found.calibration.map((row) => field.px(row.said * 100)), fits = apart(places, 28);
  found.calibration.forEach((row, index) => {
    const x = field.px(row.said * 100), outside = !unknown(row.low) && (row.said < row.low || row.said > row.high);
    if (!unknown(row.low)) svg.append(drawn("line", { x1: x, x2: x, y1: field.py(row.low * 100), y2: field.py(row.high * 100), class: `interval ${outside ? "loss" : "unsure"}` }));
    const dot = drawn("circle", { cx: x, cy: field.py(row.happened * 100), r: 4.5, class: `dot ${outside ? "loss" : "unsure"}${unknown(row.low) ? " few" : ""}` });
    dot.append(drawn("title", {}, calibrationText(row)));
    svg.append(dot);
    if (fits[index]) svg.append(written(Math.min(x, field.box.right - 10), field.box.bottom - 5, number(row.closes), "says", "middle"));
  });
  return field;
}

// --- the same in words ---

const equitySummary = (found) => `Net after fees over ${dated(found.by_day).length} days: ${signedDollars(found.total.net_pnl)}, largest drawdown ${dollars(found.max_drawdown)}`;
const calibrationSummary = (found) => `Calibration in ${found.calibration.length} tenths of the probability: ${found.calibration.map(calibrationText).join("; ") || "nothing to judge yet"}`;
const calibrationText = (row) => `said ${percent(row.said)}, ended so ${percent(row.happened)} of ${row.trades} trades in ${row.closes} events${unknown(row.low) ? ", too few to know" : ` (${percent(row.low)} to ${percent(row.high)})`}`;

const COLUMNS = (head) => [
  text(head, "id", (row) => row.group),
  toned("Net", "num strong", (row) => row.net_pnl, signedDollars),
  text("Trades", "num", (row) => number(row.trades)),
  text("Closes", "num", (row) => number(row.closes)),
  text("Won / lost", "num", (row) => `${row.wins} / ${row.losses}`),
  text("Fees", "num", (row) => dollars(row.fees)),
  text("A trade", "num", (row) => signedDollars(row.mean)),
  text("95 %", "num wide", intervalText),
];

const CALIBRATION = [
  text("Model said", "id", (row) => percent(row.said)),
  text("Ended so", "num strong", (row) => percent(row.happened)),
  text("95 %", "num", (row) => (unknown(row.low) ? "too few events" : `${percent(row.low)} to ${percent(row.high)}`)),
  text("Events", "num", (row) => number(row.closes)),
  text("Trades", "num", (row) => number(row.trades)),
];

// --- the panels ---

const GROUPS = { by_strategy: ["By strategy", "Strategy"], by_hour: ["By hour of purchase (UTC)", "Hour"], by_price: ["By price paid for a contract, dollars", "Price"] };
const NOTE = "average of a trade with 95 % confidence; hollow: under eight closing times";
let panels = null;

function built() {
  if (panels) return panels;
  panels = { equity: panel("Equity"), calibration: panel("Calibration") };
  for (const [by, [title]] of Object.entries(GROUPS)) panels[by] = panel(title);
  panels.by_hour.box.classList.add("tall");
  $("equity").append(panels.equity.box);
  $("groups").append(...Object.keys(GROUPS).map((by) => panels[by].box), panels.calibration.box);
  return panels;
}

function paint(found) {
  const made = built();
  for (const each of Object.values(made)) none(each, !found.total.trades);
  put($("performance-sum"), sumOf(found));
  hide($("performance-figures"), !found.total.trades);
  if (!found.total.trades) return;
  showFigures(found);
  show(made.equity, {
    draw: (width) => equityChart(found, width), columns: COLUMNS("Day (UTC)"), rows: () => [...found.by_day].reverse(),
    note: "thin line: a day's net with 95 % confidence" + (found.undated ? `; ${found.undated} trades without a date are in no point` : ""),
    readings: found.equity.map((row) => [second(row.at), `${utc(row.at, 0)} UTC: net ${signedDollars(row.net_pnl)}, drawdown ${dollars(row.drawdown)}`]),
  });
  for (const [by, [title, head]] of Object.entries(GROUPS)) show(made[by], { note: NOTE, draw: (width) => groupChart(found[by], width, `${title}: ${found[by].map((row) => `${row.group} ${signedDollars(row.mean)} a trade, n ${row.trades}`).join("; ")}`), columns: COLUMNS(head), rows: () => found[by] });
  show(made.calibration, {
    draw: (width) => calibrationChart(found, width), columns: CALIBRATION, rows: () => found.calibration,
    note: `each tenth of what the model said, with 95 % confidence; at its foot the number of closing times${found.unjudged ? `; not judged: ${number(found.unjudged)}, without a probability or of a market whose end is not known` : ""}`,
  });
}

function sumOf({ total, held, now }) {
  return [
    total.trades ? "" : `no trade${total.unknown ? " of a known result" : ""} has ended in this time`,
    total.unknown && `${number(total.unknown)} of an unknown result are in no figure`,
    held && `${number(held)} held`,
    `as of ${utc(now, 0)} UTC`,
  ].filter(Boolean).join(", ");
}

function showFigures({ total, max_drawdown }) {
  $("equity").at = $("groups").at = stamp();
  const told = [
    ["Net after fees", signedDollars(total.net_pnl), `fees ${dollars(total.fees)}`, toneOf(total.net_pnl)],
    ["A trade, on average", signedDollars(total.mean), `95 %: ${intervalText(total)}`, ""],
    ["Trades", number(total.trades), `${number(total.wins)} won, ${number(total.losses)} lost, in ${number(total.closes)} closes`, ""],
    ["Largest drawdown", dollars(max_drawdown), "below the highest point before it", ""],
  ];
  sync($("performance-figures"), told, ([label]) => label, tile("div", ["dt", "label"], ["dd", "figure"], ["dd", "detail"]), (box, [label, figure, detail, tone]) => {
    put(box.children[0], label);
    put(box.children[1], figure);
    dress(box.children[1], "figure " + tone);
    put(box.children[2], detail);
  });
}

function wanted() {
  const query = new URLSearchParams({ kind: $("performance-kind").value }), days = Number($("performance-days").value);
  if (days) query.set("days", days); // by the daemon's clock
  return query;
}

let asked = 0;

async function ask() {
  const mine = ++asked, said = $("performance-said");
  if (!panels) put(said, "Reading\u2026");
  try {
    const answer = await fetch("api/v1/performance?" + wanted()), body = await answer.json();
    if (mine !== asked) return;
    put(said, answer.ok ? "" : body.error);
    if (answer.ok) paint(body);
    else nothing();
  } catch {
    if (mine !== asked) return;
    put(said, UNREACHED);
    nothing();
  }
}

// Figures of a question that was not answered are not left standing under another.
function nothing() {
  for (const each of Object.values(panels ?? {})) none(each, true);
  hide($("performance-figures"), true);
  put($("performance-sum"), "");
}

const choices = ["performance-kind", "performance-days"].map($);

// The address says what is chosen: #performance/shadow/30.
function choose() {
  history.replaceState(null, "", "#performance/" + choices.map((each) => each.value).join("/"));
  ask();
}

// `chosen`: the parts of the address behind the view's name.
export function showPerformance(chosen) {
  chosen.slice(0, choices.length).forEach((value, index) => { if ([...choices[index].options].some((each) => each.value === value)) choices[index].value = value; });
  return ask();
}

$("performance-form").addEventListener("input", choose);
$("performance-form").addEventListener("submit", (event) => event.preventDefault());
