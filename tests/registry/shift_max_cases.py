"""Random inputs of Shift-Max that the tests of its forms share."""

from __future__ import annotations

import torch


def case(shape, dtype=torch.float32):
    """Return x (N, C, *pixels), coefficients and an output gradient.

    ties: pieces are equal, where halves of the gradient are shared out.
    """
    generator = torch.Generator().manual_seed(shape["seed"])
    channels = shape["groups"] * shape["width"]
    x = torch.randn(shape["batch"], channels, *shape.get("pixels", (3, 4)), generator=generator).to(dtype)
    a = torch.randn(
        1 if shape["shared"] else shape["batch"], shape["k"], shape["j"], channels, generator=generator
    ).to(dtype)  # fmt: skip
    if shape["ties"]:
        x[:, 0] = 0
        a[:, -1] = a[:, 0]
    return x.requires_grad_(), a.requires_grad_(), torch.randn(x.shape, generator=generator).to(dtype)
