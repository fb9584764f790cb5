// SPDX-License-Identifier: MIT
// The parts of the dashboard about the history: a sparkline for each benchmark, and when it is opened the runs over time
// with the places where the level changed. Used by page.js, which lends it its tools; text enters as text nodes alone.
// A trend's figures are unsigned 16-bit numbers in base64; perfcore/report/series.py says what they mean.
"use strict";
const TRENDS = (() => {
  const WIDTH = 560, SPARK = 120, BINS = 60, MOST_PLACES = 50, MOST_NAMES = 20;
  const UP = "M-5 4L0 -5L5 4Z", DOWN = "M-5 -4L0 5L5 -4Z";

  const own = (one) => (one.trend_is_own && one.trends[0]) || null;
  const kind = (change) => (change.after > change.before ? "critical" : "improvement");
  const sign = (change) => (change.after > change.before ? "▲" : "▼");
  const day = (at) => new Date(at * 1000).toISOString().slice(0, 10);
  const minute = (at) => new Date(at * 1000).toISOString().slice(0, 16).replace("T", " ");
  const short = (commit, visible) => (commit ? visible(commit.slice(0, 10)) : "?");

  // [run, seconds] of the runs that have the benchmark.
  function points(trend) {
    if (!trend.points) {
      const bytes = atob(trend.values);
      trend.points = [];
      for (let i = 0; 2 * i < bytes.length; i++) {
        const packed = bytes.charCodeAt(2 * i) + 256 * bytes.charCodeAt(2 * i + 1);
        if (packed) trend.points.push([i, trend.low * Math.exp((packed - 1) * trend.step)]);
      }
    }
    return trend.points;
  }
  const range = (change, runs, visible) => `${short(runs[change.previous][1], visible)}..${short(runs[change.run][1], visible)}`;
  const named = (change, runs) => (runs[change.run][1] || String(runs[change.run][0])).slice(0, 12);
  function sure(pvalue) { // how likely such a change is by chance
    return pvalue >= 1e-3 ? "p " + pvalue.toFixed(4) : "p " + (pvalue < 1e-99 ? "< 1e-99" : pvalue.toExponential(0).replace("-", "−"));
  }
  const middle = (values) => values.sort((a, b) => a - b)[values.length >> 1];

  // What differs by less than some percents is drawn flat: noise should not look like mountains.
  function scale(values, height, room) {
    let low = Infinity, high = -Infinity;
    for (const value of values) { if (value < low) low = value; if (value > high) high = value; }
    const least = 0.04 * high, extra = Math.max(0, least - (high - low)) / 2;
    low -= extra; high += extra;
    return { low, high, y: (value) => height - room - ((value - low) / (high - low || 1)) * (height - 2 * room) };
  }

  function sparkline(one, { make }) {
    const trend = own(one);
    if (!trend || points(trend).length < 2) return make("span", { class: "faint" }, "–");
    const all = points(trend), count = Math.min(BINS, all.length), bins = [];
    for (let i = 0; i < count; i++) bins.push(middle(all.slice(Math.floor(i * all.length / count), Math.floor((i + 1) * all.length / count)).map((each) => each[1])));
    const now = all[all.length - 1][1], { y } = scale([...bins, now], 26, 4);
    // The line goes over the runs that have the benchmark, one beside the other; so do its marks.
    const places = new Map(all.map(([run], i) => [run, i])), x = (run) => 2 + (places.get(run) / (all.length - 1)) * (SPARK - 4);
    const path = bins.map((value, i) => `${(2 + (i / (count - 1 || 1)) * (SPARK - 4)).toFixed(1)} ${y(value).toFixed(1)}`).join("L");
    return make("svg", { viewBox: `0 0 ${SPARK} 26`, class: "spark", "aria-hidden": "true" }, make("path", { class: "curve", d: "M" + path }),
      make("circle", { class: "now", cx: SPARK - 3, cy: y(now), r: 2.5 }),
      ...trend.changes.map((change) => make("path", { class: `mark ${kind(change)}`, d: change.after > change.before ? "M-3 3L0 -2L3 3Z" : "M-3 -3L0 2L3 -3Z",
        transform: `translate(${x(change.run).toFixed(1)} ${change.after > change.before ? 23 : 3})` })));
  }

  // The steps of an axis, at most so many and round.
  function steps(low, high, most) {
    const raw = (high - low) / most, power = 10 ** Math.floor(Math.log10(raw)), found = [];
    const step = [1, 2, 2.5, 5, 10].map((k) => k * power).find((k) => k >= raw * 0.999);
    for (let at = Math.ceil(low / step) * step; at <= high; at += step) found.push(at);
    return [found, Math.max(1, Math.min(9, Math.ceil(Math.log10(high / step)) + 1))];
  }

  function chart(one, trend, runs, tools) {
    const { make, time, visible } = tools, H = 190, base = H - 20, left = 58, all = points(trend);
    const { low, high, y } = scale(all.map((each) => each[1]), base, 14);
    const start = runs[all[0][0]][0], end = runs[all[all.length - 1][0]][0];
    const x = (run) => end > start ? left + ((runs[run][0] - start) / (end - start)) * (WIDTH - left - 10) : (left + WIDTH) / 2;
    const told = `${visible(one.name)}: ${all.length} runs, ${trend.changes.length} changes of level`;
    const svg = make("svg", { viewBox: `0 0 ${WIDTH} ${H}`, role: "img", class: "trend" }, make("title", {}, told));
    const [marks, digits] = steps(low, high, 4);
    for (const at of marks) svg.append(make("line", { class: "axis", x1: left, x2: WIDTH, y1: y(at), y2: y(at) }),
      make("text", { x: left - 6, y: y(at) + 4, "text-anchor": "end" }, time(at, digits)));
    svg.append(make("text", { x: left, y: H - 4 }, day(start)), make("text", { x: WIDTH, y: H - 4, "text-anchor": "end" }, day(end)));
    // A run that lacks the benchmark breaks the line.
    let path = "", before = -2;
    for (const [run, value] of all) {
      path += `${run === before + 1 ? "L" : "M"}${x(run).toFixed(1)} ${y(value).toFixed(1)}${run === before + 1 ? "" : "h0"}`;
      before = run;
    }
    svg.append(make("path", { class: "runs", d: path }));
    const edges = [all[0][0], ...trend.changes.map((change) => change.run), all[all.length - 1][0]];
    trend.changes.forEach((change, i) => {
      const from = i ? [] : [`M${x(edges[0]).toFixed(1)} ${y(change.before).toFixed(1)}`], to = x(edges[i + 2]).toFixed(1), at = x(change.run).toFixed(1);
      svg.append(make("path", { class: "level", d: `${from.join("") || `M${at} ${y(change.before).toFixed(1)}`}H${at}V${y(change.after).toFixed(1)}H${to}` }),
        make("line", { class: `at ${kind(change)}`, x1: at, x2: at, y1: 10, y2: base }),
        make("path", { class: `mark ${kind(change)}`, d: change.after > change.before ? UP : DOWN, transform: `translate(${at} 7)` },
          make("title", {}, `${range(change, runs, visible)}: ${tools.change(change.after / change.before)}`)));
    });
    const now = all[all.length - 1];
    svg.append(make("circle", { class: "now", cx: x(now[0]), cy: y(now[1]), r: 3.5 }));
    const cursor = make("line", { class: "cursor", y1: 10, y2: base, visibility: "hidden" }), readout = make("p", { class: "readout" });
    const rest = `${tools.count(all.length, "run")} · ${trend.changes.length ? tools.count(trend.changes.length, "change") + " of level" : "no change of level"}`;
    readout.textContent = rest;
    svg.append(cursor);
    svg.addEventListener("pointermove", (event) => {
      const box = svg.getBoundingClientRect(), wanted = ((event.clientX - box.left) / box.width) * WIDTH;
      const [run, value] = all.reduce((best, each) => (Math.abs(x(each[0]) - wanted) < Math.abs(x(best[0]) - wanted) ? each : best));
      for (const end of ["x1", "x2"]) cursor.setAttribute(end, x(run));
      cursor.setAttribute("visibility", "visible");
      readout.textContent = `${minute(runs[run][0])} · ${short(runs[run][1], visible)} · ${time(value)}`;
    });
    svg.addEventListener("pointerleave", () => { cursor.setAttribute("visibility", "hidden"); readout.textContent = rest; });
    return [svg, readout];
  }

  function changes(one, trend, runs, wanted, tools) {
    const { make, time, visible } = tools;
    if (!trend.changes.length) return [];
    return [make("ol", { class: "changes" }, ...trend.changes.map((change) => {
      const name = named(change, runs);
      return make("li", { class: name === wanted ? "linked" : null },
        make("b", { class: kind(change) }, `${sign(change)} ${tools.change(change.after / change.before)}`), " ",
        make("code", {}, range(change, runs, visible)), ` ${day(runs[change.run][0])}, ${time(change.before)} to ${time(change.after)}, ${sure(change.pvalue)} `,
        make("a", { href: tools.address(one, name), "aria-label": `Link to the change at ${short(runs[change.run][1], visible)}` }, "link"));
    }).reverse())];
  }

  function panel(one, data, wanted, tools) {
    const { make, visible } = tools;
    if (!data.history || !one.trends) return [];
    return one.trends.flatMap((trend, index) => {
      const group = data.history.groups[trend.group], runs = group.runs, same = index === 0 && one.trend_is_own;
      if (same && points(trend).length < 2) return [];
      const other = [group.processor, group.python, group.backend, trend.method].filter(Boolean).map(visible).join(", ");
      const parts = [make("h3", {}, same ? "history" : "history elsewhere: " + other), ...chart(one, trend, runs, tools), ...changes(one, trend, runs, same ? wanted : null, tools)];
      return same ? parts : [make("details", { class: "elsewhere" }, make("summary", {}, parts[0].textContent), ...parts.slice(1))];
    });
  }

  // Where the levels of the suite changed: the range of commits, and the benchmarks.
  function overview(data, tools) {
    const { make, visible, count } = tools;
    if (!data.history) return [];
    const runs = data.history.groups[0].runs, places = new Map();
    for (const one of data.benchmarks) {
      const trend = own(one);
      for (const change of trend ? trend.changes : []) {
        const key = change.previous + "-" + change.run;
        if (!places.has(key)) places.set(key, []);
        places.get(key).push({ one, change });
      }
    }
    const sorted = [...places.values()].sort((a, b) => b[0].change.run - a[0].change.run || b.length - a.length);
    const notes = [];
    if (data.history.left_out) notes.push(`${count(data.history.left_out, "other environment")} would not fit on this page.`);
    if (data.history.groups[0].earlier) notes.push(`${count(data.history.groups[0].earlier, "earlier run")} would not fit on this page.`);
    const span = runs.length > 1 ? `, ${day(runs[0][0])} to ${day(runs[runs.length - 1][0])}` : "";
    const box = make("details", { class: "box places", id: "changes" },
      make("summary", {}, `History: ${count(runs.length, "run")}${span}; ${sorted.length ? `levels changed at ${count(sorted.length, "place")}` : "no level changed"}`));
    for (const note of notes) box.append(make("p", { class: "note" }, note));
    const items = sorted.slice(0, MOST_PLACES).map((found) => {
      const change = found[0].change, up = found.filter((each) => kind(each.change) === "critical").length, down = found.length - up;
      found.sort((a, b) => b.change.magnitude - a.change.magnitude);
      const words = [make("code", {}, range(change, runs, visible)), ` ${day(runs[change.run][0])}: `];
      if (up) words.push(make("b", { class: "critical" }, `▲ ${up} slower`), down ? ", " : "");
      if (down) words.push(make("b", { class: "improvement" }, `▼ ${down} faster`));
      const names = make("ul", {}, ...found.slice(0, MOST_NAMES).map((each) => make("li", {}, `${sign(each.change)} ${tools.change(each.change.after / each.change.before)} `,
        make("a", { href: tools.address(each.one, named(each.change, runs)) }, visible(each.one.name)))));
      if (found.length > MOST_NAMES) names.append(make("li", {}, `and ${found.length - MOST_NAMES} more`));
      return make("li", {}, make("details", {}, make("summary", {}, ...words), names));
    });
    if (items.length) box.append(make("ol", {}, ...items));
    if (sorted.length > MOST_PLACES) box.append(make("p", { class: "note" }, `${sorted.length - MOST_PLACES} earlier places are in the benchmarks' own charts.`));
    return [box];
  }
  return { own, sparkline, panel, overview };
})();
