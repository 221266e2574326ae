"""Measurements: each prints ratios between the product and a peer, taken side by side in one run."""
