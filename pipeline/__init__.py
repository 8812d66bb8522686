"""The composition root: command line, settings, telemetry and the all-in-one run. Alone knows every package."""
