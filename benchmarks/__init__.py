"""Benchmarks: each prints what it measured beside its target, and never fails on a time."""
