"""Signing in: how often it may fail, and what guards it besides a password."""
