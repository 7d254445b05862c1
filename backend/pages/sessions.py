"""Sessions of people. A random id in a cookie opens one; its row in the database holds the person's token, encrypted.

The key of that encryption is derived from the id (HKDF, RFC 5869), and the row holds only a hash of the id. So whoever
reads the database learns no token, and can open no session.
"""

import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from store.sessions import SessionRow, Sessions

SECONDS = 12 * 3600
COOKIE = "tagloom_session"
# Before anybody is signed in, this cookie ties the form of the sign-in page to the browser.
FORM_COOKIE = "tagloom_form"
# No id is longer; a longer cookie is somebody's attempt, and is not hashed.
LONGEST = 100
_NONCE_BYTES = 12


@dataclass(frozen=True)
class Session:
    """A person who is signed in: the session's secret id, the connection, the name, and the token of Label Studio."""

    id: str
    connection: str
    person: str
    token: str

    @property
    def hash(self) -> str:
        """The name of the session in the database."""
        return hash_of(self.id)


def begun(sessions: Sessions, connection: str, person: str, token: str) -> Session:
    """Store and return a new session."""
    session = Session(secrets.token_urlsafe(32), connection, person, token)
    nonce = secrets.token_bytes(_NONCE_BYTES)
    sealed = _cipher(session.id).encrypt(nonce, token.encode(), session.hash.encode())
    row = SessionRow(session.hash, connection, person, base64.b64encode(nonce + sealed).decode())
    sessions.begin(row, SECONDS)
    return session


def opened(sessions: Sessions, cookie: str) -> Session | None:
    """Return the session that a cookie opens; None for none, for one that is over, and for a row that was changed."""
    row = sessions.get(hash_of(cookie)) if 0 < len(cookie) <= LONGEST else None
    if row is None:
        return None
    sealed = base64.b64decode(row.token)
    try:
        token = _cipher(cookie).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], row.hash.encode())
    except InvalidTag:
        return None
    return Session(cookie, row.connection, row.person, token.decode())


def form_token(cookie: str) -> str:
    """Return what a form must send besides the cookie, which another site could make a browser send."""
    return hmac.digest(cookie.encode(), b"tagloom form", "sha256").hex()


def hash_of(cookie: str) -> str:
    return hashlib.sha256(cookie.encode("utf-8", "surrogateescape")).hexdigest()


def _cipher(session_id: str) -> AESGCM:
    derived = HKDF(SHA256(), 32, salt=None, info=b"tagloom session token")
    return AESGCM(derived.derive(session_id.encode("utf-8", "surrogateescape")))
