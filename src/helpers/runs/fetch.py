"""Fetches the files of a configuration: the command ``python -m helpers.runs.fetch --config paper``."""

import sys
from collections.abc import Sequence

from helpers.config import load_config
from helpers.data import catalog
from helpers.data.products import opened, ready
from helpers.errors import ConfigError, DataError
from helpers.runs.execute import overrides_of, settings_parser
from helpers.runs.steps import WORLDS_WITH_TRUTH
from helpers.virtual import archive


def main(arguments: Sequence[str] | None = None) -> int:
    """Fetch what is missing, or say with ``--dry-run`` what would come; return 1 if something is missing still."""
    parser = settings_parser("helpers.runs.fetch", "Fetch the files of a configuration from their archives.")
    parser.add_argument("--dry-run", action="store_true", help="say what would come; log in nowhere and fetch nothing")
    given = parser.parse_args(arguments)
    try:
        settings = load_config(given.config, overrides_of(given))
        if settings.world in WORLDS_WITH_TRUTH:
            print(f"{settings.config} makes its own data: there is nothing to fetch")
            return 0
        if not opened.keys(settings, tables=True):  # its files are pinned, all of them
            return catalog.main(["--list"] if given.dry_run else [])
        if settings.made_up:
            print(f"made up: {archive.write_archive(settings)}")
        if given.dry_run:
            for line in ready.dry_run(settings):
                print(line, flush=True)
            return 0
        states = ready.fetch(settings, lambda line: print(line, flush=True))
    except (ConfigError, DataError) as error:
        print(error, file=sys.stderr)
        return 1
    print(f"\n{ready.readiness(states)}")
    return int(not all(state.is_ready for state in states))


if __name__ == "__main__":
    raise SystemExit(main())
