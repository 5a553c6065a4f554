"""The page's section on the registered orderings: every text and number as plain data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from papertally.evidence.datasets import OWN, TITLES, apart
from papertally.evidence.registration import CHOICE
from papertally.pages import figures as drawn
from papertally.verdicts.names import count
from papertally.verdicts.other_sets import OtherSet
from papertally.verdicts.registered import Decided, Registered, told_p

#: What the section does and does not say of the paper's own data; one paragraph, with the set's name.
SCOPE = (
    "What this says: under one protocol, fixed beforehand, at small scale and early in training, whether the order "
    "that the paper prints between two of its networks also appears on {data}, with a known chance of error. What it "
    "does not say: anything about an accuracy on ImageNet, or whether an order there holds after the paper's 300 "
    "epochs on 1.28 million images of 1000 classes; an order that fails here may hold there, and one that holds here "
    "may vanish there. Networks differ in cost as they do in the paper, so that an order is not one at equal cost. No "
    "verdict of a printed number and no verdict of a statement above depends on it."
)
#: What a verdict is called of one thing and of many; in the order in which they are told.
COUNTED = {
    "holds": ("holds", "hold"),
    "fails": ("fails", "fail"),
    "underpowered": ("is undecided", "are undecided"),
    "undecided": ("is undecided", "are undecided"),
    "not run": ("is not run", "are not run"),
}


@dataclass(frozen=True)
class RegisteredPage:
    """Hold the section. status: its first line; waiting: tables not judged yet, as (table, what is there)."""

    title: str
    anchor: str
    status: str
    protocol: list[str]
    scope: str
    orders: list[drawn.Orders] = field(default_factory=list)
    waiting: list[tuple[str, str]] = field(default_factory=list)
    statements: list[tuple[str, str, str, str]] = field(default_factory=list)
    statements_told: str = ""
    twins: str = ""
    trials: list[list[str]] = field(default_factory=list)
    costs: list[list[str]] = field(default_factory=list)
    costs_told: str = ""


def registered_pages(found: Registered | None, others: Sequence[OtherSet]) -> list[RegisteredPage]:
    """Return a section for the registration, where there is one, and one for every other set that has runs of it."""
    pages = [registered_page(found), *(registered_page(other.registered) for other in others)]
    return [page for page in pages if page is not None]


def _shown(verdicts: Sequence[str]) -> str:
    return ", ".join(count(n, one, many) for name, (one, many) in COUNTED.items() if (n := verdicts.count(name)))


def registered_page(found: Registered | None) -> RegisteredPage | None:
    """Return the section, None where nothing is registered."""
    if found is None:
        return None
    name = found.registration.train.data
    tables = ", ".join(family.table for family in found.judged)
    if found.judged:
        status = f"{count(len(found.judged), 'table')} judged ({tables}) of {len(found.families)} registered"
    else:
        status = f"not run: no table of the {len(found.families)} registered has all of its runs"
    return RegisteredPage(
        title=TITLES.get(name, name),
        anchor="registered" if name == OWN else f"registered-{name}",
        status=status,
        protocol=_protocol(found),
        scope=SCOPE.format(data=TITLES.get(name, name)),
        orders=drawn.orders(f.ordering for f in found.judged if f.ordering),
        waiting=[
            (f.table, f"not run: {f.have} of {f.of} runs" if f.of else "not run: nothing is chosen yet")
            for f in found.families
            if f.ordering is None
        ],
        statements=[(s.id, s.statement, s.verdict, _told(s)) for s in found.statements],
        statements_told=_counts(found),
        twins=_twins(found),
        trials=_trials(found),
        costs=[
            [
                c.name,
                f"{c.params:,}",
                f"{c.madds:,}",
                f"{c.ratio:.2f}",
                "" if c.printed_ratio is None else f"{c.printed_ratio:.2f}",
            ]
            for c in found.costs
        ],
        costs_told=f"{found.size[0]} × {found.size[1]} pixels" if found.size else "",
    )


def _protocol(found: Registered) -> list[str]:
    """Return the protocol, the choice and what the judged runs rest on, a sentence each."""
    known, train = found.registration, found.registration.train
    title, folder = TITLES.get(train.data, train.data), apart(train.data)
    lines = [
        f"{train.data}, whole images of {train.image_size} × {train.image_size}; stem at stride {train.stem_stride}, "
        f"first block at stride {train.first_stride}; batch {train.batch_size}, learning rate {train.lr:g} with a "
        f"cosine to 0, weight decay {train.weight_decay:g}; {train.test_images:,} test images.",
        "Registered in proxy/orderings.yaml before any run of the pilot: networks, seeds, schedules, rule, tables and "
        f"tests. {known.before} Pilot: {found.pilot[0]} of {found.pilot[1]} runs.",
        *(f"Amended. {text}" for text in known.amendments),
        *(f"To bear in mind. {text}" for text in known.remarks),
    ]
    if folder.parts:
        lines.append(
            f"The registration is {TITLES[OWN]}'s, and so is what was known before it; on {title} it has a pilot and a "
            "choice of its own, by the same rule, and nothing of the two sets is pooled."
        )
    if (choice := found.choice) is None:
        more = f" --data {folder}" if folder.parts else ""
        again = f"{(folder / CHOICE).as_posix()}: {found.fault}; run `python -m pipelines orderings choose{more}`."
        return [*lines, again if found.fault else "The pilot has chosen nothing yet."]
    schedule, seeds = known.schedules[choice.schedule], len(choice.seeds)
    capped = f", cut from the {choice.needed:,} that the rule asks for" if choice.needed > seeds else ""
    lines.append(
        f"The rule chose {count(schedule.epochs, 'epoch')} of {schedule.images:,} training images and {seeds} fresh "
        f"seeds a network{capped}."
    )
    gaps = [t.gap for t in choice.trials.values()]
    if min(gaps) < 0 < max(gaps):
        lines.append(
            "In the pilot the same two networks came out in either order, by the schedule: what follows is of the "
            f"chosen schedule, not of {title} at large."
        )
    tried = choice.trials[choice.schedule]
    if found.spread and found.spread.sd > tried.pooled:
        lines.append(
            f"The pilot's runs had a spread of {tried.pooled:.2f} points, the confirmatory "
            f"runs {found.spread.sd:.2f}: fewer orders are decided than the number of seeds was chosen for."
        )
    if found.judged:
        told = f"{found.spread.told()[:1].upper()}{found.spread.told()[1:]}. " if found.spread else ""
        revisions = ", ".join(r if r.endswith(("+", "-dirty")) else r[:7] for r in found.revisions)
        noun = "revision" if len(found.revisions) == 1 else "revisions"
        ran = ", ".join(f"{name} ({count(n, 'run')})" for name, n in sorted(found.processors.items()))
        lines.append(f"{told}Code {noun} {revisions}; on {ran}.")
    return lines


def _told(found: Decided) -> str:
    """Return a statement's adjusted p values and what decides it."""
    if found.p_holds is None:
        return found.note
    text = f"adjusted p {told_p(found.p_holds)} that it holds, {told_p(found.p_fails)} that it fails"
    return f"{text}; {found.note}" if found.note else text


def _counts(found: Registered) -> str:
    verdicts = [s.verdict for s in found.statements]
    return f"Of {len(verdicts)}, {_shown(verdicts)}; Holm over both directions of all judged" if verdicts else ""


def _twins(found: Registered) -> str:
    """Return the difference of the two names of one network in a sentence."""
    if (twins := found.twins) is None:
        rows = " and ".join(found.registration.twins)
        return f"Two names of one network, {rows}: not run." if found.choice else ""
    least = found.registration.alpha
    what = (
        "none beyond chance, as it should be" if twins.p > least else "beyond chance, which one network cannot explain"
    )
    return (
        f"Two names of one network, {twins.names[0]} less {twins.names[1]}, {twins.seeds} seeds each: "
        f"{twins.gap:+.2f} ± {twins.half_width:.2f} points, p = {told_p(twins.p)}: {what}."
    )


def _trials(found: Registered) -> list[list[str]]:
    if found.choice is None:
        return []
    return [
        [name, f"{t.gap:+.2f}", f"{t.sd:.2f}", f"{t.pooled:.2f}", f"{t.seconds:.0f}", f"{t.gain:.3g}", str(t.runs)]
        for name, t in found.choice.trials.items()
    ]
