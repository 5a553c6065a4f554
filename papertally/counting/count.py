"""Count any torch network: one image through it on the meta device, every operator seen where torch dispatches it.

So functional calls, attention, products of matrices and tensors' own methods count as modules do. What is counted is
what a forward pass runs, as terms that conventions weigh (conventions/axes.py); operators that no rule describes are
named with the elements that they put out, and never taken for nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any
from unittest import mock

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.weak import WeakTensorKeyDictionary

from papertally.counting.operators import ATTENTION, RULES, Call, attention, base_name, bound, is_free, is_pointwise

ATTEND = nn.functional.scaled_dot_product_attention
HEAD = {"fc": "head_fc", "fc_bias": "head_bias"}
#: What may follow a classifier.
AFTER = ("activation", "softmax")
#: Kinds of products whose result is an activation, whatever it was made of.
PRODUCTS = ("conv", "fc", "matmul", "embedding", "matmul@attention")


@dataclass(frozen=True)
class Counted:
    """Hold what one image takes: terms by name, parameters by kind, and the operators that no rule describes.

    params: learned numbers, shared ones once; parts: the same by the operators that use them (`unused`: by none), and
    `buffers`, which a checkpoint holds beside them; unknown: operator -> elements put out; device: what it ran on.
    """

    params: int
    terms: dict[str, int]
    parts: dict[str, int]
    unknown: dict[str, int] = field(default_factory=dict)
    device: str = "meta"


@dataclass(frozen=True)
class _Origin:
    """Say what a tensor was made of: the input, or parameters alone."""

    data: bool = False
    weights: frozenset[int] = frozenset()


class _Functions(TorchFunctionMode):
    """See calls of scaled_dot_product_attention whole: what they become inside differs between versions of torch."""

    def __init__(self, counter: OperatorCounter) -> None:
        super().__init__()
        self.counter = counter

    def __torch_function__(self, function: Any, types: Any, args: tuple = (), kwargs: Mapping | None = None) -> Any:
        kwargs = dict(kwargs or {})
        if function is nn.functional.multi_head_attention_forward:  # a mode is off inside the function that it sees
            with mock.patch.object(nn.functional, "scaled_dot_product_attention", self._attend):
                return function(*args, **kwargs)
        return self._attend(*args, **kwargs) if function is ATTEND else function(*args, **kwargs)

    def _attend(self, *args: Any, **kwargs: Any) -> Any:
        q, k, v = (*args, *(kwargs[n] for n in ("query", "key", "value")[len(args) :]))[:3]
        self.counter.add(attention(q, k, v))
        with self.counter.silent():
            return ATTEND(*args, **kwargs)


class OperatorCounter(TorchDispatchMode):
    """Sum up the terms of all operators that run inside."""

    def __init__(self, parameters: Sequence[Tensor], inputs: Sequence[Tensor]) -> None:
        super().__init__()
        self.terms: Counter[str] = Counter()
        self.unknown: Counter[str] = Counter()
        self.kinds: dict[int, str] = {}
        self.last: tuple[dict[str, int], frozenset[int]] | None = None
        self.used: set[int] = set()  # parameters of products
        self._quiet = 0
        self._origins = WeakTensorKeyDictionary()
        for x in inputs:
            self._origins[x] = _Origin(data=True)
        for i, parameter in enumerate(parameters):
            self._origins[parameter] = _Origin(weights=frozenset((i,)))

    @contextmanager
    def silent(self) -> Iterator[None]:
        """Count nothing inside."""
        self._quiet += 1
        try:
            yield
        finally:
            self._quiet -= 1

    def add(self, terms: Mapping[str, int]) -> None:
        """Add terms."""
        if not self._quiet:
            self.terms.update({name: n for name, n in terms.items() if n})

    def _origin(self, x: Any) -> _Origin:
        return self._origins.get(x, _Origin()) if isinstance(x, Tensor) else _Origin()

    def weight(self, x: Tensor) -> bool:
        """Tell whether a tensor was made of parameters alone."""
        found = self._origin(x)
        return bool(found.weights) and not found.data

    def __torch_dispatch__(self, operator: Any, types: Any, args: tuple = (), kwargs: Mapping | None = None) -> Any:
        kwargs = dict(kwargs or {})
        result = operator(*args, **kwargs)
        outs = [x for x in tree_leaves(result) if isinstance(x, Tensor)]
        given = [self._origin(x) for x in tree_leaves((args, kwargs)) if isinstance(x, Tensor)]
        name = base_name(operator)
        terms = self._count(operator, name, Call(name, bound(operator, args, kwargs), outs, self.weight), given)
        weights = frozenset().union(*(o.weights for o in given))
        data = any(o.data for o in given) or any(kind in PRODUCTS for kind in terms)
        if data:
            for i in weights:
                self.kinds.setdefault(i, "other")
        for x in outs:
            self._origins[x] = _Origin(data, frozenset() if data else weights)
        return result

    def _count(self, operator: Any, name: str, call: Call, given: list[_Origin]) -> Mapping[str, int]:
        """Add a call's terms and note which parameters it uses; returns the terms."""
        if not call.outs:
            return {}
        fixed = bool(given) and not any(o.data for o in given)
        if name in RULES:
            work = RULES[name](call)
            terms = work.terms
            if any(kind.partition("@")[0] not in AFTER for kind in terms):
                self.last = None
            self._note(call, terms, work.parameters)
            if fixed and not any(kind in PRODUCTS for kind in terms):  # the same for every image
                terms = {f"{kind.partition('@')[0]}@fixed": n for kind, n in terms.items()}
        elif name.startswith(ATTENTION):
            terms = attention(*[x for x in call.args.values() if isinstance(x, Tensor)][:3])
        elif is_free(operator, name) or not (call.out.dtype.is_floating_point or call.out.dtype.is_complex):
            return {}
        elif is_pointwise(operator):
            terms = {"elementwise@fixed" if fixed else "elementwise": call.out.numel()}
            self.last = None
            self._note(call, {}, {})
        else:
            if not self._quiet:
                self.unknown[name] += sum(x.numel() for x in call.outs)
            return {}
        self.add(terms)
        return terms

    def _note(self, call: Call, terms: Mapping[str, int], parameters: Mapping[str, str]) -> None:
        """Note the kind of every parameter that a call uses; an operator of weights says more than another."""
        used: set[int] = set()
        for argument, value in call.args.items():
            for i in self._origin(value).weights:
                kind = parameters.get(argument)
                if kind is not None and self.weight(value):
                    used.add(i)
                    self.kinds[i] = kind if self.kinds.get(i, "other") == "other" else self.kinds[i]
                else:
                    self.kinds.setdefault(i, "other")
        if "fc" in terms and used and not used & self.used:
            self.last = dict(terms), frozenset(used)
        self.used |= used

    def finish(self) -> None:
        """Name the classifier: a linear layer that is applied once and that nothing but a softmax follows."""
        if self.last:
            for kind, name in HEAD.items():
                if n := self.last[0].get(kind, 0):
                    self.terms[kind] -= n
                    self.terms[name] += n
            for i in self.last[1]:
                self.kinds[i] = HEAD.get(self.kinds[i], self.kinds[i])


@contextmanager
def _plain_kernels(device: str) -> Iterator[None]:
    """Let torch take its plain operators inside, not those that fuse several into one of their own."""
    fast, onednn = torch.backends.mha.get_fastpath_enabled(), torch._C._get_mkldnn_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    torch._C._set_mkldnn_enabled(onednn and device == "meta")
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
        torch._C._set_mkldnn_enabled(onednn)


def _run(module: nn.Module, inputs: Sequence[Tensor]) -> OperatorCounter:
    counter = OperatorCounter(list(dict.fromkeys(module.parameters())), inputs)
    with torch.no_grad(), _plain_kernels(inputs[0].device.type), _Functions(counter), counter:
        module(*inputs)
    counter.finish()
    return counter


def count_network(
    module: nn.Module, size: Sequence[int], device: str = "meta", dtype: torch.dtype = torch.float32
) -> Counted:
    """Return what one input of `size` (C, H, W) takes; a batch of one is added.

    The module is moved to `device`, meta by default, where nothing is computed. Raises what the module raises.
    """
    was_training = module.training
    module = moved(module, device)
    _set_mode(module, False)
    try:
        counter = _run(module, [torch.zeros(1, *size, device=device, dtype=dtype)])
    finally:
        _set_mode(module, was_training)
    return counted(module, counter, device)


def moved(module: nn.Module, device: str) -> nn.Module:
    """Move a module to a device; parameters that are one stay one, which a move to the meta device parts.

    Returns:
        The module.
    """
    places: dict[int, list[tuple[nn.Module, str]]] = {}
    for owner in module.modules():
        for name, parameter in owner.__dict__.get("_parameters", {}).items():
            if parameter is not None:
                places.setdefault(id(parameter), []).append((owner, name))
    tied = [found for found in places.values() if len(found) > 1]
    module = module.to(device)
    for (first, its_name), *others in tied:
        for owner, name in others:
            setattr(owner, name, getattr(first, its_name))
    return module


def _set_mode(module: nn.Module, training: bool) -> None:
    with suppress(NotImplementedError):  # an exported program has the mode that it was exported in
        module.train(training)


def counted(module: nn.Module, counter: OperatorCounter, device: str) -> Counted:
    """Return a run's count with the module's parameters by kind."""
    parts: Counter[str] = Counter()
    parameters = list(dict.fromkeys(module.parameters()))
    for i, parameter in enumerate(parameters):
        parts[counter.kinds.get(i, "unused")] += parameter.numel()
    learned = {id(p) for p in parameters}
    held = {id(x): x for x in module.state_dict(keep_vars=True).values() if isinstance(x, Tensor)}
    parts["buffers"] = sum(x.numel() for key, x in held.items() if key not in learned)
    return Counted(
        sum(p.numel() for p in parameters),
        {name: n for name, n in sorted(counter.terms.items()) if n},
        {name: n for name, n in sorted(parts.items()) if n},
        dict(sorted(counter.unknown.items())),
        device,
    )
