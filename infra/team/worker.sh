#!/bin/sh
# In the worker's checkout: note what a worker of before has left behind, bring what prefect.yaml declares to the server,
# then run what is scheduled.
set -eu
python - <<'PYTHON'
import os
import socket

from tailtune.config.paths import Paths
from tailtune.core.progress import Silent
from tailtune.operations.servers.deployments import Deployment, end_left_over
from tailtune.operations.servers.prefect_api import PrefectApi

api = PrefectApi(os.environ["PREFECT_API_URL"])
for run in end_left_over(api, "local", socket.gethostname()):
    print(f"{run}: its worker had died; now marked as crashed", flush=True)
deployed = Deployment(Paths.find(), api).finish(Silent())
counts = f"new: {deployed.new}; renewed: {deployed.renewed}; as declared: {deployed.same}; removed: {deployed.removed}"
print(counts, flush=True)
PYTHON
export PREFECT_FLOWS_HEARTBEAT_FREQUENCY=30 # by which a run is seen whose process was killed
exec prefect worker start --pool local --type process --name "$(hostname)" --with-healthcheck
