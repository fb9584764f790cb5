// SPDX-License-Identifier: MIT
// The parts of the dashboard about lanes and service levels. Used by page.js, which lends it `make`, `time` and
// `visible`; text enters the page as text nodes alone here too.
"use strict";
const LANES = (() => {
  const SIGNS = { violated: "▲▲", possibly: "▲", "no data": "?", met: "✓" };
  const WIDTH = 560;

  function bytes(value) {
    const units = ["B", "kB", "MB", "GB", "TB"];
    let index = 0;
    while (Math.abs(value) >= 999.5 && index < units.length - 1) { value /= 1000; index++; }
    return (index ? value.toPrecision(3) : String(Math.round(value))) + "\u202f" + units[index];
  }
  function figure(value, unit) {
    if (unit === "bytes") return bytes(value);
    if (unit === "bytes/s") return bytes(value) + "/s";
    return (value >= 100 ? Math.round(value).toLocaleString("en") : String(+value.toPrecision(3))) + (unit ? "\u202f" + unit : "");
  }

  // One metric over time. Rates are not told at every sample, so the line goes on to the next one that is there.
  function curve(lane, line, tools) {
    const { make, time, visible } = tools, H = 62, base = H - 16;
    const end = lane.times[lane.times.length - 1] || 1, most = Math.max(...line.values.filter((one) => one !== null)) || 1;
    const points = line.values.flatMap((value, i) => value === null ? []
      : [[((lane.times[i] / end) * WIDTH).toFixed(1), (base - (value / most) * (base - 6)).toFixed(1)]]);
    const path = "M" + points.map(([x, y]) => `${x} ${y}`).join("L");
    const under = `M${points[0][0]} ${base}L${path.slice(1)}L${points[points.length - 1][0]} ${base}Z`;
    const highest = figure(most, line.unit);
    return [make("h3", {}, `${line.name}, at most ${highest}`),
      make("svg", { viewBox: `0 0 ${WIDTH} ${H}`, role: "img" },
        make("title", {}, `${visible(lane.name)}: ${line.name} over ${time(end)}, at most ${highest}`),
        make("path", { class: "under", d: under }), make("path", { class: "curve", d: path }),
        make("line", { class: "axis", x1: 0, x2: WIDTH, y1: base, y2: base }),
        make("text", { x: 0, y: H - 3 }, "0"), make("text", { x: WIDTH, y: H - 3, "text-anchor": "end" }, time(end, 3)))];
  }

  // A bar for each iteration; one that was not completed has an outline alone, of the full height.
  function iterations(lane, tools) {
    const { make, time, visible, count } = tools, H = 56, many = lane.outcomes.length;
    if (!many) return [];
    const most = Math.max(...lane.outcomes.map((one) => one.seconds || 0)) || 1, step = Math.min(28, WIDTH / many);
    const svg = make("svg", { viewBox: `0 0 ${WIDTH} ${H}`, role: "img" }, make("title", {}, `Iterations of ${visible(lane.name)}`));
    lane.outcomes.forEach((one, i) => {
      const done = one.status === "completed", height = done ? Math.max(1, (one.seconds / most) * (H - 6)) : H - 6;
      const words = done ? time(one.seconds) : one.status.replace("_", " ") + (one.reason ? ": " + one.reason : "");
      svg.append(make("rect", { class: done ? "bar" : "bar failed", x: i * step + 1, y: H - height - 1, width: Math.max(1, step - 3), height },
        make("title", {}, `${i + 1}: ${visible(words)}`)));
    });
    // There are bars for the first ones alone, but all are counted.
    const all = Object.values(lane.counts).reduce((sum, one) => sum + one, 0);
    const outlined = lane.outcomes.filter((one) => one.status !== "completed").length, failed = all > many ? all - (lane.counts.completed || 0) : outlined;
    const shown = all > many ? `the first ${many} of ${count(all, "iteration")}` : "iterations";
    return [make("h3", {}, `${shown}, one bar each${failed ? `; ${failed.toLocaleString("en")} not completed${outlined ? " (outlined)" : ""}` : ""}`), svg];
  }

  function lines(lane, tools) {
    return [...iterations(lane, tools), ...lane.lines.flatMap((line) => curve(lane, line, tools))];
  }
  function facts(lane, fact) {
    fact("lane", lane.status);
    if (lane.cpu_percent !== null) fact("CPU", figure(lane.cpu_percent, "%") + (lane.cores ? ` of ${lane.cores * 100}\u202f%` : ""));
    if (lane.memory_max_bytes !== null) fact("memory at most", bytes(lane.memory_max_bytes));
    if (lane.processes !== null) fact("processes at most", String(lane.processes));
  }

  function table(data, { make, visible }) {
    const rows = data.sla.map((one) => make("tr", {}, make("td", {}, visible(one.subject)), make("td", {}, one.key),
      make("td", { class: "figure" }, one.limit), make("td", { class: "figure" }, one.value), make("td", { class: "figure" }, one.interval),
      make("td", { class: one.status.replace(" ", "") }, `${SIGNS[one.status]} ${one.words}${one.reason ? ": " + visible(one.reason) : ""}`)));
    const head = ["Benchmark", "Target", "Limit", "Value", "95 % interval", "Verdict"].map((one) => make("th", { scope: "col" }, one));
    const counts = Object.keys(SIGNS).map((status) => [data.sla.filter((one) => one.status === status).length, status])
      .filter(([number]) => number).map(([number, status]) => `${number} ${status === "possibly" ? "possibly violated" : status}`);
    return make("details", { class: "lanes", id: "sla", open: data.sla.some((one) => one.status !== "met") ? "" : null },
      make("summary", {}, `Service levels: ${counts.join(", ")}`),
      make("table", {}, make("thead", {}, make("tr", {}, ...head)), make("tbody", {}, ...rows)));
  }
  function failures(data, { make, visible }) {
    const rows = data.lanes_failed.map((lane) => {
      const first = lane.outcomes.find((one) => one.status !== "completed");
      return make("li", {}, `${visible(lane.name)}: ` + (first ? `${first.status.replace("_", " ")}${first.reason ? ": " + visible(first.reason) : ""}` : lane.status));
    });
    return make("section", { class: "lanes", "aria-label": "Lanes without a time" },
      make("h2", { class: "critical" }, "Lanes that have no time"), make("ul", {}, ...rows));
  }
  function overview(data, tools) {
    const some = (list) => list && list.length > 0; // a comparison of two revisions has neither
    return [...(some(data.lanes_failed) ? [failures(data, tools)] : []), ...(some(data.sla) ? [table(data, tools)] : [])];
  }
  return { bytes, lines, facts, overview };
})();
