"""A JSON file's list of entries, whose columns are checked whole: a fault names file, place and id."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any, NoReturn

import numpy as np

from ..inputs.errors import DataError
from ..inputs.files import shown
from ..strict import zip_strict

ANEW = "or unpack annotations_trainval2017.zip anew"
#: The largest whole number up to which floats, in which pycocotools keeps ids, tell each from the next.
MOST = 2**53
OWN_ID = "give every entry an id of its own"


class Entries:
    """Hold a file's list of entries and refuse the first of those that are at fault."""

    def __init__(self, path: str, key: str, entries: list[Any]) -> None:
        self.path, self.key, self.all = path, key, entries
        self.refuse(
            [i for i, entry in enumerate(entries) if type(entry) is not dict], lambda i: "is no JSON object", ANEW
        )

    def refuse(self, bad: Sequence[int], fault: Callable[[int], str], mend: str) -> None:
        """Raise DataError naming the first of the places `bad`, if there is one, and how many there are."""
        if len(bad):
            more = f" (and {len(bad) - 1} more such entries)" if len(bad) > 1 else ""
            self.stop(int(bad[0]), fault(int(bad[0])) + more, mend)

    def stop(self, i: int, fault: str, mend: str) -> NoReturn:
        """Raise DataError naming entry i."""
        entry = self.all[i]
        number = f" (id {short(entry['id'])})" if isinstance(entry, dict) and "id" in entry else ""
        place = f"{self.key}[{i}]" if self.key else f"[{i}]"
        raise DataError(f"error: {shown(self.path)}: {place}{number}: {fault}; {mend}")

    def column(self, key: str, mend: str, places: Sequence[int] | None = None) -> list[Any]:
        """Return the values of a key, of all entries or of those at `places`. Raises DataError where it is absent."""
        chosen = self.all if places is None else [self.all[i] for i in places]
        try:
            return [entry[key] for entry in chosen]
        except KeyError:
            places = range(len(self.all)) if places is None else places
            self.refuse([i for i in places if key not in self.all[i]], lambda i: f"has no {key!r}", f"{mend}, {ANEW}")
            raise

    def whole(self, key: str, mend: str, least: int | None = None) -> list[int]:
        """Return a key's values, all whole numbers, of at least `least`. Raises DataError."""
        values = self.column(key, mend)
        if set(map(type, values)) - {int}:
            self.refuse(
                [i for i, v in enumerate(values) if type(v) is not int],
                lambda i: f"{key!r} is {short(values[i])}, not a whole number",
                f"write it as one, {ANEW}",
            )
        self.refuse(
            [i for i, v in enumerate(values) if abs(v) > MOST],
            lambda i: f"{key!r} is {short(values[i])}, beyond 2**53",
            f"{mend}, {ANEW}",
        )
        if least is not None:
            self.refuse(
                [i for i, v in enumerate(values) if v < least],
                lambda i: f"{key!r} is {values[i]}, below {least}",
                f"{mend}, {ANEW}",
            )
        return values

    def ids(self) -> list[int]:
        """Return the ids, which must differ. Raises DataError."""
        values = self.whole("id", OWN_ID)
        if len(set(values)) < len(values):
            first: dict[int, int] = {}
            again = [i for i, v in enumerate(values) if first.setdefault(v, i) != i]
            self.refuse(
                again,
                lambda i: f"has the id of {self.key}[{first[values[i]]}]",
                f"{OWN_ID}, {ANEW}",
            )
        return values

    def numbers(self, key: str, values: list[Any], width: int, what: str, places: Sequence[int]) -> np.ndarray:
        """Return lists of `width` finite numbers as (N, width). Raises DataError naming the first that is none."""
        fault = f"has no {what}"
        bad = [i for i, v in zip_strict(places, values) if type(v) is not list or len(v) != width]
        self.refuse(bad, lambda i: f"{fault} ({key!r} is {short(self.all[i][key])})", f"mend it, {ANEW}")
        found = None
        if set(map(type, chain.from_iterable(values))) <= {int, float}:
            try:
                found = np.fromiter(chain.from_iterable(values), np.float64, width * len(values))
            except OverflowError:  # a whole number beyond all floats
                found = None
        if found is None or not np.isfinite(found).all():
            bad = [i for i, v in zip_strict(places, values) if not all(map(is_number, v))]
            odd = lambda i: next(v for v in self.all[i][key] if not is_number(v))  # noqa: E731
            self.refuse(
                bad, lambda i: f"{fault}: {key!r} holds {short(odd(i))}, which is no finite number", f"mend it, {ANEW}"
            )
        return found.reshape(-1, width)


def is_number(value: Any) -> bool:
    """Tell whether a JSON value is a finite number; true and false are none."""
    try:
        return type(value) in (int, float) and bool(np.isfinite(float(value)))
    except OverflowError:
        return False


def short(value: Any) -> str:
    """Return a value as a message shows it: one line of 40 characters at most."""
    text = repr(value)
    return shown(text if len(text) <= 40 else text[:37] + "...")
