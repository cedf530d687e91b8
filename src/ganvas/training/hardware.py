"""What the machine has: the device, the precision that suits it, and memory that is not given back too soon."""

from __future__ import annotations

import ctypes
import os
import platform
from typing import TypeVar

import torch
from torch import nn

from ganvas.errors import UsageError
from ganvas.spaces import Space
from ganvas.text import cut, shown
from ganvas.training.processes import Processes


def pick_device(name: str, processes: Processes) -> torch.device:
    """`auto` takes CUDA, then MPS, then the CPU; under torchrun, each process its own CUDA device.

    Raises UsageError for a device that is unknown or not there.
    """
    if name == "auto":
        if torch.cuda.is_available():
            name = f"cuda:{os.environ.get('LOCAL_RANK', '0')}"
        else:
            name = "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0]
        raise UsageError(
            f"--device {cut(shown(name))} cannot be used here ({cut(shown(reason))}); try --device auto"
        ) from error
    if device.type == "cuda":
        if ":" not in name:
            device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
        torch.cuda.set_device(device)
    return device


def pick_precision(name: str, device: torch.device, space: Space) -> str:
    """`auto` is bf16 where the samples bear it and the hardware multiplies it natively, float32 otherwise."""
    if name != "auto":
        return name
    return "bf16" if space.precision == "bf16" and has_native_bf16(device) else "float32"


_Module = TypeVar("_Module", bound=nn.Module)


def channels_last(module: _Module) -> _Module:
    """The module with its 4-D weights and buffers channels-last in memory, which makes convolutions of images quicker;
    those of other ranks are left alone."""
    for tensor in (*module.parameters(), *module.buffers()):
        if tensor.dim() == 4:
            tensor.data = tensor.data.contiguous(memory_format=torch.channels_last)
    return module


def has_native_bf16(device: torch.device) -> bool:
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    if device.type == "cpu":
        return bool(torch.cpu._is_avx512_bf16_supported()) or bool(torch.cpu._is_amx_tile_supported())
    return False


def keep_freed_memory() -> None:
    """Asks glibc to keep large freed blocks for the next step instead of returning them to the system.

    A training step frees and allocates the same large tensors again and again; by default each of them is a fresh
    mapping, and the kernel zeroes its pages at first touch. Measured in `benchmarks/throughput.py`. Elsewhere than on
    glibc this does nothing.
    """
    if platform.libc_ver()[0] != "glibc":
        return
    libc = ctypes.CDLL(None)
    m_trim_threshold, m_mmap_threshold = -1, -3
    libc.mallopt(m_mmap_threshold, 1 << 30)
    libc.mallopt(m_trim_threshold, (1 << 31) - 1)


def describe(device: torch.device) -> str:
    """The device in words, for the plan and the report."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{device.type}, {torch.get_num_threads()} threads, {platform.machine()}"
