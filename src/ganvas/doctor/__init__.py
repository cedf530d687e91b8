"""What ails a run: looks at samples while it trains, measurements, diagnoses, and healing.

looks           a cheap look at samples every 100 steps (a watcher); real_features: what they are compared with
measurements    numbers read off a run's rows
diagnosis       what is said of them, in words
healing         the watcher that goes back and calms the game
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ganvas.lazy import lazily

if TYPE_CHECKING:
    from ganvas.doctor.diagnosis import CAVEAT, Finding, diagnose, in_words
    from ganvas.doctor.healing import Healer
    from ganvas.doctor.looks import LOOK_EVERY, Looks

__getattr__, __dir__ = lazily(__name__, __file__)
