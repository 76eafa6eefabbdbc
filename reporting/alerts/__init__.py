"""What people are told outside of the desk: messages to Slack, by an outbox."""
