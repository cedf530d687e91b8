"""Optimizers by name, in their fused form where PyTorch has one."""

from collections.abc import Iterable, Sequence
from typing import Literal

from torch import nn
from torch.optim import SGD, Adam, Optimizer, RMSprop

Name = Literal["adam", "rmsprop", "sgd"]
Network = nn.Module | Sequence[nn.Module]


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


def players(
    name: Name = "adam",
    *,
    lr: float,
    beta1: float = 0.5,
    beta2: float = 0.999,
    **networks: Network | tuple[Network, float],
) -> dict[str, Optimizer]:
    """An optimizer of that name for each player, of the parameters that its networks can be trained in.

        players("adam", lr=1e-4, critic=[self.critic, self.head], generator=(self.generator, 1e-3))

    A player is a network or a list of them; with a number beside it, that is its learning rate in place of `lr`.
    """
    made = {}
    for player, held in networks.items():
        own, rate = held if isinstance(held, tuple) else (held, lr)
        modules = [own] if isinstance(own, nn.Module) else own
        trained = [each for module in modules for each in module.parameters() if each.requires_grad]
        made[player] = optimizer(name, trained, lr=rate, beta1=beta1, beta2=beta2)
    return made
