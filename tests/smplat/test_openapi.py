"""The OpenAPI document: complete, valid, and true of what the endpoints answer."""

import gc
import json
import re
import tomllib
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.contrib.staticfiles import finders
from django.core.management import call_command
from django.urls import URLPattern, get_resolver
from drf_spectacular.plumbing import ResolvedComponent
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator
from rest_framework.views import APIView

from reporting.api.answers import FeedRow
from reporting.feeds import FEEDS
from reporting.insights import automation
from smplat.lib.examples import example_of
from tests import ROOT
from tests.database import capture, export, record_follow_up, record_segment
from tests.factories import quick_order_event, workflow_event

LISTS = {
    "/api/v1/reporting/onboarding/experiment-events": "events",
    "/api/v1/reporting/onboarding/experiment-conversions": "metrics",
    "/api/v1/reporting/guardrails/followups": "entries",
    "/api/v1/reporting/guardrails/followups?providerId=provider-viralhub": "entries",
    "/api/v1/fulfillment/providers/automation/status/history": "alerts",
    "/api/reporting/guardrail-workflow": "actionCounts",
}
ARTIFACTS = {
    "/api/reporting/quick-order-export": "quick_order",
    "/api/reporting/guardrail-workflow-export": "guardrail_workflow",
    "/api/reporting/guardrail-followups/export": "guardrail_followups",
}
EXPORTS = ["/api/telemetry/quick-order/export", "/api/telemetry/guardrail-workflow/export"]


@pytest.fixture
def document(client):
    return client.get("/api/schema/").json()


def operations(document) -> Iterator[tuple[str, str, dict]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield path, method.upper(), operation


def media_types(document) -> Iterator[tuple[str, dict]]:
    """Every body of a request or an answer, with its name."""
    for path, method, operation in operations(document):
        bodies = {"request": operation.get("requestBody", {}), **operation["responses"]}
        for name, body in bodies.items():
            for media_type, content in body.get("content", {}).items():
                yield f"{method} {path} {name} {media_type}", content


def problems(document, schema: dict, value: object) -> list[str]:
    validator = Draft202012Validator(
        {**schema, "components": document["components"]}, format_checker=Draft202012Validator.FORMAT_CHECKER
    )
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(value)]


def answer_schema(document, path: str, media_type: str = "application/json") -> dict:
    operation = document["paths"][path.partition("?")[0]]["get"]
    schema: dict = operation["responses"]["200"]["content"][media_type]["schema"]
    return schema


class TestDocument:
    def test_it_is_generated_without_a_warning(self, tmp_path):
        file = tmp_path / "openapi.yaml"

        call_command("spectacular", file=str(file), validate=True, fail_on_warn=True, api_version=settings.VERSION)

        assert file.read_text().startswith("openapi: 3.1.0")

    def test_it_keeps_to_the_specification(self, document):
        OpenAPIV31SpecValidator(document).validate()

    def test_it_carries_the_version_of_the_package_whatever_the_query_says(self, client):
        version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]

        document = client.get("/api/schema/?version=9%0A&format=xml").json()

        assert (document["openapi"], document["info"]["version"]) == ("3.1.0", version)

    def test_it_lists_exactly_the_endpoints(self, document):
        described = {(path, method) for path, method, _ in operations(document)}

        assert described == set(endpoints())

    def test_every_operation_has_a_name_of_its_own_a_summary_and_a_tag(self, document):
        described = [operation for _, _, operation in operations(document)]
        parts = ("summary", "description", "tags")

        assert len({operation["operationId"] for operation in described}) == len(described)
        assert [operation for operation in described if not all(operation.get(part) for part in parts)] == []

    def test_every_parameter_has_a_description(self, document):
        parameters = [given for _, _, operation in operations(document) for given in operation.get("parameters", [])]

        assert len(parameters) > 10
        assert [given["name"] for given in parameters if not given.get("description")] == []

    def test_every_body_has_an_example(self, document):
        bodies = list(media_types(document))

        assert len(bodies) > 10
        assert [name for name, content in bodies if not content.get("examples")] == []

    def test_the_examples_keep_to_their_schemas(self, document):
        examples = [
            (name, content["schema"], example["value"])
            for name, content in media_types(document)
            for example in content["examples"].values()
        ]

        wrong = {name: found for name, schema, value in examples if (found := problems(document, schema, value))}

        assert len(examples) > 10
        assert wrong == {}

    @pytest.mark.parametrize("key", FEEDS)
    def test_the_example_of_a_row_keeps_to_its_schema(self, document, key):
        schema = {"$ref": f"#/components/schemas/{FEEDS[key].model.partition('.')[2]}"}

        assert problems(document, schema, example_of(FeedRow(FEEDS[key]))) == []

    def test_whoever_must_sign_in_is_told_of_the_401(self, document):
        closed = [operation for _, _, operation in operations(document) if operation.get("security")]

        assert len(closed) == len(list(operations(document))) - 2
        assert all("401" in operation["responses"] for operation in closed)

    def test_the_limits_of_a_field_are_those_of_its_column(self, document):
        follow_up = document["components"]["schemas"]["FollowUp"]["properties"]

        assert follow_up["notes"]["maxLength"] == 500
        assert follow_up["notes"]["type"] == ["string", "null"]
        assert follow_up["action"]["enum"] == ["pause", "resume", "escalate"]


def endpoints() -> Iterator[tuple[str, str]]:
    """Every API route of the URL configuration, as the document writes them, with each of its methods."""
    for route, view in views(get_resolver().url_patterns, "/"):
        if route not in {"/api/schema/", "/api/docs/"}:
            methods = {name.upper() for name in ("get", "post", "put", "patch", "delete") if hasattr(view, name)}
            path = re.sub(r"<\w+:(\w+?)_(\w)(\w*)>", lambda m: f"{{{m[1]}{m[2].upper()}{m[3]}}}", route)
            yield from ((path, method) for method in methods)


def views(patterns, prefix: str) -> Iterator[tuple[str, type[APIView]]]:
    for pattern in patterns:
        route = f"{prefix}{pattern.pattern}"
        if not isinstance(pattern, URLPattern):
            yield from views(pattern.url_patterns, route)
            continue
        view: Any = getattr(pattern.callback, "cls", object)
        if issubclass(view, APIView):
            yield route, view


@pytest.mark.django_db
class TestAnswers:
    @pytest.fixture(autouse=True)
    def rows(self):
        """Rows of every feed: complete ones, and such as have nothing but what they need."""
        events = (quick_order_event(outcome={"total": 3}), workflow_event())
        bare = [{"id": str(uuid.uuid4()), "name": event["name"], "workflowAction": "note"} for event in events]
        capture([*events, *bare])
        record_segment(variant_name=None, is_control=True)
        record_follow_up()
        record_follow_up(action="escalate", platform_context_id="instagram")
        automation.run()

    @pytest.mark.parametrize(("path", "rows_key"), LISTS.items())
    def test_a_list_keeps_to_its_schema(self, api, document, path, rows_key):
        answer = api.get(path).json()

        assert answer[rows_key]
        assert problems(document, answer_schema(document, path), answer) == []

    @pytest.mark.parametrize("path", EXPORTS)
    def test_the_lines_of_an_export_keep_to_their_schema(self, api, document, path):
        lines = api.get(path).getvalue().splitlines()
        schema = answer_schema(document, path, "application/x-ndjson")["contentSchema"]

        assert len(lines) == 2
        assert [problems(document, schema, json.loads(line)) for line in lines] == [[], []]

    @pytest.mark.parametrize(("path", "key"), ARTIFACTS.items())
    def test_the_lines_of_a_download_keep_to_their_schema(self, operator, document, path, key):
        export(key)

        lines = operator.get(path).getvalue().splitlines()
        schema = answer_schema(document, path, "application/x-ndjson")["contentSchema"]

        assert len(lines) == 2
        assert [problems(document, schema, json.loads(line)) for line in lines] == [[], []]


def test_to_ask_for_the_document_leaves_nothing_behind(client):
    def parts() -> int:
        gc.collect()
        return sum(type(part) is ResolvedComponent for part in gc.get_objects())

    first, before = client.get("/api/schema/").json(), parts()

    assert client.get("/api/schema/").json() == first
    assert parts() == before


class TestDocsPage:
    def test_it_loads_nothing_from_another_host(self, client):
        page = client.get("/api/docs/").content.decode()
        *loaded, start = re.findall(r"(?:src|href)=\"([^\"]+)\"", page)
        script = client.get(start).content.decode()

        assert len(loaded) == 4
        assert [address for address in loaded if not address.startswith("/static/")] == []
        assert re.findall(r"https?://[^\s\"']+", page + script) == []
        assert '"validatorUrl": null' in script
        assert 'url: "/api/schema/"' in script

    def test_its_files_are_part_of_the_installation(self, client):
        page = client.get("/api/docs/").content.decode()
        names = re.findall(r"\"/static/([^\"]+)\"", page)
        style = next(name for name in names if name.endswith(".css"))

        assert [name for name in names if finders.find(name) is None] == []
        assert re.findall(r"url\(['\"]?https?:|@import", Path(str(finders.find(style))).read_text()) == []

    @pytest.mark.parametrize("method", ["OPTIONS", "POST", "PUT", "DELETE"])
    def test_other_methods_than_get_are_refused(self, client, method):
        assert client.generic(method, "/api/docs/").status_code == 405
