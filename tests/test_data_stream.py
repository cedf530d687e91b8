"""The order of training: reproducible from one integer, the same for one process and for many."""

from typing import Any

import numpy as np
import pytest
import torch

from ganvas.data import stream as stream_module
from ganvas.data.batches import Images
from ganvas.data.dataset import Split
from ganvas.data.opening import open_data
from ganvas.data.stream import Stream
from ganvas.errors import DataError, UsageError


@pytest.fixture(scope="module")
def numbered() -> Split:
    """Points that are their own numbers: 0, 1, 2, ... of the training split."""
    points = np.arange(60, dtype=np.float32)[:, None]
    return open_data(points, progress=False).split("train")


def drawn(stream: Stream, batches: int) -> list[float]:
    return torch.cat([next(stream).value[:, 0] for _ in range(batches)]).tolist()


def test_every_epoch_holds_each_item_once_and_differs(numbered: Split) -> None:
    count = len(numbered)
    assert count % 9 != 0  # so that batches straddle epochs
    order = drawn(Stream(numbered, 9, seed=3), count)  # 9 epochs
    epochs = [order[start : start + count] for start in range(0, len(order), count)]
    everything = sorted(numbered.gather(np.arange(count)).value[:, 0].tolist())
    assert all(sorted(epoch) == everything for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == 9


def test_the_position_is_all_that_resuming_needs(numbered: Split) -> None:
    whole = Stream(numbered, 8, seed=5)
    first, rest = drawn(whole, 9), drawn(whole, 9)
    resumed = Stream(numbered, 8, seed=5)
    resumed.position = 72
    assert drawn(resumed, 9) == rest
    resumed.position = 0
    assert drawn(resumed, 9) == first
    assert resumed.position == 72 and resumed.epoch == 72 // len(numbered)
    assert drawn(Stream(numbered, 8, seed=6), 9) != first


def test_a_batch_may_span_several_epochs(numbered: Split) -> None:
    count = len(numbered)
    long = drawn(Stream(numbered, 3 * count + 1, seed=1), 1)
    assert long == drawn(Stream(numbered, 1, seed=1), 3 * count + 1)


def test_the_parts_of_the_processes_make_up_the_batch(numbered: Split) -> None:
    alone = Stream(numbered, 8, seed=2)
    ranks = [Stream(numbered, 8, seed=2, rank=rank, world=4) for rank in range(4)]
    for _ in range(20):
        parts = [next(rank) for rank in ranks]
        assert [len(part) for part in parts] == [2] * 4
        assert torch.equal(torch.cat([part.value for part in parts]), next(alone).value)
    assert {rank.position for rank in ranks} == {alone.position}


def test_the_order_never_changes_between_releases() -> None:
    split = open_data(np.arange(8, dtype=np.float32)[:, None], progress=False).split("train")
    assert split.names == ["0", "1", "2", "3", "4", "7"]
    assert drawn(Stream(split, 6, seed=0), 2) == [3, 2, 1, 0, 4, 7, 4, 7, 1, 2, 0, 3]


def test_global_random_states_are_left_alone(numbered: Split) -> None:
    np.random.seed(0)
    torch.manual_seed(0)
    before = np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()
    drawn(Stream(numbered, 8, seed=9), 20)
    assert before == (np.random.get_state()[1].tolist(), torch.get_rng_state().tolist())


def test_what_cannot_be() -> None:
    split = open_data(np.zeros((40, 1), np.float32), progress=False).split("train")
    with pytest.raises(UsageError, match="batch size of 9 does not divide into 2"):
        Stream(split, 9, 0, world=2)
    with pytest.raises(UsageError, match="batch size of 0"):
        Stream(split, 0, 0)
    with pytest.raises(UsageError, match="process 2 of 2"):
        Stream(split, 8, 0, rank=2, world=2)
    tiny = open_data(np.zeros((2, 1), np.float32), progress=False)
    empty = next(name for name, count in tiny.counts.items() if count == 0)
    with pytest.raises(DataError, match="no items"):
        Stream(tiny.split(empty), 1, 0)


def test_batches_of_images_are_channels_last() -> None:
    images = np.random.default_rng(0).integers(0, 256, (80, 64, 64, 3), np.uint8)
    batch = next(Stream(open_data(images, progress=False).split("train"), 64, seed=0))
    assert isinstance(batch, Images) and batch.label is None
    assert batch.image.dtype == torch.float32 and batch.image.shape == (64, 3, 64, 64)
    assert batch.image.is_contiguous(memory_format=torch.channels_last)


def test_the_time_that_batches_take_is_counted(numbered: Split, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr(stream_module.time, "perf_counter", lambda: clock[0])
    gather = Split.gather

    def slowly(*given: Any) -> Any:
        clock[0] += 3.0
        return gather(*given)

    monkeypatch.setattr(Split, "gather", slowly)
    stream = Stream(numbered, 8, seed=0)
    for _ in range(5):
        next(stream)
        clock[0] += 100.0  # what is done with a batch does not count
    assert stream.waiting == 15.0
