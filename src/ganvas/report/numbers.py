"""The last numbers of a game in words, for the terminal and for pages."""

from __future__ import annotations

from collections.abc import Sequence

from ganvas.run import Row, loss, number, players, shares

_TOLD = {
    "accuracy": ("right on", {"real": " of real", "fake": " of generated"}),
    "probability": ("probability of being real", {"real": " for real", "fake": " for generated"}),
}
_OF_PAIRS = {
    "accuracy": ("scores the real one higher in", {"pair": " of pairs"}),
    "probability": ("mean sigmoid of its lead", {"pair": ""}),
}


def last_numbers(rows: Sequence[Row]) -> list[tuple[str, list[tuple[str, str]]]]:
    """Each player with (what, value) from its last row. rows: measurements."""
    verdicts = shares(rows)
    found = []
    for player, terms in players(rows).items():
        row = next(row for row in reversed(rows) if any(key.startswith(f"{player}/") for key in row))
        value = loss(row, player, terms)
        told = [] if value is None else [("loss", f"{value:.3g}")]
        for each in verdicts:
            if each.player == player:
                known = ((kind, number(row.get(key))) for kind, key in each.keys.items())
                what, of = (_OF_PAIRS if "pair" in each.keys else _TOLD)[each.what]
                shown = ", ".join(f"{100 * share:.0f}%{of[kind]}" for kind, share in known if share is not None)
                told += [(what, shown)] if shown else []
        found.append((player, told))
    return found
