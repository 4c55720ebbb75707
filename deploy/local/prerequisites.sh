#!/bin/sh
# Says, one line each, which programs this machine lacks and which Debian package brings them. Exit 1 if any lacks.
set -u
lacking=0

lacks() {
    echo "missing: $1 (Debian: apt-get install $2)" >&2
    lacking=1
}

# The first whole number of a version such as 'v20.20.2', '17.0.15' or 'javac 17.0.15'.
major() {
    echo "$1" | sed -E 's/^[^0-9]*([0-9]+).*/\1/;t;s/.*/0/'
}

has() {
    command -v "$1" >/dev/null 2>&1
}

if ! has python3.11 || ! python3.11 -c '' >/dev/null 2>&1; then
    lacks "python3.11" "python3.11 python3.11-venv"
elif ! python3.11 -c 'import ensurepip, venv' >/dev/null 2>&1; then
    lacks "python3.11 with venv" "python3.11-venv"
fi
has make || lacks "make" "make"
if ! has java || [ "$(major "$(java -version 2>&1 | grep version | head -n 1)")" -lt 17 ]; then
    lacks "java 17 or newer" "openjdk-17-jdk-headless"
elif ! has javac || [ "$(major "$(javac -version 2>&1 | tail -n 1)")" -lt 17 ]; then
    lacks "javac 17 or newer" "openjdk-17-jdk-headless"
fi
has mvn || lacks "mvn (Maven)" "maven"
if ! has node || [ "$(major "$(node --version 2>/dev/null)")" -lt 20 ]; then
    lacks "node 20 or newer" "nodejs, or a newer one from the Node.js project where Debian's is older"
fi
has npm || lacks "npm" "npm"
exit "$lacking"
