// Shows what the daemon pushes over /events; it changes nothing there but what a person asks for,
// and never lets figures that stopped arriving look alive.
"use strict";

import { $, advance, clock, dress, fetched, hide, missed, put, since, stamp } from "./parts.js";
import { DASH, age, pad, unknown, utc, word } from "./text.js";
import { showNow } from "./now.js";
import { showMarkets } from "./markets.js";
import { showHealth } from "./health.js";
import { looked } from "./past.js";
import { lookedAt } from "./charts.js";
import { learnWho, showSessions } from "./acts.js";

const QUIET_AFTER = 2, SILENT_AFTER = 5; // seconds; the daemon pushes more often
const DRIFT = 0.001; // seconds by which its clock and ours may part in one second
const RETRY_AFTER = 3, GIVE_UP_AFTER = 10; // after a refusal; on an attempt that gets no answer

// --- views: one address each ---

const VIEWS = ["now", "markets", "history", "performance", "health", "log"];

function showView() {
  const [asked, ...more] = location.hash.slice(1).split("/"), view = VIEWS.includes(asked) ? asked : "now";
  if (asked === "views") return; // the link past the bar leads into the view that is shown
  put($("view-said"), asked && view !== asked ? `There is no view called \u201c${asked.slice(0, 40)}\u201d; this is Now.` : "");
  for (const each of VIEWS) {
    hide($("view-" + each), each !== view);
    const link = $("to-" + each);
    if (each === view) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  lookedAt(view, more);
  looked(view, more);
  if (view === "health") showSessions();
}

addEventListener("hashchange", () => { showView(); if (location.hash !== "#views") scrollTo(0, 0); });

// --- top of the page ---

// Anything not known to be harmless is shown as real money.
function modeOf({ mode, environment }) {
  if (mode === "demo") return ["demo", "play money"];
  if (mode === "paper") return ["paper", "no real orders"];
  if (mode === "live" && (environment === "demo" || environment === "sim")) return ["rehearsal", "play money"];
  return ["real", "REAL MONEY"];
}

function showBar(status) {
  const [treatment, meaning] = modeOf(status);
  put($("mode"), `${word(status.mode).toUpperCase()} \u00b7 ${word(status.environment)} \u00b7 ${meaning}`);
  dress($("mode"), "badge " + treatment);
  dress($("top"), treatment);
  put($("ready"), status.ready ? "\u2713 READY" : "\u2715 NOT READY");
  dress($("ready"), status.ready ? "pill good" : "pill warn");
  showSwitch($("entry-switch"), "entries", status.switches.entry);
  showSwitch($("exit-switch"), "exits", status.switches.exit);
  const speed = status.clock_speed === 1 ? "" : ` \u00d7${status.clock_speed}`;
  put($("clock"), `${utc(status.now)} UTC${speed}`, speed ? `market time runs${speed} as fast as yours` : status.now);
  put($("about"), `recio ${status.version} \u00b7 account ${word(status.account)} \u00b7 started ${utc(status.started_at, 0)} UTC \u00b7 times are UTC${speed ? " of the market; what people did has the time of this machine" : ""}`);
}

function showSwitch(element, name, on) {
  put(element, `${name} ${unknown(on) ? DASH : on ? "on" : "OFF"}`);
  dress(element, on ? "switch" : "switch off");
}

// --- what a figure is about: told by a tap, or by Tab while the button is pressed ---

let about = null;

async function learnAbout() {
  if (about) return about;
  const module = await fetched("about.js").catch(() => null); // not reached: the next tap tries again
  if (!about && module) (about = module).listen(() => kept);
  return about;
}

$("views").addEventListener("click", async ({ target }) => (await learnAbout())?.explain(target, kept));
$("figures").addEventListener("click", async () => {
  const isOn = $("figures").getAttribute("aria-pressed") !== "true";
  (await learnAbout())?.press(isOn);
});

let shownVersion = null;
// In milliseconds: a page that was loaded anew already stays for a minute, so that a script which never comes makes no ring of it.
const livesFor = () => (performance.getEntriesByType("navigation")[0]?.type === "reload" ? 60_000 : 0);

function show(status) {
  if (shownVersion !== null && shownVersion !== status.version) { location.reload(); return; } // upgraded: this page may not know what it is told
  shownVersion = status.version;
  if (missed.scripts && performance.now() > livesFor() && !document.querySelector("dialog[open]")) { location.reload(); return; }
  showBar(status);
  showMarkets(status);
  showNow(status);
  showHealth(status);
  about?.refresh(status);
  headline = status.halts.length ? "HALTED" : status.ready ? "ready" : "NOT READY";
  headline += ` \u00b7 recio ${word(status.mode)} ${word(status.environment)}`;
}

// --- connection: must never be wrong ---

const opened = stamp();
let source = null, tried = opened, lost = false, headline = "recio";

function connect() {
  if (source) source.close();
  tried = stamp();
  kept = soonest = null;
  source = new EventSource("events?changes=1");
  source.onmessage = (event) => receive(event.data);
  source.onerror = () => lose();
}

// The whole once, then what changed. An age that merely grew is not told: it is counted on here as the daemon does.
let kept = null, rates = {};

function take(told) {
  if (told.whole) { kept = told.whole; rates = told.rates; return; }
  ageBy(kept, told.passed, "");
  for (const [path, ...to] of told.changes) {
    const place = path.slice(0, -1).reduce((tree, step) => tree[step], kept), name = path[path.length - 1];
    if (to.length) place[name] = to[0];
    else delete place[name];
  }
}

function ageBy(tree, seconds, section) {
  if (Array.isArray(tree)) { for (const each of tree) ageBy(each, seconds, section); return; }
  if (tree === null || typeof tree !== "object") return;
  for (const [name, value] of Object.entries(tree)) {
    const rate = rates[`${section}.${name}`] ?? rates[name];
    if (rate !== undefined && typeof value === "number") tree[name] = value + seconds * rate;
    else ageBy(value, seconds, section || name);
  }
}

// Seconds that a push was longer on its way than the one of this connection that came soonest: what a slow line held back is old.
let soonest = null;

function lateBy(at) {
  const apart = since(opened) - at;
  soonest = { apart: soonest ? Math.min(soonest.apart + (at - soonest.at) * DRIFT, apart) : apart, at };
  return apart - soonest.apart;
}

function receive(data) {
  let told;
  try {
    told = JSON.parse(data);
    take(told);
    show(kept);
  } catch (problem) {
    console.error(problem);
    lose(`This page cannot read what the daemon sends (${problem.message}) \u2013 figures below are not to be trusted.`);
    return;
  }
  clock.heard = stamp(lateBy(told.at));
  const wasLost = lost;
  lost = false;
  hide($("lost"), true);
  document.body.classList.remove("old");
  tick();
  if (wasLost) showView(); // what a view asked for meanwhile was not answered, or is old
}

function lose(why) {
  lost = true;
  source.close(); // what could not be followed begins anew
  learnWho(); // a session may have ended
  const last = clock.heard || opened, at = new Date(last.wall);
  const time = [at.getHours(), at.getMinutes(), at.getSeconds()].map(pad).join(":");
  const figures = clock.heard ? "figures below are old" : "no figures yet";
  hide($("lost"), false);
  put($("lost-text"), why || `Not connected since ${time} \u2013 ${figures}.`, "your own clock's time");
  document.body.classList.add("old");
  tick();
}

function tick() {
  const silent = since(clock.heard || opened);
  if (!lost && silent > SILENT_AFTER) lose();
  else if (lost && since(tried) > (source.readyState === EventSource.CLOSED ? RETRY_AFTER : GIVE_UP_AFTER)) connect();
  advance();
  put($("connection"), lost ? "\u2715 not connected" : clock.heard ? pulse(silent) : "connecting");
  dress($("connection"), lost ? "connection bad" : "connection");
  if (lost) put($("lost-age"), `for ${age(silent)}, trying again`);
  const title = lost ? "NOT CONNECTED \u00b7 recio" : headline;
  if (document.title !== title) document.title = title;
}

const pulse = (silent) => (silent > QUIET_AFTER ? `\u26a0 quiet for ${age(silent)}` : `\u25cf live, ${age(silent)} ago`);

setInterval(tick, 500);
document.addEventListener("visibilitychange", tick); // timers slept while the page was hidden
addEventListener("pageshow", tick);
showView();
learnWho();
connect();
if (navigator.serviceWorker) fetched("device.js").catch(() => null);
