// A brush over a canvas. Strokes are kept in shares of its sides, so that they fit a picture of any size.
"use strict";
/** widthOf: gives how wide the next stroke is, as a share of the shorter side. changed: called when one is done. */
function brushOn(canvas, widthOf, changed) {
  let strokes = [], stroke = null;
  const place = (event) => {
    const box = canvas.getBoundingClientRect();
    return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
  };
  const renew = (now) => { strokes = now; draw(canvas); };
  canvas.addEventListener("pointerdown", (event) => {
    if (event.button || stroke) return;
    canvas.setPointerCapture(event.pointerId);
    stroke = { width: widthOf(), places: [place(event)] };
    renew([...strokes, stroke]);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!stroke) return;
    stroke.places.push(place(event));
    draw(canvas);
  });
  for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, () => {
    if (stroke) changed();
    stroke = null;
  });

  /** Draws all strokes onto a canvas, and nothing else. */
  function draw(onto) {
    const { width, height } = onto, context = onto.getContext("2d");
    context.clearRect(0, 0, width, height);
    Object.assign(context, { lineCap: "round", lineJoin: "round", strokeStyle: "#e0245e" });
    for (const { width: share, places } of strokes) {
      context.lineWidth = share * Math.min(width, height);
      context.beginPath();
      context.moveTo(places[0][0] * width, places[0][1] * height + 0.01); // a line of no length would not be drawn
      for (const [x, y] of places) context.lineTo(x * width, y * height);
      context.stroke();
    }
  }

  return {
    draw,
    strokes: () => strokes,
    undo() { renew(strokes.slice(0, -1)); changed(); },
    clear() { renew([]); changed(); },
    forget() { renew([]); },
  };
}
