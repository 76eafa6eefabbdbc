"""The roles that are shipped as groups, and the page that says what each may do."""

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.test import Client

from smplat.lib.roles import CAPABILITIES, ROLES, ship

pytestmark = pytest.mark.django_db


def names_of(group: Group) -> set[str]:
    found = group.permissions.values_list("content_type__app_label", "codename")
    return {f"{app}.{codename}" for app, codename in found}


def signed_in(role: str) -> Client:
    user = User.objects.create_user(role.lower(), is_staff=True)
    user.groups.add(Group.objects.get(name=role))
    client = Client()
    client.force_login(user)
    return client


def test_each_role_may_do_what_is_declared_and_no_more():
    for role in ROLES:
        declared = {name for each in CAPABILITIES if role in each.roles for name in each.permissions}
        assert names_of(Group.objects.get(name=role)) == declared, role


def test_a_migration_sets_the_groups_of_the_roles_and_no_others():
    own = Group.objects.create(name="Auditors")
    own.permissions.set(Permission.objects.filter(codename="view_auditentry"))
    Group.objects.get(name="Viewer").permissions.clear()

    ship()

    assert names_of(Group.objects.get(name="Viewer")) != set()
    assert names_of(own) == {"reporting.view_auditentry"}


@pytest.mark.parametrize(
    ("role", "exports", "mutes", "adds"),
    [("Viewer", 403, 403, 403), ("Operator", 200, 302, 403), ("Admin", 200, 302, 200)],
)
def test_what_each_may_open(role, exports, mutes, adds):
    client = signed_in(role)

    assert client.get("/admin/reports").status_code == 200
    assert client.get("/admin/reports/refused/csv").status_code == exports
    assert client.post("/admin/reports/alerts/test").status_code == mutes
    assert client.get("/admin/auth/user/add/").status_code == adds


def test_the_page_says_what_each_and_the_reader_may():
    page = " ".join(signed_in("Operator").get("/admin/reports/roles").content.decode().split())

    assert "Run, retry and repair exports</th><td>–</td><td>Yes</td><td>Yes</td><td>Yes</td>" in page
    assert "Read the audit log</th><td>–</td><td>–</td><td>Yes</td><td>–</td>" in page
    assert "Ask an Admin for another one." in page


def test_an_admin_adds_an_operator_who_may_only_look():
    viewer = Group.objects.get(name="Viewer")
    given = {"username": "night", "password1": "a-long-Passw0rd", "password2": "a-long-Passw0rd", "is_staff": "on"}

    answer = signed_in("Admin").post("/admin/auth/user/add/", {**given, "groups": viewer.pk})

    assert answer.status_code == 302
    night = Client()
    assert night.login(username="night", password="a-long-Passw0rd", request=answer.wsgi_request)
    assert night.get("/admin/reports").status_code == 200
    assert night.get("/admin/reports/feeds/quick_order/start").status_code == 403
