// Scales, ticks and the text of numbers.

export function linear(from, to, start, end) {
  const span = to - from || 1;
  return (value) => Math.round((start + ((value - from) / span) * (end - start)) * 10) / 10;
}

// Round numbers between two ends, about `count` of them.
export function ticks(from, to, count) {
  if (!(to > from)) return [from];
  const rough = (to - from) / count, power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((m) => m * power).find((size) => (to - from) / size <= count);
  const list = [];
  for (let k = Math.ceil(from / step - 1e-9); k * step <= to + step * 1e-9; k++) list.push(Number((k * step).toPrecision(12)));
  return list;
}

export const whole = (value) => Math.round(value).toLocaleString("en-US");

export function nats(value) {
  if (value === null || value === undefined || Number.isNaN(value)) return "–";
  return Math.abs(value) >= 0.005 || value === 0 ? value.toFixed(2) : "<0.01";
}

// A number with three digits, for axes and tables of any range.
export function short(value) {
  if (value === null || value === undefined) return "–";
  if (value === 0) return "0";
  const size = Math.abs(value);
  const text = size >= 0.001 && size < 1e5 ? String(Number(value.toPrecision(3))) : value.toExponential(1).replace("e+", "e");
  return text.replaceAll("-", "−");
}

// Place of the last of sorted numbers that is at most `value`, or 0.
export function placeOf(sorted, value) {
  let low = 0, high = sorted.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (sorted[middle] <= value) low = middle; else high = middle - 1;
  }
  return low;
}

// Place of the nearest of sorted numbers.
export function nearest(sorted, value) {
  const at = placeOf(sorted, value);
  return at + 1 < sorted.length && sorted[at + 1] - value < value - sorted[at] ? at + 1 : at;
}

// Places at least `gap` apart and near the given ones, between two ends: for the names at the ends of lines.
export function spread(places, gap, low, high) {
  const order = places.map((place, i) => [place, i]).sort((a, b) => a[0] - b[0]), result = [];
  let last = -Infinity;
  for (const [place, i] of order) { last = Math.max(place, last + gap, low); result[i] = last; }
  let bound = high;
  for (const [, i] of order.reverse()) { result[i] = Math.min(result[i], bound); bound = result[i] - gap; }
  return result;
}
