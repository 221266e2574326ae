"""What the benchmark `realtime` sends: shared by the benchmark and by the process that makes its load."""

import os

RATE = 2_000  # events a second
# Events a batch, one after another: what collectors send by default, and half of it.
BATCHES = [int(size) for size in os.environ.get("BATCH", "50,25").split(",")]
CONNECTIONS = 6
PROBE = "bench.probe"
TYPES = [f"bench.type{number}" for number in range(10)]
WORDS = ["育儿", "辅食", "绘本", "推车", "露营", "护肤", "咖啡", "跑鞋", "猫粮", "家居"]
