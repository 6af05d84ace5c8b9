"""What the command line does first, for every test: no telemetry, no hub, threads that wait sleep."""

from tailtune.spec.settings import quiet_environment

quiet_environment()
