"""What heads of columns say: measured quantity, unit, direction, device; settings are no measurements."""

from __future__ import annotations

import pytest

from papertally.tables.heads import read_head


@pytest.mark.parametrize(
    ("levels", "measures", "unit"),
    [
        (["MACs (M)"], "madds", "M"),
        (["Params [K]"], "params", "K"),
        (["FLOPs(G)"], "madds", "G"),
        (["#Params."], "params", ""),
        (["GMACs"], "madds", "G"),
        (["MAdds"], "madds", ""),
        (["Params (10^6)"], "params", "M"),
        (["Params", "(M)"], "params", "M"),
        (["Model size (MB)"], "size", "MB"),
        (["Top-1 err."], "err1", ""),
        (["Error (%)"], "err", "%"),
        (["Top-1 Acc. (%) ↑"], "top1", "%"),
        (["ImageNet top-1 acc"], "top1", ""),
        (["Quality: Accuracy, %", "CoreML", "Top-5"], "top5", "%"),
        (["Cityscapes", "mIoU"], "miou", ""),
        (["AP_{50}"], "AP50", ""),
        (["Latency (ms, V100)"], "latency", "ms"),
        (["Latency, ms", "iPhone 11 Pro", "CPU"], "latency", "ms"),
        (["Speed (fps)"], "throughput", "fps"),
        (["FID ↓"], "fid", ""),
        (["+90%"], "", ""),
        (["Input, px"], "", "px"),
        (["Image size"], "", ""),
        (["Epochs"], "", ""),
    ],
)
def test_what_is_measured_and_in_which_unit(levels, measures, unit):
    head = read_head(levels)
    assert (head.measures, head.unit) == (measures, unit)


def test_settings_averages_devices_and_data_sets():
    assert all(read_head([text]).setting for text in ("Input, px", "Epochs", "Width mult.", "Image size", "Groups"))
    assert read_head(["Avg"]).average
    assert read_head(["Latency, ms", "iPhone 11 Pro", "CPU"]).device == "iPhone 11 Pro, CPU"
    assert read_head(["CIFAR-10 Acc."]).dataset == "CIFAR-10"
    assert read_head(["Score ↓"]).better == "lower"
