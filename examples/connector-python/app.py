"""Connector `https_index`: the contract's six functions. Thin; what is decided is in `plan.py`."""

import json

import plan
from componentize_py_types import Err, Ok
from wit_world import exports
from wit_world.imports import http, types

KINDS = {"invalid": types.ErrorKind.INVALID, "denied": types.ErrorKind.DENIED}


class Connector(exports.Connector):
    def describe(self):
        return json.dumps(plan.DESCRIPTION)

    def normalize(self, settings):
        try:
            return json.dumps(plan.normalize(parse(settings)))
        except plan.WrongField as wrong:
            raise Err([types.FieldError(wrong.pointer, wrong.message)])

    def setup(self, settings, principal, external_id):
        root = read(settings).root
        return [
            types.SetupStep("Make a user", f"On the server, make a user for {principal.platform_name} who may read {root} and nothing else.", []),
            types.SetupStep("Enter name and password", "Enter them in the connection. The password is stored encrypted and never shown again.", []),
        ]

    def locate(self, settings, sources):
        settings = read(settings)
        return types.Plan([credential(settings)], [locate(settings, source) for source in sources])

    def check(self, settings, test_location):
        try:
            settings = read(settings)
            url = settings.root if test_location is None else plan.url_of(settings, test_location)
            # The gateway judges the answer: what is no success comes back as an error with a code and a remedy.
            answer = http.head(credential(settings), types.HttpObject(url, []))
            return [types.Finding("request", True, "ok", f"the server answered {answer.status}", None)]
        except plan.Refused as refused:
            return [types.Finding("request", False, refused.code, refused.message, None)]
        except Err as failed:
            return [types.Finding("request", False, failed.value.code, failed.value.message, failed.value.remedy)]

    def list(self, settings, prefix, cursor, limit):
        settings = read(settings)
        try:
            url = plan.url_of(settings, prefix) if prefix else settings.root
            # An index page belongs to a folder.
            url = url if url.endswith("/") else url + "/"
            start = plan.start(cursor)
            html = http.get_document(credential(settings), types.HttpObject(url, [("accept", "text/html")]))
            files, folders, after = plan.page(url, html, start, limit)
        except plan.Refused as refused:
            raise Err(error(refused))
        entries = [types.Entry(path, None, None, None) for path in files]
        return types.Page(entries, folders, None if after is None else str(after))


def parse(settings):
    try:
        return json.loads(settings)
    except (ValueError, RecursionError):
        raise plan.WrongField("", "the settings are not JSON")


def read(settings):
    try:
        return plan.settings(parse(settings))
    except plan.WrongField as wrong:
        raise Err(types.Error(types.ErrorKind.INVALID, "invalid_settings", f"{wrong.pointer}: {wrong.message}", None))


def credential(settings):
    """A recipe: it names the secret. The gateway alone has its value."""
    return types.Credential_Basic(types.BasicCredential(settings.username, "password"))


def locate(settings, source):
    try:
        return Ok(types.Location(types.Target_Http(types.HttpObject(plan.url_of(settings, source), [])), 0))
    except plan.Refused as refused:
        return Err(error(refused))


def error(refused):
    return types.Error(KINDS[refused.kind], refused.code, refused.message, None)

