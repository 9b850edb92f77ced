"""Authlib gets a token, calls the API, introspects the token and revokes it."""
import os

from authlib.integrations.requests_client import OAuth2Session

issuer = os.environ["ISSUER"]
session = OAuth2Session(os.environ["CLIENT_ID"], os.environ["CLIENT_SECRET"], scope="reports:read")
token = session.fetch_token(issuer + "/oauth2/token", grant_type="client_credentials")
print(session.get(os.environ["API"]).text, end="")

def active():
    return session.introspect_token(issuer + "/oauth2/introspect", token=token["access_token"]).json()["active"]

assert active(), "a fresh token is not active"
session.revoke_token(issuer + "/oauth2/revoke", token=token["access_token"])
assert not active(), "a revoked token is active"
