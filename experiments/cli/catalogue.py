"""`shakeout scenarios` and `shakeout schema`: what a config may say."""

import json


def scenarios() -> None:
    """Lists the ready scenarios."""
    from experiments import config as configs

    names = configs.scenario_names()
    width = max(map(len, names))
    for name in names:
        first = (configs.SCENARIOS / f"{name}.yaml").read_text("utf-8").split("\n")[0]
        print(f"{name:{width}}  {first.lstrip('# ')}")


def schema() -> None:
    """Prints the JSON Schema of a config."""
    from experiments import config as configs

    print(json.dumps(configs.json_schema(), indent=2))
