"""`manage.py create_api_key --name N --scopes all`: prints the key alone on the last line."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from scrm.common import api_keys
from scrm.common.access import SYSTEM, Permission
from scrm.common.errors import DomainError


class Command(BaseCommand):
    help = "Create an API key. Its secret is printed once, alone on the last line."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--name", required=True, help="what the key is for")
        parser.add_argument(
            "--scopes",
            required=True,
            help=f"`all`, or a comma-separated list of: {', '.join(Permission.values)}",
        )
        parser.add_argument(
            "--allow", default="", help="addresses or networks that may use it, comma-separated; default any"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        scopes = [scope.strip() for scope in options["scopes"].split(",") if scope.strip()]
        if scopes == ["all"]:
            scopes = list(Permission.values)
        addresses = [address.strip() for address in options["allow"].split(",") if address.strip()]
        if not 1 <= len(options["name"]) <= 80:
            raise CommandError("a name has 1 to 80 characters")
        try:
            key, secret = api_keys.create(name=options["name"], scopes=scopes, allowed_ips=addresses, actor=SYSTEM)
        except DomainError as error:
            raise CommandError(str(error.message)) from error
        self.stderr.write(f"API key {key.name!r} with {len(key.scopes)} scopes. It is shown only now:")
        self.stdout.write(secret)
