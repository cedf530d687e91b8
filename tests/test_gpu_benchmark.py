"""What benchmarks/gpu.py counts, and that a row that fails takes no other with it. Its parts are tried on a GPU, or by
`python -m benchmarks.gpu --device cpu --tiny`."""

from __future__ import annotations

import time

import pytest
import torch
from benchmarks import gpu
from torch import Tensor, nn


@pytest.mark.parametrize(
    ("name", "arithmetic"),
    [
        ("sm90_xmma_wgrad_implicit_gemm_bf16bf16_bf16f32", True),
        ("void cutlass::Kernel2<cutlass_80_tensorop_bf16_s16816gemm>", True),
        ("nvjet_tst_128x64_64x8_2x1_v_bz_TNT", True),
        ("aten::mm", True),
        ("aten::addmm", True),
        ("aten::mkldnn_convolution", True),
        ("void at::native::elementwise_kernel<128, 4, leaky_relu>", False),
        ("void cudnn::ops::nchwToNhwcKernel<float>", False),
        ("void at::native::convert_element", False),
        ("Memcpy HtoD (Pinned -> Device)", False),
        ("aten::copy_", False),
    ],
)
def test_convolutions_and_products_are_known_by_their_names(name: str, arithmetic: bool) -> None:
    assert gpu.is_arithmetic(name) == arithmetic


def test_time_in_which_two_kernels_run_counts_once() -> None:
    assert gpu.covered([(5.0, 7.0), (0.0, 2.0), (1.0, 3.0), (1.5, 1.7)]) == 5.0
    assert gpu.covered([]) == 0


def test_a_row_that_fails_or_is_late_is_a_line_and_the_others_are_made(capsys: pytest.CaptureFixture[str]) -> None:
    def fails() -> list[str]:
        raise RuntimeError("no such\nkernel")

    gpu.show("speed", ["recipe", "rate"], [("one", fails), ("two", lambda: ["two", "7"])], time.monotonic() + 60)
    assert capsys.readouterr().out.splitlines()[-4:] == [
        "|---|---|", "| two | 7 |", "", "failed: one: RuntimeError: no such kernel",
    ]  # fmt: skip
    gpu.show("speed", ["recipe"], [("two", lambda: ["two"])], time.monotonic() - 1)
    assert "left out, as the time is over: two" in capsys.readouterr().out


def test_penalties_are_not_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    class Critic(nn.Linear):
        def forward(self, input: Tensor) -> Tensor:
            return super().forward(input)

    monkeypatch.setattr(torch, "compile", lambda forward, mode: lambda *given: forward(*given) + 1000)
    recipe = nn.ModuleDict({"critic": Critic(2, 1)})
    gpu.compiled(recipe, "default")
    samples = torch.zeros(3, 2)
    assert (recipe["critic"](samples) < 100).all()
    with torch.autocast("cpu", torch.bfloat16):
        assert (recipe["critic"](samples) > 100).all()
