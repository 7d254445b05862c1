"""The configured Label Studios, with an API client and a picture fetcher for each."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial

from labelstudio.api import LabelStudioClient
from labelstudio.connection import Connection
from labelstudio.images import ImageFetcher, ImageLimits
from labelstudio.project import DEFAULT_CONNECTION
from tagloom_base.errors import UserError
from tagloom_base.groups import PictureSettings, StudioSettings


@dataclass(frozen=True)
class PersonsReader:
    """Fetches pictures as one person: Label Studio gives what it shows to that person's token, and no more."""

    client: LabelStudioClient
    fetcher: ImageFetcher

    def close(self) -> None:
        """Close all connections; a fetch that runs fails."""
        self.fetcher.close()
        self.client.close()


class Sites:
    """API clients and picture fetchers by connection name. Created once per process."""

    def __init__(self, studios: StudioSettings, pictures: PictureSettings) -> None:
        limits = ImageLimits(pictures.image_max_bytes, pictures.image_max_pixels, pictures.image_seconds)
        self._new_fetcher = partial(
            ImageFetcher, allowed_hosts=pictures.image_hosts, roots=pictures.image_roots, limits=limits
        )
        self._clients = {name: LabelStudioClient(entry) for name, entry in connections_of(studios).items()}
        self._fetchers = {name: self._new_fetcher(client) for name, client in self._clients.items()}

    @property
    def names(self) -> frozenset[str]:
        """The names of all configured connections."""
        return frozenset(self._clients)

    def client(self, connection: str) -> LabelStudioClient:
        """Return a connection's API client. Raises UserError if the connection is not configured."""
        return self._clients[self._known(connection)]

    def fetcher(self, connection: str) -> ImageFetcher:
        """Return a connection's picture fetcher. Raises UserError if the connection is not configured."""
        return self._fetchers[self._known(connection)]

    def reader(self, connection: str, token: str) -> PersonsReader:
        """Return a new reader of pictures for a person's token. Raises UserError if the connection is not configured.

        The caller closes it.
        """
        configured = self._clients[self._known(connection)].connection
        client = LabelStudioClient(replace(configured, token=type(configured.token)("")))
        # Offered, not configured: the token is kept out of the logs for a while, and in no list that grows for ever.
        client.offer_token(token)
        return PersonsReader(client, self._new_fetcher(client))

    def close(self) -> None:
        """Close the network connections of all fetchers and clients."""
        for fetcher in self._fetchers.values():
            fetcher.close()
        for client in self._clients.values():
            client.close()

    def _known(self, connection: str) -> str:
        if connection not in self._clients:
            raise UserError(f"connection {connection!r} is not configured: add it to TAGLOOM_CONNECTIONS")
        return connection


def connections_of(studios: StudioSettings) -> Mapping[str, Connection]:
    """Return all configured connections by name; the one of LABEL_STUDIO_URL is ``default``."""
    url, token, names = studios.label_studio_url, studios.label_studio_token, studios.label_studio_names
    default = Connection(DEFAULT_CONNECTION, url, token, names)
    further = {
        name: Connection(name, entry.url, entry.token, entry.names) for name, entry in studios.connections.items()
    }
    if DEFAULT_CONNECTION in further:
        raise UserError("TAGLOOM_CONNECTIONS: 'default' is the one of LABEL_STUDIO_URL; choose another name")
    return {DEFAULT_CONNECTION: default, **further}
