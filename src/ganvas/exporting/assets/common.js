// What every exported page does: it unpacks what is inside it, and starts the network in ONNX Runtime.
"use strict";
const page = (() => {
  const about = JSON.parse(byId("facts").textContent);

  /** The session, once the network and the runtime are unpacked. */
  async function started() {
    const [runtime, model] = await Promise.all([unpacked("runtime"), unpacked("model")]);
    ort.env.wasm.wasmBinary = runtime;
    ort.env.wasm.numThreads = 1; // more of them need headers that a file does not have
    return ort.InferenceSession.create(new Uint8Array(model), { executionProviders: ["wasm"] });
  }

  /** Runs the page, and says so where it cannot. `begin` ends when all that the page shows at first is there. */
  function run(begin) {
    begin().then(() => {
      document.body.dataset.allReady = Math.round(performance.now());
      document.body.dataset.ready = "yes";
    }).catch((error) => {
      tell(`This page needs a current browser with WebAssembly: ${error.message ?? error}`, true);
      console.error(error);
    });
  }

  function tell(text, failed = false) {
    byId("told").textContent = text;
    byId("told").className = failed ? "failed" : "";
  }

  /** What a script element holds as gzip in base64. */
  async function unpacked(id) {
    const text = byId(id).textContent, letters = Uint8Array.fromBase64 ? null : atob(text);
    const packed = letters === null ? Uint8Array.fromBase64(text) : new Uint8Array(letters.length);
    if (letters !== null) for (let i = 0; i < letters.length; i++) packed[i] = letters.charCodeAt(i);
    return new Response(new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"))).arrayBuffer();
  }

  // -- what networks take and make -----------------------------------------------------------------------------------

  /** One value of a declared input, drawn: `random` gives numbers in [0, 1). A latent lies at `share` of its way from
   * the mean, which is 0; one on a sphere is brought to unit mean square first. Attributes stay as they are. */
  function drawn(input, random, share = 1) {
    const normal = () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
    const even = () => input.low + (input.high - input.low) * random();
    const one = { normal, uniform: even, number: () => input.default, shift: () => 0, attributes: () => NaN }[input.kind];
    const values = Float32Array.from({ length: sizeOf(input) }, one);
    if (input.kind !== "normal") return values;
    const square = values.reduce((sum, value) => sum + value * value, 0) / values.length;
    const factor = share * (input.sphere ? 1 / Math.sqrt(square + 1e-8) : 1);
    return values.map((value) => value * factor);
  }

  /** The words of a text, as `ganvas.captions.words_of` has them. */
  function wordsOf(text) { return text.normalize("NFKC").toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? []; }

  /** A caption as the numbers of its encoder, and the words that count for nothing; values is null where all do. */
  function captioned(input, text) {
    const offered = input.offered?.find((each) => each.title === text);
    if (input.offered) return { values: offered ? Float32Array.from(offered.values) : null, unknown: offered ? [] : [text] };
    const places = new Map(input.encoder.vocabulary.map((word, place) => [word, place]));
    const words = [...new Set(wordsOf(text))], values = new Float32Array(places.size);
    const known = words.filter((word) => places.has(word)).map((word) => places.get(word)).sort((a, b) => a - b);
    for (const place of known.slice(0, 64)) values[place] = Math.sqrt(places.size / 8);
    return { values: known.length ? values : null, unknown: words.filter((word) => !places.has(word)) };
  }

  /** Numbers in [0, 1) from a seed: an additive sequence through a mixing function of 32 bits (Weyl and MurmurHash3). */
  function randomFrom(seed) {
    let state = seed >>> 0;
    return () => {
      state = (state + 0x9e3779b9) >>> 0;
      let mixed = Math.imul(state ^ (state >>> 16), 0x85ebca6b);
      mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
      return ((mixed ^ (mixed >>> 16)) >>> 0) / 4294967296;
    };
  }

  function newSeed() { return crypto.getRandomValues(new Uint32Array(1))[0]; }
  function sizeOf(input) { return input.shape.reduce((product, side) => product * side, 1); }

  /** Paints the sample of this place among values (n, channels, height, width) in [-1, 1]. */
  function paint(canvas, values, [channels, height, width], index = 0) {
    const context = canvas.getContext("2d"), image = context.createImageData(width, height);
    const level = (channel, at) => (values[(index * channels + channel) * height * width + at] + 1) * 127.5;
    for (let at = 0; at < height * width; at++) {
      const colour = channels >= 3 ? [0, 1, 2] : channels === 2 ? [0, 1, null] : [0, 0, 0];
      colour.forEach((channel, i) => { image.data[4 * at + i] = channel === null ? 0 : Math.round(level(channel, at)); });
      image.data[4 * at + 3] = channels === 4 ? Math.round(level(3, at)) : 255;
    }
    context.putImageData(image, 0, 0);
  }

  // -- what the visitor gives -----------------------------------------------------------------------------------------

  /** Hands on files that are picked in the field or dropped on the page, from now on. */
  function picked(field, take) {
    field.addEventListener("change", () => { if (field.files[0]) take(field.files[0]); });
    addEventListener("dragover", (event) => event.preventDefault());
    addEventListener("drop", (event) => {
      event.preventDefault();
      if (!field.disabled && event.dataTransfer.files[0]) take(event.dataTransfer.files[0]);
    });
  }

  /** The line between before and after follows its slider. */
  function compare() {
    byId("line").addEventListener("input", () => byId("both").style.setProperty("--at", `${byId("line").value}%`));
  }

  /** The pixels of a picture as ImageData, upright as its metadata asks, on white unless it may be transparent. */
  function pixelsOf(picture, clear = false) {
    const context = sized(make("canvas"), picture.width, picture.height);
    if (!clear) white(context);
    context.drawImage(picture, 0, 0);
    return context.getImageData(0, 0, picture.width, picture.height);
  }

  function white(context) {
    context.fillStyle = "#fff";
    context.fillRect(0, 0, context.canvas.width, context.canvas.height);
  }

  function sized(canvas, width, height) {
    Object.assign(canvas, { width, height });
    return canvas.getContext("2d");
  }

  function save(canvas, name) { canvas.toBlob((blob) => download(blob, `${name}.png`), "image/png"); }

  function download(blob, name) {
    const address = URL.createObjectURL(blob);
    make("a", { href: address, download: name }).click();
    setTimeout(() => URL.revokeObjectURL(address), 60_000);
  }

  /** What the network takes, named and with their shapes, of a list of {input name: array or class number}. */
  function feedsOf(session, list) {
    const feeds = {};
    for (const input of about.inputs.filter((each) => session.inputNames.includes(each.name))) {
      const shape = [list.length, ...input.shape];
      if (input.kind === "class") {
        feeds[input.name] = new ort.Tensor("int64", BigInt64Array.from(list, (one) => BigInt(one[input.name])), shape);
      } else {
        const all = new Float32Array(list.length * sizeOf(input));
        list.forEach((one, index) => all.set(one[input.name], index * sizeOf(input)));
        feeds[input.name] = new ort.Tensor("float32", all, shape);
      }
    }
    return feeds;
  }

  /** A choice of a class, or of all in turn. */
  function classChoice(input) {
    const select = make("select", { id: `class-${input.name}` });
    select.append(make("option", { value: "all", textContent: "all in turn" }));
    for (let i = 0; i < input.classes; i++) select.append(make("option", { value: String(i), textContent: input.names[i] ?? String(i) }));
    return select;
  }

  function byId(id) { return document.getElementById(id); }
  function make(tag, properties = {}) { return Object.assign(document.createElement(tag), properties); }
  function titled(name) { return `${name[0].toUpperCase()}${name.slice(1).replaceAll("_", " ")}`; }
  function count(element) { element.dataset.painted = Number(element.dataset.painted ?? 0) + 1; }
  return {
    about, started, run, tell, drawn, captioned, randomFrom, newSeed, sizeOf, paint, picked, compare, pixelsOf, white,
    sized, save, download, feedsOf, classChoice, byId, make, titled, count,
  };
})();
