"""Penalties: terms on gradients or weights that keep the game stable. Inputs may have any rank.

Gradient penalties differentiate twice, so they run in float32 outside autocast: in bf16 the small gradients that they
measure would be rounded away. All return scalars without a weight; the recipe multiplies.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping

import torch
from torch import Tensor, nn


def squared_gradient(discriminator: Callable[[Tensor], Tensor], samples: Tensor) -> Tensor:
    """Mean over the batch of the squared norm of the logits' gradient at `samples`.

    On real samples this is R1, on generated ones R2 (Mescheder et al. 2018, eq. 9 and 10, without the factor gamma/2).
    discriminator: (B, ...) to logits (B, ...). samples: (B, ...). Returns a scalar that can be differentiated.
    """
    with torch.autocast(samples.device.type, enabled=False):
        inputs = samples.detach().float().requires_grad_(True)
        (gradient,) = torch.autograd.grad(discriminator(inputs).float().sum(), inputs, create_graph=True)
        return gradient.flatten(1).square().sum(1).mean()


def zero_centred(
    discriminator: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor, *, r1: float, r2: float
) -> dict[str, Tensor]:
    """The terms `r1` = r1/2 * the squared gradient on real samples and `r2` likewise on generated ones (Mescheder et
    al. 2018, eq. 9 and 10); none where the factor is 0."""
    terms = {}
    if r1:
        terms["r1"] = r1 / 2 * squared_gradient(discriminator, real)
    if r2:
        terms["r2"] = r2 / 2 * squared_gradient(discriminator, fake)
    return terms


def path_lengths(images: Tensor, w: Tensor) -> Tensor:
    """How far images move when w does, in a random direction of the images: the norm of J' y, y being from
    N(0, 1 / (H W)) (Karras et al. 2020, section 3.2, without the factor that the size gives a y from N(0, 1)).

    images: (B, C, H, W), made from w: (B, N). Returns (B,) that can be differentiated.
    """
    with torch.autocast(images.device.type, enabled=False):
        y = torch.randn_like(images) / math.sqrt(images.shape[2] * images.shape[3])
        (moved,) = torch.autograd.grad((images * y).sum(), w, create_graph=True)
        return (moved.float().square().sum(1) + 1e-12).sqrt()


def path_weight(size: tuple[int, int]) -> float:
    """The paper's weight of (path length - its mean)^2, for lengths as `path_lengths` has them: ln 2 / (ln r - ln 2)
    (Karras et al. 2020, appendix B, where the lengths are r times as large and the weight has r^2 below). r is the
    side of a square with as many pixels, and at least 4."""
    return math.log(2) / math.log(max(math.sqrt(math.prod(size)), 4) / 2)


def approximate_squared_gradient(
    discriminator: Callable[[Tensor], Tensor], samples: Tensor, logits: Tensor, noise: float = 0.1
) -> Tensor:
    """Mean over the batch of the squared change of the logits when the samples get normal noise of the standard
    deviation `noise`, over its square: without second derivatives about what `squared_gradient` is, and for linear
    logits that on average (Lin et al. 2025, "Diffusion adversarial post-training", the approximated R1).

    logits: what the discriminator said of the samples (B, ...) as they are.
    """
    moved = discriminator(samples.detach() + noise * torch.randn_like(samples))
    return ((moved.float() - logits.float()) / noise).square().mean()


def approximately_zero_centred(
    discriminator: Callable[[Tensor], Tensor], judged: Mapping[str, tuple[Tensor, Tensor, float]]
) -> dict[str, Tensor]:
    """As `zero_centred`, by `approximate_squared_gradient`. judged: by the term's name, `r1` or `r2`, the samples, what
    the discriminator said of them, and the factor; no term where that is 0."""
    return {
        name: factor / 2 * approximate_squared_gradient(discriminator, samples, logits)
        for name, (samples, logits, factor) in judged.items()
        if factor
    }


def lazily(step: int, every: int) -> int:
    """The factor on a penalty that is applied at every `every`th step only: `every` there, so that its strength over
    time stays the same, and 0 elsewhere (lazy regularisation: Karras et al. 2020, appendix B)."""
    return every if step % every == 0 else 0


def gradient_penalty(discriminator: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor) -> Tensor:
    """Mean of (norm of the gradient - 1)^2 on random points between real and fake (Gulrajani et al. 2017, eq. 3).

    real, fake: (B, ...) of the same shape. Returns a scalar without the paper's factor lambda = 10.
    """
    with torch.autocast(real.device.type, enabled=False):
        shape = (len(real), *[1] * (real.dim() - 1))
        share = torch.rand(shape, device=real.device)
        between = torch.lerp(fake.detach().float(), real.detach().float(), share).requires_grad_(True)
        (gradient,) = torch.autograd.grad(discriminator(between).float().sum(), between, create_graph=True)
        # The square root has an infinite slope at 0, where a dead discriminator would put it.
        return ((gradient.flatten(1).square().sum(1) + 1e-12).sqrt() - 1).square().mean()


def consistency(
    discriminator: Callable[[Tensor], Tensor], samples: Tensor, logits: Tensor, augment: Callable[[Tensor], Tensor]
) -> Tensor:
    """Mean squared change of the logits when the samples are augmented.

    On real and on generated samples this is balanced consistency regularisation (Zhao et al. 2020, Algorithm 1),
    without the paper's factor of 10. logits: what the discriminator said of the samples as they are.
    """
    changed = discriminator(augment(samples.detach()))
    return (changed.float() - logits.float()).square().mean()


def balanced_consistency(
    discriminator: Callable[[Tensor], Tensor],
    judged: Mapping[str, tuple[Tensor, Tensor]],
    augment: Callable[[Tensor], Tensor],
    weight: float,
) -> dict[str, Tensor]:
    """The terms `consistency_NAME` = weight * consistency for each kind of samples; none where the weight is 0.

    judged: for each kind, `real` and `fake`, the samples and what the discriminator said of them.
    """
    if not weight:
        return {}
    return {
        f"consistency_{kind}": weight * consistency(discriminator, samples, logits, augment)
        for kind, (samples, logits) in judged.items()
    }


def weight_decay(modules: Iterable[nn.Module], *, l1: float, l2: float) -> dict[str, Tensor]:
    """The terms `l1` = l1 * sum |w| and `l2` = l2 * sum w^2 over all weights but biases; none where the factor is 0."""
    if l1 == 0 and l2 == 0:
        return {}
    weights = [w for module in modules for w in module.parameters() if w.dim() > 1]
    terms = {}
    if l1:
        terms["l1"] = l1 * torch.stack([w.float().abs().sum() for w in weights]).sum()
    if l2:
        terms["l2"] = l2 * torch.stack([w.float().square().sum() for w in weights]).sum()
    return terms


def clip_weights(module: nn.Module, limit: float) -> None:
    """Clamps every parameter to [-limit, limit] in place (Arjovsky et al. 2017, Algorithm 1, line 7)."""
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.clamp_(-limit, limit)
