// What all views of one run share: the step under the cursor and the chosen dimension.

export function makeState(run) {
  const listeners = [];
  let waiting = false;
  const state = {
    run,
    step: null, // null: the newest evaluation
    selected: null,
    histogramsSeen: false, // they are read and drawn when their view is first scrolled to
    listen: (listener) => listeners.push(listener),
    setStep(step) { if (step !== state.step) { state.step = step; changed(); } },
    select(dimension) { state.selected = dimension === state.selected ? null : dimension; changed(); },
  };
  // Many events of the mouse in one frame are one redrawing.
  function changed() {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => { waiting = false; for (const listener of listeners) listener(state); });
  }
  return state;
}
