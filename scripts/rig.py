"""What `demo` and `bench-gateway` share: start our processes, talk to the API, play the customer in AWS.

Standard library only. Ends only what it started.
"""

import ctypes
import http.client
import json
import os
import pathlib
import secrets
import signal
import socket
import string
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR") or ROOT / "target")
# `make` builds for release; another folder serves to try these scripts with a debug build.
BIN = pathlib.Path(os.environ.get("PORTCULLIS_BIN_DIR") or TARGET / "release")

PLATFORM_ACCOUNT = "999988887777"
PLATFORM_ROLE = f"arn:aws:iam::{PLATFORM_ACCOUNT}:role/portcullis"
CUSTOMER_ACCOUNT = "111122223333"
REGION = "us-east-1"


class Failed(Exception):
    """A step did not work; the message says which and why."""


def say(text):
    print(text, flush=True)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def is_free(port):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def new_token():
    """As the gateway mints them: 256 bits and a little, in base 62."""
    return "pct_" + "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(43))


def private_file(path, text):
    """Readable by its owner from the first byte on."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)


def toml(sections):
    """Enough TOML for our own configuration: strings, booleans, numbers and lists of strings are written as in JSON."""
    lines = []
    for name, values in sections.items():
        if not isinstance(values, dict):
            lines.insert(0, f"{name} = {json.dumps(values)}")
            continue
        lines.append(f"\n[{name}]")
        lines += [f"{key} = {json.dumps(value)}" for key, value in values.items()]
    return "\n".join(lines) + "\n"


def _die_with_parent():
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG: even a killed script leaves nothing behind


class Process:
    """One of our servers. In its own session, so that Ctrl-C reaches it through us, in order."""

    def __init__(self, name, command, log, env=None):
        self.name, self.log = name, log
        with open(log, "ab") as out:
            self.child = subprocess.Popen(
                [str(part) for part in command], stdin=subprocess.DEVNULL, stdout=out, stderr=out, cwd=ROOT,
                env=os.environ if env is None else env, start_new_session=True, preexec_fn=_die_with_parent,
            )

    @property
    def pid(self):
        return self.child.pid

    def ready(self, port, seconds=30):
        """Waits until it listens."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self.alive()
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    return self
            time.sleep(0.05)
        raise Failed(f"{self.name} does not listen on port {port} after {seconds} s; its log: {self.log}")

    def alive(self):
        if self.child.poll() is not None:
            raise Failed(f"{self.name} ended with {self.child.returncode}; the end of {self.log}:\n{tail(self.log)}")

    def stop(self):
        if self.child.poll() is None:
            self.child.terminate()
            try:
                self.child.wait(30)
            except subprocess.TimeoutExpired:
                self.child.kill()
                self.child.wait()


def tail(path, lines=15):
    return "\n".join(pathlib.Path(path).read_text(errors="replace").splitlines()[-lines:])


class Rig:
    """Our processes, ended in reverse order whatever happens."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.running = []

    def __enter__(self):
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
        return self

    def __exit__(self, *_):
        for process in reversed(self.running):
            process.stop()

    def start(self, name, command, port, env=None):
        process = Process(name, command, self.folder / f"{name}.log", env)
        self.running.append(process)
        return process.ready(port)


class Api:
    """The gateway's API, as any program would use it."""

    def __init__(self, url, token):
        self.url, self.token = url, token
        # Never through a proxy of the environment: this is loopback.
        self.opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def call(self, method, path, body=None):
        request = urllib.request.Request(
            self.url + path, method=method, data=None if body is None else json.dumps(body).encode(),
            headers={"authorization": f"Bearer {self.token}", "content-type": "application/json"},
        )
        try:
            with self.opener.open(request, timeout=120) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            text = error.read().decode(errors="replace")
            if error.code == 404:
                return None
            raise Failed(f"{method} {path} answered {error.code}: {text}") from None
        except (OSError, http.client.HTTPException) as error:
            raise Failed(f"{method} {path}: no answer: {error}; the gateway's log may say why") from None

    def connection(self, name):
        return self.call("GET", "/api/v1/connections/" + urllib.parse.quote(name, safe=""))

    def ensure(self, body):
        """A connection of an earlier run is used again."""
        existing = self.connection(body["name"])
        return existing or self.call("POST", "/api/v1/connections", body)

    def documents(self, name, bucket=None):
        """The documents of a connection's setup, parsed, by title. `bucket`: for a connection that is not bound to one."""
        query = "?bucket=" + urllib.parse.quote(bucket) if bucket else ""
        steps = self.call("GET", f"/api/v1/connections/{name}/setup{query}")["steps"]
        return {
            document["title"]: json.loads(document["body"])
            for step in steps for document in step["documents"] if document["language"] == "json"
        }


def policy_for(documents, action):
    """The one document that speaks of `action`: what a customer would find by reading."""
    found = [document for document in documents.values() if action in json.dumps(document)]
    if not found:
        raise Failed(f"no setup document speaks of {action}: {list(documents)}")
    return found[0]


def gateway_keys(rig):
    """The access key that the gateway's own role is played with: made once, kept private."""
    path = rig.folder / "gateway-keys.json"
    if not path.exists():
        keys = {"access_key_id": "AKIA" + "".join(secrets.choice(string.ascii_uppercase + "234567") for _ in range(16)), "secret_access_key": secrets.token_urlsafe(30)}
        private_file(path, json.dumps(keys))
    return json.loads(path.read_text())


def gateway_config(port, data, assets, aws_endpoint, extra_ca=None):
    """Plain http and loopback are refused unless an operator names them: here both ends are ours."""
    egress = {"allow_networks": ["127.0.0.0/8"], "allow_http": True}
    if extra_ca:
        egress["extra_ca"] = [str(extra_ca)]
    return toml({
        "data_dir": str(data),
        "server": {"listen": f"127.0.0.1:{port}"},
        "platform": {"name": "Portcullis", "account_id": PLATFORM_ACCOUNT, "role_arn": PLATFORM_ROLE},
        "aws": {"endpoint_url": aws_endpoint, "region": REGION, "path_style": True},
        "egress": egress,
        "sink": {"path": str(assets)},
    })


def gateway_env(keys, token):
    """Secrets travel in the environment; nobody's real AWS account does."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "PORTCULLIS_"))}
    return {
        **ours, "PORTCULLIS_BOOTSTRAP_TOKEN": token, "AWS_ACCESS_KEY_ID": keys["access_key_id"], "AWS_SECRET_ACCESS_KEY": keys["secret_access_key"],
        "AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
    }


def allow(actions, resource, principal=None):
    statement = {"Effect": "Allow", "Action": actions, **({"Principal": {"AWS": principal}} if principal else {"Resource": resource})}
    return {"Version": "2012-10-17", "Statement": [statement]}


class Customer:
    """The double of AWS, with the gateway's role in one account and a customer's role and buckets in another.

    The customer's policies are the documents that the gateway rendered: what is pasted here is what a customer would paste.
    """

    def __init__(self, rig, keys, port):
        self.rig, self.port, self.process = rig, port, None
        assume, read = ["sts:AssumeRole", "sts:TagSession"], ["s3:GetObject", "s3:ListBucket", "s3:GetBucketLocation"]
        user = f"arn:aws:iam::{PLATFORM_ACCOUNT}:user/portcullis"
        self.platform = {
            "id": PLATFORM_ACCOUNT,
            "users": [{"name": "portcullis", "policy": allow(assume, PLATFORM_ROLE), "keys": keys}],
            "roles": [{"name": "portcullis", "trust": allow(assume, None, user), "policy": allow(assume + read, "*")}],
        }
        self.customer = {"id": CUSTOMER_ACCOUNT, "roles": [], "buckets": []}

    def role(self, name, documents):
        """A role from a connection's setup documents: what it may do, and who may assume it."""
        self.customer["roles"].append({"name": name, "trust": policy_for(documents, "sts:AssumeRole"), "policy": policy_for(documents, "s3:GetObject")})

    def bucket(self, name, objects, policy=None):
        self.customer["buckets"].append({"name": name, "region": REGION, "objects": objects, **({"policy": policy} if policy else {})})

    def publish(self):
        """Starts the double with what there is now; one that runs reads it again and keeps its sessions."""
        path = self.rig.folder / "aws.json"
        private_file(path, json.dumps({"accounts": [self.platform, self.customer]}))
        if self.process:
            os.kill(self.process.pid, signal.SIGHUP)
            time.sleep(0.5)
            return self.process.alive()
        self.process = self.rig.start("double-aws", [BIN / "double-aws", "--listen", f"127.0.0.1:{self.port}", "--fixture", path], self.port)


def test_connection(api, name, location=None):
    """Tests it and says every check that failed."""
    answer = api.call("POST", f"/api/v1/connections/{name}/test", {"update_state": True, **({"location": location} if location else {})})
    if not answer["passed"]:
        failed = [f"{check['check']}: {check['code']}: {check['message']}" for check in answer["checks"] if not check["passed"]]
        raise Failed(f"connection {name} did not pass its test: " + "; ".join(failed))
    return answer
