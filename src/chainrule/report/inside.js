// The time cursor: one slider for all that was recorded at steps of training. Frames were drawn, and shades chosen, in
// Python; here they are only shown.
const cursor = document.querySelector("#cursor");
let places = [];

async function unpack(text) {
  const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}
const unpackJson = async (script) => JSON.parse(new TextDecoder().decode(await unpack(script.textContent)));

async function unpackMaps(script) {
  const [frames, count, height, width] = script.dataset.maps.split(" ").map(Number);
  const shades = await unpack(script.textContent);
  const size = count * height * width;
  for (let i = size; i < shades.length; i++) shades[i] += shades[i - size]; // undo the differences between frames,
  for (let i = 0; i < shades.length; i++) if (i % width) shades[i] += shades[i - 1]; // then those along each line
  const colours = Uint8ClampedArray.from(script.dataset.colours.match(/../g), (hex) => parseInt(hex, 16));
  return { frames, count, height, width, shades, colours };
}

function painted({ count, height, width, shades, colours }, frame, map) {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [width, height];
  const pixels = new ImageData(width, height);
  const start = (frame * count + map) * height * width;
  for (let i = 0; i < height * width; i++) {
    pixels.data.set(colours.subarray(4 * shades[start + i], 4 * shades[start + i] + 4), 4 * i);
  }
  canvas.getContext("2d").putImageData(pixels, 0, 0);
  return canvas.toDataURL();
}

// What a figure has to show is unpacked when the slider is first moved.
async function contentOf(figure) {
  const content = await unpackJson(figure.querySelector("script[data-steps]"));
  return { ...content, maps: await Promise.all([...figure.querySelectorAll("script[data-maps]")].map(unpackMaps)) };
}

async function showAt(figure, step) {
  const at = Math.max(0, figure.steps.findLastIndex((one) => one <= step));
  if (figure.at === at) return;
  figure.at = at;
  const { texts, frames, places, maps } = await (figure.content ??= contentOf(figure));
  if (figure.at !== at) return; // the slider went on meanwhile
  if (texts.length) figure.querySelector(".cr-now").textContent = texts[at];
  if (frames.length) {
    const focused = [...figure.querySelectorAll("[data-frame] [role=button]")].indexOf(document.activeElement);
    figure.querySelector("[data-frame]").innerHTML = frames[at];
    if (focused >= 0) figure.querySelectorAll("[data-frame] [role=button]")[focused].focus();
  }
  if (maps.length) {
    const drawn = maps.flatMap((some) => Array.from({ length: some.count }, (_, map) => painted(some, at, map)));
    for (const image of figure.querySelectorAll("image[data-map]")) image.setAttribute("href", drawn[image.dataset.map]);
  }
  if (places.length) for (const drawing of figure.querySelectorAll("svg[data-box]")) upright(drawing, places[at]);
  figure.dispatchEvent(new Event("moved"));
}

function upright(drawing, value) {
  drawing.upright = value;
  const [left, top, width, height] = drawing.dataset.box.split(" ").map(Number);
  const [low, high, kind] = drawing.dataset.x.split(" ");
  const x = left + (((kind === "log" ? Math.log10(value) : value) - low) / (high - low)) * width;
  let line = drawing.querySelector(".cr-at");
  if (!line) {
    line = document.createElementNS("http://www.w3.org/2000/svg", "path");
    line.setAttribute("class", "cr-at");
    drawing.append(line);
    drawing.addEventListener("zoomed", () => upright(drawing, drawing.upright));
  }
  line.setAttribute("d", x >= left - 1 && x <= left + width + 30 ? `M${x} ${top}v${height}` : "");
}

function show(at) {
  const slider = cursor.querySelector("input");
  const step = places[at] ?? 0;
  const text = `step ${step.toLocaleString("en")} (${Number((step / cursor.dataset.each).toPrecision(3))} epochs)`;
  slider.value = at;
  slider.setAttribute("aria-valuetext", text);
  cursor.querySelector("output").textContent = text;
  cursor.dataset.step = step;
  return Promise.all([...document.querySelectorAll(".cr-figure")].filter((one) => one.steps).map((one) => showAt(one, step)));
}

// Takes up what moves inside of `root`: the whole page, or a section that was replaced.
function move(root) {
  if (!cursor) return;
  for (const script of root.querySelectorAll("script[data-steps]")) {
    const figure = script.closest(".cr-figure");
    figure.steps = JSON.parse(script.dataset.steps);
    figure.at = figure.steps.length - 1; // as it was drawn
    if (figure.querySelector("script[data-maps]")) enlarge(figure);
  }
  for (const rows of root.querySelectorAll(".rows-of-cells")) listRows(rows);
  const slider = cursor.querySelector("input");
  const wasLast = !places.length || Number(slider.value) === places.length - 1;
  const step = places[slider.value];
  const figures = [...document.querySelectorAll(".cr-figure")].filter((one) => one.steps);
  places = [...new Set(figures.flatMap((one) => one.steps))].sort((a, b) => a - b);
  cursor.hidden = places.length < 2;
  slider.max = places.length - 1;
  show(wasLast ? places.length - 1 : Math.max(0, places.findLastIndex((one) => one <= step)));
}

if (cursor) {
  const slider = cursor.querySelector("input");
  const play = cursor.querySelector("button");
  let timer = null;
  const stop = () => {
    clearInterval(timer);
    timer = null;
    play.textContent = "Play";
  };
  slider.addEventListener("input", () => (stop(), show(Number(slider.value))));
  play.addEventListener("click", () => {
    if (timer) return stop();
    play.textContent = "Stop";
    if (Number(slider.value) === places.length - 1) show(0);
    timer = setInterval(() => {
      if (Number(slider.value) === places.length - 1) return stop();
      show(Number(slider.value) + 1);
    }, matchMedia("(prefers-reduced-motion: reduce)").matches ? 1000 : 200);
  });
}

// The map that is chosen is shown large.
function enlarge(figure) {
  const [large, ...small] = figure.querySelectorAll("image[data-map]");
  figure.addEventListener("chosen", (event) => {
    large.dataset.map = event.detail;
    large.setAttribute("href", small[event.detail].getAttribute("href"));
  });
}

// The rows of the cell that was chosen in the matrix before.
function listRows(place) {
  const figure = document.querySelector("#figure-confusion-by-epoch");
  const script = place.querySelector("script[data-rows]");
  if (!figure || !script) return;
  let content = null;
  let cell = null;
  const list = async () => {
    if (cell === null) return;
    const { classes, epochs, numbers, truths, answers, since, what, part } = await (content ??= unpackJson(script));
    const [right, answered] = [Math.floor(cell / classes.length), cell % classes.length];
    const atCursor = answers[figure.at];
    const chosen = numbers.map((_, i) => i).filter((i) => truths[i] === right && atCursor[i] === answered);
    chosen.sort((a, b) => !what[a] - !what[b]); // first those that were kept as they came
    const heading = document.createElement("p");
    heading.className = "about";
    const [one, many] = [chosen.length === 1 ? "row" : "rows", Math.min(chosen.length, 24)];
    heading.textContent = `${chosen.length} ${part} ${one} of “${classes[right]}” answered “${classes[answered]}” in epoch ` +
      `${epochs[figure.at]}${chosen.length > many ? `; the first ${many}:` : chosen.length ? ":" : "."}`;
    const cards = document.createElement("ul");
    cards.className = "cards";
    for (const i of chosen.slice(0, many)) {
      const card = document.createElement("li");
      card.innerHTML = what[i];
      const words = document.createElement("div");
      words.textContent = `row ${numbers[i]}, so since epoch ${since[figure.at][i]}`;
      card.append(words);
      cards.append(card);
    }
    place.replaceChildren(heading, cards, script);
  };
  figure.addEventListener("chosen", (event) => ((cell = event.detail), list()));
  figure.addEventListener("moved", list);
}

window.chainrule = {
  state: () => ({ step: cursor ? Number(cursor.dataset.step) : null, steps: places.length }),
  show: (step) => show(Math.max(0, places.findLastIndex((one) => one <= step))),
  contentOf: (name) => contentOf(document.querySelector(`#figure-${name}`)),
};
enhance(document);
