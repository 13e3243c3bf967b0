"""Webhooks to receivers: who they are, what they get, and how it is sent, retried and signed."""
