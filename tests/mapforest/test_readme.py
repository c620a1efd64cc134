"""The example of mapforest's README runs, and does what the README says."""

import re
from pathlib import Path

import mapforest

README = Path(mapforest.__file__).with_name("README.md")


def test_the_example_predicts_the_map_and_trusts_a_part_of_it():
    names = {}
    for block in re.findall(r"^```python\n(.*?)^```$", README.read_text("utf-8"), re.M | re.S):
        exec(block, names)
    land, prediction, trusted = names["land"], names["prediction"], names["trusted"]
    assert (prediction.notnull() == land).all()
    assert 0 < int(trusted.sum()) < int(land.sum()) and not (trusted & ~land).any()
