"""Count a real module's cost with hooks on one forward pass: the independent side of the closed forms."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ..baselines.weightnet import GeneratedConv2d
from ..classification.models import ClassificationHead, NetClassifier
from ..ops.activations import DynamicReLU
from ..ops.dynamic import DynamicConv2d
from ..ops.shift_max import DynamicShiftMax, HyperFunction, SiteReLU, StaticShiftMax
from .count import Cost, Term

#: Layers that average or maximize over positions; timm's squeeze-and-excitation does so by a tensor's method.
POOLS = (nn.AdaptiveAvgPool2d, nn.AvgPool2d, nn.MaxPool2d, HyperFunction, ClassificationHead)
POOL_NAMES = ("SqueezeExcite", "SEModule")
#: Element-wise functions other than ReLU.
ACTIVATIONS = (nn.Hardswish, nn.SiLU, nn.GELU, nn.ELU, nn.LeakyReLU, nn.PReLU, nn.Sigmoid, nn.Hardsigmoid, nn.Tanh)


def trace_cost(module: nn.Module, input_size: Sequence[int] = (3, 224, 224)) -> Cost:
    """Return the cost of one image of `input_size` (C, H, W) by running it; parameters are counted from tensors.

    Convolutions and fully connected layers are counted from their weights and real output shapes, activations from
    the elements that pass through them. A module on the meta device is counted without any arithmetic.
    """
    terms: list[Term] = []
    heads = {id(m) for h in module.modules() if isinstance(h, ClassificationHead) for m in h.modules()}
    if isinstance(module, NetClassifier):  # a baseline ends in its classifier
        heads.add(id([m for m in module.modules() if isinstance(m, nn.Linear)][-1]))

    def conv(m: nn.Conv2d, _: object, out: Tensor) -> None:
        terms.append(Term("conv", m.weight.numel() * out.shape[2] * out.shape[3]))
        terms.append(Term("conv_bias", 0 if m.bias is None else out[0].numel()))

    def norm(m: nn.Module, _: object, out: Tensor) -> None:
        terms.append(Term("batch_norm", out[0].numel()))

    def pool(m: nn.Module, args: tuple[Tensor, ...], _: object) -> None:
        terms.append(Term("pool", args[0][0].numel()))

    def element_wise(m: nn.Module, _: object, out: Tensor) -> None:
        if out.dim() == 4 and out.shape[2] * out.shape[3] > 1:
            terms.append(Term("activation", out[0].numel(), "body"))

    def linear(m: nn.Linear, _: object, out: Tensor) -> None:
        kind = "head_fc" if id(m) in heads else "fc"
        terms.append(Term(kind, m.weight.numel()))
        terms.append(Term("head_bias" if id(m) in heads else "fc_bias", 0 if m.bias is None else m.bias.numel()))

    def generated(m: GeneratedConv2d, _: object, out: Tensor) -> None:
        terms.append(Term("fc", m.weight.numel()))
        weights = m.kernel**2 * (m.cin // m.groups) * m.cout
        terms.append(Term("conv", weights * out.shape[2] * out.shape[3]))

    def dynamic_conv(m: DynamicConv2d, _: object, out: Tensor) -> None:
        terms.append(Term("fc", m.weight.numel()))  # mixing K kernels
        weights = m.weight[0].numel()
        terms.append(Term("conv", weights * out.shape[2] * out.shape[3]))

    def body_relu(m: nn.Module, _: object, out: Tensor) -> None:
        if out.dim() == 4 and out.shape[2] * out.shape[3] > 1:  # not the ReLU inside an attention's vector
            terms.append(Term("relu", out[0].numel(), "body"))

    def activation(m: nn.Module, _: object, out: Tensor) -> None:
        n = out[0].numel()
        if isinstance(m, SiteReLU):
            terms.append(Term("relu", n, m.site))
        elif isinstance(m, DynamicReLU):
            terms.append(Term("dynamic_relu", n, m.site, 1, m.k))
        else:
            terms.append(Term("shift_max", n, m.site, m.j, m.k))

    handles = []
    for m in module.modules():
        hook = None
        if isinstance(m, POOLS) or type(m).__name__ in POOL_NAMES:
            handles.append(m.register_forward_hook(pool))
        if isinstance(m, nn.Conv2d):
            hook = conv
        elif isinstance(m, nn.Linear):
            hook = linear
        elif isinstance(m, GeneratedConv2d):
            hook = generated
        elif isinstance(m, DynamicConv2d):
            hook = dynamic_conv
        elif isinstance(m, (nn.BatchNorm1d, nn.BatchNorm2d)):
            hook = norm
        elif isinstance(m, ACTIVATIONS):
            hook = element_wise
        elif isinstance(m, (nn.ReLU, nn.ReLU6)):
            hook = body_relu
        elif isinstance(m, (SiteReLU, DynamicReLU, DynamicShiftMax, StaticShiftMax)):
            hook = activation
        if hook is not None:
            handles.append(m.register_forward_hook(hook))
    was_training = module.training
    try:
        module.eval()
        with torch.no_grad():
            device = next(module.parameters()).device
            module(torch.zeros(1, *input_size, device=device))
    finally:
        module.train(was_training)
        for handle in handles:
            handle.remove()
    return Cost(sum(p.numel() for p in module.parameters()), tuple(terms))
