#!/usr/bin/env bash
# dulwich offers atomic pushes and writes half of one.
#
# Seen with: dulwich 1.2.21 (PyPI) as server, git 2.47.3 as client.
# dulwich's server advertises `atomic`, so `git push --atomic` goes through. One ref of three cannot be made, since another of the
# same push is a folder of its name. The other two are written all the same:
#
#   *	HEAD:refs/heads/a	[new branch]
#   *	HEAD:refs/heads/z	[new branch]
#   !	HEAD:refs/heads/a/b	[remote rejected] (failed to write)
#
# It says no `agent` either. Exit status 0: it is still so; 1: it has changed.
set -euo pipefail
folder=$(mktemp -d)
server=
trap '[[ -z $server ]] || kill "$server" 2>/dev/null || true; rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" --quiet --disable-pip-version-check install dulwich==1.2.21
export HOME="$folder" GIT_CONFIG_NOSYSTEM=1 LC_ALL=C
git --version
git init --quiet --bare "$folder/far"
git init --quiet "$folder/near"
git -C "$folder/near" -c user.name=one -c user.email=one@example.com commit --quiet --allow-empty -m one
cat >"$folder/serve.py" <<'PYTHON'
import sys
from dulwich.repo import Repo
from dulwich.server import DictBackend, TCPGitServer

server = TCPGitServer(DictBackend({b"/": Repo(sys.argv[1])}), "127.0.0.1", 0)
print(server.server_address[1], flush=True)
server.serve_forever()
PYTHON
"$folder/venv/bin/python" "$folder/serve.py" "$folder/far" >"$folder/port" 2>/dev/null &
server=$!
for _ in $(seq 50); do [[ -s $folder/port ]] && break; sleep 0.1; done
url="git://127.0.0.1:$(cat "$folder/port")/"
report=$(git -C "$folder/near" push --porcelain --atomic "$url" HEAD:refs/heads/a HEAD:refs/heads/a/b HEAD:refs/heads/z 2>/dev/null) && status=0 || status=$?
printf '%s\n' "$report"
taken=$(git -C "$folder/far" for-each-ref --format='%(refname)' | tr '\n' ' ')
echo "exit status $status; the server has: $taken"
[[ $status == 1 && $taken == "refs/heads/a refs/heads/z " ]]
