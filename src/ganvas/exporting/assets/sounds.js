// Sounds in a page: read from files as `ganvas.spaces` reads them, brought to another rate, seen, and written.
"use strict";
const sounds = (() => {
  const bands = 64, seconds = 0.032; // of a spectrogram, and of its windows
  const colours = [[8, 8, 24], [52, 22, 96], [128, 30, 118], [206, 60, 92], [246, 130, 62], [252, 208, 110], [255, 250, 220]];
  const mostBytes = 2 ** 28, [slowest, fastest] = [1000, 384000]; // of a file; samples a second
  const crossings = 24, rolloff = 0.945, beta = 9, mostWeights = 2 ** 24; // of the filter that changes rates
  const tones = {};

  // -- files ---------------------------------------------------------------------------------------------------------

  /** A file as {rate, channels: [Float32Array]}. Throws, in one line, what is no sound or more than `most` samples at
   * `rate` in all channels together. */
  async function read(file, called, rate, most) {
    if (file.size > mostBytes) throw new Error(`${called} has more than ${mostBytes / 2 ** 20} MB, more than a page can read; ganvas translate can.`);
    const bytes = await file.arrayBuffer(), plain = wavOf(bytes, called), none = new Error(`${called} is no sound that this browser can read.`);
    const own = plain?.rate ?? rateOf(new Uint8Array(bytes));
    if (own < slowest || own > fastest) throw new Error(`${called} has a rate of ${own} Hz; ${slowest} to ${fastest} can be read.`);
    const fits = (samples) => {
      if (samples / own * rate > most) throw new Error(`${called} has ${clock(samples / own)} of sound, more than a page can change; ganvas translate can.`);
    };
    fits(plain ? plain.frames * plain.count : own * await lasting(file));
    const channels = plain ? plain.channels() : await decoded(bytes, own).catch(() => { throw none; });
    if (!channels[0]?.length) throw new Error(`${called} has no samples.`);
    fits(channels.length * channels[0].length);
    return { rate: own, channels };
  }

  /** A WAV file of numbers that are not packed, whose values come when they are asked for; null for any other file. */
  function wavOf(bytes, called) {
    const view = new DataView(bytes), word = (at) => String.fromCharCode(...new Uint8Array(bytes, at, 4));
    if (bytes.byteLength < 12 || word(0) !== "RIFF" || word(8) !== "WAVE") return null;
    let form = null, from = 0, size = 0;
    for (let at = 12; at + 8 <= bytes.byteLength && !from; at += 8 + size + size % 2) {
      size = view.getUint32(at + 4, true);
      if (word(at) === "fmt " && size >= 16 && at + 8 + size <= bytes.byteLength) {
        const [kind, count, rate, width] = [view.getUint16(at + 8, true), view.getUint16(at + 10, true), view.getUint32(at + 12, true), view.getUint16(at + 22, true) / 8];
        form = { kind: kind === 0xfffe && size >= 26 ? view.getUint16(at + 32, true) : kind, count, rate, width };
      } else if (word(at) === "data") from = at + 8;
    }
    const number = numberOf(view, form);
    if (!number) return null; // for the browser to read, if it can
    const { count, rate, width } = form, frames = Math.floor(size / (count * width));
    if (!from || !count || from + frames * count * width > bytes.byteLength) throw new Error(`${called} is cut short, or no WAV file.`);
    const channel = (c) => Float32Array.from({ length: frames }, (_, i) => number(from + (i * count + c) * width));
    return { rate, count, frames, channels: () => Array.from({ length: count }, (_, c) => channel(c)) };
  }

  /** Reads one amplitude at a place; undefined for numbers of another form. */
  function numberOf(view, form) {
    if (form?.kind === 3) return { 4: (at) => view.getFloat32(at, true) || 0, 8: (at) => view.getFloat64(at, true) || 0 }[form.width];
    if (form?.kind !== 1) return undefined;
    return {
      1: (at) => (view.getUint8(at) - 128) / 128,
      2: (at) => view.getInt16(at, true) / 2 ** 15,
      3: (at) => (view.getUint16(at, true) + view.getInt8(at + 2) * 2 ** 16) / 2 ** 23,
      4: (at) => view.getInt32(at, true) / 2 ** 31,
    }[form.width];
  }

  /** By the browser, which would bring all to its own rate if it were not told that of the file. */
  async function decoded(bytes, rate) {
    const buffer = await new OfflineAudioContext(1, 1, rate).decodeAudioData(bytes);
    return Array.from({ length: buffer.numberOfChannels }, (_, c) => buffer.getChannelData(c));
  }

  /** Samples a second of a FLAC, Ogg or MP3 file; 48,000 where that is not known, as what browsers record has it. */
  function rateOf(bytes) {
    const text = String.fromCharCode(...bytes.subarray(0, 512)), le = (at) => bytes[at] + 2 ** 8 * bytes[at + 1] + 2 ** 16 * bytes[at + 2];
    if (text.startsWith("fLaC")) return (bytes[18] << 12) + (bytes[19] << 4) + (bytes[20] >> 4);
    const vorbis = text.indexOf("\u0001vorbis");
    if (text.startsWith("OggS") && vorbis > 0) return le(vorbis + 12);
    let at = text.startsWith("ID3") ? 10 + bytes.subarray(6, 10).reduce((size, byte) => size * 128 + (byte & 127), 0) : 0;
    for (const end = Math.min(bytes.length - 3, at + 4096); at < end; at++) {
      const version = bytes[at + 1] >> 3 & 3, rate = bytes[at + 2] >> 2 & 3;
      if (bytes[at] === 255 && bytes[at + 1] >= 224 && version !== 1 && rate < 3 && (bytes[at + 1] >> 1 & 3) === 1) return [44100, 48000, 32000][rate] / [4, 1, 2, 1][version];
    }
    return 48000;
  }

  /** Seconds of a file by its header, 0 where they are not said. */
  function lasting(file) {
    return new Promise((resolve) => {
      const player = document.createElement("audio"), address = URL.createObjectURL(file);
      const done = () => { URL.revokeObjectURL(address); resolve(Number.isFinite(player.duration) ? player.duration : 0); };
      player.onloadedmetadata = player.onerror = done;
      Object.assign(player, { preload: "metadata", src: address });
    });
  }

  /** A WAV file of 16 bits, as `WaveSpace.file` writes it, of values (channels, samples). */
  function wav(values, [channels, length], rate) {
    const view = new DataView(new ArrayBuffer(44 + 2 * channels * length));
    const word = (at, text) => [...text].forEach((letter, i) => view.setUint8(at + i, letter.charCodeAt(0)));
    ["RIFF", "WAVE", "fmt ", "data"].forEach((text, i) => word([0, 8, 12, 36][i], text));
    [[4, 36 + 2 * channels * length], [16, 16], [24, rate], [28, 2 * channels * rate], [40, 2 * channels * length]].forEach(([at, number]) => view.setUint32(at, number, true));
    [[20, 1], [22, channels], [32, 2 * channels], [34, 16]].forEach(([at, number]) => view.setUint16(at, number, true));
    for (let c = 0; c < channels; c++) for (let i = 0; i < length; i++) {
      view.setInt16(44 + 2 * (i * channels + c), Math.max(-32768, Math.min(32767, rounded(32768 * values[c * length + i]))), true);
    }
    return new Blob([view], { type: "audio/wav" });
  }

  /** To the nearest whole number, of two as near the even one. */
  function rounded(value) {
    const above = Math.round(value);
    return above - value === 0.5 && above % 2 ? above - 1 : above;
  }

  // -- another rate --------------------------------------------------------------------------------------------------

  /** Samples at one rate as samples at another, as `ganvas.spaces.resampled` has it. */
  function resampled(signal, given, rate) {
    if (given === rate) return signal;
    const common = divisor(given, rate), up = rate / common, down = given / common;
    const reach = Math.ceil(crossings * Math.max(1, given / rate)), wide = 2 * reach;
    if (up * wide > mostWeights) throw new Error(`${given} Hz cannot be brought to ${rate} Hz: their ratio has no small numbers.`);
    const cut = rolloff * Math.min(1, rate / given), weights = new Float32Array(up * wide), whole = bessel(beta);
    for (let phase = 0; phase < up; phase++) for (let j = 0; j < wide; j++) {
      const away = j + 1 - reach - phase / up, x = Math.PI * cut * away;
      weights[phase * wide + j] = cut * (x ? Math.sin(x) / x : 1) * bessel(beta * Math.sqrt(Math.max(0, 1 - (away / reach) ** 2))) / whole;
    }
    return Float32Array.from({ length: Math.ceil(signal.length * up / down) }, (_, i) => {
      const place = i * down, phase = place % up, begin = Math.floor(place / up) + 1 - reach;
      let sum = 0;
      for (let j = Math.max(0, -begin), end = Math.min(wide, signal.length - begin); j < end; j++) sum += signal[begin + j] * weights[phase * wide + j];
      return sum;
    });
  }

  function divisor(a, b) { return b ? divisor(b, a % b) : a; }

  /** The modified Bessel function of order 0. */
  function bessel(x) {
    let sum = 1, term = 1;
    for (let k = 1; term > 1e-17 * sum; k++) sum += term *= (x / 2 / k) ** 2;
    return sum;
  }

  // -- what is seen --------------------------------------------------------------------------------------------------

  /** Loudness by time, to the right, and by frequency, upwards and evenly by the mel scale, over the whole canvas. */
  function spectrogram(canvas, values, [channels, length], rate, index = 0) {
    const { width } = canvas, context = canvas.getContext("2d"), image = context.createImageData(width, bands);
    const { size, waves } = tones[`${rate} ${length}`] ??= tonesOf(rate, length), from = index * channels * length, seen = new Float32Array(size);
    for (let column = 0; column < width; column++) {
      const first = Math.round((column + 0.5) * length / width) - size / 2;
      seen.fill(0);
      for (let i = Math.max(0, -first); i < size && first + i < length; i++) {
        for (let c = 0; c < channels; c++) seen[i] += values[from + c * length + first + i] / channels;
      }
      for (let band = 0; band < bands; band++) {
        const { cos, sin } = waves[band];
        let real = 0, imaginary = 0;
        for (let i = 0; i < size; i++) {
          real += seen[i] * cos[i];
          imaginary += seen[i] * sin[i];
        }
        const level = Math.max(0, Math.min(1, 1 + 10 * Math.log10(real * real + imaginary * imaginary + 1e-12) / 70));
        const at = level * (colours.length - 1), low = Math.floor(at), high = Math.min(low + 1, colours.length - 1);
        const pixel = 4 * ((bands - 1 - band) * width + column);
        for (let c = 0; c < 3; c++) image.data[pixel + c] = colours[low][c] + (at - low) * (colours[high][c] - colours[low][c]);
        image.data[pixel + 3] = 255;
      }
    }
    context.putImageData(image, 0, 0);
  }

  /** One windowed wave for each band, such that a sine of full amplitude has a sum of 1 in it. */
  function tonesOf(rate, length) {
    const mel = (hertz) => 2595 * Math.log10(1 + hertz / 700);
    const size = 2 ** Math.max(3, Math.min(Math.floor(Math.log2(length)), Math.round(Math.log2(rate * seconds))));
    const waves = Array.from({ length: bands }, (_, band) => {
      const hertz = 700 * (10 ** ((band + 1) / (bands + 1) * mel(rate / 2) / 2595) - 1);
      const cos = new Float32Array(size), sin = new Float32Array(size);
      for (let i = 0; i < size; i++) {
        const share = (1 - Math.cos(2 * Math.PI * i / size)) * 2 / size, angle = 2 * Math.PI * hertz * i / rate;
        cos[i] = share * Math.cos(angle);
        sin[i] = share * Math.sin(angle);
      }
      return { cos, sin };
    });
    return { size, waves };
  }

  /** Seconds as people say them. */
  function clock(all) {
    return all < 100 ? `${Number(all.toPrecision(3))} s` : `${Math.floor(all / 60)}:${String(Math.floor(all % 60)).padStart(2, "0")} min`;
  }
  return { bands, read, wav, resampled, spectrogram, clock };
})();
