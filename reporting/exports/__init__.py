"""Exports: runs and their locks, the delivery of rows to sinks, and the jobs."""
