// SPDX-License-Identifier: MIT
// The flame graphs of the dashboard: the root on top, callees below it, the width of a box its share of the whole. A box
// that is clicked, or entered by key, becomes the whole width; names can be searched. Drawn when it is first seen. Used by
// page.js, which lends it its tools; names enter the page as text nodes alone. perfcore/report/flames.py tells the data.
"use strict";
const FLAMES = (() => {
  const ROW = 18, CHARACTER = 6.7, LEAST = 0.5, HUES = 6;
  const HELP = "Click a box to give it the whole width. Keys: arrows move, Enter zooms, Escape shows all.";

  // Where each box lies: its caller, what lies left of it, and the first box behind those below it.
  function layout({ depth, total }) {
    const caller = [], left = [], end = depth.map((_, index) => index + 1), taken = total.map(() => 0), open = [];
    depth.forEach((level, index) => {
      caller[index] = level ? open[level - 1] : -1;
      left[index] = level ? left[caller[index]] + taken[caller[index]] : 0;
      if (level) taken[caller[index]] += total[index];
      open[level] = index;
    });
    for (let index = depth.length - 1; index > 0; index--) end[caller[index]] = Math.max(end[caller[index]], end[index]);
    return { caller, left, end };
  }
  function hue(name) { // a file has one colour
    let sum = 0;
    for (const letter of name.replace(/:\d*\)?$/, "").replace(/^.* \(/, "")) sum = (sum * 31 + letter.codePointAt(0)) % 65521;
    return sum % HUES;
  }
  // As much of a name as there is room for: of "function (folder/file:1)" the function, of a path its end.
  function fitted(name, room) {
    if (name.length <= room) return name;
    const parts = /^(.+) \((?:.*\/)?(.+)\)$/.exec(name);
    if (parts) {
      if (parts[1].length + parts[2].length + 3 <= room) return `${parts[1]} (${parts[2]})`;
      if (parts[1].length <= room) return parts[1];
    }
    const letters = [...(parts ? parts[1] : name)];
    return room < 3 ? "" : parts ? letters.slice(0, room - 1).join("") + "…" : "…" + letters.slice(1 - room).join("");
  }

  function graph(profile, tools) {
    const { make, time, visible, count } = tools, { depth, total } = profile, { caller, left, end } = layout(profile);
    const names = profile.names.map(visible), hues = names.map(hue), lower = names.map((name) => name.toLowerCase());
    const label = (index) => names[profile.name[index]];
    const weight = (value) => profile.unit === "microseconds" ? time(value * 1e-6) : profile.unit === "bytes" ? LANES.bytes(value) : value.toLocaleString("en");
    const percent = (value) => +((100 * value) / total[0]).toPrecision(3) + "\u202f%";
    const told = (index) => `${label(index)}: ${weight(total[index])} (${percent(total[index])})`;
    let root = 0, at = 0, width = 0, wanted = "", boxes = new Map();

    const readout = make("p", { class: "readout", "aria-live": "polite" });
    const whole = make("button", { type: "button", hidden: "", onclick: () => { zoom(0); picture.focus({ preventScroll: true }); } }, "Show all");
    const found = make("output", { "aria-live": "polite" });
    const search = make("input", { type: "search", placeholder: "Find in names", "aria-label": `Find names in ${visible(profile.source)}`, oninput: () => {
      wanted = search.value.toLowerCase();
      mark();
    } });
    const picture = make("svg", { tabindex: "0", role: "application", "aria-label": `Flame graph ${visible(profile.source)}. ${HELP}` });

    // The root, which no frame is, has no name that could be found.
    const matches = (index) => index > 0 && wanted !== "" && lower[profile.name[index]].includes(wanted);
    function mark() {
      for (const [index, box] of boxes) { box.classList.toggle("found", matches(index)); box.classList.toggle("at", index === at); }
      let sum = 0, number = 0;
      for (let index = 0; wanted && index < depth.length;) { // what is below a match is counted with it
        if (matches(index)) { sum += total[index]; number++; index = end[index]; } else index++;
      }
      const least = profile.left_out ? "at least " : ""; // what would not fit is not searched
      found.textContent = wanted ? (number ? `${least}${percent(sum)} of the whole` : "no such name") : "";
    }
    function tell(index) { readout.textContent = told(index); }
    function move(index) { at = index; mark(); tell(index); }
    function zoom(index) { root = index; draw(); move(index); }

    function box(index, x, wide, row) {
      const y = row * ROW, text = fitted(label(index), Math.floor((wide - 6) / CHARACTER));
      const made = make("g", { class: `frame hue${index ? hues[profile.name[index]] : "none"}${row < depth[root] ? " above" : ""}` },
        make("title", {}, told(index)), make("rect", { x: x.toFixed(2), y, width: wide.toFixed(2), height: ROW - 1 }));
      if (text) made.append(make("text", { x: (x + 3).toFixed(2), y: y + 13 }, text));
      made.box = index;
      boxes.set(index, made);
      return made;
    }
    function draw() {
      const made = [], above = [], scale = width / total[root];
      boxes = new Map();
      for (let index = caller[root]; index >= 0; index = caller[index]) above.push(index);
      for (const index of above.reverse()) made.push(box(index, 0, width, depth[index]));
      let deepest = depth[root];
      for (let index = root; index < end[root];) {
        const wide = total[index] * scale;
        if (wide < LEAST) { index = end[index]; continue; } // nor can anything below it be seen
        made.push(box(index, (left[index] - left[root]) * scale, wide, depth[index]));
        deepest = Math.max(deepest, depth[index++]);
      }
      picture.setAttribute("viewBox", `0 0 ${width} ${(deepest + 1) * ROW}`);
      picture.replaceChildren(...made);
      whole.hidden = root === 0;
    }

    const under = (event) => { const one = event.target.closest(".frame"); return one ? one.box : null; };
    picture.addEventListener("click", (event) => { const index = under(event); if (index !== null) zoom(index); });
    picture.addEventListener("pointerover", (event) => { const index = under(event); if (index !== null) tell(index); });
    picture.addEventListener("pointerleave", () => tell(at));
    function beside(way) { // the next box that is drawn in the same row
      const row = [...boxes.keys()].filter((index) => depth[index] === depth[at]);
      return row[row.indexOf(at) + way];
    }
    function heaviest() {
      const below = [...boxes.keys()].filter((index) => caller[index] === at);
      return below.length ? below.reduce((best, index) => (total[index] > total[best] ? index : best)) : undefined;
    }
    const KEYS = { ArrowDown: heaviest, ArrowUp: () => (at ? caller[at] : undefined), ArrowLeft: () => beside(-1), ArrowRight: () => beside(1) };
    picture.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      if (event.key === "Enter" || event.key === " ") zoom(at);
      else if (event.key === "Escape") zoom(0);
      else if (KEYS[event.key]) {
        const next = KEYS[event.key]();
        if (next !== undefined) { move(next); boxes.get(next).scrollIntoView({ block: "nearest" }); }
      } else return;
      event.preventDefault();
    });
    // A box that is closed is 0 wide; it is drawn once it is open, and again where the window changes.
    new ResizeObserver(([{ contentRect }]) => {
      const now = Math.round(contentRect.width);
      if (!now || now === width) return;
      width = now;
      draw();
      mark();
    }).observe(picture);
    tell(0);
    const parts = [make("div", { class: "finder" }, search, found, whole), readout, picture];
    const notes = [profile.title && visible(profile.title), HELP, profile.left_out && `${count(profile.left_out, "lighter call")} would not fit on this page.`].filter(Boolean);
    return [...parts, ...notes.map((words) => make("p", { class: "note" }, words))];
  }

  function overview(data, tools) {
    const { make, visible } = tools;
    return (data.profiles || []).map((profile) => make("details", { class: "box flame" }, make("summary", {}, `Flame graph: ${visible(profile.source)}`), ...graph(profile, tools)));
  }
  return { overview };
})();
