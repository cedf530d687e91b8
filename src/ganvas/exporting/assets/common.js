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

  function byId(id) { return document.getElementById(id); }
  function make(tag, properties = {}) { return Object.assign(document.createElement(tag), properties); }
  function count(element) { element.dataset.painted = Number(element.dataset.painted ?? 0) + 1; }
  return { about, started, run, tell, byId, make, count };
})();
