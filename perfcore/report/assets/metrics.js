// SPDX-License-Identifier: MIT
// The parts of the dashboard about metrics of calls (memory, allocations, processor time, rates) and their verdicts.
// Used by page.js, which lends it its tools; text enters the page as text nodes alone here too.
"use strict";
const METRICS = (() => {
  const LOUD = ["critical", "warning"], FIRST = 8, MOST = 500;

  const loud = (one) => (one.metrics || []).filter((each) => LOUD.includes(each.status))
    .sort((a, b) => LOUD.indexOf(a.status) - LOUD.indexOf(b.status));
  const words = (text) => text.replace(/^-/, "−").replace(/ %$/, "\u202f%");
  const verdict = (each, { SIGNS, visible }) => each.status ? `${SIGNS[each.status]} ${each.status}${each.reason ? ": " + visible(each.reason) : ""}` : "";

  // Under the name in the table: what is worse than it was, besides the time.
  function badges(one, { make, visible, SIGNS }) {
    return loud(one).map((each) => make("small", { class: each.status }, `${SIGNS[each.status]} ${visible(each.metric)} ${words(each.change)}`));
  }

  function cells(each, tools) {
    const { make, visible } = tools, name = make("td", {}, visible(each.metric));
    if (each.kind) name.append(make("small", {}, each.kind));
    return [name, make("td", { class: "figure" }, each.baseline_shown === "-" ? "–" : each.baseline_shown), make("td", { class: "figure" }, each.shown),
      make("td", { class: `figure ${each.status || ""}` }, each.change === "-" ? "–" : words(each.change)),
      make("td", { class: each.status || "" }, verdict(each, tools))];
  }
  const head = (make, ...titles) => make("thead", {}, make("tr", {}, ...titles.map((one) =>
    make("th", { scope: "col", class: ["Baseline", "Now", "Change"].includes(one) ? "figure" : null }, one))));

  // Of one benchmark that is opened.
  function panel(one, tools) {
    const { make } = tools, all = one.metrics || [];
    if (!all.length) return [];
    const judged = all.some((each) => each.status);
    const rows = all.map((each) => make("tr", {}, ...(judged ? cells(each, tools) : cells(each, tools).filter((_, i) => i === 0 || i === 2))));
    const titles = judged ? ["Metric of a call", "Baseline", "Now", "Change", "Verdict"] : ["Metric of a call", "Now"];
    return [make("table", { class: "metrics" }, head(make, ...titles), make("tbody", {}, ...rows))];
  }

  // Of the whole file: what is not ok, the worst first.
  function overview(data, tools) {
    const { make, visible, SIGNS, STATES, link } = tools, check = data.check;
    if (!check || !Object.values(check.metric_counts).some(Boolean)) return [];
    const counts = STATES.filter((status) => check.metric_counts[status]).map((status) => `${check.metric_counts[status]} ${status}`);
    const found = data.benchmarks.flatMap((one) => one.metrics.filter((each) => each.status && each.status !== "ok").map((each) => [one, each]));
    found.sort((a, b) => STATES.indexOf(a[1].status) - STATES.indexOf(b[1].status) || (b[1].ratio === null ? 1e300 : b[1].ratio) - (a[1].ratio === null ? 1e300 : a[1].ratio));
    const rows = found.slice(0, MOST).map(([one, each]) => make("tr", {}, make("td", {}, link(one)), ...cells(each, tools)));
    const box = make("details", { class: "box", id: "metrics", open: found.some(([, each]) => LOUD.includes(each.status)) ? "" : null },
      make("summary", {}, `Metrics of calls: ${counts.join(", ")}`));
    const tabled = (some) => make("table", { class: "metrics" }, head(make, "Benchmark", "Metric", "Baseline", "Now", "Change", "Verdict"), make("tbody", {}, ...some));
    if (rows.length) box.append(tabled(rows.slice(0, FIRST)));
    if (rows.length > FIRST) box.append(make("details", {}, make("summary", {}, `${rows.length - FIRST} more`), tabled(rows.slice(FIRST))));
    if (found.length > MOST) box.append(make("p", { class: "note" }, `${found.length - MOST} more are in the benchmarks' own tables.`));
    for (const [name, number] of Object.entries(check.lost_metrics)) box.append(make("p", { class: "note" },
      `Not judged: ${visible(name)}, which ${number === 1 ? "one benchmark lacks" : number + " benchmarks lack"} although the baseline has it.`));
    return [box];
  }
  return { loud, badges, panel, overview };
})();
