"""One process, or several that divide every step among themselves, started by MPI: `mpiexec -n 2 minisft sft …`.

    ∇L(θ) = Σ_r ∇L_r(θ)             r: the ranks 0 … n − 1, each with its portion of the step's sequences

The weights of a step are made over all its sequences, so the ranks' gradients simply add up: one Allreduce of the flat
vector. All ranks then make the same update and have the same θ, bit for bit, on machines of one kind. The sum of two is
a + b; for three or more, MPI decides the order. Only rank 0 reads and writes the run's directory, and prints.

Without mpiexec nothing of MPI is imported.
"""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING

from minisft.errors import MinisftError, quoted

if TYPE_CHECKING:  # `divide_cores` comes before NumPy is imported
    import numpy as np

COUNTS = ("PMI_SIZE", "OMPI_COMM_WORLD_SIZE")  # of processes: set by mpiexec of MPICH and Intel, Open MPI
LOCAL_COUNTS = ("MPI_LOCALNRANKS", "OMPI_COMM_WORLD_LOCAL_SIZE")  # of those on this machine
GRACE = 2.0  # seconds for rank 0 to report a mistake that all have met
DELIVERY = 0.3  # seconds for mpiexec to pass on what was printed: when one rank ends all, it stops reading


@dataclass(frozen=True)
class Ranks:
    """This process, number `rank` of `size`, and mpi4py's module MPI (None: it is alone)."""

    rank: int = 0
    size: int = 1
    mpi: ModuleType | None = None

    def portion(self, tokens: "np.ndarray") -> list[bool]:
        """Which of a step's sequences this rank takes, given their numbers of tokens (S,); each sequence has one taker.

        The longest first, each to the rank with the fewest tokens so far: all ranks compute the same, without messages.
        """
        taken, mine = [0] * self.size, [False] * len(tokens)
        for i in sorted(range(len(tokens)), key=lambda i: -tokens[i]):
            taker = taken.index(min(taken))
            taken[taker] += tokens[i]
            mine[i] = taker == self.rank
        return mine

    def sum(self, vector: "np.ndarray") -> None:
        """Replace a vector (n,) by its sum over all ranks."""
        if self.mpi:
            self.mpi.COMM_WORLD.Allreduce(self.mpi.IN_PLACE, vector)

    def broadcast(self, vector: "np.ndarray") -> None:
        """Replace a vector (n,) by that of rank 0."""
        if self.mpi:
            self.mpi.COMM_WORLD.Bcast(vector, root=0)

    def wait(self) -> None:
        """Wait until all ranks are here, or one has ended them."""
        if self.mpi:
            self.mpi.COMM_WORLD.Barrier()

    def abort(self, status: int) -> None:
        """End all ranks with this status: the others would wait for this one forever. A lone process goes on."""
        if self.mpi:
            time.sleep(DELIVERY)
            self.mpi.COMM_WORLD.Abort(status)

    @contextmanager
    def with_one_voice(self) -> Iterator[None]:
        """Rank 0 prints and takes Ctrl-C; the others are silent. It reports an error that all meet, and ends them."""
        if self.rank == 0:
            yield
            return
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        with (
            open(os.devnull, "w", encoding="utf-8", errors="replace") as nowhere,  # no λ is too strange for it
            redirect_stdout(nowhere),
            redirect_stderr(nowhere),
        ):
            try:
                yield
            except Exception:
                time.sleep(GRACE)
                raise


ALONE = Ranks()


def join() -> Ranks:
    """The ranks that mpiexec started, or ALONE. Raises MinisftError if MPI is missing or is not that of mpiexec."""
    size, _ = started(COUNTS), started(LOCAL_COUNTS)
    if size == 1:
        return ALONE
    try:
        from mpi4py import MPI
    except (ImportError, RuntimeError) as error:  # the package; the library it looks for
        raise MinisftError(f"mpiexec: needs MPI in Python ({error}); pip install mpi4py mpich") from None
    comm = MPI.COMM_WORLD
    if comm.size != size:  # otherwise every process would be a run of its own, and all would write the same files
        raise MinisftError(
            f"mpiexec: started {size} processes, but mpi4py's library, {MPI.get_vendor()[0]}, finds {comm.size}; "
            "start them with the mpiexec of that library"
        )
    return Ranks(comm.rank, comm.size, MPI)


def started(names: tuple[str, ...]) -> int:
    """The number of processes that mpiexec says in variables of these names; without them, or if they are empty, 1.

    Raises MinisftError naming a variable that is not such a number.
    """
    given = {name: os.environ[name] for name in names if os.environ.get(name)}
    for name, value in given.items():
        if not (value.isascii() and value.isdecimal() and len(value) < 10 and int(value)):
            raise MinisftError(f"{name}: {quoted(value)} is not a number of processes; unset it, or use mpiexec")
    return max(map(int, given.values()), default=1)


def divide_cores() -> None:
    """Divide the machine's cores among its ranks; with one thread per core in each, they are slower than one process.

    Call it before NumPy is imported, which reads these variables once. What the user has set stays, and a lone process
    keeps all cores.
    """
    ranks = 1
    with suppress(MinisftError):  # `join` says so
        ranks = started(LOCAL_COUNTS)
    if ranks > 1:
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
            os.environ.setdefault(name, str(max(1, cores // ranks)))
