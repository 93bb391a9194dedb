"""Attachments: uploads of files, their addresses, and their contents.

Sources: https://developer.intuit.com/app/developer/qbo/docs/api/accounting/all-entities/attachable (parts, download);
recorded, 2020 (minimul attachment/error_estimate.yml): the answer of an upload has status 200 and a fault for each file
that is refused.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from vantage_quickbooks.emulator import errors
from vantage_quickbooks.emulator.company.entities import ENTITIES
from vantage_quickbooks.emulator.errors import Fault
from vantage_quickbooks.emulator.http import multipart
from vantage_quickbooks.emulator.http.response import Response
from vantage_quickbooks.emulator.json_text import decode, encode

if TYPE_CHECKING:
    from collections.abc import Callable

    from vantage_quickbooks.emulator.company.company import Company
    from vantage_quickbooks.emulator.http.multipart import Part
    from vantage_quickbooks.emulator.http.request import Request

FILES_PREFIX = "/_files/"
LINK_LIFETIME_S = 900
"""An address of a file works for fifteen minutes. Source: Intuit's page of Attachable."""
_METADATA, _CONTENT = "file_metadata", "file_content"
_ACCESS_URI = re.compile(rb'"FileAccessUri":"/v3/company/(\d+)/download/(\d+)"')
_DEFAULT_TYPE = "application/octet-stream"


class Attachments:
    """The files of every company.

    Args:
        find_company: Returns a company by its realm id, or None.
    """

    def __init__(self, find_company: Callable[[str], Company | None]) -> None:
        self._find_company = find_company
        self._key = secrets.token_bytes(32)

    # ---- uploads ----

    @staticmethod
    def upload(request: Request, company: Company) -> bytes:
        """Store the files of a form, one record each.

        Args:
            request: A form with `file_content_01` and, optionally, `file_metadata_01`, and so on.
            company: The company.

        Returns:
            The value of `AttachableResponse`: for each file its record or a fault.

        Raises:
            ValueError: The body is not such a form.
        """
        parts = multipart.parse(request.headers.get("content-type", ""), request.body)
        metadata = {part.name.removeprefix(_METADATA): part for part in parts if part.name.startswith(_METADATA)}
        files = {part.name.removeprefix(_CONTENT): part for part in parts if part.name.startswith(_CONTENT)}
        if not files:
            raise ValueError("the form has no file_content")
        items = [_store(company, metadata.get(number), file) for number, file in files.items()]
        return f"[{','.join(items)}]".encode()

    # ---- addresses ----

    def link(self, base: str, realm: str, id_: str, now: float) -> str:
        """Return the address of a file, which works for fifteen minutes.

        Args:
            base: This server's address.
            realm: The company.
            id_: The attachment's Id.
            now: Epoch seconds.
        """
        expires = int(now) + LINK_LIFETIME_S
        return f"{base}{FILES_PREFIX}{realm}/{id_}?expires={expires}&signature={self._sign(realm, id_, str(expires))}"

    def download(self, request: Request, company: Company, id_: str) -> bytes:
        """Return the address of an attachment's file, as the body of a response.

        Raises:
            Fault: 610 if the file does not exist, 2030 if the Id is not a number.
        """
        company.read(ENTITIES["Attachable"], id_)
        if company.store.file(company.realm, id_) is None:
            raise errors.not_found()
        return self.link(base_of(request), company.realm, id_, request.now).encode()

    def with_links(self, request: Request, body: bytes) -> bytes:
        """Add TempDownloadUri to the attachments in a response's JSON."""
        if b'"FileAccessUri":"' not in body:
            return body

        def add(found: re.Match[bytes]) -> bytes:
            link = self.link(base_of(request), found[1].decode(), found[2].decode(), request.now)
            return found[0] + f',"TempDownloadUri":"{link}"'.encode()

        return _ACCESS_URI.sub(add, body)

    def _sign(self, *texts: str) -> str:
        return hmac.new(self._key, "/".join(texts).encode(), hashlib.sha256).hexdigest()

    # ---- contents ----

    def serve(self, request: Request) -> Response:
        """Answer a request to a file's address, which needs no token. The pages for refusals are ours."""
        realm, _, id_ = request.path.removeprefix(FILES_PREFIX).partition("/")
        parameters = request.parameters()
        expires, signature = parameters.get("expires", ""), parameters.get("signature", "")
        if not hmac.compare_digest(signature.encode(), self._sign(realm, id_, expires).encode()):
            return Response(403, [("content-type", "text/plain")], b"The signature is invalid.\n")
        if int(expires) <= request.now:
            return Response(403, [("content-type", "text/plain")], b"The address has expired.\n")
        company = self._find_company(realm)
        record = company.find("Attachable", id_) if company else None
        content = company.store.file(realm, id_) if company else None
        if record is None or content is None:
            return Response(404, [("content-type", "text/plain")], b"The file has been deleted.\n")
        kind = str(record.get("ContentType") or _DEFAULT_TYPE)
        name = quote(str(record.get("FileName") or "file"), safe="")
        # A file can be a web page: it must not run scripts with this server's origin.
        headers = [
            ("content-type", kind if kind.isascii() else _DEFAULT_TYPE),
            ("content-disposition", f"attachment; filename*=UTF-8''{name}"),
            ("x-content-type-options", "nosniff"),
            ("content-security-policy", "sandbox"),
        ]
        return Response(200, headers, content)


def base_of(request: Request) -> str:
    """Return this server's address, as the client knows it."""
    return f"http://{request.headers.get('host', 'localhost')}"


def _store(company: Company, metadata: Part | None, file: Part) -> str:
    """Store one file; return its item of the response."""
    try:
        sent = _metadata_of(metadata)
        check_links(company, sent)
        with company.store.writing():
            named = {"FileName": sent.get("FileName") or file.file_name or "file"}
            record = decode(company.create(ENTITIES["Attachable"], sent | named))
            id_ = record["Id"]
            own = {
                "FileName": record.pop("FileName"),
                "FileAccessUri": f"/v3/company/{company.realm}/download/{id_}",
                "Size": len(file.content),
                "ContentType": str(record.pop("ContentType", None) or file.content_type or _DEFAULT_TYPE),
            }
            references = {"AttachableRef": record.pop("AttachableRef")} if "AttachableRef" in record else {}
            text = company.replace_text(ENTITIES["Attachable"], references | own | record)
            company.store.save_file(company.realm, id_, file.content)
    except Fault as fault:
        return encode({"Fault": fault.item()})
    return f'{{"Attachable":{text}}}'


def _metadata_of(part: Part | None) -> dict[str, Any]:
    if part is None or part.content.strip() in (b"", b"null"):
        return {}
    try:
        sent = decode(part.content.decode())
    except (ValueError, RecursionError) as error:
        raise errors.unreadable_body(str(error)) from error
    if not isinstance(sent, dict):
        raise errors.unreadable_body("the metadata is not a JSON object")
    return sent


def check_links(company: Company, sent: dict[str, Any]) -> None:
    """Refuse an attachment to a record that does not exist.

    Raises:
        Fault: 6000 (recorded, 2020), or 2010 if the links are not a list of objects.
    """
    links = sent.get("AttachableRef") or []
    if not isinstance(links, list):
        raise errors.unreadable_body("AttachableRef is not a list")
    for link in links:
        target = link.get("EntityRef") if isinstance(link, dict) else None
        if not isinstance(target, dict):
            if target is None and isinstance(link, dict):
                continue
            raise errors.unreadable_body("AttachableRef is not a list of objects")
        kind, id_ = str(target.get("type")), str(target.get("value"))
        entity = next((name for name in ENTITIES if name.lower() == kind.lower()), None)
        if entity is None or company.find(entity, id_) is None:
            raise errors.business_error(
                f"The entity {kind} {id_} that you are trying to link does not exist. {kind} {id_}"
            )
