"""How good the sounds of a vocoder are beside those that Griffin-Lim makes of the same mel spectrograms, and how quick
it is.

    python -m benchmarks.vocoder RUN [--data SOURCE] [--label-pattern PATTERN] [--sheet sheet.png]

Whole held-out sounds are made again. Of each way: the mel distance to the right sounds (`WaveSpace.apart`), the Frechet
distance to them in the features of the judge of `benchmarks.sound`, how many are read as their digit (or whatever the
label is), how far loudness and pitch are from theirs, and seconds of sound made in a second of one thread. Real sounds
that are moved by one sample are the floor. Where what is given is at a lower rate, what is given is the rival; else two
ways that no vocoder has show what is hard: the magnitudes that have the mel spectrogram with the true phases, and the
true magnitudes with the phases that Griffin-Lim finds.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

import ganvas
from benchmarks.sound import fields_of, heard, judge_of
from ganvas.data.dataset import Data
from ganvas.data.opening import open_data, reopen
from ganvas.data.sound_pairs import SoundPairs
from ganvas.metrics.distributions import Moments, frechet_distance
from ganvas.metrics.quantities import wasserstein
from ganvas.model import Model
from ganvas.networks.spectra import InverseTransform, Mel, agreed, phased
from ganvas.run import read_config
from ganvas.spaces import save_picture


def held_out(model: Model, run: str, source: str | None, pattern: str) -> Data:
    """The run's sounds as wholes with what is given of them, and checked to be held out by the same names."""
    about = read_config(Path(run))["data"]
    trained = reopen(about, accepts=model.recipe.accepts, source=source, progress=False)
    options = {name: about["options"].get(name) for name in ("loudness", "low_rate")}
    options |= {"label_pattern": pattern, "rate": about["space"]["rate"]}
    data = open_data(source or about["source"], SoundPairs, progress=False, **options)
    learned = {name.partition("#")[0] for name in trained.split("train").names}
    assert not learned & {name for part in ("validation", "test") for name in data.split(part).names}
    return data


def given_of(data: Data) -> Tensor:
    """What is given of the held-out sounds, in the order of `fields_of`."""
    found = []
    for split in (data.split(name) for name in ("validation", "test")):
        pairs = split.gather(np.arange(len(split)))
        assert isinstance(pairs, SoundPairs)
        found.append(pairs.source)
    return torch.cat(found)


def half_told(mel: Mel) -> dict[str, Callable[[Tensor], Tensor]]:
    """Sounds of which the phases or the magnitudes are the true ones, and the other half is what is known without a
    network."""
    transform, inverse = mel.transform, InverseTransform(mel.transform.made)

    def true_phases(sound: Tensor) -> Tensor:
        along, across = transform(sound).chunk(2, dim=1)
        return inverse.of(transform, *phased(mel.magnitude(mel(sound)), along, across))[:, :, : sound.shape[2]]

    def true_magnitudes(sound: Tensor) -> Tensor:
        magnitude = transform.magnitude(sound)
        angle = 2 * math.pi * torch.rand(magnitude.shape, generator=torch.Generator().manual_seed(0))

        def waves(along: Tensor, across: Tensor) -> Tensor:
            return inverse.of(transform, *phased(magnitude, along, across))[:, :, : sound.shape[2]]

        return agreed(waves, transform, angle.cos(), angle.sin(), 32)

    return {"true phases": true_phases, "true magnitudes": true_magnitudes}


def timed(make: Callable[[Tensor], Tensor], sounds: Tensor) -> tuple[Tensor, float]:
    """What is made of sounds, one by one, and the CPU seconds that it took."""
    make(sounds[:1])
    began = time.process_time()
    made = torch.cat([make(each) for each in sounds.split(1)])
    return made, time.process_time() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run")
    parser.add_argument("--data", help="where the data lies now")
    parser.add_argument("--label-pattern", default="{digit}_{speaker}_*")
    parser.add_argument("--turns", type=int, help="of Griffin-Lim in the model, other than those of its training")
    parser.add_argument("--sheet", help="a picture: a row of eight sounds for each way, real ones first")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    model = ganvas.load(asked.run)
    if asked.turns is not None:
        model.recipe.generator.turns = asked.turns  # type: ignore[union-attr]
    data = held_out(model, asked.run, asked.data, asked.label_pattern)
    space, judge = data.space, judge_of(data)
    real, told = fields_of(data, "validation", "test")
    given = given_of(data)
    ways: dict[str, Callable[[Tensor], Tensor]] = {type(model.recipe).__name__.lower(): model.transform}
    assert model.recipe.rivals is not None
    for name in model.recipe.rivals(source=given[:1]):
        ways[name] = lambda sound, name=name: model.recipe.rivals(source=sound)[name]  # type: ignore[misc]
        ways |= half_told(model.recipe.generator.mel)  # type: ignore[arg-type, union-attr]
    features = heard(judge, real)
    moments, theirs = Moments.of(features), space.quantities(real)
    seconds = real.shape[2] * len(real) / data.space.facts()["rate"]
    print(f"{asked.run}, step {model.step:,}; {len(real)} held-out sounds of {seconds / len(real):.3g} s")
    print(f"{'':16} {'mel dB':>8} {'FD':>8} {'read':>7} {'loudness':>9} {'pitch':>7} {'s a CPU s':>10}")
    rows = {"real, moved": (real.roll(1, 2), 0.0)}
    if not torch.equal(given, real):
        rows["as given"] = given, 0.0
    rows |= {name: timed(way, given) for name, way in ways.items()}
    for name, (made, took) in rows.items():
        kept = space.samples_of(space.encode(made))
        found = heard(judge, kept)
        differences = space.apart(kept, real)
        assert differences is not None
        apart = float(differences.mean())
        distance = max(0.0, frechet_distance(moments, Moments.of(found)))
        right = float((judge.heads["label"](found).argmax(1) == told["label"]).double().mean())
        mine = space.quantities(kept)
        others = " ".join(f"{wasserstein(theirs[q], mine[q])[0]:{w}.3f}" for q, w in (("loudness", 9), ("pitch", 7)))
        speed = f"{seconds / took:10,.0f}" if took else f"{'':10}"
        print(f"{name:16} {apart:8.3f} {distance:8.3f} {right:7.1%} {others} {speed}")
    if asked.sheet:
        some = torch.cat([made[:: max(1, len(real) // 8)][:8] for made, _ in rows.values()])
        save_picture(space.show(some, columns=8), Path(asked.sheet))


if __name__ == "__main__":
    main()
