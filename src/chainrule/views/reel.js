// The player of a reel: it swaps frames that were made in Python, and computes nothing.
"use strict";
window.chainrule = { state: () => ({ ready: false }) };

async function unpack(packed) {
  const bytes = Uint8Array.from(atob(packed), (c) => c.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return JSON.parse(await new Response(stream).text());
}

async function start(reel) {
  const frames = await unpack(reel.querySelector("[data-frames]").textContent);
  const controls = [...reel.querySelectorAll("[data-control]")];
  const place = reel.querySelector(".frame");
  const play = reel.querySelector("[data-play]");
  const count = (control) => (control.options ? control.options.length : Number(control.max) + 1);
  let shown = Number(reel.dataset.start);
  let timer = null;

  function show() {
    shown = controls.reduce((at, control) => at * count(control) + Number(control.value), 0);
    for (const control of controls) {
      if (!control.dataset.values) continue;
      const text = JSON.parse(control.dataset.values)[Number(control.value)];
      control.setAttribute("aria-valuetext", text);
      control.parentElement.querySelector("output").textContent = text;
    }
    const open = [...place.querySelectorAll("details")].map((details) => details.open);
    place.innerHTML = frames[shown];
    place.querySelectorAll("details").forEach((details, i) => { details.open = open[i] ?? details.open; });
    hide();
  }

  const boxes = [...reel.querySelectorAll("[data-series]")];
  function hide() {
    const hidden = new Set(boxes.filter((box) => !box.checked).map((box) => box.dataset.series));
    for (const drawn of place.querySelectorAll("[data-of]")) {
      drawn.style.display = hidden.has(drawn.dataset.of) ? "none" : "";
    }
  }
  for (const box of boxes) {
    box.disabled = false;
    box.addEventListener("change", hide);
  }

  // The last slider is the one that plays.
  const moving = controls.filter((control) => !control.options).at(-1);
  function stop() {
    clearInterval(timer);
    timer = null;
    play.textContent = "Play";
  }
  function next() {
    if (Number(moving.value) + 1 >= count(moving)) return stop();
    moving.value = Number(moving.value) + 1;
    show();
  }
  play.addEventListener("click", () => {
    if (timer !== null) return stop();
    if (Number(moving.value) + 1 >= count(moving)) moving.value = 0;
    play.textContent = "Stop";
    const slow = matchMedia("(prefers-reduced-motion: reduce)").matches;
    timer = setInterval(next, slow ? 1000 : 150);
    show();
  });
  for (const control of controls) {
    control.disabled = false;
    control.addEventListener("input", () => { if (timer !== null) stop(); show(); });
  }
  play.disabled = false;
  play.hidden = !moving;
  window.chainrule = {
    state: () => ({ ready: true, frame: shown, frames: frames.length, playing: timer !== null }),
  };
}

document.querySelectorAll(".reel").forEach(start);
