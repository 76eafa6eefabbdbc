"""What leaves as a file: no spreadsheet runs a cell of it, and no name of it forges a header."""

import csv
import io
from email.message import Message

import pytest
from django.db import connection
from django.urls import get_resolver
from psycopg import sql

from reporting.exports.artifacts import attachment
from reporting.feeds import FEEDS, ColumnType
from reporting.feeds.shapes import model_of
from tests import ROOT
from tests.database import capture, create_follow_up, record_segment
from tests.factories import quick_order_event, workflow_event
from tests.urlconf import filled_in, routes

#: What a spreadsheet takes for the start of a formula: OWASP's list, and the wide forms of the same signs.
STARTS = "=+-@\t\r\n＝＋－＠"
FORMULA = "cmd|' /C calc'!A0,\"x\"\r\n=1"
NAMES = [
    'a"; filename="b.html',
    "a\\",
    "ünï.ndjson",
    "漢字 🛒.ndjson",
    "../../etc/passwd",
    "a;b=c",
    "\u202egpj.ndjson",
    "%22.ndjson",
    "a\r\nSet-Cookie: b",
    "a\n\n<script>",
]


#: The columns that hold text, of all feeds.
TEXTS = {column.name for feed in FEEDS.values() for column in feed.columns if column.type is ColumnType.TEXT}


def spoil(feed, text: str) -> None:
    """Put ``text`` into every column of the feed that holds text, also those that take none but a few words."""
    texts = [column.name for column in feed.columns if column.name in TEXTS]
    table = sql.Identifier(model_of(feed)._meta.db_table)
    columns = sql.SQL(", ").join(sql.SQL("{} = {}").format(sql.Identifier(name), text) for name in texts)
    with connection.cursor() as cursor:
        cursor.execute(sql.SQL("UPDATE {} SET {}").format(table, columns))


@pytest.fixture
def rows(db):
    """One row of each feed."""
    capture([quick_order_event(metadata={"=1": "=1"}), workflow_event()])
    record_segment()
    create_follow_up()


class TestFormulas:
    @pytest.mark.parametrize("start", STARTS, ids=lambda start: f"U+{ord(start):04X}")
    def test_every_text_in_every_csv_file_is_defused(self, rows, operator, start):
        for feed in FEEDS.values():
            spoil(feed, start + FORMULA)
        # Those of refused events have columns of their own; their page's tests look at them.
        found = [route for route in routes(get_resolver()) if "csv" in route and "refused" not in route]
        paths = {filled_in(route, feed_key=feed) for route in found for feed in FEEDS}

        assert len(paths) == 1 + len(FEEDS)
        for path in paths:
            (row,) = csv.DictReader(io.StringIO(operator.get(path).getvalue().decode(), newline=""))
            assert {cell for name, cell in row.items() if name in TEXTS} == {f"'{start}{FORMULA}"}
            assert [cell for cell in row.values() if cell and cell[0] in STARTS] == []

    def test_nothing_else_writes_csv(self):
        sources = [path for folder in ("smplat", "reporting", "telemetry") for path in (ROOT / folder).rglob("*.py")]
        makers = ("FORMAT csv", '"text/csv;', "csv.writer", "csv.DictWriter")

        found = {str(path.relative_to(ROOT)) for path in sources if any(maker in path.read_text() for maker in makers)}

        assert found == {"reporting/feeds/csv.py", "reporting/pages/csv_files.py"}


class TestNames:
    @pytest.mark.parametrize("name", NAMES)
    def test_a_name_of_any_letters_is_one_name(self, name):
        header = attachment(iter([]), name)["Content-Disposition"]
        message = Message()
        message["Content-Disposition"] = header

        assert header.isascii()
        assert header.isprintable()
        assert message.get_content_disposition() == "attachment"
        assert message.get_filename() == name
        parameters = message.get_params([], header="Content-Disposition")
        assert [parameter for parameter, _ in parameters] == ["attachment", "filename"]
