#!/bin/sh
# Pins the newest allowed versions of every package, with hashes, for every platform, without naming an index.
set -eu
cd "$(dirname "$0")/.."

compile() {
    output=$1
    shift
    .venv/bin/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
        --no-annotate --no-header --output-file "requirements/$output" "$@"
}

# The largest first; the others take its versions, so that one environment can grow into the other.
compile test.txt pyproject.toml --extra service --extra demo --group test
compile demo.txt pyproject.toml --extra service --extra demo --constraint requirements/test.txt
compile agent.txt pyproject.toml --constraint requirements/test.txt
printf 'uv\nsetuptools>=77\n' | compile tools.txt -
