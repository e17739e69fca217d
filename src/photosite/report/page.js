"use strict";
// Comfort only: without this script the page shows everything. Text reaches the page through textContent alone.
(() => {
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const one = (selector, root = document) => root.querySelector(selector);

  // Theme: as the system has it, then light, then dark.
  const themes = ["auto", "light", "dark"];
  const button = one("#theme");
  button.hidden = false;
  const setTheme = (name) => {
    if (name === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = name;
    button.textContent = `theme: ${name}`;
    button.setAttribute("aria-label", `Theme is ${name}, change it`);
    button.dataset.name = name;
  };
  setTheme("auto");
  button.addEventListener("click", () => setTheme(themes[(themes.indexOf(button.dataset.name) + 1) % 3]));

  // The path: mark the station that is being read.
  const links = all("nav ol a");
  const places = links.map((link) => document.getElementById(link.hash.slice(1)));
  const mark = () => {
    const line = window.innerHeight / 3;
    let current = 0;
    places.forEach((place, k) => { if (place.getBoundingClientRect().top <= line) current = k; });
    if (window.innerHeight + window.scrollY >= document.body.scrollHeight - 2) current = places.length - 1;
    links.forEach((link, k) => k === current ? link.setAttribute("aria-current", "step") : link.removeAttribute("aria-current"));
  };
  addEventListener("scroll", mark, { passive: true });
  mark();

  // A picture that has more values than the screen gives it is smoothed, else lines between maps would vanish.
  const settle = () => all("figure img").forEach((img) => {
    if (img.clientWidth) img.classList.toggle("dense", img.naturalWidth > img.clientWidth * devicePixelRatio);
  });
  addEventListener("load", settle);
  addEventListener("resize", settle);
  all("details").forEach((part) => part.addEventListener("toggle", settle));

  // Enlarge: whole multiples of a value, arrows to the next picture, Escape closes.
  const dialog = one("#large");
  const looks = all(".look");
  let shown = 0;
  const show = (k) => {
    shown = (k + looks.length) % looks.length;
    const figure = looks[shown].closest("figure");
    const from = one("img", looks[shown]);
    const image = one("img", dialog);
    const room = Math.min((innerWidth - 80) / from.naturalWidth, (innerHeight - 220) / from.naturalHeight);
    image.src = from.src;
    image.alt = from.alt;
    image.width = from.naturalWidth * Math.max(1, Math.min(32, Math.floor(room)));
    one("p", dialog).textContent = all(".cap, .scale", figure).map((part) => part.textContent).join("\n");
  };
  looks.forEach((look, k) => look.addEventListener("click", () => { show(k); dialog.showModal(); }));
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
  dialog.addEventListener("close", () => {
    const hidden = looks[shown].closest("details");
    if (hidden) hidden.open = true;
    looks[shown].focus();
  });
  dialog.addEventListener("keydown", (event) => {
    const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (by) { event.preventDefault(); show(shown + by); }
  });

  // The table, where there is one: show steps whose row has all the words.
  const filter = one("#filter");
  const rows = all(".steps tbody tr").map((row) => [row, row.textContent.toLowerCase()]);
  if (filter) {
    one(".filter").hidden = false;
    filter.addEventListener("input", () => {
      const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
      let count = 0;
      for (const [row, text] of rows) {
        row.hidden = !words.every((word) => text.includes(word));
        if (!row.hidden) count += 1;
      }
      one(".filter output").textContent = words.length ? `${count} of ${rows.length}` : "";
    });
  }

  // One cursor on all pictures of a grid, of tokens or of pixels, which bring their own words. Pointing shows, a click
  // keeps, Escape lets go and goes back to where it began.
  const data = one("#cells");
  const boxes = all("[data-cells] .cells");
  if (data && boxes.length) {
    const { rows: height, columns: width, norms, input, texts, start = null } = JSON.parse(data.textContent);
    const statuses = all(".cell");
    const svg = (name, attributes) => {
      const made = document.createElementNS(one("svg").namespaceURI, name);
      for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
      return made;
    };
    let place = start;
    let kept = false;
    const cursors = boxes.map((box, k) => {
      const view = svg("svg", { class: "cursor", viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none", tabindex: k ? -1 : 0, role: "application", "aria-label": `${texts ? "Pixel" : "Token"} grid: arrow keys move by one cell` });
      const frames = [0, 1].map(() => svg("rect", { width: 1, height: 1, visibility: "hidden" }));
      view.append(...frames);
      box.append(view);
      return { view, frames };
    });
    // Where the cell itself lies; what it sees is larger.
    const span = (k, count, side) => `${Math.round(k * side / count)} … ${Math.round((k + 1) * side / count) - 1}`;
    const lies = ([row, column]) => input ? `\nlies on rows ${span(row, height, input[0])}, columns ${span(column, width, input[1])} of the input` : "";
    const draw = () => {
      for (const { frames } of cursors) for (const frame of frames) {
        frame.setAttribute("visibility", place ? "visible" : "hidden");
        if (place) { frame.setAttribute("x", place[1]); frame.setAttribute("y", place[0]); }
      }
      const k = place && place[0] * width + place[1];
      const token = () => `token ${k} of 0 … ${norms.length - 1}${kept ? ", kept" : ""}\nrow ${place[0]}, column ${place[1]}\nnorm ${norms[k]}${lies(place)}`;
      for (const status of statuses) status.textContent = !place ? "no token chosen" : texts ? texts[k] : token();
    };
    const at = (event) => {
      const box = event.currentTarget.getBoundingClientRect();
      const cell = (share, count) => Math.max(0, Math.min(count - 1, Math.floor(share * count)));
      return [cell((event.clientY - box.top) / box.height, height), cell((event.clientX - box.left) / box.width, width)];
    };
    const free = () => { kept = false; place = start; draw(); };
    for (const { view } of cursors) {
      view.addEventListener("pointermove", (event) => { if (!kept) { place = at(event); draw(); } });
      view.addEventListener("pointerleave", () => { if (!kept) free(); });
      view.addEventListener("click", (event) => { place = at(event); kept = true; draw(); });
      view.addEventListener("keydown", (event) => {
        if (event.key === "Escape") return free();
        const by = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
        if (!by) return;
        event.preventDefault();
        const far = event.shiftKey ? 10 : 1;
        const [row, column] = place || [0, 0];
        place = [Math.max(0, Math.min(height - 1, row + far * by[0])), Math.max(0, Math.min(width - 1, column + far * by[1]))];
        kept = true;
        draw();
      });
    }
    draw();
    for (const part of [...statuses, ...all(".hint")]) part.hidden = false;
  }

  // On paper every chapter is open.
  let closed = [];
  addEventListener("beforeprint", () => { closed = all("details:not([open])"); closed.forEach((part) => { part.open = true; }); });
  addEventListener("afterprint", () => closed.forEach((part) => { part.open = false; }));
})();
