#!/usr/bin/env bash
# git takes a web server's empty page for an empty repository, and a pruning fetch then removes every branch.
#
# Seen with: git 2.47.3, Python's http.server.
# A server that answers 200 with nothing in it (a proxy that lost its backend, a site put up in the place of a host) is read as a
# repository of the old "dumb" kind that has no refs. Nothing fails and nothing is said:
#
#   ls-remote: exit status 0, 0 lines
#   branches before: origin/a origin/main
#   fetch --prune: exit status 0
#   branches after:
#
# A page with any words in it is refused ("not valid: is this a git repository?").
# Exit status 0: it is still so; 1: it has changed.
set -euo pipefail
folder=$(mktemp -d)
server=
trap '[[ -z $server ]] || kill "$server" 2>/dev/null || true; rm -rf "$folder"' EXIT
export HOME="$folder" GIT_CONFIG_NOSYSTEM=1 LC_ALL=C
unset http_proxy https_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY all_proxy
git --version
git init --quiet --initial-branch=main "$folder/far"
git -C "$folder/far" -c user.name=one -c user.email=one@example.com commit --quiet --allow-empty -m one
git -C "$folder/far" branch a
git clone --quiet "$folder/far" "$folder/near"
cat >"$folder/serve.py" <<'PYTHON'
import http.server


class Empty(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


server = http.server.HTTPServer(("127.0.0.1", 0), Empty)
print(server.server_address[1], flush=True)
server.serve_forever()
PYTHON
python3 "$folder/serve.py" >"$folder/port" 2>/dev/null &
server=$!
for _ in $(seq 50); do [[ -s $folder/port ]] && break; sleep 0.1; done
url="http://127.0.0.1:$(cat "$folder/port")/owner/name.git"
branches() { git -C "$folder/near" for-each-ref --format='%(refname:short)' 'refs/remotes/origin/[am]*' | tr '\n' ' '; }
listed=$(git ls-remote "$url") && status=0 || status=$?
lines=$(printf '%s' "$listed" | wc -l)
echo "ls-remote: exit status $status, $lines lines"
before=$(branches)
echo "branches before: $before"
git -C "$folder/near" remote set-url origin "$url"
git -C "$folder/near" fetch --quiet --prune origin 2>"$folder/said" && fetched=0 || fetched=$?
after=$(branches)
cat "$folder/said"
echo "fetch --prune: exit status $fetched"
echo "branches after: $after"
[[ $status == 0 && -z $listed && $fetched == 0 && $before == "origin/a origin/main " && -z $after ]]
