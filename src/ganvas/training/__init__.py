"""The loop and all it needs: turns, state, checkpoints, processes, randomness, and the watchers' view of it.

loop            `Training.step` is the whole game
watcher         how outer layers look on: `Watcher`, its `Verdict`, and the `Game` that it sees
state           everything that exact resume needs, out of a training and back into it
checkpoint      that state on the disk, and what reads it; checkpointing: when it is written
processes       several that train together; simulated_processes: two of them as threads, for tests
meeting         how those processes find one another
agreement       that those processes run the same, and that their weights stay the same
planning, measuring, hardware, randomness, averaging, meter
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ganvas.lazy import lazily

if TYPE_CHECKING:
    from ganvas.training.agreement import check_alike, check_code_and_data
    from ganvas.training.checkpoint import EXPORTED
    from ganvas.training.checkpointing import Checkpoints
    from ganvas.training.hardware import channels_last, has_native_bf16, keep_freed_memory, pick_device, pick_precision
    from ganvas.training.loop import Training, gradient_norm
    from ganvas.training.measuring import LENGTH, seconds_a_step
    from ganvas.training.planning import environment, plan
    from ganvas.training.processes import Processes
    from ganvas.training.randomness import seed_from
    from ganvas.training.simulated_processes import two_processes
    from ganvas.training.watcher import Game, Verdict, Watcher, first_numbers, fraction_here

__getattr__, __dir__ = lazily(__name__, __file__)
