"""Optimizers by name, in their fused form where PyTorch has one."""

from collections.abc import Iterable
from typing import Literal

from torch import nn
from torch.optim import SGD, Adam, Optimizer, RMSprop

Name = Literal["adam", "rmsprop", "sgd"]


def optimizer(
    name: Name,
    parameters: Iterable[nn.Parameter],
    *,
    lr: float,
    beta1: float = 0.5,
    beta2: float = 0.999,
) -> Optimizer:
    """The optimizer of that name. `beta1` is Adam's first decay and SGD's momentum; `beta2` Adam's second decay and
    RMSProp's smoothing."""
    parameters = list(parameters)
    if name == "adam":
        return Adam(parameters, lr=lr, betas=(float(beta1), float(beta2)), fused=True)
    if name == "rmsprop":
        return RMSprop(parameters, lr=lr, alpha=beta2, foreach=True)
    return SGD(parameters, lr=lr, momentum=beta1, fused=True)
