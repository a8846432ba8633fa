#!/bin/sh
# Builds with the JDK alone:  ./build.sh compile | test | run ARGUMENTS...
set -eu
cd "$(dirname "$0")"

compile() {
    mkdir -p out
    find src -name '*.java' > out/sources.txt
    javac --release 17 -Xlint:all -Werror -d out @out/sources.txt
}

case "${1:-}" in
    compile) compile ;;
    test) compile && java -cp out org.example.parcels.TestRunner ;;
    run) shift && compile && java -cp out org.example.parcels.cli.Main "$@" ;;
    *) echo "usage: ./build.sh compile | test | run ARGUMENTS..." >&2; exit 2 ;;
esac
