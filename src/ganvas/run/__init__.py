"""The run folder: what a training writes into it, and what reads it again, without torch where it can.

folder          `config.json`
history         the rows of `metrics.jsonl`, and what can be read off them without judging
timeline        the pictures in `samples/` over time
recorder        the watcher that writes both
trainer         who trains it, and how that is stopped
keeping         runs listed, renamed and deleted
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ganvas.lazy import lazily

if TYPE_CHECKING:
    from ganvas.run.folder import FIRST, FORMAT, LOCK, SCORES, TRAINER, check_out, read_config
    from ganvas.run.history import (
        GAME,
        OUTCOMES,
        Row,
        Shares,
        duration,
        judged,
        judges,
        loss,
        mapping,
        measurements,
        number,
        outcome,
        players,
        read_rows,
        roll_backs,
        scores,
        series,
        shares,
        went_back,
    )
    from ganvas.run.keeping import JOBS, STUDIO, foreign, remove, rename, run_folders, run_in, size_of, written
    from ganvas.run.recorder import Recorder
    from ganvas.run.trainer import is_over, is_trained, only_trainer, stop_trainer

__getattr__, __dir__ = lazily(__name__, __file__)
