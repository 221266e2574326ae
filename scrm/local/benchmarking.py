"""`make bench`: benchmarks against an own PostgreSQL that is durable and tuned for this machine."""

import os
import sys

from scrm.local import preparation
from scrm.local.environment import data_directory, local_environment, needed_services
from scrm.local.servers import Services


def bench() -> int:
    """Become `python -m benchmarks NAME…` for ONLY=name,name (all when empty) and SIZE=1M or 10M."""
    data_dir = data_directory() / "bench"
    services = Services(data_dir, needed_services(), generous=True)
    environment = local_environment(data_dir, services.acquire())
    preparation.compile_translations(environment)
    preparation.collect_static_files(environment)
    preparation.migrate(environment)
    names = os.environ.get("ONLY", "").replace(",", " ").split()
    environment.setdefault("SIZE", "1M")
    services.become([sys.executable, "-m", "benchmarks", *names], environment)
