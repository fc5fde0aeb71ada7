"""Just enough of Kubernetes' interface to run pods as processes of this machine, each in an empty folder.

A volume's path must be one of this machine; images, limits and tolerations are noted, and nothing more.
"""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import yaml


def container_of(body: dict) -> dict:
    (container,) = body["spec"]["template"]["spec"]["containers"]
    return container


@contextmanager
def cluster(folder: Path) -> Iterator[tuple[dict[str, dict], Path]]:
    """What was asked for, by the names of jobs, and the file that tells clients where it is (KUBECONFIG)."""
    bodies: dict[str, dict] = {}
    processes: dict[str, subprocess.Popen] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if self.path.endswith("/jobs"):
                name, container = body["metadata"]["name"], container_of(body)
                (workdir := folder / name).mkdir()
                with open(folder / f"{name}.log", "w") as log:
                    command, streams = [*container["command"], *container["args"]], {"stdout": log, "stderr": log}
                    processes[name] = subprocess.Popen(command, cwd=workdir, **streams)
                bodies[name] = body
            self.answer(body)

        def do_GET(self):
            *_, kind, name, last = self.path.partition("?")[0].split("/")
            code = None if last == "pods" else processes[name].poll()
            status = {} if code is None else {"failed" if code else "succeeded": 1}
            self.answer({"items": [], "kind": kind, "status": status})

        def do_DELETE(self):
            self.answer({})

        def answer(self, content: dict):
            text = json.dumps(content).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        here = {"name": "here", "cluster": {"server": f"http://127.0.0.1:{server.server_port}"}}
        context = {"name": "here", "context": {"cluster": "here", "user": "me"}}
        names = {"users": [{"name": "me", "user": {}}], "current-context": "here"}
        settings = folder / "kubeconfig"
        settings.write_text(yaml.safe_dump({"clusters": [here], "contexts": [context]} | names))
        try:
            yield bodies, settings
        finally:
            for process in processes.values():
                process.kill()
                process.wait()
            server.shutdown()
            thread.join()
