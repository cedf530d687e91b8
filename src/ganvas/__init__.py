"""Ganvas trains, judges and uses generative adversarial networks."""

__version__ = "0.1.0"
