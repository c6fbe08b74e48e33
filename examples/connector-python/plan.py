"""What `https_index` decides, as pure functions: settings and source paths in, URLs and listings out.

Nothing here knows WebAssembly, so `python3 -m unittest` runs it as it is.
"""

import re
from dataclasses import dataclass
from html.parser import HTMLParser
from urllib.parse import unquote, urlsplit

TEXT = {"type": "string", "minLength": 1}
DESCRIPTION = {
    "id": "https_index",
    "title": "HTTPS folder with index pages",
    "version": "0.1.0",
    "summary": "Reads and lists files below a folder of a web server (nginx, Apache) that wants a user name and a password.",
    # JSON Schema 2020-12: forms are drawn from it, requests are checked with it. A secret is marked `writeOnly`.
    "settings": {
        "type": "object",
        "additionalProperties": False,
        "required": ["hostname", "username", "password"],
        "properties": {
            "hostname": TEXT | {"title": "Host name", "maxLength": 253, "pattern": r"^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?\.?$",
                                "description": "The server's name, such as files.example.com, without scheme, port or path."},
            "port": {"type": "integer", "title": "Port", "minimum": 1, "maximum": 65535, "description": "443 unless given."},
            "folder": TEXT | {"title": "Folder", "maxLength": 1024, "pattern": r"^[A-Za-z0-9._~!$&'()*+,;=:@%/-]+$",
                              "description": "Only what is below this folder can be read. The whole server unless given."},
            "username": TEXT | {"title": "User name", "maxLength": 255, "pattern": r"^[^:\x00-\x1f\x7f]+$",
                                "description": "A user who may read the files and nothing else. Without a colon."},
            "password": TEXT | {"title": "Password", "maxLength": 1024, "writeOnly": True,
                                "description": "Stored encrypted; the gateway sends it, this plugin never sees it."},
        },
    },
    "source_schemes": ["https"],
    # Expanded by the gateway from the settings: where a connection may go, whatever is planned below.
    "egress": ["https://{settings.hostname}:{settings.port}/{settings.folder}"],
    "capabilities": ["http"],
}

LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
SEGMENT = re.compile(r"([A-Za-z0-9._~!$&'()*+,;=:@-]|%[0-9A-Fa-f]{2})+")
# What a URL holds raw or escaped; anything else a parser on the way would drop, turn or split.
WIRE = re.compile(r"([A-Za-z0-9._~!$&'()*+,;=:@/?\[\]-]|[^\x00-\x7f]|%[0-9A-Fa-f]{2})*")


class Refused(Exception):
    """Why a source path, or a setting, cannot be used."""

    def __init__(self, kind, code, message):
        super().__init__(message)
        self.kind, self.code, self.message = kind, code, message


class WrongField(Exception):
    def __init__(self, pointer, message):
        super().__init__(message)
        self.pointer, self.message = pointer, message


@dataclass(frozen=True)
class Settings:
    hostname: str
    port: int
    folder: str
    username: str

    @property
    def origin(self):
        return f"https://{self.hostname}" if self.port == 443 else f"https://{self.hostname}:{self.port}"

    @property
    def root(self):
        """The folder's URL, with a slash at its end."""
        return f"{self.origin}/{self.folder}/" if self.folder else f"{self.origin}/"


def normalize(given):
    """The settings in one spelling; what a schema cannot say is said here. The gateway checks the schema first, but believes nobody either."""
    text(given, "hostname"), text(given, "username")
    hostname = given["hostname"].removesuffix(".").lower()
    labels = hostname.split(".")
    if len(hostname) > 253 or not all(LABEL.fullmatch(label) for label in labels):
        raise WrongField("/hostname", "a host name is labels of letters, digits and '-', joined by dots: no scheme, port or path")
    # Some parsers take a name whose last label is a number for an address.
    if (labels[-1].isdigit() or labels[-1].startswith("0x")) and not is_ipv4(labels):
        raise WrongField("/hostname", "an IP address is written as four decimal numbers, such as 192.0.2.1")
    if re.search(r"[:\x00-\x1f\x7f\ud800-\udfff]", given["username"]) or len(given["username"].encode()) > 255:
        raise WrongField("/username", "a user name is at most 255 bytes, without a ':' and control characters (RFC 7617)")
    normal = {"hostname": hostname, "username": given["username"]}
    if "port" in given:
        if type(given["port"]) is not int or not 1 <= given["port"] <= 65535:
            raise WrongField("/port", "a port is a number from 1 to 65535")
        normal["port"] = given["port"]
    if "folder" in given:
        text(given, "folder")
        folder = given["folder"].strip("/")
        if not folder:
            raise WrongField("/folder", "leave the folder out to mean the whole server")
        if len(folder) > 1024 or not all(SEGMENT.fullmatch(segment) and not is_dots(segment) for segment in folder.split("/")):
            raise WrongField("/folder", "a folder is a percent-encoded path without empty, '.' and '..' segments, such as media/2024")
        normal["folder"] = folder
    unknown = next((name for name in given if name not in normal), None)
    if unknown is not None:
        raise WrongField("", "there is a setting that this connector does not know")
    return normal


def settings(given):
    normal = normalize(given)
    return Settings(normal["hostname"], normal.get("port", 443), normal.get("folder", ""), normal["username"])


def text(given, name):
    if not isinstance(given, dict) or not isinstance(given.get(name), str) or not given[name]:
        raise WrongField(f"/{name}", "a text is needed here")


def is_ipv4(labels):
    return len(labels) == 4 and all(label.isdigit() and label == str(int(label)) and int(label) <= 255 for label in labels)


def is_dots(segment):
    return unquote(segment) in (".", "..")


def url_of(settings, source):
    """`https://host/path` on this server, `/path` from its root, or `path` below the folder. The path goes out as it is written."""
    scheme, colon, rest = source.partition(":")
    if source.startswith("//"):
        raise Refused("denied", "scope_violation", "a source path that begins with // names another host")
    if not source or source.startswith("?"):
        raise Refused("invalid", "broken_url", "the source path is empty")
    if not colon or "/" in scheme or "?" in scheme:
        path = source if source.startswith("/") else f"/{settings.folder}/{source}" if settings.folder else f"/{source}"
    elif scheme.lower() == "https":
        path = path_on_this_server(settings, rest)
    else:
        raise Refused("invalid", "unsupported_uri_scheme", "a source path of this connection is an https URL or a path; a ':' in a path is written %3A")
    if not WIRE.fullmatch(path):
        raise Refused("invalid", "broken_url", "the source path is not in URL form: write spaces, '#', '\\', '%' and the like percent-encoded (%20)")
    plain = path.partition("?")[0]
    # As a server sees it that decodes first, or that takes a backslash for a slash.
    if any(segment in (".", "..") for segment in re.split(r"[/\\]", unquote(plain))):
        raise Refused("invalid", "unsupported_key", "a path with a '.' or '..' segment is not supported: it would mean another path")
    if settings.folder and plain != f"/{settings.folder}" and not plain.startswith(f"/{settings.folder}/"):
        raise Refused("denied", "scope_violation", "the source path is outside this connection's folder")
    return settings.origin + "".join(c if c < "\x80" else "".join(f"%{byte:02X}" for byte in c.encode()) for c in path)


def path_on_this_server(settings, rest):
    slashes, authority, path = rest[:2], *split_at_path(rest[2:])
    if slashes != "//" or "@" in authority:
        raise Refused("invalid", "broken_url", "a URL is https://host/path, without a user")
    host, colon, port = authority.partition(":")
    if colon and not (port.isascii() and port.isdigit() and len(port) <= 5):
        raise Refused("invalid", "broken_url", "the URL's port is not a number")
    if host.removesuffix(".").lower() != settings.hostname or int(port or 443) != settings.port:
        raise Refused("denied", "scope_violation", "the URL is not on this connection's host and port")
    return path if path.startswith("/") else f"/{path}"


def split_at_path(rest):
    end = min((at for at in (rest.find("/"), rest.find("?")) if at >= 0), default=len(rest))
    return rest[:end], rest[end:]


class Links(HTMLParser):
    """The targets of a page's links, in order."""

    def __init__(self, page):
        super().__init__()
        self.found = []
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        if tag == "a":
            self.found.extend(value for name, value in attributes if name == "href" and value)


def start(cursor):
    """Where a page begins: the cursor is ours, but comes back through other hands."""
    if cursor is None:
        return 0
    if not re.fullmatch(r"[0-9]{1,6}", cursor):
        raise Refused("invalid", "invalid_cursor", "the cursor is not one that this connector made")
    return int(cursor)


def page(folder_url, html, start, limit):
    """Files and folders that an index page links to, from number `start` on, and where the next page begins."""
    names = sorted({name for name in map(lambda link: name_below(folder_url, link), Links(html).found) if name})
    shown, rest = names[start:start + limit], names[start + limit:]
    files = [folder_url + name for name in shown if not name.endswith("/")]
    folders = [folder_url + name for name in shown if name.endswith("/")]
    return files, folders, start + limit if rest else None


def name_below(folder_url, link):
    """The one segment by which a link goes down from its page; none for the parent, for other servers and for links that sort the page."""
    path = urlsplit(folder_url).path
    link = link.removeprefix(folder_url).removeprefix(path).removeprefix("./")
    name = link.removesuffix("/")
    return link if SEGMENT.fullmatch(name) and ":" not in name and not is_dots(name) else None
