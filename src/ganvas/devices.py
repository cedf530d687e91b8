"""How arrays reach the device that computes with them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch
    from torch import Tensor


def sent(rows: np.ndarray, device: torch.device | str = "cpu") -> Tensor:
    """The array as a tensor there, of the same type; on the CPU in the same memory.

    To a GPU it travels from pinned memory, in line behind what the GPU has been asked for. From other memory the host
    may have to wait until its turn has come, and so for the whole step before, where it could gather the next batch.
    """
    import torch

    tensor = torch.from_numpy(rows)
    if torch.device(device).type == "cuda":
        tensor = tensor.pin_memory()
    return tensor.to(device, non_blocking=True)
