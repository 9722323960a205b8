// Elements of SVG and HTML, made without markup in strings: names of runs are text and stay text.

const SVG = "http://www.w3.org/2000/svg";

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
  return element;
}

export function svg(tag, attributes, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

export function html(tag, attributes, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

// Text at a place; `anchor` is start, middle or end.
export function label(x, y, text, kind = "", anchor = "start") {
  return svg("text", { x: x.toFixed(1), y: y.toFixed(1), class: kind, "text-anchor": anchor }, text);
}

// An SVG that fills its width, with the hatching of what falls.
export function canvas(width, height, name) {
  const hatch = svg("pattern", { id: "falling", width: 6, height: 6, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" },
    svg("rect", { width: 6, height: 6, class: "falling" }), svg("rect", { width: 2, height: 6, class: "hatch" }));
  const dots = svg("pattern", { id: "gone", width: 4, height: 4, patternUnits: "userSpaceOnUse" },
    svg("rect", { width: 4, height: 4, class: "gone" }), svg("circle", { cx: 2, cy: 2, r: 0.8, class: "speck" }));
  return svg("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": name }, svg("defs", {}, hatch, dots));
}

// The path of an area between a base line and points [x, y]; null is a gap.
export function area(points, base) {
  let path = "", run = [];
  const close = () => {
    if (run.length > 1) path += `M${run[0][0]},${base}L${run.map((p) => p.join(",")).join("L")}L${run.at(-1)[0]},${base}Z`;
    run = [];
  };
  for (const point of points) point === null ? close() : run.push(point);
  close();
  return path;
}

// The path of a line through points [x, y]; null is a gap.
export function polyline(points) {
  let path = "", pen = "M";
  for (const point of points) {
    if (point === null) pen = "M";
    else { path += `${pen}${point[0]},${point[1]}`; pen = "L"; }
  }
  return path;
}
