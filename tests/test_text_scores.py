"""Scores of texts: n-grams, BLEU and the model of 3-grams, counted by hand, and what `evaluate` makes of them."""

from __future__ import annotations

import math
import random
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch

import ganvas
from ganvas.captions import minilm
from ganvas.errors import UsageError
from ganvas.features import extractor
from ganvas.metrics.texts import NGrams, bleu, divergence, grams, nats_a_token
from ganvas.spaces import TextSpace


def texts(*lines: str) -> list[tuple[str, ...]]:
    return [tuple(line) for line in lines]


# -- counted by hand ---------------------------------------------------------------------------------------------------


def test_a_model_of_two_grams_is_witten_and_bells() -> None:
    """Of "ab" and "aa": 2 of 6 tokens are ends, 3 are a, 1 is b, in 3 sorts; each of 4 symbols begins at 1/4."""
    model = NGrams(texts("ab", "aa"), symbols=4, order=2)
    b, a = ((1 + 3 / 4) / (6 + 3)), (3 + 3 / 4) / (6 + 3)
    assert model.probability(("b",), "b") == pytest.approx((0 + 1 * b) / (1 + 1))
    assert model.probability(("a",), "a") == pytest.approx((1 + 3 * a) / (3 + 3))
    assert model.probability(("c",), "a") == pytest.approx(a)


def test_probabilities_add_up_to_1() -> None:
    model = NGrams(texts("abca", "bb", "cab"), symbols=5)
    for before in (("\x02", "\x02"), ("a", "b"), ("z", "c"), ("z", "z")):
        assert sum(model.probability(before, token) for token in ("a", "b", "c", "\x03", "never")) == pytest.approx(1)
    assert model.unlikeliness(("a",)) == pytest.approx(
        -math.log(model.probability(("\x02", "\x02"), "a")) - math.log(model.probability(("\x02", "a"), "\x03"))
    )
    assert nats_a_token(model, texts("a", "abc")) == [model.unlikeliness(each) / 3 for each in texts("a", "abc")]


def test_samples_are_as_frequent_as_they_are_likely() -> None:
    model = NGrams(texts("ab", "aa", "b", "ab"), symbols=3)
    made = model.sample(20_000, length=4, seed=1)
    assert made == model.sample(20_000, length=4, seed=1) != model.sample(20_000, length=4, seed=2)
    counts = Counter(made)
    for text in texts("ab", "aa", "b", ""):
        assert counts[text] / 20_000 == pytest.approx(math.exp(-model.unlikeliness(text)), abs=0.01)
    assert max(map(len, made)) <= 4


def test_bleu_by_hand() -> None:
    """Of "abcd" by "abce": 3/4 tokens, (2+1)/(3+1) pairs, (1+1)/(2+1) triples, (0+1)/(1+1) of the longest."""
    (score,) = bleu(texts("abcd"), texts("abce", "xyzw"))
    assert score == pytest.approx((3 / 4 * 3 / 4 * 2 / 3 * 1 / 2) ** 0.25)
    assert bleu(texts("abcd", "", "zz"), texts("abcd", "q")) == [pytest.approx(1.0), 0.0, 0.0]
    (short,) = bleu(texts("ab"), texts("abcd"))
    assert short == pytest.approx(math.exp(1 - 4 / 2))
    (often,) = bleu(texts("aaaa"), texts("ab", "ca"))  # counts are clipped at the most of any one reference
    assert often == pytest.approx((1 / 4 * 1 / 4 * 1 / 3 * 1 / 2) ** 0.25)


def test_self_bleu_is_by_all_others() -> None:
    random.seed(0)
    some = texts(*("".join(random.choices("abc", k=random.randint(1, 7))) for _ in range(30)), "abab", "abab")
    assert bleu(some) == pytest.approx(
        [bleu([text], some[:place] + some[place + 1 :])[0] for place, text in enumerate(some)]
    )


def test_divergences() -> None:
    assert divergence(texts("ab", "ba"), texts("ba", "ab"), 2) == 0
    assert divergence(texts("ab"), texts("cd"), 2) == pytest.approx(1)
    # Tokens and ends of "a" and of "b": half of all are in both.
    assert divergence(texts("a"), texts("b"), 1) == pytest.approx(0.5)
    assert grams(("a", "b", "c"), 2) == [("a", "b"), ("b", "c")] and grams(("a",), 2) == []


# -- a whole judgement -------------------------------------------------------------------------------------------------


def lines(n: int, seed: int) -> list[str]:
    chance = random.Random(seed)
    return ["".join(chance.choice(["ba", "do", "ki", "lu"]) for _ in range(chance.randint(2, 5))) for _ in range(n)]


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ganvas.Report]:
    folder = tmp_path_factory.mktemp("judged")
    (folder / "data.txt").write_text("\n".join(lines(1500, 0)))
    small = {"width": 16, "d_width": 8, "latent": 2, "batch_size": 64, "quiet": True, "looks": False}
    ganvas.train("textgan", data=folder / "data.txt", out=folder / "run", steps=20, sample_every=100, **small)
    return folder, ganvas.evaluate(folder / "run", n=200, progress=False)


def test_every_score_stands_beside_real_texts_and_3_grams(judged: tuple[Path, ganvas.Report]) -> None:
    _, report = judged
    keys = [key for key in report.scores if key.endswith("[tokens]")]
    assert keys == [
        f"{name}[tokens]"
        for name in (
            *("NLL", "perplexity", "reverse perplexity", "BLEU-4", "self-BLEU-4", "1-grams", "2-grams", "3-grams"),
            *("copies", "held-out found", "different"),
        )
    ]
    beside = {key: {side: told["value"] for side, told in report.scores[key].more["beside"].items()} for key in keys}
    assert all(set(each) == {"real", "3-gram"} for each in beside.values())
    for key in ("perplexity[tokens]", "reverse perplexity[tokens]", "2-grams[tokens]", "NLL[tokens]"):
        assert beside[key]["3-gram"] < report.scores[key].value  # of twenty steps
    assert beside["copies[tokens]"]["real"] == 0 and beside["copies[tokens]"]["3-gram"] > 0.02
    assert report.scores["NLL[tokens]"].interval is not None
    told = str(report)
    assert "3-gram" in told and "no words: known words are of texts that are made letter by letter" in told
    assert report.passport["extractors"]["tokens"]["resizing"].startswith("texts of at most 10 characters")


def test_the_likelihood_is_that_of_held_out_texts(judged: tuple[Path, ganvas.Report]) -> None:
    folder, report = judged
    model, data = ganvas.load(folder / "run"), ganvas.data.opening.open_data(folder / "data.txt", progress=False)
    parts = [data.split(name) for name in ("validation", "test")]
    batches = [part.gather(np.arange(len(part))) for part in parts]
    with torch.no_grad():
        nats = sum(float(model.recipe.unlikeliness(batch).sum()) for batch in batches)
    tokens = sum(len(text) + 1 for batch in batches for text in data.space.tokenised(batch.text))
    assert report.scores["NLL[tokens]"].value == pytest.approx(nats / tokens, abs=0.02)


def test_files_of_texts_are_judged_too(judged: tuple[Path, ganvas.Report], tmp_path: Path) -> None:
    """By what the data knows: a letter that it does not have is unknown. New texts of the same sort are nearly real."""
    folder, _ = judged
    (tmp_path / "made.txt").write_text("\n".join([*lines(400, 1), "zzzz"]))
    report = ganvas.evaluate(
        tmp_path / "made.txt", folder / "data.txt", n=401, metrics=["n-grams", "copies"], progress=False
    )
    score = report.scores["2-grams[tokens]"]
    assert score.value < 2 * score.more["beside"]["real"]["value"] + 0.02
    with pytest.raises(UsageError, match="likelihood cannot be told: the likelihood is that of a recipe"):
        ganvas.evaluate(tmp_path / "made.txt", folder / "data.txt", metrics=["likelihood"], progress=False)


def test_known_words_of_texts_of_letters(tmp_path: Path) -> None:
    chance = random.Random(0)
    real = [" ".join(chance.choice(["red", "green", "blue"]) for _ in range(3)) for _ in range(1500)]
    (tmp_path / "data.txt").write_text("\n".join(real))
    (tmp_path / "made.txt").write_text("\n".join(["red green xyz"] * 60))
    options = {"metrics": ["words"], "tokens": "characters", "progress": False}
    score = ganvas.evaluate(tmp_path / "made.txt", tmp_path / "data.txt", **options).scores["known words[tokens]"]
    assert score.value == pytest.approx(2 / 3) and score.more["beside"]["real"]["value"] == 1


def test_pictures_have_no_scores_of_texts(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    np.savez(tmp_path / "a.npz", data=random.integers(0, 256, (120, 8, 8), dtype=np.uint8))
    report = ganvas.evaluate(
        tmp_path / "a.npz", tmp_path / "a.npz", metrics=None, extractor="lite0", n=60, progress=False
    )
    assert not any("bleu" in note for note in report.notes)
    with pytest.raises(UsageError, match="bleu cannot be told: it is of texts alone"):
        ganvas.evaluate(tmp_path / "a.npz", tmp_path / "a.npz", metrics=["bleu"], extractor="lite0", progress=False)


@pytest.mark.skipif(not minilm.at_hand(), reason="its package is an extra")
def test_sentences_that_mean_the_same_are_near() -> None:
    space = TextSpace("words", 6, ("a", "dog", "barks", "the", "puppy", "is", "barking", "taxes", "rise", "again"))
    rows = [space.row(text) for text in ("a dog barks", "the puppy is barking", "taxes rise again")]
    found = extractor("minilm", space=space)(space.encode(space.decode(np.stack([r for r in rows if r is not None]))))
    apart = torch.cdist(found.features, found.features)
    assert found.features.shape == (3, 384) and apart[0, 1] < 0.8 * min(apart[0, 2], apart[1, 2])
    assert float(found.features.square().mean()) == pytest.approx(1, rel=1e-3)
