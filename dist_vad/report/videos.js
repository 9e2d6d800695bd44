// One video: its curve, the frame under the pointer, and which video is chosen.

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

// What is on the screen: the chosen video, its score by frame, and the frame that stays when the pointer leaves.
let shown = { video: null, values: [], pinned: 0 };
const finePointer = window.matchMedia("(pointer: fine)");

function drawVideo() {
  if (data.videos.length === 0) return;
  const { video, frame } = choice();
  const name = byId("score").value;
  const score = data.scores[name];
  if (!score) return;
  const values = video.curves[name] ? unpack(video.curves[name], score.low, score.high) : [];
  const { shapes, annotations, top } = shading(video);
  const room = (score.high - score.low || 1) * 0.04;
  draw("curve", [{
    x: values.map((_, i) => i * video.step), y: values, mode: "lines", line: { color: colour("accent"), width: 1.8 },
    hovertemplate: "frame %{x}: %{y:.3f}<extra></extra>", name: plain(score.label),
  }], layout({
    height: 320, shapes, annotations, showlegend: false, margin: { l: 56, r: 14, t: top, b: 44 }, hovermode: "x",
    dragmode: finePointer.matches ? "zoom" : false, // a finger must be able to scroll the page
    xaxis: axis("frame", { range: whole(video), showgrid: false, fixedrange: false }),
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
  byId("frame").max = Math.max(0, video.frames - 1);
  shown = { video, values, pinned: frame ?? peak(values) * video.step };
  showFrame(shown.pinned);
}

const whole = (video) => [0, Math.max(1, video.frames - 1)];
const peak = (values) => values.reduce((best, value, i) => (value > values[best] ? i : best), 0);

// The frame, its score and what the labels say of it; the pointer only looks, a click or the slider stays.
function showFrame(frame, stay = true) {
  const { video, values } = shown;
  if (!video) return;
  const at = Math.min(Math.max(0, Math.round(frame)), Math.max(0, video.frames - 1));
  if (stay) {
    shown.pinned = at;
    byId("frame").value = at;
  }
  const value = values[Math.floor(at / video.step)];
  const events = video.spans.filter((span) => span.start <= at && at < span.end).map((span) => span.name);
  const truth = video.labelled ? events.join(", ").replace(/_/g, " ") || "normal" : "";
  const parts = [`Frame ${at}`, value === undefined ? "" : `score ${value.toFixed(3)}`, truth];
  const says = parts.filter(Boolean).join(" · ");
  byId("frame-facts").textContent = says;
  byId("frame").setAttribute("aria-valuetext", says);
  showStill(video, at);
  placeCursor(at);
}

function showStill(video, frame) {
  const picture = byId("still");
  picture.hidden = !video.stills;
  byId("no-still").hidden = Boolean(video.stills);
  if (!video.stills) return;
  const { step, images } = video.stills;
  const number = Math.min(images.length - 1, Math.round(frame / step));
  picture.src = "data:image/jpeg;base64," + images[number];
  picture.alt = `${video.name}, frame ${number * step}`;
  picture.dataset.frame = number * step;
}

function placeCursor(frame) {
  const cursor = byId("cursor");
  const { xaxis, yaxis } = byId("curve")._fullLayout ?? {};
  const across = xaxis ? xaxis.l2p(frame) : -1;
  cursor.hidden = !(across >= 0 && across <= xaxis._length);
  if (cursor.hidden) return;
  cursor.style.left = `${xaxis._offset + across}px`;
  cursor.style.top = `${yaxis._offset}px`;
  cursor.style.height = `${yaxis._length}px`;
}

function pin(frame) {
  showFrame(frame);
  const fields = `#video=${encodeURIComponent(shown.video.name)}&frame=${shown.pinned}`;
  history.replaceState(null, "", fields);
}

// Around the frame that is shown: half of what is seen now, or twice as much.
function zoom(factor) {
  const { video, pinned } = shown;
  if (!video) return;
  const [low, high] = byId("curve")._fullLayout.xaxis.range.map(Number);
  const [first, last] = whole(video);
  const width = factor === null ? last : Math.min(last - first, Math.max(8, (high - low) * factor));
  const start = factor === null ? first : Math.min(Math.max(first, pinned - width / 2), last - width);
  Plotly.relayout("curve", { "xaxis.range": [start, start + width] });
}

function watchCurve() {
  const curve = byId("curve");
  if (!curve.on) return;
  curve.on("plotly_hover", (event) => showFrame(event.points[0].x, false));
  curve.on("plotly_unhover", () => showFrame(shown.pinned));
  curve.on("plotly_click", (event) => pin(event.points[0].x));
  curve.on("plotly_afterplot", () => placeCursor(shown.pinned));
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

