// Texts: the network's inputs are drawn here, ONNX Runtime makes the numbers of tokens, and these are told as texts.
"use strict";
(() => {
  const { about, byId, make, count, titled } = page;
  const { inputs, space } = about;
  const shown = 40, first = 2; // texts; the number of the first token of the vocabulary: 0 is the end, 1 one that is not known
  const nothingBefore = ".,;:!?)]}%\u2026", nothingBehind = "([{#$"; // signs that stand close to a word
  const read = {}; // what is asked for, by input: gives its value for the text of this place
  let session, lines = [], ready = Promise.resolve(), waiting = false;

  page.run(async () => {
    build();
    session = await page.started();
    await write();
    for (const id of ["new", "copy", "save"]) byId(id).disabled = false;
  });
  globalThis.ganvas = { about, draw, generate, told };

  /** A list of {input name: array, or the number of a class}. */
  function draw(seed, n) {
    const random = page.randomFrom(seed), share = Number(byId("truncation").value);
    return Array.from({ length: n }, (_, index) => Object.fromEntries(
      inputs.map((input) => [input.name, read[input.name]?.(index) ?? page.drawn(input, random, share)]),
    ));
  }

  /** Numbers of tokens, n times as many as a text has, of such a list. */
  async function generate(list) {
    return Array.from((await session.run(page.feedsOf(session, list)))[about.output].data, Number);
  }

  /** The text of tokens up to the first end, as `TextSpace.lines` has it. */
  function told(numbers) {
    const end = numbers.indexOf(0), tokens = (end < 0 ? numbers : numbers.slice(0, end)).map((number) => number < first ? "\ufffd" : space.vocabulary[number - first]);
    if (space.tokens === "characters") return tokens.join("");
    return tokens.reduce((text, token) => {
      const close = !text || nothingBefore.includes(token) || nothingBehind.includes(text.at(-1));
      return close ? text + token : `${text} ${token}`;
    }, "");
  }

  /** Makes what the controls say. Whoever asks while that runs is answered by one more run, for what they say then. */
  async function write() {
    if (waiting) return;
    waiting = true;
    await ready;
    waiting = false;
    ready = written().catch((error) => page.tell(`They could not be made: ${error.message ?? error}`, true));
    await ready;
  }

  async function written() {
    const began = performance.now(), numbers = await generate(draw(Number(byId("seed").value) >>> 0, shown));
    lines = Array.from({ length: shown }, (_, i) => told(numbers.slice(i * space.length, (i + 1) * space.length)));
    byId("samples").replaceChildren(...lines.map((textContent) => make("li", { textContent })));
    page.tell(`${shown} texts in ${((performance.now() - began) / 1000).toFixed(2)} s, in this browser.`);
    count(byId("samples"));
  }

  function build() {
    byId("about").textContent = `Recipe ${about.recipe}, step ${about.step.toLocaleString("en")}, made with Ganvas ${about.version}. The same seed gives the same texts here; PyTorch draws others.`;
    for (const input of inputs) ({ class: choice, number: slider })[input.kind]?.(input);
    byId("truncation").addEventListener("input", () => { byId("truncation-value").textContent = byId("truncation").value; });
    for (const id of ["truncation", "seed"]) byId(id).addEventListener("change", write);
    byId("new").addEventListener("click", () => {
      byId("seed").value = page.newSeed();
      write();
    });
    byId("copy").addEventListener("click", () => {
      const file = navigator.clipboard?.writeText(lines.join("\n")) ?? Promise.reject(new Error("this browser does not allow it"));
      file.then(() => page.tell(`${shown} texts are copied.`), (error) => page.tell(`They cannot be copied: ${error.message}`, true));
    });
    byId("save").addEventListener("click", () => page.download(new Blob([lines.map((line) => `${line}\n`).join("")], { type: "text/plain" }), `${about.name}.txt`));
  }

  function choice(input) {
    const select = page.classChoice(input);
    select.addEventListener("change", write);
    byId("fields").append(labelled(input, select));
    read[input.name] = (index) => select.value === "all" ? index % input.classes : Number(select.value);
  }

  function slider(input) {
    const field = make("input", { id: `given-${input.name}`, type: "range", min: input.low, max: input.high, step: "any" });
    const value = make("output");
    const say = () => { value.textContent = Number(field.value).toFixed(2); };
    field.value = input.default;
    say();
    field.addEventListener("input", say);
    field.addEventListener("change", write);
    byId("fields").append(labelled(input, field, value));
    read[input.name] = () => Float32Array.of(Number(field.value));
  }

  function labelled(input, ...fields) {
    const label = make("label", { textContent: `${titled(input.name)} ` });
    label.append(...fields);
    return label;
  }
})();
