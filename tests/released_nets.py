"""The released networks, restated: an oracle that draws random weights under the released names.

Every number is from the public code at ed89b26: ROWS from backbone/microconfig.py, SETTINGS from scripts/eval_*.sh,
which the training scripts repeat.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

#: stride, out, k, e1, e2, expand groups, groups | squeeze, g3, g4 | y1, y2, y3, ratio of the released tables.
ROWS = {
    "4M": (
        (4, 2),
        640,
        [
            (2, 8, 3, 2, 2, 0, 4, 8, 2, 2, 2, 0, 1, 1),
            (2, 12, 3, 2, 2, 0, 8, 12, 4, 4, 2, 2, 1, 1),
            (2, 16, 5, 2, 2, 0, 12, 16, 4, 4, 2, 2, 1, 1),
            (1, 32, 5, 1, 4, 4, 4, 32, 4, 4, 2, 2, 1, 1),
            (2, 64, 5, 1, 4, 8, 8, 64, 8, 8, 2, 2, 1, 1),
            (1, 96, 3, 1, 4, 8, 8, 96, 8, 8, 2, 2, 1, 2),
            (1, 384, 3, 1, 4, 12, 12, 0, 0, 0, 2, 2, 1, 2),
        ],
    ),
    "21M": (
        (12, 4),
        1024,
        [
            (2, 16, 3, 2, 2, 0, 12, 16, 4, 4, 0, 2, 0, 1),
            (2, 24, 3, 2, 2, 0, 16, 24, 4, 4, 0, 2, 0, 1),
            (1, 24, 3, 2, 2, 0, 24, 24, 4, 4, 0, 2, 0, 1),
            (2, 32, 5, 1, 6, 6, 6, 32, 4, 4, 0, 2, 0, 1),
            (1, 32, 5, 1, 6, 8, 8, 32, 4, 4, 0, 2, 0, 2),
            (1, 64, 5, 1, 6, 8, 8, 48, 8, 8, 0, 2, 0, 2),
            (1, 80, 5, 1, 6, 8, 8, 80, 8, 8, 0, 2, 0, 2),
            (1, 80, 5, 1, 6, 10, 10, 80, 8, 8, 0, 2, 0, 2),
            (2, 120, 5, 1, 6, 10, 10, 120, 10, 10, 0, 2, 0, 2),
            (1, 120, 5, 1, 6, 12, 12, 120, 10, 10, 0, 2, 0, 2),
            (1, 144, 3, 1, 6, 12, 12, 144, 12, 12, 0, 2, 0, 2),
            (1, 864, 3, 1, 6, 12, 12, 0, 0, 0, 0, 2, 0, 2),
        ],
    ),
    "6M": (
        (6, 3),
        960,
        [
            (2, 8, 3, 2, 2, 0, 6, 8, 2, 2, 2, 0, 1, 1),
            (2, 16, 3, 2, 2, 0, 8, 16, 4, 4, 2, 2, 1, 1),
            (2, 16, 5, 2, 2, 0, 16, 16, 4, 4, 2, 2, 1, 1),
            (1, 32, 5, 1, 6, 4, 4, 32, 4, 4, 2, 2, 1, 1),
            (2, 64, 5, 1, 6, 8, 8, 64, 8, 8, 2, 2, 1, 1),
            (1, 96, 3, 1, 6, 8, 8, 96, 8, 8, 2, 2, 1, 2),
            (1, 576, 3, 1, 6, 12, 12, 0, 0, 0, 2, 2, 1, 2),
        ],
    ),
    "12M": (
        (8, 4),
        1024,
        [
            (2, 12, 3, 2, 2, 0, 8, 12, 4, 4, 2, 0, 1, 1),
            (2, 16, 3, 2, 2, 0, 12, 16, 4, 4, 2, 2, 1, 1),
            (1, 24, 3, 2, 2, 0, 16, 24, 4, 4, 2, 2, 1, 1),
            (2, 32, 5, 1, 6, 6, 6, 32, 4, 4, 2, 2, 1, 1),
            (1, 32, 5, 1, 6, 8, 8, 32, 4, 4, 2, 2, 1, 2),
            (1, 64, 5, 1, 6, 8, 8, 64, 8, 8, 2, 2, 1, 2),
            (2, 96, 5, 1, 6, 8, 8, 96, 8, 8, 2, 2, 1, 2),
            (1, 128, 3, 1, 6, 12, 12, 128, 8, 8, 2, 2, 1, 2),
            (1, 768, 3, 1, 6, 16, 16, 0, 0, 0, 2, 2, 1, 2),
        ],
    ),
}


#: ACT_MAX, INIT_A, INIT_B, INIT_A_BLOCK3, DROPOUT. Pieces' coefficients of x get INIT_A, those of shifted x INIT_B, and
#: in activations of one piece INIT_A_BLOCK3's two numbers.
SETTINGS = {
    "4M": (2.0, (1.0, 1.0), (0.0, 0.0), (1.0, 0.0), 0.05),
    "6M": (2.0, (1.0, 1.0), (0.0, 0.0), (1.0, 0.0), 0.05),
    "12M": (2.0, (1.0, 1.0), (0.0, 0.0), (1.0, 0.0), 0.1),
    "21M": (2.0, (1.0, 0.5), (0.0, 0.5), (1.0, 0.0), 0.1),
}


class Released:
    """Run the released network, drawing each weight under its released name when it is first asked for.

    training: BatchNorm by the batch, running statistics updated in `state`, dropout before the last layer.
    """

    def __init__(self, size: str, dtype: torch.dtype = torch.float32) -> None:
        (self.stem, self.squeeze), self.hidden, self.rows = ROWS[size]
        self.act_max, self.init_a, self.init_b, self.init_block3, self.dropout = SETTINGS[size]
        self.state: dict[str, Tensor] = {}
        self.dtype, self.training = dtype, False
        self.random = torch.Generator().manual_seed(7)

    def draw(self, name: str, *shape: int, low: float = -0.4, high: float = 0.4) -> Tensor:
        if name not in self.state:
            self.state[name] = torch.empty(*shape).uniform_(low, high, generator=self.random).to(self.dtype)
        return self.state[name]

    def norm(self, x: Tensor, name: str) -> Tensor:
        c = x.shape[1]
        weight, bias = self.draw(f"{name}.weight", c, low=0.5, high=1.5), self.draw(f"{name}.bias", c)
        mean, var = self.draw(f"{name}.running_mean", c), self.draw(f"{name}.running_var", c, low=0.5, high=1.5)
        self.state.setdefault(f"{name}.num_batches_tracked", torch.tensor(5))
        return F.batch_norm(x, mean, var, weight, bias, self.training)

    def conv(self, x: Tensor, name: str, out: int, k: tuple[int, int], stride: tuple[int, int], groups: int) -> Tensor:
        weight = self.draw(f"{name}.weight", out, x.shape[1] // groups, *k)
        return F.conv2d(x, weight, None, stride, (k[0] // 2, k[1] // 2), 1, groups)

    def linear(self, x: Tensor, name: str, out: int) -> Tensor:
        return F.linear(x, self.draw(f"{name}.weight", out, x.shape[1]), self.draw(f"{name}.bias", out))

    @staticmethod
    def shuffle(x: Tensor, groups: int) -> Tensor:
        n, c, h, w = x.shape
        return x.view(n, groups, c // groups, h, w).transpose(1, 2).reshape(n, c, h, w)

    def activate(self, x: Tensor, name: str, groups: int, pieces: int, reduction: int) -> Tensor:
        c = x.shape[1]
        base = c // reduction
        width = max(4, (base + 2) // 4 * 4)
        width += 4 if width < 0.9 * base else 0
        y = F.relu(self.linear(x.mean((2, 3)), f"{name}.fc.0", width))
        y = F.hardsigmoid(self.linear(y, f"{name}.fc.2", c * 2 * pieces))
        a = ((y - 0.5) * self.act_max * 2).view(-1, 2 * pieces, c, 1, 1)
        # at the squeeze and the last expansion another pair of constants serves than elsewhere
        init_a, init_b = (self.init_a, self.init_b) if pieces == 2 else zip(self.init_block3)
        size = c // groups
        order = [((g + 1) % groups) * size + (i + 1) % size for g in range(groups) for i in range(size)]
        sums = [x * (a[:, 2 * p] + init_a[p]) + x[:, order] * (a[:, 2 * p + 1] + init_b[p]) for p in range(pieces)]
        return torch.stack(sums).amax(0)

    def __call__(self, x: Tensor) -> Tensor:
        p = "features.0.stem.0.conv"
        x = self.norm(self.conv(x, f"{p}.0", self.squeeze, (3, 1), (2, 1), 1), f"{p}.1")
        x = self.norm(self.conv(x, f"{p}.2", self.stem, (1, 3), (1, 2), self.squeeze), f"{p}.3")
        x = F.relu6(self.shuffle(x, self.squeeze))
        for number, row in enumerate(self.rows, start=1):
            stride, out, k, e1, e2, expand, g2, narrow, g3, g4, y1, y2, y3, ratio = row
            p, inp, skip = f"features.{number}.layers", x.shape[1], x
            if narrow == 0:
                x = self.last(x, p, out, expand, g2, ratio if y3 else 0)
                continue
            if expand == 0:
                x = self.norm(self.conv(x, f"{p}.0.conv.0", inp * e1, (k, 1), (stride, 1), inp), f"{p}.0.conv.1")
                x = self.norm(
                    self.conv(x, f"{p}.0.conv.2", inp * e1 * e2, (1, k), (1, stride), inp * e1), f"{p}.0.conv.3"
                )
                x = self.activate(x, f"{p}.1", g2, y2, 8 * ratio) if y2 else F.relu6(x)
                x = self.shuffle(x, g2)
                x = self.shuffle(x, x.shape[1] // 2) if y2 else x
                squeeze, act = f"{p}.4", f"{p}.5"
            else:
                hidden = inp * e2
                x = self.norm(self.conv(x, f"{p}.0.conv.0", hidden, (1, 1), (1, 1), expand), f"{p}.0.conv.1")
                x = self.activate(x, f"{p}.1", g2, y1, 8 * ratio) if y1 else F.relu6(x)
                x = self.shuffle(x, g2)
                x = self.norm(self.conv(x, f"{p}.3.conv.0", hidden, (k, 1), (stride, 1), hidden), f"{p}.3.conv.1")
                x = self.norm(self.conv(x, f"{p}.3.conv.2", hidden, (1, k), (1, stride), hidden), f"{p}.3.conv.3")
                x = self.activate(x, f"{p}.5", hidden // g2, y2, 8 * ratio) if y2 else F.relu6(x)
                if y1 or y2:
                    x = self.shuffle(x, hidden // (4 if y1 and y2 else 2))
                squeeze, act = f"{p}.7", f"{p}.8"
            x = self.norm(self.conv(x, f"{squeeze}.conv.0", out, (1, 1), (1, 1), g3), f"{squeeze}.conv.1")
            x = self.activate(x, act, g4, 1, 4 * ratio) if y3 else x
            x = self.shuffle(x, g4)
            x = self.shuffle(x, out // 2) if y3 else x
            if stride == 1 and inp == out:
                x = x + skip
        x = F.hardswish(F.relu6(x).mean((2, 3)))
        x = F.hardswish(self.norm(self.linear(x, "classifier.0.linear.0", self.hidden), "classifier.0.linear.1"))
        x = F.dropout(x, self.dropout, self.training)
        return F.hardswish(self.norm(self.linear(x, "classifier.2.linear.0", 1000), "classifier.2.linear.1"))

    def last(self, x: Tensor, p: str, out: int, expand: int, g2: int, ratio: int) -> Tensor:
        x = self.norm(self.conv(x, f"{p}.0.conv.0", out, (1, 1), (1, 1), expand), f"{p}.0.conv.1")
        return self.activate(x, f"{p}.1", g2, 1, 8 * ratio) if ratio else x
