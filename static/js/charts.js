// Draws the figures that the server put into the page, in the colours of the style sheet.
"use strict";

function resolveColours(value, style) {
  if (typeof value === "string") {
    if (value === "inherit") return style.fontFamily;
    return value.startsWith("--") ? style.getPropertyValue(value).trim() : value;
  }
  if (Array.isArray(value)) return value.map((item) => resolveColours(item, style));
  if (value && typeof value === "object") {
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, resolveColours(item, style)]));
  }
  return value;
}

async function draw(element) {
  const figure = JSON.parse(document.getElementById(element.dataset.figure).textContent);
  const { data, layout } = resolveColours(figure, getComputedStyle(document.body));
  await Plotly.react(element, data, layout, { responsive: true, displayModeBar: false });
  if (!element.dataset.drawn) {
    element.dataset.drawn = "yes";
    element.on("plotly_click", (event) => {
      const link = event.points[0].customdata;
      if (typeof link === "string") location.href = link;
    });
  }
}

function drawAll() {
  for (const element of document.querySelectorAll("[data-figure]")) draw(element);
}

drawAll();
document.addEventListener("themechange", drawAll);
document.addEventListener("htmx:afterSettle", drawAll);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
