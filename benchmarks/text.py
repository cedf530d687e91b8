"""Does the game of `textgan` win anything over the same time of likelihood training, from the same warm-up?

    python -m benchmarks.text --prepare FOLDER [--wordnet /usr/share/wordnet]
    python -m benchmarks.text TEXTS [--warm 60] [--seconds 60] [--seeds 3] [--adversarial reinforce,gumbel]
                              [--temperatures 1,0.8,0.6] [--batch-size 128] [--set width=96 game_lr=1e-3 ...]

For each seed a generator learns the likelihood for `--warm` seconds of the processor; from its weights one goes on for
`--seconds` more (the twin), and others play for as long. What each makes is judged at several temperatures, since a
lower one buys quality with variety (Caccia et al. 2020), beside texts of the training and a sampler of 3-grams. Behind
the rows stands, for each score at temperature 1, the mean difference of a game from its twin with its 95% interval over
seeds (Student's t, pairs of one seed).

`--prepare` writes what there is at hand: `friezes.txt`, a motif of 7 tiles of 6 sorts twice in a row, in which validity
can be counted; `names.txt`, English first names of the package Faker (MIT), and `sentences.txt`, example sentences of
4 to 12 words from WordNet's glosses (Debian's wordnet-base).
"""

from __future__ import annotations

import argparse
import importlib.util
import math
import random
import re
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from ganvas.captions import minilm
from ganvas.data.dataset import Data
from ganvas.data.opening import open_data
from ganvas.data.texts import Texts
from ganvas.features import extractor
from ganvas.metrics.distributions import kernel_distance
from ganvas.metrics.texts import NGrams, Tokens, bleu, divergence, nats_a_token
from ganvas.networks.texts import TextDiscriminator, mean_within, up_to_end
from ganvas.options import checked, read_options
from ganvas.recipes.textgan import TextGAN, whole
from ganvas.settings import Settings
from ganvas.spaces.texts import FIRST, UNKNOWN
from ganvas.training import Training, seed_from

MOTIF, TILES, FRIEZES = 7, "abcdef", 5000
SAMPLES, SELF, JUDGED = 2000, 500, 300
"""Samples that are judged, those of them that self-BLEU compares with one another, and steps that a fresh discriminator
learns for."""

STUDENT = {2: 12.706, 3: 4.303, 4: 3.182, 5: 2.776}
"""The 97.5% quantile of Student's t by how many pairs there are."""


def friezes() -> list[str]:
    chance, made = random.Random(0), set[str]()
    while len(made) < FRIEZES:
        made.add(2 * "".join(chance.choices(TILES, k=MOTIF)))
    return sorted(made)


def names() -> list[str]:
    provider = importlib.import_module("faker.providers.person.en").Provider
    found = {name for sort in (provider.first_names_female, provider.first_names_male) for name in sort}
    return sorted(name for name in found if name.isalpha())


def sentences(wordnet: Path) -> list[str]:
    found = set()
    for file in sorted(wordnet.glob("data.*")):
        for line in file.read_text(encoding="utf-8").splitlines():
            for example in re.findall(r'"([^"]*)"', line.partition("|")[2]):
                if re.fullmatch("[a-z]+( [a-z]+){3,11}", example.strip()):
                    found.add(example.strip())
    return sorted(found)


def prepare(folder: Path, wordnet: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    written: dict[str, Callable[[], list[str]]] = {"friezes": friezes}
    if importlib.util.find_spec("faker") is not None:
        written["names"] = names
    if (wordnet / "data.noun").is_file():
        written["sentences"] = lambda: sentences(wordnet)
    for name, make in written.items():
        lines = make()
        (folder / f"{name}.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
        print(f"{folder / name}.txt: {len(lines):,} lines")


def is_frieze(text: Tokens) -> bool:
    return len(text) == 2 * MOTIF and text[:MOTIF] == text[MOTIF:]


@dataclass
class Bench:
    data: Data
    batch_size: int
    arguments: dict[str, Any]

    def words(self, split: str) -> list[Tokens]:
        part = self.data.split(split)
        return self.data.space.tokenised(part.gather(np.arange(len(part))).value)

    @cached_property
    def trained(self) -> list[Tokens]:
        return self.words("train")

    @cached_property
    def held(self) -> Texts:
        parts = [self.data.split(name) for name in ("validation", "test")]
        batches = [part.gather(np.arange(len(part))) for part in parts]
        return Texts(torch.cat([batch.value for batch in batches]))

    @cached_property
    def held_words(self) -> list[Tokens]:
        return self.data.space.tokenised(self.held.text)

    @cached_property
    def symbols(self) -> int:
        return int(self.data.facts()["symbols"])

    @cached_property
    def judge(self) -> NGrams:
        return NGrams(self.held_words, self.symbols)

    @cached_property
    def rival(self) -> NGrams:
        return NGrams(self.trained, self.symbols)

    def training(self, steps: int, seed: int, **changes: Any) -> Training:
        own = {option.name for option in read_options(TextGAN)}
        facts = {name: value for name, value in self.data.facts().items() if name in own and name != "classes"}
        torch.manual_seed(seed)
        recipe = TextGAN(**checked(TextGAN, facts | self.arguments | changes))
        settings = Settings(steps=steps, batch_size=self.batch_size, precision="float32", device="cpu", seed=seed)
        made = Training(recipe, self.data, settings)
        made._train_mode()
        return made

    def step_costs(self, adversarial: str) -> float:
        """Seconds of the processor."""
        training = self.training(10_000, 0, adversarial=adversarial, warmup=0.0)
        for _ in range(5):
            training.step()
        began = time.process_time()
        for _ in range(20):
            training.step()
        return (time.process_time() - began) / 20

    def scores(self, texts: list[Tokens]) -> dict[str, float]:
        reverse = nats_a_token(NGrams(texts, self.symbols), self.held_words)
        trained, held = set(self.trained), set(self.held_words)
        told = {
            "perplexity": math.exp(statistics.fmean(nats_a_token(self.judge, texts))),
            "reverse": math.exp(statistics.fmean(reverse)),
            "3-grams": divergence(texts, self.held_words, 3),
            "BLEU": statistics.fmean(bleu(texts[:SELF], self.held_words)),
            "self-BLEU": statistics.fmean(bleu(texts[:SELF])),
            "copies": statistics.fmean(text in trained for text in texts),
            "found": statistics.fmean(text in held for text in texts),
            "different": len(set(texts)) / len(texts),
            "tokens": statistics.fmean(map(len, texts)),
        }
        if all(map(is_frieze, self.held_words)):
            told["valid"] = statistics.fmean(float(is_frieze(text)) for text in texts)
        return told

    def numbers(self, texts: list[Tokens]) -> torch.Tensor:
        """(n, length) float32."""
        known = {token: number for number, token in enumerate(self.data.space.options()["vocabulary"], FIRST)}
        made = torch.zeros(len(texts), *self.data.space.shape)
        for row, text in zip(made, texts, strict=True):
            row[: len(text)] = torch.tensor([known.get(token, UNKNOWN) for token in text])
        return made

    def told_apart(self, texts: torch.Tensor) -> float:
        """The share of pairs, one of them held out, one made, in which a fresh discriminator says rightly which is real
        (the area under its curve): 0.5 is chance. It learns from texts of the training and from other made ones."""
        half = 2 * len(texts) // 3
        with torch.random.fork_rng():
            torch.manual_seed(0)
            judge = TextDiscriminator(symbols=self.symbols, width=48, dropout=0.3)
            adam = torch.optim.Adam(judge.parameters(), lr=2e-3)
            real, made = self.numbers(self.trained).long(), texts[:half].long()
            for _ in range(JUDGED):
                some, others = (each[torch.randint(len(each), (64,))] for each in (real, made))
                of_real, of_made = judge(torch.cat([some, others])).chunk(2)
                loss = mean_within(functional.softplus(-of_real), up_to_end(some))
                loss = loss + mean_within(functional.softplus(of_made), up_to_end(others))
                adam.zero_grad()
                loss.backward()
                adam.step()
            judge.eval()
            with torch.no_grad():
                pair = (self.held.text.long(), texts[half:].long())
                of_real, of_made = (whole(judge(each), each) for each in pair)
        return float((of_real[:, None] > of_made[None]).double().mean())

    def meaning(self, texts: torch.Tensor) -> dict[str, float]:
        """How well texts are told from held-out ones; and of sentences, the kernel distance between the two in the
        sentence encoder, times 1,000."""
        told = {"told apart": self.told_apart(texts)}
        if self.data.space.facts()["tokens"] != "words" or not minilm.at_hand():
            return told
        space = self.data.space
        look = extractor("minilm", space=space)
        real, made = (look(space.encode(each[:1000])).features for each in (self.held.text, texts))
        return told | {"MMD": 1000 * kernel_distance(real, made, subset_size=min(len(real), len(made)) // 2, seed=0)[0]}

    @torch.no_grad()
    def made(self, training: Training, temperature: float) -> torch.Tensor:
        with training.averaged_weights():
            seed_from(7)
            inputs = training.recipe.draw(SAMPLES, {"temperature": torch.full((SAMPLES,), temperature)})
            return training.recipe.generate(**inputs)

    @torch.no_grad()
    def unlikeliness(self, training: Training) -> float:
        with training.averaged_weights():
            seed_from(7)
            assert training.recipe.unlikeliness is not None
            total = sum(float(training.recipe.unlikeliness(part).sum()) for part in _pieces(self.held))
        return total / sum(len(text) + 1 for text in self.held_words)


def _pieces(batch: Texts) -> list[Texts]:
    return [batch[start : start + 128] for start in range(0, len(batch), 128)]


def told(who: str, scores: dict[str, float]) -> None:
    print(f"{who:<24}" + "  ".join(f"{name} {value:.4g}" for name, value in scores.items()), flush=True)


def compare(bench: Bench, asked: argparse.Namespace) -> None:
    temperatures = [float(each) for each in asked.temperatures.split(",")]
    drawn = random.Random(0).sample(range(len(bench.trained)), min(SAMPLES, len(bench.trained)))
    real = bench.data.split("train").gather(np.array(drawn)).value
    rival = bench.rival.sample(SAMPLES, bench.data.space.shape[0], 0)
    told("real", bench.scores([bench.trained[place] for place in drawn]) | bench.meaning(real))
    nll = statistics.fmean(nats_a_token(bench.rival, bench.held_words))
    told("3-gram", {"NLL": nll} | bench.scores(rival) | bench.meaning(bench.numbers(rival)))
    arms = ["none", *asked.adversarial.split(",")]
    costs = {arm: bench.step_costs(arm) for arm in arms}
    found: dict[str, list[dict[str, float]]] = {arm: [] for arm in arms}
    for seed in range(asked.seeds):
        steps = int(asked.warm / costs["none"])
        warm = bench.training(100 * steps, seed, adversarial="none")
        for _ in range(steps):
            warm.step()
        told(f"warm-up s{seed} ({steps:,})", {"NLL": bench.unlikeliness(warm)} | bench.scores(_words(bench, warm, 1.0)))
        for arm in arms:
            steps = int(asked.seconds / costs[arm])
            training = bench.training(steps, seed, adversarial=arm, warmup=0.0)
            training.load_state(
                training.state() | {"model": warm.state()["model"], "averaged": warm.state()["averaged"]}
            )
            began = time.process_time()
            for _ in range(steps):
                training.step()
            taken = time.process_time() - began
            for temperature in temperatures:
                samples = bench.made(training, temperature)
                scores = bench.scores(bench.data.space.tokenised(samples)) | bench.meaning(samples)
                if temperature == 1:
                    scores = {"NLL": bench.unlikeliness(training)} | scores
                    found[arm].append(scores)
                told(f"{arm} s{seed} T {temperature:g} ({steps:,}, {taken:.0f} s)", scores)
    for arm in arms[1:]:
        differences = [
            {name: game[name] - twin[name] for name in game}
            for game, twin in zip(found[arm], found["none"], strict=True)
        ]
        for name in differences[0] if len(differences) in STUDENT else ():
            each = [difference[name] for difference in differences]
            half = STUDENT[len(each)] * statistics.stdev(each) / len(each) ** 0.5
            mean = statistics.fmean(each)
            verdict = "" if abs(mean) > half else " (not told apart)"
            print(f"{arm} less its twin: {name} {mean:+.4g}, 95% {mean - half:+.4g} to {mean + half:+.4g}{verdict}")


def _words(bench: Bench, training: Training, temperature: float) -> list[Tokens]:
    return bench.data.space.tokenised(bench.made(training, temperature))


def _argument(word: str) -> tuple[str, Any]:
    name, _, value = word.partition("=")
    try:
        return name, int(value)
    except ValueError:
        try:
            return name, float(value)
        except ValueError:
            return name, value


def main(words: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", nargs="?")
    parser.add_argument("--prepare", type=Path)
    parser.add_argument("--wordnet", type=Path, default=Path("/usr/share/wordnet"))
    parser.add_argument("--warm", type=float, default=60)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--adversarial", default="reinforce")
    parser.add_argument("--temperatures", default="1,0.8,0.6")
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--vocabulary", type=int)
    parser.add_argument("--set", nargs="*", default=[], metavar="NAME=VALUE")
    asked = parser.parse_args(words)
    if asked.prepare is not None:
        prepare(asked.prepare, asked.wordnet)
    if asked.source is not None:
        data = open_data(asked.source, Texts, progress=False, vocabulary=asked.vocabulary)
        compare(Bench(data, asked.batch_size, dict(map(_argument, asked.set))), asked)


if __name__ == "__main__":
    main()
