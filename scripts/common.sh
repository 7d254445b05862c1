# Shared by the scripts beside it; sourced, not run.

say() { printf '%s\n' "$*"; }
die() { printf 'tagloom: %s\n' "$*" >&2; exit 1; }

# The first Python 3.11 found; PYTHON=... chooses another.
find_python() {
  local candidate
  for candidate in "${PYTHON:-}" python3.11 python3; do
    [ -n "$candidate" ] || continue
    if "$candidate" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null; then
      printf '%s' "$candidate"; return 0
    fi
  done
  die "Python 3.11 is needed and was not found; install it (Debian: apt-get install python3.11 python3.11-venv) or name it: make PYTHON=/path/to/python3.11 ..."
}

# need_disk GIB: stops when the folder has less free space.
need_disk() {
  local free
  free=$(df -Pk . | awk 'NR==2 {print int($4 / 1048576)}')
  [ "$free" -ge "$1" ] || die "$1 GiB of free disk space are needed here and $free GiB are left; free some or clone to a larger disk."
}

# install VENV ARGS...: pip install; a line every 15 s shows that it goes on. On failure the end of its output and what
# to do.
install() {
  local venv=$1 log beat
  shift
  log=$(mktemp)
  # Its sleep holds no output open, so that a pipe after this script ends with it.
  (passed=0; while sleep 15 >/dev/null 2>&1; do passed=$((passed + 15)); say "       $passed s ..."; done) &
  beat=$!
  trap "kill $beat 2>/dev/null || true" EXIT
  if ! "$venv/bin/python" -m pip install --disable-pip-version-check -q "$@" >"$log" 2>&1; then
    { grep -v '^WARNING' "$log" || true; } | tail -n 15 >&2
    rm -f "$log"
    die "pip could not install the packages above; check the network or the index (PIP_INDEX_URL), then run the same command again."
  fi
  kill "$beat" 2>/dev/null || true
  rm -f "$log"
}
