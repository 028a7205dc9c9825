#!/usr/bin/env bash
# Prometheus' own checker of pages finds no help text of any counter on an OpenMetrics page that has one for each.
#
# Seen with: promtool 2.42.0 (Debian 12, package prometheus), prometheus-client 0.26.0 (PyPI).
# In OpenMetrics the family `runs` has the help and the sample is called `runs_total`. Prometheus scrapes such a page and keeps
# the help, but `promtool check metrics` reads every page as the older text format, where the name of both is the same:
#
#   openmetrics: exit status 3, runs_total no help text
#   text: exit status 0,
#
# So a page that is right fails a check in CI; check the older text format instead (`Accept: text/plain`), which the same library
# writes. Exit status 0: it is still so; 1: it has changed; 2: no apt that has this version.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
version=2.42.0+ds-5+deb12u1
mkdir "$folder/package"
if ! (cd "$folder/package" && apt-get download --quiet "prometheus=$version" >"$folder/apt" 2>&1); then
    cat "$folder/apt"
    exit 2
fi
dpkg-deb --extract "$folder"/package/*.deb "$folder/unpacked"
promtool="$folder/unpacked/usr/bin/promtool"
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" --quiet --disable-pip-version-check install prometheus-client==0.26.0
"$promtool" --version 2>&1 | head -n 1
cat >"$folder/page.py" <<'PYTHON'
import sys
from prometheus_client import CollectorRegistry, Counter, generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as openmetrics

registry = CollectorRegistry()
Counter("runs", "Runs that ended.", registry=registry).inc()
page = openmetrics(registry) if sys.argv[1] == "openmetrics" else generate_latest(registry)
# When a counter began is beside the point here.
sys.stdout.write("".join(line for line in page.decode().splitlines(True) if "_created" not in line))
PYTHON
check() {
    "$folder/venv/bin/python" "$folder/page.py" "$1" >"$folder/$1"
    "$promtool" check metrics <"$folder/$1" >"$folder/said" 2>&1 && status=0 || status=$?
    echo "$1: exit status $status, $(cat "$folder/said")"
}
check openmetrics
[[ $status == 3 && $(cat "$folder/said") == "runs_total no help text" ]]
check text
[[ $status == 0 ]]
