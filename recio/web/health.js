// The Health view: why it may not trade, its tasks and queues, limits, strategies and orders.
"use strict";

import { $, dress, grow, hide, make, money, parted, put, sync, tableOf, text, toned } from "./parts.js";
import { DASH, age, cents, dollars, grouped, quantity, signedDollars, unknown, utc, word } from "./text.js";
import { STALE } from "./markets.js";
import { acknowledge, limitName, open } from "./acts.js";

const contract = { ...text("Contract", "id wide", (row) => row.ticker), label: "" };
const note = { ...text("Note", "note", (row) => (unknown(row.note) ? "" : row.note)), label: "" };
const orders = tableOf("orders", [
  text("Order", "id wide", (row) => row.client_order_id),
  contract,
  text("For", "word", (row) => word(row.purpose)),
  text("State", "strong word", (row) => (row.state === "unknown" ? "? UNKNOWN" : word(row.state))),
  text("Side", "word", (row) => word(row.outcome), (row) => `at the venue: ${word(row.side)} of YES at ${cents(row.price)}`),
  text("Filled / of", "num", (row) => `${quantity(row.filled)} / ${quantity(row.quantity)}`),
  money("Limit", "num", (row) => row.own_price, cents),
  text("Created", "num minor", (row) => utc(row.created_at), (row) => row.created_at),
  note,
], (row) => row.client_order_id, "no orders", (row) => (row.state === "unknown" ? "unknown" : ""));

function showOrders(rows, status) {
  const lost = rows.filter((row) => row.state === "unknown");
  put($("orders-unknown"), lost.length ? `\u26a0 ${lost.length} of unknown fate: held as if alive until the venue settles it` : "");
  dress($("orders-unknown"), lost.length ? "beside bad" : "beside");
  orders([...lost, ...rows.filter((row) => row.state !== "unknown")], status);
}

function showSwitched(cell, row) {
  const [position, button] = cell.children, on = row.switched_on !== false;
  put(position, unknown(row.switched_on) ? "not read yet" : on ? "on" : `\u26a0 off, by ${row.switched_off_by}`);
  put(button, on ? "Switch off" : "Switch on");
  button.setAttribute("aria-label", `Switch entries of ${row.name} ${on ? "off" : "on"}`);
  button.onclick = () => open("strategy", { name: row.name, on: !on });
}

const switchBox = () => { const box = make("span"); box.append(make("span"), " ", make("button", "small")); box.lastChild.type = "button"; return box; };

const strategies = tableOf("strategies", [
  text("Strategy", "id wide", (row) => row.name),
  text("Stage", "note", (row) => word(row.stage) + (row.parted ? ", parted from paper" : "")),
  { ...text("Open, at worst, of", "num", (row) => `${row.open_trades ?? DASH} \u00b7 ${dollars(row.open_cost)}${row.budget ? " of " + dollars(row.budget) : ""}`), label: "Open" },
  text("On paper, won", "num", (row) => (unknown(row.settled) ? "" : `${row.settled}, ${row.won}`)),
  toned("P&L", "num", (row) => row.pnl, (sum) => (unknown(sum) ? "" : signedDollars(sum))),
  { head: "Entries", kind: "word", build: switchBox, show: showSwitched },
], (row) => row.name, "no strategy is read yet", (row) => (row.switched_on === false ? "unknown" : ""));

const limits = tableOf("limits", [
  text("Limit", "id wide", (row) => limitName(row.name)),
  { ...text("Taken at worst", "num strong", (row) => grouped(row.used)), label: "Taken" },
  text("May be", "num", (row) => grouped(row.limit)),
  text("", "note", (row) => [row.full ? "full: entries wait" : "", unknown(row.used) ? "holds each order by itself" : "", row.lowered ? "lowered by hand" : ""].filter(Boolean).join("; ")),
], (row) => row.name, "limits are not read yet", (row) => (row.full ? "unknown" : ""));

function showExternal(made) {
  const told = [];
  if (made?.positions.length) told.push("positions " + made.positions.map((row) => `${quantity(row.quantity)} ${row.ticker}`).join(", "));
  if (made?.orders) told.push(`${made.orders} resting orders`);
  put($("external"), told.length ? `made without recio, counted and never touched: ${told.join("; ")}` : "");
}

function showAcknowledged(cell, row) {
  const [who, button] = cell.children;
  put(who, unknown(row.acknowledged_by) ? "" : `by ${row.acknowledged_by}`);
  hide(button, !unknown(row.acknowledged_by));
  button.onclick = () => acknowledge(row.cause);
}

const alerts = tableOf("alerts", [
  text("Alert", "id wide", (row) => row.cause),
  text("Severity", "word", (row) => word(row.severity)),
  text("Since", "num", (row) => utc(row.since), (row) => row.since),
  text("Told", "num", (row) => String(row.told)),
  { ...text("What to do", "note", (row) => row.sentence + (row.resolution ? `. To do: ${row.resolution}` : "")), label: "" },
  { head: "Looked after", label: "", kind: "word", build: () => { const box = make("span"); box.append(make("span"), make("button", "small", "I look after it")); box.lastChild.type = "button"; return box; }, show: showAcknowledged },
], (row) => row.cause, "no alert is on", (row) => (row.severity === "critical" ? "unknown" : ""));

const deliveries = tableOf("deliveries", [
  text("Message", "id wide", (row) => row.text),
  text("To", "word", (row) => row.channel),
  text("State", "strong word", (row) => (row.state === "failed" ? "\u26a0 failed" : word(row.state))),
  text("At", "num", (row) => utc(row.at), (row) => row.at),
  { ...text("", "note", (row) => row.why), label: "" },
], (row) => `${row.at} ${row.channel} ${row.text}`, "nothing was sent", (row) => (row.state === "failed" ? "unknown" : ""));

function showAlerts(status) {
  const { channels, open, sent, ping } = status.alerts;
  const whom = channels.map((row) => `${row.name} (${row.least}${row.waiting ? `, ${row.waiting} waiting` : ""})`).join(", ");
  put($("alerts-whom"), (whom || "nobody is called: alerts.channels_path names no channel") + (ping ? `; ping ${ping}` : ""));
  dress($("alerts-whom"), whom ? "beside" : "beside bad");
  alerts(open, status);
  deliveries(sent.slice(0, 10), status);
}

const ago = (hours) => (unknown(hours) ? "never" : hours < 72 ? `${hours.toFixed(1)} hours ago` : `${Math.round(hours / 24)} days ago`);

function showBackups(known) {
  const said = known && [`last backup ${ago(known.last_backup.age_hours)}`, `last restored and proven ${ago(known.last_drill.age_hours)}`, ...(known.stream_copy ? [`a lost machine loses ${known.stream_copy.behind_seconds === null ? "all since that backup" : `at most the last ${Math.ceil(known.stream_copy.behind_seconds)} s`}`] : []), ...(known.restored ? [`restored ${utc(known.restored.at)}: ${known.restored.sentence}`] : [])];
  put($("backups"), said ? [...said, ...known.problems.map((each) => "\u26a0 " + each)].join("; ") : "not read yet");
  dress($("backups"), known?.problems.length ? "beside bad" : "beside");
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

// "HALTED by the page", and not "HALTED: halted by the page".
const causeOf = ({ cause }) => (/^(halted|flattened|stopped) by /.test(cause) ? cause.replace(/^\w+/, "") : ": " + cause);

function proof(halt) {
  const seconds = (after) => `${after.toFixed(1)} s`;
  const rests = unknown(halt.verified_after) ? "not verified at the venue yet"
    : `nothing of ours rests at the venue (verified after ${seconds(halt.verified_after)}, ${halt.cancelled} cancelled)`;
  if (halt.level !== "flatten") return rests;
  return rests + (unknown(halt.flat_after) ? "; not flat yet" : `; flat after ${seconds(halt.flat_after)}`);
}

function showControls(status) {
  sync($("halts"), status.halts, (halt) => halt.cause + halt.since, notice, (line, halt) => showNotice(line, [
    `\u25a0 ${HALTED[halt.level]}${causeOf(halt)}`, `since ${utc(halt.since)} UTC, by ${word(halt.by)}; ${proof(halt)}`,
    `To end it: ${halt.resolution}`, halt.since], status));
  sync($("causes"), status.causes, (cause) => cause.cause + cause.since, notice, (line, cause) => showNotice(line, [
    `\u26a0 No entries: ${cause.cause}`, cause.sentence,
    cause.consequences.length ? `Seen as well: ${cause.consequences.join(", ")}` : "Clears by itself", cause.since], status));
  sync($("blocks"), status.blocks, (block) => block.condition + block.since, notice, (line, block) => showNotice(line, [
    `\u26a0 ${block.condition}`, block.detail, `Clears by itself with: ${block.clears}`, block.since], status));
}


export function showHealth(status) {
  hide($("reasons"), status.reasons.length === 0);
  const numbered = status.reasons.map((sentence, index) => ({ sentence, index }));
  sync($("reasons"), numbered, (item) => item.index, () => make("li"), (line, item) => put(line, item.sentence));
  showControls(status);
  showOrders(status.orders, status);
  strategies(status.strategies, status);
  limits(status.limits, status);
  showExternal(status.external);
  showAlerts(status);
  showBackups(status.backups);
  tasks(Object.entries(status.tasks), status);
  showQueues(status.queues);
}
