// In the studio's list of runs: a press on a run's name chooses it.
element.addEventListener("click", (event) => {
  const name = event.target.closest("button[data-run]");
  if (name) trigger("click", { run: name.dataset.run });
});
