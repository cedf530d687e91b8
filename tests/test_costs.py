"""What a training costs elsewhere: counts that are known by hand, and arithmetic of the model."""

import json

import pytest
import torch

from ganvas import costs, recipes
from ganvas.cli import main
from ganvas.costs import DEVICES, Counted, Work, all_reduce, count, counting, estimate, parse_devices
from ganvas.errors import UsageError


def test_a_product_and_a_convolution_are_counted_as_by_hand():
    a, b = torch.zeros(3, 5), torch.zeros(5, 7)
    picture, kernel = torch.zeros(2, 3, 8, 8), torch.zeros(4, 3, 3, 3)
    with counting() as counter:
        _ = a @ b
        torch.nn.functional.conv2d(picture, kernel)
    work = counter.work(1)
    assert work.products == 2 * 3 * 5 * 7
    assert work.convolutions == 2 * (2 * 4 * 6 * 6) * (3 * 3 * 3)
    assert work.bytes == 4 * (15 + 35 + 21 + 384 + 108 + 288)
    assert work.operations == 2


def test_the_parts_of_a_step_follow_from_the_batch_and_the_turns():
    counted = count(recipes.find("wgan-gp"), 16, {"width": 4})
    measured = costs._counted(recipes.find("wgan-gp"), 16, 16, {"width": 4})[0]
    assert counted.step(16).flops == pytest.approx(measured.flops, rel=0.01)
    assert counted.step(16).bytes == pytest.approx(measured.bytes, rel=0.05)
    training = costs.training_on(recipes.find("wgan-gp"), 16, 4, {"width": 4})
    sizes = {name: sum(p.numel() for p in own) for name, own in training.players.items()}
    assert counted.parameters == sum(sizes.values())
    turns = [turn.optimizer for turn in _turns(training)]
    assert counted.sent == sum(sizes[name] for name in turns) and len(turns) > 2  # several of the critic


def _turns(training):
    turns, sent = training.recipe.turns(training.progress(), training.batches), None
    while True:
        try:
            yield turns.send(sent)
        except StopIteration:
            return


def test_the_longer_of_host_and_device_counts_and_gradients_come_on_top():
    h100 = DEVICES["h100"]
    counted = Counted(Work(0, 0, 0, 100), Work(0.4 * 989e9, 0, 0.7 * 3.35e9, 0), 10, 1e9)
    one = estimate(counted, h100, 1, 100)  # 0.1 s of arithmetic and as much of memory
    assert one.seconds == pytest.approx(0.2) and one.bound in ("arithmetic", "memory")
    eight = estimate(counted, h100, 8, 800)
    assert eight.seconds == pytest.approx(0.2 + 2 * 7 / 8 * 4e9 / 450e9)
    assert estimate(counted, h100, 1, 1).bound == "starting operations"
    assert all_reduce(4e9, h100, 1) == 0
    assert all_reduce(4e9, h100, 16) == pytest.approx(2 * 7 / 8 * 4e9 / 450e9 + 4e9 / 8 / 50e9 + 40e-6)


def test_the_command_tells_and_refuses(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["plan", "--on", "8xH100", "--recipe", "vanilla", "--size", "8", "--images", "1e6", "--json"])
    told = json.loads(capsys.readouterr().out)
    assert ended.value.code == 0
    assert (told["devices"], told["batch_size"], told["steps"]) == (8, 512, 1954)
    assert told["hours"] == pytest.approx(1954 * told["seconds_a_step"] / 3600)
    for words, says in {
        ("--on", "8xH1000", "--images", "5"): "no device 'H1000' is known; did you mean 'H100'?",
        ("--on", "0xH100", "--images", "5"): "--on takes 1 to 100,000 devices",
        ("--on", "???", "--images", "5"): "--on takes a number and a device",
        ("--on", "H100", "--images", "1.5"): "--images takes a whole number",
        ("--on", "H100", "--images", "nan"): "--images takes a whole number",
        ("--on", "8xH100", "--images", "5", "--batch-size", "9"): "--batch-size 9 does not divide into 8",
        ("--on", "H100", "--images", "5", "--recipe", "wavegan"): "the cost of WaveGAN is not told",
        ("--on", "H100"): "say on what and how long",
    }.items():
        with pytest.raises(SystemExit) as ended:
            main(["plan", *words])
        assert ended.value.code == 2
        assert says in capsys.readouterr().err
    assert parse_devices(" 4 x rtx 4090 ") == (4, DEVICES["rtx4090"])
    with pytest.raises(UsageError, match="no device"):
        parse_devices("TPU")
