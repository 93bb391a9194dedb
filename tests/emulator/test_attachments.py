"""Attachments: uploads as other clients send them, addresses of files, and links to records."""

import json
import random

import pytest
import requests

from vantage_quickbooks.emulator import Emulator
from vantage_quickbooks.emulator.http.multipart import parse

BYTES = bytes(range(256)) + b"\r\n--not a boundary\r\n\n" + bytes(reversed(range(256)))


def upload(client, *files, **options):
    """Upload (metadata, name, content, type) as a form of requests."""
    form = []
    for number, (metadata, name, content, kind) in enumerate(files, 1):
        if metadata is not None:
            form.append((f"file_metadata_{number:02}", ("attachment.json", json.dumps(metadata), "application/json")))
        form.append((f"file_content_{number:02}", (name, content, kind)))
    return client.post("upload", files=form, **options)


def fetch(address):
    return requests.get(address, timeout=60)


def linked(kind, id_):
    return {"AttachableRef": [{"EntityRef": {"type": kind, "value": id_}, "IncludeOnSend": True}]}


def test_a_file_is_uploaded_read_and_downloaded(client, emulator):
    metadata = linked("Invoice", "101") | {"FileName": "Plan of the garden.png", "Note": "First draft"}
    answer = upload(client, (metadata, "x.png", BYTES, "image/png"))
    assert (answer.status_code, list(answer.json())) == (200, ["AttachableResponse", "time"])
    made = answer.json()["AttachableResponse"][0]["Attachable"]
    assert list(made)[:6] == ["AttachableRef", "FileName", "FileAccessUri", "TempDownloadUri", "Size", "ContentType"]
    assert (made["FileName"], made["Size"], made["ContentType"]) == ("Plan of the garden.png", len(BYTES), "image/png")
    assert (made["Note"], made["SyncToken"], made["domain"]) == ("First draft", "0", "QBO")
    assert made["FileAccessUri"] == f"/v3/company/{emulator.realm_id}/download/{made['Id']}"
    again = client.get(f"attachable/{made['Id']}").json()["Attachable"]
    assert again == made | {"TempDownloadUri": again["TempDownloadUri"]}
    where = (
        f"AttachableRef.EntityRef.type = 'Invoice' AND AttachableRef.EntityRef.value = '101' AND Id = '{made['Id']}'"
    )
    (found,) = client.rows(f"SELECT * FROM Attachable WHERE {where}")  # noqa: S608 -- not SQL
    address = client.get(f"download/{made['Id']}")
    assert address.headers["content-type"] == "text/plain;charset=UTF-8"
    for link in (made["TempDownloadUri"], found["TempDownloadUri"], address.text):
        file = fetch(link)
        assert (file.status_code, file.content, file.headers["content-type"]) == (200, BYTES, "image/png")
    assert file.headers["content-disposition"] == "attachment; filename*=UTF-8''Plan%20of%20the%20garden.png"
    assert file.headers["content-security-policy"] == "sandbox"


def test_an_address_ends_after_fifteen_minutes_and_cannot_be_forged(client, emulator):
    emulator.freeze()
    made = upload(client, (None, "a.txt", b"text", "text/plain")).json()["AttachableResponse"][0]["Attachable"]
    link = made["TempDownloadUri"]
    for forged in (link[:-1] + "x", link.replace("expires=", "expires=9"), link.partition("?")[0], link + "\u00e9"):
        assert fetch(forged).status_code == 403
    emulator.advance(899)
    assert fetch(link).status_code == 200
    emulator.advance(2)
    assert fetch(link).status_code == 403
    link = client.get(f"download/{made['Id']}").text
    client.post("attachable?operation=delete", json={"Id": made["Id"], "SyncToken": "0"})
    assert fetch(link).status_code == 404
    assert client.get(f"download/{made['Id']}").status_code == 400


def test_several_files_with_a_refused_one(client):
    answer = upload(
        client,
        (linked("Vendor", "1"), "a.txt", b"one", "text/plain"),
        (linked("Estimate", "75"), "b.xml", b"<a/>", "text/xml"),
        (None, "c.bin", b"", "application/octet-stream"),
    )
    assert answer.status_code == 200
    first, refused, last = answer.json()["AttachableResponse"]
    assert (first["Attachable"]["FileName"], last["Attachable"]["Size"]) == ("a.txt", 0)
    assert refused == {  # recorded, 2020
        "Fault": {
            "Error": [
                {
                    "Message": "A business validation error has occurred while processing your request",
                    "Detail": "Business Validation Error: The entity Estimate 75 that you are trying to link does not"
                    " exist. Estimate 75",
                    "code": "6000",
                    "element": "",
                }
            ],
            "type": "ValidationFault",
        }
    }


def test_a_file_keeps_its_size_and_address_through_updates(client):
    made = upload(client, (None, "a.txt", b"text", "text/plain")).json()["AttachableResponse"][0]["Attachable"]
    link = {"Id": made["Id"], "SyncToken": "0", "FileName": "b.txt", "Size": 5, "FileAccessUri": "x"}
    changed = client.post("attachable", json=link | linked("Vendor", "1")).json()["Attachable"]
    assert (changed["FileName"], changed["Size"], changed["AttachableRef"][0]["EntityRef"]["value"]) == (
        "b.txt",
        4,
        "1",
    )
    assert fetch(changed["TempDownloadUri"]).content == b"text"
    missing = client.post("attachable", json={"Note": "x"} | linked("Vendor", "98765"))
    assert "Vendor 98765 that you are trying to link does not exist" in missing.text
    assert client.post("attachable", json={"Note": "x"} | linked("Vendor", "1")).status_code == 200


def test_python_quickbooks_sends_base64_with_bare_line_ends(client):
    boundary = "-------------PythonMultipartPost"
    lines = [
        "",
        f"--{boundary}",
        'Content-Disposition: form-data; name="file_metadata_01"',
        "Content-Type: application/json",
        "",
        json.dumps({"FileName": "a.txt", "ContentType": "text/plain"}),
        "",
        f"--{boundary}",
        'Content-Disposition: form-data; name="file_content_01"',
        "Content-Type: text/plain",
        "Content-Transfer-Encoding: base64",
        "",
        "dGV4dA==",
        "",
        f"--{boundary}--",
        "",
    ]
    kind = f"multipart/form-data; boundary={boundary}"
    answer = client.post("upload", data="\n".join(lines), headers={"Content-Type": kind})
    made = answer.json()["AttachableResponse"][0]["Attachable"]
    assert (made["FileName"], made["Size"]) == ("a.txt", 4)
    assert fetch(made["TempDownloadUri"]).content == b"text"


def test_a_repeated_upload_with_a_request_id_is_one_file(client):
    answers = [upload(client, (None, "a", b"x", "text/plain"), params={"requestid": "once"}) for _ in range(2)]
    assert (
        answers[0].json()["AttachableResponse"][0]["Attachable"]["Id"]
        == (answers[1].json()["AttachableResponse"][0]["Attachable"]["Id"])
    )


def test_files_are_kept_in_a_database_and_gone_after_a_reset(tmp_path, open_client):
    for time in range(2):
        with Emulator(database=tmp_path / "company.sqlite3", limits=False) as emulator:
            client = open_client(emulator).connect()
            if not time:
                made = upload(client, (None, "a", b"kept", "text/plain")).json()["AttachableResponse"][0]["Attachable"]
            assert fetch(client.get(f"download/{made['Id']}").text).content == b"kept"
            if time:
                emulator.reset()
                assert emulator.company().store.file(emulator.realm_id, made["Id"]) is None


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/json", b"{}"),
        ("multipart/form-data", b"x"),
        ("multipart/form-data; boundary=b", b""),
        ("multipart/form-data; boundary=b", b"--b--"),
        ("multipart/form-data; boundary=b", b"--b\r\n\r\nx\r\n--b--"),
        ("multipart/form-data; boundary=b", b"--b\r\n" * 500),
        ('multipart/form-data; boundary="', b"--b\r\n"),
    ],
)
def test_a_body_that_is_not_such_a_form_is_refused(client, kind, body):
    answer = client.post("upload", data=body, headers={"Content-Type": kind})
    assert (answer.status_code, answer.json()["Fault"]["Error"][0]["code"]) == (400, "2010")


@pytest.mark.parametrize(
    "metadata",
    [
        b"",
        b"null",
        b"{",
        b"[]",
        b"5",
        b"\xff",
        b'{"AttachableRef": 5}',
        b'{"AttachableRef": [5]}',
        b'{"Note": "\\ud800"}',
        b'{"AttachableRef": [{"EntityRef": 5}]}',
        b'{"AttachableRef": [{"EntityRef": {}}]}',
        b'{"AttachableRef": [{}]}',
        b'{"FileName": 5}',
        b'{"FileName": {"a": []}}',
        b'{"ContentType": ["x"]}',
        b'{"Size": "x"}',
        b"[" * 9000,
    ],
)
def test_any_metadata_is_answered(client, metadata):
    form = {"file_metadata_01": (None, metadata), "file_content_01": ("a", b"x")}
    answer = client.post("upload", files=form)
    assert answer.status_code in (200, 400)
    for item in answer.json().get("AttachableResponse", []):
        assert "Fault" in item or fetch(item["Attachable"]["TempDownloadUri"]).status_code == 200


def test_random_damage_to_a_form_never_crashes(client):
    form = requests.Request("POST", "http://x", files={"file_metadata_1": (None, "{}"), "file_content_1": ("a", BYTES)})
    prepared = form.prepare()
    generator = random.Random(7)
    for _ in range(150):
        body = bytearray(prepared.body)
        for _ in range(generator.choice((1, 3, 20))):
            at = generator.randrange(len(body))
            body[at : at + generator.choice((0, 1, 9))] = generator.randbytes(generator.choice((0, 1, 7)))
        answer = client.post("upload", data=bytes(body), headers={"Content-Type": prepared.headers["Content-Type"]})
        assert answer.status_code in (200, 400)


def test_a_part_keeps_its_bytes():
    body = b'--b\r\nContent-Disposition: form-data; name="n"; filename="q\\"uote"\r\n\r\n' + BYTES + b"\r\n--b--\r\n"
    (part,) = parse('multipart/form-data; boundary="b"', body)
    assert (part.name, part.file_name, part.content_type, part.content) == ("n", 'q"uote', "", BYTES)
