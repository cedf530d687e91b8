// Something of the visitor, changed: it is read, shown and saved by `mediumOf`, which is that of pictures or of sounds.
// What else the network takes is asked for by its declaration, and every answer is made at once.
"use strict";
(() => {
  const { about, byId, make, titled } = page;
  const { inputs } = about;
  const [first, ...more] = inputs.filter((input) => input.kind === "given");
  const drawnAlone = () => () => null;
  const quick = 250; // milliseconds of a change up to which a slider that moves is followed
  const fields = { attributes, class: choice, normal: drawnAlone, number: numbers, shift: drawnAlone, uniform: numbers };
  const read = {}; // what is asked for, by input: gives its value, null where it is to be drawn
  const taken = new Set(); // names of the inputs that the visitor gave
  const medium = mediumOf({ first, more, change, take });
  const { noun, others } = medium;
  let session, name = noun, ready = Promise.resolve(), waiting = false, stopped = false, lasted = 0;

  page.run(async () => {
    build();
    session = await page.started();
    for (const field of document.querySelectorAll("input[type=file]")) field.disabled = false;
    page.tell(`Ready. Pick a ${noun}.`);
  });

  // -- the network ---------------------------------------------------------------------------------------------------

  /** What is given now, by input: its values, and their shape with the batch. */
  function givenNow() {
    return Object.fromEntries([first, ...more].map((input) => [input.name, medium.given(input)]));
  }

  /** The inputs of the network as they are asked for now: {name: typed array, or the number of a class}. */
  function asked() {
    const random = page.randomFrom(Number(byId("seed").value) >>> 0), values = {}, given = givenNow();
    for (const input of inputs) {
      if (input.kind === "given") values[input.name] = given[input.name].values;
      else {
        const drawn = input.kind === "class" ? 0 : page.drawn(input, random); // even where it is not needed: later draws stay
        values[input.name] = read[input.name]() ?? drawn;
      }
    }
    return { values, given };
  }

  /** What the network makes of {name: {values, shape}} of what is given, and of the values of all else. */
  async function generate(given, values) {
    const feeds = {};
    for (const input of inputs.filter((each) => session.inputNames.includes(each.name))) {
      const value = values[input.name];
      if (input.kind === "class") feeds[input.name] = new ort.Tensor("int64", BigInt64Array.of(BigInt(value)), [1]);
      else if (input.kind !== "given") feeds[input.name] = new ort.Tensor("float32", value, [1, ...input.shape]);
      else feeds[input.name] = new ort.Tensor("float32", given[input.name].values, given[input.name].shape);
    }
    return (await session.run(feeds))[about.output];
  }
  globalThis.ganvas = { about, asked, settled };

  /** Makes what the controls say. Whoever asks while that runs is answered by one more run, for what they say then. */
  async function change() {
    if (waiting) return;
    waiting = true;
    await ready;
    waiting = false;
    ready = changed().catch((error) => page.tell(`This ${noun} could not be changed: ${error.message ?? error}`, true));
  }

  /** Ends when all that was asked for is made. */
  async function settled() {
    do await ready; while (waiting);
    await ready;
  }

  async function changed() {
    const lacking = [first, ...others].find((input) => !taken.has(input.name));
    byId("save").disabled = true;
    if (lacking) return page.tell(`Pick ${lacking === first ? `a ${noun}` : `one for ${lacking.name}`} too.`);
    const { values, given } = asked();
    stopped = false;
    page.tell("Changing it.");
    await breath(); // the network holds the page up; let it be seen why
    const began = performance.now();
    const made = await medium.made(given, (some) => generate(some, values), goesOn);
    byId("stop").hidden = true;
    if (made === null) return page.tell(stopped ? "Stopped." : "Changing it.");
    lasted = performance.now() - began;
    const much = medium.show(given, made);
    byId("save").disabled = false;
    page.tell(`${much} in ${(lasted / 1000).toFixed(2)} s, in this browser.`);
  }

  /** Tells which share of it is done; whether the rest is still wanted. */
  async function goesOn(share) {
    byId("stop").hidden = false;
    page.tell(`Changing it: ${Math.round(100 * share)}%.`);
    await breath();
    return !waiting && !stopped;
  }

  function breath() { return new Promise((resolve) => setTimeout(resolve, 20)); }

  // -- what is asked for ---------------------------------------------------------------------------------------------

  /** Takes a file, or what was recorded, as what is given for an input. */
  async function take(input, source, called) {
    try {
      await medium.read(input, source, called);
    } catch (error) {
      return page.tell(error.message ?? String(error), true);
    }
    taken.add(input.name);
    if (input === first) name = called.replace(/\.[^.]*$/, "");
    await change();
  }

  function build() {
    byId("about").textContent = `Recipe ${about.recipe}, step ${about.step.toLocaleString("en")}, made with Ganvas ${about.version}.`;
    byId("alone").textContent = about.alone;
    byId("alone").hidden = !about.alone;
    page.picked(byId("file"), (file) => take(first, file, file.name));
    for (const input of others) {
      const field = make("input", { type: "file", accept: medium.accept, disabled: true, id: `file-${input.name}` });
      field.addEventListener("change", () => { if (field.files[0]) take(input, field.files[0], field.files[0].name); });
      labelled(titled(input.name), field);
    }
    for (const input of inputs.filter((each) => each.kind !== "given")) read[input.name] = fields[input.kind](input);
    byId("seed-label").hidden = !inputs.some((input) => ["normal", "uniform"].includes(input.kind));
    byId("seed").addEventListener("change", change);
    byId("stop").addEventListener("click", () => { stopped = true; });
    byId("save").addEventListener("click", () => medium.save(`${name}-${about.name}`));
    medium.build();
  }

  function choice(input) {
    const select = make("select", { id: `given-${input.name}` });
    for (let i = 0; i < input.classes; i++) select.append(make("option", { value: String(i), textContent: input.names[i] ?? String(i) }));
    select.addEventListener("change", change);
    labelled(titled(input.name), select);
    return () => Number(select.value);
  }

  function numbers(input) {
    const size = page.sizeOf(input), drawn = input.kind === "uniform";
    const all = Array.from({ length: size }, (_, i) => slider(
      `given-${input.name}${size > 1 ? `-${i}` : ""}`, `${titled(input.name)}${size > 1 ? ` ${i + 1}` : ""}`,
      input.low, input.high, { value: input.default, free: drawn ? "drawn" : null },
    ));
    return () => {
      const values = all.map((value) => value());
      return values.some((value) => value === null) ? null : Float32Array.from(values);
    };
  }

  /** A row for each attribute, which stays as it is until it is touched. */
  function attributes(input) {
    const all = input.attributes.map(({ name, low, high, choices }) => {
      const id = `given-${input.name}-${name}`;
      if (!choices?.length) return slider(id, titled(name), low, high, { free: "stays" });
      const select = make("select", { id });
      select.append(make("option", { value: "", textContent: "stays as it is" }));
      choices.forEach((each, i) => select.append(make("option", { value: String(i), textContent: each })));
      select.addEventListener("change", change);
      labelled(titled(name), select);
      return () => select.value === "" ? null : Number(select.value);
    });
    return () => Float32Array.from(all, (value) => value() ?? NaN);
  }

  /** A slider whose state is also `free`, in these words, until it is moved; null where it always has a value. */
  function slider(id, text, low, high, { value = (low + high) / 2, free }) {
    const row = make("div", { className: "row" }), label = make("label", { textContent: text, htmlFor: id });
    const step = high - low > 10 ? 1 : (high - low) / 100;
    const field = make("input", { id, type: "range", min: low, max: high, step }), told = make("output");
    const back = make("button", { type: "button", textContent: "×", title: `${text}: ${free}`, ariaLabel: `${text}: ${free}` });
    field.value = value;
    let set = free === null;
    const say = () => {
      told.textContent = set ? String(Number(Number(field.value).toPrecision(3))) : free;
      back.style.visibility = set && free !== null ? "visible" : "hidden";
      row.classList.toggle("free", !set);
    };
    field.addEventListener("input", () => { set = true; say(); if (lasted < quick) change(); });
    field.addEventListener("change", () => { set = true; say(); change(); });
    back.addEventListener("click", () => { set = false; field.value = value; say(); change(); });
    say();
    row.append(label, field, told, back);
    byId("fields").append(row);
    return () => set ? Number(field.value) : null;
  }

  function labelled(text, field) {
    const row = make("div", { className: "row" });
    row.append(make("label", { textContent: text, htmlFor: field.id }), field);
    byId("fields").append(row);
  }
})();
