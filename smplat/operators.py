"""The operator's account that `make run` sees to."""

from enum import Enum, auto

from django.contrib.auth import get_user_model


class Password(Enum):
    """Which password an account has."""

    CHOSEN = auto()
    MADE = auto()
    CHANGED = auto()


def ensure_operator(name: str, chosen_password: str, made_password: str) -> Password:
    """Make sure that a superuser ``name`` exists and return which password it has.

    Args:
        name: the account's name.
        chosen_password: the password that the environment names; it is set on the account. Empty: none is named.
        made_password: the password for a new account when none is chosen.
    """
    users = get_user_model()
    user = users.objects.filter(username=name).first()
    if user is None:
        user = users.objects.create_superuser(username=name, password=chosen_password or made_password)
    if not chosen_password:
        return Password.MADE if user.check_password(made_password) else Password.CHANGED
    if not user.check_password(chosen_password):
        user.set_password(chosen_password)
        user.save(update_fields=["password"])
    return Password.CHOSEN
