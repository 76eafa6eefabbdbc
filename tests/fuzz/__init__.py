"""Hostile input: grammars, a client that sends what they make, and verdicts on what comes back.

`make fuzz` runs :mod:`tests.fuzz.__main__` on a desk of its own; the suite sends 5,000 requests to another.
"""
