"""The operator's account that `make run` sees to."""

from django.contrib.auth import get_user_model


def ensure_operator(name: str, chosen_password: str, made_password: str) -> str:
    """Make sure that a superuser ``name`` exists and return what to print as its password.

    Args:
        name: the account's name.
        chosen_password: the password that the environment names; it is set on the account. Empty: none is named.
        made_password: the password for a new account when none is chosen.
    """
    users = get_user_model()
    user = users.objects.filter(username=name).first()
    if user is None:
        users.objects.create_superuser(username=name, password=chosen_password or made_password)
        return chosen_password or made_password
    if chosen_password and not user.check_password(chosen_password):
        user.set_password(chosen_password)
        user.save(update_fields=["password"])
    if chosen_password:
        return chosen_password
    return made_password if user.check_password(made_password) else "(as changed in the operator pages)"
