// A picture of the visitor, changed: it is brought to the scale of the training as `ganvas translate` does, what else
// the network takes is asked for by its declaration, and every answer is made at once.
"use strict";
(() => {
  const { about, byId, make, count, sized, titled } = page;
  const { inputs } = about;
  const [first, ...more] = inputs.filter((input) => input.kind === "given");
  const mask = more.find((input) => input.shape[0] === 1); // painted over the first picture
  const others = more.filter((input) => input !== mask);
  const mostRead = 2 ** 26, mostChanged = 2 ** 19; // pixels: of a file, and of what goes through the network at once
  const quick = 250; // milliseconds of a change up to which a slider that moves is followed
  const fields = { attributes, class: choice, normal: () => () => null, number: numbers, uniform: numbers };
  const read = {}; // what is asked for, by input: gives its value, null where it is to be drawn
  const taken = {}; // the visitor's pictures, by input: their name and pixels
  const brush = brushOn(byId("mask"), () => Number(byId("brush").value) / 100, change);
  let session, name = "picture", ready = Promise.resolve(), waiting = false, lasted = 0;

  page.run(async () => {
    build();
    session = await page.started();
    for (const field of document.querySelectorAll("input[type=file]")) field.disabled = false;
    page.tell("Ready. Pick a picture.");
  });

  // -- the network ---------------------------------------------------------------------------------------------------

  /** The inputs of the network as they are asked for now: {name: typed array}, and the shapes of the pictures. */
  function asked() {
    const random = page.randomFrom(Number(byId("seed").value) >>> 0), values = {}, shapes = {};
    const given = brought(first, taken[first.name]);
    for (const input of inputs) {
      if (input === mask) [values[input.name], shapes[input.name]] = [painted(given), [1, given.height, given.width]];
      else if (input.kind === "given") {
        const picture = input === first ? given : brought(input, taken[input.name]);
        [values[input.name], shapes[input.name]] = [picture.values, [input.shape[0], picture.height, picture.width]];
      } else {
        const drawn = input.kind === "class" ? 0 : page.drawn(input, random); // even where it is not needed: later draws stay
        values[input.name] = read[input.name]() ?? drawn;
      }
    }
    return { values, shapes };
  }

  async function generate({ values, shapes }) {
    const feeds = {};
    for (const input of inputs.filter((each) => session.inputNames.includes(each.name))) {
      const shape = [1, ...(shapes[input.name] ?? input.shape)], value = values[input.name];
      feeds[input.name] = input.kind === "class"
        ? new ort.Tensor("int64", BigInt64Array.of(BigInt(value)), shape)
        : new ort.Tensor("float32", value, shape);
    }
    return (await session.run(feeds))[about.output];
  }
  globalThis.ganvas = { about, asked, generate, settled };

  /** Makes what the controls say. Whoever asks while that runs is answered by one more run, for what they say then. */
  async function change() {
    if (waiting) return;
    waiting = true;
    await ready;
    waiting = false;
    ready = changed().catch((error) => page.tell(`This picture could not be changed: ${error.message ?? error}`, true));
  }

  /** Ends when all that was asked for is made. */
  async function settled() {
    do await ready; while (waiting);
    await ready;
  }

  async function changed() {
    const lacking = [first, ...others].find((input) => !taken[input.name]);
    byId("save").disabled = true;
    if (lacking) return page.tell(`Pick ${lacking === first ? "a picture" : `one for ${lacking.name}`} too.`);
    const now = asked(), [channels, height, width] = now.shapes[first.name];
    if (height * width > mostChanged) {
      return page.tell(`${width} x ${height} pixels are more than a page can change; ganvas translate can.`, true);
    }
    page.tell("Changing it.");
    await new Promise((resolve) => setTimeout(resolve, 20)); // the network holds the page up; let it be seen why
    const began = performance.now(), made = await generate(now);
    lasted = performance.now() - began;
    const [, levels, down, along] = made.dims;
    const before = make("canvas");
    sized(before, width, height);
    page.paint(before, now.values[first.name], [channels, height, width]);
    sized(byId("before"), along, down).drawImage(before, 0, 0, along, down);
    sized(byId("after"), along, down);
    page.paint(byId("after"), made.data, [levels, down, along]);
    byId("both").hidden = byId("hint").hidden = false;
    byId("save").disabled = false;
    page.tell(`${along} x ${down} pixels in ${(lasted / 1000).toFixed(2)} s, in this browser.`);
    count(byId("after"));
  }

  // -- pictures ------------------------------------------------------------------------------------------------------

  /** Takes a file or a frame of the camera as the picture of an input. */
  async function take(input, source, called) {
    let bitmap;
    try {
      bitmap = await createImageBitmap(source);
    } catch {
      return page.tell(`${called} is not a picture that this browser can read.`, true);
    }
    const { width, height } = bitmap;
    if (width * height > mostRead) return page.tell(`${width} x ${height} pixels are more than a page can read.`, true);
    taken[input.name] = page.pixelsOf(bitmap, input.shape[0] === 4);
    if (input !== first) return change();
    name = called.replace(/\.[^.]*$/, "");
    const shown = brought(first, taken[first.name]);
    sized(byId("picture"), shown.width, shown.height);
    page.paint(byId("picture"), shown.values, [first.shape[0], shown.height, shown.width]);
    sized(byId("mask"), shown.width, shown.height);
    brush.forget();
    byId("stage").hidden = false;
    byId("mask").hidden = byId("painting").hidden = !mask;
    change();
  }

  /** A picture as the input takes it: as large as its declaration says, or with its shorter side as in the training. */
  function brought(input, image) {
    const { width, height } = image, [channels, high, wide] = input.shape;
    const picture = planes(image, channels);
    if (high > 0) {
      const narrow = width / height >= wide / high; // what is wider than wanted loses its sides
      const [h, w] = narrow ? [height, wide / high * height] : [width / (wide / high), width];
      const whole = resized(picture, [(height - h) / 2, (width - w) / 2, h, w], high, wide, lanczos);
      return levelled(whole);
    }
    const share = about.side && !byId("own-size").checked ? about.side / Math.min(height, width) : 1;
    const size = [height, width].map((side) => Math.max(1, Math.round(side * share)));
    return resized(picture, [0, 0, height, width], ...size, bicubic);
  }

  /** Values in [-1, 1], (channels, height, width), of ImageData; gray is weighted as ITU-R 601-2 has it. */
  function planes({ data, width, height }, channels) {
    const values = new Float32Array(channels * height * width), plane = height * width;
    for (let at = 0; at < plane; at++) {
      const [r, g, b] = [data[4 * at], data[4 * at + 1], data[4 * at + 2]];
      if (channels === 1) values[at] = ((19595 * r + 38470 * g + 7471 * b + 32768) >> 16) / 127.5 - 1;
      else for (let c = 0; c < channels; c++) values[c * plane + at] = data[4 * at + c] / 127.5 - 1;
    }
    return { values, channels, height, width };
  }

  function levelled(picture) {
    return { ...picture, values: picture.values.map((value) => Math.round((value + 1) * 127.5) / 127.5 - 1) };
  }

  /** A part [top, left, height, width] of a picture at another size. A picture that shrinks is smoothed by as much. */
  function resized({ values, channels, height, width }, [top, left, h, w], rows, columns, kernel) {
    if (rows === h && columns === w && h === height && w === width) return { values, channels, height, width };
    const across = weights(width, left, w, columns, kernel), down = weights(height, top, h, rows, kernel);
    const half = new Float32Array(channels * height * columns), made = new Float32Array(channels * rows * columns);
    for (let y = 0; y < channels * height; y++) across.forEach(({ begin, shares }, x) => {
      let sum = 0;
      for (let j = 0; j < shares.length; j++) sum += shares[j] * values[y * width + begin + j];
      half[y * columns + x] = sum;
    });
    for (let c = 0; c < channels; c++) down.forEach(({ begin, shares }, y) => {
      for (let x = 0; x < columns; x++) {
        let sum = 0;
        for (let j = 0; j < shares.length; j++) sum += shares[j] * half[(c * height + begin + j) * columns + x];
        made[(c * rows + y) * columns + x] = Math.max(-1, Math.min(1, sum));
      }
    });
    return { values: made, channels, height: rows, width: columns };
  }

  /** For each of `size` places: where the pixels begin that it is made of, and the share of each. */
  function weights(pixels, from, length, size, { reach, at }) {
    const scale = length / size, wide = Math.max(1, scale);
    return Array.from({ length: size }, (_, index) => {
      const centre = from + (index + 0.5) * scale;
      const begin = Math.max(0, Math.trunc(centre - reach * wide + 0.5));
      const end = Math.min(pixels, Math.trunc(centre + reach * wide + 0.5));
      const shares = Array.from({ length: end - begin }, (_, j) => at((begin + j - centre + 0.5) / wide));
      const sum = shares.reduce((all, share) => all + share, 0);
      return { begin, shares: shares.map((share) => share / sum) };
    });
  }

  // -- what is asked for ---------------------------------------------------------------------------------------------

  function build() {
    byId("about").textContent = `Recipe ${about.recipe}, step ${about.step.toLocaleString("en")}, made with Ganvas ${about.version}.`;
    byId("alone").textContent = about.alone;
    byId("alone").hidden = !about.alone;
    byId("source-title").textContent = mask ? "Your picture: paint over what is to be made anew" : "Your picture";
    page.picked(byId("file"), (file) => take(first, file, file.name));
    for (const input of others) {
      const field = make("input", { type: "file", accept: "image/*", disabled: true, id: `file-${input.name}` });
      field.addEventListener("change", () => { if (field.files[0]) take(input, field.files[0], field.files[0].name); });
      labelled(titled(input.name), field);
    }
    for (const input of inputs.filter((each) => each.kind !== "given")) read[input.name] = fields[input.kind](input);
    byId("seed-label").hidden = !inputs.some((input) => ["normal", "uniform"].includes(input.kind));
    byId("seed").addEventListener("change", change);
    byId("own-size-label").hidden = !about.side;
    byId("own-size").addEventListener("change", () => { if (taken[first.name]) retake(); });
    page.compare();
    byId("save").addEventListener("click", () => page.save(byId("after"), `${name}-${about.name}`));
    byId("undo").addEventListener("click", brush.undo);
    byId("clear").addEventListener("click", brush.clear);
    if (navigator.mediaDevices?.getUserMedia) camera();
  }

  /** The picture at another size: what was painted over it stays where it was. */
  function retake() {
    const shown = brought(first, taken[first.name]);
    for (const id of ["picture", "mask"]) sized(byId(id), shown.width, shown.height);
    page.paint(byId("picture"), shown.values, [first.shape[0], shown.height, shown.width]);
    brush.draw(byId("mask"));
    change();
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

  // -- the brush -----------------------------------------------------------------------------------------------------

  /** The mask in the picture's size: 1 where it was painted over, -1 elsewhere. Around what is painted for a network
   * that fills holes, there is a rim of so many pixels in which it fades, as `ganvas edit --mask` makes it. */
  function painted({ width, height }) {
    const canvas = make("canvas");
    const context = sized(canvas, width, height);
    brush.draw(canvas);
    const { data } = context.getImageData(0, 0, width, height);
    const inside = (x, y) => x >= 0 && y >= 0 && x < width && y < height && data[4 * (y * width + x) + 3] >= 128;
    const within = (x, y, rim) => {
      for (let dy = -rim; dy <= rim; dy++) for (let dx = -rim; dx <= rim; dx++) if (inside(x + dx, y + dy)) return true;
      return false;
    };
    return Float32Array.from({ length: height * width }, (_, at) => {
      let seen = 0;
      for (let rim = 0; rim <= about.rim; rim++) seen += within(at % width, Math.floor(at / width), rim) / (about.rim + 1);
      return seen > 0 ? seen : -1;
    });
  }

  // -- the camera ----------------------------------------------------------------------------------------------------

  function camera() {
    const video = byId("video");
    const shut = () => {
      for (const track of video.srcObject?.getTracks() ?? []) track.stop();
      video.srcObject = null;
      byId("shooting").hidden = true;
    };
    byId("camera").hidden = false;
    byId("camera").addEventListener("click", async () => {
      try {
        video.srcObject = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "user" } });
        byId("shooting").hidden = false;
        await video.play();
      } catch (error) {
        shut();
        page.tell(`The camera cannot be used: ${error.message ?? error}`, true);
      }
    });
    byId("shoot").addEventListener("click", async () => {
      if (!video.videoWidth) return;
      await take(first, video, "camera");
      shut();
    });
    byId("shut").addEventListener("click", shut);
  }

  // Bicubic with a = -0.5 (Keys 1981), and Lanczos over three lobes.
  const bicubic = {
    reach: 2,
    at: (x) => {
      const far = Math.abs(x);
      if (far < 1) return (1.5 * far - 2.5) * far * far + 1;
      return far < 2 ? ((-0.5 * far + 2.5) * far - 4) * far + 2 : 0;
    },
  };
  const sinc = (x) => x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x);
  const lanczos = { reach: 3, at: (x) => Math.abs(x) < 3 ? sinc(x) * sinc(x / 3) : 0 };
})();
