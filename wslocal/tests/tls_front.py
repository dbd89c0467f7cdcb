"""A server for AWS's names with a certificate of its own, and the variables that lead functions to it."""

import json
import ssl
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import trustme


class Handler(BaseHTTPRequestHandler):
    """Answers with what it was asked for."""

    protocol_version = "HTTP/1.1"
    server: "Front"

    def answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        seen = {
            "host": self.headers["Host"],
            "name": self.server.names.get(self.client_address),
            "path": self.path,
            "body": body,
        }
        self.server.seen.append(seen)
        text = json.dumps(seen).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_POST = do_DELETE = answer

    def log_message(self, *_):
        pass


class Front(ThreadingHTTPServer):
    """`seen` has what was asked for, `names` the name that each client's TLS asked for."""

    daemon_threads = True

    def __init__(self, folder):
        super().__init__(("127.0.0.1", 0), Handler)
        ca = trustme.CA()
        path = folder / "ca.pem"
        ca.cert_pem.write_to_path(str(path))
        own = "*.execute-api.us-east-1.amazonaws.com", "chat.example.com"
        self.certificate = ca.issue_cert(*own)
        self.names, self.seen = {}, []
        self.environ = {
            "WSLOCAL_HOME": f"127.0.0.1:{self.server_port}",
            "WSLOCAL_NAMES": ".amazonaws.com,chat.example.com",
            **dict.fromkeys(("AWS_CA_BUNDLE", "SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS"), str(path)),
            "AWS_ACCESS_KEY_ID": "AKIATESTED",
            "AWS_SECRET_ACCESS_KEY": "secret",
        }

    def get_request(self):
        raw, address = super().get_request()
        asked = []
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.certificate.configure_cert(context)
        context.sni_callback = lambda socket, name, context: asked.append(name)
        socket = context.wrap_socket(raw, server_side=True)
        self.names[address] = asked[0]
        return socket, address


@contextmanager
def running_front(folder):
    """Give such a server, which runs."""
    server = Front(folder)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
