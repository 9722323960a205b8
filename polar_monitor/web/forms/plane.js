// The split plane: variance of the mean against mean noise variance, on log axes, with trails and a step slider.

import { canvas, html, label, polyline, svg } from "./svg.js";
import { linear, nearest, short, ticks, whole } from "./scale.js";

const SIZE = 460, HIGH = 372, LEFT_OF_PLANE = 58, BOTTOM_OF_PLANE = 322, SHAPES = { "in use": "M0,-5.5a5.5,5.5 0 1 0 .01,0z", fading: "M0,-7l7,7l-7,7l-7,-7z", lost: "M-5,-5l10,10m0,-10l-10,10", "taken over": "M-4,-4h8v8h-8z", undecided: "M0,-5l5,9h-10z" };

export function plane(state, width) {
  const run = state.run, data = run.plane;
  if (!data) return html("p", { class: "quiet" }, run.unit === "nats" ? "The variances are in the log, which is not on this machine: no plane of mean and noise." : "This latent has no variance, so there is no plane of mean and noise.");
  const rows = new Map(run.lifelines.map((row) => [row.dimension, row]));
  const [x0, x1] = extent(data.mean, -4, 1), [y0, y1] = extent(data.noise, -2, 0.3);
  const x = linear(x0, x1, LEFT_OF_PLANE, SIZE - 14), y = linear(y0, y1, BOTTOM_OF_PLANE, 26);
  const picture = canvas(SIZE, HIGH, "Variance of the mean against the mean noise variance of each dimension");
  const power = (e) => (e === 0 ? "1" : e === 1 ? "10" : `10${[...String(e)].map((c) => "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"["-0123456789".indexOf(c)]).join("")}`);
  const marks = (low, high) => ticks(low, high, 7).filter(Number.isInteger);
  picture.append(svg("rect", { x: LEFT_OF_PLANE, y: 26, width: SIZE - 14 - LEFT_OF_PLANE, height: BOTTOM_OF_PLANE - 26, class: "frame" }),
    ...marks(x0, x1).flatMap((e) => [svg("path", { d: `M${x(e)},26V${BOTTOM_OF_PLANE}`, class: "rule" }), label(x(e), BOTTOM_OF_PLANE + 16, power(e), "axis", "middle")]),
    ...marks(y0, y1).flatMap((e) => [svg("path", { d: `M${LEFT_OF_PLANE},${y(e)}H${SIZE - 14}`, class: "rule" }), label(LEFT_OF_PLANE - 8, y(e) + 4, power(e), "axis", "end")]),
    label(LEFT_OF_PLANE, 14, "mean noise variance, E σ²", "axis"), label(SIZE - 14, HIGH - 14, "variance of the mean, Var μ", "axis", "end"),
    label(LEFT_OF_PLANE + 8, 42, "out of use: like the prior", "region"), label(SIZE - 22, BOTTOM_OF_PLANE - 10, "in use: means differ, noise is small", "region", "end"));
  const busy = new Set(run.folded.filter((group) => group.state === "in use").flatMap((group) => group.dimensions));
  const trails = svg("g", { class: "trails" }), dots = svg("g", { class: "dots" });
  picture.append(trails, dots);
  const points = data.dimensions.map((dimension, k) => {
    const row = rows.get(dimension), at = data.mean[k].map((v, i) => (v === null || data.noise[k][i] === null ? null : [x(Math.max(v, x0)), y(Math.max(data.noise[k][i], y0))]));
    const dot = row ? svg("path", { d: SHAPES[row.state] }) : svg("circle", { r: 2.6 });
    const name = row ? label(9, 4, String(dimension), "dotname") : null, trail = row ? svg("path", { class: `trail ${row.state.replace(" ", "-")}` }) : null;
    const group = svg("g", { class: `dot ${row ? row.state.replace(" ", "-") : busy.has(dimension) ? "folded in-use" : "folded"}`, onclick: () => state.select(dimension) }, svg("title", {}, `dim ${dimension}`), dot, name);
    if (trail) trails.append(trail);
    return { dimension, at, group, trail, name, k };
  });
  dots.append(...points.filter((p) => !p.trail).map((p) => p.group), ...points.filter((p) => p.trail).reverse().map((p) => p.group));
  const slider = html("input", { type: "range", min: 0, max: run.frames.length - 1, value: run.frames.length - 1, "aria-label": "Step of the plane", oninput: () => state.setStep(run.frames[slider.value]) });
  const caption = html("output", {});
  let shown = -1;
  function update() {
    const frame = state.step === null ? run.frames.length - 1 : nearest(run.frames, state.step);
    if (Number(slider.value) !== frame) slider.value = frame;
    if (frame !== shown) {
      const taken = [];
      for (const { at, group, trail, name, dimension, k } of points) {
        const place = at[frame];
        group.setAttribute("visibility", place ? "visible" : "hidden");
        if (!place) continue;
        group.setAttribute("transform", `translate(${place})`);
        group.firstChild.textContent = `dim ${dimension}: Var μ ${short(10 ** data.mean[k][frame])}, E σ² ${short(10 ** data.noise[k][frame])}`;
        if (trail) trail.setAttribute("d", polyline(at.slice(0, frame + 1)));
        if (name) {
          let dy = 4;
          while (taken.some(([a, b]) => Math.abs(a - place[0]) < 22 && Math.abs(b - place[1] - dy) < 11) && dy < 40) dy += 11;
          name.setAttribute("visibility", dy < 20 ? "inherit" : "hidden"); // too far from its point to be its name
          if (dy < 20) taken.push([place[0], place[1] + dy]);
          name.setAttribute("y", dy);
        }
      }
      shown = frame;
    }
    caption.textContent = `step ${whole(run.frames[frame])}`;
    slider.setAttribute("aria-valuetext", caption.textContent);
    for (const { group, dimension, trail } of points) { group.classList.toggle("selected", dimension === state.selected); trail?.classList.toggle("selected", dimension === state.selected); }
  }
  update();
  state.listen(update);
  return html("div", { class: "plane" }, picture, html("label", { class: "slider" }, slider, caption));
}

function extent(curves, low, high) {
  for (const curve of curves) for (const v of curve) if (v !== null) { if (v < low) low = v; if (v > high) high = v; }
  return [Math.max(Math.floor(low - 0.25), -8), Math.min(high > 0.3 ? Math.ceil(high) : high, 6)];
}

export function planeTable(run) {
  if (!run.plane) return [["step"]];
  const table = [["step", "dimension", "log10 Var μ", "log10 E σ²"]];
  run.frames.forEach((step, i) => run.plane.dimensions.forEach((j, k) => table.push([step, j, run.plane.mean[k][i], run.plane.noise[k][i]])));
  return table;
}
