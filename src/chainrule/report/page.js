"use strict";
// The page is complete without this. It reads out what is below the pointer or the arrow keys, lets the arrows move
// among the cells of a matrix, and notes which scale is shown. The place that the keys chose stands in data-at, so that
// a figure that is drawn anew can go on from it.

// Make everything below a root interactive: all of the page, or a section that was put in later.
function enhance(root) {
  for (const figure of root.querySelectorAll(".cr-figure")) {
    const box = figure.querySelector("input[data-log-of]");
    box?.addEventListener("change", () => (figure.dataset.scale = box.checked ? "log" : "linear"));
    const drawings = figure.querySelectorAll("svg[data-box]");
    const cells = [...figure.querySelectorAll("svg [role=button]")];
    if (!drawings.length && !cells.length) continue;
    const out = document.createElement("output");
    out.setAttribute("aria-live", "off");
    figure.querySelector("svg:last-of-type").after(out);
    cells.length ? matrix(figure, out) : drawings.forEach((drawing) => plot(figure, drawing, out));
  }
  for (const hint of root.querySelectorAll("[data-scripted]")) hint.hidden = false;
  move(root);
}

// Cells are looked up when they are needed: the time cursor swaps them.
function matrix(figure, out) {
  const width = +figure.querySelector("[data-cells]").dataset.cells;
  const cells = () => [...figure.querySelectorAll("svg [role=button]")];
  let chosen = -1;
  const choose = (cell) => {
    for (const one of cells()) one.setAttribute("tabindex", one === cell ? 0 : -1);
    chosen = cells().indexOf(cell);
    out.textContent = cell.querySelector("title").textContent;
    figure.dispatchEvent(new CustomEvent("chosen", { detail: chosen }));
  };
  for (const kind of ["click", "focusin"]) {
    figure.addEventListener(kind, (event) => {
      const cell = event.target.closest("svg [role=button]");
      if (cell) choose(cell);
    });
  }
  figure.addEventListener("moved", () => chosen >= 0 && choose(cells()[chosen]));
  figure.addEventListener("keydown", (event) => {
    const cell = event.target.closest("svg [role=button]");
    if (!cell) return;
    const i = cells().indexOf(cell);
    const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -width, ArrowDown: width }[event.key];
    const sideways = Math.abs(step) === 1 && Math.floor(i / width) !== Math.floor((i + step) / width);
    if (step && !sideways && cells()[i + step]) (cells()[i + step].focus(), event.preventDefault());
    if (event.key === "Enter" || event.key === " ") (choose(cell), event.preventDefault());
  });
}

// Long curves are packed.
async function unpackCurves(curves) {
  for (const one of curves) {
    const values = new Float32Array((await unpack(one.packed)).buffer);
    one.y = Array.from(values, (v) => (Number.isFinite(v) ? v : null));
    one.x = one.y.map((_, i) => one.first + i * one.each);
  }
}

async function plot(figure, drawing, out) {
  const data = JSON.parse(figure.querySelector("script[data-for]").textContent);
  if (!data.series) return;
  const long = data.series.filter((one) => one.packed);
  if (data.kind === "line" && (long.length || data.series.some((one) => one.x.length))) drawing.setAttribute("tabindex", "0");
  if (long.length) await unpackCurves(long); // all else is done at once, so that a drawing can be focused right away
  const [left, top, width, height] = drawing.dataset.box.split(" ").map(Number);
  const axis = (ends, start, length) => {
    const [low, high, kind] = ends.split(" ");
    return (v) => start + (((kind === "log" ? Math.log10(v) : v) - low) / (high - low)) * length;
  };
  const x = (v) => axis(drawing.dataset.x, left, width)(v); // looked up each time: zooming changes them
  const y = (v) => axis(drawing.dataset.y, top + height, -height)(v);
  const plain = (v, digits) =>
    Math.abs(v) >= 1000 ? Math.round(v).toLocaleString("en")
    : v && Math.abs(v) < 1e-4 ? v.toExponential(3)
    : String(Number(v.toPrecision(digits)));
  const write = (v) => (data.percent ? `${(100 * v).toFixed(2)} %` : plain(v, 4));
  const place = (v) => plain(v, 6);
  const points = data.series.flatMap((s) =>
    s.x.map((v, i) => ({ v, w: s.y[i], name: s.name, text: s.text?.[i] })).filter((p) => p.w !== null),
  );
  const line = data.kind === "line";
  const of = data.series.map((s) => points.filter((p) => p.name === s.name));
  const places = [...new Set(points.map((p) => p.v))].sort((a, b) => a - b);
  const cross = document.createElementNS("http://www.w3.org/2000/svg", "path");
  cross.setAttribute("stroke", "currentColor");
  cross.setAttribute("fill", "none");
  drawing.append(cross);
  let at = places.length - 1;

  const show = (v, near) => {
    const here = line ? of.map((some) => nearest(some, (p) => Math.abs(p.v - v))) : [near];
    out.textContent = line
      ? `${data.x} ${place(v)}: ${here.filter(Boolean).map((p) => `${p.name} ${write(p.w)}`).join(", ")}`
      : (near.text ?? `${data.x} ${place(near.v)}, ${data.y} ${write(near.w)}`);
    const dots = here.filter(Boolean).map((p) => `M${x(p.v) - 3} ${y(p.w)}a3 3 0 1 0 6 0a3 3 0 1 0-6 0`);
    cross.setAttribute("d", dots.join("") + (line ? `M${x(v)} ${top}v${height}` : ""));
  };
  drawing.addEventListener("pointermove", (event) => {
    out.setAttribute("aria-live", "off"); // read aloud is what the keys choose
    const here = new DOMPoint(event.clientX, event.clientY).matrixTransform(drawing.getScreenCTM().inverse());
    const near = nearest(points, (p) => (line ? 0 : (y(p.w) - here.y) ** 2) + (x(p.v) - here.x) ** 2);
    if (near) show(near.v, near);
  });
  drawing.addEventListener("pointerleave", () => (cross.removeAttribute("d"), (out.textContent = "")));
  drawing.addEventListener("zoomed", () => cross.removeAttribute("d"));
  if (!line || !places.length) return;
  zoom(drawing, data);
  drawing.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step) return;
    out.setAttribute("aria-live", "polite");
    at = Math.min(places.length - 1, Math.max(0, at + step));
    drawing.dataset.at = places[at];
    event.preventDefault();
    show(places[at]);
  });
  if (drawing.dataset.at === undefined) return;
  at = places.indexOf(nearest(places, (v) => Math.abs(v - drawing.dataset.at)));
  show(places[at]);
}

function nearest(points, distance) {
  let best = null;
  let least = Number.MAX_VALUE;
  for (const point of points) {
    const d = distance(point);
    if (d < least) [best, least] = [point, d];
  }
  return best;
}
