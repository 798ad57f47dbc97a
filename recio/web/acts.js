// Who asks, and what is asked for: each act once by its key, with the figures before and what came of it after. It shows no figure of its own.
"use strict";

import { $, dress, fetched, hide, make, put, since, stamp, sync, tableOf, text } from "./parts.js";
import { age, dollars, grouped, many, quantity, signedDollars, unknown, utc, word } from "./text.js";

const LOOK_EVERY = 1000, LOOK_AT_MOST = 60; // at what came of an act that has not come to its end
const ONE_TAP = 3000; // milliseconds in which a second tap is the first

let me = { role: null, csrf: null, is_local: true, name: null, by: null }, last = null;
let token = ""; // lives as long as this page and is kept nowhere

// --- asking ---

async function ask(path, body) {
  const headers = body === undefined ? {} : { "Content-Type": "application/json" };
  if (me.csrf) headers["X-CSRF-Token"] = me.csrf;
  if (token) headers["X-Halt-Token"] = token;
  const answer = await fetch("api/v1/" + path, body === undefined ? { headers } : { method: "POST", headers, body: JSON.stringify(body) });
  const said = await answer.json();
  if (answer.status === 403) token = "";
  if (answer.status === 401 && !path.startsWith("login")) learnWho();
  return { ok: answer.ok, status: answer.status, said };
}

const AT_THE_MACHINE = Object.fromEntries(["halt", "flatten", "stop"].map((name) => [name, `; at the machine \u201crecio ${name}\u201d needs no page`]));
const newKey = () => Array.from(crypto.getRandomValues(new Uint8Array(16)), (each) => each.toString(16).padStart(2, "0")).join("");

let answered = null, halting = ""; // when it was said; "halted" once the halt that was asked for was seen in force

function said(words, isBad = false) {
  put($("act-said"), words);
  dress($("act-said"), isBad ? "bad" : "");
  [answered, halting] = [stamp(), ""];
  put($("act-age"), "");
}

// An answer is of its moment: its age stands beside it, and that of a halt goes with the halt.
function ageAnswer({ halts }) {
  if (answered === null) return;
  put($("act-age"), `${age(since(answered))} ago`);
  if (halting && halts.length) halting = "halted";
  else if (halting === "halted") said("");
}

function tell(came) {
  const how = came.worked === false ? "Not done: " : came.worked ? "Done: " : "Asked for: ";
  said(how + came.sentence, came.worked === false);
  if (["halt", "flatten", "stop"].includes(came.act)) halting = "asked";
}

async function send(name, body, key = newKey()) {
  said("asking\u2026");
  try {
    let { ok, said: came } = await ask("acts/" + name, { key, ...body });
    if (!ok) { said(`Nothing was done: ${came.error}`, true); return; }
    tell(came);
    for (let looks = 0; !came.finished && looks < LOOK_AT_MOST; looks += 1) {
      await new Promise((done) => setTimeout(done, LOOK_EVERY));
      const looked = await ask("outcomes/" + key), told = came.sentence;
      if (looked.ok && (came = looked.said).sentence !== told) tell(came); // an answer that was closed, or gave way to a newer act's, comes back only with news
    }
  } catch {
    said(`No answer: recio may or may not have heard it. The page shows what holds once it is connected again${AT_THE_MACHINE[name] ?? ""}.`, true);
  }
}

// --- acts with a second step ---

const holdsNothing = () => last.positions?.count === 0;
const holding = () => (unknown(last.positions) ? "all that is held (how much is not known yet)" : `${many(last.positions.count, "position")}, worth ${dollars(last.positions.value)} at the best bids`);
const tradeOf = (id) => last.trades.find((each) => each.id === id);
const limitOf = () => last.limits.find((each) => each.name === $("lower-limit").value);
export const limitName = (name) => word(name.replace(/_dollars$/, " ($)"));
const field = (name) => $("trade-" + name).value.trim();
const amount = () => $("lower-amount").value.trim();

// What is wrong with what was written, in words; empty: nothing. The daemon judges it again.
const NUMBER = /^(0|[1-9]\d{0,8})(\.\d{1,6})?$/, CONTRACTS = /^(0|[1-9]\d{0,8})(\.\d{1,2})?$/, PRICE = /^0\.\d{1,4}$/;
const faultOfAmount = () => (!amount() ? "To how much?" : NUMBER.test(amount()) ? "" : `\u201c${amount()}\u201d is no amount: write digits, such as 40 or 0.05.`);
const faultOfLowering = (row) => faultOfAmount() || (Number(amount()) < Number(row.limit) ? "" : `${grouped(amount())} is no less: here it only becomes less.`);

function faultOfTrade() {
  if (!field("ticker")) return "Which market?";
  if (!(CONTRACTS.test(field("contracts")) && Number(field("contracts")) > 0)) return "How many contracts?";
  if (!field("price")) return "For how many dollars each at most?";
  return PRICE.test(field("price")) && Number(field("price")) > 0 ? "" : "A contract costs between $0 and $1: write 0.55 for 55\u00a2.";
}

const ACTS = {
  flatten: {
    title: () => "Flatten: sell everything held",
    what: () => (holdsNothing() ? "Nothing is held; nothing new is bought until somebody resumes." : `Sells ${holding()}, at whatever is bid, however little that is. Nothing new is bought until somebody resumes.`),
    body: () => ({ confirm: "FLATTEN" }), button: "Flatten now",
  },
  stop: {
    title: () => "Stop: end the daemon",
    what: () => `Nothing new is bought and the daemon ends. ${holdsNothing() ? "Nothing is held." : `Without any stop until it is started again: ${holding()}.`}`,
    body: () => ({ confirm: "STOP" }), button: "Stop now",
  },
  resume: {
    title: () => "Resume: clear the halts",
    what: ({ causes }) => `Clears what is shown now: ${causes.join("; ")}. Entries may begin at once.`,
    body: ({ causes, since }) => ({ confirm: "RESUME", causes, since }), button: "Resume now",
  },
  close: {
    title: ({ id }) => `Close trade ${id}`,
    what: ({ id }) => {
      const trade = tradeOf(id);
      return trade ? `Sells ${quantity(trade.quantity)} ${trade.side.toUpperCase()} of ${trade.ticker} at what is bid, now ${unknown(trade.mark) ? "unknown" : dollars(trade.mark)} each: ${signedDollars(trade.pnl)} in all, after the fees so far and before that of selling.` : "This trade has ended.";
    },
    body: ({ id }) => ({ confirm: "CLOSE", trade_id: id }), button: "Close now",
  },
  trade: {
    title: () => "Trade by hand",
    what: () => {
      const row = last.board.find((each) => each.ticker === field("ticker"));
      const ask = row && row[field("side") + "_ask"];
      return (unknown(ask) ? "" : `Asked now: ${dollars(ask)} each. `) + (faultOfTrade() || `Costs at most ${dollars(Number(field("contracts")) * Number(field("price")))} and fees, and may lose all of it. Halts and limits hold it back as they hold back any purchase.`);
    },
    may: () => !faultOfTrade(),
    body: () => ({
      confirm: "TRADE", ticker: field("ticker"), side: field("side"), contracts: field("contracts"), max_price: field("price"),
      guard: field("guard") === "none" ? "own" : "exit",
    }), button: "Buy now",
  },
  lower: {
    title: () => "Lower a limit",
    what: () => {
      const row = limitOf();
      if (!row) return "The limits are not read yet.";
      const taken = unknown(row.used) ? "" : `, ${grouped(row.used)} of it taken`;
      return `${limitName(row.name)} is ${grouped(row.limit)}${taken}. ` + (faultOfLowering(row) || `It becomes ${grouped(amount())} at once and stays so after a restart; what is held stays. It rises again only by recio.toml, a grant and a restart.`);
    },
    may: () => Boolean(limitOf()) && !faultOfLowering(limitOf()),
    body: () => ({ confirm: "LOWER", limit: $("lower-limit").value, amount: amount() }), button: "Lower now",
  },
  raise: {
    title: () => "Raise a limit at the next start",
    what: () => raised(),
    may: () => Boolean(shown.may),
    body: () => ({ confirm: "RAISE", limit: $("lower-limit").value, amount: amount(), shown: shown.words }), button: "Grant it",
  },
  strategy: {
    path: "switch",
    title: ({ name, on }) => `Switch entries of ${name} ${on ? "on" : "off"}`,
    what: ({ name, on }) => (on ? `${name} may buy at once.` : `${name} buys nothing new; what it holds stays guarded.`),
    body: ({ name, on }) => ({ confirm: "SWITCH", name: "entry", strategy: name, is_on: on }), button: "Switch now",
  },
  switch: {
    title: ({ name, on }) => `Switch ${name === "entry" ? "entries" : "exits"} ${on ? "on" : "off"}`,
    what: ({ name, on }) => (name === "entry" ? (on ? "Entries may begin at once." : "Nothing new is bought; what is held stays guarded.") : on ? "Stops are judged again." : holdsNothing() ? "Nothing is held; what is bought from now on has no stop." : `Without any stop from now on: ${holding()}.`),
    body: ({ name, on }) => ({ confirm: "SWITCH", name, is_on: on }), button: "Switch now",
  },
};

// What a raise would mean is the daemon's to say; nothing is granted before it was shown.
let shown = {};

function raised() {
  const asked = `limit=${$("lower-limit").value}&amount=${encodeURIComponent(amount())}`, fault = faultOfAmount();
  if (shown.asked === asked) return shown.words;
  const mine = (shown = { asked, words: fault || "asking\u2026", may: false });
  const answer = (words, may) => { Object.assign(mine, { words, may }); describe(); };
  const unheard = () => { answer("No answer: it is asked again with the next figures.", false); mine.asked = ""; };
  if (!fault) ask("limits/raise?" + asked).then(({ ok, said: told }) => answer(ok ? told.sentence : told.error, ok), unheard);
  return mine.words;
}

let chosen = null, given = null, key = "";

export function open(name, about = {}) {
  if (last === null) return;
  [chosen, given, key] = [name, about, newKey()];
  if (name === "resume") {
    const halts = last.halts.slice(0, 16);
    given = { causes: halts.map((halt) => halt.cause), since: halts.map((halt) => halt.since) };
  }
  put($("dialog-title"), ACTS[name].title(given));
  put($("dialog-do"), ACTS[name].button);
  hide($("dialog-trade"), name !== "trade");
  const part = name === "raise" ? "lower" : name;
  shown = {};
  hide($("dialog-lower"), part !== "lower");
  for (const each of ["trade", "lower"]) for (const input of $("dialog-" + each).querySelectorAll("input")) input.required = part === each;
  hide($("dialog-token").parentElement, me.role === "operator" || !me.is_local);
  $("dialog-token").required = me.role !== "operator" && me.is_local;
  $("dialog-token").value = token;
  describe();
  $("dialog").showModal();
}

function describe() {
  if (!chosen || !last) return;
  put($("dialog-what"), ACTS[chosen].what(given));
  $("dialog-do").disabled = ACTS[chosen].may ? !ACTS[chosen].may(given) : false;
}

let tapped = 0, tapKey = "";

$("halt").addEventListener("click", () => {
  if (Date.now() - tapped > ONE_TAP) [tapped, tapKey] = [Date.now(), newKey()];
  send("halt", { why: "" }, tapKey);
});
for (const name of ["flatten", "stop", "resume", "trade", "lower", "raise"]) $(name).addEventListener("click", () => open(name));
for (const name of ["entry", "exit"]) $(name + "-turn").addEventListener("click", () => open("switch", { name, on: !last?.switches[name] }));
for (const each of ["trade", "lower"]) $("dialog-" + each).addEventListener("input", describe);
$("dialog-cancel").addEventListener("click", () => $("dialog").close());
$("dialog-form").addEventListener("submit", (event) => {
  event.preventDefault();
  token = $("dialog-token").value;
  $("dialog").close();
  send(ACTS[chosen].path ?? chosen, { why: $("dialog-why").value, ...ACTS[chosen].body(given) }, key);
});
$("act-close").addEventListener("click", () => said(""));
$("test-alert").addEventListener("click", () => {
  if (last?.alerts.channels.length === 0) said("Nothing was sent: nobody is called. recio.toml names the file of channels in alerts.channels_path.", true);
  else withToken(() => send("test-alert", {}));
});
export const acknowledge = (cause) => withToken(() => send("acknowledge", { cause }));

// What is no danger still wants an operator: at the machine itself the token is asked for once.
function withToken(act) {
  if (me.role !== "operator" && me.is_local && !token) {
    afterToken = act;
    $("token-dialog").showModal();
  } else act();
}

let afterToken = null;
$("token-cancel").addEventListener("click", () => $("token-dialog").close());
$("token-form").addEventListener("submit", (event) => {
  event.preventDefault();
  token = $("token-value").value;
  $("token-dialog").close();
  afterToken();
});

// --- who ---

let loaded = null;
const passkeys = () => (loaded ??= fetched("passkeys.js").then((module) => { module.listen(ask); return module; }).catch(() => { loaded = null; }));

function askWho() {
  $("login-dialog").showModal();
  passkeys();
}

export async function learnWho() {
  try {
    me = await (await fetch("api/v1/me")).json();
  } catch { return; }
  put($("who"), me.by === "session" ? `${me.name} \u00b7 ${me.role} \u00b7 log out` : "log in");
  if (me.role === null && !$("login-dialog").open) askWho();
  hide($("login-cancel"), me.role === null);
  if (!$("view-health").hidden) showDevices();
}

$("who").addEventListener("click", async () => {
  if (me.by !== "session") { askWho(); return; }
  await ask("logout", {});
  location.reload();
});
$("login-cancel").addEventListener("click", () => $("login-dialog").close());
$("login-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  put($("login-said"), "asking\u2026");
  try {
    const { ok, said: answer } = await ask("login", { name: $("login-name").value, password: $("login-password").value });
    $("login-password").value = "";
    if (!ok) { put($("login-said"), answer.error); return; }
    location.reload();
  } catch (problem) {
    put($("login-said"), `No answer: ${problem.message}`);
  }
});

const sessions = tableOf("sessions", [
  text("Login", "id wide", (row) => row.login + (row.is_this ? " (this page)" : "")),
  text("From", "word", (row) => row.address),
  text("Since", "num", (row) => utc(row.began_at, 0), (row) => row.began_at),
  text("Until", "num", (row) => utc(row.ends_at, 0), (row) => row.ends_at),
  { head: "", kind: "word", build: () => make("button", "small", "End"), show: (button, row) => { button.onclick = () => ask(`sessions/${row.session_id}/end`, {}).then(showSessions); } },
], (row) => row.session_id, "no session runs");

function showDevices() {
  passkeys().then((module) => module?.showPasskeys(ask, me));
  fetched("push.js").then((push) => push.showPushes(ask, () => me));
}

export async function showSessions() {
  showDevices();
  const { ok, said: found } = await ask("sessions").catch(() => ({ ok: false }));
  if (ok) sessions(found.sessions, null);
}

// --- what the figures change about the buttons ---

export function showActs(status) {
  last = status;
  ageAnswer(status);
  hide($("resume"), status.halts.length === 0);
  for (const name of ["entry", "exit"]) put($(name + "-turn"), `Switch ${name === "entry" ? "entries" : "exits"} ${status.switches[name] ? "off" : "on"}`);
  sync($("lower-limit"), status.limits, (row) => row.name, () => make("option"), (option, row) => { option.value = row.name; put(option, limitName(row.name)); });
  sync($("tickers"), status.board, (row) => row.ticker, () => make("option"), (option, row) => { option.value = row.ticker; });
  if ($("dialog").open) describe();
}
