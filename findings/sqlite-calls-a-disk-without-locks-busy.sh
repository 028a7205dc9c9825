#!/usr/bin/env bash
# SQLite says "database is locked" of a new file that nobody else has, where the disk refuses locks (ENOLCK): an NFS share without
# its lock daemon, for one. Waiting longer, as the words suggest and `busy_timeout` does, never helps.
#
# Seen with: sqlite 3.49.1 as apsw 3.49.1.0 brings it along (PyPI), on Linux.
# A library in between refuses each lock with ENOLCK, as such a share does; nothing else is changed. The result is the one of a file
# that is in use (SQLITE_BUSY), and no extended one says more:
#
#   locks refused: BusyError: database is locked (result 5, extended 5), after the whole timeout
#   locks granted: written
#
# So "busy" cannot be taken for "somebody else is at work": who wants to say what is wrong tries a lock of their own beside it.
# Exit status 0: it is still so; 1: it has changed; 2: no C compiler.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
command -v cc >/dev/null || exit 2
cat >"$folder/refuse.c" <<'C'
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#define REFUSE(name)                                                                      \
    int name(int file, int what, ...) {                                                   \
        va_list rest;                                                                     \
        va_start(rest, what);                                                             \
        void *argument = va_arg(rest, void *);                                            \
        va_end(rest);                                                                     \
        if (what == F_SETLK || what == F_SETLKW) { errno = ENOLCK; return -1; }           \
        return ((int (*)(int, int, ...))dlsym(RTLD_NEXT, #name))(file, what, argument);   \
    }
REFUSE(fcntl)
REFUSE(fcntl64)
C
cc -shared -fPIC -o "$folder/refuse.so" "$folder/refuse.c" -ldl
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" --quiet --disable-pip-version-check install apsw==3.49.1.0
cat >"$folder/write.py" <<'PYTHON'
import sys, time
import apsw

connection = apsw.Connection(sys.argv[1])
connection.set_busy_timeout(1500)
began = time.monotonic()
try:
    connection.execute("CREATE TABLE t (x)")
    print("written")
except apsw.Error as error:
    waited = "after the whole timeout" if time.monotonic() - began > 1.4 else "at once"
    words = str(error).removeprefix("BusyError: ")
    print(f"{type(error).__name__}: {words} (result {error.result}, extended {error.extendedresult}), {waited}")
PYTHON
refused=$(LD_PRELOAD="$folder/refuse.so" "$folder/venv/bin/python" "$folder/write.py" "$folder/refused.db")
granted=$("$folder/venv/bin/python" "$folder/write.py" "$folder/granted.db")
echo "locks refused: $refused"
echo "locks granted: $granted"
[[ $refused == "BusyError: database is locked (result 5, extended 5), after the whole timeout" && $granted == written ]]
