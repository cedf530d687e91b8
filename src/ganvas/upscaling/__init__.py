"""Photos enlarged: tile by tile, from file to file, and before and after on a page.

upscaler        a model that enlarges photos, with all that photos need
photo_files     reading and writing photos with all that belongs to them
files           files and folders to enlarge
before_after    the page that compares
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ganvas.lazy import lazily

if TYPE_CHECKING:
    from ganvas.upscaling.files import upscale_files
    from ganvas.upscaling.photo_files import Writer, check_holds, photo_of, read_photo
    from ganvas.upscaling.upscaler import DEFAULT, Upscaler, check_size, upscale

__getattr__, __dir__ = lazily(__name__, __file__)
