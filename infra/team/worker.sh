#!/bin/sh
# In the worker's checkout: make the work pool and the deployments of prefect.yaml, then run what is scheduled.
set -eu
prefect work-pool inspect local >/dev/null 2>&1 || prefect work-pool create local --type process
# Without TAILTUNE_ROOT, so that no path of this machine stands on the server: each worker fills in its own.
env -u TAILTUNE_ROOT prefect --no-prompt deploy --all
exec prefect worker start --pool local --type process --name "$(hostname)" --with-healthcheck
