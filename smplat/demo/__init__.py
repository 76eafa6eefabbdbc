"""Sample telemetry for a fresh instance."""
