// Figures as text: unknown is a dash, never a number; nothing is rounded that a person pays.
"use strict";

export const DASH = "\u2014", MINUS = "\u2212\u2060"; // joined to its amount: a line that ended between them would turn a loss into a gain

export const unknown = (value) => value === null || value === undefined || value === "";

// --- text: unknown is a dash, never a number ---

export const decimals = [0, 1, 2].map((digits) => new Intl.NumberFormat("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits }));

export function rounded(text, digits) {
  const number = Number(text);
  const magnitude = decimals[digits].format(Math.abs(number));
  const sign = /[1-9]/.test(magnitude) ? Math.sign(number) : 0; // so that -0.0004 is not shown as -0.0
  return { magnitude, sign };
}

export const minus = (sign) => (sign < 0 ? MINUS : "");
export const plusMinus = (sign) => (sign > 0 ? "+" : minus(sign));

export function cents(text) {
  if (unknown(text)) return DASH;
  const { magnitude, sign } = rounded(Number(text) * 100, 1);
  return minus(sign) + magnitude + "\u00a2";
}

export function signedCents(text) {
  if (unknown(text)) return DASH;
  const { magnitude, sign } = rounded(Number(text) * 100, 1);
  return plusMinus(sign) + magnitude + "\u00a2";
}

export function dollars(text) {
  if (unknown(text)) return DASH;
  const { magnitude, sign } = rounded(text, 2);
  return minus(sign) + "$" + magnitude;
}

export function signedDollars(text) {
  if (unknown(text)) return DASH;
  const { magnitude, sign } = rounded(text, 2);
  return plusMinus(sign) + "$" + magnitude;
}

export function grouped(text) { // keeps every digit the daemon sent
  if (unknown(text)) return DASH;
  const [whole, fraction] = String(text).split(".");
  const head = whole.replace(/\B(?=(\d{3})+$)/g, ",");
  return fraction === undefined ? head : head + "." + fraction;
}

export const coin = (text) => (unknown(text) ? DASH : grouped(Math.abs(text) >= 100 ? Number(text).toFixed(2) : text)); // sources mean their prices to five digits behind the point
export const quantity = (text) => (unknown(text) ? DASH : grouped(String(text).replace(/\.00$/, "")));
export const many = (number, noun) => `${number} ${noun}${number === 1 ? "" : "s"}`;
export const UNREACHED = "No answer: recio is not reached; it is asked again as soon as it is.";
export const exact = (text) => (unknown(text) ? "unknown" : "$" + text);
export const word = (text) => (unknown(text) ? DASH : String(text).replace(/_/g, " "));

// "halted by the page", and not "halted: halted by the page".
export const inOneWord = (reason) => reason.replace(/^(watched: )?halted: (?=(halted|flattened|stopped) by )/, "$1");
export const sentence = (words) => words.charAt(0).toUpperCase() + words.slice(1);

export function percent(probability) {
  if (unknown(probability)) return DASH;
  if (probability > 0 && probability < 0.0005) return "<0.1%";
  if (probability < 1 && probability >= 0.9995) return ">99.9%";
  return (probability * 100).toFixed(1) + "%";
}

export function age(seconds) {
  if (seconds < 0) return "0.0 s";
  if (seconds < 10) return seconds.toFixed(1) + " s";
  if (seconds < 60) return Math.floor(seconds) + " s";
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return minutes + " m " + pad(seconds % 60) + " s";
  return Math.floor(minutes / 60) + " h " + pad(minutes % 60) + " m";
}

export function countdown(seconds) {
  if (seconds <= 0) return "closed";
  const whole = Math.floor(seconds), hours = Math.floor(whole / 3600);
  const rest = pad((whole % 3600) / 60) + ":" + pad(whole % 60);
  return hours ? hours + ":" + rest : rest;
}

export const pad = (number) => String(Math.floor(number)).padStart(2, "0");

export function utc(time, from = 11) {
  const at = new Date(time);
  return unknown(time) || isNaN(at) ? DASH : at.toISOString().slice(from, 19).replace("T", " ");
}

export const toneOf = (text) => {
  const number = unknown(text) ? 0 : Number(text);
  return number > 0 ? "up" : number < 0 ? "down" : "";
};
