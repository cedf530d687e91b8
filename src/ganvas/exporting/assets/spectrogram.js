// Sounds of the visitor for transform.js: read or recorded, brought to the rate of the training as `ganvas translate`
// does, made in pieces that overlap where they are long, heard and seen before and after, and saved.
"use strict";
/** first, more: the sounds that are given. take: takes a file as one of them. */
function mediumOf({ first, more, take }) {
  const { about, byId, count } = page;
  const most = 2 ** 24; // samples of all channels that a page changes
  const least = 384, margins = 4; // samples of a piece, and margins that it is wide, at least
  const taken = {}; // the visitor's sounds, by input: a Float32Array for each channel
  let kept = null;
  return { noun: "sound", accept: "audio/*", others: more, build, read, given, made, show, save };

  async function read(input, source, called) {
    const { rate, channels } = input.space, sound = await sounds.read(source, called, rate, most);
    if (channels > 1 && sound.channels.length > 1 && sound.channels.length !== channels) {
      throw new Error(`${called} has ${sound.channels.length} channels, and ${channels} are needed.`);
    }
    const brought = sound.channels.map((each) => sounds.resampled(each, sound.rate, rate));
    taken[input.name] = brought.length < channels ? Array(channels).fill(brought[0]) : brought;
  }

  /** The channels as (n, channels, samples): where the network takes one, each is a sound by itself. What has a length
   * is cut off there, or silence follows. */
  function given(input) {
    const all = taken[input.name], { channels } = input.space, length = input.shape[1] > 0 ? input.shape[1] : all[0].length;
    const values = new Float32Array(all.length * length);
    all.forEach((each, c) => values.set(each.subarray(0, length), c * length));
    return { values, shape: [all.length / channels, channels, length] };
  }

  /** Long ones in pieces, which are read with a margin as wide as the network can see, so that there is no seam. */
  async function made(now, run, goesOn) {
    const { shape: [n, , length] } = now[first.name], { scale = 1, reach, multiple = 1 } = first;
    const upTo = (size) => Math.ceil(size / multiple) * multiple, margin = upTo(reach ?? 0), tile = upTo(Math.max(least, margins * margin));
    const cut = reach !== undefined && more.every((each) => now[each.name].shape[2] === length) && length > tile * 3 / 2;
    const step = cut ? tile : length, levels = about.space.channels, steps = Math.ceil(length / step);
    let data = null, along = 0;
    for (let row = 0; row < n; row++) for (let at = 0, done = 0; at < length; at += step, done++) {
      if (n * steps > 1 && !await goesOn((row * steps + done) / (n * steps))) return null;
      const [begin, end] = [Math.max(0, at - margin), Math.min(length, at + step + margin)];
      const piece = (input) => {
        const { values, shape: [rows, c, whole] } = now[input.name], from = (row % rows) * c * whole, wide = cut ? [begin, end] : [0, whole];
        const some = Array.from({ length: c }, (_, i) => values.subarray(from + i * whole + wide[0], from + i * whole + wide[1]));
        const joined = new Float32Array(c * (wide[1] - wide[0]));
        some.forEach((each, i) => joined.set(each, i * each.length));
        return [input.name, { values: joined, shape: [1, c, wide[1] - wide[0]] }];
      };
      const { data: part, dims } = await run(Object.fromEntries([first, ...more].map(piece)));
      along = cut ? length * scale : dims[2];
      data ??= new Float32Array(n * levels * along);
      const skip = cut ? (at - begin) * scale : 0, wanted = cut ? Math.min(step, length - at) * scale : along;
      for (let c = 0; c < levels; c++) {
        data.set(part.subarray(c * dims[2] + skip, c * dims[2] + skip + wanted), (row * levels + c) * along + (cut ? at * scale : 0));
      }
    }
    return { data, dims: [n, levels, along] };
  }

  /** Before and after, to hear and to see; says how much that is. */
  function show(now, { data, dims: [n, levels, along] }) {
    const { values, shape: [rows, channels, length] } = now[first.name], { rate } = about.space;
    const silent = values.every((value) => Math.abs(value) < 1e-4) ? "Nothing is to be heard in it. " : "";
    kept = sounds.wav(data, [n * levels, along], rate);
    lay("before", values, [rows * channels, length], first.space.rate, sounds.wav(values, [rows * channels, length], first.space.rate));
    lay("after", data, [n * levels, along], rate, kept);
    byId("both").hidden = false;
    count(byId("after"));
    return `${silent}${sounds.clock(along / rate)} of sound`;
  }

  function lay(id, values, shape, rate, file) {
    const canvas = byId(id), player = byId(`${id}-heard`);
    canvas.width = Math.max(96, Math.min(640, Math.round(100 * shape[1] / rate)));
    canvas.height = sounds.bands;
    sounds.spectrogram(canvas, values, shape, rate);
    URL.revokeObjectURL(player.src);
    player.src = URL.createObjectURL(file);
  }

  function save(name) { page.download(kept, `${name}.wav`); }

  function build() {
    if (navigator.mediaDevices?.getUserMedia && globalThis.MediaRecorder) microphone();
  }

  function microphone() {
    let recorder = null;
    byId("record").hidden = false;
    byId("record").addEventListener("click", async () => {
      if (recorder) return recorder.stop();
      try {
        // As it is: what calls need would change it.
        const audio = { channelCount: first.space.channels, echoCancellation: false, noiseSuppression: false, autoGainControl: false };
        const stream = await navigator.mediaDevices.getUserMedia({ audio }), parts = [];
        recorder = new MediaRecorder(stream);
        recorder.addEventListener("dataavailable", ({ data }) => parts.push(data));
        recorder.addEventListener("stop", () => {
          for (const track of stream.getTracks()) track.stop();
          recorder = null;
          byId("record").textContent = "Record a sound";
          take(first, new Blob(parts), "recording");
        });
        recorder.start();
        byId("record").textContent = "Stop recording";
        page.tell("Recording.");
      } catch (error) {
        page.tell(`The microphone cannot be used: ${error.message ?? error}`, true);
      }
    });
  }
}
