import pytest

from experiments.config import documents
from experiments.config.errors import ConfigError


def test_setting_a_key_makes_missing_mappings_and_leaves_the_original():
    document = {"a": {"b": 1}}
    assert documents.with_value(document, "a.c.d", 2) == {"a": {"b": 1, "c": {"d": 2}}}
    assert document == {"a": {"b": 1}}


def test_setting_an_entry_of_a_list_changes_that_entry():
    document = {"faults": [{"start": 1}, {"start": 2}]}
    changed = documents.with_value(document, "faults.1.start", 9)
    assert changed == {"faults": [{"start": 1}, {"start": 9}]}


@pytest.mark.parametrize(
    ("key", "problem"),
    [
        ("faults.2.start", "has 1 entries"),
        ("faults.start", "has 1 entries"),
        ("missing.0.start", "has 0 entries"),
        ("seed.more", "has no keys"),
        ("a..b", "not a dotted key"),
    ],
)
def test_a_key_that_leads_nowhere_is_refused(key, problem):
    with pytest.raises(ConfigError, match=problem):
        documents.with_value({"faults": [{"start": 1}], "seed": 3}, key, 1)
