"""What interference costs: shares of interfering commands, each run on the policy and on classic, turn by turn.

Two clusters are up in the same run; one at a time is under load, and which goes first changes from round to round, so
that a drift of the machine does not look like a difference.
"""

from typing import Any

from bench import workload
from bench.cluster import Bench, running
from bench.options import Options
from bench.sample import Sample, measure, summary
from bench.stats import Spread
from bench.steady import Progress
from bench.verify import verify
from genpaxos.core.ballot import Policy

SHARES = (0.0, 0.02, 0.25, 1.0)

Samples = dict[float, list[Sample]]


async def interference(options: Options, progress: Progress) -> dict[str, Any]:
    """Measure every share on both clusters in every round. Raises :class:`BenchError`."""
    progress("starting two clusters", 0, options.rounds)
    async with running(options, options.policy) as tested, running(options, Policy.CLASSIC) as classic:
        for bench in (tested, classic):
            await measure(bench, workload.commands("warm-up", 0.1), options.warmup_commands, options.outstanding)
        samples = await _rounds(options, tested, classic, progress)
        progress("verifying", options.rounds, options.rounds)
        verified = {"tested": verify(tested), "classic": verify(classic)}
        roles = {"tested": tested.roles(), "classic": classic.roles()}
    shares = [_compared(share, *(of[share] for of in samples)) for share in SHARES]
    calm = shares[0]["tested"]
    return {
        "commands_per_second": calm["commands_per_second"],
        "latency_ms": calm["latency_ms"],
        "ratios": {f"classic at {entry['interference']:g}": entry["ratio"]["median"] for entry in shares},
        "shares": shares,
        "roles": roles,
        "verified": verified,
    }


async def _rounds(options: Options, tested: Bench, classic: Bench, progress: Progress) -> tuple[Samples, Samples]:
    samples: tuple[Samples, Samples] = ({share: [] for share in SHARES}, {share: [] for share in SHARES})
    pair = [(tested, samples[0]), (classic, samples[1])]
    total = options.rounds * len(SHARES)
    for number in range(options.rounds):
        for index, share in enumerate(SHARES):
            progress("measuring", number * len(SHARES) + index, total)
            for bench, into in pair if (number + index) % 2 == 0 else pair[::-1]:
                commands = workload.commands(f"{options.seed}/{number}", share)  # the same for both
                into[share].append(await measure(bench, commands, options.commands, options.outstanding))
    return samples


def _compared(share: float, tested: list[Sample], classic: list[Sample]) -> dict[str, Any]:
    """Ratios are of runs next to one another, then the median of those."""
    ratio = Spread.of([one.per_second / other.per_second for one, other in zip(tested, classic, strict=True)])
    return {
        "interference": share,
        "ratio": ratio.to_json(),
        "tested": summary(tested),
        "classic": summary(classic),
    }
