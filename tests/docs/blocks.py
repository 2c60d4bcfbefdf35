#!/usr/bin/env python3
"""Runs what the documents tell a reader to type: `blocks.py ROOT DOCUMENT...`.

Every block fenced as ```sh is executed, in order, in one shell a document, in a copy of the tree that shares build/.
`./dev run` starts a member on free ports, waits until it serves and leaves it running, as a reader's other terminal
would; the line that it prints about what to type next is executed as well. A member started later replaces it.
"""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile

DOCUMENTED_ADDRESS = "127.0.0.1:2379"

_PRELUDE = r"""
set -euo pipefail
block=0 member=
finish() {
  local status=$?
  stop_member
  [[ $status == 0 ]] || printf '%s:%s: a block fails (%s)\n' "$DOCUMENT" "$block" "$status"
}
stop_member() {
  [[ -n $member ]] || return 0
  kill "$member" 2>/dev/null || true
  wait "$member" 2>/dev/null || true
  member=
}
start_member() {
  stop_member
  # Emptied here, not by the child: what the former member said must not pass for what this one says.
  : >member.log
  "$@" >>member.log 2>&1 &
  member=$!
  until grep -q 'ready to serve client requests' member.log; do
    if ! kill -0 "$member" 2>/dev/null; then cat member.log; echo "the member ends: $*"; exit 1; fi
    sleep 0.05
  done
  local hint
  hint=$(sed -n 's/^Try, in another terminal: //p' member.log)
  [[ $1 != ./dev || -n $hint ]] || { echo "./dev run does not say what to type next"; exit 1; }
  eval "$hint"
}
# etcdctl refuses an endpoint that is given by flag and by environment.
etcdctl() {
  case " $* " in
    *' --endpoints'*) env -u ETCDCTL_ENDPOINTS etcdctl "$@" ;;
    *) command etcdctl "$@" ;;
  esac
}
trap finish EXIT
set -x
"""


def blocks(text):
    """(line number, source) of each block fenced as sh."""
    found, began, lines = [], None, []
    for number, line in enumerate(text.splitlines(), 1):
        if began is None and line.strip() == "```sh":
            began, lines = number, []
        elif began is not None and line.strip() == "```":
            found.append((began, "\n".join(lines)))
            began = None
        elif began is not None:
            lines.append(line)
    return found


def script(text, address):
    """One shell script of all blocks, with the documented address replaced by one that is free."""
    parts = [_PRELUDE]
    for number, source in blocks(text):
        source = re.sub(r"^(\./dev run\b.*?)(\s*&)?$", r"start_member \1", source, flags=re.MULTILINE)
        parts.append(f"block={number}\n{source.replace(DOCUMENTED_ADDRESS, address)}\n")
    return "\n".join(parts)


def free_address():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{one.getsockname()[1]}"


def copy_of_tree(root, place):
    """The tree as a reader has it; what is built is shared, what is written there stays there."""
    shutil.copytree(root, place, symlinks=True, ignore=lambda folder, names: [
        name for name in names if folder == root and name in ("build", ".git") or name.endswith(".metastore")])
    for name in ("build", ".git"):
        if os.path.exists(os.path.join(root, name)):
            os.symlink(os.path.join(root, name), os.path.join(place, name))


def run(root, document):
    """The exit status of a document's blocks; what they print goes to our output."""
    with open(os.path.join(root, document), encoding="utf-8") as file:
        text = file.read()
    address, peers = free_address(), free_address()
    environment = dict(
        os.environ, DOCUMENT=document, METASTORE_DOCS_TEST="1", ETCDCTL_ENDPOINTS=address,
        ETCD_LISTEN_CLIENT_URLS=f"http://{address}", ETCD_ADVERTISE_CLIENT_URLS=f"http://{address}",
        ETCD_LISTEN_PEER_URLS=f"http://{peers}", ETCD_INITIAL_ADVERTISE_PEER_URLS=f"http://{peers}",
        ETCD_INITIAL_CLUSTER=f"default=http://{peers}")
    with tempfile.TemporaryDirectory() as folder:
        place = os.path.join(folder, "metastore")
        copy_of_tree(root, place)
        # A group of its own, so that nothing a block starts outlives it.
        shell = subprocess.Popen(["bash", "-c", script(text, address)], cwd=place, env=environment,
                                 stdin=subprocess.DEVNULL, stderr=subprocess.STDOUT, start_new_session=True)
        try:
            return shell.wait()
        finally:
            try:
                os.killpg(shell.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass


def main():
    root = os.path.abspath(sys.argv[1])
    statuses = [run(root, document) for document in sys.argv[2:]]
    sys.exit(0 if not any(statuses) else 1)


if __name__ == "__main__":
    main()
