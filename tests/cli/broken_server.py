"""A web server on a free port of this machine, printed first, that serves a folder badly:
/cut/X sends half of X, /wrong/X sends X with a byte changed, /bomb/X sends 200 MB of zeros
compressed, /endless/X sends bytes until the connection is closed, /ok/X sends X; else 404."""
import gzip
import http.server
import os
import sys

ROOT = sys.argv[1]


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        how, name = self.path.strip("/").split("/", 1)
        if how in ("bomb", "endless"):
            self.send_too_much(how)
            return
        path = os.path.join(ROOT, os.path.basename(name))
        if how not in ("ok", "cut", "wrong") or not os.path.exists(path):
            self.send_error(404)
            return
        with open(path, "rb") as file:
            body = file.read()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if how == "cut":
            body = body[: len(body) // 2]
        elif how == "wrong":
            body = body[:-9] + bytes([body[-9] ^ 1]) + body[-8:]
        self.wfile.write(body)

    def send_too_much(self, how):
        self.send_response(200)
        self.end_headers()
        if how == "bomb":
            self.wfile.write(gzip.compress(bytes(200 * 10**6), 1))
            return
        try:
            while True:
                self.wfile.write(bytes(10**6))
        except OSError:
            pass

    def log_message(self, *args):
        pass


server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
print(server.server_address[1], flush=True)
server.serve_forever()
