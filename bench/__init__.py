"""Benchmarks: ratios measured in one run on one machine; absolute times would say nothing elsewhere."""
