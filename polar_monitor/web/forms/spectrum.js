// Spectrum: nats of the dimensions by rank on a log axis. The gap across the band between the cuts is the regime.

import { canvas, html, label, polyline, svg } from "./svg.js";
import { linear, short, spread, ticks } from "./scale.js";

const FLOOR = 1e-4, SYMBOLS = ["M0,-4a4,4 0 1 0 .01,0z", "M-4,-4h8v8h-8z", "M0,-5l5,9h-10z", "M0,-5.5l5.5,5.5l-5.5,5.5l-5.5,-5.5z"];

export function spectrum(runs, state, width) {
  const high = 300, left = 62, right = runs.length > 1 ? 110 : 16, bottom = high - 36;
  const deepest = Math.max(...runs.map((run) => run.dimensions)), most = Math.max(1, ...runs.map((run) => run.spectrum.nats[0] ?? 0));
  const many = deepest > 30, rankAxis = many ? linear(0, Math.log10(deepest), left + 10, width - right) : linear(1, Math.max(deepest, 2), left + 10, width - right);
  const x = (rank) => rankAxis(many ? Math.log10(rank) : rank), ranks = many ? [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000].filter((rank) => rank <= deepest) : ticks(1, deepest, 8).filter(Number.isInteger);
  const y = linear(Math.log10(FLOOR), Math.log10(most * 1.3), bottom, 18);
  const level = (value) => y(Math.log10(Math.max(value, FLOOR)));
  const picture = canvas(width, high, `Nats of the dimensions by rank: ${runs.map((run) => run.title).join(", ")}`);
  const [low, up] = runs[0].cuts;
  picture.append(svg("rect", { x: left, y: level(up), width: width - right - left + 10, height: level(low) - level(up), class: "band" }),
    label(width - right, level(low) - 5, `between the cuts, ${low} to ${up}`, "region", "end"),
    ...[-4, -3, -2, -1, 0].flatMap((e) => [svg("path", { d: `M${left},${y(e)}H${width - right + 10}`, class: "rule" }), label(left - 8, y(e) + 4, e === -4 ? "≤0.0001" : short(10 ** e), "axis", "end")]),
    ...ranks.map((rank) => label(x(rank), bottom + 16, String(rank), "axis", "middle")),
    label(width - right, high - 4, many ? "rank of the dimension (log)" : "rank of the dimension", "axis", "end"));
  const ends = [];
  runs.forEach((run, k) => {
    const { nats, dimensions } = run.spectrum, points = nats.map((v, i) => (v === null ? null : [x(i + 1), level(v)]));
    const dots = points.slice(0, deepest > 150 ? 40 : undefined).map((point, i) => point && svg("path", { d: SYMBOLS[k % 4], transform: `translate(${point})`, class: "symbol", "data-dimension": dimensions[i], onclick: () => state.select(dimensions[i]) },
      svg("title", {}, `${run.title}: rank ${i + 1} is dim ${dimensions[i]}, ${short(nats[i])} nats`)));
    const group = svg("g", { class: `series s${k % 8}` }, svg("path", { d: polyline(points), class: "line" }), dots);
    const last = points.filter(Boolean).at(-1);
    if (runs.length > 1 && last) ends.push([group, last, run.title.length > 15 ? `${run.title.slice(0, 14)}…` : run.title]);
    picture.append(group);
  });
  // names that would lie on each other are moved apart; those of runs with fewer dimensions stand elsewhere
  for (const group of new Set(ends.map(([, last]) => Math.round(last[0] / 100)))) {
    const near = ends.filter(([, last]) => Math.round(last[0] / 100) === group), places = spread(near.map(([, last]) => last[1] + 4), 13, 14, bottom + 6);
    near.forEach(([series, last, name], k) => series.append(label(last[0] + 12, places[k], name, "seriesname")));
  }
  const holder = html("div", {}, picture);
  state.listen(() => { for (const dot of holder.querySelectorAll(".symbol")) dot.classList.toggle("selected", Number(dot.dataset.dimension) === state.selected); });
  return holder;
}

export function spectrumTable(runs) {
  return [["run", "rank", "dimension", "nats"], ...runs.flatMap((run) => run.spectrum.nats.map((v, i) => [run.title, i + 1, run.spectrum.dimensions[i], v]))];
}
