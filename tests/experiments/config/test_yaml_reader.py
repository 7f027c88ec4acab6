import pytest

from experiments.config import yaml_reader
from experiments.config.errors import ConfigError
from experiments.config.yaml_reader import read_yaml


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
    read = read_yaml(text, "x").value
    assert read == value
    assert type(read) is type(value)


def test_a_key_that_stands_twice_is_refused_with_both_lines():
    with pytest.raises(ConfigError, match=r"x\.yaml: line 3: 'seed' stands on line 1"):
        read_yaml("seed: 1\nruns: 2\nseed: 3\n", "x.yaml")


def test_text_that_is_no_yaml_names_its_line():
    with pytest.raises(ConfigError, match=r"x\.yaml:3"):
        read_yaml("a: 1\nb: [1, 2\n", "x.yaml")


def test_lines_of_keys_and_entries_are_known():
    lines = read_yaml("a:\n  b: 1\nc:\n  - {d: 2}\n  - 3\n", "x").lines
    assert lines[("a", "b")] == 2
    assert lines[("c", 0, "d")] == 4
    assert lines[("c", 1)] == 5


LAUGHS = "a0: &a0 [ha, ha]\n" + "".join(
    f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 60)
)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (LAUGHS, r"x: line \d+: stands for [\d,]+ values or more"),
        ("a: &a [*a]\n", "line 1: .a stands in itself"),
        ("a:\n- " + "[" * 500 + "]" * 500, "line 2: nested more than 32 deep"),
        ("seed: " + "9" * 5000, "line 1: a number of 5,000 characters; at most 40"),
        ("[" + "1," * 300 + "]", "stands for 301 values or more"),
        ("a: !!python/name:os.system", "the tag .* says nothing here"),
        ("a: !!int x", "'x' is not what its tag says"),
        ("a: !!set {b}", "the tag .*set' says nothing"),
        (r'a: "\ud800"', "Unicode"),
        ("true: 1", "a key must be text, not True"),
        ("? [a]\n: 1", "a key must be text"),
        ("a: \x07", "characters are not allowed"),
    ],
)
def test_text_without_bounds_is_refused_before_anything_is_made_of_it(
    text, problem, monkeypatch
):
    monkeypatch.setattr(yaml_reader, "MAX_VALUES", 300)
    with pytest.raises(ConfigError, match=problem):
        read_yaml(text, "x")


def test_aliases_within_bounds_are_read():
    read = read_yaml("a: &a {b: 1}\nc: [*a, *a]\n", "x").value
    assert read == {"a": {"b": 1}, "c": [{"b": 1}, {"b": 1}]}
