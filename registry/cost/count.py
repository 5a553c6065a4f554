"""Closed-form cost: terms that operators declare; conventions (papertally/conventions/axes.py) weigh them into MAdds.

An operator never decides what counts. It lists what it computes (`Term`s), and a convention, stated once and applied to
every model, turns terms into multiply-adds.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from ..strict import zip_strict

#: Applications of weights, which every convention and every generic counter counts.
WEIGHTS = ("conv", "fc", "head_fc")
#: Every kind of work that a term can name; `count` is multiply-adds for conv and fc kinds, elements otherwise.
KINDS = (
    "conv",  # multiply-adds of a convolution's weights
    "fc",  # weights of a fully connected layer inside a dynamic activation or an attention
    "fc_bias",  # biases of those layers
    "head_fc",  # weights of the classifier's fully connected layers
    "head_bias",  # biases of the classifier
    "relu",  # elements through a ReLU-like activation (site tells where)
    "shift_max",  # elements through Shift-Max, static or dynamic (j, k)
    "dynamic_relu",  # elements through Dynamic ReLU (k pieces)
    "conv_bias",  # elements to which a convolution adds a bias
    "batch_norm",  # elements through a BatchNorm
    "pool",  # elements that an average or maximum is taken over
    "activation",  # elements through any other element-wise function on a feature map
)


def term_name(kind: str, site: str = "", j: int = 1, k: int = 1) -> str:
    """Return a term's name, as conventions/axes.py reads it: kind, @site where it has one, :JxK beyond 1 x 1."""
    return kind + (f"@{site}" if site else "") + (f":{j}x{k}" if (j, k) != (1, 1) else "")


@dataclass(frozen=True)
class Term:
    """Name one piece of work: its kind, how often, where (site) and, for Shift-Max, J and K (Eq. 5)."""

    kind: str
    count: int
    site: str = ""
    j: int = 1
    k: int = 1

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"unknown cost kind {self.kind!r}; known: {', '.join(KINDS)}")


@dataclass(frozen=True)
class Cost:
    """Hold learned parameters (count) and the work of one image (terms); costs add up with `+` and `sum`."""

    params: int = 0
    terms: tuple[Term, ...] = field(default=())

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.params + other.params, self.terms + other.terms)

    def __radd__(self, other: int | Cost) -> Cost:
        return self if other == 0 else self.__add__(other)  # type: ignore[arg-type]

    def plain_madds(self) -> int:
        """Return multiply-adds for one image with nothing fitted.

        One per weight application of convolutions and fully connected layers and per element of a ReLU, K per element
        of Dynamic ReLU, J * K per element of Shift-Max: the member `plain` of papers/micronet/conventions.yaml.
        """
        price = {"relu": lambda t: 1, "dynamic_relu": lambda t: t.k, "shift_max": lambda t: t.j * t.k}
        return self.convs_and_linears() + sum(t.count * price[t.kind](t) for t in self.terms if t.kind in price)

    def named(self) -> dict[str, int]:
        """Return the terms' counts by name, as evidence holds them; nothing of count 0."""
        return {term_name(*key): n for key, n in sorted(self.by_kind().items())}

    def by_kind(self) -> dict[tuple[str, str, int, int], int]:
        """Return counts summed over equal (kind, site, J, K), for comparing two ways of counting."""
        out: dict[tuple[str, str, int, int], int] = {}
        for t in self.terms:
            key = (t.kind, t.site, t.j, t.k)
            out[key] = out.get(key, 0) + t.count
        return {key: n for key, n in out.items() if n}

    def convs_and_linears(self) -> int:
        """Return multiply-adds of convolution and fully connected weights alone (what generic counters see)."""
        return sum(t.count for t in self.terms if t.kind in WEIGHTS)


def conv2d_cost(
    cin: int, cout: int, kernel: tuple[int, int], out_size: tuple[int, int], groups: int = 1, bias: bool = False
) -> Cost:
    """Return the cost of a 2-D convolution whose output is `out_size` (height, width)."""
    weights, positions = kernel[0] * kernel[1] * (cin // groups) * cout, out_size[0] * out_size[1]
    terms = (Term("conv", weights * positions), Term("conv_bias", cout * positions if bias else 0))
    return Cost(weights + (cout if bias else 0), terms)


def batch_norm_cost(channels: int, size: tuple[int, int] = (1, 1)) -> Cost:
    """Return the cost of a BatchNorm on a map of `size`: two parameters a channel."""
    return Cost(2 * channels, (Term("batch_norm", channels * size[0] * size[1]),))


def pool_cost(channels: int, size: tuple[int, int]) -> Cost:
    """Return the cost of averaging a map of `size` to one value a channel."""
    return Cost(0, (Term("pool", channels * size[0] * size[1]),))


def linear_cost(cin: int, cout: int, head: bool = False) -> Cost:
    """Return the cost of a fully connected layer with bias, inside an activation or (head) a classifier."""
    kind = "head_fc" if head else "fc"
    bias = "head_bias" if head else "fc_bias"
    return Cost(cin * cout + cout, (Term(kind, cin * cout), Term(bias, cout)))


def conv_out(size: tuple[int, int], kernel: tuple[int, int], stride: tuple[int, int]) -> tuple[int, int]:
    """Return the output (height, width) of a convolution padded by kernel // 2."""
    h, w = ((n + 2 * (k // 2) - k) // s + 1 for n, k, s in zip_strict(size, kernel, stride))
    return h, w


def total(costs: Iterable[Cost]) -> Cost:
    """Return the sum of several costs."""
    return sum(costs, Cost())
