"""The documented commands of pages that do not use the README's run; those that do are in `test_docs.py`."""

import pytest

from documented import BLOCKS, TOGETHER, furnish, run


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory):
    return furnish(tmp_path_factory.mktemp("docs"))


@pytest.mark.parametrize(("page", "language", "code"), [block for block in BLOCKS if block[0] not in TOGETHER])
def test_the_documented_commands_work(page, language, code, elsewhere):
    run(language, code, elsewhere)
