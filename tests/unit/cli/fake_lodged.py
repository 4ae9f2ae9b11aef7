"""lodged and lodge-console as far as lodge can tell: two sockets in a folder of their own.

Replies stand in a dictionary: "VERB GUEST" or "VERB" to the lines of its answer. What was asked is kept. The
console answers its first line, then gives back what it gets, in capitals, until that is "exit".
"""

import json
import os
import select
import socket
import socketserver
import tempfile
import threading

NO_GUEST = {"ok": False, "code": "not-found", "error": 'no guest is called "{}"'}


class Lodged:
    def __init__(self):
        self.folder = tempfile.TemporaryDirectory()
        self.socket = os.path.join(self.folder.name, "lodged")
        self.console = os.path.join(self.folder.name, "console")
        self.replies = {}
        self.requests = []
        self.console_lines = []
        self.console_answer = "ok writer web"
        self.console_output = b"Debian GNU/Linux 12 web hvc0\r\n"
        self.servers = [self.serve(self.socket, self.answer), self.serve(self.console, self.talk)]

    def close(self):
        for server in self.servers:
            server.shutdown()
            server.server_close()
        self.folder.cleanup()

    @staticmethod
    def serve(path, function):
        class Handler(socketserver.StreamRequestHandler):
            def handle(self):
                try:
                    function(self.rfile, self.wfile, self.connection)
                except (BrokenPipeError, ConnectionResetError):
                    pass

        server = socketserver.ThreadingUnixStreamServer(path, Handler)
        server.daemon_threads = True
        server.block_on_close = False
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        return server

    def lines_for(self, request):
        verb, guest = request["verb"], request.get("guest") or request.get("after", "")
        for key in f"{verb} {guest}", verb:
            if key in self.replies:
                lines = self.replies[key]
                return [lines] if isinstance(lines, dict) else lines
        if verb in ("list", "host"):
            return [{"ok": True, "result": {}}]
        return [dict(NO_GUEST, error=NO_GUEST["error"].format(guest))]

    def answer(self, lines_in, lines_out, connection):
        for line in lines_in:
            request = json.loads(line)
            self.requests.append(request)
            for reply in self.lines_for(request):
                if reply == "hang up":
                    connection.shutdown(socket.SHUT_RDWR)
                    return
                if isinstance(reply, str):
                    lines_out.write(reply.encode() + b"\n")
                    continue
                text = json.dumps(reply, ensure_ascii=False)
                lines_out.write(text.replace("RUN", self.folder.name).encode() + b"\n")

    def talk(self, lines_in, lines_out, connection):
        self.console_lines.append(lines_in.readline().decode().rstrip("\n"))
        lines_out.write(self.console_answer.encode() + b"\n" + self.console_output)
        if not self.console_answer.startswith("ok"):
            return
        if "console stalls" in self.replies:
            poll = select.poll()
            poll.register(connection, select.POLLRDHUP)
            poll.poll(20000)
            return
        while "console ends" not in self.replies:
            data = lines_in.read1(100)
            if not data or b"exit" in data:
                return
            lines_out.write(data.upper())
