"use strict";
document.documentElement.classList.add("scripted");

// The film: a slider, a button and the strip all choose one of the pictures.
const film = document.querySelector(".film");
if (film) {
  const frames = JSON.parse(film.querySelector("script").textContent);
  const picture = film.querySelector(".view img");
  const slider = film.querySelector("input");
  const told = film.querySelector(".controls output");
  const button = film.querySelector("button");
  const strip = document.querySelector(".strip img");
  const here = document.querySelector(".strip .here");
  const last = picture.src;
  let timer = 0;

  function show(place) {
    const frame = frames[place];
    slider.value = place;
    picture.src = frame.src || last;
    picture.alt = frame.alt;
    told.textContent = "step " + frame.step.toLocaleString("en");
    slider.setAttribute("aria-valuetext", told.textContent);
    if (here) {
      here.style.left = (100 * place) / frames.length + "%";
      here.style.width = 100 / frames.length + "%";
      const scroller = here.closest(".strip");
      scroller.scrollLeft = here.offsetLeft - (scroller.clientWidth - here.offsetWidth) / 2;
    }
  }
  function stop() {
    clearInterval(timer);
    timer = 0;
    button.textContent = "Play";
  }
  slider.addEventListener("input", () => { stop(); show(Number(slider.value)); });
  button.addEventListener("click", () => {
    if (timer) { stop(); return; }
    let place = Number(slider.value) === frames.length - 1 ? 0 : Number(slider.value);
    show(place);
    button.textContent = "Pause";
    timer = setInterval(() => {
      place += 1;
      show(place);
      if (place >= frames.length - 1) stop();
    }, 260);
  });
  if (strip) {
    strip.addEventListener("click", (event) => {
      const box = strip.getBoundingClientRect();
      const place = Math.floor(((event.clientX - box.left) / box.width) * frames.length);
      stop();
      show(Math.max(0, Math.min(frames.length - 1, place)));
    });
  }
  show(frames.length - 1);
}

// The charts: the pointer, or the arrow keys, choose a step, and all charts tell their values there.
const charts = [...document.querySelectorAll(".chart")].map((figure) => {
  const svg = figure.querySelector("svg");
  const { share, lines } = JSON.parse(figure.querySelector("script").textContent);
  const outputs = [...figure.querySelectorAll(".legend output")];
  const cursor = svg.querySelector(".cursor");
  const colours = [...figure.querySelectorAll(".legend li")].map((item) => item.className);
  const dots = lines.map((_, index) => {
    const dot = document.createElementNS("http://www.w3.org/2000/svg", "circle");
    dot.setAttribute("r", 4);
    dot.setAttribute("class", colours[index]);
    cursor.append(dot);
    return dot;
  });
  return { svg, share, lines, outputs, cursor, dots, texts: outputs.map((output) => output.textContent) };
});

function written(value, share) {
  if (share) return Math.round(100 * value) + "%";
  const size = Math.abs(value);
  if (size !== 0 && (size >= 1e4 || size < 1e-3)) return value.toExponential(1).replace("e+", "e");
  return size >= 1000 ? Math.round(value).toLocaleString("en") : String(Number(value.toPrecision(3)));
}
function nearest(points, step) {
  let low = 0;
  let high = points.length - 1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (points[middle][0] < step) low = middle; else high = middle;
  }
  return Math.abs(points[low][0] - step) <= Math.abs(points[high][0] - step) ? low : high;
}
function point(step) {
  for (const { svg, share, lines, outputs, cursor, dots } of charts) {
    cursor.removeAttribute("hidden");
    let closest = null;
    lines.forEach((points, index) => {
      const found = points[nearest(points, step)];
      if (closest === null || Math.abs(found[0] - step) < Math.abs(closest[0] - step)) closest = found;
      outputs[index].textContent = written(found[1], share);
      dots[index].setAttribute("cx", found[2]);
      dots[index].setAttribute("cy", found[3]);
    });
    outputs[outputs.length - 1].textContent = Math.round(closest[0]).toLocaleString("en");
    const line = cursor.querySelector("line");
    line.setAttribute("x1", closest[2]);
    line.setAttribute("x2", closest[2]);
    svg.dataset.step = closest[0];
  }
}
function leave() {
  for (const { outputs, cursor, texts } of charts) {
    cursor.setAttribute("hidden", "");
    outputs.forEach((output, index) => { output.textContent = texts[index]; });
  }
}
for (const { svg, lines } of charts) {
  const longest = lines.reduce((one, other) => (other.length > one.length ? other : one));
  const stepAt = (x) => {
    const first = longest[0];
    const end = longest[longest.length - 1];
    return end[2] === first[2] ? first[0] : first[0] + ((x - first[2]) / (end[2] - first[2])) * (end[0] - first[0]);
  };
  svg.addEventListener("pointermove", (event) => {
    const box = svg.getBoundingClientRect();
    point(stepAt(((event.clientX - box.left) / box.width) * svg.viewBox.baseVal.width));
  });
  svg.addEventListener("pointerleave", leave);
  svg.addEventListener("blur", leave);
  svg.addEventListener("keydown", (event) => {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!by) return;
    event.preventDefault();
    const now = svg.dataset.step === undefined ? longest.length - 1 : nearest(longest, Number(svg.dataset.step)) + by;
    point(longest[Math.max(0, Math.min(longest.length - 1, now))][0]);
  });
}
