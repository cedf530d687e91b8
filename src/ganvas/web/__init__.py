"""Servers: `http` answers programs (`ganvas serve`), `studio` is a page for people (`ganvas studio`)."""
