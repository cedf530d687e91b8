"""The model card of a run: what it is, what it learned from, how good it was found, and under which conditions."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from ganvas.errors import RunError
from ganvas.exporting.run import Exportable
from ganvas.metrics.passport import number, read_passport
from ganvas.metrics.scorer import best_of
from ganvas.model import Model, zoo
from ganvas.run import mapping
from ganvas.text import plain, shown

MOST_PASSPORTS = 20


def card(source: Exportable, config: Mapping[str, Any], name: str) -> str:
    """Markdown with the front matter that the Hub reads. name: of the folder that it will lie in."""
    model, data = source.model, config["data"]
    labels = f" It generates by label: {', '.join(map(_code, model.labels[:30]))}." if model.labels else ""
    tags = ["gan", "generative-adversarial-network", str(config["recipe"]), str(data["name"])]
    return f"""{_front(model.space.task, tags)}
# {_text(name)}

![64 samples, seed 0](samples.png)

A generative adversarial network that makes {_text(str(model.space))}, trained with Ganvas {_text(config["ganvas"])},
recipe {_code(config["recipe"])}, {model.step:,} steps.{labels}

## Use

```python
import ganvas

model = ganvas.load("path/to/this/folder")
samples = model.sample(16, seed=1)  # {_shape(model)}
```

`ganvas sample`, `ganvas evaluate`, `ganvas serve` and `ganvas export` take the folder as they take a run. The weights
are safetensors; nothing is executed by loading them.

## Data

{_data(data)}

## Scores

{_scores(Path(source.run), model)}

{_training(config)}

## Limits

A GAN shows what its data shows, errors and omissions included, and can repeat single training items: look at
`ganvas evaluate`'s memorisation before publishing what it makes. Scores from different extractors, sample counts or
data cannot be compared.
"""


def enlarger_card(source: Exportable, config: Mapping[str, Any], name: str) -> str:
    """The same for a model that enlarges. Of the zoo's it says what their own card does."""
    entry = zoo.entry(source.run).card if zoo.is_zoo(source.run) else None
    model, generator = source.model, cast(Any, source.model.recipe.generator)
    tags = ["gan", "super-resolution", str(config["recipe"])]
    colour = "colour (gray works too)" if generator.channels == 3 else "gray (colours plane by plane)"
    if entry is None:
        data, scores, limits = _data(config["data"]), _scores(Path(source.run), model), ENLARGER_LIMITS
    else:
        data = f"{entry['trained_on']}.\n\n{entry['licence']}"
        scores, limits = _zoo_scores(entry["styles"]), entry["limits"]
    return f"""{_front("image-to-image", tags)}
# {_text(name)}

A network that enlarges photos {generator.scale} times, in {colour}, trained with Ganvas
{_text(config["ganvas"])}, recipe {_code(config["recipe"])}, {model.step:,} steps.

## Use

```bash
ganvas upscale photo.jpg --out large.png --model path/to/this/folder
```

```python
import ganvas

large = ganvas.upscale(photo, model="path/to/this/folder")  # (H, W, C) uint8, each side {generator.scale} times as long
```

`ganvas evaluate`, `ganvas serve` and `ganvas export` take the folder as they take a run. The weights are safetensors;
nothing is executed by loading them.

## Data

{data}

## Scores

{scores}

{_training(config)}

## Limits

{limits}
"""


ENLARGER_LIMITS = (
    "What a photo does not show, a network can only guess: detail that it adds is likely, and no evidence of what was "
    "in front of the camera. It does best on photos like those it was trained on, shrunk as those were; of others it "
    "enlarges noise, blur and JPEG artefacts too. Scores of different data, scales or borders cannot be compared."
)


def _front(pipeline: str | None, tags: list[str]) -> str:
    # A JSON string is a YAML string, whatever is in it.
    front = {"library_name": "ganvas", "pipeline_tag": pipeline, "tags": tags}
    matter = "\n".join(f"{key}: {json.dumps(value)}" for key, value in front.items() if value is not None)
    return f"---\n{matter}\n---"


def _data(data: Mapping[str, Any]) -> str:
    counts = ", ".join(f"{key} {plain(value)}" for key, value in mapping(data["counts"]).items())
    return f"""{_code(data["name"])}: {counts or "sizes unknown"}. Fingerprint {_code(data["fingerprint"])}.
The licence of the data is not known to Ganvas, and neither is one of these weights: whoever publishes them must add
it."""


def _training(config: Mapping[str, Any]) -> str:
    return f"""## How it was trained

| | |
|---|---|
{_rows({**mapping(config["arguments"]), **mapping(config["settings"])})}"""


def _zoo_scores(styles: Mapping[str, Any]) -> str:
    """The scores of the first style, whose weights the folder holds."""
    name, about = next(iter(styles.items()))
    rows = [
        f"| {_code(key)} | {number(value)} | {_text(data)}, style {_text(name)} |"
        for data, scores in about["scores"].items()
        for key, value in scores.items()
    ]
    return "\n".join(["| score | value | data |", "|---|---|---|", *rows])


def _scores(run: Path, model: Model) -> str:
    """The scores in the run's passports, each with its conditions; and the one that picked the weights."""
    told = []
    best = best_of(run)
    if best is not None:
        told.append(
            f"These weights were picked at step {best.step:,} by {_code(best.key)} = {number(best.value)}, measured "
            "while it trained, on few samples: a choice among moments of one run, and no score to compare."
        )
    rows = []
    for path in sorted(run.glob("*.json"))[:MOST_PASSPORTS]:
        try:
            passport = read_passport(path)
        except RunError:
            continue  # config.json, or what someone else put there
        judged, data = passport["judged"], passport["data"]
        if judged.get("step", model.step) != model.step:
            told.append(f"{_code(path.name)} is about step {plain(judged['step'])}, so it is left out.")
            continue
        conditions = f"data {plain(data.get('name'))}, split {plain(data.get('split'))}, {plain(passport.get('date'))}"
        for key, score in passport["scores"].items():
            bounds = score.get("interval")
            interval = "" if not bounds else " to ".join(number(bound) for bound in bounds)
            sizes = f"{plain(score.get('samples'))} samples, {plain(score.get('references'))} references"
            rows.append(
                f"| {_code(key)} | {number(score.get('value'))} | {interval} | {_text(sizes)}; {_text(conditions)} |"
            )
    if rows:
        told.append("\n".join(["| score | value | 95% interval | conditions |", "|---|---|---|---|", *rows]))
    elif best is None:
        told.append("None was measured. `ganvas evaluate RUN --json RUN/scores.json` before the export puts them here.")
    return "\n\n".join(told)


def _rows(values: Mapping[str, Any]) -> str:
    return "\n".join(f"| {_code(key)} | {_text(plain(value))} |" for key, value in values.items() if value is not None)


def _shape(model: Model) -> str:
    within = "" if model.space.bounds is None else f" in {list(model.space.bounds)}"
    return f"(16, {', '.join(map(str, model.space.shape))}){within}"


def _text(value: Any) -> str:
    """A foreign word in Markdown: on one line, and without letters that mean something there."""
    line = shown(str(value))
    return "".join("\\" + letter if letter in "\\`*_[]<>|#!$~" else letter for letter in line)


def _code(value: Any) -> str:
    """The same between backticks."""
    return "`" + shown(str(value)).replace("`", "'").replace("|", "/") + "`"
