#!/bin/sh
# Reports a deployment to Slipway, with the commits that it brings, from the clone that CI has anyway.
# Needs a POSIX shell, git, curl and awk. See docs/ci.md.
set -eu
LC_ALL=C
export LC_ALL

usage() {
  cat <<'EOF'
Usage: report-deployment.sh --app APP --environment ENV [options]

  --url URL                Slipway's address                         (SLIPWAY_URL)
  --app NAME               the application                           (SLIPWAY_APP)
  --environment NAME       where it was deployed to                  (SLIPWAY_ENVIRONMENT)
  --repository OWNER/NAME  its repository                            (SLIPWAY_REPOSITORY; known to most CI)
  --version VERSION        default: the tag, or the short commit     (SLIPWAY_VERSION)
  --commit REV             default: what CI has checked out          (SLIPWAY_COMMIT)
  --since REV              commits after this tag or commit. Default: what Slipway knows as deployed last,
                           else the newest tag before, else the last 250 commits
  --state STATE            success, in_progress, failure, …; default success
  --author NAME            who deployed                              (SLIPWAY_AUTHOR)
  --description TEXT
  --deployed-at TIME       ISO 8601; default: the moment at which Slipway takes the report
  --monorepo-path DIR      the directory it is built from            (SLIPWAY_MONOREPO_PATH)
  --environment-url URL    where the deployed application is seen
  --log-url URL            default: the page of the CI run
  --max-commits N          default 5000
  --dry-run                print what would be sent
  --help

The API key is read from SLIPWAY_API_KEY. It is not an option, since other users of a machine can read those.
EOF
}

fail() { printf 'report-deployment: %s\n' "$1" >&2; exit "${2:-1}"; }
note() { printf 'report-deployment: %s\n' "$1" >&2; }

url=${SLIPWAY_URL:-} app=${SLIPWAY_APP:-} environment=${SLIPWAY_ENVIRONMENT:-${CI_ENVIRONMENT_NAME:-}}
repository=${SLIPWAY_REPOSITORY:-${GITHUB_REPOSITORY:-${CI_PROJECT_PATH:-}}}
version=${SLIPWAY_VERSION:-} commit=${SLIPWAY_COMMIT:-} since='' state=success
author=${SLIPWAY_AUTHOR:-${GITHUB_ACTOR:-${GITLAB_USER_LOGIN:-${BUILD_USER_ID:-}}}}
description='' deployed_at='' monorepo_path=${SLIPWAY_MONOREPO_PATH:-} environment_url=${CI_ENVIRONMENT_URL:-}
log_url=${CI_JOB_URL:-${BUILD_URL:-}} max_commits=5000 dry_run=no
if [ -n "${GITHUB_RUN_ID:-}" ]; then
  log_url="${GITHUB_SERVER_URL:-https://github.com}/${GITHUB_REPOSITORY:-}/actions/runs/$GITHUB_RUN_ID"
fi

while [ $# -gt 0 ]; do
  case $1 in
    --help) usage; exit 0 ;;
    --dry-run) dry_run=yes; shift; continue ;;
    --url | --app | --environment | --repository | --version | --commit | --since | --state | --author | \
      --description | --deployed-at | --monorepo-path | --environment-url | --log-url | --max-commits)
      [ $# -ge 2 ] || fail "$1 needs a value" 2 ;;
    *) usage >&2; fail "there is no option $1" 2 ;;
  esac
  case $1 in
    --url) url=$2 ;;
    --app) app=$2 ;;
    --environment) environment=$2 ;;
    --repository) repository=$2 ;;
    --version) version=$2 ;;
    --commit) commit=$2 ;;
    --since) since=$2 ;;
    --state) state=$2 ;;
    --author) author=$2 ;;
    --description) description=$2 ;;
    --deployed-at) deployed_at=$2 ;;
    --monorepo-path) monorepo_path=$2 ;;
    --environment-url) environment_url=$2 ;;
    --log-url) log_url=$2 ;;
    --max-commits) max_commits=$2 ;;
  esac
  shift 2
done

command -v git >/dev/null || fail 'git is not installed'
command -v curl >/dev/null || fail 'curl is not installed'
git rev-parse --git-dir >/dev/null 2>&1 || fail 'this is no Git clone: run it where CI has checked the repository out'
if [ -z "$repository" ]; then
  # git@host:owner/name.git and https://host/owner/name.git
  repository=$(git config --get remote.origin.url 2>/dev/null | sed -e 's#\.git$##' -e 's#/*$##' -e 's#^.*[:/]\([^/:]*/[^/]*\)$#\1#') || true
fi
[ -n "$app" ] || fail 'which application? --app NAME' 2
[ -n "$environment" ] || fail 'deployed where to? --environment NAME' 2
[ -n "$repository" ] || fail 'which repository? --repository OWNER/NAME' 2
case $max_commits in '' | *[!0-9]*) fail '--max-commits must be a number' 2 ;; esac
if [ "$dry_run" = no ]; then
  [ -n "$url" ] || fail 'where is Slipway? --url URL or SLIPWAY_URL' 2
  [ -n "${SLIPWAY_API_KEY:-}" ] || fail 'SLIPWAY_API_KEY is not set' 2
fi
url=${url%/}

revision=${commit:-${GITHUB_SHA:-${CI_COMMIT_SHA:-${GIT_COMMIT:-HEAD}}}}
sha=$(git rev-parse --verify --quiet "$revision^{commit}") || fail "the clone has no commit $revision"
if [ -z "$version" ]; then
  [ "${GITHUB_REF_TYPE:-}" = tag ] && version=${GITHUB_REF_NAME:-}
  version=${version:-${CI_COMMIT_TAG:-${TAG_NAME:-}}}
  [ -n "$version" ] || version=$(git describe --tags --exact-match "$sha" 2>/dev/null || git rev-parse --short=12 "$sha")
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
umask 077
# curl reads the key from a file that only this user can read: neither arguments nor logs ever have it.
printf 'header = "Authorization: Bearer %s"\n' "${SLIPWAY_API_KEY:-}" >"$work/curl"

ask_for_last_commit() {
  curl --silent --show-error --fail --max-time 20 --config "$work/curl" --get \
    --data-urlencode "app=$app" --data-urlencode "environment=$environment" \
    --data-urlencode "repository=$repository" --data-urlencode 'state=success' --data-urlencode 'limit=1' \
    "$url/v1/deployments" 2>/dev/null | sed -n 's/.*"commitHash" *: *"\([0-9a-fA-F]*\)".*/\1/p'
}

known() { git rev-parse --verify --quiet "$1^{commit}" 2>/dev/null; }

start=''
if [ -n "$since" ]; then
  start=$(known "$since") || fail "the clone has no tag or commit $since"
else
  if [ -n "$url" ] && [ -n "${SLIPWAY_API_KEY:-}" ]; then
    last=$(ask_for_last_commit) || last=''
    [ -z "$last" ] || start=$(known "$last") || note "the last deployment's commit $last is not in this clone"
  fi
  if [ -z "$start" ]; then
    tag=$(git describe --tags --abbrev=0 "$sha^" 2>/dev/null) && start=$(known "$tag") || start=''
    [ -n "$start" ] || max_commits=$([ "$max_commits" -lt 250 ] && echo "$max_commits" || echo 250)
  fi
fi

# True parents of the commits at which a shallow clone ends: `git log` shows none there.
: >"$work/edge"
if [ "$(git rev-parse --is-shallow-repository)" = true ]; then
  note 'the clone is shallow; a deeper one (fetch-depth: 0, GIT_DEPTH: 0) may know more commits'
  while read -r edge; do
    parents=$(git cat-file commit "$edge" | sed -n -e '/^$/q' -e 's/^parent \(.*\)/ \1/p' | tr -d '\n')
    printf '%s%s\n' "$edge" "$parents"
  done <"$(git rev-parse --git-path shallow)" >"$work/edge"
fi

# A mark that no message can contain, since nobody can guess it.
mark=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')

list_commits() {
  git -c core.quotePath=false -c i18n.logOutputEncoding=UTF-8 -c log.showSignature=false log "$@" \
    --no-renames --name-only --format="$mark commit%n%H%n%P%n%aI%n%cI%n%an%n%B%n$mark files"
}

{
  if [ -n "$start" ]; then list_commits --max-count="$max_commits" "$sha" "^$start"; else
    list_commits --max-count="$max_commits" "$sha"; fi
} >"$work/log"
# A rollback brings nothing new; the deployed commit itself is told all the same.
[ -s "$work/log" ] || list_commits --max-count=1 "$sha" >"$work/log"
if command -v iconv >/dev/null; then
  iconv -f UTF-8 -t UTF-8 -c <"$work/log" >"$work/log.utf8" 2>/dev/null || true # what is no UTF-8 is left out
  mv "$work/log.utf8" "$work/log"
fi

cat >"$work/json.awk" <<'EOF'
function escape(text,   out, i, c) {
  if (text !~ /["\\\001-\037]/) return text
  out = ""
  for (i = 1; i <= length(text); i++) {
    c = substr(text, i, 1)
    if (c == "\"") out = out "\\\""
    else if (c == "\\") out = out "\\\\"
    else if (c in control) out = out control[c]
    else out = out c
  }
  return out
}
function string(text) { return "\"" escape(text) "\"" }
# Git writes a name with quotes, backslashes or control characters as a C string.
function unquote(name,   out, i, c) {
  if (name !~ /^".*"$/) return name
  out = ""
  for (i = 2; i < length(name); i++) {
    c = substr(name, i, 1)
    if (c != "\\") { out = out c; continue }
    c = substr(name, ++i, 1)
    if (c ~ /[0-7]/) {
      out = out sprintf("%c", 64 * c + 8 * substr(name, i + 1, 1) + substr(name, i + 2, 1))
      i += 2
    } else out = out ((c in letter) ? letter[c] : c)
  }
  return out
}
function finish(   i, n, names, list) {
  if (!line) return
  sub(/(\\n)+$/, "", message)
  n = split(parents, names, " ")
  list = ""
  for (i = 1; i <= n; i++) list = list (i > 1 ? "," : "") string(names[i])
  printf "%s{\"sha\":%s,\"parents\":[%s],\"authoredAt\":%s,\"committedAt\":%s,\"author\":%s,\"message\":\"%s\"%s}", \
    separator, string(sha), list, string(authored), string(committed), string(author), message, \
    (n > 1 ? "" : ",\"files\":[" files "]")
  separator = ","
}
BEGIN {
  for (i = 1; i < 32; i++) control[sprintf("%c", i)] = sprintf("\\u%04x", i)
  letter["n"] = "\n"; letter["t"] = "\t"; letter["r"] = "\r"; letter["a"] = "\a"; letter["b"] = "\b"
  letter["f"] = "\f"; letter["v"] = "\v"
  while ((getline row < edge) > 0) { first = row; sub(/ .*/, "", first); sub(/^[^ ]* ?/, "", row); true_parents[first] = row }
}
$0 == mark " commit" { finish(); line = 1; message = files = ""; in_files = 0; next }
$0 == mark " files" { in_files = 1; next }
in_files { if ($0 != "") files = files (files == "" ? "" : ",") string(unquote($0)); next }
line == 1 { sha = $0; line++; next }
line == 2 { parents = (sha in true_parents) ? true_parents[sha] : $0; line++; next }
line == 3 { authored = $0; line++; next }
line == 4 { committed = $0; line++; next }
line == 5 { author = $0; line++; next }
{ if (length(message) < 8000) message = message escape($0) "\\n" }
END { finish() }
EOF

json() { printf '%s' "$1" | awk -v mark= -v edge=/dev/null -v RS='\001' "$(sed '/^\$0 ==/,$d' "$work/json.awk")"' { printf "%s", string($0) }'; }

{
  printf '{"repositoryFullName":%s,"app":%s,"environment":%s,"version":%s,"commitHash":"%s","state":%s' \
    "$(json "$repository")" "$(json "$app")" "$(json "$environment")" "$(json "$version")" "$sha" "$(json "$state")"
  [ -z "$author" ] || printf ',"author":%s' "$(json "$author")"
  [ -z "$description" ] || printf ',"description":%s' "$(json "$description")"
  [ -z "$deployed_at" ] || printf ',"deployedAt":%s' "$(json "$deployed_at")"
  [ -z "$monorepo_path" ] || printf ',"monorepoPath":%s' "$(json "$monorepo_path")"
  [ -z "$environment_url" ] || printf ',"environmentUrl":%s' "$(json "$environment_url")"
  [ -z "$log_url" ] || printf ',"logUrl":%s' "$(json "$log_url")"
  printf ',"commits":['
  awk -v mark="$mark" -v edge="$work/edge" -f "$work/json.awk" "$work/log"
  printf ']}\n'
} >"$work/body"

if [ "$dry_run" = yes ]; then
  cat "$work/body"
  exit 0
fi

# The same run that reports the same state again, by a retry of its own or of CI, is one deployment.
run=${GITHUB_RUN_ID:-}${GITHUB_RUN_ATTEMPT:-}${CI_JOB_ID:-}${BUILD_TAG:-}
idempotency_key=$(printf '%s|%s|%s|%s|%s|%s|%s' "${run:-$mark}" "$repository" "$app" "$environment" "$version" "$sha" "$state" | git hash-object --stdin)

code=$(curl --silent --show-error --config "$work/curl" --request POST --max-time 60 \
  --retry 6 --retry-connrefused --retry-max-time 180 \
  --header 'Content-Type: application/json' --header "Idempotency-Key: $idempotency_key" \
  --data-binary "@$work/body" --output "$work/answer" --write-out '%{http_code}' "$url/v1/deployments") ||
  fail "Slipway at $url could not be reached"
if [ "$code" = 202 ]; then
  job=$(sed -n 's/.*"id" *: *"\([^"]*\)".*/\1/p' "$work/answer" | head -n 1)
  note "reported $version of $app in $environment: job $job"
else
  fail "Slipway answered $code: $(head -c 2000 "$work/answer" 2>/dev/null)"
fi
