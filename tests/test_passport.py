"""Passports: what they hold, and that only what is comparable is compared."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from ganvas.errors import RunError, UsageError
from ganvas.metrics.bootstrap import Interval
from ganvas.metrics.compare import compare, differences
from ganvas.metrics.passport import (
    MARK,
    Score,
    better_in_words,
    check_writable,
    number,
    passport,
    read_passport,
    shortfall,
    write_passport,
)


def made(**values: float) -> dict[str, Any]:
    """A passport with FID, KID and accuracy; `values` replace scores."""
    named = {"FID": 10.0, "KID": 0.02, **values}
    scores = [Score(k, "lite0", v, Interval(v * 0.9, v * 1.1), "lower", 2000, 1800) for k, v in named.items()]
    scores.append(Score("accuracy", "native", 0.97, Interval(0.96, 0.98), "higher", 2000, 5000))
    lite0 = {"weights": "ab" * 32, "resizing": "to 224", "precision": "float32"}
    return passport(
        {score.key: score for score in scores},
        judged={"kind": "model", "name": "demo", "step": 100, "truncation": None, "seed": 0, "count": 2000},
        data={"name": "digits", "fingerprint": "cd" * 32, "split": "train", "references": 1800, "drawn_by_seed": 0,
              "resizing": "images 28x28 gray"},
        extractors={"lite0": lite0, "native": {**lite0, "weights": "ef" * 32, "resizing": "none"}},
        notes=[],
        warnings=[],
    )  # fmt: skip


def changed(section: str, name: str, value: Any, inner: str | None = None) -> dict[str, Any]:
    content = made()
    (content[section] if inner is None else content[section][inner])[name] = value
    return content


def files(folder: Path, *contents: Any) -> list[Path]:
    paths = [folder / f"{letter}.json" for letter in "ab"[: len(contents)]]
    for path, content in zip(paths, contents, strict=True):
        path.write_text(content if isinstance(content, str) else json.dumps(content))
    return paths


def test_every_score_has_a_passport(tmp_path):
    write_passport(tmp_path / "p.json", made())
    content = read_passport(tmp_path / "p.json")
    assert content["scores"]["FID[lite0]"] == {
        "value": 10.0, "interval": [9.0, 11.0], "better": "lower", "extractor": "lite0", "samples": 2000,
        "references": 1800,
    }  # fmt: skip
    assert content["versions"].keys() == {"ganvas", "torch", "numpy", "python"} and "date" in content
    assert "FID" not in content["scores"]


def test_side_by_side(tmp_path):
    other = made(FID=10.5, KID=0.05)
    del other["scores"]["accuracy[native]"]
    other["judged"]["step"] = 200
    table = compare(*files(tmp_path, made(), other))
    rows = {line.split()[0]: line.split() for line in table.splitlines() if line.strip()}
    assert rows["FID[lite0]"][1:] == ["10", "10.5", "+0.5000", "intervals", "overlap"]
    assert rows["KID[lite0]"][1:] == ["0.0200", "0.0500", "+0.0300", "intervals", "apart,", "A", "is", "better"]
    assert "only in A: accuracy[native]" in table
    assert "step: 100 and 200" in table


@pytest.mark.parametrize(
    ("better", "a", "b", "told"),
    [
        (1, 0.986, 1.096, "intervals apart, A is better"),  # 0.014 and 0.096 from the 1 of the data
        (1, 1.3, 0.9, "intervals apart, B is better"),
        (1, 0.75, 1.25, "intervals apart"),  # as far from it
        ("lower", 0.9, 1.1, "intervals apart, A is better"),
        ("higher", 0.9, 1.1, "intervals apart, B is better"),
        ("neither", 0.9, 1.1, "intervals apart"),
        (None, 0.9, 1.1, "intervals apart"),
        (True, 0.9, 1.1, "intervals apart"),
        ([1], 0.9, 1.1, "intervals apart"),
    ],
)
def test_what_is_better_is_what_the_score_says(better, a, b, told, tmp_path):
    """A diversity of 1.096 is further from the data's than 0.986 is."""
    both = []
    for value in (a, b):
        content = made()
        score = {"value": value, "interval": [value - 0.01, value + 0.01], "better": better}
        content["scores"]["FID[lite0]"] |= score
        both.append(content)
    row = next(line for line in compare(*files(tmp_path, *both)).splitlines() if line.startswith("FID"))
    assert row.endswith(told)


def test_values_are_worse_the_further_they_are_from_the_best():
    assert (shortfall("lower", 3.0), shortfall("higher", 3.0), shortfall(1, 0.75)) == (3.0, -3.0, 0.25)
    assert shortfall("neither", 3.0) is None and shortfall(float("nan"), 3.0) is None
    assert [better_in_words(each) for each in ("lower", "neither", 1)] == [
        "lower is better",
        "",
        "nearer to 1 is better",
    ]


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        (changed("data", "fingerprint", "ee" * 32), "other data"),
        (changed("data", "split", "test"), "another split (train and test)"),
        (changed("data", "references", 900), "another number of reference items (1800 and 900)"),
        (changed("data", "drawn_by_seed", 4), "reference items drawn by another seed (0 and 4)"),
        (changed("data", "resizing", "images 32x32 gray"), "images of another size or colour"),
        (changed("judged", "count", 500), "another number of samples (2000 and 500)"),
        (
            changed("extractors", "weights", "99" * 32, "lite0"),
            "other weights of the extractor lite0 (abababababab and",
        ),
        (changed("extractors", "resizing", "to 299", "lite0"), "another resizing in the extractor lite0"),
        (changed("extractors", "precision", "bfloat16", "native"), "another precision of the extractor native"),
        (changed("scores", "samples", 1000, "FID[lite0]"), "FID[lite0] has another number of samples"),
    ],
)
def test_what_is_not_comparable_is_refused_with_the_reason(other, reason, tmp_path):
    paths = files(tmp_path, made(), other)
    with pytest.raises(UsageError) as caught:
        compare(*paths)
    assert reason in str(caught.value) and "\n" not in str(caught.value)
    with pytest.raises(UsageError, match="cannot be compared"):
        compare(*reversed(paths))


def test_all_reasons_are_named_at_once():
    other = changed("data", "split", "test")
    other["judged"]["count"] = 1
    assert len(differences(made(), other)) == 2
    assert differences(made(), made(FID=3.0)) == []


def test_another_extractor_shares_no_score(tmp_path):
    other = json.loads(json.dumps(made()).replace("lite0", "lite2").replace("native", "other"))
    with pytest.raises(UsageError, match=r"another extractor \(lite0 and native; lite2 and other\)"):
        compare(*files(tmp_path, made(), other))


def hostile() -> list[tuple[Any, str]]:
    cases: list[tuple[Any, str]] = [
        ("", "not JSON"), ("[" * 100_000, "not JSON"), ("[1]", "not a passport"), ('{"a": 1}', "not a passport"),
        ("\x00\xff", "not JSON"), ({**made(), MARK: 2}, "another format"),
    ]  # fmt: skip
    for section in ("scores", "judged", "data", "extractors", "versions"):
        cases.append(({**made(), section: [1]}, "damaged passport"))
    for value in ("1", True, [1], 10**400, float("nan"), float("inf")):
        cases.append((changed("scores", "value", value, "FID[lite0]"), "damaged passport"))
    for interval in ([1], [1, "2"], "12", {"0": 1}, [1, 2, 3]):
        cases.append((changed("scores", "interval", interval, "FID[lite0]"), "damaged passport"))
    cases.append((changed("scores", "extractor", 5, "FID[lite0]"), "damaged passport"))
    cases.append((changed("scores", "extractor", "nobody", "FID[lite0]"), "is not described"))
    cases.append((changed("extractors", "lite0", 3), "damaged passport"))
    return cases


@pytest.mark.parametrize(("content", "words"), hostile())
def test_hostile_passports_are_refused_in_one_line(content, words, tmp_path):
    (path,) = files(tmp_path, content)
    with pytest.raises(RunError) as caught:
        read_passport(path)
    assert words in str(caught.value) and "\n" not in str(caught.value) and len(str(caught.value)) < 400


def test_foreign_texts_are_shown_short_and_on_one_line(tmp_path):
    other = copy.deepcopy(made())
    other["judged"]["name"] = "evil\x1b[31m\nname" + "x" * 10_000
    other["data"]["name"] = {"a": ["b"] * 1000}
    other["warnings"] = ["w\n" * 1000]
    other["scores"]["new\nline" + "y" * 500 + "[lite0]"] = other["scores"]["KID[lite0]"]
    table = compare(*files(tmp_path, made(), other))
    assert "\x1b" not in table and len(table) < 2000 and not any(line == "name" for line in table.splitlines())


def test_warnings_of_any_kind_do_no_harm(tmp_path):
    for warnings in (5, "text", {"a": 1}, [None], [[1]]):
        assert "FID[lite0]" in compare(*files(tmp_path, made(), {**made(), "warnings": warnings}))


def test_only_passports_are_overwritten(tmp_path):
    path = tmp_path / "out.json"
    check_writable(path, False)
    write_passport(path, made())
    check_writable(path, False)
    path.write_text("{}")
    with pytest.raises(UsageError, match="add --overwrite"):
        check_writable(path, False)
    check_writable(path, True)
    with pytest.raises(UsageError, match="is a folder"):
        check_writable(tmp_path, True)
    with pytest.raises(RunError, match="cannot be read"):
        read_passport(tmp_path / "missing.json")


def test_numbers_are_short():
    values = (None, 12345.6, 123.456, 1.5, 0.01234567, 0.00001234, -0.5)
    assert [number(value) for value in values] == ["-", "12,346", "123.5", "1.5", "0.0123", "1.234e-05", "-0.5000"]
