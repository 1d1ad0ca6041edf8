// The form of a page of the lab: it sends the parameters, shows how far the page is, and then plays it.
"use strict";
(() => {
  const place = document.querySelector("#place");
  const words = document.querySelector("#status");
  const bar = document.querySelector("progress");
  const [compute, cancel, save] = ["#compute", "#cancel", "#export"].map((id) => document.querySelector(id));
  const boxes = [...document.querySelectorAll(".ask input")];
  let page = null;
  let request = null;

  function show(html) {
    page = html;
    const made = new DOMParser().parseFromString(html, "text/html");
    place.replaceChildren(...made.querySelectorAll("main > :not(h1)"));
    place.querySelectorAll(".reel").forEach(start);
    save.hidden = false;
  }

  function hear(line) {
    if (line.page) {
      show(line.page);
      words.textContent = "";
    } else if (line.error) {
      words.textContent = line.error;
    } else {
      bar.max = line.of;
      bar.value = line.done;
      words.textContent = `${line.done} of ${line.of} pictures`;
    }
  }

  async function ask() {
    if (request) request.abort();
    const mine = (request = new AbortController());
    const changed = boxes.filter((box) => box.value.trim() && box.value !== box.dataset.default);
    const body = JSON.stringify(Object.fromEntries(changed.map((box) => [box.name, box.value])));
    cancel.hidden = bar.hidden = false;
    bar.removeAttribute("value");
    words.textContent = "Computing.";
    try {
      const answer = await fetch(`/reel/${place.dataset.name}`, { method: "POST", body, signal: mine.signal });
      if (!answer.ok) throw new Error(await answer.text());
      const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
      let rest = "";
      for (;;) {
        const { done, value } = await reader.read();
        if (done) break;
        const lines = (rest + value).split("\n");
        rest = lines.pop();
        lines.filter(Boolean).forEach((line) => hear(JSON.parse(line)));
      }
    } catch (error) {
      if (mine === request) {
        words.textContent = error.name === "AbortError" ? "Cancelled." : error.message || "The server does not answer.";
      }
    }
    if (mine !== request) return;
    request = null;
    cancel.hidden = bar.hidden = true;
  }

  compute.addEventListener("click", ask);
  cancel.addEventListener("click", () => { if (request) request.abort(); });
  for (const box of boxes) box.addEventListener("keydown", (event) => { if (event.key === "Enter") ask(); });
  save.addEventListener("click", () => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([page], { type: "text/html" }));
    link.download = `${place.dataset.name}.html`;
    link.click();
    URL.revokeObjectURL(link.href);
  });
  history.replaceState(null, "", location.pathname);
  ask();
})();
