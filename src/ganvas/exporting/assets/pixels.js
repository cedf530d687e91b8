// Pictures of the visitor for transform.js: read, brought to the scale of the training as `ganvas translate` does,
// painted over where the network takes a mask, shown before and after under one line, and saved.
"use strict";
/** first, others: the pictures that are given. change: what makes a new one. take: takes a file as one of them. */
function mediumOf({ first, more, change, take }) {
  const { about, byId, make, count, sized } = page;
  const mask = more.find((input) => input.shape[0] === 1); // painted over the first picture
  const mostRead = 2 ** 26, mostChanged = 2 ** 19; // pixels: of a file, and of what goes through the network at once
  const taken = {}; // the visitor's pictures, by input, as ImageData
  const brush = brushOn(byId("mask"), () => Number(byId("brush").value) / 100, change);
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
  return { noun: "picture", accept: "image/*", others: more.filter((input) => input !== mask), build, read, given, made, show, save };

  /** Takes a file or a frame of the camera as the picture of an input. */
  async function read(input, source, called) {
    let bitmap;
    try {
      bitmap = await createImageBitmap(source);
    } catch {
      throw new Error(`${called} is not a picture that this browser can read.`);
    }
    const { width, height } = bitmap;
    if (width * height > mostRead) throw new Error(`${width} x ${height} pixels are more than a page can read.`);
    taken[input.name] = page.pixelsOf(bitmap, input.shape[0] === 4);
    if (input !== first) return;
    lay();
    brush.forget();
    byId("stage").hidden = false;
    byId("mask").hidden = byId("painting").hidden = !mask;
  }

  /** What the network is given as this input: its values, and their shape (1, channels, height, width). */
  function given(input) {
    if (input !== mask) return shaped(brought(input, taken[input.name]));
    const { height, width } = brought(first, taken[first.name]);
    return { values: painted({ width, height }), shape: [1, 1, height, width] };
  }

  function shaped({ values, channels, height, width }) { return { values, shape: [1, channels, height, width] }; }

  async function made(now, run) {
    const [, , height, width] = now[first.name].shape;
    if (height * width > mostChanged) throw new Error(`${width} x ${height} pixels are more than a page can change; ganvas translate can.`);
    return run(now);
  }

  /** Before and after under the line; says how much that is. */
  function show(now, { data, dims: [, levels, down, along] }) {
    const { values, shape: [, channels, height, width] } = now[first.name], before = make("canvas");
    sized(before, width, height);
    page.paint(before, values, [channels, height, width]);
    sized(byId("before"), along, down).drawImage(before, 0, 0, along, down);
    sized(byId("after"), along, down);
    page.paint(byId("after"), data, [levels, down, along]);
    byId("both").hidden = byId("hint").hidden = false;
    count(byId("after"));
    return `${along} x ${down} pixels`;
  }

  function save(name) { page.save(byId("after"), name); }

  function build() {
    if (mask) byId("source-title").textContent = "Your picture: paint over what is to be made anew";
    byId("own-size-label").hidden = !about.side;
    byId("own-size").addEventListener("change", () => { if (taken[first.name]) { lay(); brush.draw(byId("mask")); change(); } });
    page.compare();
    byId("undo").addEventListener("click", brush.undo);
    byId("clear").addEventListener("click", brush.clear);
    if (navigator.mediaDevices?.getUserMedia) camera();
  }

  /** Shows the picture as it is given. At another size what was painted over it stays where it was. */
  function lay() {
    const shown = brought(first, taken[first.name]);
    for (const id of ["picture", "mask"]) sized(byId(id), shown.width, shown.height);
    page.paint(byId("picture"), shown.values, [first.shape[0], shown.height, shown.width]);
  }

  // -- at another size ---------------------------------------------------------------------------------------------------

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

  // -- the brush ---------------------------------------------------------------------------------------------------------

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

  // -- the camera --------------------------------------------------------------------------------------------------------

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

}
