#!/usr/bin/python3
"""slow_proxy.py LISTEN TARGET [delay=MS] [rate=BYTES] [cut=BYTES] [cuts=N]: TCP on 127.0.0.1, for tests.

delay=MS  before each piece that the server sends        rate=BYTES  a second, from the server
cut=BYTES end a connection when the server has sent that many; cuts=N: only the first N connections that come so far
count=FILE how many bytes the servers have sent, as a file of that many bytes (sparse)
"""
import select, socket, sys, threading, time

listen, target = int(sys.argv[1]), int(sys.argv[2])
option = dict(a.split("=") for a in sys.argv[3:])
count = open(option.pop("count", "/dev/null"), "wb")
option = {k: int(v) for k, v in option.items()}
total = [0]
cuts = [option.get("cuts", 1 << 30)]


def serve(client):
    try:
        server = socket.create_connection(("127.0.0.1", target))
    except OSError:
        client.close()
        return
    for s in (client, server):
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sent = 0
    try:
        while True:
            for s in select.select([client, server], [], [])[0]:
                data = s.recv(16384)
                if not data:
                    return
                if s is server:
                    if "delay" in option:
                        time.sleep(option["delay"] / 1000)
                    if "rate" in option:
                        time.sleep(len(data) / option["rate"])
                    sent += len(data)
                    total[0] += len(data)
                    if count.name != "/dev/null":
                        count.truncate(total[0])
                    if "cut" in option and sent >= option["cut"] and cuts[0] > 0:
                        cuts[0] -= 1
                        client.sendall(data[:len(data) // 2])
                        return
                (server if s is client else client).sendall(data)
    except OSError:
        pass
    finally:
        client.close()
        server.close()


s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(("127.0.0.1", listen))
s.listen(64)
while True:
    threading.Thread(target=serve, args=(s.accept()[0],), daemon=True).start()
