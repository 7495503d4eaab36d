#!/bin/sh
# Reports a deployment to Slipway, with the commits that it brings, from the clone that CI has anyway.
# Needs a POSIX shell with its usual tools, git and curl. See docs/ci.md. All in one file, since it is copied into
# other repositories.
set -eu
# Bytes, not characters: a message may be in any encoding, and every awk agrees on bytes.
LC_ALL=C
# Git then writes all dates in one form, also those whose author had an impossible offset.
TZ=UTC0
# The history as it was committed, whatever this clone has been told to show instead.
GIT_NO_REPLACE_OBJECTS=1
export LC_ALL TZ GIT_NO_REPLACE_OBJECTS

# What is sent at most. Slipway takes 10 MiB.
body_limit=9961472
# A list of files longer than this is left out, so that one import of a whole tree does not crowd out the rest.
files_limit=1048576
# How far back to go where nothing says what was deployed before.
commits_without_start=250

usage() {
  cat <<'EOF'
Usage: report-deployment.sh --app APP --environment ENV [options]

  --url URL                Slipway's address                           SLIPWAY_URL
  --app NAME               the application                             SLIPWAY_APP
  --environment NAME       where it was deployed to                    SLIPWAY_ENVIRONMENT
  --repository OWNER/NAME  its repository; most CI tells               SLIPWAY_REPOSITORY
  --version VERSION        default: the tag, or the short commit       SLIPWAY_VERSION
  --commit REV             default: HEAD, what CI has checked out      SLIPWAY_COMMIT
  --since REV              send the commits after this tag or commit.  SLIPWAY_SINCE
                           Default: the commit that Slipway knows as deployed last, else the newest tag
                           before, else the last 250 commits
  --state STATE            success, in_progress, failure, ...          SLIPWAY_STATE
  --author NAME            who deployed; most CI tells                 SLIPWAY_AUTHOR
  --description TEXT                                                   SLIPWAY_DESCRIPTION
  --deployed-at TIME       ISO 8601 with an offset; default: now       SLIPWAY_DEPLOYED_AT
  --monorepo-path DIR      the directory it is built from              SLIPWAY_MONOREPO_PATH
  --fixes-version VERSION  the version that this deployment repairs    SLIPWAY_FIXES_VERSION
  --environment-url URL    where the application is seen               SLIPWAY_ENVIRONMENT_URL
  --log-url URL            default: the page of the CI run             SLIPWAY_LOG_URL
  --max-commits N          the newest N at most; default 5000          SLIPWAY_MAX_COMMITS
  --attempts N             tries before giving up; default 7           SLIPWAY_ATTEMPTS
  --idempotency-key KEY    default: made from the CI run               SLIPWAY_IDEMPOTENCY_KEY
  --output FILE            append job=ID and link=URL, of its page     SLIPWAY_OUTPUT
  --dry-run                print the body instead of sending it
  --help

The API key is read from the variable SLIPWAY_API_KEY. It is not an option, since others on a machine can read those.

Exit codes: 0 accepted, 1 the clone or this machine lacks something, 2 wrong usage, 3 refused by Slipway,
4 Slipway could not be reached or could not take it for now.
EOF
}

note() { printf 'report-deployment: %s\n' "$1" >&2; }
fail() { note "$1"; exit "${2:-1}"; }

# --- What is asked for: variables of CI, then Slipway's own, then options -------------------------------------

read_environment() {
  url=${SLIPWAY_URL:-} app=${SLIPWAY_APP:-} since=${SLIPWAY_SINCE:-} state=${SLIPWAY_STATE:-success}
  environment=${SLIPWAY_ENVIRONMENT:-${CI_ENVIRONMENT_NAME:-}}
  repository=${SLIPWAY_REPOSITORY:-${GITHUB_REPOSITORY:-${CI_PROJECT_PATH:-}}}
  version=${SLIPWAY_VERSION:-} commit=${SLIPWAY_COMMIT:-HEAD}
  author=${SLIPWAY_AUTHOR:-${GITHUB_ACTOR:-${GITLAB_USER_LOGIN:-${BUILD_USER_ID:-}}}}
  description=${SLIPWAY_DESCRIPTION:-} deployed_at=${SLIPWAY_DEPLOYED_AT:-}
  monorepo_path=${SLIPWAY_MONOREPO_PATH:-} fixes_version=${SLIPWAY_FIXES_VERSION:-}
  environment_url=${SLIPWAY_ENVIRONMENT_URL:-${CI_ENVIRONMENT_URL:-}}
  log_url=${SLIPWAY_LOG_URL:-$(page_of_run)}
  max_commits=${SLIPWAY_MAX_COMMITS:-5000} attempts=${SLIPWAY_ATTEMPTS:-7}
  idempotency_key=${SLIPWAY_IDEMPOTENCY_KEY:-} output=${SLIPWAY_OUTPUT:-} dry_run=no
}

page_of_run() {
  if [ -n "${GITHUB_RUN_ID:-}" ]; then
    printf '%s/%s/actions/runs/%s' "${GITHUB_SERVER_URL:-https://github.com}" "${GITHUB_REPOSITORY:-}" "$GITHUB_RUN_ID"
  else
    printf '%s' "${CI_JOB_URL:-${BUILD_URL:-}}"
  fi
}

read_options() {
  while [ $# -gt 0 ]; do
    case $1 in
      --help) usage; exit 0 ;;
      --dry-run) dry_run=yes; shift ;;
      --*=*) set_option "${1%%=*}" "${1#*=}"; shift ;;
      *)
        set_option "$1" "${2-}"
        [ $# -ge 2 ] || fail "$1 needs a value" 2
        shift 2 ;;
    esac
  done
}

set_option() {
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
    --fixes-version) fixes_version=$2 ;;
    --environment-url) environment_url=$2 ;;
    --log-url) log_url=$2 ;;
    --max-commits) max_commits=$2 ;;
    --attempts) attempts=$2 ;;
    --idempotency-key) idempotency_key=$2 ;;
    --output) output=$2 ;;
    *) fail "there is no option $1; --help lists them" 2 ;;
  esac
}

# Never "$SLIPWAY_API_KEY" itself, which `sh -x` would show.
has_key() { [ -n "${SLIPWAY_API_KEY:+yes}" ]; }

check_options() {
  [ -n "$app" ] || fail 'which application? --app NAME' 2
  [ -n "$environment" ] || fail 'deployed where to? --environment NAME' 2
  case $max_commits in '' | *[!0-9]* | 0*) fail '--max-commits must be a number above 0' 2 ;; esac
  case $attempts in '' | *[!0-9]* | 0*) fail '--attempts must be a number above 0' 2 ;; esac
  url=${url%/}
  case $url in
    http://* | https://* | '') ;;
    *) fail "--url must begin with http:// or https://: $url" 2 ;;
  esac
  [ "$dry_run" = yes ] && return
  [ -n "$url" ] || fail 'where is Slipway? --url URL or SLIPWAY_URL' 2
  has_key || fail 'SLIPWAY_API_KEY is not set' 2
}

check_tools() {
  for tool in git curl awk sed od mktemp; do
    command -v "$tool" >/dev/null || fail "$tool is not installed"
  done
}

# --- What the clone knows -------------------------------------------------------------------------------------

known_commit() { git rev-parse --verify --quiet "$1^{commit}" 2>/dev/null; }

read_clone() {
  reason=$(git rev-parse --git-dir 2>&1 >/dev/null) ||
    fail "this is no Git clone that can be read; run it where CI has checked the repository out. Git says: $reason"
  if [ -z "$repository" ]; then
    # git@host:owner/name.git and https://host/owner/name.git
    repository=$(git config --get remote.origin.url |
      sed -e 's#/*$##' -e 's#\.git$##' -e 's#^.*[:/]\([^/:]*/[^/:]*\)$#\1#') || true
  fi
  [ -n "$repository" ] || fail 'which repository? --repository OWNER/NAME' 2
  sha=$(known_commit "$commit") || fail "the clone has no commit $commit"
  [ -n "$version" ] || version=$(version_of_commit)
  is_shallow=$(git rev-parse --is-shallow-repository)
}

version_of_commit() {
  tag=${CI_COMMIT_TAG:-${TAG_NAME:-}}
  [ "${GITHUB_REF_TYPE:-}" != tag ] || tag=${GITHUB_REF_NAME:-}
  # The tag that CI runs for says nothing of another commit.
  if [ -n "$tag" ] && [ "$(known_commit "refs/tags/$tag")" = "$sha" ]; then
    printf '%s' "$tag"
  else
    git describe --tags --exact-match "$sha" 2>/dev/null || git rev-parse --short=12 "$sha"
  fi
}

find_start() {
  start=''
  if [ -n "$since" ]; then
    start=$(known_commit "$since") || fail "the clone has no tag or commit $since"
    return
  fi
  start_from_slipway
  [ -n "$start" ] || start_from_tag
}

start_from_slipway() {
  { [ -n "$url" ] && has_key; } || return 0
  ask --get --data-urlencode "app=$app" --data-urlencode "environment=$environment" \
    --data-urlencode "repository=$repository" --data-urlencode state=success --data-urlencode limit=1 \
    "$url/v1/deployments"
  case $code in
    200) ;;
    403) note 'the key lacks the scope deployments:read, so the newest tag says where to begin'; return ;;
    *)
      [ "$dry_run" = yes ] || refused
      note 'Slipway cannot be asked for the last deployment, so the newest tag says where to begin'
      return ;;
  esac
  last=$(sed -n 's/.*"commitHash" *: *"\([0-9a-fA-F]*\)".*/\1/p' "$work/answer")
  [ -n "$last" ] || return 0
  start=$(known_commit "$last") || note "the commit deployed last, $last, is not in this clone"
}

start_from_tag() {
  tag=$(git describe --tags --abbrev=0 "$sha^" 2>/dev/null) || tag=''
  if [ -n "$tag" ]; then
    start=$(known_commit "refs/tags/$tag") || start=''
  elif [ "$max_commits" -gt "$commits_without_start" ]; then
    max_commits=$commits_without_start
  fi
}

# Writes the commits to send, newest first, one hash a line. A rollback brings nothing new, but what is deployed is
# told all the same.
list_revisions() {
  git rev-list --max-count="$max_commits" "$sha" ${start:+"^$start"} >"$work/revisions"
  [ -s "$work/revisions" ] || printf '%s\n' "$sha" >"$work/revisions"
}

# Writes "COMMIT PARENT..." for the commits at which a shallow clone ends: Git hides their parents, but not from
# cat-file, and shows all files of the tree as theirs.
list_edges() {
  : >"$work/edges"
  [ "$is_shallow" = true ] || return 0
  grep -F -x -f "$(git rev-parse --git-path shallow)" "$work/revisions" >"$work/shallow" || return 0
  note 'the clone is shallow, so earlier commits cannot be sent; let CI fetch all (fetch-depth: 0, GIT_DEPTH: 0)'
  note 'or run: git fetch --unshallow'
  while read -r edge; do
    printf '%s%s\n' "$edge" "$(git cat-file commit "$edge" | sed -n -e '/^$/q' -e 's/^parent / /p' | tr -d '\n')"
  done <"$work/shallow" >"$work/edges"
}

# diff-tree, unlike log, does as it is told here whatever a person has configured.
show_commits() {
  git -c core.quotePath=false diff-tree --stdin --always --root -r --no-renames --name-only --encoding=UTF-8 \
    --date=iso-strict-local --format="$mark commit%n%H%n%P%n%ad%n%cd%n%an%n%B%n$mark files" <"$work/revisions"
}

# --- JSON -----------------------------------------------------------------------------------------------------

write_programs() {
  cat >"$work/json.awk" <<'EOF'
BEGIN {
  for (i = 1; i < 256; i++) number[sprintf("%c", i)] = i
  for (i = 1; i < 32; i++) escaped[sprintf("%c", i)] = sprintf("\\u%04x", i)
  escaped["\""] = "\\\""; escaped["\\"] = "\\\\"; escaped["\t"] = "\\t"; escaped["\n"] = "\\n"; escaped["\r"] = "\\r"
}
function between(c, low, high) { return number[c] >= low && number[c] <= high }
# How many bytes the character of UTF-8 (RFC 3629) at this place has; 0 where there is none.
function width(text, at,   first, second, bytes, i) {
  first = number[substr(text, at, 1)]
  if (first < 128) return 1
  if (first < 194 || first > 244) return 0
  bytes = first < 224 ? 2 : first < 240 ? 3 : 4
  second = substr(text, at + 1, 1)
  if (!between(second, first == 224 ? 160 : first == 240 ? 144 : 128, first == 237 ? 159 : first == 244 ? 143 : 191)) return 0
  for (i = 2; i < bytes; i++) if (!between(substr(text, at + i, 1), 128, 191)) return 0
  return bytes
}
function quoted(text,   out, i, c, bytes) {
  if (text !~ /[^] !#-[^-~]/) return "\"" text "\""
  out = "\""
  for (i = 1; i <= length(text); i += bytes) {
    bytes = width(text, i)
    c = substr(text, i, bytes)
    if (!bytes) { c = "\357\277\275"; bytes = 1 }  # U+FFFD stands for what is no UTF-8
    out = out ((c in escaped) ? escaped[c] : c)
  }
  return out "\""
}
EOF
  cat >"$work/fields.awk" <<'EOF'
BEGIN {
  count = split("repositoryFullName environment app version commitHash description author deployedAt monorepoPath state environmentUrl logUrl fixesVersion", names, " ")
  for (i = 1; i <= count; i++) {
    value = ENVIRON["field_" names[i]]
    if (value != "") { printf "%s\"%s\":", separator, names[i]; print quoted(value); separator = "," }
  }
}
EOF
  cat >"$work/commits.awk" <<'EOF'
# Git writes a name with quotes, backslashes or control characters as a C string.
function unquoted(name,   out, i, c) {
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
function start_commit() { line = 1; message = ""; count = files_size = in_files = 0; split("", files) }
function add_file(name) {
  files[++count] = quoted(unquoted(name))
  files_size += length(files[count]) + 2
}
function time(name, text) {
  return text ~ /^[0-9][0-9][0-9][0-9]-/ ? ",\"" name "\":\"" text "\"" : ""  # Git can keep years that no calendar has
}
function hashes(text,   names, n, i, list) {
  n = split(text, names, " ")
  for (i = 1; i <= n; i++) list = list (i > 1 ? "," : "") "\"" names[i] "\""
  return list
}
function finish(   entry, i, with_files) {
  if (!line) return
  sub(/\n+$/, "", message)
  entry = "{\"sha\":\"" sha "\",\"parents\":[" hashes(parents) "]" time("authoredAt", authored) time("committedAt", committed)
  entry = entry ",\"author\":" quoted(author) ",\"message\":" quoted(message)
  # Of a merge and of the edge of a shallow clone nobody knows here what they touched.
  with_files = parents !~ / / && !(sha in edges) && files_size < files_limit && size + length(entry) + files_size < budget
  size += length(entry) + (with_files ? files_size : 0) + 20
  if (size >= budget) { line = 0; full = 1; return }
  print (sent++ ? "," : "") entry
  if (with_files) {
    print ",\"files\":["
    for (i = 1; i <= count; i++) print (i > 1 ? "," : "") files[i]
    print "]"
  }
  print "}"
}
BEGIN {
  letter["n"] = "\n"; letter["t"] = "\t"; letter["r"] = "\r"; letter["a"] = "\a"; letter["b"] = "\b"
  letter["f"] = "\f"; letter["v"] = "\v"
  while ((getline row < edges_file) > 0) { i = index(row " ", " "); edges[substr(row, 1, i - 1)] = substr(row, i + 1) }
}
full { next }
$0 == mark " commit" { finish(); start_commit(); next }
$0 == mark " files" { in_files = 1; next }
in_files { if ($0 != "") add_file($0); next }
line == 1 { sha = $0; line++; next }
line == 2 { parents = (sha in edges) ? edges[sha] : $0; line++; next }
line == 3 { authored = $0; line++; next }
line == 4 { committed = $0; line++; next }
line == 5 { author = substr($0, 1, 1020); line++; next }
# Slipway keeps 4,000 characters of a message: these are as many at the least.
length(message) < 16000 { message = message substr($0, 1, 16000) "\n" }
END { if (!full) finish(); print sent + 0 >sent_file }
EOF
}

write_body() {
  # A mark that no message can contain, since nobody can guess it.
  mark=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
  {
    printf '{'
    field_repositoryFullName=$repository field_environment=$environment field_app=$app field_version=$version \
      field_commitHash=$sha field_description=$description field_author=$author field_deployedAt=$deployed_at \
      field_monorepoPath=$monorepo_path field_state=$state field_environmentUrl=$environment_url \
      field_logUrl=$log_url field_fixesVersion=$fixes_version awk -f "$work/json.awk" -f "$work/fields.awk"
    printf ',"commits":['
    show_commits | awk -v mark="$mark" -v edges_file="$work/edges" -v sent_file="$work/sent" \
      -v budget="$body_limit" -v files_limit="$files_limit" -f "$work/json.awk" -f "$work/commits.awk"
    printf ']}\n'
  } >"$work/body"
  read -r sent <"$work/sent"
  [ "$sent" -gt 0 ] || fail 'the commits could not be read from the clone'
  if [ -n "$start" ]; then
    new=$(git rev-list --count "$sha" "^$start")
    [ "$sent" -ge "$new" ] || note "only the newest $sent of $new commits are sent"
  fi
}

# --- Slipway --------------------------------------------------------------------------------------------------

# curl reads the key from a file that only this user can read: neither arguments nor logs ever have it.
write_curl_options() {
  { set +x; } 2>/dev/null
  # A secret pasted with the end of its line is still that secret.
  key=$(printf '%s' "${SLIPWAY_API_KEY:-}" | tr -d ' \t\r\n')
  case $key in *[!A-Za-z0-9._~+/=-]*) fail 'SLIPWAY_API_KEY has characters that no key has' 2 ;; esac
  printf 'silent\nshow-error\nconnect-timeout = 10\nmax-time = 120\nheader = "Authorization: Bearer %s"\n' "$key" >"$work/curl"
}

# Asks Slipway, again where that may help, and sets $code. The answer is left in $work/answer.
ask() {
  attempt=1 pause=1
  [ "$dry_run" = no ] || attempt=$attempts
  while :; do
    : >"$work/answer"
    : >"$work/headers"
    # -q: a .curlrc could make curl tell the key.
    code=$(curl -q --config "$work/curl" --dump-header "$work/headers" --output "$work/answer" \
      --write-out '%{http_code}' "$@" 2>"$work/errors") && result=0 || result=$?
    case $result,$code in
      0,408 | 0,429 | 0,5??) trouble="Slipway answered $code" ;;
      0,*) return ;;
      # No such host, no connection, broken off, too slow, TLS not agreed: all of it can be different in a moment.
      [567],* | 18,* | 28,* | 35,* | 52,* | 55,* | 56,* | 92,*) trouble=$(cat "$work/errors") ;;
      *) unreachable ;;
    esac
    [ "$attempt" -lt "$attempts" ] || break
    wait_before_retry
  done
  [ "$result" -eq 0 ] || unreachable
}

wait_before_retry() {
  # Seconds; a date in its place is not worth the reading.
  wanted=$(awk 'tolower($1) == "retry-after:" { sub(/\r$/, ""); if ($2 ~ /^[0-9]+$/) s = $2 } END { print s + 0 }' "$work/headers")
  [ "$wanted" -le "$pause" ] || pause=$wanted
  [ "$pause" -le 120 ] || pause=120
  attempt=$((attempt + 1))
  note "$trouble; attempt $attempt of $attempts in $pause s"
  sleep "$pause"
  pause=$((pause * 2))
}

unreachable() {
  if [ "$dry_run" = yes ]; then
    code=000
    return
  fi
  fail "Slipway at $url could not be reached: $(cat "$work/errors")" 4
}

refused() {
  case $code in 408 | 429 | 5??) blame=4 ;; *) blame=3 ;; esac
  fail "Slipway answered $code: $(head -c 4000 "$work/answer")" "$blame"
}

# The same run that reports the same state again, by a retry of its own or by a job that calls it twice, is one
# deployment. Where no CI tells its run, each call is a report of its own.
key_of_run() {
  run=${GITHUB_RUN_ID:-}-${GITHUB_RUN_ATTEMPT:-}-${CI_JOB_ID:-}-${BUILD_TAG:-}
  [ "$run" != --- ] || run=$mark
  printf '%s\n' "$run" "$repository" "$app" "$environment" "$version" "$sha" "$state" | git hash-object --stdin
}

send_body() {
  ask --request POST --header 'Content-Type: application/json' --header "Idempotency-Key: ${idempotency_key:-$(key_of_run)}" \
    --data-binary "@$work/body" "$url/v1/deployments"
  case $code in
    202)
      job=$(sed -n 's/.*"id" *: *"\([^"]*\)".*/\1/p' "$work/answer" | head -n 1)
      note "reported $version of $app in $environment with $sent commits: job $job"
      [ -z "$output" ] || printf 'job=%s\nlink=%s/jobs/%s/\n' "$job" "$url" "$job" >>"$output" ;;
    *)
      # Between two calls of one run Slipway has learnt what was deployed, so the second has fewer commits to tell.
      # A key that was chosen may have been meant for something else.
      if [ -n "$idempotency_key" ] || ! grep -q '"code" *: *"reused"' "$work/answer"; then refused; fi
      note "this run has reported $version of $app in $environment before; that report stands" ;;
  esac
}

main() {
  read_environment
  read_options "$@"
  check_options
  check_tools
  umask 077
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM
  write_curl_options
  read_clone
  find_start
  list_revisions
  list_edges
  write_programs
  write_body
  if [ "$dry_run" = yes ]; then cat "$work/body"; else send_body; fi
}

main "$@"
