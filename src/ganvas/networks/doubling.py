"""Feature maps of twice the side without a weave of single pixels."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from ganvas.networks.convolution import transposed


class Doubling(nn.Module):
    """(B, before, H, W) to (B, after, 2H, 2W): each pixel four times, and then a 3x3 convolution (Odena et al. 2016,
    "Deconvolution and checkerboard artifacts", "better upsampling").

    A transposed convolution of stride 2 makes pixels of even and of odd places by different weights, which need not
    agree even where all that it is given is plain. Here the same weights make them all. Both steps together are the
    transposed convolution with a 4x4 kernel whose weights are sums of four neighbouring ones of the 3x3 kernel, which
    is how they are done: at four ninths of the multiplications.
    """

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        like = nn.Conv2d(before, after, 3)
        assert like.bias is not None
        self.weight, self.bias = like.weight, like.bias

    def forward(self, x: Tensor) -> Tensor:
        kernel = _untraced(self.kernel) if torch._C._get_tracing_state() else self.kernel()
        return transposed(x, kernel, self.bias, stride=2, padding=1)

    def kernel(self) -> Tensor:
        """(before, after, 4, 4) of the transposed convolution that this is."""
        kernel = pad(self.weight.flip(2, 3).transpose(0, 1), (1, 1, 1, 1))
        kernel = kernel[..., 1:, :] + kernel[..., :-1, :]
        kernel = kernel[..., 1:] + kernel[..., :-1]
        return kernel.contiguous(memory_format=torch.channels_last)


def _untraced(make: Callable[[], Tensor]) -> Tensor:
    """What it makes, which a graph that is traced holds as a constant: ONNX wants kernels of known shapes."""
    state = torch._C._get_tracing_state()
    torch._C._set_tracing_state(None)  # type: ignore[attr-defined]
    try:
        return make()
    finally:
        torch._C._set_tracing_state(state)  # type: ignore[attr-defined]
