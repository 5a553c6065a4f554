"""The page's section of checks: alarms with their cells, the rest counted."""

from __future__ import annotations

from papertally.checks import SEVERITIES, Finding, about
from papertally.pages.checks import MISPRINTS, SIGNS, checks_page


def test_alarms_stand_in_full_and_all_are_counted():
    found = [
        Finding("bold", "impossible", "Table 1, top1", ("a.top1",), "1 < 2"),
        Finding("bold", "passed", "Table 2, top1", (), "fine"),
        Finding("misprints", "suspicious", "bold: Table 1", ("a.top1",), "2 for 1"),
    ]
    page = checks_page(found)
    assert page is not None
    assert page.summary == (
        "3 findings of 2 checks: 1 impossible, 0 undecided by rounding, 1 suspicious, 1 passed, 0 not applicable."
    )
    assert [(a.verdict, a.check, a.cells) for a in page.alarms] == [
        ("impossible", "bold", ["a.top1"]),
        ("suspicious", "misprints", ["a.top1"]),
    ]
    assert page.columns[2:] == [s.capitalize() for s in SEVERITIES]
    assert page.rows == [
        ["bold", about()["bold"], "1", "", "", "1", ""],
        ["misprints", MISPRINTS, "", "", "1", "", ""],
    ]


def test_every_alarm_has_a_sign_and_nothing_found_has_no_section():
    assert set(SIGNS) == set(SEVERITIES[:3])
    assert checks_page([]) is None
