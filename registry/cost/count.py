"""Closed-form cost: terms that operators declare, and the two named rules that weigh them into MAdds.

An operator never decides what counts. It lists what it computes (`Term`s), and a `CountingRule`, stated once
here and applied to every model, turns terms into multiply-adds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from ..strict import zip_strict

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
)


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

    def madds(self, rule: str = "plain") -> int:
        """Return multiply-adds for one image under the counting rule of that name."""
        try:
            weigh = RULES[rule].weigh
        except KeyError:
            raise ValueError(f"unknown counting rule {rule!r}; known: {', '.join(RULES)}") from None
        return sum(weigh(term) for term in self.terms)

    def by_kind(self) -> dict[tuple[str, str, int, int], int]:
        """Return counts summed over equal (kind, site, J, K), for comparing two ways of counting."""
        out: dict[tuple[str, str, int, int], int] = {}
        for t in self.terms:
            key = (t.kind, t.site, t.j, t.k)
            out[key] = out.get(key, 0) + t.count
        return {key: n for key, n in out.items() if n}

    def convs_and_linears(self) -> int:
        """Return multiply-adds of convolution and fully connected weights alone (what generic counters see)."""
        return sum(t.count for t in self.terms if t.kind in ("conv", "fc", "head_fc"))


@dataclass(frozen=True)
class CountingRule:
    """Name a rule and weigh a term with it; `statement` is what the report prints."""

    name: str
    statement: str
    weigh: Callable[[Term], int]


def _plain(t: Term) -> int:
    if t.kind == "shift_max":
        return t.j * t.k * t.count
    if t.kind == "dynamic_relu":
        return t.k * t.count
    if t.kind in ("fc_bias", "head_bias"):
        return 0
    return t.count


#: Sites whose activation is followed by nothing else: the bottleneck (A2) and the last expansion.
LINEAR_SITES = ("A2", "last")


def _rule_s(t: Term) -> int:
    if t.kind == "relu":
        return t.count if t.site in ("A1", "A3") else 0
    if t.kind == "shift_max":
        per_element = max(1, t.j * t.k - 1) if t.site in LINEAR_SITES else t.j * t.k - 1
        return per_element * t.count
    if t.kind == "dynamic_relu":
        return t.k * t.count
    return 0 if t.kind == "head_bias" else t.count


RULES: dict[str, CountingRule] = {
    rule.name: rule
    for rule in (
        CountingRule(
            "plain",
            "Nothing fitted: one per weight application of convolutions and fully connected layers, one per "
            "element of a ReLU or ReLU6 on a feature map (MicroNets: stem and A1-A3), K per element of Dynamic ReLU, "
            "J*K per element of Shift-Max. Biases, "
            "BatchNorm, pooling, shuffles, skips and the classifier's element-wise functions are not counted.",
            _plain,
        ),
        CountingRule(
            "S",
            "Fitted to Table 2-7's MicroNet-M1 cells, shown beside the plain rule, never as the paper's: "
            "convolutions, fully connected weights, biases of the dynamic layers; ReLU one per element at A1 "
            "and A3 only; Shift-Max J*K-1 per element at A1 and A3, max(1, J*K-1) at A2 and the last expansion; "
            "Dynamic ReLU K per element. BatchNorm, pooling, classifier biases and the stem's ReLU are not counted.",
            _rule_s,
        ),
    )
}


def conv2d_cost(
    cin: int, cout: int, kernel: tuple[int, int], out_size: tuple[int, int], groups: int = 1, bias: bool = False
) -> Cost:
    """Return the cost of a 2-D convolution whose output is `out_size` (height, width)."""
    weights = kernel[0] * kernel[1] * (cin // groups) * cout
    return Cost(weights + (cout if bias else 0), (Term("conv", weights * out_size[0] * out_size[1]),))


def batch_norm_cost(channels: int) -> Cost:
    """Return a BatchNorm's two parameters a channel; both rules fold its arithmetic into the convolution."""
    return Cost(2 * channels)


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
