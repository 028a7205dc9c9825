# The sentinel's script. It keeps tokens in files that only it can read: never in an argument, a URL or a log. First of all
# they leave the environment, which every program that is started from here would see.

standin_token=${STANDIN_TOKEN:-} master_token=${MASTER_TOKEN:-}
unset STANDIN_TOKEN MASTER_TOKEN
sentinel=.github/workflows/sentinel.yml
api_version=2022-11-28
umask 077
work=$(mktemp -d "${RUNNER_TEMP:-/tmp}/sentinel.XXXXXXXX")
trap 'rm -rf "$work"' EXIT

own=${GITHUB_REPOSITORY:?}
own_slug=$(jq -rn --argjson names "$STANDBY_NAMES" --arg own "$own" '$names[$own | ascii_downcase] // $own')
run=${GITHUB_RUN_ID:-0}
writer="sentinel@$own_slug (run $run)"

# One harmless line of what others wrote.
plain() {
  LC_ALL=C tr -c '[:print:]' ' ' <<<"$1" | cut -c 1-400 | sed 's/ *$//'
}

say() {
  printf '%s\n' "$1"
  [[ -z ${GITHUB_STEP_SUMMARY:-} ]] || printf '%s\n\n' "$1" >>"$GITHUB_STEP_SUMMARY"
}

# annotate notice|warning|error TEXT: shown on the run's page.
annotate() {
  local text=${2//'%'/%25}
  printf '::%s title=Sentinel::%s\n' "$1" "${text//$'\n'/%0A}"
  [[ -z ${GITHUB_STEP_SUMMARY:-} ]] || printf '**%s**: %s\n\n' "$1" "$2" >>"$GITHUB_STEP_SUMMARY"
}

# Ends this check; the next one goes on from what stands in the fence and in SENTINEL_STATE.
stop() {
  annotate notice "$1"
  exit 0
}

fail() {
  annotate error "$1"
  exit 1
}

keep_token() { # WHO TOKEN
  printf '%s' "$2" >"$work/$1.token"
  printf 'Authorization: Bearer %s\n' "$2" >"$work/$1.header"
}

# ask own|master METHOD PATH [FILE]: one request. Leaves `status` (000: no answer), body and headers in files.
ask() {
  local who=$1 method=$2 base=$GITHUB_API_URL
  [[ $who == own ]] || base=$MASTER_API_URL
  local options=(
    --disable --silent --show-error --globoff --proto '=http,https' --connect-timeout 10 --max-time 30
    --request "$method" --header "@$work/$who.header" --header "Accept: ${accept:-application/vnd.github+json}"
    --header "X-GitHub-Api-Version: $api_version" --user-agent standin-sentinel
    --dump-header "$work/headers" --output "$work/body" --write-out '%{http_code}'
  )
  # A renamed repository is still there.
  [[ $method != GET ]] || options+=(--location --max-redirs 3)
  [[ -z ${4:-} ]] || options+=(--header 'Content-Type: application/json' --data-binary "@$4")
  : >"$work/body"
  : >"$work/headers"
  status=$(curl "${options[@]}" "$base/$3" 2>"$work/trouble") || status=000
  [[ $status != 000 ]] || printf '%s\n' "$(plain "$(<"$work/trouble")")"
}

header() {
  sed -n "s/^$1:[[:space:]]*//Ip" "$work/headers" | tr -d '\r' | tail -n 1
}

# The host's own words for the last answer, with the address that it names for single sign-on.
words() {
  local text
  [[ $status != 000 ]] || { printf 'no answer'; return; }
  text=$(jq -r '.message // empty' "$work/body" 2>/dev/null) || text=
  printf 'HTTP %s %s' "$status" "$(plain "$text")"
  [[ ! $(header x-github-sso) =~ url=(https?://[^[:space:]]+) ]] || printf '; open %s' "$(plain "${BASH_REMATCH[1]}")"
}

is_ill() {
  [[ $status == 000 || $status == 5?? ]]
}

is_limited() {
  [[ $status == 429 ]] && return 0
  [[ $status == 403 ]] || return 1
  [[ $(header x-ratelimit-remaining) == 0 || -n $(header retry-after) ]] && return 0
  jq -r '.message // empty' "$work/body" 2>/dev/null | grep -qi -e 'rate limit' -e 'abuse detection'
}

# The last answer kept the token out and says nothing about the repository: single sign-on, a list of addresses, a rule for
# tokens, a lock. Of a repository that it blocked the host says so in `block`.
is_barred() {
  [[ $status == 4?? ]] || return 1
  [[ -z $(header x-github-sso) ]] || return 0
  [[ $status == 403 ]] && ! jq -e '.block | objects' "$work/body" >/dev/null 2>&1
}

# in_url TEXT: each part between slashes, as a URL takes it.
in_url() {
  jq -rn --arg text "$1" '$text | split("/") | map(@uri) | join("/")'
}

seconds_of() { # ISO-8601, or seconds since 1970
  local time=$1
  [[ $time =~ ^[0-9]{9,11}$ ]] && { printf '%s' "$time"; return; }
  [[ $time =~ ^[0-9]{4}-[0-9]{2}-[0-9]{2}[T\ ][0-9]{2}:[0-9]{2}:[0-9]{2}([.,][0-9]+)?(Z|[+-][0-9]{2}:?[0-9]{2})?$ ]] || return 1
  date --utc --date "$time" +%s 2>/dev/null
}

iso() {
  date --utc --date "@$1" +%Y-%m-%dT%H:%M:%SZ
}

# all WHO PATH KEY FILE: a list with all its pages; KEY is the field that holds it, or `.`. Fails where it cannot be read.
all() {
  local page=1 join='?'
  [[ $2 != *\?* ]] || join='&'
  printf '[]' >"$4"
  while ((page <= 100)); do
    ask "$1" GET "$2${join}per_page=100&page=$page"
    [[ $status == 200 ]] || return 1
    jq -s --arg key "$3" '.[0] + (.[1] | if $key == "." then . else .[$key] end)' "$4" "$work/body" >"$work/joined"
    mv "$work/joined" "$4"
    header link | grep -q 'rel="next"' || return 0
    page=$((page + 1))
  done
}
