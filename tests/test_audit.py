"""The audit of dependencies says "not known" where it cannot know."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "workflow"))

import audit

FOUND = {"id": "PYSEC-1", "fix_versions": ["2.1"], "aliases": [], "description": ""}


def answer(*packages: dict) -> str:
    return json.dumps({"dependencies": packages, "fixes": []})


def sound(name: str) -> dict:
    return {"name": name, "version": "1.0", "vulns": []}


def test_packages_without_a_vulnerability_are_counted():
    words, code = audit.judged(answer(sound("a"), sound("b")), "")
    assert code == 0 and words.startswith("No vulnerability is known of 2 packages")


def test_a_vulnerable_package_is_named_with_what_mends_it():
    words, code = audit.judged(answer(sound("a"), sound("b") | {"vulns": [FOUND]}), "")
    assert code == 1 and "b 1.0: PYSEC-1 (mended in 2.1)" in words and "1 of 2 packages" in words
    words, _ = audit.judged(answer(sound("b") | {"vulns": [FOUND | {"fix_versions": []}]}), "")
    assert "mended in no version" in words


def test_a_package_that_could_not_be_asked_for_makes_it_not_known():
    words, code = audit.judged(answer(sound("a"), {"name": "b", "skip_reason": "not found on the index"}), "")
    assert code == 2 and "Not known of b: not found" in words and "1 of 2 packages had no answer" in words
    assert "No vulnerability" not in words


def test_of_many_packages_without_an_answer_the_first_are_named():
    packages = [{"name": f"p{number}", "skip_reason": "gone"} for number in range(9)]
    assert "Not known of p0, p1, p2, p3, p4 and 4 more: gone" in audit.judged(answer(*packages), "")[0]


def test_what_is_vulnerable_counts_more_than_what_is_not_known():
    words, code = audit.judged(answer(sound("a") | {"vulns": [FOUND]}, {"name": "b", "skip_reason": "gone"}), "")
    assert code == 1 and "PYSEC-1" in words and "Not known of b: gone" in words and "1 of 1 packages" in words


@pytest.mark.parametrize("text", ["", "{", "[]", '{"dependencies": []}', '{"dependencies": [1]}', "null"])
def test_no_answer_is_not_known_and_says_why(text):
    words, code = audit.judged(text, "a warning\nConnectionError: no route to host\n\n")
    assert code == 2 and words.startswith("Not known") and "no route to host" in words
    assert audit.judged(text, "")[1] == 2
