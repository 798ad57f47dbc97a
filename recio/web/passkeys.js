// Passkeys: made after a login with the password, used instead of it. The device asks its owner; this page sees no secret.
"use strict";

import { $, hide, make, put, tableOf, text } from "./parts.js";
import { utc } from "./text.js";

const can = () => Boolean(globalThis.PublicKeyCredential?.parseRequestOptionsFromJSON && globalThis.isSecureContext);

const passkeys = (ask, again) => tableOf("passkeys", [
  text("Passkey", "id wide", (row) => row.label || `number ${row.passkey_id}`),
  text("Made", "num", (row) => utc(row.made_at, 0), (row) => row.made_at),
  text("Used", "num", (row) => (row.used_at ? utc(row.used_at, 0) : "never"), (row) => row.used_at ?? "never"),
  { head: "Remove", label: "", kind: "word", build: () => make("button", "small", "Remove"), show: (button, row) => {
    button.type = "button";
    button.setAttribute("aria-label", `Remove the passkey ${row.label || row.passkey_id}`);
    button.onclick = () => ask(`passkeys/${row.passkey_id}/remove`, {}).then(again);
  } },
], (row) => row.passkey_id, "no passkey was made");

let table = null, showsAgain = () => {};

export async function showPasskeys(ask, me) {
  hide($("passkey-part"), me.by !== "session");
  if (me.by !== "session") return;
  showsAgain = () => showPasskeys(ask, me);
  table ??= passkeys(ask, () => showsAgain());
  hide($("passkey-make"), !can());
  const { ok, said } = await ask("passkeys").catch(() => ({ ok: false }));
  if (ok) table(said.passkeys, null);
}

async function makeOne(ask) {
  const { ok, said } = await ask("passkeys/new");
  if (!ok) return said.error;
  const made = (await navigator.credentials.create({ publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(said.options) })).toJSON();
  const kept = await ask("passkeys", {
    credential: made.id, client_data: made.response.clientDataJSON, attestation: made.response.attestationObject, label: $("passkey-label").value.trim(),
  });
  return kept.ok ? "The passkey is kept: log in with it from now on." : kept.said.error;
}

async function logIn(ask) {
  const { ok, said } = await ask("login/passkey");
  if (!ok) return said.error;
  const got = (await navigator.credentials.get({ publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(said.options) })).toJSON();
  const entered = await ask("login/passkey", {
    credential: got.id, client_data: got.response.clientDataJSON, authenticator_data: got.response.authenticatorData, signature: got.response.signature,
  });
  if (entered.ok) location.reload();
  return entered.ok ? "" : entered.said.error;
}

// What somebody broke off at the device is told, and is no fault of the page.
async function told(output, does) {
  put(output, "asking your device\u2026");
  try { put(output, await does); } catch (problem) { put(output, `Not done: ${problem.message}`); }
}

export function listen(ask) {
  hide($("login-passkey"), !can());
  $("login-passkey").addEventListener("click", () => told($("login-said"), logIn(ask)));
  $("passkey-form").addEventListener("submit", async (event) => {
    event.preventDefault();
    await told($("passkey-said"), makeOne(ask));
    showsAgain();
  });
}
