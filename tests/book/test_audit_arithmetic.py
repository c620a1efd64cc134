"""The audit page's arithmetic, step by step: every code span with an equals sign is recomputed."""

import ast
import math
import operator
import re
from pathlib import Path

import pandas as pd
import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "book" / "claims_audit.md"
STEPS = re.findall(r"`([^`\n]* = [^`\n]*)`", PAGE.read_text(encoding="utf-8"))
OPERATORS = {ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv}


def compute(node):
    if isinstance(node, ast.Expression):
        return compute(node.body)
    if isinstance(node, ast.Constant):
        return float(node.value)
    if isinstance(node, ast.UnaryOp):
        return -compute(node.operand)
    if isinstance(node, ast.Call):
        assert node.func.id == "exp"
        return math.exp(compute(node.args[0]))
    return OPERATORS[type(node.op)](compute(node.left), compute(node.right))


def test_the_page_shows_its_steps():
    assert len(STEPS) > 40


@pytest.mark.parametrize("step", STEPS)
def test_step_is_right_to_its_last_digit(step):
    left, right = step.replace("×", "*").replace("÷", "/").split("=")
    digits = len(right.strip().partition(".")[2])
    value = compute(ast.parse(left.strip(), mode="eval"))
    assert abs(value - float(right)) <= 0.5 * 10**-digits + 1e-9


def test_every_claim_of_the_paper_that_is_a_sink_or_a_source_is_audited():
    claims = pd.read_csv(ROOT / "data" / "paper" / "claims.csv", index_col="id")["value"]
    text = PAGE.read_text(encoding="utf-8").replace("−", "-")
    for name in claims.index[claims.index.str.startswith(("nep_", "area", "npp_mean", "rh_mean"))]:
        assert claims[name].lstrip("-") in text, name
