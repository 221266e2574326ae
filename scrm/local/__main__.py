"""The commands behind the Makefile: `python -m scrm.local run|manage|bench|check|test|clean`."""

import os
import shlex
import sys

from scrm.local import benchmarking, checks, cleaning, preparation, running
from scrm.local.environment import ROOT, data_directory, local_environment, needed_services
from scrm.local.errors import LocalError
from scrm.local.servers import Services

# Commands about the tables themselves, which must not find them changed just before.
SCHEMA_COMMANDS = {"migrate", "makemigrations", "showmigrations", "sqlmigrate", "help", "check", "flush"}


def manage() -> int:
    """Become `manage.py $CMD` with the services up; they end after it, unless somebody else uses them."""
    arguments = shlex.split(os.environ.get("CMD", ""))
    if not arguments:
        raise LocalError('say which command: make manage CMD="check"')
    data_dir = data_directory()
    services = Services(data_dir, needed_services())
    environment = local_environment(data_dir, services.acquire())
    preparation.compile_translations(environment)
    if arguments[0] not in SCHEMA_COMMANDS:
        preparation.migrate(environment, unless_known=True)
    services.become([sys.executable, str(ROOT / "manage.py"), *arguments], environment)


COMMANDS = {
    "run": running.run,
    "manage": manage,
    "bench": benchmarking.bench,
    "check": checks.check,
    "test": checks.test,
    "clean": cleaning.clean,
}


def main() -> int:
    """Run the command that was asked for; a LocalError becomes one line and exit code 1."""
    name = sys.argv[1] if len(sys.argv) > 1 else ""
    if name not in COMMANDS:
        print(f"usage: python -m scrm.local {'|'.join(COMMANDS)}", file=sys.stderr)
        return 2
    try:
        return COMMANDS[name]()
    except LocalError as error:
        print(f"scrm: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
