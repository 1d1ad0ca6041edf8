// A curve is drawn anew for the stretch that is chosen: by dragging, or by + and -; Escape shows all of it again.
function zoom(drawing, data) {
  const still = drawing.querySelector("[data-still]");
  if (!still) return;
  const [left, top, width, height] = drawing.dataset.box.split(" ").map(Number);
  const whole = { x: drawing.dataset.x, y: drawing.dataset.y };
  const [kindOfX, kindOfY] = [whole.x.split(" ")[2], whole.y.split(" ")[2]];
  const ends = whole.x.split(" ").slice(0, 2).map(Number);
  const along = (v) => (kindOfX === "log" ? Math.log10(v) : v);
  const up = (v) => (kindOfY === "log" ? Math.log10(v) : v);
  let shown = ends;
  const made = part("g", {});
  drawing.append(made);

  function reset() {
    shown = ends;
    made.replaceChildren();
    still.style.display = "";
    Object.assign(drawing.dataset, whole);
    drawing.dispatchEvent(new Event("zoomed"));
  }

  function choose(low, high) {
    [low, high] = [Math.max(low, ends[0]), Math.min(high, ends[1])];
    if (high - low >= 0.999 * (ends[1] - ends[0])) return reset();
    const curves = data.series.map((one) => {
      const points = [];
      for (let i = 0; i < one.x.length; i++) {
        const [a, b] = [along(one.x[i]), one.y[i] === null ? NaN : up(one.y[i])];
        if (a >= low && a <= high && Number.isFinite(b)) points.push([a, b]);
      }
      return { name: one.name, points };
    });
    const values = curves.flatMap((one) => one.points.map((p) => p[1]));
    if (!values.length) return;
    let [least, most] = values.reduce(([a, b], v) => [Math.min(a, v), Math.max(b, v)], [Infinity, -Infinity]);
    const room = 0.06 * (most - least) || Math.abs(most) / 2 || 1;
    [least, most] = [least - room, most + room];
    shown = [low, high];
    const x = (v) => left + ((v - low) / (high - low)) * width;
    const y = (v) => top + height - ((v - least) / (most - least)) * height;
    const pieces = [];
    for (const v of ticks(least, most, 6)) {
      pieces.push(part("path", { d: `M${left} ${y(v)}h${width}`, class: "cr-grid" }));
      pieces.push(part("text", { x: left - 4, y: y(v) + 3.5, "text-anchor": "end" }, written(v, kindOfY, most - least, data.percent)));
    }
    for (const v of ticks(low, high, 6)) {
      pieces.push(part("path", { d: `M${x(v)} ${top + height}v3`, class: "cr-grid" }));
      pieces.push(part("text", { x: x(v), y: top + height + 13, "text-anchor": "middle" }, written(v, kindOfX, high - low)));
    }
    for (const { name, points } of curves) {
      const like = [...drawing.querySelectorAll("[data-of]")].find((one) => one.dataset.of === name) ?? still;
      const drawn = like.querySelectorAll("path");
      const old = drawn[drawn.length - 1];
      const columns = points.length > 320 ? extremes(points, low, high) : points;
      pieces.push(part("path", {
        d: columns.map(([a, b], i) => `${i ? "L" : "M"}${x(a).toFixed(1)} ${y(b).toFixed(1)}`).join(""),
        fill: "none", stroke: old?.getAttribute("stroke") ?? "currentColor", "stroke-linejoin": "round",
        "stroke-width": points.length > 320 ? 0.9 : 1.8, "stroke-dasharray": old?.getAttribute("stroke-dasharray") ?? "none",
      }));
    }
    made.replaceChildren(...pieces);
    still.style.display = "none";
    drawing.dataset.x = `${low} ${high} ${kindOfX}`;
    drawing.dataset.y = `${least} ${most} ${kindOfY}`;
    drawing.dispatchEvent(new Event("zoomed"));
  }

  const valueAt = (event) => {
    const here = new DOMPoint(event.clientX, event.clientY).matrixTransform(drawing.getScreenCTM().inverse());
    return shown[0] + ((Math.min(Math.max(here.x, left), left + width) - left) / width) * (shown[1] - shown[0]);
  };
  const frame = part("rect", { y: top, height, class: "cr-chosen" });
  let start = null;
  drawing.addEventListener("pointerdown", (event) => {
    if (event.pointerType === "touch" || event.button) return; // a finger scrolls the page
    start = valueAt(event);
    drawing.setPointerCapture(event.pointerId);
  });
  drawing.addEventListener("pointermove", (event) => {
    if (start === null) return;
    const [a, b] = [start, valueAt(event)].map((v) => left + ((v - shown[0]) / (shown[1] - shown[0])) * width);
    frame.setAttribute("x", Math.min(a, b));
    frame.setAttribute("width", Math.abs(b - a));
    drawing.append(frame);
  });
  drawing.addEventListener("pointerup", (event) => {
    if (start === null) return;
    const [a, b] = [start, valueAt(event)].sort((one, other) => one - other);
    start = null;
    frame.remove();
    if (b - a > 0.02 * (shown[1] - shown[0])) choose(a, b);
  });
  drawing.addEventListener("dblclick", reset);
  drawing.addEventListener("keydown", (event) => {
    const by = { "+": 0.5, "=": 0.5, "-": 2 }[event.key];
    if (event.key === "Escape") return reset();
    if (!by) return;
    const read = along(Number(drawing.dataset.at ?? NaN));
    const middle = read >= shown[0] && read <= shown[1] ? read : (shown[0] + shown[1]) / 2;
    const half = (by * (shown[1] - shown[0])) / 2;
    const low = Math.min(Math.max(middle - half, ends[0]), Math.max(ends[0], ends[1] - 2 * half));
    choose(low, low + 2 * half);
    event.preventDefault();
  });
}

function part(name, attributes, text) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

function ticks(low, high, most) {
  const rough = (high - low) / most;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((m) => m * power).find((one) => one >= rough);
  return Array.from({ length: Math.floor(high / step) - Math.ceil(low / step) + 1 }, (_, i) => (Math.ceil(low / step) + i) * step);
}

function written(v, kind, span, percent) {
  const digits = Math.max(0, Math.ceil(-Math.log10(span)) + 1);
  if (kind === "log") return String(Number((10 ** v).toPrecision(Math.min(6, digits + 1))));
  return percent ? `${(100 * v).toFixed(Math.max(0, digits - 2))} %` : v.toLocaleString("en", { maximumFractionDigits: digits });
}

// The lowest and the highest point of each column, in their order, so no spike is lost.
function extremes(points, low, high) {
  const columns = new Map();
  for (const point of points) {
    const at = Math.floor(((point[0] - low) / (high - low)) * 160);
    const [least, most] = columns.get(at) ?? [point, point];
    columns.set(at, [point[1] < least[1] ? point : least, point[1] > most[1] ? point : most]);
  }
  return [...columns.values()].flatMap((two) => two.sort((a, b) => a[0] - b[0]));
}
