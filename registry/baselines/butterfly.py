"""Butterfly transform (BFT) in place of pointwise convolutions: Table 2's two BFT rows.

A butterfly of n channels is a product of sparse stages, one a prime factor p of n; each stage mixes p channels that lie
a stride apart, as in a mixed-radix FFT, so that every output meets every input along one path at a cost of
n * (sum of the primes). Unequal widths are covered by butterflies of size gcd(C_in, C_out).
"""

from __future__ import annotations

import math

from torch import Tensor, nn

from ..ops.factorized import ChannelShuffle


def prime_factors(n: int) -> list[int]:
    """Return the primes whose product is n, ascending."""
    out, p = [], 2
    while n > 1:
        while n % p == 0:
            out.append(p)
            n //= p
        p += 1
    return out


class ButterflyPointwise(nn.Module):
    """Map (N, C_in, H, W) to (N, C_out, H, W) by butterflies of n = gcd(C_in, C_out) channels.

    Every output block of n sums one butterfly of every input block. Dense where n is 1.
    """

    def __init__(self, cin: int, cout: int) -> None:
        super().__init__()
        n = math.gcd(cin, cout)
        self.ins, self.outs, self.size = cin // n, cout // n, n
        wide = self.ins * self.outs * n
        primes = prime_factors(n)
        if not primes:
            self.stages = nn.Sequential(nn.Conv2d(cin, cout, 1, bias=False))
            return
        stages: list[nn.Module] = []
        for p in primes:
            conv = nn.Conv2d(wide, wide, 1, groups=wide // p, bias=False)
            nn.init.normal_(conv.weight, std=p**-0.5)
            # Rotating the digits of the channel's mixed-radix number brings the next prime's channels together.
            stages += [conv, _Rotate(n, p)]
        self.stages = nn.Sequential(*stages)

    def forward(self, x: Tensor) -> Tensor:
        if self.size == 1:
            return self.stages(x)
        n, _, h, w = x.shape
        y = self.stages(x.repeat(1, self.outs, 1, 1))
        return y.view(n, self.outs, self.ins, self.size, h, w).sum(2).reshape(n, -1, h, w) * self.ins**-0.5


class _Rotate(nn.Module):
    """Move the fastest digit (radix p) of each n-channel block's index to the slowest place."""

    def __init__(self, n: int, p: int) -> None:
        super().__init__()
        self.n, self.shuffle = n, ChannelShuffle(n // p)

    def forward(self, x: Tensor) -> Tensor:
        b, c, h, w = x.shape
        return self.shuffle(x.reshape(b * c // self.n, self.n, h, w)).reshape(b, c, h, w)


def butterfly_mobilenetv3(width: float = 0.5, classes: int = 1000) -> nn.Module:
    """Build MobileNetV3-small whose blocks' pointwise convolutions are butterflies."""
    from .mobilenetv3 import mobilenetv3_small

    net = mobilenetv3_small(width, classes=classes)
    for block in net.blocks.modules():
        for name in ("conv_pw", "conv_pwl"):
            conv = getattr(block, name, None)
            if isinstance(conv, nn.Conv2d):
                setattr(block, name, ButterflyPointwise(conv.in_channels, conv.out_channels))
    return net


def butterfly_shufflenetv2(channels: tuple[int, int, int], classes: int = 1000) -> nn.Module:
    """Build ShuffleNetV2 whose units' pointwise convolutions are butterflies, at the given stage widths."""
    from .shufflenet import ShuffleNetV2

    return ShuffleNetV2(channels, pointwise=ButterflyPointwise, classes=classes)
