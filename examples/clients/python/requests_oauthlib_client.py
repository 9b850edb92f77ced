"""requests-oauthlib gets a token and calls the API with it."""
import os

from oauthlib.oauth2 import BackendApplicationClient
from requests_oauthlib import OAuth2Session

os.environ["OAUTHLIB_INSECURE_TRANSPORT"] = "1"  # http on loopback
client = BackendApplicationClient(client_id=os.environ["CLIENT_ID"], scope=["reports:read"])
session = OAuth2Session(client=client)
session.fetch_token(
    token_url=os.environ["ISSUER"] + "/oauth2/token",
    client_id=os.environ["CLIENT_ID"], client_secret=os.environ["CLIENT_SECRET"],
)
print(session.get(os.environ["API"]).text, end="")
