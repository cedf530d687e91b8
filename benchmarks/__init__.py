"""Benchmarks: each prints what it measured beside its target, and never fails on a time."""

import ganvas  # noqa: F401  # before any of them loads PyTorch, so that threads wait as they do in use
