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
const heads = [...new Set([...data.phases.lines, ...data.roc.filter((curve) => curve.learned)].map((some) => some.name))]
  .filter((name) => name !== data.headline);
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

function drawRoc() {
  byId("roc-figure").hidden = data.roc.length === 0;
  if (data.roc.length === 0) return;
  const traces = data.roc.map((curve) => {
    const final = curve.name === data.headline;
    const line = curve.learned ? { width: final ? 3 : 2, color: headColour(curve.name) }
      : baselineLine(curve.tone, 1.5);
    return {
      x: curve.x, y: curve.y, mode: "lines", line, name: `${plain(curve.label)} ${curve.auc.toFixed(3)}`,
      hovertemplate: "false alarms %{x:.3f}, found %{y:.3f}",
    };
  });
  const diagonal = { type: "line", x0: 0, y0: 0, x1: 1, y1: 1, line: { color: colour("line"), width: 1 } };
  draw("roc", traces, layout({
    height: narrow() ? 480 : 420, shapes: [diagonal],
    legend: { orientation: "h", x: 0, y: -0.2, yanchor: "top", font: { size: 11.5 } },
    xaxis: axis("false positive rate", { range: [0, 1] }), yaxis: axis("true positive rate", { range: [0, 1.01] }),
  }));
}

function drawKinds() {
  byId("kinds-figure").hidden = data.bars.length === 0;
  if (data.bars.length === 0) return;
  const traces = data.bars.map((bar) => ({
    type: "bar", x: data.kinds.map((kind) => plain(kind.label)), y: bar.values, name: plain(bar.label),
    marker: { color: bar.tone === null ? colour("accent") : baselineColour(bar.tone) },
    text: bar.values.map((value) => (value === null || narrow() ? "" : value.toFixed(2))),
    textposition: "outside", cliponaxis: false, textfont: { size: 11, color: colour("soft") },
    hovertemplate: "%{x}: <b>%{y:.3f}</b>",
  }));
  const dots = { color: colour("soft"), width: 1, dash: "dot" };
  const chance = { type: "line", xref: "paper", x0: 0, x1: 1, y0: 0.5, y1: 0.5, line: dots };
  draw("kinds", traces, layout({
    height: 340, shapes: [chance], barmode: "group", bargap: 0.22, bargroupgap: 0.06,
    xaxis: axis("", { showgrid: false }), yaxis: axis("AUC", { range: [0, 1.05] }),
  }));
}

function unpack(text, low, high) {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const view = new DataView(bytes.buffer);
  const level = (high - low) / LEVELS;
  return Array.from({ length: bytes.length / 2 }, (_, i) => low + view.getUint16(2 * i, true) * level);
}

function kindColour(kind) {
  const number = data.kinds.findIndex((known) => known.name === kind);
  return colour(number >= 0 && number < KIND_COLOURS ? `k${number}` : "kx");
}

// The address names the choice (#video=NAME&frame=F), so that a link to this page can point at a moment.
function choice() {
  const hash = location.hash.startsWith("#video=") ? location.hash.slice(1) : "";
  const fields = new URLSearchParams(hash.replace(/\+/g, "%2B")); // a plus in a name is no space
  const video = data.videos.find((known) => known.name === fields.get("video")) ?? data.videos[0];
  return { video, frame: fields.has("frame") ? Number(fields.get("frame")) : null };
}

// Names of events that would cover each other go to lines of their own: the first line on which each fits.
function lanes(video) {
  const perPixel = video.frames / Math.max(100, byId("curve").clientWidth - 70);
  const ends = [];
  return video.spans.map((span) => {
    const half = (span.name.length * 6.5 + 8) * perPixel / 2;
    const middle = (span.start + span.end) / 2;
    const free = ends.findIndex((end) => end <= middle - half);
    const lane = free < 0 ? ends.length : free;
    ends[lane] = middle + half;
    return Math.min(lane, MOST_LANES - 1);
  });
}

function shading(video) {
  const shapes = video.spans.map((span) => ({
    type: "rect", yref: "paper", y0: 0, y1: 1, x0: span.start, x1: span.end, line: { width: 0 },
    fillcolor: kindColour(span.kind), opacity: Number(colour("shade")), layer: "below",
  }));
  const places = lanes(video);
  const annotations = video.spans.map((span, i) => ({
    yref: "paper", y: 1, yanchor: "bottom", yshift: 2 + 15 * places[i],
    x: (span.start + span.end) / 2, showarrow: false,
    text: plain(span.name.replace(/_/g, " ")), font: { size: 11.5, color: kindColour(span.kind) },
  }));
  return { shapes, annotations, top: 16 + 15 * (Math.max(-1, ...places) + 1) };
}

function drawVideo() {
  if (data.videos.length === 0) return;
  const { video, frame } = choice();
  const name = byId("score").value;
  const score = data.scores[name];
  if (!score) return;
  const values = video.curves[name] ? unpack(video.curves[name], score.low, score.high) : [];
  const { shapes, annotations, top } = shading(video);
  if (frame !== null) {
    const dots = { color: colour("ink"), width: 1.5, dash: "dot" };
    shapes.push({ type: "line", yref: "paper", y0: 0, y1: 1, x0: frame, x1: frame, line: dots });
  }
  const room = (score.high - score.low || 1) * 0.04;
  draw("curve", [{
    x: values.map((_, i) => i * video.step), y: values, mode: "lines", line: { color: colour("accent"), width: 1.8 },
    hovertemplate: "frame %{x}: %{y:.3f}<extra></extra>", name: plain(score.label),
  }], layout({
    height: 340, shapes, annotations, showlegend: false, margin: { l: 56, r: 14, t: top, b: 44 },
    xaxis: axis("frame", { range: [0, Math.max(1, video.frames - 1)], showgrid: false }),
    yaxis: axis(plain(score.label), { range: [score.low - room, score.high + room] }),
  }));
  byId("curve").dataset.video = video.name;
  byId("curve").dataset.points = values.length;
  const shaded = video.spans.map((span) => `${span.name} ${span.start} to ${span.end - 1}`).join(", ") || "nothing";
  const says = `${score.label} score of ${video.name} over ${video.frames} frames; shaded: ${shaded}`;
  byId("curve").setAttribute("aria-label", says);
  byId("video-facts").textContent = facts(video);
  byId("video").value = video.name;
  for (const link of document.querySelectorAll("#sparklines a")) {
    if (link.dataset.video === video.name) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
  }
}

function facts(video) {
  const parts = [video.name, video.scene && `scene ${video.scene}`, `${video.frames} frames`];
  if (!video.labelled) parts.push("no labels");
  else if (video.auc !== null) parts.push(`AUC ${video.auc.toFixed(3)}`);
  if (video.step > 1) parts.push(`highest score of every ${video.step} frames drawn`);
  return parts.filter(Boolean).join(" · ");
}

function select(name) {
  history.replaceState(null, "", "#video=" + encodeURIComponent(name));
  drawVideo();
}

function step(by) {
  const picker = byId("video");
  const count = picker.options.length;
  select(picker.options[(picker.selectedIndex + by + count) % count].value);
}

function followHash() {
  if (!location.hash.startsWith("#video=")) return;
  drawVideo();
  byId("videos").scrollIntoView();
}

function filterRows() {
  const wanted = [...document.querySelectorAll("[data-filter]")].filter((field) => field.value !== "*");
  for (const row of document.querySelectorAll("tr[data-smoothing]")) {
    row.hidden = wanted.some((field) => row.dataset[field.dataset.filter] !== field.value);
  }
  const one = wanted.some((field) => field.dataset.filter === "smoothing");
  document.querySelector("table").classList.toggle("one-smoothing", one);
}

function reorder() {
  const key = byId("order").value;
  const sign = key === "peak" ? -1 : 1;
  const items = [...byId("sparklines").children];
  byId("sparklines").append(...items.sort((a, b) => sign * (a.dataset[key] - b.dataset[key])));
}

function drawAll() {
  drawPhases();
  drawRoc();
  drawKinds();
  drawVideo();
}

for (const field of document.querySelectorAll("[data-filter]")) field.addEventListener("change", filterRows);
byId("order").addEventListener("change", reorder);
byId("video").addEventListener("change", (event) => select(event.target.value));
byId("score").addEventListener("change", drawVideo);
byId("previous").addEventListener("click", () => step(-1));
byId("next").addEventListener("click", () => step(1));
window.addEventListener("hashchange", followHash);
window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
narrowScreen.addEventListener("change", drawAll);
filterRows();
drawAll();
followHash();
document.documentElement.dataset.ready = "true";
