"""What is read comes compressed, as it streams, to those who ask for it."""

import gzip
import json
import sys
import zlib
from collections.abc import Callable

import pytest
from django.http import HttpResponse, StreamingHttpResponse
from django.test import RequestFactory

from smplat.compression import CompressionMiddleware
from tests.database import add_segments, capture
from tests.factories import quick_order_event

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

WINDOW, LIST = "/api/telemetry/quick-order/export", "/api/v1/reporting/onboarding/experiment-events"
DECOMPRESS: dict[str, Callable[[bytes], bytes]] = {"gzip": gzip.decompress, "zstd": zstd.decompress, "": bytes}


def whole(answer):
    """The content as the client reads it."""
    return DECOMPRESS[answer.get("Content-Encoding", "")](answer.getvalue())


def pass_through(response, method: str = "GET", accept: str = "zstd"):
    request = RequestFactory().generic(method, "/", headers={"Accept-Encoding": accept})
    return CompressionMiddleware(lambda request: response)(request)


@pytest.mark.django_db
class TestAnswers:
    @pytest.mark.parametrize(
        ("accept", "coding"),
        [
            ("gzip, deflate, br, zstd", "zstd"),
            ("gzip, deflate", "gzip"),
            ("gzip;q=1.0, zstd;q=0.5", "gzip"),
            ("zstd;q=0, gzip;q=0.1", "gzip"),
            ("identity", ""),
            ("gzip;q=0", ""),
            ("", ""),
        ],
    )
    @pytest.mark.parametrize("path", [WINDOW, LIST, "/admin/reports", "/admin/reports/feeds/quick_order/csv"])
    def test_texts_come_in_the_coding_that_the_client_prefers(self, api, operator, path, accept, coding):
        capture([quick_order_event() for _ in range(20)])
        add_segments(20)
        client = operator if path.startswith("/admin/") else api

        answer = client.get(path, headers={"Accept-Encoding": accept})

        assert answer.get("Content-Encoding", "") == coding
        assert "Accept-Encoding" in answer["Vary"]
        assert len(whole(answer)) > len(answer.getvalue() if coding else b"")

    def test_the_rows_are_those_of_the_plain_answer(self, api):
        capture([quick_order_event() for _ in range(1_000)])
        plain = api.get(WINDOW)

        answer = api.get(WINDOW, headers={"Accept-Encoding": "zstd"})

        assert whole(answer) == plain.getvalue()
        assert answer["X-Quick-Order-Events"] == "1000"

    def test_the_tag_is_good_for_every_coding(self, api):
        capture([quick_order_event()])
        tag = api.get(WINDOW, headers={"Accept-Encoding": "zstd"})["ETag"]

        answer = api.get(WINDOW, headers={"Accept-Encoding": "gzip", "If-None-Match": tag})

        assert (answer.status_code, answer.content, answer["ETag"]) == (304, b"", tag)
        assert "Content-Encoding" not in answer
        assert {"Accept-Encoding", "X-API-Key"} <= set(answer["Vary"].split(", "))

    def test_what_capture_answers_stays_as_it_is(self, client):
        events = [{"name": "quick_order.start", "recordedAt": "never"}] * 100
        body = json.dumps(events)

        answer = client.post("/api/telemetry", body, "application/json", headers={"Accept-Encoding": "gzip"})

        assert (answer.status_code, len(answer.json()["rejected"])) == (202, 100)
        assert "Content-Encoding" not in answer
        assert "Accept-Encoding" not in answer.get("Vary", "")

    def test_a_page_is_padded_by_a_random_length(self, operator):
        lengths = {
            len(operator.get("/admin/reports", headers={"Accept-Encoding": "gzip"})["X-Noise"]) for _ in range(9)
        }

        assert len(lengths) > 1


class TestStreams:
    @pytest.mark.parametrize("coding", ["gzip", "zstd"])
    def test_a_part_can_be_read_before_the_next_one_is_made(self, coding):
        made = []

        def content():
            for number in range(3):
                made.append(number)
                yield b"%d\n" % number

        reader = zstd.ZstdDecompressor() if coding == "zstd" else zlib.decompressobj(zlib.MAX_WBITS | 16)
        answer = pass_through(StreamingHttpResponse(content(), content_type="text/csv"), accept=coding)
        read = b""
        for part in answer:
            read += reader.decompress(part)
            assert read.count(b"\n") == len(made)
        assert read == b"0\n1\n2\n"

    @pytest.mark.django_db
    def test_its_content_is_closed_with_it(self):
        closed = []

        def content():
            try:
                yield b"part"
            finally:
                closed.append(True)

        answer = pass_through(StreamingHttpResponse(content(), content_type="text/csv"))
        assert any(answer)
        answer.close()

        assert closed == [True]

    def test_the_length_of_the_plain_content_is_not_told(self):
        plain = StreamingHttpResponse([b"part"], content_type="application/x-ndjson", headers={"Content-Length": "4"})

        assert "Content-Length" not in pass_through(plain)

    def test_head_has_the_headers_of_get(self):
        answer = pass_through(StreamingHttpResponse([], content_type="application/x-ndjson"), "HEAD")

        assert answer["Content-Encoding"] == "zstd"


class TestLeftAlone:
    @pytest.mark.parametrize(
        "answer",
        [
            HttpResponse(b"short", content_type="application/json"),
            HttpResponse(b"x" * 9_999, content_type="application/gzip"),
            HttpResponse(b"x" * 9_999, content_type="image/png"),
            HttpResponse(b"x" * 9_999, content_type="application/octet-stream"),
        ],
    )
    def test_what_is_short_or_no_text(self, answer):
        assert "Content-Encoding" not in pass_through(answer)

    def test_what_is_encoded_already(self):
        encoded = HttpResponse(b"x" * 9_999, content_type="text/csv", headers={"Content-Encoding": "br"})

        assert pass_through(encoded)["Content-Encoding"] == "br"
