"""A checker in the manner of Jepsen: clients, faults out of a seeded schedule, and then whether anything is lost.

``python -m tests.faults.checker --minutes 10 --seed 7``, or ``make faults``.
"""
