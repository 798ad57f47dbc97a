// The worker of a browser that installed the page: says so where recio is not reached. It keeps nothing, answers for no address
// but the page's own, and hands on whatever recio says, so that no figure and no act ever passes through it.
"use strict";

const PAGE = new URL("./", self.location).pathname;
const UNREACHED = [502, 503, 504]; // a proxy in front of a recio that is gone; recio's own page has none of them

const STYLE = `
  :root { color-scheme: light dark; --paper: #f4f5f7; --ink: #16202b; --soft: #5a6674; --alarm: #b00020; --accent: #1f5fa8; }
  @media (prefers-color-scheme: dark) { :root { --paper: #0f141a; --ink: #e4e9ef; --soft: #97a3b1; --alarm: #c62839; --accent: #7fb4f0; } }
  body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
  h1 { margin: 0; padding: 16px 20px; background: var(--alarm); color: #fff; font-size: 20px; }
  main { max-width: 40em; padding: 4px 20px 24px; }
  code { font-size: 15px; }
  .soft { color: var(--soft); }
  a { display: inline-block; padding: 10px 18px; border: 1px solid; border-radius: 6px; color: var(--accent); font-weight: 600; text-decoration: none; }
`;

const SHELL = `<!doctype html>
  <html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
  <title>NOT CONNECTED \u00b7 recio</title><style>${STYLE}</style></head><body>
  <header><h1>No connection to recio</h1></header>
  <main><p><strong>Nothing here is current.</strong> What this device showed before may have changed since, so none of it is shown.</p>
  <p>Whether recio runs, trades and guards what it holds cannot be seen from here.</p>
  <h2>What to do</h2>
  <ol><li>Look whether this device is online, and in the network that leads to recio (VPN, Tailscale).</li>
  <li>Try again.</li>
  <li>At the machine: <code>recio status</code> says how it is, <code>recio halt</code> stops new entries, also while this page is away.</li></ol>
  <p><a href="">Try again</a></p>
  <p class="soft">Nothing was sent from this page.</p></main></body></html>`;

async function shell() {
  const seal = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(STYLE)));
  return new Response(SHELL, { status: 503, headers: {
    "Content-Type": "text/html; charset=utf-8", "Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Frame-Options": "DENY",
    "Content-Security-Policy": `default-src 'none'; style-src 'sha256-${btoa(String.fromCharCode(...seal))}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
  } });
}

async function page(request) {
  try {
    const answer = await fetch(request);
    return UNREACHED.includes(answer.status) ? shell() : answer;
  } catch {
    return shell();
  }
}

// Everything else (figures, acts, scripts) goes to recio as if there were no worker.
self.addEventListener("fetch", (event) => {
  const { request } = event;
  if (request.mode === "navigate" && request.method === "GET" && new URL(request.url).pathname === PAGE) event.respondWith(page(request));
});

// A newer worker takes over at once: it holds nothing that an open page relies on.
self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));

// What recio tells this device by push: shown as it came, and with it the way to the page. The same words a second time are a second call:
// they take the place of the first ones and are heard again.
self.addEventListener("push", (event) => {
  if (!event.data) return;
  const { title, text } = event.data.json();
  event.waitUntil(self.registration.showNotification(title, { body: text, icon: "icon-512.png", tag: `${title}\n${text}`, renotify: true, requireInteraction: true }));
});
self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  event.waitUntil(self.clients.matchAll({ type: "window" }).then(([open]) => (open ? open.focus() : self.clients.openWindow(PAGE))));
});
