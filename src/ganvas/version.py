"""The version, which the package, its runs and its exports name."""

__version__ = "0.1.0"
