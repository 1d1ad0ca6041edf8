"use strict";
// Fetches the parts of the page that have changed. What the reader did stays: focus, selection, what is unfolded or
// ticked, sliders, and how far everything is scrolled.
{
  const bar = document.querySelector("#live");
  const [head, text] = [bar.querySelector("strong"), bar.querySelector("span")];
  const versions = { ...JSON.parse(bar.querySelector("script").textContent).parts };
  const here = location.pathname.replace(/\/?$/, "/");
  let [wanted, isBusy] = [null, false];

  history.replaceState(null, "", here + location.hash); // the key does not stay in the address
  connect();

  function connect() {
    const stream = new EventSource(`${here}events`);
    stream.onmessage = (event) => {
      wanted = JSON.parse(event.data);
      delete bar.dataset.lost;
      tell(wanted.kind, wanted.head, wanted.text);
      if (!isBusy) catchUp();
    };
    stream.onerror = () => {
      if (bar.dataset.lost === undefined) {
        const now = new Date().toTimeString().slice(0, 5);
        bar.dataset.lost = "";
        tell(bar.dataset.kind, `No answer since ${now}`, "The server has ended or is busy; the page goes on by itself.");
      }
      if (stream.readyState === EventSource.CLOSED) setTimeout(connect, 1000);
    };
  }

  function tell(kind, first, then) {
    bar.dataset.kind = kind;
    if (head.textContent !== first) head.textContent = first; // read aloud only when it changes
    text.textContent = then;
  }

  async function catchUp() {
    isBusy = true;
    while (wanted) {
      const parts = wanted.parts;
      wanted = null;
      try {
        const changed = Object.keys(parts).filter((name) => versions[name] !== parts[name]);
        const fetched = await Promise.all(changed.map(async (name) => [name, await fetch(`${here}section/${name}`)]));
        const texts = await Promise.all(fetched.map(async ([name, answer]) => [name, answer.ok && (await answer.text()), answer]));
        atItsPlace(() => {
          for (const [name, html, answer] of texts) {
            if (html === false) continue;
            put(name, html);
            versions[name] = answer.headers.get("ETag").replaceAll('"', "");
          }
          arrange(Object.keys(parts));
        });
      } catch {
        // The server has gone: the stream says when it is back, and then what has changed.
      }
    }
    isBusy = false;
  }

  function put(name, html) {
    const template = document.createElement("template"); // what is parsed here runs no script
    template.innerHTML = html;
    const content = template.content;
    const [main, cursor] = [document.querySelector("main"), document.querySelector("#cursor")];
    if (name === "cursor") return Object.assign(cursor.dataset, { each: content.firstElementChild.dataset.each });
    const old = name === "header" || name === "footer" ? document.querySelector(name) : document.getElementById(name);
    const restore = old && notice(old);
    if (name === "header" || name === "footer") old.replaceChildren(content);
    else if (old) old.replaceWith(content);
    else main.append(content);
    const fresh = old?.isConnected ? old : document.getElementById(name);
    restore?.(fresh, () => enhance(fresh));
    if (!restore) enhance(fresh);
  }

  function arrange(names) {
    const main = document.querySelector("main");
    for (const section of [...main.children]) if (!names.includes(section.id)) (section.remove(), delete versions[section.id]);
    let next = main.firstElementChild;
    for (const name of names) {
      const section = document.getElementById(name);
      if (section?.parentElement !== main) continue;
      if (section === next) next = next.nextElementSibling;
      else main.insertBefore(section, next);
    }
  }

  // Whatever becomes of the parts, what stands at the top of the window stays there.
  function atItsPlace(change) {
    const anchors = [...document.querySelectorAll("main section, main .cr-figure")].filter((one) => one.id);
    const before = (one) => one.getBoundingClientRect();
    const anchor = scrollY > 0 && anchors.findLast((one) => before(one).top <= 60 && before(one).bottom > 0);
    const top = anchor && before(anchor).top;
    change();
    const again = anchor && document.getElementById(anchor.id);
    if (again) scrollBy({ top: before(again).top - top, behavior: "instant" });
  }

  // Notes what the reader did in a part; gives a function that does it again in its next version.
  function notice(old) {
    const opened = new Map([...old.querySelectorAll("details")].map((one) => [nameOf(one, old), one.open]));
    const ticked = new Map();
    for (const one of old.querySelectorAll("input, select")) {
      const isBox = one.type === "checkbox";
      if (isBox ? one.checked !== one.defaultChecked : one.value !== one.defaultValue) {
        ticked.set(nameOf(one, old), isBox ? one.checked : one.type === "range" && one.value === one.max ? "last" : one.value);
      }
    }
    const drawings = (root) => [...root.querySelectorAll(".cr-figure svg[data-box]")];
    const cursors = drawings(old).map((one) => [one.closest(".cr-figure").id, one.dataset.at]);
    const scrolled = [...old.querySelectorAll("*")].filter((one) => one.scrollTop || one.scrollLeft);
    const places = new Map(scrolled.map((one) => [nameOf(one, old), [one.scrollLeft, one.scrollTop]]));
    const focus = old.contains(document.activeElement) ? nameOf(document.activeElement, old) : null;
    const chosen = getSelection();
    const ends = chosen.rangeCount && !chosen.isCollapsed && old.contains(chosen.anchorNode) && old.contains(chosen.focusNode)
      ? [nameOf(chosen.anchorNode, old), chosen.anchorOffset, nameOf(chosen.focusNode, old), chosen.focusOffset] : null;

    return (fresh, enhanceIt) => {
      const each = (names, does) => names.forEach((value, name) => { const one = find(name, fresh); if (one) does(one, value); });
      drawings(fresh).forEach((one, i) => {
        const [figure, at] = cursors[i] ?? [];
        if (at !== undefined && one.closest(".cr-figure").id === figure) one.dataset.at = at;
      });
      enhanceIt();
      each(opened, (one, isOpen) => (one.open = isOpen));
      each(ticked, (one, value) => {
        if (one.type === "checkbox") one.checked = value;
        else one.value = value === "last" ? one.max : value;
        for (const kind of ["input", "change"]) one.dispatchEvent(new Event(kind, { bubbles: true }));
      });
      each(places, (one, [left, top]) => one.scrollTo({ left, top, behavior: "instant" }));
      const focused = focus === null ? null : find(focus, fresh);
      focused?.focus({ preventScroll: true });
      if (focused && document.activeElement !== focused) {
        focused.setAttribute("tabindex", "-1"); // a plot takes the keys only when its values are unpacked
        focused.focus({ preventScroll: true });
      }
      if (!ends) return;
      const [anchor, end] = [find(ends[0], fresh), find(ends[2], fresh)];
      const most = (node) => (node.nodeType === Node.TEXT_NODE ? node.length : node.childNodes.length);
      if (anchor && end) getSelection().setBaseAndExtent(anchor, Math.min(ends[1], most(anchor)), end, Math.min(ends[3], most(end)));
    };
  }

  // Where something stands in a part: the nearest name above it, and the way down from there.
  function nameOf(node, root) {
    const way = [];
    while (node !== root && !node.id) {
      way.unshift([...node.parentNode.childNodes].indexOf(node));
      node = node.parentNode;
    }
    return JSON.stringify([node === root ? null : node.id, way]);
  }

  function find(name, root) {
    const [id, way] = JSON.parse(name);
    const start = id === null ? root : document.getElementById(id);
    return way.reduce((node, i) => node?.childNodes[i], start);
  }
}
