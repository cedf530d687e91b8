"""Where networks keep to float32."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch


def exactly(device: torch.device) -> AbstractContextManager[object]:
    """Inside, nothing is cast to bf16."""
    known = torch.amp.is_autocast_available(device.type)  # `meta` knows no autocast
    return torch.autocast(device.type, enabled=False) if known else nullcontext()
