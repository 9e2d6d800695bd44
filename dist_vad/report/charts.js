"use strict";
// Draws the charts from the JSON in the page. Colours come from the style sheet, where light and dark are decided.

const data = JSON.parse(document.getElementById("data").textContent);
const byId = (id) => document.getElementById(id);
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
const narrowScreen = window.matchMedia("(max-width: 639px)");
const narrow = () => narrowScreen.matches;
const LEVELS = 65535;
const KIND_COLOURS = 5;
const MOST_LANES = 4;
const DASHES = ["dash", "dot", "dashdot", "longdash", "longdashdot"];
// A learned scorer keeps its colour in every chart; the headline has the accent.
const HEADS = ["second", "k4", "k0", "k3", "k1"];
const learned = [...data.phases.lines, ...data.roc.filter((curve) => curve.learned)].map((some) => some.name);
const heads = [...new Set(learned)].filter((name) => name !== data.headline);
const headColour = (name) => colour(name === data.headline ? "accent" : HEADS[heads.indexOf(name) % HEADS.length]);
const baselineColour = (tone) => colour(`b${tone % 5}`);

// Charts never catch the wheel or a finger: the page must stay scrollable on a phone.
const CONFIG = { displayModeBar: false, responsive: true, scrollZoom: false };

function axis(title, more = {}) {
  return {
    title: { text: title, standoff: 8, font: { size: 12, color: colour("soft") } },
    gridcolor: colour("grid"), linecolor: colour("line"), tickfont: { size: 12, color: colour("soft") },
    zeroline: false, automargin: true, fixedrange: true, ...more,
  };
}

function layout(more) {
  return {
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", hovermode: "closest",
    margin: { l: 52, r: 14, t: 12, b: 44 },
    font: { family: getComputedStyle(document.body).fontFamily, size: 13, color: colour("ink") },
    legend: { orientation: "h", x: 0, y: -0.16, yanchor: "top", font: { size: 12 } },
    hoverlabel: { bgcolor: colour("card"), bordercolor: colour("line"), font: { color: colour("ink") } },
    ...more,
  };
}

// Names come from data and Plotly reads a little HTML in its texts, so whatever could be markup is made plain.
const plain = (name) => String(name).replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");

function draw(id, traces, shape) {
  Plotly.react(id, traces, shape, CONFIG);
  byId(id).dataset.drawn = traces.length;
}

function baselineLine(tone, width) {
  return { color: baselineColour(tone), width, dash: DASHES[tone % DASHES.length] };
}

// A wide chart names the baselines at its edge; a narrow one has no room there and takes them into the legend.
function phaseLevels({ names, baselines }) {
  const said = (level) => `${plain(level.label)} ${level.value.toFixed(3)}`;
  if (narrow()) {
    const traces = baselines.map((level) => ({
      x: names.map(plain), y: names.map(() => level.value), mode: "lines", name: said(level),
      line: baselineLine(level.tone, 1.5), hoverinfo: "name",
    }));
    return { traces, shapes: [], annotations: [], right: 14 };
  }
  const shapes = baselines.map((level) => ({
    type: "line", xref: "paper", x0: 0, x1: 1, y0: level.value, y1: level.value, line: baselineLine(level.tone, 1.3),
  }));
  const annotations = baselines.map((level) => ({
    xref: "paper", x: 1, xanchor: "left", xshift: 5, y: level.place, showarrow: false, align: "left",
    text: said(level), font: { size: 11.5, color: baselineColour(level.tone) },
  }));
  const longest = Math.max(0, ...baselines.map((level) => level.label.length));
  return { traces: [], shapes, annotations, right: baselines.length ? Math.min(190, 52 + 6.3 * longest) : 14 };
}

function drawPhases() {
  const { names, lines, range } = data.phases;
  byId("phases-figure").hidden = lines.length === 0;
  if (lines.length === 0) return;
  const learned = lines.map((line, i) => ({
    x: names.map(plain), y: line.values, name: plain(line.label), mode: "lines+markers", connectgaps: true,
    line: { width: 2.5, color: headColour(line.name) },
    marker: { size: 9, symbol: ["circle", "diamond", "square", "cross", "triangle-up"][i % 5] }, hovertemplate: "%{x}: <b>%{y:.3f}</b>",
  }));
  const { traces, shapes, annotations, right } = phaseLevels(data.phases);
  draw("phases", [...learned, ...traces], layout({
    height: 420, shapes, annotations, showlegend: true, margin: { l: 52, r: right, t: 12, b: 44 },
    xaxis: axis("", { showgrid: false, type: "category", range: [-0.3, names.length - 0.7] }),
    yaxis: axis("micro AUC", { range, tickformat: ".2f" }),
  }));
}

function drawCurves(id, curves, { x, y, hover, line = {}, shapes }) {
  byId(`${id}-figure`).hidden = curves.length === 0;
  if (curves.length === 0) return;
  const traces = curves.map((curve) => {
    const final = curve.name === data.headline;
    const style = curve.learned ? { width: final ? 3 : 2, color: headColour(curve.name) }
      : baselineLine(curve.tone, 1.5);
    return {
      x: curve.x, y: curve.y, mode: "lines", line: { ...style, ...line },
      name: `${plain(curve.label)} ${curve.area.toFixed(3)}`, hovertemplate: hover,
    };
  });
  draw(id, traces, layout({
    height: narrow() ? 480 : 440, shapes,
    legend: { orientation: "h", x: 0, y: -0.2, yanchor: "top", font: { size: 11.5 } },
    xaxis: axis(x, { range: [0, 1] }), yaxis: axis(y, { range: [0, 1.01] }),
  }));
}

function drawRoc() {
  const diagonal = { type: "line", x0: 0, y0: 0, x1: 1, y1: 1, line: { color: colour("line"), width: 1 } };
  drawCurves("roc", data.roc, {
    x: "false positive rate", y: "true positive rate", shapes: [diagonal],
    hover: "false alarms %{x:.3f}, found %{y:.3f}",
  });
}

function drawPr() {
  const dots = { color: colour("soft"), width: 1, dash: "dot" };
  const chance = { type: "line", x0: 0, x1: 1, y0: data.anomalous, y1: data.anomalous, line: dots };
  drawCurves("pr", data.pr, {
    x: "recall", y: "precision", shapes: [chance], line: { shape: "vh" },
    hover: "found %{x:.3f}, of alarms right %{y:.3f}",
  });
}

function drawKinds() {
  byId("kinds-figure").hidden = data.bars.length === 0;
  if (data.bars.length === 0) return;
  const traces = data.bars.map((bar) => ({
    type: "bar", x: data.kinds.map((kind) => plain(kind.label).replace(/ /g, "<br>")), y: bar.values, name: plain(bar.label),
    marker: { color: bar.tone === null ? colour("accent") : baselineColour(bar.tone) },
    hovertemplate: "%{x}: <b>%{y:.3f}</b>",
  }));
  const dots = { color: colour("soft"), width: 1, dash: "dot" };
  const chance = { type: "line", xref: "paper", x0: 0, x1: 1, y0: 0.5, y1: 0.5, line: dots };
  draw("kinds", traces, layout({
    height: 420, shapes: [chance], barmode: "group", bargap: 0.22, bargroupgap: 0.06,
    xaxis: axis("", { showgrid: false, tickangle: 0 }), yaxis: axis("AUC", { range: [0, 1.05] }),
  }));
}

