"""Captions: how a text becomes the numbers that a network gets.

encoders        bags of the words of a training, and sentences by a model that a Python package carries
minilm          that model: WordPiece and the forward pass of BERT

An encoder belongs to a run, and is stored with it by its words or by the hash of its weights, so that a caption means
what it meant in training. Telling what an encoder is needs no torch.
"""

from __future__ import annotations

from ganvas.captions.encoders import (
    LONGEST,
    MOST_WORDS,
    Encoder,
    EncoderName,
    Sentences,
    Words,
    encoder_for,
    encoder_from_json,
    words_of,
)

__all__ = [
    "LONGEST",
    "MOST_WORDS",
    "Encoder",
    "EncoderName",
    "Sentences",
    "Words",
    "encoder_for",
    "encoder_from_json",
    "words_of",
]
