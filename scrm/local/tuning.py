"""PostgreSQL settings that follow the machine's size."""

import os


def memory_bytes() -> int:
    """The machine's memory, or the container's share of it."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    try:
        with open("/sys/fs/cgroup/memory.max") as file:
            limit = file.read().strip()
        return min(total, int(limit)) if limit.isdigit() else total
    except OSError:
        return total


def server_settings(*, generous: bool) -> dict[str, str]:
    """Settings for a durable server: modest beside a person's programs, or `generous` for benchmarks."""
    megabytes = memory_bytes() // 2**20
    cores = os.cpu_count() or 1
    shared = min(megabytes // 4, 4096) if generous else min(megabytes // 8, 1024)
    work = 64 if generous else 32
    return {
        "shared_buffers": f"{max(shared, 64)}MB",
        "effective_cache_size": f"{max(megabytes // 2, 128)}MB",
        "work_mem": f"{min(work, max(megabytes // 128, 4))}MB",
        "maintenance_work_mem": f"{min(1024, max(megabytes // 16, 64))}MB",
        "max_wal_size": "8GB" if generous else "4GB",
        "min_wal_size": "512MB",
        "wal_compression": "off",
        "checkpoint_timeout": "15min",
        "random_page_cost": "1.1",
        "max_worker_processes": str(cores + 6),
        "max_parallel_workers": str(cores),
        "max_parallel_workers_per_gather": str(max(cores // 2, 1)),
        "jit": "off",
    }
