"""One process, or several that divide every step among them, started by MPI: `mpiexec -n 2 minisft sft …`.

    ∇L(θ) = Σ_r ∇L_r(θ)             r: the ranks 0 … n − 1, each with its portion of the step's sequences

The weights of a step are made over all its sequences, so the ranks' gradients simply add up: one Allreduce of the flat
vector. All ranks then make the same update and hold the same θ, bit for bit, on machines of one kind. The sum of two is
a + b; of three and more its order is the MPI's. Rank 0 alone reads and writes the run's directory, and speaks.

Without mpiexec nothing of MPI is imported.
"""

import os
import signal
import time
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from types import ModuleType

from minisft.errors import MinisftError

COUNTS = ("PMI_SIZE", "OMPI_COMM_WORLD_SIZE")  # of processes in the job: set by mpiexec of MPICH and Intel, Open MPI
LOCAL_COUNTS = ("MPI_LOCALNRANKS", "OMPI_COMM_WORLD_LOCAL_SIZE")  # of those on this machine
GRACE = 2.0  # seconds in which rank 0 reports a mistake that all have met
DELIVERY = 0.3  # seconds for mpiexec to pass on what was printed: when a rank ends all, it stops reading


@dataclass(frozen=True)
class Ranks:
    """This process, the one of number `rank` among `size`, and mpi4py's module MPI (None: it is alone)."""

    rank: int = 0
    size: int = 1
    mpi: ModuleType | None = None

    def portion(self, tokens) -> list[bool]:
        """Which of a step's sequences this rank takes, given their numbers of tokens; every sequence has one taker.

        The longest first, each to the rank with the fewest tokens so far: nobody need be asked, all compute the same.
        """
        taken, mine = [0] * self.size, [False] * len(tokens)
        for i in sorted(range(len(tokens)), key=lambda i: -tokens[i]):
            taker = taken.index(min(taken))
            taken[taker] += tokens[i]
            mine[i] = taker == self.rank
        return mine

    def sum(self, vector):
        """Replace a vector by its sum over all ranks."""
        if self.mpi:
            self.mpi.COMM_WORLD.Allreduce(self.mpi.IN_PLACE, vector)

    def broadcast(self, vector):
        """Replace a vector by that of rank 0."""
        if self.mpi:
            self.mpi.COMM_WORLD.Bcast(vector, root=0)

    def wait(self):
        """Wait until all ranks do, or one has ended them."""
        if self.mpi:
            self.mpi.COMM_WORLD.Barrier()

    def abort(self, status: int):
        """End all ranks with this status: the others would wait for this one forever. Alone: nothing."""
        if self.mpi:
            time.sleep(DELIVERY)
            self.mpi.COMM_WORLD.Abort(status)

    @contextmanager
    def with_one_voice(self):
        """Rank 0 speaks and takes Ctrl-C, the others are silent. What fails in all is said by rank 0, who ends them."""
        if self.rank == 0:
            yield
            return
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere), redirect_stderr(nowhere):
            try:
                yield
            except Exception:
                time.sleep(GRACE)
                raise


ALONE = Ranks()


def join() -> Ranks:
    """The ranks that mpiexec started, or ALONE. Raises MinisftError if MPI is missing or another than mpiexec's."""
    size = max(int(os.environ.get(name, 1)) for name in COUNTS)
    if size == 1:
        return ALONE
    try:
        from mpi4py import MPI
    except (ImportError, RuntimeError) as error:  # the package; the library it looks for
        raise MinisftError(f"mpiexec: needs MPI in Python ({error}); pip install mpi4py mpich") from None
    comm = MPI.COMM_WORLD
    if comm.size != size:  # otherwise every process would be a job of its own, and all would write the same files
        raise MinisftError(
            f"mpiexec: started {size} processes, but mpi4py's library, {MPI.get_vendor()[0]}, finds {comm.size}; "
            "start them by the mpiexec of that library"
        )
    return Ranks(comm.rank, comm.size, MPI)


def divide_cores():
    """Divide the machine's cores among its ranks; a thread a core in each is slower than one process.

    Before NumPy is imported: it reads these variables once. What the user has set stays, and so does a lone process.
    """
    ranks = max(int(os.environ.get(name, 1)) for name in LOCAL_COUNTS)
    if ranks > 1:
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
            os.environ.setdefault(name, str(max(1, cores // ranks)))
