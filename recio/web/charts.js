// Loads the charts' scripts when one is looked at, and stops what is open when nobody does; it draws nothing.
"use strict";

import { $, fetched, hide, put } from "./parts.js";
import { UNREACHED } from "./text.js";

let market = null, wanted = null;

export async function openMarket(host, ticker) {
  const mine = (wanted = { host, ticker });
  try {
    market ??= await fetched("market_chart.js");
  } catch { if (wanted === mine) put(host, UNREACHED); return; }
  if (host.shown) put(host, "");
  if (wanted === mine) await market.follow(host, ticker);
}

export function closeMarket() {
  wanted = null;
  market?.leave();
}

// The Markets view with a ticker in its address shows that market's charts above the board.
export function lookedAt(view, [ticker]) {
  closeMarket();
  const isOpen = view === "markets" && Boolean(ticker);
  hide($("market"), !isOpen);
  if (!isOpen) return;
  put($("market-title"), ticker);
  $("market-title").focus({ preventScroll: true });
  openMarket($("market-charts"), ticker);
}

export async function openPerformance(chosen) {
  const performance = await fetched("performance.js").catch(() => null);
  if (performance) performance.showPerformance(chosen);
  else put($("performance-said"), UNREACHED);
}
