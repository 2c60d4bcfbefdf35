"""What the tests of hostile callers share: sockets that mean harm, and what a server's memory comes to while they do.

With `--seconds SECONDS` behind the first two arguments each attack goes on that long; without, an attack is a count of
rounds and nothing depends on time."""

import os
import random
import socket
import sys
import threading
import time

from servers import HOST

SECONDS = float(sys.argv[4]) if sys.argv[3:4] == ["--seconds"] else 0
# What unittest may have of the arguments.
ARGUMENTS = sys.argv[:1] + sys.argv[5 if SECONDS else 3:]
PUTS = 20000 if SECONDS else 500


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
    """By how many bytes the server's memory grows at most while `attack.name` runs, and the rate of the puts of which
    `healthy` makes PUTS each time and says how long they took."""
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
        deadline = time.monotonic() + SECONDS
        while not stop.is_set() and (done[0] < rounds or time.monotonic() < deadline):
            getattr(attack, name)()
            done[0] += 1

    attacker = threading.Thread(target=run)
    attacker.start()
    taken = []
    try:
        while attacker.is_alive() or not taken:
            taken.append(healthy())
    finally:
        stop.set()
        attacker.join()
    growth = server.resident("VmHWM") - before
    attack.close()
    rate = PUTS * len(taken) / sum(taken)
    print(f"{name}: {growth >> 20} MiB, {rate:.0f} puts/s, {done[0]} rounds", flush=True)
    return growth, rate
