"""`getCompanyInfo` on the wire."""

import pytest

pytestmark = pytest.mark.vcr


def test_the_company_is_read_by_its_realm(connection, vcr):
    """CompanyInfo is read by the realm id, though the Id inside is 1."""
    result = connection.invoke("getCompanyInfo")

    assert result["companyInfo"]["Id"] == "1"
    assert result["companyInfo"]["CompanyName"]
    realm = result["metadata"]["realmId"]
    assert vcr.requests[-1].path == f"/v3/company/{realm}/companyinfo/{realm}"
