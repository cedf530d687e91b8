"""What must hold for every input, tried on many: hypothesis makes them, and makes a small one of one that fails.

The examples are the same in every run of the same code. They are many, so this file is for pure, quick functions.
"""

import atexit
import json
import math
import shutil
import string
import tempfile
from dataclasses import fields, replace

import numpy as np
import pytest
import torch
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from hypothesis.configuration import set_hypothesis_home_dir

from ganvas.data.batches import Batch, Images, Photos, Points
from ganvas.data.bicubic import resized, taps
from ganvas.data.image_files import choose_size
from ganvas.data.order import Shuffled
from ganvas.data.stream import Stream
from ganvas.errors import UsageError
from ganvas.networks.shapes import pyramid
from ganvas.options import Option, Range

# hypothesis keeps tables of its own, and would make a folder for them in the one where tests are run.
elsewhere = tempfile.mkdtemp(prefix="hypothesis-")
atexit.register(shutil.rmtree, elsewhere, ignore_errors=True)
set_hypothesis_home_dir(elsewhere)
for_all = settings(max_examples=60, deadline=None, derandomize=True, database=None)


# -- the stream ------------------------------------------------------------------------------------------------------


class Numbered:
    """A split whose items are their own numbers; what is random about an item is remembered as its label."""

    def __init__(self, count: int) -> None:
        self.count = count

    def __len__(self) -> int:
        return self.count

    def gather(self, indices, device, seeds):
        assert len(indices) == len(seeds)
        return Points(torch.from_numpy(indices.copy())[:, None], torch.tensor([place for _, place in seeds]))

    def order(self, seed, batch_size):
        return Shuffled(self.count, seed)


def drawn(stream: Stream, items: int) -> list[tuple[int, int]]:
    """At least so many items and what seeds each of them."""
    found: list[tuple[int, int]] = []
    while len(found) < items:
        batch = next(stream)
        found += zip(batch.point[:, 0].tolist(), batch.label.tolist(), strict=True)
    return found


counts, seeds, batch_sizes = st.integers(1, 40), st.integers(-(2**70), 2**70), st.integers(1, 30)


@for_all
@given(counts, seeds, batch_sizes, st.integers(0, 10**6))
def test_every_epoch_is_a_permutation(count, seed, batch_size, epoch):
    stream = Stream(Numbered(count), batch_size, seed)
    stream.position = epoch * count
    items = [item for item, _ in drawn(stream, 2 * count)]
    assert sorted(items[:count]) == sorted(items[count : 2 * count]) == list(range(count))


@for_all
@given(counts, seeds, st.integers(1, 6), st.integers(1, 5), st.integers(0, 500))
def test_the_processes_parts_laid_together_are_the_one_processs_batch(count, seed, share, world, position):
    streams = [Stream(Numbered(count), share * world, seed, rank=rank, world=world) for rank in range(world)]
    alone = Stream(Numbered(count), share * world, seed)
    for stream in (alone, *streams):
        stream.position = position
    for _ in range(3):
        whole, parts = next(alone), [next(stream) for stream in streams]
        assert torch.equal(torch.cat([part.point for part in parts]), whole.point)
        assert torch.equal(torch.cat([part.label for part in parts]), whole.label)
        assert {stream.position for stream in streams} == {alone.position}


@for_all
@given(counts, seeds, batch_sizes, st.integers(0, 20), st.integers(0, 500))
def test_setting_the_position_equals_playing_to_it(count, seed, batch_size, batches, other):
    played, jumped = (Stream(Numbered(count), batch_size, seed) for _ in range(2))
    drawn(played, batches * batch_size)
    jumped.position = other  # from wherever it was
    next(jumped)
    jumped.position = batches * batch_size
    assert drawn(played, 2 * batch_size) == drawn(jumped, 2 * batch_size)
    assert played.epoch == jumped.epoch == played.position // count


@for_all
@given(counts, seeds, batch_sizes, batch_sizes)
def test_the_order_does_not_depend_on_the_batch_size(count, seed, one, other):
    items = 2 * count + 5
    first, second = (drawn(Stream(Numbered(count), size, seed), items)[:items] for size in (one, other))
    assert first == second
    assert [place for _, place in first] == list(range(items))


# -- sizes -----------------------------------------------------------------------------------------------------------


@for_all
@given(st.integers(4, 512), st.integers(4, 512))
@example(4, 512)
@example(7, 8)
@example(28, 28)
def test_a_pyramid_makes_every_size_exactly(height, width):
    size = (height, width)
    shape = pyramid(size)
    assert min(shape.base) in range(4, 8) or min(size) < 8
    rows = torch.arange(shape.made[0])[None, None, :, None].expand(1, 1, *shape.made)
    columns = torch.arange(shape.made[1])[None, None, None].expand(1, 1, *shape.made)
    for places, made, side in ((rows, shape.made[0], height), (columns, shape.made[1], width)):
        cropped = shape.crop(places)
        assert cropped.shape == (1, 1, *size)
        assert 0 <= made - side < 2**shape.doublings  # a base of one less would be too small
        before, behind = int(cropped.min()), made - 1 - int(cropped.max())
        assert before + side + behind == made and 0 <= behind - before <= 1  # in the centre
    note = f"images are generated at {shape.made[0]}x{shape.made[1]} and cropped to {height}x{width}"
    assert shape.notes() == ([] if shape.made == size else [note])


sides = st.integers(1, 3000)
any_size = st.tuples(sides, sides) | st.tuples(st.integers(1, 128), st.integers(1, 128))


@st.composite
def mostly_alike(draw):
    """Many images of one size or of multiples of it, and some others."""
    height, width = draw(any_size)
    many = draw(st.lists(st.integers(1, draw(st.integers(1, 3))), min_size=1, max_size=30))
    others = draw(st.lists(any_size, max_size=1 + len(many) // 5))
    return [(number * height, number * width) for number in many] + others


@for_all
@given(st.lists(any_size, min_size=1, max_size=12) | mostly_alike())
@example([(300, 200)] * 9 + [(200, 300)])
@example([(300, 200)] * 8 + [(200, 300)])
@example([(100, 90)] * 9 + [(90, 100)])
@example([(100, 90)] * 8 + [(90, 100)])
def test_the_size_for_images_of_many_sizes_keeps_its_rules(sizes):
    chosen = choose_size(sizes)
    kept = [size for size in set(sizes) if 10 * sizes.count(size) >= 9 * len(sizes) and max(size) <= 128]
    if kept:
        assert [chosen] == kept
        return
    shorter, longer = sorted(chosen)
    median = np.median([min(size) for size in sizes])
    assert shorter in (1, 2, 4, 8, 16, 32, 64) and shorter <= median
    assert shorter == 64 or 2 * shorter > median  # the largest of them
    shapes = [high / wide for high, wide in sizes]
    shared = np.median(shapes)
    if 10 * sum(abs(shape / shared - 1) > 0.02 for shape in shapes) > len(sizes) or shorter < 8:
        assert longer == shorter
    else:
        assert longer % 8 == 0 and abs(longer - shorter * max(shared, 1 / shared)) <= 4 + 1e-9
    assert choose_size(sizes[::-1]) == chosen


@for_all
@given(sides, sides, st.integers(1, 20))
def test_the_size_for_images_of_one_size_keeps_their_shape(height, width, count):
    chosen = choose_size([(height, width)] * count)
    assert choose_size([(width, height)] * count) == chosen[::-1]
    if max(height, width) <= 128:
        assert chosen == (height, width)
    elif min(chosen) >= 8:
        ideal = min(chosen) * max(height, width) / min(height, width)
        assert abs(max(chosen) - ideal) <= 4 + 1e-9  # to the nearest multiple of 8
        assert (chosen[0] > chosen[1]) <= (height > width) and (chosen[0] < chosen[1]) <= (height < width)


# -- options ---------------------------------------------------------------------------------------------------------

finite = st.floats(allow_nan=False, allow_infinity=False)
# Numbers that no float holds: see `test_numbers_that_no_float_holds_are_refused`.
whole = st.integers(-(10**300), 10**300)
letters = st.text(string.printable + "é½२∞", max_size=8)
anything = st.one_of(
    letters, finite, st.just(math.nan), whole, st.booleans(), st.none(), st.lists(whole, max_size=2),
    st.binary(max_size=4), finite.map(str), st.integers(-200, 200).map(str), st.just("inf"), st.just("1_000"),
)  # fmt: skip
bounds = st.tuples(finite, finite).map(sorted)


def refused(option: Option, value: object) -> bool:
    """Whether it is refused by a UsageError that names the flag in one line; any other exception comes through."""
    try:
        option.check(value)
    except UsageError as error:
        message = str(error)
    else:
        return False
    assert message.startswith("--learning-rate ") and len(message.splitlines()) == 1
    return True


@for_all
@given(bounds, finite)
@example([0.0, 1.0], 0.0)
@example([0.0, 1.0], 1.0)
@example([0.0, 1.0], math.nextafter(1.0, 2.0))
@example([0.0, 1.0], -5e-324)
def test_a_number_in_its_range_is_taken_as_it_is_and_any_other_is_refused(bounds, value):
    low, high = bounds
    option = Option("learning_rate", float, 0.1, range=Range(low, high))
    for given_as in (value, str(value), json.loads(json.dumps(value))):
        if low <= value <= high:
            assert option.check(given_as) == value and isinstance(option.check(given_as), float)
        else:
            assert refused(option, given_as)


@for_all
@given(st.tuples(whole, whole).map(sorted), whole)
@example([1, 10], 10)
@example([1, 10], 11)
@example([1, 10], 0)
def test_a_whole_number_is_taken_as_it_is_and_no_other_is(bounds, value):
    low, high = bounds
    option = Option("learning_rate", int, 1, range=Range(low, high))
    for given_as in (value, str(value)):
        if low <= value <= high:
            assert option.check(given_as) == value and type(option.check(given_as)) is int
        else:
            assert refused(option, given_as)
    if abs(value) < 2**50:
        assert refused(option, value + 0.5) and refused(option, f"{value}.5")


@for_all
@given(letters | st.sampled_from(["hinge ", "Hinge", "minima", " 2", "2.0", "02", "२"]))
def test_a_choice_is_one_of_them_and_nothing_else(value):
    option = Option("learning_rate", str, "hinge", choices=("hinge", "minimax", ""))
    assert option.check(value) == value if value in option.choices else refused(option, value)
    numbers = Option("learning_rate", int, 2, choices=(2, 3, 4))
    assert numbers.check(value) == int(value) if value in ("2", "3", "4") else refused(numbers, value)


@for_all
@given(st.sampled_from([bool, int, float, str]), st.booleans(), anything)
def test_whatever_is_given_is_of_the_options_type_or_refused(kind, optional, value):
    option = Option("learning_rate", kind, None, optional=optional)
    if refused(option, value):
        return
    found = option.check(value)
    assert type(found) is kind or (found is None and optional and value is None)
    assert found == option.check(found)  # and what it gives, it takes: from config.json too
    assert json.loads(json.dumps(found)) == found
    assert isinstance(value, bool) == (kind is bool) or found is None


@pytest.mark.parametrize(("kind", "value"), [(int, math.inf), (int, -math.inf), (float, 10**400)])
def test_numbers_that_no_float_holds_are_refused(kind, value):
    assert refused(Option("learning_rate", kind, 1), value)


def test_an_error_is_one_line_where_the_value_is_two():
    assert refused(Option("learning_rate", float, 0.1, range=Range(0, 1)), "\n2")


# -- bicubic resizing ------------------------------------------------------------------------------------------------

lengths = st.integers(1, 200)


@for_all
@given(lengths, lengths)
def test_the_taps_of_every_pixel_sum_to_one(before, after):
    indices, weights = taps(before, after)
    assert indices.shape == weights.shape and len(indices) == after
    assert indices.min() >= 0 and indices.max() < before
    # A sum of K products rounded to 2^-53 each, of sizes that together are below 2.
    assert np.abs(weights.sum(1) - 1).max() <= 2 * weights.shape[1] * 2.0**-53
    assert indices.shape[1] <= 4 * max(1, before / after) + 2  # the kernel's width, and no more
    if before == after:
        assert (indices[weights != 0] == np.arange(before)).all()  # itself, and nothing else


@for_all
@given(st.integers(0, 255), *[st.integers(1, 40)] * 4, st.sampled_from([1, 3]))
def test_a_constant_image_stays_constant(level, height, width, high, wide, channels):
    image = np.full((height, width, channels), level, np.uint8)
    result = resized(image, (high, wide))
    assert result.shape == (high, wide, channels) and result.dtype == np.uint8
    assert (result == level).all()


@for_all
@given(st.integers(1, 30), st.integers(1, 30), st.integers(1, 4), st.randoms(use_true_random=False))
def test_resizing_to_the_same_size_changes_nothing(height, width, channels, random):
    image = np.frombuffer(random.randbytes(height * width * channels), np.uint8).reshape(height, width, channels)
    assert (resized(image, (height, width)) == image).all()


# -- batches ---------------------------------------------------------------------------------------------------------


@st.composite
def batches(draw):
    """A batch of each kind, whose every number is another."""
    kind = draw(st.sampled_from([Images, Points, Photos]))
    count = draw(st.integers(1, 24))
    shapes = {"image": (3, 4, 4), "low": (3, 2, 2), "point": (2,), "label": ()}
    made = {}
    for field in fields(kind):
        shape = (count, *shapes[field.name])
        made[field.name] = torch.arange(math.prod(shape)).reshape(shape)
    batch = kind(**made)
    return replace(batch, label=None) if "label" in made and draw(st.booleans()) else batch


def joined(parts: list[Batch]) -> Batch:
    return replace(parts[0], **{name: torch.cat([vars(part)[name] for part in parts]) for name in present(parts[0])})


def present(batch: Batch) -> list[str]:
    return [name for name, tensor in vars(batch).items() if tensor is not None]


@for_all
@given(batches(), st.integers(1, 24))
def test_parts_of_a_batch_laid_together_are_the_batch(batch, parts):
    if len(batch) % parts:
        with pytest.raises(ValueError, match=f"{len(batch)} does not divide into {parts} equal parts"):
            batch.chunk(parts)
        return
    pieces = batch.chunk(parts)
    assert [len(piece) for piece in pieces] == [len(batch) // parts] * parts
    assert {type(piece) for piece in pieces} == {type(batch)}
    whole = joined(pieces)
    assert present(whole) == present(batch)
    assert all(torch.equal(vars(whole)[name], vars(batch)[name]) for name in present(batch))


@for_all
@given(batches(), st.integers(-30, 30), st.integers(-30, 30))
def test_a_slice_of_a_batch_is_a_slice_of_each_of_its_tensors(batch, start, stop):
    assume(len(range(len(batch))[start:stop]) > 0)
    part = batch[start:stop]
    assert type(part) is type(batch) and len(part) == len(range(len(batch))[start:stop])
    assert all(torch.equal(vars(part)[name], vars(batch)[name][start:stop]) for name in present(batch))
