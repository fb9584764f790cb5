// SPDX-License-Identifier: MIT
// The parts of the dashboard about USE reports: utilisation, saturation and errors of each resource, as a table whose
// signs say what deserves a look. Used by page.js, which lends it its tools; text enters the page as text nodes alone.
"use strict";
const USE = (() => {
  const WIDTH = 80;

  function share(figure, { make }) { // how much of a limit, as a bar
    if (figure.share === null) return [];
    return [make("svg", { viewBox: `0 0 ${WIDTH} 6`, class: "share", "aria-hidden": "true" }, make("rect", { class: "whole", width: WIDTH, height: 6, rx: 1 }),
      make("rect", { class: "part", width: Math.max(0, Math.min(1, figure.share)) * WIDTH, height: 6, rx: 1 }))];
  }

  function rows(report, tools) {
    const { make, visible, SIGNS } = tools;
    return report.figures.map((figure, index) => {
      const first = !index || report.figures[index - 1].resource !== figure.resource;
      const sign = figure.status ? SIGNS[figure.status] + " " : "";
      return make("tr", { class: first ? "first" : null }, make("td", { class: first ? null : "again" }, visible(figure.resource)), make("td", {}, figure.kind), make("td", {}, visible(figure.name)),
        make("td", { class: `figure ${figure.status}` }, sign + figure.shown, ...share(figure, tools)), make("td", {}, figure.scope));
    });
  }

  function box(report, tools) {
    const { make, visible } = tools, number = (status) => report.figures.filter((figure) => figure.status === status).length;
    const failed = number("critical"), tight = number("warning"), found = [];
    if (report.exit_code) found.push(report.exit_code > 0 ? `exit code ${report.exit_code}` : `ended by signal ${-report.exit_code}`);
    if (failed) found.push(`${tools.SIGNS.critical} ${tools.count(failed, "error")}`);
    if (tight) found.push(`${tools.SIGNS.warning} ${tight} at a limit or waiting`);
    const head = ["Resource", "Kind", "Figure", "Value", "Of"].map((one) => make("th", { scope: "col", class: one === "Value" ? "figure" : null }, one));
    const made = make("details", { class: "box use" },
      make("summary", {}, `Resources: ${visible(report.target)}, ${report.duration}${found.length ? "; " + found.join(", ") : ""}`));
    if (report.figures.length) made.append(make("table", { class: "metrics" }, make("thead", {}, make("tr", {}, ...head)), make("tbody", {}, ...rows(report, tools))));
    made.append(make("p", { class: "note" }, `Utilisation, saturation and errors (USE), from ${tools.count(report.samples, "sample")}; ${visible(report.source)}. `
        + `${tools.SIGNS.critical} something failed; ${tools.SIGNS.warning} a resource is at 90 % of its limit, or work had to wait.`));
    return made;
  }
  const overview = (data, tools) => (data.use || []).map((report) => box(report, tools));
  return { overview };
})();
