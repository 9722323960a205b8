// The tab of TensorBoard: it asks for the runs below the log folder, and again while they are written.

import { html } from "./svg.js";
import { drawPage, keepFitting } from "./page.js";

const POLL_MS = 3000;

const beside = (name) => new URL(name, import.meta.url).href;

function loadUplot() {
  return new Promise((done) => {
    const script = html("script", { src: beside("./uPlot.iife.js") });
    script.onload = script.onerror = done; // without it the picture is drawn by hand
    document.head.append(script);
  });
}

export async function render() {
  const root = html("main", { id: "polar-monitor" }, html("p", { class: "quiet" }, "Reading the runs …"));
  document.head.append(html("link", { rel: "stylesheet", href: beside("./uPlot.min.css") }), html("link", { rel: "stylesheet", href: beside("./style.css") }));
  document.body.append(root);
  await loadUplot();
  let runs = [], seen = "", state;
  const redraw = () => {
    if (runs.length) {
      const place = state && Math.max(runs.findIndex((run) => run.path === state.run.path && run.title === state.run.title), 0);
      state = drawPage(root, runs, { ...state, place: place ?? 0, live: true });
    }
  };
  const say = (text) => root.replaceChildren(html("p", { class: "problem", role: "alert" }, text));
  async function look() {
    try {
      const answer = await (await fetch(beside(`./runs?seen=${encodeURIComponent(seen)}`))).json();
      if (answer.error) { seen = ""; runs = []; say(answer.error); }
      else if (answer.runs) { seen = answer.seen; runs = answer.runs; redraw(); }
    } catch (error) {
      if (!runs.length) say(`TensorBoard does not answer: ${error.message}`);
    }
    setTimeout(look, document.hidden ? 4 * POLL_MS : POLL_MS);
  }
  await look();
  keepFitting(root, redraw);
}
