"""Signing in with a password: how often it may fail, what that costs, and what is said."""

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from io import StringIO

import pytest
from axes.models import AccessAttempt
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import connection, connections
from django.db.models import F
from django.test import Client
from django.utils import timezone

from reporting.models import AuditEntry
from smplat.signin import counting

PASSWORD = "a-password-for-tests"
HOME, ELSEWHERE = "192.0.2.1", "192.0.2.2"


class CountingHasher(PBKDF2PasswordHasher):
    """A hasher that is fast, and that remembers how often it hashed."""

    iterations = 1
    hashed = 0

    def encode(self, *args, **kwargs):
        type(self).hashed += 1
        return super().encode(*args, **kwargs)


@pytest.fixture(autouse=True)
def hasher(fast_hashing, settings):
    settings.PASSWORD_HASHERS = [f"{__name__}.CountingHasher"]
    CountingHasher.hashed = 0
    return CountingHasher


@pytest.fixture
def ada(db):
    return User.objects.create_superuser("ada", password=PASSWORD)


def sign_in(name="ada", password="wrong", address=HOME, **headers):
    form = {"username": name, "password": password, "next": "/admin/"}
    return Client().post("/admin/login/", form, REMOTE_ADDR=address, headers=headers)


def attempt(password):
    """Sign in from a thread of its own."""
    try:
        return sign_in(password=password).status_code
    finally:
        connections.close_all()


def fail(times, **attempt):
    return [sign_in(**attempt).status_code for _ in range(times)]


def pass_time(**duration):
    AccessAttempt.objects.update(attempt_time=F("attempt_time") - timedelta(**duration))


def text_of(answer):
    """What the page says, without the token that differs from request to request."""
    return re.sub(r'name="csrfmiddlewaretoken" value="\w+"', "", answer.content.decode())


def lock_outs():
    return AuditEntry.objects.filter(action=AuditEntry.Action.LOCK_OUT).order_by("id")


@pytest.mark.django_db
class TestLimits:
    def test_the_fifth_failure_locks_the_account_for_the_address(self, ada):
        assert fail(4) == [200] * 4

        locked = sign_in()

        assert (locked.status_code, locked["Retry-After"]) == (429, "300")
        assert "Too many failed sign-ins. Try again in 5 minutes." in locked.content.decode()
        assert sign_in(password=PASSWORD).status_code == 429

    def test_nobody_else_is_locked_with_it(self, ada):
        User.objects.create_superuser("bob", password=PASSWORD)
        fail(5)

        assert sign_in(password=PASSWORD, address=ELSEWHERE).status_code == 302
        assert sign_in("bob", PASSWORD).status_code == 302

    def test_a_locked_attempt_hashes_nothing_and_is_not_counted(self, ada, hasher):
        fail(5)
        hasher.hashed = 0

        statuses = fail(3) + [sign_in(password=PASSWORD).status_code]

        assert statuses == [429] * 4
        assert hasher.hashed == 0
        assert AccessAttempt.objects.get().failures_since_start == 5

    def test_it_opens_after_five_minutes_and_then_waits_twice_as_long_up_to_an_hour(self, ada):
        fail(5)
        waits = []
        for minutes in (5, 10, 20, 40, 60):
            pass_time(minutes=minutes)
            waits.append(sign_in()["Retry-After"])
        pass_time(minutes=60)

        assert waits == ["600", "1200", "2400", "3600", "3600"]
        assert sign_in(password=PASSWORD).status_code == 302

    def test_it_stays_shut_until_the_wait_is_over(self, ada):
        fail(5)
        pass_time(minutes=4, seconds=30)

        assert sign_in(password=PASSWORD)["Retry-After"] in {"30", "29"}

    def test_twenty_failures_lock_the_address_for_every_account(self, ada):
        for number in range(5):
            fail(4, name=f"guess-{number}")

        assert sign_in(password=PASSWORD).status_code == 429
        assert sign_in(password=PASSWORD, address=ELSEWHERE).status_code == 302

    def test_a_hundred_failures_lock_the_account_for_every_address(self, ada):
        now = timezone.now()
        for number in range(25):
            for _ in range(4):
                counting.count("ada", f"198.51.100.{number}", now)

        assert sign_in(password=PASSWORD).status_code == 429
        assert sign_in("bob").status_code == 200

    def test_an_ipv6_network_is_one_address(self, ada):
        for number in range(5):
            sign_in(address=f"2001:db8:1:2::{number}")

        assert sign_in(address="2001:db8:1:2:ffff::1").status_code == 429
        assert sign_in(address="2001:db8:1:3::1").status_code == 200

    def test_other_browsers_and_claimed_addresses_are_the_same_client(self, ada):
        for number in range(5):
            sign_in(**{"User-Agent": f"Browser/{number}", "X-Forwarded-For": f"198.51.100.{number}"})

        assert sign_in().status_code == 429
        assert AccessAttempt.objects.count() == 1

    def test_a_client_without_an_address_is_limited_too(self, ada):
        assert fail(5, address="")[-1] == 429

    def test_success_clears_this_account_at_this_address_alone(self, ada):
        fail(4)
        fail(4, address=ELSEWHERE)
        fail(4, name="bob")
        sign_in(password=PASSWORD)

        left = AccessAttempt.objects.values_list("username", "ip_address", "failures_since_start")
        assert sorted(left) == [("ada", ELSEWHERE, 4), ("bob", HOME, 4)]
        assert fail(4) == [200] * 4

    def test_an_attempt_that_began_before_the_last_one_waits_no_longer(self):
        now = timezone.now()
        for _ in range(5):
            counting.count("ada", HOME, now)

        with pytest.raises(counting.LockedOutError) as locked:
            counting.count("ada", HOME, now - timedelta(seconds=2))
        assert locked.value.wait == timedelta(minutes=5)

    def test_a_name_of_any_length_is_refused_as_others_are(self):
        assert sign_in("x" * 300).status_code == 200
        assert sign_in("x\0y").status_code == 200

    def test_attempts_are_forgotten_after_a_day(self, ada):
        fail(4, name="bob", address=ELSEWHERE)
        pass_time(days=1, minutes=1)
        sign_in()

        assert list(AccessAttempt.objects.values_list("username", flat=True)) == ["ada"]

    def test_the_table_keeps_no_form(self, ada):
        sign_in(password="my-real-password-with-a-typo")

        row = AccessAttempt.objects.values().get()
        assert not any("typo" in str(value) or "csrf" in str(value) for value in row.values())


@pytest.mark.django_db
class TestStrangers:
    def test_an_unknown_account_looks_and_costs_like_a_known_one(self, ada, hasher):
        pages, costs = [], []
        for name in ("ada", "eve"):
            hasher.hashed = 0
            answers = [sign_in(name) for _ in range(6)]
            pages.append([(answer.status_code, text_of(answer).replace(name, "")) for answer in answers])
            costs.append(hasher.hashed)

        assert pages[0] == pages[1]
        assert costs == [5, 5]

    def test_an_account_that_is_not_staff_looks_like_none(self, hasher):
        User.objects.create_user("eve", password=PASSWORD)
        right, wrong = sign_in("eve", PASSWORD), sign_in("eve")

        assert text_of(right) == text_of(wrong)
        assert fail(3, name="eve", password=PASSWORD) == [200, 200, 429]


@pytest.mark.django_db
class TestAudit:
    def test_a_lock_out_is_noted_once_with_account_and_address(self, ada):
        fail(8)

        entry = lock_outs().get()
        assert (entry.user, entry.username, entry.subject) == (None, "", "ada")
        assert entry.details == {"limit": "account and address", "address": HOME, "seconds": 300}

    def test_the_next_lock_out_is_noted_anew(self, ada):
        fail(8)
        pass_time(minutes=5)
        fail(3)

        assert [entry.details["seconds"] for entry in lock_outs()] == [300, 600]

    def test_an_address_is_noted_with_its_limit(self, ada):
        for number in range(5):
            fail(4, name=f"guess-{number}")

        entry = lock_outs().get()
        assert (entry.subject, entry.details["limit"]) == (HOME, "address")

    def test_a_name_that_is_no_account_is_not_kept(self, ada):
        fail(5, name="my-secret-password")

        entry = lock_outs().get()
        assert (entry.subject, "secret" in str(entry.details)) == (HOME, False)

    def test_a_right_password_at_the_last_attempt_is_no_lock_out(self, ada):
        fail(4)
        sign_in(password=PASSWORD)

        assert not lock_outs().exists()


@pytest.mark.django_db
class TestCounting:
    def test_those_who_are_signed_in_stay_so_meanwhile(self, operator):
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE axes_accessattempt RENAME TO elsewhere")

        assert operator.get("/admin/reports").status_code == 200

    def test_an_operator_gets_back_in_by_a_command(self, ada):
        fail(5)
        call_command("axes_reset_username", "ada", stdout=StringIO())

        assert sign_in(password=PASSWORD).status_code == 302


@pytest.mark.django_db(transaction=True)
def test_what_cannot_be_counted_is_not_tried(ada, hasher):
    hasher.hashed = 0
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE axes_accessattempt RENAME TO elsewhere")
        try:
            refused = sign_in(password=PASSWORD)
        finally:
            cursor.execute("ALTER TABLE elsewhere RENAME TO axes_accessattempt")

    assert (refused.status_code, refused["Retry-After"], hasher.hashed) == (503, "60", 0)
    assert "Sign-in isn&#x27;t available right now. Try again in a minute." in refused.content.decode()
    assert sign_in(password=PASSWORD).status_code == 302


@pytest.mark.django_db(transaction=True)
def test_fifty_attempts_at_once_cost_five_hashes_and_one_entry(ada, hasher):
    hasher.hashed = 0

    with ThreadPoolExecutor(16) as pool:
        statuses = list(pool.map(attempt, ["wrong"] * 50))

    assert (hasher.hashed, lock_outs().count()) == (5, 1)
    assert statuses.count(429) == 46


@pytest.mark.django_db(transaction=True)
def test_who_is_locked_out_waits_for_nobody(ada):
    fail(5)

    with ThreadPoolExecutor(1) as pool, counting.one_at_a_time():
        assert pool.submit(attempt, PASSWORD).result(timeout=10) == 429


@pytest.mark.django_db(transaction=True)
def test_an_attempt_does_not_wait_for_ever_for_another_to_be_counted(ada, monkeypatch):
    monkeypatch.setattr(counting, "LOCK_TIMEOUT_SECONDS", 1)
    with ThreadPoolExecutor(1) as pool, counting.one_at_a_time():
        refused = pool.submit(attempt, PASSWORD).result(timeout=10)

    assert refused == 503
