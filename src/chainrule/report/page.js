"use strict";
// Unpacks Plotly, which travels in this file, and draws the figures in the colours of the style sheet.
(async () => {
  const read = (id) => document.getElementById(id).textContent.trim();
  const figures = JSON.parse(read("figures"));
  const places = [...document.querySelectorAll("[data-figure]")];
  const done = () => (document.documentElement.dataset.drawn = places.length);
  if (!places.length) return done();
  try {
    const bytes = Uint8Array.from(atob(read("plotly")), (c) => c.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    const script = document.createElement("script");
    script.textContent = await new Response(stream).text();
    document.head.append(script);
  } catch {
    for (const place of places) place.textContent = "This browser is too old to draw the figures (2023 or newer draws them).";
    return;
  }

  const style = () => getComputedStyle(document.documentElement);
  const coloured = (value, css) => {
    if (typeof value === "string") return value.startsWith("--") ? css.getPropertyValue(value).trim() : value;
    if (Array.isArray(value)) return value.map((v) => coloured(v, css));
    if (value && typeof value === "object")
      return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, coloured(v, css)]));
    return value;
  };
  const config = {
    responsive: true,
    displaylogo: false,
    displayModeBar: false,
    scrollZoom: false,
    doubleClick: "reset",
    showTips: false,
  };
  const touch = matchMedia("(pointer: coarse)").matches; // there, a finger on a figure scrolls the page

  const draw = (place) => {
    const figure = coloured(figures[place.dataset.figure], style());
    if (!touch) figure.layout.dragmode = "zoom";
    const axis = figure.layout.yaxis;
    if (place.dataset.log === "true") {
      Object.assign(axis, { type: "log", dtick: "D1", exponentformat: "power" });
      const span = figure.data.flatMap((t) => t.y).filter((v) => v > 0);
      if (Math.max(...span) / Math.min(...span) > 30) axis.dtick = 1;
    }
    return Plotly.react(place, figure.data, figure.layout, config);
  };
  const drawAll = () => Promise.all(places.map(draw));
  await drawAll();
  done();

  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
  for (const box of document.querySelectorAll("input[data-log-of]"))
    box.addEventListener("change", () => {
      const place = places.find((p) => p.dataset.figure === box.dataset.logOf);
      place.dataset.log = box.checked;
      draw(place);
    });

  const paper = (on) => {
    document.documentElement.toggleAttribute("data-paper", on);
    for (const place of places) Plotly.Plots.resize(place);
    drawAll();
  };
  addEventListener("beforeprint", () => paper(true));
  addEventListener("afterprint", () => paper(false));
})();
