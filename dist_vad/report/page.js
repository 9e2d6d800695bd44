// The table's filters, the order of the videos, and what listens to what.

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
  drawPr();
  drawKinds();
  drawVideo();
}

for (const field of document.querySelectorAll("[data-filter]")) field.addEventListener("change", filterRows);
byId("order").addEventListener("change", reorder);
byId("video").addEventListener("change", (event) => select(event.target.value));
byId("score").addEventListener("change", drawVideo);
byId("previous").addEventListener("click", () => step(-1));
byId("next").addEventListener("click", () => step(1));
byId("frame").addEventListener("input", (event) => pin(Number(event.target.value)));
byId("zoom-in").addEventListener("click", () => zoom(0.5));
byId("zoom-out").addEventListener("click", () => zoom(2));
byId("zoom-all").addEventListener("click", () => zoom(null));
window.addEventListener("hashchange", followHash);
window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
narrowScreen.addEventListener("change", drawAll);
filterRows();
drawAll();
watchCurve();
followHash();
document.documentElement.dataset.ready = "true";
