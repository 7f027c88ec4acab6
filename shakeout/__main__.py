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
    from experiments import interrupts

    with interrupts.listening():
        _run()


def _run() -> None:
    from experiments import interrupts
    from experiments.fleet import environment

    environment.prepare()  # before JAX is imported: programs are kept on disk
    from experiments.cli import app

    try:
        app(prog_name="shakeout")
    except SystemExit as end:
        interrupts.finish(end.code if isinstance(end.code, int) else 1)
        raise


if __name__ == "__main__":
    main()
