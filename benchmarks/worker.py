"""One side in a process of its own: reads a JSON request a line, answers with a JSON line. Started by measure.py."""

import json
import resource
import sys
import time

began = time.perf_counter()


def start(side, size, checkpoint, threads):
    """Imports are inside: they are part of a cold start."""
    if side == "minisft":
        from benchmarks.ours import Ours

        return Ours(size, checkpoint, threads)
    from benchmarks.pytorch import Torch

    return Torch(size, checkpoint, threads, side)


def timed(work, times):
    """Seconds of CPU and of wall, and page faults, for `times` calls."""
    faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    wall, cpu = time.perf_counter(), time.process_time()
    for _ in range(times):
        work()
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - faults
    return {"cpu": cpu / times, "wall": wall / times, "faults": faults / times}


def handle(worker, request, size):
    from benchmarks import sizes

    match request["do"]:
        case "prepare":
            worker.prepare(sizes.DATA[request["data"]](size))
            return {}
        case "gradient":
            from safetensors.numpy import save_file

            loss, grads = worker.gradient()
            save_file({name: grad.copy() for name, grad in grads.items()}, request["to"])
            return {"loss": loss}
        case "step":
            return timed(worker.step, request["times"])
        case "product":
            return timed(worker.product(*request["shape"]), request["times"])
        case "answer":
            answers = worker.answer(request["prompts"], request["new"]).tolist()
            return timed(lambda: worker.answer(request["prompts"], request["new"]), request["times"]) | {"ids": answers}
        case "about":
            return {"kernel": worker.kernel(), "peak_kB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss}


def lines():
    """The requests. Under mpiexec rank 0 reads them and passes them on; who waits, sleeps, for MPI would spin."""
    from minisft import parallel

    ranks = parallel.join()
    if ranks is parallel.ALONE:
        yield from sys.stdin
        return
    comm = ranks.mpi.COMM_WORLD
    while True:
        if ranks.rank == 0:
            line = sys.stdin.readline()
            for other in range(1, ranks.size):
                comm.send(line, other)
        else:
            while not comm.iprobe(source=0):
                time.sleep(0.001)
            line = comm.recv(source=0)
        if not line:
            return
        yield line


def main():
    side, size, checkpoint, threads = sys.argv[1:]
    from benchmarks.sizes import Size

    size = Size(**json.loads(size))
    worker = start(side, size, checkpoint, int(threads))
    speaks = getattr(worker, "rank", 0) == 0
    if speaks:
        print(json.dumps({"ready": time.perf_counter() - began}), flush=True)
    for line in lines() if side == "minisft" else sys.stdin:
        answer = handle(worker, json.loads(line), size)
        if speaks:
            print(json.dumps(answer), flush=True)


main()
