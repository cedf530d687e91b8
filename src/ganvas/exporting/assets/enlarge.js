// A photo enlarged tile by tile: each is read with a margin as wide as the network can see, so that there is no seam.
"use strict";
(() => {
  const { about, byId, count, sized } = page;
  const { scale, channels } = about;
  const tile = 96, margin = about.reach + 2, smallest = 4;
  const longest = 16384, most = 2 ** 27; // pixels of the result that browsers keep in one canvas: of a side, and in all
  let session, name = "photo", turn = 0;

  page.run(async () => {
    byId("about").textContent = `Recipe ${about.recipe}, step ${about.step.toLocaleString("en")}, made with Ganvas ${about.version}. Enlarges ${scale} times; transparent pictures are laid on white. What it adds to a photo is likely, and no evidence.`;
    page.picked(byId("file"), take);
    page.compare();
    byId("stop").addEventListener("click", () => { turn++; page.tell("Stopped."); working(false); });
    byId("save").addEventListener("click", () => page.save(byId("after"), `${name}-x${scale}`));
    session = await page.started();
    byId("file").disabled = false;
    page.tell("Ready. Pick a photo.");
  });

  /** Begins with a file; one that is in work already is given up. */
  async function take(file) {
    const mine = ++turn;
    byId("save").hidden = true;
    let bitmap;
    try {
      bitmap = await createImageBitmap(file);
    } catch {
      working(false);
      page.tell(`${file.name} is not a picture that this browser can read.`, true);
      return;
    }
    const { width, height } = bitmap;
    if (Math.min(width, height) < smallest) return refuse(`${width} x ${height} pixels are too few to enlarge.`);
    if (scale * Math.max(width, height) > longest || scale * scale * width * height > most) {
      return refuse(`${width} x ${height} pixels are more than a page can enlarge; ganvas upscale can.`);
    }
    if (mine !== turn) return;
    name = file.name.replace(/\.[^.]*$/, "");
    const before = sized(byId("before"), width * scale, height * scale), after = sized(byId("after"), width * scale, height * scale);
    before.imageSmoothingQuality = "high";
    page.white(before);
    before.drawImage(bitmap, 0, 0, width * scale, height * scale);
    after.drawImage(byId("before"), 0, 0);
    byId("both").hidden = false;
    working(true);
    const began = performance.now();
    const done = await enlarge(page.pixelsOf(bitmap), (part, left, top, share) => {
      if (mine !== turn) return false;
      after.putImageData(part, left, top);
      byId("progress").value = share;
      page.tell(`${width} x ${height} to ${width * scale} x ${height * scale} pixels: ${Math.round(100 * share)}%`);
      return true;
    }).catch((error) => {
      if (mine === turn) { working(false); page.tell(`This photo could not be enlarged: ${error.message ?? error}`, true); }
      return false;
    });
    if (!done || mine !== turn) return;
    working(false);
    byId("save").hidden = false;
    page.tell(`${width} x ${height} to ${width * scale} x ${height * scale} pixels in ${((performance.now() - began) / 1000).toFixed(1)} s, in this browser.`);
    count(byId("after"));
  }

  function refuse(text) {
    working(false);
    page.tell(text, true);
  }

  /** Enlarges ImageData; `seen` is given each tile of the result with its place and the share that is done, and ends it
   * by returning false. */
  async function enlarge(image, seen) {
    const { width, height } = image, rows = Math.ceil(height / tile), columns = Math.ceil(width / tile);
    for (let at = 0; at < rows * columns; at++) {
      const top = tile * Math.floor(at / columns), left = tile * (at % columns);
      const above = Math.max(0, top - margin), before = Math.max(0, left - margin);
      const h = Math.min(height, top + tile + margin) - above, w = Math.min(width, left + tile + margin) - before;
      const low = new Float32Array(3 * h * w);
      for (let y = 0; y < h; y++) for (let x = 0; x < w; x++) for (let c = 0; c < 3; c++) {
        low[(c * h + y) * w + x] = image.data[4 * ((above + y) * width + before + x) + c] / 127.5 - 1;
      }
      // One of gray sees each colour alone.
      const shape = channels === 1 ? [3, 1, h, w] : [1, 3, h, w];
      const made = (await session.run({ [about.input]: new ort.Tensor("float32", low, shape) }))[about.output].data;
      const [down, along] = [scale * Math.min(tile, height - top), scale * Math.min(tile, width - left)];
      const part = new ImageData(along, down);
      const [y0, x0, plane] = [scale * (top - above), scale * (left - before), scale * scale * h * w];
      for (let y = 0; y < down; y++) for (let x = 0; x < along; x++) {
        const to = 4 * (y * along + x), from = (y0 + y) * scale * w + x0 + x;
        for (let c = 0; c < 3; c++) part.data[to + c] = Math.round((made[c * plane + from] + 1) * 127.5);
        part.data[to + 3] = 255;
      }
      if (!seen(part, scale * left, scale * top, (at + 1) / (rows * columns))) return false;
      await new Promise((resolve) => setTimeout(resolve)); // the page must be able to answer between two tiles
    }
    return true;
  }

  function working(yes) {
    byId("progress").hidden = byId("stop").hidden = !yes;
    byId("progress").value = 0;
  }
})();
