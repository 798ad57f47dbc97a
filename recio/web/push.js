// Devices that are told by Web Push: listed, this one added after its owner allowed it, any of them ended. It reads no message.
"use strict";

import { $, hide, make, put, tableOf, text } from "./parts.js";
import { utc, word } from "./text.js";

const can = () => Boolean(navigator.serviceWorker && globalThis.PushManager && globalThis.Notification);

const devices = (ask, again) => tableOf("pushes", [
  text("Device", "id wide", (row) => `${row.label || "no name"} (${row.channel})`),
  text("Of", "word", (row) => row.login + (row.counts ? "" : ", who has another password since: told nothing")),
  text("Told", "word", (row) => (row.least === "critical" ? "critical" : row.least === "info" ? "everything" : "critical and warning")),
  text("By", "note", (row) => row.service),
  text("Since", "num", (row) => utc(row.made_at, 0), (row) => row.made_at),
  { head: "End", label: "", kind: "word", build: () => make("button", "small", "End"), show: (button, row) => {
    button.type = "button";
    button.setAttribute("aria-label", `Tell ${row.label || row.channel} no more`);
    button.onclick = () => ask(`push/${row.subscription_id}/end`, {}).then(again);
  } },
], (row) => row.subscription_id, "no device is told by push");

let table = null, key = null, showsAgain = () => {};

export async function showPushes(ask, who) {
  const { ok, said } = await ask("push").catch(() => ({ ok: false })), me = who();
  hide($("push-part"), !ok);
  if (!ok) return;
  showsAgain = () => showPushes(ask, who);
  table ??= devices(ask, () => showsAgain());
  key = said.public_key;
  table(said.devices, null);
  const why = said.why_off || (me.role !== "operator" || me.by !== "session" ? "log in as an operator to have a device told" : can() ? "" : "this browser cannot be told under this address");
  put($("push-why"), why);
  hide($("push-form"), why !== "");
  listen(ask);
}

const bytes = (encoded) => Uint8Array.from(atob(encoded.replace(/-/g, "+").replace(/_/g, "/")), (each) => each.charCodeAt(0));

async function subscribe(ask) {
  if (await Notification.requestPermission() !== "granted") return "The browser does not allow it: see its settings for this page.";
  const { pushManager } = await navigator.serviceWorker.ready;
  // One that was made with another key of recio's would be refused by its push service.
  await (await pushManager.getSubscription())?.unsubscribe();
  const { endpoint, keys } = (await pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: bytes(key) })).toJSON();
  const kept = await ask("push", { endpoint, public_key: keys.p256dh, auth: keys.auth, label: $("push-label").value.trim(), least: $("push-least").value });
  return kept.ok ? "This device is told from now on: send a test above." : `Not done: ${kept.said.error}`;
}

let listens = false;

function listen(ask) {
  if (listens) return;
  listens = true;
  $("push-form").addEventListener("submit", async (event) => {
    event.preventDefault();
    put($("push-said"), "asking the browser\u2026");
    try { put($("push-said"), await subscribe(ask)); } catch (problem) { put($("push-said"), `Not done: ${word(problem.message)}`); }
    showsAgain();
  });
}
