"""Say in one line what is wrong with a value and what to write instead."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

WHOLE, NUMBER = "a whole number", "a number"
_WANTED = {"int_type": WHOLE, "int_from_float": WHOLE, "float_type": NUMBER, "bool_type": "true or false"}
_BOUNDS = {
    "greater_than": ("gt", "above"),
    "greater_than_equal": ("ge", "of at least"),
    "less_than": ("lt", "below"),
    "less_than_equal": ("le", "of at most"),
}
_MAPPINGS = ("dict_type", "model_type", "model_attributes_type", "mapping_type")


def one_line(text: str, width: int = 400) -> str:
    """Return text without line breaks or control characters, cut to `width`."""
    safe = "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)
    return safe if len(safe) <= width else safe[: width - 1] + "…"


def shown_value(value: Any, width: int = 40) -> str:
    """Return a value as YAML writes it, cut to `width`; text stands in quotes."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return '"' + one_line(value[: width + 1], width) + '"'
    if isinstance(value, float) and not -1e300 < value < 1e300:
        return ".nan" if value != value else ".inf" if value > 0 else "-.inf"
    if isinstance(value, int) and value.bit_length() > 128:
        return "a huge number"
    return one_line(str(value), width)


def kind_of(value: Any) -> str:
    """Return what a value is, for a message."""
    if value is None:
        return "empty"
    names = {bool: "true or false", str: "text", int: "a number", float: "a number", dict: "a mapping", list: "a list"}
    return names.get(type(value), type(value).__name__)


def _number(text: str, whole: bool) -> str | None:
    """Return the number that a text spells, as YAML writes it, or None."""
    try:
        value = float(text.replace("_", ""))
        if whole:
            return str(int(value)) if value == int(value) else None
        return repr(value) if value - value == 0 else None
    except (ValueError, OverflowError):
        return None


def _wrong_type(value: Any, wanted: str) -> str:
    """Return the fault of a value that should be a number or a truth."""
    if isinstance(value, str) and wanted in (WHOLE, NUMBER):
        return f"{shown_value(value)} is text; write {_number(value, wanted == WHOLE) or wanted}"
    if isinstance(value, float) and wanted == WHOLE:
        mend = str(int(value)) if abs(value) < 1e15 and value == int(value) else wanted
        return f"{shown_value(value)} is no whole number; write {mend}"
    if isinstance(value, dict | list) or value is None:
        return f"is {kind_of(value)}; write {wanted}"
    return f"{shown_value(value)} is not {wanted}; write {wanted}"


def _fault(kind: str, value: Any, context: Mapping[str, Any], message: str) -> str:
    if kind in _WANTED:
        return _wrong_type(value, _WANTED[kind])
    if kind in _BOUNDS:
        key, words = _BOUNDS[kind]
        bound = context[key] if isinstance(context[key], int) else f"{context[key]:g}"
        return f"{shown_value(value)} is out of range; write a number {words} {bound}"
    if kind == "finite_number":
        return f"{shown_value(value)} is not finite; write a number"
    if kind == "string_type":
        if isinstance(value, int | float):
            return f'{shown_value(value)} is {kind_of(value)}; write it in quotes, "{shown_value(value)}"'
        return f"is {kind_of(value)}; write text"
    if kind == "string_too_short":
        return "is empty; write text"
    if kind == "string_pattern_mismatch":
        return f"{shown_value(value)} does not match the pattern {context['pattern']}; mend it"
    if kind == "literal_error":
        return f"{shown_value(value)} is not {context['expected']}; write that"
    if kind in _MAPPINGS:
        return f"is {kind_of(value)}; write keys with values"
    if kind in ("list_type", "tuple_type"):
        return f"is {kind_of(value)}; write a list"
    if kind in ("too_short", "too_long"):
        count = context.get("min_length", context.get("max_length"))
        some = "at least" if kind == "too_short" else "at most"
        return f"has {context['actual_length']} entries; write {some} {count}"
    return message.removeprefix("Value error, ")


def explain(error: Mapping[str, Any]) -> str:
    """Return one of pydantic's errors as "where: fault; mend", without its file."""
    where = one_line(".".join(str(part) for part in error["loc"] if part != "[key]"), 120)
    if error["type"] == "extra_forbidden":
        return f"unknown key {where!r}; remove it or mend its spelling"
    if error["type"] == "missing":
        return f"key {where!r} is missing; add it"
    fault = one_line(_fault(error["type"], error.get("input"), error.get("ctx") or {}, error["msg"]))
    return f"{where}: {fault}" if where else fault


#: Of a whole number that JSON readers take.
MOST_DIGITS = 15


def whole_number(name: str, text: str | None, least: int, faults: list[str]) -> int | None:
    """Return an option's whole number, or None where none is given; what is none is added to the faults."""
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= MOST_DIGITS and int(text) >= least):
        faults.append(one_line(f"--{name} {text}", 60) + f": write a whole number of at least {least}")
        return None
    return int(text)
