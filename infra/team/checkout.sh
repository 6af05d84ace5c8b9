#!/bin/sh
# Bring TAILTUNE_ROOT to the newest commit of TEAM_BRANCH, with the rows that it pins, then run what follows in it.
# What a retrain commits is on branches of its own and stays.
set -eu
if [ ! -e "$TAILTUNE_ROOT/.git" ]; then
    rm -rf "$TAILTUNE_ROOT.new"
    git clone --quiet --branch "$TEAM_BRANCH" "$TEAM_REPOSITORY" "$TAILTUNE_ROOT.new"
    mv "$TAILTUNE_ROOT.new" "$TAILTUNE_ROOT"
fi
cd "$TAILTUNE_ROOT"
# Settings of this checkout alone, as `dvc remote add --local` writes them. Keys come from the environment.
cat >.dvc/config.local <<CONFIG
[core]
    remote = team
['remote "team"']
    url = $TEAM_DVC_REMOTE
    endpointurl = $TEAM_DVC_ENDPOINT
CONFIG
if ! git fetch --quiet origin "$TEAM_BRANCH"; then
    echo "checkout.sh: $TEAM_REPOSITORY does not answer; going on with $(git rev-parse --short HEAD)" >&2
elif [ "$(git rev-parse HEAD)" != "$(git rev-parse FETCH_HEAD)" ]; then
    git checkout --quiet --force --detach FETCH_HEAD
fi
mkdir -p .dvc/tmp
if [ -f data.dvc ] && ! cmp -s data.dvc .dvc/tmp/data.dvc.pulled; then
    dvc pull --quiet data.dvc
    cp data.dvc .dvc/tmp/data.dvc.pulled
fi
if [ $# -gt 0 ]; then exec "$@"; fi
