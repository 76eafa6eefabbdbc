"""Accounts and groups in Django's admin: they can be added, with forms that show their inputs."""

import re

import pytest
from django.contrib.auth.models import User

ADD_USER, USERS, GROUPS = "/admin/auth/user/add/", "/admin/auth/user/", "/admin/auth/group/"


def page(client, path: str) -> str:
    answer: bytes = client.get(path).content
    return answer.decode()


@pytest.mark.parametrize("path", [USERS, GROUPS])
def test_the_list_has_a_button_that_adds_one(operator, path):
    buttons = re.findall(rf'<a[^>]* href="{path}add/[^"]*"', page(operator, path).partition('id="main"')[2])

    assert buttons


@pytest.mark.parametrize("name", ["username", "password1", "password2"])
def test_the_inputs_of_a_new_account_have_a_border(operator, name):
    field = re.search(rf'<input[^>]* name="{name}"[^>]*>', page(operator, ADD_USER))

    assert field is not None
    assert "border" in field[0]


def test_the_inputs_of_an_account_and_of_its_password_have_a_border(operator):
    account = User.objects.get()

    fields = [
        re.search(rf'<input[^>]* name="{name}"[^>]*>', page(operator, f"{USERS}{account.pk}/{place}/"))
        for place, name in (("change", "email"), ("password", "password1"))
    ]

    assert [field is not None and "border" in field[0] for field in fields] == [True, True]


def test_an_account_is_added_by_the_form(operator):
    body = {
        "username": "analyst",
        "usable_password": "true",
        **dict.fromkeys(("password1", "password2"), "a-long-pass"),
    }

    answer = operator.post(ADD_USER, body)

    assert answer.status_code == 302
    assert User.objects.get(username="analyst").check_password("a-long-pass")
