"""`ganvas plan`: about how long a training takes on other machines, and what bounds it."""

from __future__ import annotations

import json
import math

from ganvas import recipes
from ganvas.cli.parsing import Parser
from ganvas.errors import UsageError
from ganvas.text import quoted

EXAMPLES = """examples:
  ganvas plan --on 8xH100 --recipe stylegan2 --size 256 --images 1e6
  ganvas plan --on A100 --recipe dcgan --size 64 --images 25e6 --batch-size 256 --json"""

MOST_SIDE, MOST_BATCH = 1024, 1 << 20


def run(words: list[str]) -> int:
    parser = Parser(
        prog="ganvas plan",
        usage="ganvas plan --on DEVICES --recipe NAME --size N --images N [--batch-size N] [--json]",
        description="About how long a recipe takes to train on pictures on other machines, by counting some steps of\n"
        "it here. What is measured and what is assumed: docs/scaling.md.",
        epilog=EXAMPLES,
    )
    parser.add_argument("--on", metavar="DEVICES", help="how many of which device, such as 8xH100")
    parser.add_argument("--recipe", metavar="NAME", help=f"a recipe for pictures (default: {recipes.DEFAULT})")
    parser.add_argument("--size", metavar="N", help="pixels of a side (default: 64)")
    parser.add_argument("--images", metavar="N", help="pictures that are shown, repeats counted, such as 1e6")
    parser.add_argument("--batch-size", metavar="N", help="of all devices together (default: 64 on each)")
    parser.add_argument("--json", action="store_true", help="for scripts")
    parsed = parser.parse_strictly(words)
    if parsed.on is None or parsed.images is None:
        raise UsageError("say on what and how long, as in: ganvas plan --on 8xH100 --recipe dcgan --images 1e6")
    name = parsed.recipe or recipes.DEFAULT
    size = _whole(parsed.size or "64", "--size", 4, MOST_SIDE)
    images = _whole(parsed.images, "--images", 1, 10**15)
    from ganvas import costs

    devices, device = costs.parse_devices(parsed.on)
    batch = _whole(parsed.batch_size or str(64 * devices), "--batch-size", devices, MOST_BATCH)
    if batch % devices:
        raise UsageError(f"--batch-size {batch} does not divide into {devices} equal parts, one for each device")
    counted = costs.count(recipes.find(name), size, {})
    all_of_it, alone = (costs.estimate(counted, device, number, batch * number // devices) for number in (devices, 1))
    steps = math.ceil(images / batch)
    hours = steps * all_of_it.seconds / 3600
    work = counted.step(batch / devices)
    of_it = {
        "arithmetic": all_of_it.arithmetic,
        "memory": all_of_it.memory,
        "starting operations": all_of_it.starting,
        "sending gradients": all_of_it.sending,
    }
    told = {
        "recipe": name,
        "size": size,
        "devices": devices,
        "device": device.name,
        "source": device.source,
        "batch_size": batch,
        "steps": steps,
        "parameters": counted.parameters,
        "gflop_a_picture": counted.item.flops / 1e9,
        "gb_a_step": work.bytes / 1e9,
        "operations_a_step": work.operations,
        "mb_sent_a_step": 4 * counted.sent / 1e6 if devices > 1 else 0.0,
        "seconds_a_step": all_of_it.seconds,
        "of_it": of_it,
        "bound": all_of_it.bound,
        "pictures_a_second": batch / all_of_it.seconds,
        "efficiency": alone.seconds / all_of_it.seconds,
        "hours": hours,
        "device_hours": hours * devices,
        "assumed": {"share_of_peak": costs.SHARE, "share_of_bandwidth": costs.OF_BANDWIDTH, "launch": costs.LAUNCH},
    }
    if parsed.json:
        print(json.dumps(told, indent=2))
        return 0
    length = f"{hours:.3g} hours" if hours >= 1 else f"{60 * hours:.3g} minutes"
    print(f"{name} at {size}x{size}, {images:,} pictures on {devices} x {device.name}: about {length}")
    print(f"batch: {batch:,} ({batch // devices} on each), {steps:,} steps of {1e3 * all_of_it.seconds:.3g} ms")
    print(f"a picture: {counted.item.flops / 1e9:.3g} GFLOP; the networks: {counted.parameters:,} parameters")
    parts = ", ".join(f"{part} {1e3 * seconds:.3g} ms" for part, seconds in of_it.items())
    print(f"a step: {parts}; bound by {all_of_it.bound}")
    if devices > 1:
        share = 100 * alone.seconds / all_of_it.seconds
        print(f"beside one device with {batch // devices} a batch: {share:.0f}% of its speed each")
    print(
        f"assumed: {100 * costs.SHARE:.0f}% of the arithmetic and {100 * costs.OF_BANDWIDTH:.0f}% of the memory's rate "
        f"in the maker's figures ({device.source}); data are there in time"
    )
    return 0


def _whole(text: str, flag: str, low: int, high: int) -> int:
    try:
        value = float(text)
        if value != int(value) or not low <= value <= high:
            raise ValueError
    except (ValueError, OverflowError):
        raise UsageError(f"{flag} takes a whole number from {low:,} to {high:,}, not {quoted(text)}") from None
    return int(value)
