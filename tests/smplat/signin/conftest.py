"""Fixtures of the sign-in."""

import pytest


@pytest.fixture(autouse=True)
def fast_hashing(settings):
    """Passwords that cost nothing to hash, where the cost is not what is tested."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
