// What the judge's page draws beside the report's charts: figures by convention, and differences with intervals.

function drawConventions() {
  const shown = data.conventions;
  const names = shown[0].names.map(plain);
  const published = data.published === null ? [] : [{
    type: "line", yref: "paper", y0: 0, y1: 1, x0: data.published, x1: data.published,
    line: { color: colour("k3"), width: 1.5, dash: "dot" },
  }];
  const traces = shown.map((method, i) => ({
    x: method.values, y: method.names.map(plain), mode: "markers", name: plain(method.method),
    marker: { size: i ? 8 : 11, color: i ? baselineColour(i - 1) : colour("accent"), symbol: i ? "diamond" : "circle" },
    hovertemplate: "%{y}: <b>%{x:.3f}</b>",
  }));
  draw("conventions-chart", traces, layout({
    height: 120 + 26 * names.length, shapes: published, showlegend: shown.length > 1,
    legend: { orientation: "h", x: 0, y: 1.02, yanchor: "bottom", font: { size: 12 } },
    margin: { l: 52, r: 14, t: 40, b: 44 },
    xaxis: axis(data.published === null ? "figure" : "figure; dotted: published", { tickformat: ".2f" }),
    yaxis: axis("", { autorange: "reversed", type: "category", categoryarray: names, categoryorder: "array" }),
  }));
}

function drawDifferences() {
  byId("differences-chart").hidden = data.differences.length === 0;
  if (data.differences.length === 0) return;
  const traces = ["micro", "macro"].map((name, i) => ({
    x: data.differences.map((one) => one[name][0]), y: data.differences.map((one) => `${plain(one.method)}, ${name}`), mode: "markers",
    name: `${name} AUC`, marker: { size: 9, color: colour(i ? "second" : "accent"), symbol: i ? "diamond" : "circle" },
    error_x: {
      type: "data", symmetric: false, array: data.differences.map((one) => one[name][2] - one[name][0]),
      arrayminus: data.differences.map((one) => one[name][0] - one[name][1]), thickness: 1.6, width: 5,
      color: colour(i ? "second" : "accent"),
    },
    hovertemplate: "%{y}: <b>%{x:+.3f}</b>",
  }));
  const zero = { type: "line", yref: "paper", y0: 0, y1: 1, x0: 0, x1: 0, line: { color: colour("soft"), width: 1 } };
  draw("differences-chart", traces, layout({
    height: 130 + 52 * data.differences.length, shapes: [zero], showlegend: true,
    legend: { orientation: "h", x: 0, y: 1.02, yanchor: "bottom", font: { size: 12 } },
    margin: { l: 52, r: 14, t: 40, b: 44 },
    xaxis: axis("difference of AUC", { tickformat: "+.2f" }), yaxis: axis("", {
      autorange: "reversed", type: "category", categoryorder: "array",
      categoryarray: data.differences.flatMap((one) => ["micro", "macro"].map((name) => `${plain(one.method)}, ${name}`)),
    }),
  }));
}

function drawJudge() {
  if (data.conventions.length && data.conventions[0].names.length) drawConventions();
  drawDifferences();
}

drawJudge();
window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawJudge);
