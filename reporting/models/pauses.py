"""Feeds whose schedule an operator has paused."""

from django.conf import settings
from django.db import models
from django.utils import timezone

from reporting.feeds import feed_choices


class FeedPause(models.Model):
    """A feed that is not exported by its schedule; operators and commands may export it all the same."""

    feed = models.TextField(primary_key=True, choices=feed_choices)
    since = models.DateTimeField(default=timezone.now)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    reason = models.TextField(max_length=500)

    def __str__(self) -> str:
        return f"{self.feed} since {self.since:%Y-%m-%d %H:%M}"
