"""An application of one additive migration: what a newer release does to the database while old code runs."""
