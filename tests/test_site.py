"""The documentation site has every page and every public name."""

from __future__ import annotations

import importlib
import inspect
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

import ganvas

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")


def leaves(nav: Any) -> list[str]:
    if isinstance(nav, str):
        return [nav]
    parts = nav.values() if isinstance(nav, dict) else nav
    return [leaf for part in parts for leaf in leaves(part)]


def test_its_navigation_has_every_page_once() -> None:
    nav = leaves(tomllib.loads((ROOT / "zensical.toml").read_text(encoding="utf-8"))["project"]["nav"])
    assert sorted(nav) == sorted(path.name for path in DOCS.glob("*.md"))


def test_the_readme_lists_every_page() -> None:
    named = set(re.findall(r"\(docs/([\w-]+\.(?:md|ipynb))", (ROOT / "README.md").read_text(encoding="utf-8")))
    pages = {path.name for kind in ("*.md", "*.ipynb") for path in DOCS.glob(kind)}
    assert pages - named == {"index.md", "architecture.md"}  # the site's first page, and the picture for builders


def test_the_interface_has_every_public_name() -> None:
    """Each by the module where it is, since public names are resolved at first use."""
    told = re.findall(r"^::: (\S+)$", (DOCS / "api.md").read_text(encoding="utf-8"), re.MULTILINE)
    found = {name.rpartition(".")[2]: name.rpartition(".")[0] for name in told}
    assert found.keys() == set(ganvas.__all__) - {"__version__"} and len(told) == len(found)
    for name, module in found.items():
        assert getattr(importlib.import_module(module), name) is getattr(ganvas, name)
        assert inspect.getdoc(getattr(ganvas, name))


@pytest.mark.parametrize("page", sorted(DOCS.rglob("*.md")), ids=lambda page: str(page.relative_to(DOCS)))
def test_links_of_its_pages_lead_to_files_of_the_documentation(page: Path) -> None:
    text = re.sub(r"```.*?```|`[^`\n]*`", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    for link in LINK.findall(text):
        if not link.startswith(("http:", "https:")):
            target = (page.parent / link).resolve()
            assert target.exists() and target.is_relative_to(DOCS), link
