// In the studio: the picture below the brush, and the strokes as the component's value.
const image = element.querySelector("img"), canvas = element.querySelector("canvas");
const say = () => { props.value = JSON.stringify({ picture: image.getAttribute("src"), strokes: brush.strokes() }); };
const brush = brushOn(canvas, () => element.querySelector("input").value / 100, say);
const show = () => {
  const { picture } = JSON.parse(props.value);
  if (picture === (image.getAttribute("src") ?? "")) return;
  element.firstElementChild.hidden = !picture;
  image.setAttribute("src", picture);
  brush.forget();
};
image.addEventListener("load", () => {
  const share = Math.min(1, 1024 / Math.max(image.naturalWidth, image.naturalHeight));
  canvas.width = Math.max(1, Math.round(image.naturalWidth * share));
  canvas.height = Math.max(1, Math.round(image.naturalHeight * share));
  brush.draw(canvas);
});
element.querySelector(".undo").addEventListener("click", brush.undo);
element.querySelector(".clear").addEventListener("click", brush.clear);
watch("value", show);
show();
