"""What a config names by import path: found, judged, and part of the experiment."""

import pytest

from experiments import config
from experiments.config import plugins
from experiments.config.errors import ConfigError
from tests.experiments.plugin_modules import scheme_source


def test_every_kind_knows_its_own_and_what_it_asks():
    kinds = [
        kind for kind in vars(plugins).values() if type(kind) is plugins.PluginKind
    ]
    assert len(kinds) >= 4
    for kind in kinds:
        assert kind.members
        for name, thing in kind.ours.items():
            assert plugins.resolve(name, kind) is thing
            assert plugins.problem_of(thing, kind) == ""


def test_a_module_in_the_current_folder_is_found(lab):
    name = lab.write(scheme_source())
    assert plugins.resolve(f"{name}:LIFO", plugins.SCHEME).name == "lifo"


def test_a_module_beside_the_config_is_found_from_elsewhere(lab, monkeypatch):
    name = lab.write(scheme_source())
    path = lab.folder / "mine.yaml"
    path.write_text(f"sequencer: {{policy: {name}:LIFO}}\n")
    elsewhere = lab.folder / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    experiment = config.load(str(path))
    assert list(experiment.plugins) == [f"{name}:LIFO"]
    document = experiment.as_document()
    assert document["sequencer"]["policy"] == f"{name}:LIFO"
    assert config.expand(document).hash == experiment.hash


def test_a_users_folder_hides_no_library(lab):
    (lab.folder / "json.py").write_text("raise ValueError('not the library')\n")
    with pytest.raises(plugins.PluginError, match=r"json \(.*\) has no name 'LIFO'"):
        plugins.resolve("json:LIFO", plugins.SCHEME)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("fcsf", r"unknown ordering scheme 'fcsf' \(did you mean 'fcfs'\?\)"),
        ("my:", "'my:' is not an import path such as package.module:Name"),
        ("../x:Y", "is not an import path"),
        ("no_such_module:LIFO", "no module 'no_such_module'; looked where Python"),
        ("no_such.module:LIFO", "no module 'no_such'"),
        ("json:JSONDecoder", "json:JSONDecoder is a class, not an ordering scheme"),
        ("json.decoder:WHITESPACE", "is not an ordering scheme: it has no name"),
    ],
)
def test_what_is_not_there_or_of_another_kind_is_refused(lab, text, problem):
    with pytest.raises(plugins.PluginError, match=problem):
        plugins.resolve(text, plugins.SCHEME)


def test_a_module_that_fails_is_told_with_its_own_message_and_line(lab):
    for text, problem in [
        ("x = 1\nx / 0\n", "raises ZeroDivisionError: division by zero at .*py:2"),
        ("def f(:\n", "raises SyntaxError: .* at .*py:1"),
        ("import no_such_library\n", "raises ModuleNotFoundError: No module named"),
        ("raise SystemExit(3)\n", "raises SystemExit: 3"),
    ]:
        with pytest.raises(plugins.PluginError, match=problem):
            plugins.load_path(f"{lab.write(text)}:LIFO")


def test_a_misspelt_name_is_answered_with_the_nearest_and_the_file(lab):
    name = lab.write(scheme_source())
    with pytest.raises(
        plugins.PluginError, match=r"no name 'LIFA'.*did you mean 'LIFO'"
    ):
        plugins.load_path(f"{name}:LIFA")


def test_what_a_scheme_lacks_is_listed(lab):
    name = lab.write(scheme_source(without=("order",)))
    with pytest.raises(plugins.PluginError, match=r"it has no order$"):
        plugins.resolve(f"{name}:LIFO", plugins.SCHEME)


def test_an_agent_is_a_class_that_derives_from_guest(lab):
    name = lab.write(
        "from agents.lab.guest import Guest\n"
        "class Dipper(Guest):\n    def step(self): pass\n"
        "class Stranger: pass\n"
    )
    assert plugins.resolve(f"{name}:Dipper", plugins.AGENT).__name__ == "Dipper"
    for wrong in ("Stranger", "__name__"):
        with pytest.raises(plugins.PluginError, match="must derive from Guest"):
            plugins.resolve(f"{name}:{wrong}", plugins.AGENT)
    with pytest.raises(plugins.PluginError, match="'makers' is not an import path"):
        plugins.resolve("makers", plugins.AGENT)


def test_a_module_of_the_name_of_a_package_of_ours_is_named(lab):
    (lab.folder / "agents.py").write_text("class Dipper: pass\n")
    with pytest.raises(plugins.PluginError, match=r"agents\.py.*rename it.*my_agents"):
        plugins.load_path("agents:Dipper")


def test_the_key_and_the_line_are_named(lab):
    path = lab.folder / "mine.yaml"
    path.write_text("seed: 1\nsequencer:\n  policy: nowhere:LIFO\n")
    with pytest.raises(ConfigError) as caught:
        config.load(str(path))
    (problem,) = caught.value.problems
    assert problem.startswith("mine.yaml:3: sequencer.policy = 'nowhere:LIFO': no mod")


def test_the_source_is_part_of_the_experiment(lab):
    sibling = lab.write("WORTH = 1\n")
    name = lab.write(scheme_source(imports=f"import json\nimport {sibling}"))
    experiment = config.expand({"sequencer": {"policy": f"{name}:LIFO"}})
    sources = experiment.plugins[f"{name}:LIFO"]
    assert sorted(sources) == sorted([name, sibling])
    plain = config.expand({})
    assert plain.plugins == {}
    (lab.folder / f"{sibling}.py").write_text("WORTH = 2\n")
    with pytest.raises(ConfigError, match=f"{sibling}: changed on disk"):
        _ = config.expand({"sequencer": {"policy": f"{name}:LIFO"}}).hash


def test_another_source_is_another_experiment(lab):
    """Two modules of one text are told apart by name, so one is read twice here."""
    from experiments.config import plugin_sources

    name = lab.write(scheme_source())
    document = {"sequencer": {"policy": f"{name}:LIFO"}}
    first = config.expand(document).hash
    assert config.expand(document).hash == first
    (lab.folder / f"{name}.py").write_text(scheme_source() + "\n# changed\n")
    plugin_sources._FIRST.clear()  # as a new process would
    assert config.expand(document).hash != first


def test_the_sources_of_a_package_are_those_that_it_imports(lab):
    from experiments.config.plugin_sources import sources_of

    package = lab.folder / "my_package"
    (package / "deep").mkdir(parents=True)
    files = {
        "__init__.py": "",
        "schemes.py": "from . import helper\nfrom .deep.more import x\nimport jax\n",
        "helper.py": "import numpy as np\n",
        "deep/__init__.py": "",
        "deep/more.py": "from ..helper import np as x\n",
        "unused.py": "",
    }
    for name, text in files.items():
        (package / name).write_text(text)
    plugins.import_user_module("my_package.schemes")
    found = [
        source.module.removeprefix("my_package")
        for source in sources_of("my_package.schemes")
    ]
    assert found == ["", ".deep", ".deep.more", ".helper", ".schemes"]


EVERYTHING = """
from agents.families.vault import VaultParams, act, init
from agents.family import Family
from agents.lab.guest import Guest
from agents.measure.contract import Metric
from rollup.faults.contract import Fault


class Idle(Guest):
    def step(self):
        pass


def trades(reading):
    return reading.measures.trades


FAMILY = Family("idlers", "idler", VaultParams, init, act, 1)
FAULT = Fault("nothing", "does nothing", lambda conditions, strikes: conditions)
METRIC = Metric("my_trades", "count", "fills", None, trades)
"""


@pytest.mark.parametrize(
    "document",
    [
        {"populations": {"mine": {"family": "{}:FAMILY", "count": 1}}},
        {"populations": {"mine": {"agent": "{}:Idle"}}},
        {"faults": [{"kind": "{}:FAULT", "start": "1s", "duration": "1s"}]},
        {"metrics": ["trades", "{}:METRIC"]},
    ],
    ids=["family", "agent", "fault", "metric"],
)
def test_the_source_of_each_kind_is_part_of_the_experiment(lab, document):
    name = lab.write(EVERYTHING)

    def filled(part):
        if isinstance(part, dict):
            return {key: filled(value) for key, value in part.items()}
        if isinstance(part, list):
            return [filled(value) for value in part]
        return part.format(name) if isinstance(part, str) else part

    experiment = config.expand(filled(document))
    ((path, sources),) = experiment.plugins.items()
    assert path.startswith(f"{name}:")
    assert list(sources) == [name]
    assert config.expand(experiment.as_document()).hash == experiment.hash
