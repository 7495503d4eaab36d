"""Whether GitHub sent what claims to come from it. Plain functions over bytes."""

import hashlib
import hmac
from collections.abc import Iterable


class NotSigned(Exception):
    """A delivery that GitHub cannot have sent. Its text says what to mend."""


def verify(body: bytes, secrets: Iterable[str], *, sha256: str, sha1: str) -> str:
    """Return the secret with which the body was signed.

    `sha256` and `sha1` are the headers X-Hub-Signature-256 and X-Hub-Signature, empty where there was none. The
    legacy one counts only where the other was not sent (GitHub, "Validating webhook deliveries"). Every secret is
    tried, so that the time taken tells nothing. Raises NotSigned.
    """
    given = sha256 or sha1
    if not given:
        raise NotSigned("The delivery is not signed: set the secret in GitHub's webhook.")
    algorithm = "sha256" if sha256 else "sha1"
    found = None
    for secret in secrets:
        expected = f"{algorithm}={hmac.new(secret.encode(), body, getattr(hashlib, algorithm)).hexdigest()}"
        # Bytes: compare_digest refuses texts that are not ASCII, and a header can hold anything.
        if hmac.compare_digest(expected.encode(), given.strip().encode(errors="replace")):
            found = secret
    if found is None:
        raise NotSigned("The signature is wrong: the secret in GitHub's webhook is another one.")
    return found
