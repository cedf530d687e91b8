"""Many trainings of one thing: with several seeds, and in search of better settings.

seeds           the same training with other seeds, compared
space           what is searched of the options that there are
judging         the score that counts, and when a trial is not worth going on
storage         where trials are kept, by Optuna
study           trials, workers, and the best of them
search          `tune`: trials, the best with more seeds, and what is written
best            `best.yaml`; page: `study.html`
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ganvas.lazy import lazily

if TYPE_CHECKING:
    from ganvas.tuning.search import FINALISTS, SEEDS, TRIALS, Tuned, tune
    from ganvas.tuning.seeds import MOST, PAGE, Seeds, train_seeds

__getattr__, __dir__ = lazily(__name__, __file__)
