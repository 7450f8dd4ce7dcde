"""A Redis and servers in a folder of their own, for tests/bench/compare and tests/bench/scale."""
import contextlib
import json
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

SECRET = "bench-secret-of-more-than-thirty-two-bytes"


def free_port():
    while True:
        port = random.randrange(20000, 40000)
        with socket.socket() as probe:
            with contextlib.suppress(OSError):
                probe.bind(("127.0.0.1", port))
                return port


def wait_port(port, name):
    for _ in range(400):
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        time.sleep(0.05)
    sys.exit(f"{name}: nothing listens on port {port}")


class Servers:
    """A folder and a Redis; `kind`, tcp or unix, is how servers reach it."""
    settings = ""  # further ones of ours

    def __init__(self, build, kind, redis_options=()):
        self.build, self.kind = pathlib.Path(build).resolve(), kind
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="cachewarden-bench-"))
        self.children = []
        self.redis_port = free_port()
        self.redis_socket = self.folder / "redis.sock"
        self.redis = self.start("redis", ["redis-server", "--port", str(self.redis_port), "--bind",
                                          "127.0.0.1", "--unixsocket", str(self.redis_socket),
                                          "--save", "", "--appendonly", "no", "--dir", str(self.folder),
                                          *redis_options])
        wait_port(self.redis_port, "redis")
        self.token = None
        self.certificate, self.key = self.folder / "node.pem", self.folder / "node.key"

    def make_certificate(self):
        """RSA of 2048 bits, as most servers have."""
        if not self.certificate.exists():
            subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj",
                            "/CN=localhost", "-keyout", str(self.key), "-out", str(self.certificate)],
                           check=True, stderr=subprocess.DEVNULL)

    def start(self, name, command, env=None, cwd=None):
        # A group to stop it by, but no session of its own: the kernel's autogroups divide a machine
        # between sessions, and with one for each server and one for the client it is the scheduler's
        # idea of fairness that gets measured (ours loses a fifth to it, nginx a tenth).
        log = open(self.folder / f"{name}.log", "wb")
        child = subprocess.Popen(command, stdout=log, stderr=log, cwd=cwd or self.folder,
                                 env={**os.environ, **(env or {})}, process_group=0)
        self.children.append(child)
        return child

    def close(self):
        for child in reversed(self.children):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGTERM)
        for child in self.children:
            try:
                child.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(child.pid, signal.SIGKILL)
        shutil.rmtree(self.folder)

    def redis_url(self, database=0):
        if self.kind == "unix":
            return f"unix://{self.redis_socket}?db={database}"
        return f"redis://127.0.0.1:{self.redis_port}/{database}"

    def cachewarden(self, build=None):
        """The process, its port, and its port with TLS. `build` is that of another commit: it gets a users
        database and a database of Redis of its own, for it may read neither of ours."""
        port, tls_port = free_port(), free_port()
        name = "cachewarden" if build is None else "before"
        config = self.folder / f"{name}.conf"
        self.make_certificate()
        config.write_text(f'server = {{ listen = [ "127.0.0.1:{port}", "127.0.0.1:{tls_port}s" ]; threads = 64;\n'
                          f'tls = {{ certificate = "{self.certificate}"; key = "{self.key}"; }}; }};\n'
                          f'auth = {{ secret = "{SECRET}"; }};\n'
                          'limits = { enabled = false; };\nlog = { level = "warn"; };\n' + self.settings)
        config.chmod(0o600)
        users = self.folder / ("users.db" if build is None else f"{name}.db")
        env = {"DATABASE_URL": f"sqlite:{users}", "REDIS_URL": self.redis_url(0 if build is None else 2)}
        program = str((build or self.build) / "cachewarden")
        password = self.folder / "password"
        password.write_text("a long bench password\n")
        if not users.exists():
            subprocess.run([program, "user", "add", "bench", "--email", "bench@example.com",
                            "--password-file", str(password), "--superuser", "--config", str(config)],
                           env={**os.environ, **env}, check=True, stdout=subprocess.DEVNULL)
        server = self.start(name, [program, "serve", "--config", str(config)], env)
        wait_port(port, name)
        answer = subprocess.run(
            ["curl", "-sS", "--fail", f"http://127.0.0.1:{port}/api/token/", "-H",
             "Content-Type: application/json", "-d",
             '{"username":"bench","password":"a long bench password"}'],
            capture_output=True, text=True, check=True).stdout
        self.token = json.loads(answer)["access"]
        return server, port, tls_port
