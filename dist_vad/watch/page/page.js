"use strict";
const ANSWERS = { seen: "Seen", anomaly: "Anomaly", false_alarm: "False alarm" };
const $ = (selector, within = document) => within.querySelector(selector);
const cards = new Map(), rows = new Map();
let state = null, shown = "";

const clock = (seconds) => new Date(seconds * 1000).toLocaleTimeString([], { hour12: false });
const number = (value) => (value === null || value === undefined ? "–" : value.toFixed(2));
// Beyond what the held-out normal video can show, a calibrated anomaly score is extrapolated: no number is given.
const anomaly = (score, supported) => (score > supported ? `> ${supported.toFixed(1)}` : number(score));
const meaning = (score, supported) => (score > supported ? "calibrated anomaly score (extrapolated)" : "calibrated anomaly score");

async function refresh() {
  try {
    const answer = await fetch("api/state");
    if (answer.status === 401) return location.reload();
    state = await answer.json();
    draw();
    document.documentElement.dataset.ready = "yes";
  } catch (error) {
    $("#summary").textContent = "the service does not answer";
    document.querySelectorAll(".camera").forEach((card) => card.classList.add("lost"));
  }
}

function draw() {
  const up = state.cameras.filter((camera) => camera.status === "connected").length;
  const events = state.cameras.filter((camera) => camera.event).length;
  $("#summary").textContent =
    `${up} of ${state.cameras.length} connected` + (events ? `, ${events} with an event now` : "") + ` · ${clock(state.time)}`;
  document.title = events ? `● ${events} event${events > 1 ? "s" : ""}` : "Cameras";
  for (const camera of state.cameras) drawCamera(camera);
  drawEvents();
  const judged = state.judged;
  $("#judged").textContent = judged.false_alarms + judged.anomalies === 0 ? "" :
    `Judged: ${judged.anomalies} anomalies, ${judged.false_alarms} false alarms` +
    (judged.lowest_anomaly === null ? "." :
      `; ${judged.false_alarms_below_it} of these lie below the lowest anomaly (${number(judged.lowest_anomaly)}).`);
}

function drawCamera(camera) {
  let card = cards.get(camera.name);
  if (!card) {
    card = $("#camera").content.firstElementChild.cloneNode(true);
    $("b", card).textContent = camera.name;
    $("img", card).alt = `Camera ${camera.name}`;
    $("#cameras").append(card);
    cards.set(camera.name, card);
    const option = document.createElement("option");
    option.value = option.textContent = camera.name;
    $("#of-camera").append(option);
    look(camera.name, card);
  }
  card.className = `camera ${camera.status}${camera.event ? " event" : ""}`;
  $(".away", card).textContent = camera.status === "lost" ? `away since ${clock(camera.since)}: ${camera.reason}` : "connecting …";
  $(".status", card).textContent = camera.status === "connected" ? `${camera.fps.toFixed(1)} fps` : camera.status;
  $(".score", card).textContent = camera.score === null ? (camera.status === "connected" ? "learning the background" : "") :
    `${anomaly(camera.score, camera.supported)} / ${number(camera.threshold)}`;
  $(".score", card).title = `${meaning(camera.score, camera.supported)} / threshold`;
  $(".note", card).textContent = camera.note;
  curve($("canvas", card), camera);
}

function curve(canvas, camera) {
  const style = getComputedStyle(document.documentElement), ratio = devicePixelRatio || 1;
  const wide = canvas.clientWidth - 26, high = 56;
  if (wide <= 0) return;
  canvas.width = Math.round((wide + 26) * ratio);
  canvas.height = Math.round(high * ratio);
  const draw = canvas.getContext("2d");
  draw.scale(ratio, ratio);
  draw.translate(0, 0);
  const most = Math.max(2 * camera.threshold, camera.supported) * 1.05;
  const x = (time) => ((time - state.time + 600) / 600) * (wide + 26);
  const y = (score) => high - 2 - (high - 4) * Math.min(1, score / most);
  draw.strokeStyle = style.getPropertyValue("--soft");
  draw.setLineDash([3, 4]);
  draw.beginPath(); draw.moveTo(0, y(camera.threshold)); draw.lineTo(wide + 26, y(camera.threshold)); draw.stroke();
  draw.setLineDash([]);
  draw.fillStyle = style.getPropertyValue("--alarm") + "44";
  for (const [time, score] of camera.curve) if (score >= camera.threshold) draw.fillRect(x(time), 0, Math.max(1, (wide + 26) / 600), high);
  draw.strokeStyle = style.getPropertyValue("--calm");
  draw.lineWidth = 1.5;
  draw.beginPath();
  let last = -Infinity;
  for (const [time, score] of camera.curve) {
    if (time - last > 5) draw.moveTo(x(time), y(score)); else draw.lineTo(x(time), y(score));
    last = time;
  }
  draw.stroke();
}

async function look(name, card) {
  const picture = $("img", card), svg = $("svg", card);
  for (;;) {
    await new Promise((resume) => setTimeout(resume, 500));
    if (document.hidden) continue;
    try {
      const answer = await fetch(`api/cameras/${encodeURIComponent(name)}/picture.jpg`);
      if (answer.status !== 200) continue;
      const [wide, high] = JSON.parse(answer.headers.get("X-Size")), boxes = JSON.parse(answer.headers.get("X-Boxes"));
      const before = picture.src, now = URL.createObjectURL(await answer.blob());
      picture.onload = () => { if (before.startsWith("blob:")) URL.revokeObjectURL(before); };
      picture.src = now;
      svg.setAttribute("viewBox", `0 0 ${wide} ${high}`);
      svg.replaceChildren(...boxes.map(([x1, y1, x2, y2, score]) => {
        const box = document.createElementNS("http://www.w3.org/2000/svg", "rect");
        for (const [key, value] of Object.entries({ x: x1, y: y1, width: x2 - x1, height: y2 - y1 })) box.setAttribute(key, value);
        const threshold = state.cameras.find((camera) => camera.name === name).threshold;
        if (score >= threshold) box.classList.add("high");
        return box;
      }));
    } catch (error) { /* the next look may succeed */ }
  }
}

function lasted(event) {
  const seconds = (Date.parse(event.end || new Date(state.time * 1000).toISOString()) - Date.parse(event.begin)) / 1000;
  return seconds < 90 ? `${seconds.toFixed(1)} s` : `${Math.round(seconds / 60)} min`;
}

function drawEvents() {
  const unanswered = $("#open-only").checked, camera = $("#of-camera").value;
  const wanted = state.events.filter((event) => !(unanswered && event.answer) && (!camera || event.camera === camera));
  const key = JSON.stringify(wanted.map((event) => [event.id, event.type, event.score, event.answer, event.snapshot_bytes])) + camera;
  $("#none").hidden = wanted.length > 0;
  if (key === shown) return;
  shown = key;
  for (const [id, row] of rows) if (!wanted.some((event) => event.id === id)) { row.remove(); rows.delete(id); }
  const list = $("#events");
  wanted.forEach((event, place) => {
    let row = rows.get(event.id);
    if (!row) {
      row = $("#event").content.firstElementChild.cloneNode(true);
      $(".shot", row).onclick = () => play(event.id);
      rows.set(event.id, row);
    }
    row.className = event.answer ? "answered" : "";
    const version = event.type === "end" ? "?end" : "";
    const picture = `media/${event.snapshot}${version}`;
    if ($("img", row).getAttribute("src") !== picture) $("img", row).src = picture;
    $("b", row).textContent = event.camera;
    const begin = new Date(event.begin);
    $("time", row).textContent = begin.toLocaleString([], { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false });
    $("time", row).dateTime = event.begin;
    $(".score", row).textContent = anomaly(event.score, event.supported);
    $(".score", row).title = meaning(event.score, event.supported);
    $(".score", row).classList.add("high");
    $(".what", row).textContent = event.type === "end" ? `lasted ${lasted(event)}${event.reason ? `, ${event.reason}` : ""}` : "goes on";
    buttons($(".answers", row), event);
    if (list.children[place] !== row) list.insertBefore(row, list.children[place] || null);
  });
}

function buttons(place, event) {
  place.replaceChildren(...Object.entries(ANSWERS).map(([answer, text]) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = text;
    button.dataset.answer = answer;
    button.setAttribute("aria-pressed", String(event.answer === answer));
    button.disabled = event.type !== "end" && answer !== "seen";
    button.onclick = () => say(event.id, answer);
    return button;
  }));
}

async function say(id, answer) {
  const told = await fetch(`api/events/${encodeURIComponent(id)}/answer`, {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ answer }),
  });
  if (!told.ok) return alert((await told.json()).error);
  await refresh();
  if ($("#player").open) buttons($(".answers", $("#player")), state.events.find((event) => event.id === id));
}

function play(id) {
  const event = state.events.find((one) => one.id === id), player = $("#player");
  $("h3", player).textContent = `${event.camera}, ${new Date(event.begin).toLocaleString([], { hour12: false })}`;
  $("video", player).src = `media/${event.clip}`;
  buttons($(".answers", player), event);
  player.showModal();
}

$("#player").addEventListener("close", () => { const video = $("#player video"); video.pause(); video.removeAttribute("src"); video.load(); });
$("#player").addEventListener("click", (event) => { if (event.target === $("#player")) $("#player").close(); });
for (const id of ["#open-only", "#of-camera"]) $(id).addEventListener("change", () => drawEvents());
refresh();
setInterval(() => { if (!document.hidden) refresh(); }, 1000);
document.addEventListener("visibilitychange", refresh);
