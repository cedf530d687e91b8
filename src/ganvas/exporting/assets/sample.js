// Samples and walks: the network's inputs are drawn here, ONNX Runtime makes the samples, canvases show them, and
// sounds are played.
"use strict";
(() => {
  const { about, byId, make, count, sizeOf } = page;
  const { inputs } = about;
  const isPoints = about.canvas === "scatter", isSounds = about.canvas === "spectrogram";
  const [, height, width] = isPoints ? [1, 256, 256] : isSounds ? [1, sounds.bands, 96] : about.shape;
  const spectrogram = (canvas, values, shape, index) => sounds.spectrogram(canvas, values, shape, about.space.rate, index);
  const paint = isSounds ? spectrogram : page.paint;
  const numbers = sizeOf(about);
  const shown = isPoints ? 1000 : Math.max(4, Math.min(36, Math.floor(400000 / (height * width))));
  const classInputs = inputs.filter((input) => input.kind === "class");
  const captions = inputs.filter((input) => input.kind === "caption");
  const normals = inputs.filter((input) => input.kind === "normal");
  const codes = inputs.filter((input) => input.kind === "uniform" && sizeOf(input) <= 12);
  let session, samples = [], pixels = null, step = null, audio = null, playing = null, start = 0, end = 1, busy = Promise.resolve(), waiting = false;

  page.run(async () => {
    build();
    session = await page.started();
    await sample();
    byId("new").disabled = false;
  });

  // -- the network ---------------------------------------------------------------------------------------------------

  /** Samples as one Float32Array, from a list of {input name: array or class number}. One call runs after the other. */
  function generate(list) {
    const result = busy.then(async () => {
      return (await session.run(page.feedsOf(session, list)))[about.output].data;
    });
    busy = result.catch(() => {});
    return result;
  }
  globalThis.ganvas = { about, generate, draw, heard };

  function draw(seed, n) {
    const random = page.randomFrom(seed), share = Number(byId("truncation").value);
    return Array.from({ length: n }, (_, index) => {
      const one = {};
      for (const input of inputs) {
        if (input.kind === "class") {
          const chosen = byId(`class-${input.name}`).value;
          one[input.name] = chosen === "all" ? index % input.classes : Number(chosen);
        } else if (input.kind === "caption") {
          one[input.name] = said(input, `caption-${input.name}`) ?? trained(input, index);
        } else one[input.name] = page.drawn(input, random, share);
      }
      return one;
    });
  }

  /** What a caption's field says, as numbers; null where it is empty. One without a known word is told, and left out. */
  function said(input, id) {
    const text = byId(id).value.trim();
    if (!text) return null;
    const { values, unknown } = page.captioned(input, text);
    if (unknown.length) byId(`caption-${input.name}-told`).textContent = `${values ? "" : "No word is known. "}It knows no ${unknown.slice(0, 5).join(", ")}.`;
    return values;
  }

  /** A caption of the training, each in turn. */
  function trained(input, index) {
    const titles = input.offered?.map((each) => each.title) ?? input.examples;
    return page.captioned(input, titles[index % titles.length]).values;
  }

  /** What the sliders describe: the start, turned towards the end, plus the directions' steps. */
  function walked() {
    const one = { ...samples[start] }, other = samples[end], part = slider("between");
    for (const input of inputs) {
      if (input.kind === "normal") one[input.name] = turned(one[input.name], other[input.name], part);
      if (input.kind === "caption") {
        const last = said(input, `caption-${input.name}-to`) ?? other[input.name];
        one[input.name] = one[input.name].map((v, i) => v + part * (last[i] - v));
      }
      if (input.kind === "uniform") one[input.name] = one[input.name].map((v, i) => v + part * (other[input.name][i] - v));
    }
    for (const [index, vector] of (about.directions?.vectors ?? []).entries()) {
      const steps = slider(`direction-${index}`), name = about.directions.input;
      one[name] = one[name].map((value, i) => value + steps * vector[i]);
    }
    for (const input of codes) {
      const within = (value) => Math.max(input.low, Math.min(input.high, value));
      one[input.name] = one[input.name].map((v, i) => within(v + slider(`code-${input.name}-${i}`)));
    }
    return one;
  }

  /** Between two draws from N(0, 1) on the sphere, where such draws lie; a straight line would pass near 0. */
  function turned(from, to, part) {
    const dot = (a, b) => a.reduce((sum, value, i) => sum + value * b[i], 0);
    const angle = Math.acos(Math.max(-1, Math.min(1, dot(from, to) / Math.sqrt(dot(from, from) * dot(to, to)) || 0)));
    if (Math.sin(angle) < 1e-4) return from.map((value, i) => value + part * (to[i] - value));
    const [a, b] = [Math.sin((1 - part) * angle) / Math.sin(angle), Math.sin(part * angle) / Math.sin(angle)];
    return from.map((value, i) => a * value + b * to[i]);
  }

  // -- what is seen --------------------------------------------------------------------------------------------------

  async function sample() {
    samples = draw(Number(byId("seed").value) >>> 0, shown);
    if (!isPoints) await walk(); // one picture is there long before all are
    const began = performance.now();
    pixels = await generate(samples);
    const seconds = (performance.now() - began) / 1000;
    page.tell(`${shown} samples in ${seconds.toFixed(2)} s, in this browser.`);
    if (isPoints) scatter(byId("scatter"), pixels);
    else samples.forEach((_, index) => paint(byId(`sample-${index}`).firstChild, pixels, about.shape, index));
    if (isPoints) await walk();
    count(byId("samples"));
  }

  async function walk() {
    if (waiting) return; // the run that waits for its turn will see where the sliders are then
    waiting = true;
    await busy;
    waiting = false;
    const made = await generate([walked()]);
    if (isPoints) {
      scatter(byId("walk"), pixels, "#8888");
      scatter(byId("walk"), made, "#d33", 4, false);
    } else paint(byId("walk"), made, about.shape);
    step = made;
    document.body.dataset.firstSample ??= Math.round(performance.now());
    count(byId("walk"));
  }

  function scatter(canvas, values, colour = "#3b6fd4", radius = 1.5, clear = true) {
    const context = canvas.getContext("2d"), reach = 3;
    if (clear) context.clearRect(0, 0, canvas.width, canvas.height);
    context.fillStyle = colour;
    for (let at = 0; at < values.length; at += numbers) {
      const x = (values[at] / reach + 1) * canvas.width / 2, y = (1 - (numbers > 1 ? values[at + 1] : 0) / reach) * canvas.height / 2;
      context.beginPath();
      context.arc(x, y, radius, 0, 2 * Math.PI);
      context.fill();
    }
  }

  /** A sound as what the loudspeaker gets: a buffer of the model's own rate. */
  function heard(values, index = 0) {
    const [channels, length] = about.shape;
    audio ??= new AudioContext();
    const buffer = audio.createBuffer(channels, length, about.space.rate);
    for (let c = 0; c < channels; c++) {
      const from = (index * channels + c) * length;
      buffer.copyToChannel(Float32Array.from(values.subarray(from, from + length)), c);
    }
    return buffer;
  }

  function play(values, index = 0) {
    if (!isSounds || !values) return;
    playing?.stop();
    const buffer = heard(values, index);
    playing = audio.createBufferSource();
    playing.buffer = buffer;
    playing.connect(audio.destination);
    playing.start();
  }

  // -- the controls --------------------------------------------------------------------------------------------------

  function build() {
    byId("about").textContent = `Recipe ${about.recipe}, step ${about.step.toLocaleString("en")}, made with Ganvas ${about.version}. The same seed gives the same samples here; PyTorch draws others.`;
    for (const input of classInputs) {
      const select = page.classChoice(input);
      select.addEventListener("change", sample);
      const label = make("label", { textContent: `${page.titled(input.name)} ` });
      label.append(select);
      byId("classes").append(label);
    }
    for (const input of captions) {
      const told = make("span", { id: `caption-${input.name}-told`, className: "hint" });
      told.setAttribute("role", "status");
      for (const [id, title, act] of [["", page.titled(input.name), sample], ["-to", `Walk to ${input.name}`, walk]]) {
        const field = captionField(input, `caption-${input.name}${id}`), label = make("label", { textContent: `${title} ` });
        field.addEventListener("change", () => { told.textContent = ""; act(); });
        label.append(field);
        byId("classes").append(label);
      }
      byId("classes").append(told);
    }
    byId("truncation-label").hidden = !normals.length;
    byId("truncation").addEventListener("input", () => {
      byId("truncation-value").textContent = byId("truncation").value;
    });
    byId("truncation").addEventListener("change", sample);
    byId("seed").addEventListener("change", sample);
    byId("new").addEventListener("click", () => {
      byId("seed").value = page.newSeed();
      sample();
    });
    byId("back").addEventListener("click", () => {
      for (const input of byId("sliders").querySelectorAll("input")) { input.value = 0; input.dispatchEvent(new Event("input")); }
    });
    if (isSounds) {
      byId("walk").style.cursor = "pointer";
      byId("walk").addEventListener("click", () => play(step));
    }
    byId("walk").width = width;
    byId("walk").height = height;
    add("between", "From start to end", 0, 1);
    (about.directions?.vectors ?? []).forEach((_, index) => add(`direction-${index}`, `Direction ${index + 1}`, -5, 5));
    for (const input of codes) {
      const most = input.high - input.low;
      for (let i = 0; i < sizeOf(input); i++) add(`code-${input.name}-${i}`, `${input.name} ${i + 1}`, -most, most);
    }
    if (isPoints) {
      byId("samples").style.setProperty("--columns", 1);
      byId("samples").append(make("canvas", { id: "scatter", width: 512, height: 512 }));
      return;
    }
    byId("samples").style.setProperty("--columns", Math.floor(Math.sqrt(shown)));
    byId("samples-hint").textContent = `Click one to ${isSounds ? "hear it and to " : ""}start the walk there; the one before becomes its end.`;
    for (let index = 0; index < shown; index++) {
      const button = make("button", { id: `sample-${index}`, type: "button", ariaLabel: `Sample ${index + 1}` });
      button.append(make("canvas", { width, height }));
      button.addEventListener("click", () => { play(pixels, index); if (index !== start) [start, end] = [index, start]; mark(); walk(); });
      byId("samples").append(button);
    }
    mark();
  }

  /** A text, with captions of the training to choose from; a choice of these alone where the page can encode no other. */
  function captionField(input, id) {
    if (input.offered) {
      const select = make("select", { id });
      select.append(make("option", { value: "", textContent: "of the training, in turn" }));
      for (const { title } of input.offered) select.append(make("option", { value: title, textContent: title }));
      return select;
    }
    const field = make("input", { id, type: "text", size: 40, maxLength: 2000, placeholder: input.examples[0] });
    field.setAttribute("list", `${id}-examples`);
    const list = make("datalist", { id: `${id}-examples` });
    for (const text of input.examples) list.append(make("option", { value: text }));
    document.body.append(list);
    return field;
  }

  function mark() {
    [...byId("samples").children].forEach((button, index) => {
      button.ariaPressed = String(index === start);
      button.classList.toggle("end", index === end);
    });
  }

  function add(id, text, min, max) {
    const label = make("label"), input = make("input", { id, type: "range", min, max, step: 0.01 }), told = make("output");
    input.value = 0;
    told.textContent = "0";
    input.addEventListener("input", () => { told.textContent = String(Number(input.value)); walk(); });
    label.append(make("span", { textContent: text }), input, told);
    byId("sliders").append(label);
  }

  // -- small things --------------------------------------------------------------------------------------------------

  function slider(id) { return Number(byId(id).value); }
})();
