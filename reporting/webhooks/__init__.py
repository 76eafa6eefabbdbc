"""Webhooks by the Standard Webhooks scheme: messages signed and sent, and messages received."""
