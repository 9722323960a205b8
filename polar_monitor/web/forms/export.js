// Saving a view: its picture as SVG or PNG, its data as CSV.

import { html } from "./svg.js";

const MARGIN = 14; // of a saved picture
const STYLES = ["fill", "fill-opacity", "stroke", "stroke-width", "stroke-dasharray", "stroke-opacity", "opacity", "font-size", "font-weight", "font-family", "visibility"];

// The picture as text that looks the same outside this page: styles of the page become attributes.
export function svgText(picture) {
  const stage = picture.isConnected ? null : html("div", { class: "spoken" }, picture);
  if (stage) document.body.append(stage);
  const copy = picture.cloneNode(true), own = [picture, ...picture.querySelectorAll("*")], copies = [copy, ...copy.querySelectorAll("*")];
  own.forEach((element, i) => {
    const style = getComputedStyle(element);
    for (const name of STYLES) { const value = style.getPropertyValue(name); if (value) copies[i].style.setProperty(name, value); }
  });
  const { width, height } = picture.viewBox.baseVal;
  copy.setAttribute("viewBox", `${-MARGIN} ${-MARGIN} ${width + 2 * MARGIN} ${height + 2 * MARGIN}`);
  copy.setAttribute("width", width + 2 * MARGIN);
  copy.setAttribute("height", height + 2 * MARGIN);
  copy.style.background = getComputedStyle(document.documentElement).getPropertyValue("--card").trim();
  copy.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  stage?.remove();
  return new XMLSerializer().serializeToString(copy);
}

export function csvText(table) {
  const cell = (value) => { const text = value === null || value === undefined ? "" : String(value); return /[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text; };
  return table.map((row) => row.map(cell).join(",")).join("\n") + "\n";
}

function save(name, blob) {
  const link = html("a", { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

function savePng(name, picture) {
  const image = new Image(), [width, height] = [picture.viewBox.baseVal.width, picture.viewBox.baseVal.height].map((size) => size + 2 * MARGIN);
  image.onload = () => {
    const sheet = html("canvas", { width: width * 2, height: height * 2 });
    sheet.getContext("2d").drawImage(image, 0, 0, width * 2, height * 2);
    sheet.toBlob((blob) => save(name, blob));
  };
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(svgText(picture))}`;
}

// Buttons of a view: `picture()` returns its SVG, or null; `table()` its data as rows.
export function exportButtons(name, picture, table) {
  const button = (kind, action) => html("button", { title: `Save as ${kind}`, "aria-label": `Save ${name} as ${kind}`, onclick: action }, kind);
  const list = picture ? [button("SVG", () => save(`${name}.svg`, new Blob([svgText(picture())], { type: "image/svg+xml" }))), button("PNG", () => savePng(`${name}.png`, picture()))] : [];
  return html("span", { class: "exports" }, list, button("CSV", () => save(`${name}.csv`, new Blob([csvText(table())], { type: "text/csv" }))));
}
