"""Notifications outside of the desk: messages to Slack, by an outbox."""
