"""Photos as files, with all that belongs to them, for whatever makes other photos of them; and the page that compares.

files           reading and writing photos: alpha, gray, EXIF, the colour profile
film            pictures that move
before_after    the page that compares
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ganvas.lazy import lazily

if TYPE_CHECKING:
    from ganvas.photos.before_after import SHOWN, TRANSLATED, Comparison, Words, compared, write_comparison
    from ganvas.photos.files import (
        ENDINGS,
        Photo,
        Writer,
        check_holds,
        film_for,
        photo_of,
        read_photo,
        turned,
    )
    from ganvas.photos.film import Film, film_of

__getattr__, __dir__ = lazily(__name__, __file__)
