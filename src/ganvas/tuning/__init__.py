"""Many trainings of one thing: with several seeds, and in search of better settings.

seeds           the same training with other seeds, compared
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ganvas.lazy import lazily

if TYPE_CHECKING:
    from ganvas.tuning.seeds import MOST, PAGE, Seeds, train_seeds

__getattr__, __dir__ = lazily(__name__, __file__)
