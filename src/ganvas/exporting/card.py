"""The model card of a run: what it is, what it learned from, how good it was found, and under which conditions."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ganvas.errors import RunError
from ganvas.exporting.run import Exportable
from ganvas.metrics.passport import number, read_passport
from ganvas.metrics.scorer import best_of
from ganvas.model import ENLARGING, SAMPLING, TRANSFORMING, Model, zoo
from ganvas.run import mapping
from ganvas.text import plain, shown

MOST_PASSPORTS = 20


def card(source: Exportable, config: Mapping[str, Any], name: str) -> str:
    """Markdown with the front matter that the Hub reads. name: of the folder that it will lie in."""
    words = WORDS[source.model.use](source)
    own = {"recipe": str(config["recipe"]), "data": str(config["data"]["name"])}
    return f"""{_front(words.pipeline, [own.get(tag, tag) for tag in words.tags])}
# {_text(name)}
{"" if source.model.given else SAMPLES}
{words.what}, trained with Ganvas
{_text(config["ganvas"])}, recipe {_code(config["recipe"])}, {source.model.step:,} steps.{words.more}

## Use

{words.use}

## Data

{words.data or _data(config["data"])}

## Scores

{words.scores or _scores(Path(source.run), source.model)}

{_training(config)}

## Limits

{words.limits}
"""


@dataclass(frozen=True)
class Words:
    """What differs from card to card. tags: of which `recipe` and `data` stand for their names."""

    what: str
    use: str
    limits: str
    pipeline: str | None
    tags: tuple[str, ...]
    more: str = ""
    data: str = ""
    scores: str = ""


def _sampler(source: Exportable) -> Words:
    model = source.model
    given = next(iter(model.given.items()), None)
    if given is None:
        pipeline = model.space.task
        call = f"model.sample(16, seed=1)  # {_shape(model, 16)}"
        made = f"makes {model.space}"
        commands = "`ganvas sample`, `ganvas evaluate`, `ganvas serve` and `ganvas export` take"
    else:
        pipeline = model.space.change if given[1].space.change == model.space.change else None
        others = "".join(f", {name}={name}" for name in list(model.given)[1:])
        call = f"model.transform({given[0]}{others})  # {_shape(model, 'n')}"
        made = f"changes {given[1].space}" if model.any_size else f"makes {model.space} of {given[1].space}"
        commands = "`ganvas translate`, `ganvas serve` and `ganvas export` take"
    entry = zoo.entry(source.run).card if zoo.is_zoo(source.run) else None
    more = f" It generates by label: {', '.join(map(_code, model.labels[:30]))}." if model.labels else ""
    if given is not None:
        asked = [f"{_code(name)} ({_text(each.admits())})" for name, each in model.inputs.items() if each.admits()]
        more = f" It takes {', '.join(asked)}."
    if alone := model.recipe.alone():
        more += f" As an ONNX file or a page: {_text(alone)}"
    return Words(
        what=f"A generative adversarial network that {_text(made)}",
        use=f"""```python
import ganvas

model = ganvas.load("path/to/this/folder")
{"samples" if given is None else "changed"} = {call}
```

{commands} the folder as they take a run. The weights
are safetensors; nothing is executed by loading them.""",
        limits=LIMITS if entry is None else entry["limits"],
        pipeline=pipeline,
        tags=("gan", "generative-adversarial-network", "recipe", *(["data"] if entry is None else [])),
        more=more,
        data="" if entry is None else f"{entry['trained_on']}.\n\n{entry['licence']}",
        scores="" if entry is None else _zoo_scores(entry["styles"]),
    )


def _enlarger(source: Exportable) -> Words:
    """Of the zoo's models it says what their own card does."""
    entry = zoo.entry(source.run).card if zoo.is_zoo(source.run) else None
    (given,) = source.model.given.values()
    colour = "colour (gray works too)" if given.shape[0] == 3 else "gray (colours plane by plane)"
    return Words(
        what=f"A network that enlarges photos {given.scale} times, in {colour}",
        use=f"""```bash
ganvas upscale photo.jpg --out large.png --model path/to/this/folder
```

```python
import ganvas

large = ganvas.upscale(photo, model="path/to/this/folder")  # (H, W, C) uint8, each side {given.scale} times as long
```

`ganvas evaluate`, `ganvas serve` and `ganvas export` take the folder as they take a run. The weights are safetensors;
nothing is executed by loading them.""",
        limits=ENLARGER_LIMITS if entry is None else entry["limits"],
        pipeline="image-to-image",
        tags=("gan", "super-resolution", "recipe"),
        data="" if entry is None else f"{entry['trained_on']}.\n\n{entry['licence']}",
        scores="" if entry is None else _zoo_scores(entry["styles"]),
    )


WORDS = {SAMPLING: _sampler, TRANSFORMING: _sampler, ENLARGING: _enlarger}
"""Those of each use of a model."""

SAMPLES = """
![64 samples, seed 0](samples.png)
"""

LIMITS = (
    "A GAN shows what its data shows, errors and omissions included, and can repeat single training items: look at "
    "`ganvas evaluate`'s memorisation before publishing what it makes. Scores from different extractors, sample counts "
    "or data cannot be compared."
)

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


def _shape(model: Model, n: int | str) -> str:
    within = "" if model.space.bounds is None else f" in {list(model.space.bounds)}"
    given = next(iter(model.given.values())).shape if model.any_size else ()
    free = {place for place, side in enumerate(given) if side < 0}
    sides = ["any" if place in free else str(side) for place, side in enumerate(model.space.shape)]
    return f"({n}, {', '.join(sides)}){within}"


def _text(value: Any) -> str:
    """A foreign word in Markdown: on one line, and without letters that mean something there."""
    line = shown(str(value))
    return "".join("\\" + letter if letter in "\\`*_[]<>|#!$~" else letter for letter in line)


def _code(value: Any) -> str:
    """The same between backticks."""
    return "`" + shown(str(value)).replace("`", "'").replace("|", "/") + "`"
