"use strict";
// The page at `/` of a server: sends what a form holds, and shows what comes back by what it is.

const element = (name, text) => {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  return made;
};

const player = (kind, source) => {
  const made = element(kind);
  if (kind === "img") made.alt = "What was made";
  else made.controls = true;
  made.src = source;
  return made;
};

const table = (rows) => {
  const made = element("table"), head = element("tr");
  for (const name of Object.keys(rows[0])) head.append(element("th", name));
  made.append(head);
  for (const row of rows) {
    const line = element("tr");
    for (const cell of Object.values(row)) line.append(element("td", cell === null ? "" : String(cell)));
    made.append(line);
  }
  return made;
};

const figure = (content, sample) => {
  const made = element("figure");
  made.append(content);
  if (sample.label !== null && sample.label !== undefined) made.append(element("figcaption", String(sample.label)));
  return made;
};

const sent = async (form, more) => {
  const fields = new FormData(form), path = form.dataset.path;
  for (const [name, value] of [...fields]) if (value === "") fields.delete(name);
  const request = { method: "POST", body: fields };
  if (form.dataset.sends === "json") {
    const told = Object.fromEntries(fields);
    for (const name of ["n", "seed", "truncation"]) if (name in told) told[name] = Number(told[name]);
    request.body = JSON.stringify({ ...told, ...more });
    request.headers = { "Content-Type": "application/json" };
  }
  const answer = await fetch(path, request);
  if (!answer.ok) throw new Error((await answer.json()).error);
  return answer;
};

const ofSamples = async (form, place) => {
  const { seed, samples } = await (await sent(form, { format: "json" })).json();
  const first = samples[0];
  if (first.png) place.replaceChildren(...samples.map((s) => figure(player("img", `data:image/png;base64,${s.png}`), s)));
  else if (first.wav) {
    place.classList.add("sounds");
    place.replaceChildren(...samples.map((s) => figure(player("audio", `data:audio/wav;base64,${s.wav}`), s)));
  } else {
    place.classList.add("lines");
    if (first.row) place.replaceChildren(table(samples.map((s) => s.row)));
    else if (first.text !== undefined) place.replaceChildren(...samples.map((s) => element("p", s.text)));
    else { // what is seen together only, such as points
      const picture = await (await sent(form, { format: "png", seed })).blob();
      place.replaceChildren(player("img", URL.createObjectURL(picture)));
    }
  }
  return `Seed ${seed}`;
};

const ofFile = async (form, place) => {
  const answer = await sent(form), made = await answer.blob(), source = URL.createObjectURL(made);
  const kind = made.type.split("/")[0], link = element("a", "Save it");
  link.href = source;
  link.download = `made.${made.type.split("/")[1].replace("jpeg", "jpg").replace("x-wav", "wav")}`;
  place.classList.add("large");
  if (kind === "image") place.replaceChildren(player("img", source), link);
  else if (kind === "audio") place.replaceChildren(player("audio", source), link);
  else place.replaceChildren(element("pre", await made.text()), link);
  return "";
};

for (const form of document.forms) {
  const said = form.nextElementSibling, place = said.nextElementSibling, button = form.querySelector("button");
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    button.disabled = true;
    said.classList.remove("failed");
    said.textContent = "Working";
    try {
      said.textContent = await (form.dataset.sends === "json" ? ofSamples : ofFile)(form, place);
    } catch (error) {
      said.classList.add("failed");
      said.textContent = error.message;
    }
    button.disabled = false;
  });
}
