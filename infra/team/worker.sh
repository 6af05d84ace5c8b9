#!/bin/sh
# In the worker's checkout: bring what prefect.yaml declares to the server, then run what is scheduled.
set -eu
python - <<'PYTHON'
import os

from tailtune.config.paths import Paths
from tailtune.core.progress import Silent
from tailtune.operations.servers.deployments import Deployment
from tailtune.operations.servers.prefect_api import PrefectApi

deployed = Deployment(Paths.find(), PrefectApi(os.environ["PREFECT_API_URL"])).finish(Silent())
print(f"new: {deployed.new}; renewed: {deployed.renewed}; as declared: {deployed.same}", flush=True)
PYTHON
export PREFECT_FLOWS_HEARTBEAT_FREQUENCY=30 # by which a run is seen whose process was killed
exec prefect worker start --pool local --type process --name "$(hostname)" --with-healthcheck
