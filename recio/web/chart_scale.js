// Scales, ticks and runs of the charts: numbers in, numbers out; it draws nothing and knows no figure's meaning.
"use strict";

const SECONDS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800, 604800, 1209600, 2592000, 7776000, 15552000, 31536000];

export const scale = (from, to, start, end) => (value) => start + ((value - from) / (to - from || 1)) * (end - start);

// Round figures within [low, high], at most `most` of them: steps of 1, 2 or 5 times a power of ten.
export function ticks(low, high, most) {
  const span = high - low;
  if (!(span > 0) || most < 1) return [low];
  const power = 10 ** Math.floor(Math.log10(span / most));
  const step = [1, 2, 5, 10, 20].map((each) => each * power).find((each) => Math.floor(high / each + 1e-9) - Math.ceil(low / each - 1e-9) < most);
  const first = Math.ceil(low / step - 1e-9), count = Math.floor(high / step + 1e-9) - first;
  return Array.from({ length: count + 1 }, (_, index) => Number(((first + index) * step).toPrecision(12)));
}

// Unix seconds that are round in UTC, at most `most` of them.
export function timeTicks(from, to, most) {
  const step = SECONDS.find((each) => (to - from) / each < most) ?? SECONDS.at(-1), first = Math.ceil(from / step) * step;
  return Array.from({ length: Math.max(0, Math.floor((to - first) / step) + 1) }, (_, index) => first + index * step);
}

// As fine as the distance between ticks asks for.
export function timeText(second, apart) {
  const at = new Date(second * 1000).toISOString();
  return apart >= 86400 ? at.slice(5, 10) : apart >= 60 ? at.slice(11, 16) : at.slice(11, 19);
}

export const decimalsFor = (step) => Math.max(0, Math.min(8, -Math.floor(Math.log10(step) + 1e-9)));

// [low, high] around the known values with some room.
export function around(values) {
  const known = values.filter((each) => each !== null && Number.isFinite(each));
  if (!known.length) return [0, 1];
  const low = Math.min(...known), high = Math.max(...known), span = high - low || Math.abs(high) * 0.001 || 1, middle = (low + high) / 2;
  return [middle - span * 0.58, middle + span * 0.58];
}

// Points without a gap: a new run begins after an unknown value or after more than `longest` seconds.
export function runs(at, values, longest) {
  const found = [];
  let last = null;
  at.forEach((second, index) => {
    const value = values[index];
    if (value === null || value === undefined) { last = null; return; }
    if (last === null || second - last > longest) found.push([]);
    found.at(-1).push([second, value]);
    last = second;
  });
  return found;
}

// Seconds between two points, as usual: the middle of all distances; 0 for fewer than two.
export function spacing(at) {
  const distances = at.slice(1).map((each, index) => each - at[index]).sort((a, b) => a - b);
  return distances[distances.length >> 1] ?? 0;
}

// Of ascending numbers the index of the one nearest to `wanted`; -1 for none.
export function nearest(sorted, wanted) {
  let low = 0, high = sorted.length - 1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (sorted[middle] <= wanted) low = middle;
    else high = middle;
  }
  return high < 0 ? -1 : Math.abs(sorted[low] - wanted) <= Math.abs(sorted[high] - wanted) ? low : high;
}

// Labels that would lie on each other are left out; the first ones stay. `places` are pixels, in order of weight.
export function apart(places, distance) {
  const kept = [];
  return places.map((place) => {
    const fits = kept.every((each) => Math.abs(each - place) >= distance);
    if (fits) kept.push(place);
    return fits;
  });
}
