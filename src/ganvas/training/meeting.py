"""How processes find one another, the second time too.

They exchange addresses by a store that torchrun keeps. It keeps the same store when it starts them again, with the
addresses of those that are gone still in it, which gloo and NCCL then call for ever (PyTorch's issue 135712), and what
it tells of restarts is not the same on all machines. So the processes agree here on a name that was never used, and
everything else is put under it.
"""

from __future__ import annotations

import time
import uuid
from datetime import timedelta

from torch.distributed.distributed_c10d import PrefixStore, Store

_GLANCE = 0.02
"""Seconds between two looks of the first process for the others."""


def met(store: Store, rank: int, world: int, patience: timedelta) -> Store:
    """The part of the store that is of this start alone, once all processes are there. Each must call it, once a start.

    Each says hello by a word that it has made up, and the first one answers every hello that it finds. An answer to a
    word of an earlier start is read by nobody, so that nobody goes on with a name of that time; and the first one waits
    until each has thanked it under the new name. Raises RuntimeError where somebody does not come.
    """
    if rank:
        word = uuid.uuid4().hex
        store.set(f"hello {rank}", word)
        store.wait([f"answer {word}"], patience)
        name = store.get(f"answer {word}").decode()
        store.set(f"thanks {name} {rank}", "")
    else:
        name, deadline = uuid.uuid4().hex, time.monotonic() + patience.total_seconds()
        missing = set(range(1, world))
        while missing:
            for other in sorted(missing):
                if store.check([f"thanks {name} {other}"]):
                    missing.remove(other)
                elif store.check([f"hello {other}"]):
                    store.set(f"answer {store.get(f'hello {other}').decode()}", name)
            if missing and time.monotonic() > deadline:
                raise RuntimeError(f"timed out: process {min(missing)} has not come")
            time.sleep(_GLANCE if missing else 0)
    return PrefixStore(name, store)
