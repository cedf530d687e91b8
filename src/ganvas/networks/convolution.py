"""Convolutions that are quicker on CPUs where feature maps are small and deep.

There the vendor's kernels stay far below the machine's matrix-product rate: for 512 maps of 4x4 the gradient of the
weight reaches about a tenth of it in bf16 (`make bench` measures both). A deep convolutional GAN has a large part of
its arithmetic in such layers, so here they are one large matrix product over copied patches instead.

A convolution is three bilinear maps, each the derivative of the others: its output from (x, w), the gradient of x from
(dy, w), and the gradient of w from (x, dy). Because each is differentiated by the other two, gradient penalties work as
with PyTorch's own; and each chooses by size between the vendor's kernel and the matrix product. On other devices than
the CPU the modules are PyTorch's own.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

Geometry = tuple[int, int, int]
"""Kernel size, stride, padding."""

MOST_POSITIONS = 16
"""Output positions up to which the matrix product is the quicker of the two. For the gradient of the weight in bf16,
where the vendor's kernel is at its slowest, it pays up to four times as many, given 64 channels or more."""


class Conv2d(nn.Conv2d):
    """`nn.Conv2d` for square kernels, strides and paddings, without groups or dilation."""

    def forward(self, input: Tensor) -> Tensor:
        if not _is_ours(input):
            return super().forward(input)
        x, weight = _cast(input, self.weight)
        result: Tensor = _Output.apply(x, weight, _geometry(self))
        return result if self.bias is None else result + self.bias.to(result.dtype)[:, None, None]


class ConvTranspose2d(nn.ConvTranspose2d):
    """`nn.ConvTranspose2d` for square kernels, strides and paddings, without groups, dilation or output padding."""

    def forward(self, input: Tensor, output_size: list[int] | None = None) -> Tensor:
        if output_size is not None:
            return super().forward(input, output_size)
        _, stride, padding = _geometry(self)
        return transposed(input, self.weight, self.bias, stride=stride, padding=padding)


def transposed(y: Tensor, weight: Tensor, bias: Tensor | None, *, stride: int, padding: int) -> Tensor:
    """The transposed convolution of y (B, O, H', W') with weight (O, C, K, K) and bias (C,): (B, C, H, W)."""
    if not _is_ours(y):
        return torch.conv_transpose2d(y, weight, bias, stride, padding)
    y, weight = _cast(y, weight)
    kernel = weight.shape[2]
    height, width = ((side - 1) * stride - 2 * padding + kernel for side in y.shape[2:])
    shape = (len(y), weight.shape[1], height, width)
    added = None if bias is None else bias.to(y.dtype)
    result: Tensor = _InputGradient.apply(y, weight, shape, (kernel, stride, padding), added)
    return result


class _Output(torch.autograd.Function):
    """x (B, C, H, W), w (O, C, K, K) to the convolution's output (B, O, H', W')."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, w: Tensor, geometry: Geometry) -> Tensor:
        ctx.save_for_backward(x, w)
        ctx.geometry = geometry
        return output(x, w, geometry)

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor | None, ...]:
        x, w = ctx.saved_tensors
        dx = _InputGradient.apply(dy, w, x.shape, ctx.geometry, None) if ctx.needs_input_grad[0] else None
        dw = _WeightGradient.apply(x, dy, w.shape, ctx.geometry) if ctx.needs_input_grad[1] else None
        return dx, dw, None


class _InputGradient(torch.autograd.Function):
    """dy (B, O, H', W'), w (O, C, K, K) to the gradient (B, C, H, W) of the input; with the bias (C,) of a transposed
    convolution, the gradient of which is a sum of its own: the vendor's costs more than that of the weight."""

    @staticmethod
    def forward(
        ctx: Any, dy: Tensor, w: Tensor, shape: torch.Size, geometry: Geometry, bias: Tensor | None = None
    ) -> Tensor:
        ctx.save_for_backward(dy, w)
        ctx.geometry = geometry
        return input_gradient(dy, w, shape, geometry, bias)

    @staticmethod
    def backward(ctx: Any, ddx: Tensor) -> tuple[Tensor | None, ...]:
        dy, w = ctx.saved_tensors
        ddy = _Output.apply(ddx, w, ctx.geometry) if ctx.needs_input_grad[0] else None
        dw = _WeightGradient.apply(ddx, dy, w.shape, ctx.geometry) if ctx.needs_input_grad[1] else None
        return ddy, dw, None, None, ddx.sum((0, 2, 3)) if ctx.needs_input_grad[4] else None


class _WeightGradient(torch.autograd.Function):
    """x (B, C, H, W), dy (B, O, H', W') to the gradient (O, C, K, K) of the weight."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, dy: Tensor, shape: torch.Size, geometry: Geometry) -> Tensor:
        ctx.save_for_backward(x, dy)
        ctx.geometry = geometry
        return weight_gradient(x, dy, shape, geometry)

    @staticmethod
    def backward(ctx: Any, ddw: Tensor) -> tuple[Tensor | None, ...]:
        x, dy = ctx.saved_tensors
        dx = _InputGradient.apply(dy, ddw, x.shape, ctx.geometry, None) if ctx.needs_input_grad[0] else None
        ddy = _Output.apply(x, ddw, ctx.geometry) if ctx.needs_input_grad[1] else None
        return dx, ddy, None, None


def output(x: Tensor, w: Tensor, geometry: Geometry) -> Tensor:
    """The convolution of x (B, C, H, W) with w (O, C, K, K): (B, O, H', W'), channels-last."""
    _, stride, padding = geometry
    height, width = _out_sides(x.shape, geometry)
    if height * width > MOST_POSITIONS:
        return torch.conv2d(x, w, None, stride, padding)
    rows = _patches(x, geometry) @ _matrix(w).t()
    return rows.view(len(x), height, width, -1).permute(0, 3, 1, 2)


def input_gradient(
    dy: Tensor, w: Tensor, shape: torch.Size | tuple[int, ...], geometry: Geometry, bias: Tensor | None = None
) -> Tensor:
    """The gradient (B, C, H, W) = `shape` of the input from that of the output, dy (B, O, H', W'), plus a bias (C,)."""
    kernel, stride, padding = geometry
    batch, channels, height, width = shape
    rows, columns = dy.shape[2:]
    if rows * columns > MOST_POSITIONS:
        extra = [side - ((out - 1) * stride - 2 * padding + kernel) for side, out in ((height, rows), (width, columns))]
        return torch.conv_transpose2d(dy, w, bias, stride, padding, extra)
    patches = (_rows(dy) @ _matrix(w)).view(batch, rows, columns, kernel, kernel, channels)
    dx = dy.new_zeros(batch, height + 2 * padding, width + 2 * padding, channels)
    for i in range(kernel):
        for j in range(kernel):
            dx[:, i : i + stride * rows : stride, j : j + stride * columns : stride] += patches[:, :, :, i, j]
    dx = dx[:, padding : padding + height, padding : padding + width]
    return (dx if bias is None else dx + bias).permute(0, 3, 1, 2)


def weight_gradient(x: Tensor, dy: Tensor, shape: torch.Size | tuple[int, ...], geometry: Geometry) -> Tensor:
    """The gradient (O, C, K, K) = `shape` of the weight from x (B, C, H, W) and dy (B, O, H', W')."""
    kernel, stride, padding = geometry
    outputs, channels = shape[:2]
    positions = dy.shape[2] * dy.shape[3]
    if positions > MOST_POSITIONS and not (dy.dtype == torch.bfloat16 and positions <= 4 * MOST_POSITIONS <= channels):
        like = x.new_empty(outputs, channels, kernel, kernel)
        _, dw, _ = torch.ops.aten.convolution_backward(
            dy, x, like, None, [stride] * 2, [padding] * 2, [1, 1], False, [0, 0], 1, [False, True, False]
        )
        return dw  # type: ignore[no-any-return]
    product = _rows(dy).t() @ _patches(x, geometry)
    return product.view(outputs, kernel, kernel, channels).permute(0, 3, 1, 2)


def _patches(x: Tensor, geometry: Geometry) -> Tensor:
    """(B, C, H, W) to the matrix (B * H' * W', K * K * C) of all windows."""
    kernel, stride, padding = geometry
    height, width = _out_sides(x.shape, geometry)
    padded = functional.pad(x.permute(0, 2, 3, 1), (0, 0, padding, padding, padding, padding)).contiguous()
    b, h, w, c = padded.stride()
    windows = padded.as_strided(
        (len(x), height, width, kernel, kernel, x.shape[1]), (b, h * stride, w * stride, h, w, c)
    )
    return windows.reshape(len(x) * height * width, -1)


def _matrix(w: Tensor) -> Tensor:
    """(O, C, K, K) to (O, K * K * C), a view where the weight is channels-last."""
    return w.permute(0, 2, 3, 1).reshape(len(w), -1)


def _rows(dy: Tensor) -> Tensor:
    """(B, O, H', W') to (B * H' * W', O), a view where dy is channels-last."""
    return dy.permute(0, 2, 3, 1).reshape(-1, dy.shape[1])


def _out_sides(shape: torch.Size, geometry: Geometry) -> tuple[int, int]:
    kernel, stride, padding = geometry
    return ((shape[2] + 2 * padding - kernel) // stride + 1, (shape[3] + 2 * padding - kernel) // stride + 1)


def _geometry(module: nn.Conv2d | nn.ConvTranspose2d) -> Geometry:
    padding = module.padding[0]
    assert isinstance(padding, int)
    return module.kernel_size[0], module.stride[0], padding


def _is_ours(x: Tensor) -> bool:
    """Only on the CPU; tracing and export see PyTorch's own."""
    return x.device.type == "cpu" and not torch._C._get_tracing_state() and not torch.compiler.is_compiling()


def _cast(x: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """What autocast would do for PyTorch's own convolution."""
    if torch.is_autocast_enabled("cpu"):
        dtype = torch.get_autocast_dtype("cpu")
        return x.to(dtype), weight.to(dtype)
    return x, weight
