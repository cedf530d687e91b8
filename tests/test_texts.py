"""Texts: the space, what readers make of files, the recipe's networks and estimators, and a whole run."""

from __future__ import annotations

import contextlib
import io
import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional

import ganvas
from ganvas.cli import main
from ganvas.data.dataset import describe
from ganvas.data.opening import open_data
from ganvas.data.preview import preview
from ganvas.data.texts import TextReader, Texts, Vocabulary
from ganvas.errors import DataError, RunError, UsageError
from ganvas.exporting.graph import largest_difference, onnx_bytes
from ganvas.model import Model
from ganvas.model.files import sample_to
from ganvas.networks.texts import TextDiscriminator, TextGenerator, by_rank, relaxed, up_to_end
from ganvas.recipes.textgan import Judged, TextGAN, discounted
from ganvas.report import last_clips, write_report
from ganvas.run import read_config, timeline
from ganvas.spaces import TextSpace, joined, space_from_config, space_to_config, split, vocabulary_of
from ganvas.testing import Subject, tiny

LETTERS = TextSpace("characters", 4, ("a", "b", "c"))
WORDS = TextSpace("words", 6, ("the", "dog", "it's", ",", "."))


# -- the space ---------------------------------------------------------------------------------------------------------


def test_a_text_is_numbers_and_back() -> None:
    row = WORDS.row("the dog , it's the cat")
    assert row is not None and row.tolist() == [2, 3, 5, 4, 2, 1]
    samples = WORDS.decode(row[None])
    assert samples.dtype == torch.float32 and samples.shape == (1, 6)
    assert WORDS.lines(samples) == ["the dog, it's the �"]
    assert WORDS.row("the the the the the the the") is None
    assert LETTERS.lines(LETTERS.decode(np.array([[2, 3, 0, 4]], np.uint16))) == ["ab"]


def test_what_no_text_has_is_brought_into_range() -> None:
    samples = torch.tensor([[2.2, 99.0, -3.0, 4.0], [math.nan, 2, 2, 2]])
    assert LETTERS.encode(samples).tolist() == [[2, 4, 0, 0], [0, 0, 0, 0]]
    assert LETTERS.encode(LETTERS.samples_of(LETTERS.encode(samples))).tolist() == [[2, 4, 0, 0], [0, 0, 0, 0]]


@pytest.mark.parametrize(
    ("text", "letters", "words"),
    [
        ("  a\tb ", ["a", " ", "b"], ["a", "b"]),
        ("it's (well-known).", None, ["it's", "(", "well-known", ")", "."]),
        ("e\u0301", ["é"], ["é"]),
        ("a\x1b[31mb\u202ec", ["a", " ", *"[31mb", " ", "c"], None),
    ],
)
def test_texts_are_split(text: str, letters: list[str] | None, words: list[str] | None) -> None:
    assert letters is None or split(text, "characters") == letters
    assert words is None or split(text, "words") == words


def test_words_are_joined_as_they_are_written() -> None:
    assert joined(["he", "said", ":", "(", "no", ")", ",", "yes", "!"], "words") == "he said: (no), yes!"


def test_the_vocabulary_is_of_the_most_frequent() -> None:
    assert vocabulary_of(["abca", "ab", "d"], 2) == (("a", "b"), 4)


def test_the_space_lies_in_the_config_and_is_checked_there() -> None:
    assert space_from_config(json.loads(json.dumps(space_to_config(WORDS)))) == WORDS
    config = space_to_config(LETTERS)
    for wrong in (
        {"vocabulary": ["a", "\x1b"]}, {"vocabulary": ["a", "a"]}, {"vocabulary": "abc"}, {"vocabulary": []},
        {"vocabulary": ["ab"]}, {"vocabulary": [1]}, {"length": 10**9}, {"tokens": "sounds"},
        {"vocabulary": [chr(0x4E00 + n // 100) + str(n) for n in range(60_000)], "tokens": "words"},
    ):  # fmt: skip
        with pytest.raises(RunError):
            space_from_config({**config, **wrong})


def test_looks_are_near_where_texts_are_alike() -> None:
    rows = [LETTERS.row(text) for text in ("abab", "baba", "cccc", "ab")]
    looks = LETTERS.look(LETTERS.decode(np.stack([row for row in rows if row is not None])))
    assert looks.shape == (4, 512)
    apart = torch.cdist(looks, looks)
    assert apart[0, 1] < apart[0, 2] and apart[0, 3] < apart[0, 2]
    assert looks[0].sum() == pytest.approx(8 * (4 + 3) / 4)


def test_texts_are_shown_on_lines_and_cut_off() -> None:
    space = TextSpace("words", 400, ("letters",))
    picture = space.show(torch.full((6, 400), 2.0), columns=2)
    height, width = space.tile
    assert picture.size == (2 * width + 1, 3 * (height + 1) - 1)
    assert len(space.cells(picture, 2)) == 6
    blank = LETTERS.show(torch.zeros(1, 4))
    assert np.asarray(blank).min() == 255 and np.asarray(LETTERS.show(torch.full((1, 4), 2.0))).min() < 128


def test_files_that_somebody_gives() -> None:
    assert LETTERS.read(b"abc\n").tolist() == [[2, 3, 4, 0]]
    for content, says in ((b"\xffab", "byte 1 is 0xff"), (b"aaaaa", "at most 4"), (b"a" * 10**6, "longer than texts")):
        with pytest.raises(DataError, match=says):
            LETTERS.read(content)
    assert LETTERS.played_again(b"a<b>\x1b[1m\nc\n") == "a<b>�[1m\nc\n".encode()
    with pytest.raises(DataError):
        LETTERS.played_again(b"a" * 10**6)


# -- reading -----------------------------------------------------------------------------------------------------------


def lines_of(data, name: str = "train") -> list[str]:
    part = data.split(name)
    return data.space.lines(part.gather(np.arange(len(part))).text)


def opened(source: Path, **options):
    return open_data(source, progress=False, **options)


def test_a_file_of_lines(tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_text("Ada\n\nBob\nAda\n", encoding="utf-8-sig")
    data = opened(tmp_path / "names.txt")
    assert data.batch_type is Texts and (data.space.tokens, data.space.length) == ("characters", 3)
    assert set(data.space.vocabulary) == set("AdaBob") and len(data) == 3 and data.labels == ()
    assert sorted(line for name in data.counts for line in lines_of(data, name)) == ["Ada", "Ada", "Bob"]
    assert next(iter(data.split("train").names)) == "names.txt:1"


def test_the_plan_tells_some_texts(tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_text("\n".join(["Ada"] * 30 + ["Bob"] * 30))
    data = opened(tmp_path / "names.txt")
    told = next(line for line in describe(data) if line.startswith("such as: "))
    assert set(told.removeprefix("such as: ").split(" / ")) <= {"Ada", "Bob"} and preview(data).rows == {}


def test_folders_are_labels_and_splits(tmp_path: Path) -> None:
    for name in ("train/x/1.txt", "train/y/2.txt", "test/x/3.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("one two three\n" * 3 + name.replace("/", " "))
    data = opened(tmp_path)
    assert data.labels == ("x", "y") and data.counts["test"] == 4 and data.space.tokens == "words"
    assert "two" in data.space.vocabulary


def test_equal_texts_are_in_one_split(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("\n".join(f"text {number % 200}" for number in range(600)))
    data = opened(tmp_path / "a.txt", tokens="characters")
    parts = [set(lines_of(data, name)) for name in data.counts]
    assert all(parts) and sum(map(len, parts)) == 200 and sum(data.counts.values()) == 600


def test_paragraphs(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("\none\ntwo\n\n\nthree\nfour five\n   \nsix")
    data = opened(tmp_path / "a.txt", unit="paragraph", tokens="words")
    assert sorted(line for name in data.counts for line in lines_of(data, name)) == [
        "one two",
        "six",
        "three four five",
    ]
    assert sorted(name for part in data.counts for name in data.split(part).names) == ["a.txt:2", "a.txt:6", "a.txt:9"]


def test_columns_of_a_table(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text('id,review,label\n1,"good, really",pos\n2,bad,neg\n3,so so,neg\n')
    data = opened(tmp_path / "t.csv", tokens="words")
    assert data.labels == ("neg", "pos") and "good, really" in [
        line for name in data.counts for line in lines_of(data, name)
    ]
    data = opened(tmp_path / "t.csv", text_column="id", label_column="review", tokens="characters")
    assert data.labels == ("bad", "good, really", "so so") and set(data.space.vocabulary) <= set("123")
    (tmp_path / "u.csv").write_text("a,b\n1,2\n3,4\n")
    for options, says in (
        ({"text_column": "revue"}, "did you mean 'review'"),
        ({"label_column": "x"}, "no column 'x'"),
    ):
        with pytest.raises(DataError, match=says):
            opened(tmp_path / "t.csv", **options)
    with pytest.raises(DataError, match=r"say which holds the texts; known: a, b, with --text-column"):
        open_data(tmp_path / "u.csv", Texts, progress=False)


def test_long_and_unknown_tokens_are_counted(tmp_path: Path) -> None:
    lines = ["a b c"] * 20 + ["a b"] * 20 + ["a " * 30] + ["a b c d"] + ["x" * 200_000]
    (tmp_path / "a.txt").write_text("\n".join(lines))
    data = opened(tmp_path / "a.txt", vocabulary=2, length=4, tokens="words")
    notes = " / ".join(data.notes)
    assert data.space.vocabulary == ("a", "b") and len(data) == 41
    assert "1 text left out, longer than 100,000 letters (a.txt:43)" in notes
    assert "1 text of 42 left out, longer than 4 words" in notes
    assert "words: 2 known of 4; 21% of those in texts are not" in notes
    assert "�" in "".join(lines_of(data))


def test_texts_come_in_the_form_of_a_space(tmp_path: Path) -> None:
    """Those of a model, with its vocabulary: what it does not know is unknown."""
    (tmp_path / "a.txt").write_text("cab\nxab\nabcabc\nba")
    options = TextReader.form_of(LETTERS)
    data = opened(tmp_path / "a.txt", **options)
    assert (
        data.space == LETTERS and len(data) == 3 and json.loads(json.dumps(data.options()))["vocabulary"] == list("abc")
    )
    assert tuple(Vocabulary(data.options()["vocabulary"])) == tuple("abc")


@pytest.mark.parametrize(
    ("content", "options", "says"),
    [
        (b"", {}, "holds 0 texts: at least 2 are needed"),
        (b"\n \n", {}, "holds 0 texts"),
        (b"just one sentence\n", {}, "holds 1 text: at least 2"),
        (b"abc\ndef\nab\xffc\n", {}, "line 3 holds the byte 0xff (byte 11 of the file); save it as UTF-8"),
        (b"a b\nc d\n", {"length": 1}, "0 texts of 1 to 1 words, and at least 2 are needed"),
        (b"a b\nc d\n", {"vocabulary": 1_000_000}, "--vocabulary takes a whole number from 2 to 50,000"),
        (b"a b\nc d\n", {"vocabulary": 2.5}, "--vocabulary takes a whole number"),
        (b"a b\nc d\n", {"tokens": "letters"}, "--tokens cannot be 'letters'"),
        (b"a b\nc d\n", {"length": 5000}, "--length must be 1 to 512"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_one_line(tmp_path: Path, content: bytes, options: dict, says: str) -> None:
    (tmp_path / "t.txt").write_bytes(content)
    with pytest.raises((DataError, UsageError)) as caught:
        opened(tmp_path / "t.txt", **options)
    assert says in str(caught.value) and "\n" not in str(caught.value)


def test_too_many_texts_are_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ganvas.data.texts.MOST_TEXTS", 3)
    (tmp_path / "t.txt").write_bytes(b"a\r\nb\rc\n\nd\n")
    with pytest.raises(DataError, match=r"at most 3 texts can be read, and t\.txt:5 is one more"):
        opened(tmp_path / "t.txt")


def test_pictures_with_texts_beside_them_are_pictures(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("one\ntwo\n")
    with pytest.raises(DataError, match="it looks like text, for textgan"):
        open_data(tmp_path / "a.txt", ganvas.data.batches.Images, progress=False)
    for name in ("1.png", "2.png"):
        ganvas.spaces.save_picture(LETTERS.show(torch.zeros(1, 4)), tmp_path / name)
    assert opened(tmp_path).batch_type is ganvas.data.batches.Images


# -- the networks and the estimators -----------------------------------------------------------------------------------


def generator(**changes) -> TextGenerator:
    torch.manual_seed(0)
    return TextGenerator(**{"symbols": 7, "length": 5, "latent": 3, "width": 8, "classes": 2} | changes)


def test_unrolling_gives_what_the_forward_pass_says() -> None:
    """The likeliest token each time, by the logits of the whole text."""
    network, latent, label = generator(), torch.randn(6, 3), torch.arange(6) % 2
    made = network.unrolled(latent, label, by_rank(torch.zeros(6, 5), torch.ones(6)))
    assert torch.equal(network(made, latent, label).argmax(2), made)


def test_the_unit_is_pytorchs() -> None:
    """A step is that of torch.nn.GRUCell, whose gates are in this order and whose keep gate is this one's."""
    network = generator(classes=0)
    size = network.embedding.embedding_dim
    theirs = torch.nn.GRUCell(size, 8)
    with torch.no_grad():
        theirs.weight_ih.copy_(network.into.weight)
        theirs.bias_ih.copy_(network.into.bias)
        theirs.weight_hh.copy_(network.within.weight)
        theirs.bias_hh.copy_(network.within.bias)
        x, state = torch.randn(3, size), torch.randn(3, 8)
        assert torch.allclose(network.step(network.into(x), state), theirs(x, state), atol=1e-6)


def test_tokens_are_picked_as_often_as_they_are_likely() -> None:
    torch.manual_seed(1)
    logits = torch.tensor([0.1, 1.0, -1.0, 0.5]).expand(40_000, 4)
    for temperature in (1.0, 0.5):
        picked = by_rank(torch.randn(40_000, 1), torch.full((40_000,), temperature))(0, logits)
        expected = torch.softmax(logits[0] / temperature, 0)
        assert torch.allclose(picked.bincount(minlength=4) / 40_000, expected, atol=0.01)
    assert by_rank(torch.zeros(1, 1), torch.ones(1))(0, logits[:1]).tolist() == [1]
    assert by_rank(torch.full((1, 1), 50.0), torch.ones(1))(0, logits[:1]).tolist() == [2]


def test_relaxed_tokens_are_whole_and_carry_gradients() -> None:
    torch.manual_seed(0)
    logits = torch.randn(3000, 4)[:1].repeat(3000, 1).requires_grad_()
    made = relaxed(1.0)(0, logits)
    assert torch.allclose(made.detach().amax(1), torch.ones(3000)) and torch.allclose(
        made.detach().sum(1), torch.ones(3000)
    )
    shares = made.detach().mean(0)
    assert torch.allclose(shares, torch.softmax(logits[0].detach(), 0), atol=0.03)
    made[:, 2].sum().backward()
    assert logits.grad is not None and bool((logits.grad[:, 2] > 0).all()) and bool((logits.grad[:, 0] < 0).all())


def test_the_discriminator_does_not_see_what_comes() -> None:
    torch.manual_seed(0)
    judge = TextDiscriminator(symbols=7, width=8, classes=2).eval()
    tokens, label = torch.randint(0, 7, (2, 20)), torch.tensor([0, 1])
    changed = tokens.clone()
    changed[:, 9:] = (changed[:, 9:] + 1) % 7
    one, other = judge(tokens, label), judge(changed, label)
    assert torch.allclose(one[:, :9], other[:, :9], atol=1e-6) and not torch.allclose(one[:, 9:], other[:, 9:])
    assert torch.allclose(judge(functional.one_hot(tokens, 7).float(), label), one, atol=1e-5)


def test_what_belongs_to_a_text() -> None:
    tokens = torch.tensor([[3, 2, 0, 5], [2, 2, 2, 2], [0, 0, 0, 0]])
    assert up_to_end(tokens).tolist() == [[1, 1, 1, 0], [1, 1, 1, 1], [1, 0, 0, 0]]


def test_rewards_are_discounted() -> None:
    assert discounted(torch.tensor([[1.0, 2.0, 4.0]]), 0.5).tolist() == [[3.0, 4.0, 4.0]]


def recipe(**changes) -> TextGAN:
    torch.manual_seed(0)
    chosen = {"shape": (3,), "symbols": 4, "latent": 2, "width": 8, "d_width": 8, "dropout": 0.0, "warmup": 0.0}
    return TextGAN(**chosen | changes)


def test_unlikeliness_is_of_the_texts_and_their_ends() -> None:
    """A network that says the same everywhere: -log 1/4 for each token, whatever lies behind the end."""
    made = recipe()
    for parameter in made.generator.parameters():
        torch.nn.init.zeros_(parameter)
    batch = Texts(torch.tensor([[2.0, 3, 0], [3, 0, 0]]))
    assert made.likelihood_losses(batch).total().item() == pytest.approx(math.log(4), rel=1e-5)


def test_rewarded_tokens_become_likelier() -> None:
    """A discriminator that calls texts with the token 2 real: the gradient of REINFORCE makes it likelier."""
    made = recipe(likelihood=0.0)
    with torch.no_grad():
        for parameter in made.discriminator.parameters():
            parameter.zero_()
        made.discriminator.embedding.weight[2] = 3.0
        made.discriminator.whole.weight[:, :8] = torch.eye(8)
        made.discriminator.out.weight.fill_(1.0)
        made.discriminator.out.bias.fill_(-4.0)
    real = Texts(torch.zeros(4096, 3))
    losses = made.reinforce_losses(Judged(real.text, fake=made.texts(real)))
    made.generator.zero_grad()
    losses.total().backward()
    gradient = made.generator.bias.grad
    assert gradient is not None and gradient[2] < 0 and gradient[2] == gradient.min()
    assert losses.kept["returns"].shape == (4096, 3)


def test_a_token_is_rewarded_for_the_text_or_for_what_it_adds() -> None:
    real, returns = Texts(torch.tensor([[2.0, 3, 3], [3, 0, 0]])), {}
    for credit in ("text", "token"):
        made = recipe(credit=credit, discount=0.0)
        judged = Judged(real.text, fake=real.text.long())
        returns[credit] = made.reinforce_losses(judged).kept["returns"]
        with torch.no_grad():
            logits = made.discriminator(judged.fake)
    within = torch.tensor([[1.0, 1, 1], [1, 1, 0]])
    added = torch.cat([logits[:, :1], logits[:, 1:] - logits[:, :-1]], dim=1)
    assert torch.allclose(returns["text"], torch.tanh(logits / 2) * within, atol=1e-6)
    assert torch.allclose(returns["token"], torch.tanh(added / 2) * within, atol=1e-6)


def test_the_moving_mean_follows_what_is_usual_at_each_place() -> None:
    made = recipe()
    kept = {
        "returns": torch.tensor([[1.0, 2.0, 0.0], [3.0, 0.0, 0.0]]),
        "within": torch.tensor([[1.0, 1, 0], [1, 0, 0]]),
    }
    made.follow(ganvas.recipe.Results({}, kept=kept))
    assert torch.allclose(made.baseline, torch.tensor([0.2, 0.2, 0.0]))


@pytest.mark.parametrize("adversarial", ["reinforce", "gumbel"])
def test_a_game_without_likelihood_learns_which_letters_a_label_has(adversarial: str) -> None:
    """Half of the letters are those of the label by chance; each text has six."""
    data = tiny(TextGAN)
    small = {"width": 32, "d_width": 16, "latent": 4, "dropout": 0.0, "warmup": 0.0, "likelihood": 0.0}
    arguments = small | {"adversarial": adversarial, "lr": 3e-3, "game_lr": 3e-3}
    training = Subject(TextGAN, data, arguments, fit_steps=0, batch_size=64).training(steps=2000)
    for _ in range(200):
        training.step()
    label = torch.arange(256) % 2
    with torch.no_grad():
        lines = data.space.lines(training.recipe.generate(**training.recipe.draw(256, {"label": label})))
    right = [letter in ("abc", "xyz")[own] for line, own in zip(lines, label.tolist(), strict=True) for letter in line]
    assert sum(right) / len(right) > 0.85 and sum(len(line) == 6 for line in lines) / 256 > 0.7


# -- a whole run -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A few steps on texts of two labels, both players among them."""
    folder = tmp_path_factory.mktemp("texts")
    (folder / "data").mkdir()
    source, options = TextReader.example(folder / "data")
    small = {"width": 16, "d_width": 8, "latent": 4, "batch_size": 16, "steps": 40, "sample_every": 20, "quiet": True}
    ganvas.train("textgan", data=source, out=folder / "run", **options, **small)
    return folder / "run"


def told(*words: object) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = main(list(map(str, words)))
        except SystemExit as stop:
            code = stop.code  # type: ignore[assignment]
    return int(code or 0), out.getvalue(), err.getvalue()


def test_samples_are_printed_or_written(run: Path, tmp_path: Path) -> None:
    model = ganvas.load(run)
    lines = model.space.lines(model.sample(6, seed=1))
    assert told("sample", run, "-n", 6, "--seed", 1) == (0, "\n".join(lines) + "\n", "")
    code, said, _ = told("sample", run, "-n", 6, "--seed", 1, "--out", tmp_path / "made.txt")
    assert code == 0 and said == f"6 samples in {tmp_path / 'made.txt'} (step 40, seed 1)\n"
    assert (tmp_path / "made.txt").read_text(encoding="utf-8").splitlines() == lines
    assert told("sample", run, "-n", 2, "--out", tmp_path / "made.txt")[0] == 2
    sample_to(run, tmp_path / "folder", n=2, seed=1)
    assert sorted(path.name for path in (tmp_path / "folder").rglob("*.txt")) == ["00000.txt", "00001.txt"]
    code, _, said = told("sample", run, "-n", 2, "--out", tmp_path / "made.csv")
    assert code == 2 and ".txt, or into a folder" in said
    assert told("sample", run, "-n", 2, "--temperature", 0.05)[0] == 2
    assert told("sample", run, "-n", 4, "--out", tmp_path / "grid.png")[0] == 0


def test_noise_of_little_variety_gives_usual_texts(run: Path) -> None:
    model = ganvas.load(run)
    assert len(set(model.space.lines(model.sample(64, seed=1, truncation=0.0, label="early")))) == 1
    cold = model.space.lines(model.sample(64, seed=1, temperature=0.1))
    assert len(set(cold)) < len(set(model.space.lines(model.sample(64, seed=1))))


def test_the_report_reads_the_last_ones(run: Path, tmp_path: Path) -> None:
    (clip,) = last_clips(run, read_config(run))
    model = ganvas.load(run)
    assert clip.element == "pre" and len(clip.text.splitlines()) == 16
    file = timeline.played(run)[-1][1]
    kept = file.read_bytes()
    try:
        file.write_text("<b>no</b>\x1b[31m\n", encoding="utf-8")
        page = write_report(run).read_text(encoding="utf-8")
    finally:
        file.write_bytes(kept)
    assert "&lt;b&gt;no&lt;/b&gt;" in page and "<b>no</b>" not in page and "\x1b" not in page
    assert model.space.noun in page


def test_the_server_answers_text(run: Path) -> None:
    client = pytest.importorskip("starlette.testclient").TestClient
    from ganvas.web.http.app import application

    model = ganvas.load(run)
    with client(application(model, name="texts", recipe="textgan"), base_url="http://127.0.0.1") as asked:
        answer = asked.post("/v1/samples", json={"n": 3, "seed": 2, "format": "json", "temperature": 0.5}).json()
    lines = model.space.lines(model.sample(3, seed=2, temperature=0.5))
    assert [each["text"] for each in answer["samples"]] == lines
    assert [each["label"] for each in answer["samples"]] == ["early", "late", "early"]


def test_an_exported_graph_makes_the_same_texts(run: Path, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    model = ganvas.load(run)
    assert largest_difference(model, onnx_bytes(model, "textgan")) == 0
    assert told("export", run, "--format", "web", "--out", tmp_path / "page.html")[0] == 0
    assert "<title>" in (tmp_path / "page.html").read_text(encoding="utf-8")


def test_texts_cannot_be_inverted(run: Path) -> None:
    model = ganvas.load(run)
    with pytest.raises(UsageError, match="have no gradient, so they cannot be inverted"):
        model.invert(model.sample(1, seed=0), steps=1, draws=2)


@pytest.mark.parametrize("adversarial", ["none", "gumbel"])
def test_who_moves(adversarial: str) -> None:
    progress = ganvas.recipe.Progress(0, 0, 0, 0.6)
    made = recipe(adversarial=adversarial, warmup=0.5)
    batches = iter([Texts(torch.zeros(2, 3))] * 2)
    turns = made.turns(progress, batches)
    players = [turn.optimizer for turn in turns]
    assert players == (["generator"] if adversarial == "none" else ["discriminator", "generator"])
    rates = made.rates(progress)
    assert rates["generator"] == pytest.approx(0.8 * (1.0 if adversarial == "none" else made.game_lr / made.lr))


def test_a_model_of_many_words_is_exported(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    space = TextSpace("words", 6, tuple(f"w{number}" for number in range(2000)))
    made = recipe(shape=(6,), symbols=space.symbols, width=32)
    model = Model(made.eval().requires_grad_(False), space, made.inputs(), step=1)
    assert largest_difference(model, onnx_bytes(model, "textgan")) == 0
