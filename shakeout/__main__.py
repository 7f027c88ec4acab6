"""The command line: ``shakeout``, or ``python -m shakeout``."""

import sys

from shakeout.namesakes import ShadowedError, check_packages


def main() -> None:
    """Runs the command, unless somebody else's packages would run instead."""
    try:
        check_packages()
    except ShadowedError as error:
        print(f"shakeout: {error}", file=sys.stderr)
        raise SystemExit(2) from None
    from experiments.fleet import environment

    environment.prepare()  # before JAX is imported: programs are kept on disk
    from experiments.cli import app

    app(prog_name="shakeout")


if __name__ == "__main__":
    main()
