"""Damaged checkpoints, manifests and lines are read or refused by name, and nothing else happens."""

import time
from contextlib import suppress
from random import Random

import pytest
from django.conf import settings

from reporting.checkpoints.content import Point, parse
from tests.fuzz.documents import FEED, KINDS
from tests.fuzz.verdicts import MAX_SECONDS

DOCUMENTS = 500


@pytest.mark.django_db
@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_it_is_read_or_refused(kind):
    for number in range(DOCUMENTS):
        content = kind.make(Random(f"{number}"))
        began = time.process_time()
        with suppress(*kind.refusals):
            kind.read(content, f"{settings.LAKE_URI}/a.ndjson")
        assert time.process_time() - began < MAX_SECONDS, content[:200]


@pytest.mark.django_db
def test_a_checkpoint_that_is_read_is_written_and_read_again():
    read: list[Point] = []
    for number in range(DOCUMENTS):
        with suppress(*KINDS["checkpoint"].refusals):
            read.append(parse(KINDS["checkpoint"].make(Random(f"{number}")), FEED.key, "a file"))

    assert len(read) > DOCUMENTS // 10
    assert all(point.as_json()["cursor"] == point.cursor for point in read)
