# Shared by the other scripts: finds a Python and makes environments with uv. To be sourced; needs bash.

set -euo pipefail
export HOME="${HOME:-$(cd ~ && pwd)}"
unset PYTHONDONTWRITEBYTECODE # Home Assistant is large: compiled again at every start, it is slow
ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
cd "$ROOT"

say() { printf '\033[1m%s\033[0m\n' "$*" >&2; }
fail() { printf '%s\n' "$*" >&2; exit 1; }
[ -t 2 ] || say() { printf '%s\n' "$*" >&2; }

# Sets UV, installing uv into .venv-tools when it is not on PATH.
need_uv() {
  if [ -x .venv-tools/bin/uv ]; then UV="$ROOT/.venv-tools/bin/uv"; return; fi
  if UV="$(command -v uv)" && "$UV" --version >/dev/null 2>&1; then return; fi
  local python
  for python in python3 python3.14 python3.13 python3.12 python3.11 python; do
    "$python" -c 'import sys, venv; sys.exit(sys.version_info < (3, 8))' >/dev/null 2>&1 || continue
    say "Installing uv into .venv-tools ..."
    "$python" -m venv .venv-tools >&2 || continue
    .venv-tools/bin/python -m pip install --quiet uv >&2 || fail "uv could not be installed."
    UV="$ROOT/.venv-tools/bin/uv"
    return
  done
  fail "No working Python 3 with venv found, and no uv: install one of them."
}

# Prints the interpreter when it really runs and is new enough. Shims of version managers exist without running.
usable() { # command, major, minor, micro
  "$1" -c "import sys; v = sys.version_info
assert v[:2] == ($2, $3) and v[2] >= $4 and v.releaselevel == 'final'
print(sys.executable)" 2>/dev/null
}

# Prints the newest usable interpreter of a minor version; with "fetch" lets uv download one.
find_python() { # 3.13 | 3.14, [fetch]
  local minor="${1#3.}" micro=0 candidate
  [ "$1" = 3.14 ] && micro=2 # Home Assistant 2026.3 and later need 3.14.2
  for candidate in "python$1" "$ROOT/.venv-python314/python3.14/bin/python$1" \
    "${PYENV_ROOT:-$HOME/.pyenv}"/versions/"$1"*/bin/"python$1" "$HOME"/.local/share/uv/python/cpython-"$1".*/bin/"python$1" \
    /usr/local/bin/"python$1" /opt/homebrew/bin/"python$1"; do
    usable "$candidate" 3 "$minor" "$micro" && return
  done
  candidate="$("$UV" python find --no-config --no-project --managed-python "$1" 2>/dev/null)" &&
    usable "$candidate" 3 "$minor" "$micro" && return
  [ "${2:-}" = fetch ] || return 1
  say "Looking for a Python $1 to download ..."
  # no retries and short waits for an answer, so that a machine without that host goes on within seconds
  if UV_HTTP_RETRIES=0 UV_HTTP_TIMEOUT=5 UV_HTTP_CONNECT_TIMEOUT=3 within 120 \
    "$UV" python install --no-config --quiet --no-bin "$1" >/dev/null 2>&1; then
    candidate="$("$UV" python find --no-config --no-project --managed-python "$1" 2>/dev/null)" &&
      usable "$candidate" 3 "$minor" "$micro" && return
  fi
  return 1
}

within() { # seconds, command...
  if command -v timeout >/dev/null; then timeout "$@"; else shift; "$@"; fi
}

# Sets PYTHON and VERSION (3.13 | 3.14): the wanted version, else the newest there is.
choose_python() { # [3.13 | 3.14]
  need_uv
  case "${1:-}" in
    3.13 | 3.14)
      VERSION="$1"
      PYTHON="$(find_python "$1" fetch)" || fail "Python $1 was not found and could not be downloaded."
      ;;
    "")
      VERSION=3.14
      PYTHON="$(find_python 3.14)" || PYTHON="$(find_python 3.14 fetch)" || {
        VERSION=3.13
        PYTHON="$(find_python 3.13 fetch)" ||
          fail "Neither Python 3.14 (3.14.2 or later) nor 3.13 was found, and none could be downloaded."
      }
      ;;
    *) fail "Python $1 is not supported: use 3.13 or 3.14." ;;
  esac
}

# Makes or reuses an environment; sets ENV. It is made anew when the interpreter or the requirements change.
make_environment() { # folder, uv pip install arguments...
  ENV="$ROOT/$1"
  shift
  local stamp
  stamp="$PYTHON $("$PYTHON" -V) $* $(cat requirements_*.txt custom_components/up_next/manifest.json 2>/dev/null | cksum || true)"
  if [ -x "$ENV/bin/python" ] && [ "$(cat "$ENV/stamp" 2>/dev/null)" = "$stamp" ]; then return; fi
  say "Making ${ENV##*/} with $("$PYTHON" -V) (a minute or two when nothing is cached) ..."
  rm -rf "$ENV"
  "$UV" venv --quiet --no-config --no-project --python "$PYTHON" "$ENV" >&2
  UV_HTTP_TIMEOUT="${UV_HTTP_TIMEOUT:-120}" "$UV" pip install --quiet --python "$ENV/bin/python" "$@" >&2
  printf '%s' "$stamp" >"$ENV/stamp"
}

# What the integration itself asks for, one requirement a line.
integration_requirements() {
  "$PYTHON" - <<'PYTHON'
import json, pathlib
manifest = pathlib.Path("custom_components/up_next/manifest.json")
print("\n".join(json.loads(manifest.read_text())["requirements"] if manifest.exists() else ()))
PYTHON
}

# The environment of tests and checks: Home Assistant's test harness and the tools.
test_environment() { # [3.13 | 3.14]
  choose_python "${1:-}"
  local requirements
  mapfile -t requirements < <(integration_requirements)
  make_environment ".venv-$VERSION" -r requirements_test.txt "${requirements[@]}"
}

# The environment of a Home Assistant that is really started, with all that it would install at its first start.
demo_environment() { # [3.13 | 3.14]
  choose_python "${1:-}"
  local release=2026.10.4 requirements
  [ "$VERSION" != 3.13 ] || release=2025.4.4
  make_environment ".venv-demo-$VERSION" "homeassistant==$release"
  [ ! -e "$ENV/prepared" ] || return 0
  say "Installing what Home Assistant needs at its first start ..."
  mapfile -t requirements < <("$ENV/bin/python" scripts/demo_requirements.py; integration_requirements)
  # where something does not build (no C compiler), Home Assistant goes on without it
  "$UV" pip install --quiet --python "$ENV/bin/python" "homeassistant==$release" "${requirements[@]}" >&2 ||
    say "Not everything could be installed; Home Assistant tries again by itself."
  touch "$ENV/prepared"
}

home_assistant() { "$ENV/bin/python" -c 'from importlib.metadata import version; print(version("homeassistant"))'; }
