"""Run ``tagloom up``: start the services, connect them, print the addresses, and wait for Ctrl-C."""

import time
from collections.abc import Sequence
from contextlib import closing, suppress
from datetime import datetime

import click
from pydantic import SecretStr
from sqlalchemy.exc import OperationalError

from labelstudio import entry
from labelstudio.api import LabelStudioClient
from labelstudio.connection import Connection
from labelstudio.entry import Entry
from store.store import Store
from tagloom.datasets.dataset import Sample
from tagloom.preflight import require_disk, require_free, require_pictures, require_writable
from tagloom_base.settings import Settings
from tools.services.stack import Stack
from tools.up.account import Account
from tools.up.news import News
from tools.up.project import LabelStudio, ensure_project
from tools.up.server import START_SECONDS, Waiting, label_studio

NEEDED_MB = 1500


def up(settings: Settings, samples: Sequence[Sample], labels: Sequence[str], *, port: int) -> None:
    """Run all services until Ctrl-C. ``port`` is Label Studio's. UserError when a service cannot start or ends."""
    require_disk(settings.paths.home, NEEDED_MB)
    require_writable(settings.paths.home)
    require_pictures(sample.image for sample in samples)
    account = Account.of(settings.paths.home.resolve())
    url = f"http://127.0.0.1:{port}"
    access = {"LABEL_STUDIO_URL": url, "LABEL_STUDIO_API_KEY": account.token}
    with Stack(settings, access, command="tagloom up") as stack:
        # After what a killed run left has ended. When its port is taken, Label Studio silently takes the next one.
        require_free(port, "127.0.0.1", "--label-studio-port")
        project_id = _start(stack, samples, labels, url, account)
        click.echo(
            f"""
Label Studio   {url}/projects/{project_id}/data
  user         {account.email}
  password     {account.password}
backend        {stack.backend_url}   (status: {stack.backend_url}/status)
pages          {stack.backend_url}/   (sign in with the token {account.token})
logs           {stack.logs}

Open a task: the tags and boxes are Tagloom's. Correct and submit a few; new versions follow by themselves, and each
that serves or is refused is told here.
Ctrl-C stops everything; `make up` goes on where you stopped."""
        )
        with closing(Store.open(settings.paths.database)) as store:
            news = News(store)
            try:
                while True:
                    stack.check()
                    _tell(news)
                    time.sleep(1)
            except KeyboardInterrupt:
                click.echo("\nstopping ...")
    click.echo(f"stopped; labels, versions and Label Studio's data are kept in {settings.paths.home}")


def _tell(news: News) -> None:
    """Print what is new, with the time of day."""
    # While the database is locked or away, the next look tells it.
    with suppress(OperationalError):
        for line in news.lines():
            click.echo(f"{datetime.now():%H:%M:%S}  {line}")


def _start(stack: Stack, samples: Sequence[Sample], labels: Sequence[str], url: str, account: Account) -> int:
    """Start all services, and return the id of the connected sample project."""
    click.echo("starting Valkey, Label Studio (25 to 90 s at the first start), backend and worker ...")
    server = stack.start(label_studio(stack.home, int(url.rsplit(":", 1)[1]), account))
    stack.start_queue()
    stack.start_backend()
    stack.start_worker()
    server.wait_until(Waiting(url, click.echo), seconds=START_SECONDS)
    api = LabelStudio(url, account.token)
    try:
        click.echo(f"the sample project ({len(samples)} tasks) ...")
        project_id = ensure_project(api, samples, labels)
    finally:
        api.close()
    with closing(LabelStudioClient(Connection(url=url, token=SecretStr(account.token)), timeout=120)) as client:
        entry.ensure(client, project_id, Entry(stack.backend_url))
    return project_id
