// What a browser that may install the page gets of it: the worker. Where there is none (no secure address) it does nothing and says nothing.
"use strict";

const WORKER = "worker.js";

// The one policy that the page's rules let exist, and the one address that it lets through.
const policy = globalThis.trustedTypes?.createPolicy("recio-worker", {
  createScriptURL: (asked) => {
    if (asked !== WORKER) throw new TypeError("only the worker of this page");
    return asked;
  },
});

navigator.serviceWorker.register(policy ? policy.createScriptURL(WORKER) : WORKER).catch(() => {});
