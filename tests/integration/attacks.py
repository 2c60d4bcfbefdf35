"""What the tests of hostile callers share: sockets that mean harm, and what a server's memory comes to while they do.

With `--seconds SECONDS` behind the first two arguments each attack goes on that long; without, an attack is a count of
rounds and nothing depends on time."""

import os
import random
import socket
import statistics
import sys
import threading
import time

from servers import HOST

SECONDS = float(sys.argv[4]) if sys.argv[3:4] == ["--seconds"] else 0
# What unittest may have of the arguments.
ARGUMENTS = sys.argv[:1] + sys.argv[5 if SECONDS else 3:]
PUTS = 20000 if SECONDS else 500
TURN_SECONDS = 5


class Attack:
    """Sockets and rounds. A round returns when the server took its bytes, closed, or did not listen for a while."""

    def __init__(self, port):
        self.port = port
        self.open = []
        self.random = random.Random(7)

    def connect(self, receive_bytes=None):
        one = socket.socket()
        if receive_bytes:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        one.settimeout(20)
        one.connect((HOST, self.port))
        one.settimeout(0.2)
        self.open.append(one)
        return one

    def send(self, one, data):
        try:
            one.sendall(data)
            return True
        except OSError:
            return False

    def close(self):
        for one in self.open:
            one.close()
        self.open = []


def attacked(server, attack, name, rounds, healthy):
    """By how many bytes the server's memory grows at most while `attack.name` runs, and what share of its quiet rate a
    client keeps whose PUTS puts `healthy` makes, and says how long they took. A machine is not as fast at any moment
    as at another, so that with SECONDS the client is alone and beside the attack by turns; medians are compared."""
    before = server.resident()
    with open(f"/proc/{server.process.pid}/clear_refs", "w") as peak:
        peak.write("5")
    stop = threading.Event()
    done = [0]

    def run():
        # On a machine of its own an attacker would not take the server's processor by what it does itself: here it
        # gets what the others leave.
        if SECONDS:
            os.sched_setscheduler(threading.get_native_id(), os.SCHED_IDLE, os.sched_param(0))
        while not stop.is_set() and (SECONDS or done[0] < rounds):
            getattr(attack, name)()
            done[0] += 1

    alone, beside = [], []
    for _ in range(max(1, round(SECONDS / TURN_SECONDS))):
        if SECONDS:
            time.sleep(1)  # What the last turn left behind is no part of a quiet rate.
            alone += [healthy(), healthy()]
        stop.clear()
        attacker = threading.Thread(target=run)
        attacker.start()
        end = time.monotonic() + TURN_SECONDS
        measured = len(beside)
        try:
            while len(beside) == measured or (time.monotonic() < end if SECONDS else attacker.is_alive()):
                beside.append(healthy())
        finally:
            stop.set()
            attacker.join()
            attack.close()
    growth = server.resident("VmHWM") - before
    share = statistics.median(alone) / statistics.median(beside) if alone else 1
    rates = f", {PUTS / statistics.median(alone):.0f} puts/s alone, {share:.2f} of it beside" if alone else ""
    print(f"{name}: {growth >> 20} MiB, {done[0]} rounds{rates}", flush=True)
    return growth, share
