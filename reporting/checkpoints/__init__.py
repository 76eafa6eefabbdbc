"""Checkpoints: how far a sink has got, what is kept of that and where, and moves on purpose."""
