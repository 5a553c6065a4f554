"""The vocabulary of column heads, as patterns over lower-case words: metrics and costs, settings, data sets."""

from __future__ import annotations

import re

_ERR, _ACC = r"err\w*\.?", r"acc\w*\.?"
#: What is measured -> the words that say so; the first that fits counts.
MEASURES: dict[str, tuple[str, ...]] = {
    "params": (
        r"(#|no\. of |number of |n_?)?\s?(model |learnable |trainable |total )?(params?|parameters?)\b\.?( ?count)?",
        r"#p", r"weights count",
    ),
    "madds": (
        r"((bn|g|m|t|k)\s?)?(flop[s/]?|macs?|m-?adds?|mult(i|iply)?-?adds?|macc|bflops?)s?( count)?",
        r"(computation(al)? )?(complexity|cost)", r"computations?",
    ),
    "size": (r"(model |file |checkpoint |disk )?size", r"storage", r"model weights?"),
    "err1": (rf"top-?\s?1\s?(val(idation)? |test )?{_ERR}( rate)?", rf"{_ERR}( rate)? ?(top-?\s?1)", r"err@?1"),
    "err5": (rf"top-?\s?5\s?(val(idation)? |test )?{_ERR}( rate)?", rf"{_ERR}( rate)? ?(top-?\s?5)", r"err@?5"),
    "err": (r"(\w+ )?(err(or)?s?\.?)( rate)?",),
    "top1": (rf"(\w+ )?(top-?\s?1|acc(uracy)?@\s?1|acc1|prec@1|t1)(\s?{_ACC})?( @\d+)?",),
    "top5": (rf"(\w+ )?(top-?\s?5|acc(uracy)?@\s?5|acc5|prec@5|t5)(\s?{_ACC})?",),
    "acc": (r"(\w+ ){0,2}(acc(uracy|uracies)?\.?|oa|classification rate)( score)?",),
    "AP50": (r"m?ap_?\{?(50|0\.5|@\.?5|@0\.5|@50|@\[?0?\.50?\]?)\}?", r"m?ap\s?@?\s?(0?\.50?|50)"),
    "AP75": (r"m?ap_?\{?(75|0\.75)\}?", r"m?ap\s?@?\s?(0?\.75|75)"),
    "APS": (r"m?ap_?s(mall)?",),
    "APM": (r"m?ap_?m(edium)?",),
    "APL": (r"m?ap_?l(arge)?",),
    "AP": (
        r"m?ap([ ^_]?(val|test|test-dev|box))?\s?@?\[?(0?\.5|50)\s?[:–-]\s?(0?\.?95)\]?",
        r"(box |mask |bbox |keypoint |kp |coco |val )?m?ap([\^_ ]?(box|mask|bb|b|m|bbox|kp|val|test))?",
        r"average precision",
    ),
    "AR": (r"ar(@?\d+)?", r"average recall"),
    "miou": (r"m\.?iou", r"mean iou", r"miou( ?\(?ss\)?)?"),
    "iou": (r"iou", r"jaccard"),
    "f1_dice": (r"dice", r"dsc"),
    "f1": (r"(macro |micro )?f-?1(-?score)?", r"f-?score", r"f-?measure"),
    "auc": (r"au(ro)?c", r"roc-?auc"),
    "precision": (r"prec(ision)?\.?",),
    "recall": (r"rec(all)?\.?", r"r@\d+", r"recall@\d+"),
    "bleu": (r"(sacre)?bleu(-?\d)?",),
    "rouge": (r"rouge(-?[12l])?",),
    "psnr": (r"psnr",), "ssim": (r"ms-?ssim", r"ssim"), "lpips": (r"lpips",), "fid": (r"s?fid",), "kid": (r"kid",),
    "is": (r"is", r"inception score"), "wer": (r"wer",), "cer": (r"cer",), "ppl": (r"ppl", r"perplexity"),
    "mae": (r"mae",), "rmse": (r"rmse",), "mse": (r"mse",), "nme": (r"nme",), "epe": (r"epe",),
    "pck": (r"pckh?(@[\d.]+)?",), "pq": (r"pq",), "mota": (r"mota",), "ece": (r"ece",),
    "loss": (r"(train |val |test )?(loss|nll)",), "r2": (r"r2", r"r\^?²"), "kappa": (r"kappa",),
    "reward": (r"(mean |average )?(reward|return)",),
    "fps": (r"fps", r"frames per second", r"frame rate"),
    "throughput": (r"throughput", r"imgs?/s(ec)?", r"images?/s(ec)?", r"img\.? per s"),
    "speedup": (r"speed-?\s?ups?",),
    "latency": (
        r"(gpu |cpu |inf(er(ence)?)?\.? |mobile |training |train |run-?|wall-?clock )?"
        r"(latency|time|runtime|lat\.?|delay)( cost)?",
        r"speed",
    ),
    "memory": (r"(peak |gpu |train(ing)? )?(mem(ory)?\.?|vram|ram)( usage| footprint)?",),
    "energy": (r"energy",),
    "power": (r"power",),
}  # fmt: skip
COMPILED = tuple((re.compile("|".join(patterns)), name) for name, patterns in MEASURES.items())
_SETTINGS = (
    r"px", r"pixels", r"inputs?", r"resolution", r"res\.?", r"crop( ?pct)?", r"interpolation",
    r"width(\s?mult\w*\.?)?", r"mult(iplier|\.)?",
    r"(input|image|img|crop|patch|window|kernel|batch|train|test|feature|hidden|embedding)[\s-]?sizes?", r"depth",
    r"#?\s?layers?", r"#?\s?blocks?", r"#?\s?epochs?", r"iter(ation)?s?", r"steps?", r"batch", r"year", r"date",
    r"#?\s?groups?", r"[gkjnmctserd]", r"kernel", r"stride", r"#?\s?channels?", r"dims?", r"#?\s?heads?", r"alpha",
    r"beta", r"gamma", r"lambda", r"lr", r"seed", r"backbone", r"models?", r"methods?", r"networks?",
    r"arch(itecture)?\.?", r"names?", r"refs?\.?", r"venue", r"pub(\.|l\.|lished|lications?)?", r"extra data",
    r"pre-?train\w*\.?",
    r"data( ?sets?)?", r"train(ing)?( data)?", r"source", r"type", r"#", r"no\.?", r"id", r"stage", r"operator",
    r"lr\.? ?sche?d\w*\.?", r"schedule",
    r"output", r"task", r"framework", r"platform", r"device", r"algorithm", r"variant", r"version", r"setting",
    r"config\w*", r"exp\w*", r"ratio", r"scale", r"precision bits", r"bits?", r"w/a", r"quant\w*", r"supervision",
    r"teacher", r"optimizer", r"loss function", r"temperature", r"[τλαβγ]", r"#\s?\w+",
)  # fmt: skip
#: Heads of settings: what was chosen, not measured.
SETTING = re.compile(rf"(input|img|image|train|test|crop)?[\s-]*({'|'.join(_SETTINGS)})")
#: Heads of what is chosen and printed with decimals: no measurement, whatever stands below.
CHOSEN = re.compile(
    r"\b(?:alpha|beta|gamma|lambda|lr|learning rate|width|mult\w*|crop\w*|ratio|scale|drop\w*|temp(?:erature)?|weight"
    r"|decay|momentum|threshold|thr|sparsity|version|depth|interpolation|noise|eps\w*|sigma|year|date)\b|[τλαβγσεη]",
    re.I,
)
#: Heads of what a row's network takes.
INPUTS = re.compile(
    r"(?:(?:input|image|img|test|eval)[\s.-]*)?(?:resolution|res\.?|size|input|px|pixels)(?:\s*\(px\))?", re.I
)
_SETS = (
    r"imagenet(?:-?(?:1k|21k|22k|v2|a|r|c|sketch|real))?", r"in-?(?:1k|21k|22k)", r"cifar-?(?:10|100)", r"mnist",
    r"fashion-?mnist", r"svhn", r"coco(?: ?(?:2017|val|test-dev|minival))?", r"(?:pascal )?voc(?: ?(?:20)?(?:07|12))?",
    r"cityscapes", r"ade20k", r"kitti", r"nyu(?:v2)?", r"places-?365", r"inaturalist(?: ?\d+)?", r"stl-?10",
    r"tiny-?imagenet", r"kinetics(?:-?\d+)?", r"ucf-?101", r"hmdb-?51", r"glue", r"squad", r"mnli", r"sst-?2",
    r"wikitext-?(?:2|103)", r"librispeech", r"wmt ?'?\d*", r"set5", r"set14", r"bsd-?100", r"urban-?100",
    r"celeba(?:-hq)?", r"ffhq", r"lsun", r"oxford", r"cub(?:-200)?", r"flowers", r"food-?101", r"cars", r"aircraft",
    r"pets", r"vlcs", r"pacs", r"office-?home", r"terra ?incognita", r"domainnet", r"mpii",
)  # fmt: skip
#: Data sets by the names that heads give them.
DATASETS = re.compile(rf"\b(?:{'|'.join(_SETS)})\b", re.I)
AVERAGE = re.compile(r"(avg|average|mean)\.?( acc\w*\.?)?")
#: Powers of ten and their words -> the unit that cells may have.
POWERS = {
    "10^6": "M", "10⁶": "M", "1e6": "M", "10^9": "G", "10⁹": "G", "1e9": "G", "10^3": "K", "10³": "K", "1e3": "K",
    "millions": "M", "million": "M", "mil": "M", "mill": "M", "mio": "M", "billions": "B", "billion": "B", "bn": "B",
    "thousands": "K", "in millions": "M", "in billions": "B",
}  # fmt: skip
