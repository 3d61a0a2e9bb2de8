"""Repairs of what ministack's S3 answers about a bucket that holds keys which no XML can."""

import re
from collections.abc import Mapping
from types import FunctionType
from typing import Any
from xml.etree.ElementTree import Element, SubElement

Response = tuple[int, dict[str, str], bytes]

# https://www.w3.org/TR/xml/#charsets
_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_ENCODED = {"Prefix", "Delimiter", "KeyMarker", "NextKeyMarker", "Key"}
# What a GET of a bucket has when it asks for its objects.
_LISTING = {
    "continuation-token",
    "delimiter",
    "encoding-type",
    "fetch-owner",
    "list-type",
    "marker",
    "max-keys",
    "prefix",
    "start-after",
}


def list_as_asked() -> None:
    """Listings of versions and uploads honour `encoding-type=url`.

    The provider and boto3 always send it, and without this decode keys that were never encoded, so
    that `a+b` and `100%` can't be deleted and `force_destroy` never ends. Keys may have what no XML
    takes, which is why S3 encodes them. Nor is the last key of a page without versions of its own
    listed on the next page again.
    """
    from ministack.services import s3

    def repaired(original: Any) -> Any:
        def encoded(root: Element) -> bytes:
            for element in root.iter():
                if element.tag in _ENCODED and element.text:
                    element.text = s3._url_encode(element.text)
            SubElement(root, "EncodingType").text = "url"
            return bytes(s3._xml_body(root))

        def listing(bucket_name: str, query_params: Any) -> Response:
            answer: Any = original
            if s3._qp(query_params, "encoding-type", "") == "url":
                # The same code, which writes its answer another way: others run it as it is.
                answer = FunctionType(original.__code__, vars(s3) | {"_xml_body": encoded})
            last = bucket_name, s3._qp(query_params, "key-marker", "")
            if not s3._object_versions.get(last):
                query_params = {**query_params, "version-id-marker": [""]}
            status, headers, body = answer(bucket_name, query_params)
            return status, headers, body

        return listing

    s3._list_object_versions = repaired(s3._list_object_versions)
    s3._list_multipart_uploads = repaired(s3._list_multipart_uploads)


def answer_in_well_formed_xml() -> None:
    """No key makes an answer unreadable: what XML can't hold is `U+FFFD`, unless it was encoded.

    Without this an upload in parts of `a\\0b` never begins, a missing key has no error code, and
    whatever names a carriage return is read back as a line feed.
    """
    from ministack.services import s3

    original = s3._xml_body

    def xml_body(root: Element) -> bytes:
        for element in root.iter():
            if element.text:
                element.text = _NO_XML.sub("\ufffd", element.text)
        return bytes(original(root).replace(b"\r", b"&#13;"))

    s3._xml_body = xml_body


def settings_are_no_listings() -> None:
    """A bucket's setting that ministack doesn't find is answered as for a bucket without objects.

    Without this GetBucketRequestPayment, which Terraform calls for each bucket, and settings that
    ministack does not know are answered with a listing of the objects.
    """
    from ministack.services import s3

    original = s3._list_objects_v1

    def listing(bucket_name: str, query_params: Mapping[str, Any]) -> Response:
        asked = {name for name in query_params if not name.lower().startswith(("x-", "x_"))}
        if "requestPayment" in asked:
            status, headers, body = s3._get_bucket_request_payment(bucket_name)
        elif asked <= _LISTING:
            status, headers, body = original(bucket_name, query_params)
        else:
            status, headers, body = original(bucket_name, {"max-keys": ["0"]})
        return status, headers, body

    s3._list_objects_v1 = listing


REPAIRS = (list_as_asked, answer_in_well_formed_xml, settings_are_no_listings)
