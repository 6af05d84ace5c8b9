"""Imported first by every flow file, because importing Prefect in a terminal already phones home."""

from tailtune.config.settings import quiet_environment

quiet_environment()
