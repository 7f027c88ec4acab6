import pytest

from experiments.config import documents
from experiments.config.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 0.001),
        ("1e6", 1e6),
        ("2.5E+3", 2500.0),
        ("1_000", 1000),
        ("on", "on"),
        ("yes", "yes"),
        ("true", True),
        ("0x10", "0x10"),
        ("012", "012"),
        ("2020-03-12", "2020-03-12"),
        ("12:30", "12:30"),
        ("~", None),
    ],
)
def test_scalars_are_what_they_look_like(text, value):
    read = documents.parse_yaml(text, "x")
    assert read == value
    assert type(read) is type(value)


def test_a_key_that_stands_twice_is_refused_with_both_lines():
    with pytest.raises(ConfigError, match=r"x\.yaml: line 3: 'seed' stands on line 1"):
        documents.parse_yaml("seed: 1\nruns: 2\nseed: 3\n", "x.yaml")


def test_text_that_is_no_yaml_names_its_line():
    with pytest.raises(ConfigError, match=r"x\.yaml:3"):
        documents.parse_yaml("a: 1\nb: [1, 2\n", "x.yaml")


def test_lines_of_keys_and_entries_are_known():
    lines = documents.line_numbers("a:\n  b: 1\nc:\n  - {d: 2}\n  - 3\n")
    assert lines[("a", "b")] == 2
    assert lines[("c", 0, "d")] == 4
    assert lines[("c", 1)] == 5


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
