"""A believable brand for demonstrations and benchmarks: pure arrays out of a seed, nothing stored here."""
