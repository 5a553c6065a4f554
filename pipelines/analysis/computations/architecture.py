"""Computations on the networks built from the printed architectures (section 4)."""

from __future__ import annotations

import torch
from torch import nn

from pipelines.analysis.computations.base import Result, computation
from pipelines.analysis.computations.printed import MODELS, printed
from registry.arch import ARCHS
from registry.micronet import MicroNet
from registry.ops.shift_max import DynamicShiftMax


@computation
def stem_expands_by_r() -> Result:
    """Compare the built stems' channels after each convolution with Table 1's C/R and C (section 4)."""
    ok, seen = True, []
    for model, blocks in printed("1").items():
        net = MicroNet(model)
        tall, wide = [m for m in net.stem.modules() if isinstance(m, nn.Conv2d)]
        stem = blocks[0]
        ok &= tall.kernel_size == (stem.kernel, 1) and wide.kernel_size == (1, stem.kernel)
        ok &= (tall.out_channels, wide.out_channels) == (stem.squeeze, stem.channels) and wide.groups == stem.groups[1]
        seen.append(f"{model} 3 to {tall.out_channels} to {wide.out_channels}")
    return Result(bool(ok), "; ".join(seen))


@computation
def skip_when_shapes_match() -> Result:
    """Find by two forward passes where a block adds its input, and compare with where shapes match (section 4)."""
    ok, count, skips = True, 0, 0
    torch.manual_seed(0)
    for model in MODELS:
        net = MicroNet(model).eval()
        x = net.stem(torch.randn(1, 3, 64, 64))
        for block in net.blocks:
            with torch.no_grad():
                y, _ = block(x)
                had, block.skip = block.skip, False
                bare, _ = block(x)
                block.skip = had
            matches = y.shape == x.shape
            adds = matches and not torch.equal(y, bare) and torch.allclose(y, bare + x)
            ok &= adds == matches and (matches or torch.equal(y, bare))
            count, skips = count + 1, skips + adds
            x = y
    return Result(bool(ok), f"{count} blocks of M0 to M3; {skips} add their input, all where shapes match")


@computation
def micro_a_expands_then_squeezes() -> Result:
    """Compare the channels through Micro-Block-A as built: more after depthwise, fewer after (section 4)."""
    ok, seen = True, []
    for model in MODELS:
        net = MicroNet(model)
        cin = ARCHS[model].stem[0]
        for spec, block in zip(ARCHS[model].blocks, net.blocks, strict=True):
            if spec.kind == "A":
                convs = [m for m in block.modules() if isinstance(m, nn.Conv2d)]
                mid, out = convs[1].out_channels, convs[2].out_channels
                ok &= len(convs) == 3 and cin < mid > out and convs[2].groups == spec.groups[0]
                seen.append(f"{model} {cin} to {mid} to {out}")
            cin = spec.out_channels
    return Result(bool(ok), "; ".join(seen))


@computation
def micro_b_is_full_factorized() -> Result:
    """Compare the two group convolutions of Micro-Block-B: first squeezing, then expanding (section 4)."""
    ok, seen = True, []
    for model in MODELS:
        for spec, block in zip(ARCHS[model].blocks, MicroNet(model).blocks, strict=True):
            if spec.kind == "B":
                first, second = (
                    next(m for m in p.modules() if isinstance(m, nn.Conv2d)) for p in (block.squeeze, block.expand)
                )
                ok &= first.in_channels > first.out_channels and second.in_channels < second.out_channels
                ok &= (first.groups, second.groups) == spec.groups
                seen.append(f"{model} {first.in_channels} to {first.out_channels} to {second.out_channels}")
    return Result(bool(ok), "; ".join(seen))


@computation
def all_use_shift_max() -> Result:
    """Count the sites A1, A2 and A3 of the built networks that hold Dynamic Shift-Max (section 4)."""
    sites = dynamic = 0
    for model in MODELS:
        for block in MicroNet(model).blocks:
            for act in (block.act1, block.act2, *([block.act3] if block.expand is not None else [])):
                sites += 1
                dynamic += any(isinstance(m, DynamicShiftMax) for m in act.modules())
    return Result(dynamic == sites, f"{dynamic} of {sites} activation sites of M0 to M3 as built")


@computation
def default_j_and_k() -> Result:
    """Return the distinct (J, K) of all activation sites of M0 to M3 as built (section 5.3's default: J = K = 2)."""
    found: dict[tuple[int, int], int] = {}
    for model in MODELS:
        for module in MicroNet(model).modules():
            if isinstance(module, DynamicShiftMax):
                found[module.j, module.k] = found.get((module.j, module.k), 0) + 1
    told = ", ".join(f"J = {j}, K = {k} at {n} sites" for (j, k), n in sorted(found.items(), reverse=True))
    return Result(sorted(map(list, found)), f"{told}; K = 1 at A2 and after the last expansion is the released code's")


@computation
def stem_ends_in_relu() -> Result:
    """Find what follows the stem's two convolutions as built: no value below 0, and values above kept (section 4)."""
    torch.manual_seed(0)
    ok, seen = True, []
    for model in MODELS:
        stem = MicroNet(model).stem.eval()
        norms = [m for m in stem.modules() if isinstance(m, nn.BatchNorm2d)]
        handle = norms[-1].register_forward_hook(lambda module, given, put: seen.append(put.clone()))
        with torch.no_grad():
            out = stem(torch.randn(1, 3, 32, 32))
        handle.remove()
        ok &= bool(torch.equal(out, seen[-1].clamp_min(0))) and bool((seen[-1] < 0).any())
    return Result(ok, "M0 to M3: the stem puts out max(0, x) of its second convolution's BatchNorm")


@computation
def partner_shares_width_and_depth() -> Result:
    """Compare M0 to M3 with their full-rank partners, block by block (section 5.1).

    The partner has the same blocks and widths, k x k depthwise and ungrouped pointwise convolutions.
    """
    ok, seen = True, []
    for model in MODELS:
        own, partner = MicroNet(model), MicroNet(model, factorized=False)
        ok &= len(own.blocks) == len(partner.blocks)
        for mine, theirs in zip(own.blocks, partner.blocks, strict=True):
            for part in ("depthwise", "squeeze", "expand"):
                a, b = getattr(mine, part), getattr(theirs, part)
                if a is None:
                    ok &= b is None
                    continue
                convs = [[m for m in net.modules() if isinstance(m, nn.Conv2d)] for net in (a, b)]
                ok &= convs[0][-1].out_channels == convs[1][-1].out_channels and len(convs[1]) == 1
                k = max(max(c.kernel_size) for c in convs[0])
                full = convs[1][0]
                ok &= full.kernel_size == (k, k) and full.groups == (full.in_channels if part == "depthwise" else 1)
        weights = [sum(p.numel() for p in net.blocks.parameters()) for net in (own, partner)]
        seen.append(
            f"{model} {weights[0] / 1e6:.2f}M and {weights[1] / 1e6:.2f}M parameters in {len(own.blocks)} blocks"
        )
    return Result(bool(ok), f"blocks, widths, k: equal; {'; '.join(seen)}")


@computation
def pose_heads_put_out_17_heatmaps() -> Result:
    """Return the shapes (keypoints, height, width) that the pose heads put out on a 256 x 192 box (section 6.1)."""
    from registry.pose.archs import POSE_ARCHS
    from registry.pose.head import HeadPlan

    shapes = []
    for model in MODELS:
        name = f"pose_{model}"
        plan = HeadPlan(POSE_ARCHS[name], name)
        net = nn.Sequential(plan.build(), nn.Conv2d(plan.out_channels, 17, 1)).eval()
        with torch.no_grad():
            features = MicroNet(name).eval()(torch.zeros(1, 3, 256, 192))[-1]
            shapes.append(list(net(features).shape[1:]))
    return Result(sorted(map(list, set(map(tuple, shapes)))), f"M0 to M3 on 256 x 192: {shapes}")


@computation
def segmentation_stops_at_16() -> Result:
    """Return the strides of the segmentation backbones' last features as built (section 6.2)."""
    from registry.segmentation.archs import SEG_ARCHS

    strides = []
    for model in MODELS:
        with torch.no_grad():
            out = MicroNet(SEG_ARCHS[f"seg_{model}"]).eval()(torch.zeros(1, 3, 64, 128))[-1]
        strides.append(64 // out.shape[2])
    return Result(strides, "M0 to M3: last features of 64 x 128 images")


@computation
def mr_aspp_is_lighter() -> Result:
    """Compare MR-ASPP with LR-ASPP of the same width on the same features of each segmentation MicroNet (section 6.2).

    Convolutions alone, at 1024 x 2048, in both readings. LR-ASPP: 1 x 1 at stride 16, pooled 1 x 1, and the 1 x 1
    classifiers of both branches at stride 8 (MobileNetV3's paper).
    """
    from registry.cost.count import conv2d_cost
    from registry.segmentation.archs import SEG_ARCHS
    from registry.segmentation.aspp import CHANNELS, CLASSES, READINGS, MRASPPPlan

    ok, seen, low, high = True, [], (128, 256), (64, 128)
    for model in MODELS:
        told = []
        for name in READINGS:
            plan = MRASPPPlan(SEG_ARCHS[f"seg_{model}"], name)
            ours = plan.cost(low, high).convs_and_linears()
            theirs = conv2d_cost(plan.high_channels, CHANNELS, (1, 1), high)
            theirs += conv2d_cost(plan.high_channels, CHANNELS, (1, 1), (1, 1))
            theirs += conv2d_cost(plan.low_channels + CHANNELS, CLASSES, (1, 1), low)
            ok &= ours < theirs.convs_and_linears()
            told.append(f"{name} {ours / 1e6:.0f}M, LR-ASPP {theirs.convs_and_linears() / 1e6:.0f}M")
        seen.append(f"{model}: {'; '.join(told)}")
    return Result(ok, " | ".join(seen))
