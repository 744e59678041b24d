"""A Dask cluster, by the address of its scheduler or by a client. Dask is imported when a cluster is asked for."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from scanner_kit.errors import InvalidInput

WAIT = "15s"


@dataclass(frozen=True)
class Workers:
    """The workers of a cluster, and how many cores they have together."""

    client: Any
    cores: int

    def map(
        self, work: Callable[..., Any], data: Sequence[Any], told: Sequence[Any], jobs: Sequence[tuple[int, int]]
    ) -> Iterator[tuple[int, Any]]:
        """Do each job, a pair of places in `data` and `told`; the job's place and its result as they come.

        Data are sent once to each worker that needs them. What a worker raises is raised.
        """
        from dask.distributed import as_completed

        sent = self.client.scatter(list(data), hash=False)
        futures = [self.client.submit(work, sent[one], told[other], pure=False, retries=1) for one, other in jobs]
        places = {future.key: place for place, future in enumerate(futures)}
        try:
            for future in as_completed(futures, loop=self.client.loop):
                yield places[future.key], future.result()
        finally:
            self.client.cancel(futures)


@contextmanager
def on_cluster(cluster: Any) -> Iterator[Workers]:
    """The workers of a cluster; a client made of an address is closed at the end, one that was given stays.

    `InvalidInput` for what is no cluster, one that cannot be reached, one without workers, and without Dask.
    """
    try:
        from dask.distributed import Client
    except ImportError:
        raise InvalidInput(
            "A sweep on a cluster needs Dask, which is not installed. Run pip install 'scanner-kit[tuning]'."
        ) from None
    if isinstance(cluster, Client):
        yield _workers(cluster)
        return
    if not isinstance(cluster, str):
        raise InvalidInput(
            f"A cluster is the address of a Dask scheduler or a Client; found {cluster!r}. "
            f"Write, say, cluster='tcp://10.0.0.5:8786'."
        )
    try:
        client = Client(cluster, timeout=WAIT, set_as_default=False)
    except (OSError, ValueError, TimeoutError) as fault:
        raise InvalidInput(
            f"There is no Dask scheduler to be reached at {cluster!r}: {fault}. Start one with `dask scheduler`."
        ) from None
    try:
        yield _workers(client)
    finally:
        client.close()


def _workers(client: Any) -> Workers:
    cores = sum(client.ncores().values())
    if not cores:
        raise InvalidInput(
            f"The Dask cluster at {client.scheduler.address} has no worker; found 0. Start some with `dask worker`."
        )
    return Workers(client, cores)
