"""Photos enlarged: tile by tile, from file to file.

upscaler        a model that enlarges photos, with all that photos need
files           files and folders to enlarge
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ganvas.lazy import lazily

if TYPE_CHECKING:
    from ganvas.upscaling.files import upscale_files
    from ganvas.upscaling.upscaler import DEFAULT, Upscaler, check_size, upscale

__getattr__, __dir__ = lazily(__name__, __file__)
