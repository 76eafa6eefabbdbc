"""The statuses that the desk holds against the database: read by URL, or those that this installation wrote.

A URL may be slow or broken. All of them are read at once, within one time for all, and what went wrong becomes a
sentence for the page.
"""

from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.cache import caches
from rest_framework import serializers
from rest_framework.settings import api_settings

from reporting.feeds import FEEDS, Feed
from reporting.feeds.metrics import metrics_of
from reporting.insights.fetching import FetchError, fetch_json
from reporting.models import ExportRun

#: The time that a page waits for all of the URLs together.
TIMEOUT_SECONDS = 2.0
_KEPT, _FAILURE_KEPT = timedelta(seconds=30), timedelta(seconds=10)
# A URL that answers drop by drop keeps its thread for longer than a page waits; it is not asked again meanwhile.
_readers = ThreadPoolExecutor(max_workers=3, thread_name_prefix="published-status")
_under_way: dict[str, "Future[dict[str, Any]]"] = {}


class _WindowStatus(serializers.Serializer[Any]):
    """The status of a window; null stands for what its writer does not know."""

    syncedAt = serializers.DateTimeField(allow_null=True)
    events = serializers.IntegerField(min_value=0, allow_null=True)
    downloadUrl = serializers.CharField(allow_blank=True, allow_null=True)
    workflowUrl = serializers.CharField(allow_blank=True, allow_null=True)

    def __init__(self, feed: Feed, **options: Any) -> None:
        super().__init__(**options)
        self.fields["metrics"] = metrics_of(feed).document(allow_null=True)


class _CheckpointStatus(serializers.Serializer[Any]):
    cursor = serializers.DateTimeField(allow_null=True)
    rows = serializers.IntegerField(min_value=0, allow_null=True)
    updatedAt = serializers.DateTimeField(required=False, allow_null=True)
    downloadUrl = serializers.CharField(required=False, allow_blank=True, allow_null=True)
    workflowUrl = serializers.CharField(required=False, allow_blank=True, allow_null=True)


@dataclass(frozen=True)
class Published:
    """The status of a feed's export.

    Attributes:
        setting: the setting that can name a URL for it.
        status: the status with its values in their types, None for what it does not say; None where there is none.
        run: the run of this installation that wrote it; None for one that was read by URL.
        problem: a sentence on why the status cannot be read; empty otherwise.
    """

    setting: str
    status: dict[str, Any] | None = None
    run: ExportRun | None = None
    problem: str = ""

    @property
    def download_url(self) -> str:
        """Where the object can be downloaded, if that is a web address."""
        return self._web_address("downloadUrl")

    @property
    def workflow_url(self) -> str:
        """Where the workflow is shown, if that is a web address."""
        return self._web_address("workflowUrl")

    def _web_address(self, name: str) -> str:
        url = str((self.status or {}).get(name, ""))
        return url if url.startswith(("https://", "http://")) else ""


def statuses() -> dict[str, Published]:
    """The status of every feed that has one, by the feed's key, within ``TIMEOUT_SECONDS`` and by one query."""
    remote = _by_url({feed: url for feed, url in settings.STATUS_URLS.items() if url})
    runs = {run.feed: run for run in ExportRun.objects.newest_artifact_of_each_feed()}
    return {feed: remote.get(feed) or _own(feed, runs.get(feed)) for feed in settings.STATUS_URLS}


def _own(feed: str, run: ExportRun | None) -> Published:
    document = (run.checkpoint_after if FEEDS[feed].window is None else run.status) if run else None
    published = _checked(feed, document) if document else Published(FEEDS[feed].status_url_setting)
    return Published(published.setting, published.status, run, published.problem)


def _by_url(urls: dict[str, str]) -> dict[str, Published]:
    cache = caches["process"]
    found = {feed: cache.get(_cache_key(feed)) for feed in urls}
    asked = {feed: _ask(feed, url) for feed, url in urls.items() if found[feed] is None}
    wait(asked.values(), timeout=TIMEOUT_SECONDS)
    for feed, future in asked.items():
        found[feed] = _answer(feed, future)
        kept = _FAILURE_KEPT if found[feed].problem else _KEPT
        cache.set(_cache_key(feed), found[feed], kept.total_seconds())
    return found


def _ask(feed: str, url: str) -> "Future[dict[str, Any]]":
    under_way = _under_way.get(feed)
    if under_way is None or under_way.done():
        under_way = _under_way[feed] = _readers.submit(fetch_json, url, TIMEOUT_SECONDS)
    return under_way


def _answer(feed: str, future: "Future[dict[str, Any]]") -> Published:
    if not future.done():
        return Published(
            FEEDS[feed].status_url_setting,
            problem=f"{FEEDS[feed].status_url_setting}: no answer within {TIMEOUT_SECONDS:.0f} s.",
        )
    try:
        return _checked(feed, future.result())
    except FetchError as error:
        return Published(FEEDS[feed].status_url_setting, problem=f"{FEEDS[feed].status_url_setting}: {error}.")


def _checked(feed: str, document: dict[str, Any]) -> Published:
    shape = _shape_of(FEEDS[feed], document)
    if shape.is_valid():
        return Published(FEEDS[feed].status_url_setting, shape.validated_data)
    return Published(
        FEEDS[feed].status_url_setting,
        problem=f"{FEEDS[feed].status_url_setting}: the status is not what it should be; {_first(shape)}",
    )


def _shape_of(feed: Feed, document: dict[str, Any]) -> serializers.Serializer[Any]:
    return _CheckpointStatus(data=document) if feed.window is None else _WindowStatus(feed, data=document)


def _first(shape: serializers.Serializer[Any]) -> str:
    """The first thing that is wrong, with the path to it."""
    path: list[str] = []
    problem: Any = shape.errors
    while isinstance(problem, dict | list) and problem:
        name = next(iter(problem)) if isinstance(problem, dict) else next(i for i, item in enumerate(problem) if item)
        if isinstance(name, str) and name != api_settings.NON_FIELD_ERRORS_KEY:
            path.append(name)
        problem = problem[name]
    return f"{'.'.join(path)}: {problem}"


def _cache_key(feed: str) -> str:
    return f"published-status:{feed}"
