// SPDX-License-Identifier: MIT
// Draws the dashboard from the JSON beside it. Text enters the page as text nodes alone, never as markup; rows are made
// once and moved, details when they are opened.
"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const $ = (id) => document.getElementById(id);
  const STATES = ["critical", "warning", "undecided", "improvement", "ok", "new"];
  const SIGNS = { critical: "▲▲", warning: "▲", undecided: "?", improvement: "▼", ok: "✓", new: "+" };

  // What shows nothing or turns the line around is shown as its code.
  const HIDDEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;
  const visible = (text) => String(text).replace(HIDDEN, (one) => "\\u" + one.codePointAt(0).toString(16).padStart(4, "0"));

  function make(tag, attributes, ...children) {
    const svg = ["svg", "g", "line", "rect", "path", "text", "title", "circle"].includes(tag);
    const node = svg ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
    for (const [key, value] of Object.entries(attributes || {})) {
      if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
      else if (value !== null && value !== false) node.setAttribute(key, value);
    }
    node.append(...children);
    return node;
  }

  const UNITS = [[1, "s"], [1e-3, "ms"], [1e-6, "µs"], [1e-9, "ns"]];
  function time(seconds, digits = 4) {
    if (seconds === null || seconds === undefined) return "–";
    if (seconds === 0) return "0 s";
    const [size, unit] = UNITS.find(([one]) => Math.abs(seconds) >= one * 0.99995) || UNITS[3];
    const value = seconds / size;
    const shown = Math.abs(value) >= 1e4 ? Math.round(value).toLocaleString("en") : value.toPrecision(digits);
    return (shown.includes("e") ? String(Number(shown)) : shown) + "\u202f" + unit;
  }
  function change(ratio) {
    if (ratio === null || ratio === undefined) return "–";
    if (ratio >= 10) return "×\u202f" + ratio.toPrecision(3);
    const percent = ((ratio - 1) * 100).toFixed(1).replace(/^-(?=0\.0$)/, "");
    return (percent.startsWith("-") ? "−" + percent.slice(1) : "+" + percent) + "\u202f%";
  }
  const count = (value, word) => `${value.toLocaleString("en")} ${word}${value === 1 ? "" : "s"}`;
  // The address of a benchmark within the page, or of a change of its level; an ampersand of a name is escaped in it.
  const wellFormed = (text) => text.replace(/\p{Cs}/gu, "\ufffd"); // what no address can hold
  const address = (one, change) => "#" + encodeURIComponent(wellFormed(one.fullname)) + (change ? "&change=" + encodeURIComponent(wellFormed(change)) : "");
  const link = (one) => make("a", { href: address(one) }, visible(one.name));
  const tools = { make, time, visible, change, count, address, link, SIGNS, STATES };
  const state = (one) => (one.verdict ? one.verdict.status : data.check ? "new" : null);

  // --- distributions: nanoseconds at evenly spaced probabilities ---
  function quantile(points, p) {
    const rank = p * (points.length - 1), low = Math.floor(rank), high = Math.min(low + 1, points.length - 1);
    return points[low] + (points[high] - points[low]) * (rank - low);
  }
  function below(points, x) { // the share of the distribution that is not above x
    const last = points.length - 1;
    if (x < points[0]) return 0;
    if (x >= points[last]) return 1;
    let low = 0, high = last;
    while (high - low > 1) { const middle = (low + high) >> 1; if (points[middle] <= x) low = middle; else high = middle; }
    const width = points[high] - points[low];
    return (low + (width > 0 ? (x - points[low]) / width : 0)) / last;
  }
  function span(one) { // what is drawn: all but the slowest percents, which would press the rest together
    const sets = [one.quantiles_ns, one.baseline_quantiles_ns].filter((points) => points.length);
    let low = Math.min(...sets.map((points) => points[0])), high = -Infinity;
    for (const points of sets) {
      const q1 = quantile(points, 0.25), q3 = quantile(points, 0.75);
      high = Math.max(high, Math.min(points[points.length - 1], Math.max(quantile(points, 0.97), q3), q3 > q1 ? q3 + 6 * (q3 - q1) : Infinity));
      low = Math.max(0, low);
    }
    if (!(high > low)) { high = low * 1.02 || 1; low *= 0.98; }
    const room = (high - low) * 0.04;
    return [low - room, high + room];
  }
  function boxplot(points, x, y, height, kind) {
    const at = (p) => Math.max(0, Math.min(200, x(quantile(points, p))));
    const middle = y + height / 2;
    return make("g", { class: kind },
      make("line", { class: "whisker", x1: at(0.05), x2: at(0.95), y1: middle, y2: middle }),
      make("rect", { class: "box", x: at(0.25), width: Math.max(1, at(0.75) - at(0.25)), y, height, rx: 1 }),
      make("line", { class: "middle", x1: at(0.5), x2: at(0.5), y1: y - 1, y2: y + height + 1 }));
  }
  function strip(one) {
    if (!one.quantiles_ns.length) return make("span", { class: "faint" }, "–");
    const [low, high] = span(one), x = (value) => ((value - low) / (high - low)) * 200;
    const both = one.baseline_quantiles_ns.length > 0;
    const svg = make("svg", { viewBox: "0 0 200 26", preserveAspectRatio: "none", "aria-hidden": "true" });
    svg.append(boxplot(one.quantiles_ns, x, both ? 3 : 7, both ? 9 : 12, "now"));
    if (both) svg.append(boxplot(one.baseline_quantiles_ns, x, 17, 5, "old"));
    return svg;
  }
  function histogram(one) {
    const [low, high] = span(one), W = 560, H = 190, base = H - 24;
    const sizes = [one.quantiles_ns, one.baseline_quantiles_ns];
    const bins = Math.max(8, Math.min(48, Math.round(2 * Math.sqrt(one.rounds || 16))));
    const shares = sizes.map((points) => points.length ? Array.from({ length: bins }, (_, i) =>
      below(points, low + ((i + 1) * (high - low)) / bins) - (i ? below(points, low + (i * (high - low)) / bins) : 0)) : []);
    const most = Math.max(...shares.flat(), 1e-9);
    const svg = make("svg", { viewBox: `0 0 ${W} ${H}`, role: "img" },
      make("title", {}, `Distribution of the rounds of ${visible(one.name)}`));
    const outline = (share, closed) => {
      let path = `M0 ${base}`;
      share.forEach((value, i) => { path += `V${(base - (value / most) * (base - 8)).toFixed(1)}H${(((i + 1) * W) / bins).toFixed(1)}`; });
      return path + `V${base}` + (closed ? "Z" : "");
    };
    svg.append(make("path", { class: "area", d: outline(shares[0], true) }));
    if (shares[1].length) svg.append(make("path", { class: "shadow", d: outline(shares[1], false) }));
    svg.append(make("line", { class: "axis", x1: 0, x2: W, y1: base, y2: base }));
    const raw = (high - low) / 4, power = 10 ** Math.floor(Math.log10(raw));
    const step = [1, 2, 5, 10].map((k) => k * power).find((k) => k >= raw);
    const digits = Math.max(1, Math.min(9, Math.ceil(Math.log10(high / step)) + 1));
    for (let tick = Math.ceil(low / step) * step; tick <= high; tick += step) {
      const x = ((tick - low) / (high - low)) * W;
      if (x < 34 || x > W - 34) continue;
      svg.append(make("line", { class: "axis", x1: x, x2: x, y1: base, y2: base + 5 }),
        make("text", { x, y: H - 5, "text-anchor": "middle" }, time(tick * 1e-9, digits)));
    }
    const beyond = one.quantiles_ns.length ? 1 - below(one.quantiles_ns, high) : 0;
    return [svg, beyond];
  }

  // --- one benchmark opened ---
  function panel(one, wanted) {
    const left = make("div", {}), verdict = one.verdict;
    left.append(make("p", {}, visible(one.fullname)));
    if (one.quantiles_ns.length) {
      const [svg, beyond] = histogram(one);
      const keys = make("p", {}, make("span", { class: "key" }), "now");
      if (one.baseline_quantiles_ns.length) keys.append(make("span", { class: "key before" }), "baseline");
      if (beyond > 0.0005) keys.append(` · ${(beyond * 100).toPrecision(2)} % of the rounds are slower than the axis goes`);
      if (!one.sampled) keys.append(" · drawn from the quartiles: the file holds no samples");
      left.append(svg, keys);
    }
    if (verdict && verdict.reason) left.append(make("p", {}, `${verdict.status}: ${visible(verdict.reason)}`));
    const list = make("dl", {});
    const fact = (name, value) => value !== null && value !== "–" && list.append(make("dt", {}, name), make("dd", {}, value));
    const ci = one.median_ci;
    fact("median", time(one.median));
    if (ci) fact(`${(ci.level * 100).toFixed(0)} % interval`, `${time(ci.low)} to ${time(ci.high)}`);
    if (verdict) {
      fact(data.check.against, time(verdict.baseline_median));
      if (verdict.ratio !== null) fact("change", `${change(verdict.ratio)} (${change(verdict.low)} to ${change(verdict.high)})`);
    }
    for (const key of ["min", "q1", "q3", "p90", "p95", "p99", "p99.9", "max", "mean"]) fact(key, time(one[key]));
    fact("standard deviation", time(one.stddev));
    if (one.rounds !== null) fact("rounds", `${one.rounds.toLocaleString("en")} × ${count(one.iterations, "call")}`);
    if (one.items_per_call && one.median) fact("items per second", Math.round(one.items_per_call / one.median).toLocaleString("en"));
    if (one.interrupted_rounds !== null) fact("interrupted rounds", one.interrupted_rounds.toLocaleString("en"));
    if (one.kernel) fact("kernel", visible(one.kernel));
    left.append(...METRICS.panel(one, tools), ...TRENDS.panel(one, data, wanted, tools));
    if (one.lane) { left.append(...LANES.lines(one.lane, tools)); LANES.facts(one.lane, fact); }
    return make("div", { class: "panel" }, left, list);
  }

  // --- the table ---
  const COLUMNS = [
    { title: "Benchmark", kind: "left", key: (one) => one.name.toLowerCase() },
    { title: "Distribution", kind: "left" },
    { title: "Median", key: (one) => one.median },
    { title: "Interval", key: (one) => (one.median_ci && one.median ? (one.median_ci.high - one.median_ci.low) / one.median : null) },
    { title: "p99", key: (one) => one.p99 },
  ];
  if (data.history) COLUMNS.splice(2, 0, { title: "Trend", kind: "left" });
  if (data.check) COLUMNS.push(
    { title: "Change", key: (one) => (one.verdict ? one.verdict.ratio : null), first: -1 },
    { title: "Verdict", key: (one) => Math.min(STATES.indexOf(state(one)), ...METRICS.loud(one).map((each) => STATES.indexOf(each.status))) });
  function interval(one) {
    if (!one.median_ci || !one.median) return "–";
    const half = ((one.median_ci.high - one.median_ci.low) / 2 / one.median) * 100;
    return "± " + (half >= 0.1 ? half.toFixed(1) : half ? "<0.1" : "0") + "\u202f%";
  }
  function row(one, index) {
    const status = state(one), opener = make("button", { type: "button", "aria-expanded": "false" }, visible(one.name));
    const name = make("td", { class: "name" }, opener, ...METRICS.badges(one, tools));
    if (one.polluted) name.append(make("small", {}, `${one.interrupted_rounds} of ${one.rounds} rounds were interrupted`));
    const pictures = [make("td", { class: "strip" }), ...(data.history ? [make("td", { class: "trend" })] : [])];
    const cells = [name, ...pictures, make("td", { class: "median" }, time(one.median)),
      make("td", { class: "faint wide" }, interval(one)), make("td", { class: "faint wide" }, time(one.p99))];
    if (data.check) cells.push(make("td", { class: `change ${status}` }, change(one.verdict && one.verdict.ratio)),
      make("td", { class: `state left ${status}` }, `${SIGNS[status]} ${status}`));
    const entry = { one, index, status, states: [status, ...METRICS.loud(one).map((each) => each.status)], pictures, row: make("tr", { class: "row" }, ...cells), detail: null, opener,
      text: `${one.fullname} ${one.group || ""}`.toLowerCase() };
    opener.addEventListener("click", () => toggle(entry, true));
    drawn.set(entry.row, entry);
    return entry;
  }
  // Pictures are drawn when they come near the window: of thousands of rows, most are never looked at.
  function draw(entry) {
    if (entry.pictures[0].firstChild) return;
    entry.pictures[0].append(strip(entry.one));
    if (data.history) entry.pictures[1].append(TRENDS.sparkline(entry.one, tools));
  }
  function toggle(entry, remember, wanted) {
    const open = entry.opener.getAttribute("aria-expanded") !== "true";
    entry.opener.setAttribute("aria-expanded", String(open));
    if (open) {
      entry.detail = make("tr", { class: "detail" }, make("td", { colspan: COLUMNS.length }, panel(entry.one, wanted)));
      entry.row.after(entry.detail);
    } else { entry.detail.remove(); entry.detail = null; }
    if (remember) {
      try { history.replaceState(null, "", open ? address(entry.one) : "#"); } catch { /* no address to keep */ }
    }
  }

  const drawn = new Map(), entries = data.benchmarks.map(row), table = $("table");
  const near = new IntersectionObserver((found) => {
    for (const each of found) if (each.isIntersecting) { near.unobserve(each.target); draw(drawn.get(each.target)); }
  }, { rootMargin: "800px" });
  for (const entry of entries) near.observe(entry.row);
  addEventListener("beforeprint", () => entries.forEach(draw));
  const view = { state: null, column: data.check ? COLUMNS.length - 1 : null, way: 1 };
  function order(a, b) {
    if (view.column === null) return a.index - b.index;
    const key = COLUMNS[view.column].key, x = key(a.one), y = key(b.one);
    if (x === null || y === null) return (x === null) - (y === null) || a.index - b.index; // what is unknown comes last
    const found = (x > y) - (x < y);
    if (!found && COLUMNS[view.column].title === "Verdict") return ((b.one.verdict || {}).ratio || 0) - ((a.one.verdict || {}).ratio || 0);
    return found * view.way || a.index - b.index;
  }
  function show() {
    const words = $("filter").value.toLowerCase().split(/\s+/).filter(Boolean);
    const found = entries.filter((entry) => (!view.state || entry.states.includes(view.state)) && words.every((word) => entry.text.includes(word)));
    found.sort(order);
    const groups = new Map();
    for (const entry of found) {
      const name = $("grouped").checked ? entry.one.group || "" : "";
      if (!groups.has(name)) groups.set(name, []);
      groups.get(name).push(entry);
    }
    const bodies = [];
    for (const [name, members] of groups) {
      const body = make("tbody", {});
      if (name || groups.size > 1) body.append(make("tr", {}, make("th", { class: "group", colspan: COLUMNS.length, scope: "rowgroup" }, name ? visible(name) : "No group")));
      for (const entry of members) { body.append(entry.row); if (entry.detail) body.append(entry.detail); }
      bodies.push(body);
    }
    table.querySelectorAll("tbody").forEach((body) => body.remove());
    table.append(...bodies);
    $("shown").textContent = found.length === entries.length ? count(found.length, "benchmark") : `${found.length} of ${count(entries.length, "benchmark")}`;
    $("nothing").hidden = found.length > 0;
    table.hidden = found.length === 0;
    $("nothing").textContent = entries.length ? "No benchmark matches." : "The results file holds no benchmarks.";
    table.querySelectorAll("thead th").forEach((head, i) => {
      if (i === view.column) head.setAttribute("aria-sort", view.way > 0 ? "ascending" : "descending");
      else head.removeAttribute("aria-sort");
      const mark = head.querySelector("i");
      if (mark) mark.textContent = i === view.column ? (view.way > 0 ? " ↑" : " ↓") : "";
    });
  }

  // --- the page around it ---
  function overview() {
    const place = $("overview"), check = data.check, origin = [data.source];
    if (data.datetime) origin.push(data.datetime.slice(0, 16).replace("T", " "));
    if (data.commit) origin.push((data.branch ? data.branch + " " : "") + data.commit.replace(/^([0-9a-f]{10})[0-9a-f]{30,}$/, "$1") + (data.dirty ? " (changed)" : ""));
    origin.push(data.python, data.processor);
    $("origin").textContent = origin.filter(Boolean).map(visible).join("  ·  ");
    if (!check) {
      place.append(make("p", { class: "note" }, "No baseline was given, so there are no verdicts: perfcore report RESULTS --baseline FILE."));
      return show;
    }
    const counts = Object.fromEntries(STATES.map((one) => [one, entries.filter((entry) => entry.states.includes(one)).length]));
    const bad = check.counts.critical + check.metric_counts.critical, mild = check.counts.warning + check.metric_counts.warning;
    const level = bad ? "critical" : "warning", inMetrics = check.metric_counts[level];
    const ofMetrics = inMetrics ? `: ${check.counts[level]} in time, ${inMetrics} in metrics of calls` : "";
    const kind = bad ? "critical" : mild || !check.passed ? "warning" : "improvement";
    const words = !data.benchmarks.some((one) => one.verdict) ? `Nothing in common with the ${check.against}`
      : bad ? count(bad, "critical regression") + ofMetrics : !check.passed ? "Could not judge" : mild ? `No critical regression, ${count(mild, "warning")}${ofMetrics}` : "No regression";
    place.append(make("p", { class: "verdict" }, make("b", { class: kind }, words),
      ` against ${visible(check.baseline)}${check.baseline_datetime ? " of " + visible(check.baseline_datetime.slice(0, 10)) : ""}`));
    const chips = make("div", { class: "chips", role: "group", "aria-label": "Show one verdict" });
    const chip = (status, words, number) => chips.append(make("button", { type: "button", class: status, "aria-pressed": String(view.state === status), onclick: (event) => {
      view.state = status;
      chips.querySelectorAll("button").forEach((one) => one.setAttribute("aria-pressed", String(one === event.currentTarget)));
      show();
    } }, words, make("b", {}, String(number))));
    chip(null, "All", entries.length);
    const all = chips.firstChild;
    for (const status of STATES) if (counts[status]) chip(status, `${SIGNS[status]} ${status}`, counts[status]);
    place.append(chips);
    if (check.advisory) place.append(make("p", { class: "note" }, "The environments differ, so the verdicts only advise; the differences are listed below."));
    const [atMild, atBad] = [check.warning, check.critical].map((limit) => `${+(limit * 100).toFixed(2)} %`);
    const limits = check.mode === "exceeds" ? `Critical where it is proven slower by more than ${atBad}`
      : check.mode ? `Critical where it is proven slower, and by about half of ${atBad} or more` : `Warning from ${atMild} slower, critical from ${atBad}`;
    place.append(make("p", { class: "note" }, `${limits}. Evidence: ${check.evidence}.`));
    if (data.benchmarks.some((one) => one.baseline_quantiles_ns.length)) place.append(make("p", { class: "note" }, make("span", { class: "key" }), "now", make("span", { class: "key before" }), "baseline; each row has a scale of its own"));
    for (const [title, names] of [[`Only in the ${check.against}`, check.gone], ["Only in the head", check.mode ? check.new : []], ["Differences of the environments", check.differences], ["Notes", check.notes]]) {
      if (names.length) $("more").append(make("details", {}, make("summary", {}, `${title} (${names.length})`), make("ul", {}, ...names.map((name) => make("li", {}, visible(name))))));
    }
    return () => all.click();
  }
  const head = make("tr", {});
  COLUMNS.forEach((column, index) => {
    const inner = column.key ? make("button", { type: "button", onclick: () => {
      view.way = view.column === index ? -view.way : column.first || 1;
      view.column = index;
      show();
    } }, column.title, make("i", {})) : make("span", { title: "Each row has a scale of its own: box of the middle half, line from 5 % to 95 %, below it the baseline" }, column.title);
    head.append(make("th", { scope: "col", class: column.kind || (column.title === "Verdict" ? "left" : "right") }, inner));
  });
  table.tHead.append(head);

  const THEMES = ["system", "light", "dark"];
  function theme(name, keep) {
    if (name === "system") document.documentElement.removeAttribute("data-theme");
    else document.documentElement.setAttribute("data-theme", name);
    $("theme").textContent = "Theme: " + name;
    $("theme").dataset.now = name;
    try { if (keep) localStorage.setItem("perfcore-theme", name); } catch { /* a page from disk may have no storage */ }
  }
  let kept = null;
  try { kept = localStorage.getItem("perfcore-theme"); } catch { /* likewise */ }
  theme(THEMES.includes(kept) ? kept : "system", false);
  $("theme").addEventListener("click", () => theme(THEMES[(THEMES.indexOf($("theme").dataset.now) + 1) % 3], true));
  $("filter").addEventListener("input", show);
  $("grouped").addEventListener("change", show);
  document.addEventListener("keydown", (event) => {
    if (event.key === "/" && !event.ctrlKey && !event.metaKey && !/INPUT|TEXTAREA/.test(document.activeElement.tagName)) {
      event.preventDefault();
      $("filter").focus();
    }
  });
  const everything = overview(); // shows every verdict again
  $("tools").before(...METRICS.overview(data, tools), ...TRENDS.overview(data, tools), ...LANES.overview(data, tools),
    ...USE.overview(data, tools), ...FLAMES.overview(data, tools));
  show();
  // Opens what the address names: a benchmark, or a change of its level.
  function follow() {
    let name = "", change = null;
    try { [name, change = null] = location.hash.slice(1).split("&change=").map(decodeURIComponent); } catch { return; /* no name of ours */ }
    const linked = name && entries.find((entry) => wellFormed(entry.one.fullname) === name);
    if (!linked) return;
    if (!linked.row.isConnected) { $("filter").value = ""; everything(); }
    if (linked.detail) toggle(linked, false);
    toggle(linked, false, change);
    draw(linked);
    (linked.detail.querySelector(".linked") || linked.row).scrollIntoView({ block: "center" });
    linked.opener.focus({ preventScroll: true });
  }
  addEventListener("hashchange", follow);
  follow();
})();
