"""The judge of emoji by caption, in benchmarks/emoji.py: which captions it is asked for, and how it counts."""

from __future__ import annotations

import zipfile
from pathlib import Path

import torch
from benchmarks import emoji
from benchmarks.translate_unpaired import plain

from ganvas.data.rows import split_of

HAND = {f"1f91a{tone}.png": "raised hand" for tone in ("", "-1f3fb", "-1f3ff")}
CAPTIONS = {f"{number:04x}.png": f"kind{number // 2 % 20} sort{number // 40}" for number in range(800)} | HAND


def test_no_caption_is_asked_for_twice_and_none_is_a_skin_tones() -> None:
    for trained in (True, False):
        names = emoji.asked(CAPTIONS, trained)
        assert all(plain(Path(name).stem) for name in names)
        assert len({CAPTIONS[name] for name in names}) == len(names)
    assert len(emoji.asked(CAPTIONS, True)) == emoji.ASKED < len(emoji.mixed(CAPTIONS, True))


def test_captions_are_of_the_training_or_were_never_seen_in_it() -> None:
    taught = {text for name, text in CAPTIONS.items() if split_of(name) == "train"}
    assert all(split_of(name) == "train" for name in emoji.asked(CAPTIONS, True))
    never = [CAPTIONS[name] for name in emoji.asked(CAPTIONS, False)]
    assert set(never) == set(CAPTIONS.values()) - taught and never


def test_captions_never_seen_are_of_words_that_were() -> None:
    name = next(name for name in CAPTIONS if split_of(name) == "test")
    assert name not in emoji.asked(CAPTIONS | {name: "unheard kind1"}, False)
    assert name in emoji.asked(CAPTIONS | {name: "sort3 kind1"}, False)


def test_the_judge_learns_nothing_of_what_it_is_asked_for() -> None:
    hidden = {CAPTIONS[name] for name in (*emoji.asked(CAPTIONS, True), *emoji.mixed(CAPTIONS, False))}
    learned = emoji.lessons(CAPTIONS)
    assert {CAPTIONS[name] for name in learned} == set(CAPTIONS.values()) - hidden
    assert all(plain(Path(name).stem) for name in learned)


def test_places_are_how_many_captions_are_more_alike_than_the_right_one() -> None:
    likeness = torch.tensor([[0.9, 0.1, 0.2], [0.5, 0.4, 0.6], [0.3, 0.3, 0.3]])
    assert emoji.places(likeness).tolist() == [0, 2, 0]


def test_shares_of_several_sets_are_averaged_before_captions_are_drawn_again() -> None:
    """Of two captions one is found in both sets and the other in one of them: 0.75, between 0.5 and 1."""
    line = emoji.told("", {"caption": [torch.tensor([0, 0]), torch.tensor([0, 1])]})
    assert line.split("  caption ")[1:] == ["R@1 0.750 (0.500 to 1.000)", "R@5 1.000 (1.000 to 1.000)"]


def test_a_judge_finds_captions_that_it_has_not_learned_in_another_manner() -> None:
    """Features are a turn of the captions', and the other design adds the same to all of them."""
    torch.manual_seed(3)
    texts = torch.randn(600, 8)
    features = torch.cat([texts @ torch.linalg.qr(torch.randn(8, 8))[0] for _ in range(8)], 1)
    judge = emoji.Judge(features[:500], texts[:500])
    other = features[500:] + 5
    with torch.no_grad():
        found = emoji.places(judge.likeness(other, texts[500:], judge.middle + 5))
        lost = emoji.places(judge.likeness(other, texts[500:].roll(50, 0), judge.middle + 5))
    assert float((found < 5).double().mean()) > 0.9
    assert float((lost < 5).double().mean()) < 0.2


def test_an_archive_becomes_a_folder_for_each_design(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("captions.csv", "file_name,caption\n1.png,one\n")
        for design in ("google", "twitter"):
            archive.writestr(f"{design}/1.png", design)
    assert emoji.prepare(tmp_path / "a.zip", tmp_path / "out") == {"google": 1, "twitter": 1}
    assert emoji.captions_of(tmp_path / "out") == {"1.png": "one"}
    assert (tmp_path / "out/google/1.png").read_text() == "google"
