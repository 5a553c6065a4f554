"""Right papers with prose, as their authors write them: tables and sentences in Markdown or LaTeX, and no statement."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

TREES = ("Alder", "Birch", "Cedar", "Hazel", "Linden", "Maple", "Poplar", "Rowan", "Willow", "Yew")


@dataclass
class Sentence:
    """Hold a sentence with gaps {0}, {1}, ... for numbers or names, what fills them, and what kind of claim it is."""

    kind: str
    form: str
    parts: list[str]

    @property
    def text(self) -> str:
        """Return the sentence as printed."""
        return self.form.format(*self.parts)


@dataclass
class Printed:
    """Hold one printed table: its title, its head and its rows."""

    title: str
    head: list[str]
    rows: list[list[str]]


@dataclass
class Manuscript:
    """Hold a paper without statements: its tables and its sentences."""

    tables: dict[str, Printed] = field(default_factory=dict)
    prose: list[Sentence] = field(default_factory=list)

    def text(self, tex: bool) -> str:
        """Return the paper as Markdown or LaTeX.

        Args:
            tex: LaTeX instead of Markdown.
        """
        said = [s.text for s in self.prose]
        if not tex:
            tables = [
                "\n".join(
                    [
                        f"Table {n}: {t.title}",
                        "",
                        *("| " + " | ".join(r) + " |" for r in (t.head, ["---"] * len(t.head), *t.rows)),
                    ]
                )
                for n, t in enumerate(self.tables.values(), start=1)
            ]
            return "\n\n".join(["# A paper", *said, *tables]) + "\n"

        def escaped(text: str) -> str:
            return text.replace("%", r"\%").replace("±", r"$\pm$").replace("×", r"$\times$").replace("Δ", r"$\Delta$")

        tables = [
            "\n".join(
                [
                    r"\begin{table}",
                    rf"\caption{{{t.title}}}",
                    rf"\begin{{tabular}}{{{'l' * len(t.head)}}}",
                    r"\toprule",
                    escaped(" & ".join(t.head)) + r" \\",
                    r"\midrule",
                    *(escaped(" & ".join(r)) + r" \\" for r in t.rows),
                    r"\bottomrule",
                    r"\end{tabular}",
                    r"\end{table}",
                ]
            )
            for t in self.tables.values()
        ]
        body = [r"\documentclass{article}", r"\begin{document}", *map(escaped, said), *tables, r"\end{document}"]
        return "\n\n".join(body) + "\n"


def manuscript(seed: int) -> Manuscript:
    """Return a right paper with five tables and one sentence a kind of claim.

    Args:
        seed: Which paper.
    """
    random = Random(f"manuscript {seed}")
    paper = Manuscript()
    _tables(paper, random)
    _prose(paper, random)
    _statistics(paper, random)
    return paper


def _tables(paper: Manuscript, random: Random) -> None:
    trees = random.sample(TREES, 8)
    names = [f"{tree}-{random.choice((18, 34, 50, 101))}" for tree in trees]
    main = []
    for i, name in enumerate(names):
        params, flops, top1 = (
            4 * 1.7**i * random.uniform(0.85, 1.15),
            0.6 * 1.6**i,
            64 + 2.1 * i + random.uniform(-1.8, 1.8),
        )
        top5 = 100 - 0.42 * (100 - round(top1, 1)) + random.uniform(-0.2, 0.2)
        main.append(
            [name, f"{params:.1f}", f"{flops:.2f}", f"{top1:.1f}", f"{100 - round(top1, 1):.1f}", f"{top5:.1f}"]
        )
    random.shuffle(main)
    head = ["Model", "Params (M)", "FLOPs (G)", "Top-1 (%)", "Top-1 err (%)", "Top-5 (%)"]
    paper.tables["main"] = Printed("Results on ImageNet", head, main)
    boxes = []
    for tree in random.sample(TREES, 6):
        ap = random.uniform(36, 46)
        small, middle, large = ap - random.uniform(17, 20), ap + random.uniform(2, 4), ap + random.uniform(10, 14)
        boxes.append(
            [f"{tree}Det"]
            + [f"{x:.1f}" for x in (ap, ap + random.uniform(19, 21), ap + random.uniform(2, 3), small, middle, large)]
        )
    paper.tables["boxes"] = Printed("Detection on COCO", ["Detector", "AP", "AP50", "AP75", "APS", "APM", "APL"], boxes)
    gains = []
    for tree in random.sample(TREES, 6):
        base, gain = random.uniform(60, 70), random.uniform(0.6, 6)
        base, ours = round(base, 1), round(base + gain, 1)
        gains.append([f"{tree}Text", f"{base:.1f}", f"{ours:.1f}", f"{ours - base:.1f}"])
    paper.tables["gains"] = Printed("Retraining, accuracy", ["Encoder", "Before acc", "After acc", "Δ acc"], gains)
    tasks = []
    for tree in random.sample(TREES, 6):
        scores = [round(random.uniform(60, 90), 1) for _ in range(4)]
        tasks.append([f"{tree}Base", *(f"{s:.1f}" for s in scores), f"{sum(scores) / 4:.2f}"])
    paper.tables["tasks"] = Printed(
        "Accuracy by task", ["Encoder", *(f"{t} acc" for t in ("Bank", "Law", "News", "Shop")), "Average"], tasks
    )
    folds = [
        [f"{t}Fold", f"{random.uniform(70, 85):.1f} ± {random.uniform(0.4, 0.9):.1f}"] for t in random.sample(TREES, 6)
    ]
    paper.tables["folds"] = Printed("Five folds", ["Method", "Acc"], folds)


def _prose(paper: Manuscript, random: Random) -> None:
    rows = paper.tables["main"].rows
    by_top1 = sorted(rows, key=lambda r: float(r[3]))
    by_params = sorted(rows, key=lambda r: float(r[1]))
    low, high = sorted(random.sample(range(8), 2))
    worse, better = by_top1[low], by_top1[high]
    if worse[3] == better[3]:
        worse, better = by_top1[0], by_top1[-1]
    light, heavy = by_params[random.randrange(0, 4)], by_params[random.randrange(4, 8)]
    one, two, three = random.sample(rows, 3)
    gap = f"{float(better[3]) - float(worse[3]):.1f}"
    ratio = float(heavy[1]) / float(light[1])
    fewer = 100 * (1 - float(light[1]) / float(heavy[1]))
    third = random.choice(by_top1[:-1])
    step = f"{float(by_top1[-1][3]) - float(third[3]):.1f}"

    def add(kind: str, forms: tuple[str, ...], *parts: str) -> None:
        paper.prose.append(Sentence(kind, random.choice(forms), list(parts)))

    add(
        "accuracy",
        (
            "{0} reaches {1}% top-1 accuracy.",
            "On ImageNet {0} obtains a top-1 accuracy of {1}%.",
            "We find that {0} achieves {1} top-1.",
        ),
        one[0],
        one[3],
    )
    add(
        "parameters",
        ("{0} has {1}M parameters.", "In total {0} uses {1}M params.", "{0} needs {1} million parameters."),
        two[0],
        two[1],
    )
    add(
        "cost",
        ("{0} costs {1}G FLOPs.", "{0} takes {1} GFLOPs.", "One pass of {0} requires {1}G FLOPs."),
        three[0],
        three[2],
    )
    add(
        "difference",
        (
            "{0} outperforms {1} by {2} points top-1.",
            "{0} is {2} points better than {1} in top-1 accuracy.",
            "In top-1, {0} improves over {1} by {2}%.",
        ),
        better[0],
        worse[0],
        gap,
    )
    add(
        "order",
        (
            "{0} outperforms {1} in top-1 accuracy.",
            "The top-1 accuracy of {0} surpasses {1}.",
            "{0} performs better than {1} in top-1.",
        ),
        better[0],
        worse[0],
    )
    add(
        "ratio",
        (
            "{0} has {2}× fewer parameters than {1}.",
            "{0} needs {2} times fewer parameters than {1}.",
            "Compared with {1}, {0} uses {2}x fewer parameters.",
        ),
        light[0],
        heavy[0],
        f"{ratio:.1f}",
    )
    add(
        "percent fewer",
        ("{0} has {2}% fewer parameters than {1}.", "{0} uses {2}% less parameters than {1}."),
        light[0],
        heavy[0],
        f"{fewer:.0f}",
    )
    add(
        "fewer",
        ("{0} has fewer parameters than {1}.", "{0} has a lower number of parameters than {1}."),
        light[0],
        heavy[0],
    )
    add(
        "best",
        (
            "{0} has the highest top-1 accuracy.",
            "{0} reaches the best top-1 accuracy in Table 1.",
            "In Table 1, {0} achieves the highest top-1.",
        ),
        by_top1[-1][0],
    )
    add("fewest", ("{0} has the fewest parameters.", "{0} uses the fewest params of all models."), by_params[0][0])
    first = Sentence("named", "We turn to {0}.", [by_top1[-1][0]])
    paper.prose.append(first)
    add(
        "pronoun",
        ("It outperforms {0} by {1} points in top-1.", "It surpasses {0} by {1} points top-1."),
        third[0],
        step,
    )
    a, b = round(random.uniform(40, 60), 1), round(random.uniform(61, 80), 1)
    add(
        "change",
        (
            "The score rises from {0} to {1}, a gain of {2} points.",
            "Recall grows from {0}% to {1}%, that is by {2} points.",
        ),
        f"{a}",
        f"{b}",
        f"{b - a:.1f}",
    )


def _statistics(paper: Manuscript, random: Random) -> None:
    from scipy import stats  # only the benchmark of prose needs it here

    df, n = random.randint(12, 60), random.randint(30, 90)
    t, f, chi, r = random.uniform(2, 3.2), random.uniform(3, 5), random.uniform(5, 9), random.uniform(0.3, 0.5)
    sign = random.choice(("", "-"))

    def add(kind: str, form: str, *parts: str) -> None:
        paper.prose.append(Sentence(kind, form, list(parts)))

    add("t", "The groups differ, t({0}) = {1}, p = {2}.", str(df), f"{sign}{t:.2f}", f"{2 * stats.t.sf(t, df):.3f}")
    add("F", "The effect is there, F(2, {0}) = {1}, p = {2}.", str(df), f"{f:.2f}", f"{stats.f.sf(f, 2, df):.3f}")
    add(
        "chi2",
        "The counts differ, χ2(2, N = {0}) = {1}, p = {2}.",
        str(n),
        f"{chi:.2f}",
        f"{stats.chi2.sf(chi, 2):.3f}",
    )
    p = 2 * stats.t.sf(r * (df / (1 - r * r)) ** 0.5, df)
    add("r", "Both go together, r({0}) = {1}, p = {2}.", str(df), f"{r:.2f}", f"{p:.3f}")
    kept = random.randint(5, n - 5)
    add("share", "In the end {0} of {1} ({2}%) stayed.", str(kept), str(n), f"{100 * kept / n:.1f}")
