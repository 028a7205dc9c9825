#!/usr/bin/env bash
# An atomic push with a delete, to a server that takes none, ends as a protocol error over HTTP.
#
# Seen with: git 2.47.3 as client and server, Python's http.server. git 2.55.0 reports the ref again.
# A server need not offer `delete-refs`. Without `--atomic` git pushes the rest and says `! :refs/heads/old [remote rejected]`, with no
# reason. With `--atomic` nothing is sent, the ref has no line, and git's own complaint gets into the stream that its HTTP
# helper reads:
#
#   error: atomic push failed for ref refs/heads/old. status: 4
#   fatal: protocol error: bad line length character: erro
#
# Only the number 4 says that it is about the delete. Exit status 0: it is still so; 1: it has changed.
set -euo pipefail
folder=$(mktemp -d)
server=
trap '[[ -z $server ]] || kill "$server" 2>/dev/null || true; rm -rf "$folder"' EXIT
export HOME="$folder" GIT_CONFIG_NOSYSTEM=1 LC_ALL=C
unset http_proxy https_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY all_proxy
git --version
git init --quiet --template= --bare "$folder/far"
git -C "$folder/far" config http.receivepack true
git init --quiet --template= "$folder/near"
cd "$folder/near"
git -c user.name=one -c user.email=one@example.com commit --quiet --allow-empty -m one
git push --quiet "$folder/far" HEAD:refs/heads/old
cat >"$folder/serve.py" <<'PYTHON'
import http.server
import os
import subprocess
import sys


class Handler(http.server.BaseHTTPRequestHandler):
    """git's own server, without one word of what it can do."""

    def answer(self, body=b""):
        path, _, query = self.path.partition("?")
        kind = self.headers.get("Content-Type", "")
        environment = dict(os.environ, GIT_PROJECT_ROOT=sys.argv[1], GIT_HTTP_EXPORT_ALL="1", PATH_INFO=path, QUERY_STRING=query)
        environment |= dict(REQUEST_METHOD=self.command, REMOTE_USER="one", CONTENT_TYPE=kind, CONTENT_LENGTH=str(len(body)))
        done = subprocess.run(["git", "http-backend"], input=body, stdout=subprocess.PIPE, env=environment)
        head, _, body = done.stdout.partition(b"\r\n\r\n")
        body = body.replace(b" delete-refs", b" nothing-new")
        self.send_response(200)
        for line in head.decode().split("\r\n"):
            self.send_header(*line.split(": ", 1))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        self.answer()

    def do_POST(self):
        self.answer(self.rfile.read(int(self.headers["Content-Length"])))

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
PYTHON
python3 "$folder/serve.py" "$folder" >"$folder/port" &
server=$!
for _ in $(seq 50); do [[ -s $folder/port ]] && break; sleep 0.1; done
url="http://127.0.0.1:$(cat "$folder/port")/far"
plain=$(git push --porcelain "$url" HEAD:refs/heads/new :refs/heads/old 2>/dev/null) || true
printf '%s\n' "$plain"
report=$(git push --porcelain --atomic "$url" HEAD:refs/heads/newer :refs/heads/old 2>"$folder/words") && status=0 || status=$?
cat "$folder/words"
echo "exit status $status; the report: '$report'"
[[ $plain == *$'!\t:refs/heads/old\t[remote rejected]\n'* && $status != 0 && -z $report ]]
grep --quiet 'status: 4' "$folder/words" && grep --quiet 'protocol error: bad line length' "$folder/words"
