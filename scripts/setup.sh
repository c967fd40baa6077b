#!/bin/sh
# Makes .venv with pinned, hash-checked packages:  scripts/setup.sh demo|test
# Done already: ends at once. Killed in the middle: the next run does it again. PYTHON=... chooses the interpreter.
set -eu
cd "$(dirname "$0")/.."
profile=${1:-demo}
venv=.venv
stamp=$venv/made-$profile
needed_mib=1500
log=$venv.log

fail() {
    echo "setup: $*" >&2
    exit 1
}

# What the environment was made from: the pins, this folder (programs name it) and the interpreter behind .venv.
fingerprint() {
    { cat requirements/tools.txt "requirements/$profile.txt" pyproject.toml scripts/setup.sh
      pwd -P
      "$venv/bin/python" -c 'import sys; print(sys.version, sys.base_prefix)'
    } | cksum
}

usable() {
    "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))' 2>/dev/null
}

find_python() {
    for candidate in ${PYTHON:-python3 python3.13 python3.12 python3.11 python3.14}; do
        if command -v "$candidate" >/dev/null 2>&1 && usable "$candidate"; then
            command -v "$candidate"
            return
        fi
    done
    if [ -n "${PYTHON:-}" ]; then
        fail "PYTHON=$PYTHON is not a Python 3.11 to 3.14; choose another"
    fi
    found=$(python3 --version 2>/dev/null || echo "no python3")
    if [ "$(uname)" = Darwin ]; then
        fail "found $found, needed is Python 3.11 to 3.14: brew install python@3.13"
    fi
    fail "found $found, needed is Python 3.11 to 3.14: install one (apt-get install python3.11 python3.11-venv, or a newer system) or name it: make setup PYTHON=/path/to/python3.11"
}

quietly() {
    "$@" >>"$log" 2>&1
}

# Its own pip where Python brings one; on Debian without python3-venv the system's pip can fill the environment.
make_venv() {
    python=$1
    : >"$log"
    if "$python" -c 'import ensurepip, venv' 2>/dev/null; then
        quietly "$python" -m venv --clear "$venv" || fail "$(reason)"
        return
    fi
    if "$python" -m pip --version >/dev/null 2>&1 && quietly "$python" -m venv --clear --without-pip "$venv"; then
        return
    fi
    version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    sudo=$([ "$(id -u)" = 0 ] || echo "sudo ")
    fail "Python's venv module is not complete; run: ${sudo}apt-get install -y python$version-venv"
}

install_tools() {
    set -- install --quiet --disable-pip-version-check --require-hashes --only-binary :all: -r requirements/tools.txt
    if "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
        quietly "$venv/bin/python" -m pip "$@" || fail "$(reason)"
    else
        quietly "$python" -m pip --python "$venv/bin/python" "$@" || fail "$(reason)"
    fi
}

# One line from the log: what it says last is what went wrong.
reason() {
    if grep -qi 'no space left' "$log"; then
        echo "no space left on the disk of $(pwd): free about $needed_mib MiB"
    elif grep -qiE 'certificate' "$log"; then
        echo "the package index's certificate is not trusted here: install your network's certificate in the system; details in $log"
    elif grep -qiE 'temporary failure in name resolution|could not resolve|connection refused|network is unreachable|failed to fetch|error sending request|no matching distribution|dns error' "$log"; then
        echo "could not download packages: check the network, or name a package index (pip config, UV_DEFAULT_INDEX); details in $log"
    else
        echo "failed: $(grep -v '^[[:space:]]*$' "$log" | tail -n 1 | cut -c1-300) (details in $log)"
    fi
}

# uv does not read pip's configuration: whoever has set an index there has set it for us too.
adopt_index() {
    if [ -z "${UV_DEFAULT_INDEX:-}${UV_INDEX_URL:-}" ]; then
        index=$("$venv/bin/python" -m pip config get global.index-url 2>/dev/null || true)
        if [ -n "${PIP_INDEX_URL:-$index}" ]; then
            export UV_DEFAULT_INDEX="${PIP_INDEX_URL:-$index}"
        fi
    fi
}

install_packages() {
    adopt_index
    # Companies and test networks add certificates to the system's; uv would look at its own only.
    if [ "$(uname)" = Darwin ] || [ -s /etc/ssl/certs/ca-certificates.crt ]; then
        export UV_SYSTEM_CERTS=${UV_SYSTEM_CERTS:-1}
    fi
    # Compiled now, once: without it every start of a program takes seconds longer.
    export UV_COMPILE_BYTECODE=1 VIRTUAL_ENV="$PWD/$venv"
    uv=$venv/bin/uv
    echo "setup: installing pinned packages for '$profile'"
    : >"$log"
    quietly "$uv" pip install --python "$venv/bin/python" --require-hashes -r "requirements/$profile.txt" || fail "$(reason)"
    quietly "$uv" pip install --python "$venv/bin/python" --no-deps --no-build-isolation --offline \
        --config-settings editable_mode=compat -e . || fail "$(reason)"
}

if [ -x "$venv/bin/python" ] && [ "$(cat "$stamp" 2>/dev/null)" = "$(fingerprint 2>/dev/null)" ]; then
    exit 0
fi
free_mib=$(df -Pk . | awk 'NR == 2 { print int($4 / 1024) }')
if [ "$free_mib" -lt "$needed_mib" ] && [ ! -e "$venv/made-demo" ]; then
    fail "only $free_mib MiB free on the disk of $(pwd), about $needed_mib needed: free some"
fi
# A half-made environment, one of another folder, or one whose interpreter is gone is made anew.
if ! [ -x "$venv/bin/uv" ] || ! "$venv/bin/uv" --version >/dev/null 2>&1 || ! usable "$venv/bin/python" \
    || [ "$(cat "$venv/place" 2>/dev/null)" != "$(pwd -P)" ]; then
    python=$(find_python)
    echo "setup: making $venv with $("$python" --version)"
    make_venv "$python"
    pwd -P >"$venv/place"
fi
python=${python:-$venv/bin/python}
install_tools
install_packages
fingerprint >"$stamp"
rm -f "$log"
