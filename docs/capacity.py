#!/usr/bin/env python3
"""A model of what limits voicehook on Lambda: environments, cold starts and quotas, up to 56,000 webhooks a second.

    docs/capacity.py                    # prints the tables of docs/capacity.md, in about ten seconds
    docs/capacity.py check WARM COLD    # for benches/burst.rs: a small scenario as JSON, and what the model says of it

Time passes in steps of TICK. In each, a Poisson number of webhooks arrives. A webhook that finds an idle environment
takes it, else a new one is started for it where the quotas allow that, else it is throttled. What goes beyond the quota
of the FIFO queue waits for it, and keeps its environment meanwhile, until the deadline. docs/capacity.md says what is
assumed, and by which pages of AWS. The random numbers have a seed, so the tables are the same each time.
"""

import json
import math
import random
import sys
from collections import Counter, deque
from dataclasses import dataclass

TICK = 0.01
# Parts of all webhooks, and how long each keeps an environment, in seconds: 15 ms on average, nearly all of it SQS.
WARM = ((0.92, 0.01), (0.06, 0.03), (0.02, 0.2))
COLD = 0.3  # what the first webhook of an environment waits in addition
DEADLINE = 4.0  # PUBLISH_DEADLINE_MS
MEMORY_GB, GB_SECOND, A_MILLION = 0.25, 0.0000133334, 2.85  # US dollars; a million without Lambda's time: docs/cost.md


@dataclass(frozen=True)
class Quotas:
    api_rate: float = 10_000  # requests a second, of API Gateway
    api_burst: float = 5_000
    environments: int = 1_000  # of Lambda; each stands for ten requests a second
    scaling: float = 100  # more of them a second, never more than ten seconds' worth at once
    fifo: float = 70_000  # sends a second


LARGE, SMALL = Quotas(), Quotas(api_rate=2_500, api_burst=1_250, fifo=2_400)
RAISED = Quotas(api_rate=10**9, api_burst=10**9, environments=10**9)  # what AWS raises on request


def poisson(mean, rng):
    if mean > 30:
        return max(0, round(rng.gauss(mean, math.sqrt(mean))))
    count, product, end = 0, rng.random(), math.exp(-mean)
    while product > end:
        count, product = count + 1, product * rng.random()
    return count


def simulate(arrivals, quotas, rng, warm=WARM, cold=COLD):
    """What becomes of the webhooks that arrive in each tick. No environment goes, so each is one cold start."""
    done = dict.fromkeys(("webhooks", "429", "throttled", "late", "busy", "peak", "environments", "needed"), 0)
    frees, waiting, second = Counter(), deque(), deque()
    shares, ticks = [share for share, _ in warm], [max(1, round(time / TICK)) for _, time in warm]
    cold_ticks = round(cold / TICK)
    idle = total = units = in_second = 0
    api, scaling, fifo = quotas.api_burst, 10 * quotas.scaling, quotas.fifo

    def occupy(tick, webhooks):
        """Their environments are free again after what a webhook takes."""
        if webhooks < 50:
            lasting = Counter(rng.choices(ticks, shares, k=webhooks))
        else:
            lasting = Counter({time: round(webhooks * share) for time, share in zip(ticks, shares)})
            lasting[ticks[0]] += webhooks - lasting.total()
        for time, some in lasting.items():
            frees[tick + time] += some
        return webhooks

    for tick, count in enumerate(arrivals):
        idle += frees.pop(tick, 0)
        api = min(quotas.api_burst, api + quotas.api_rate * TICK)
        scaling = min(10 * quotas.scaling, scaling + quotas.scaling * TICK)
        fifo = min(quotas.fifo, fifo + quotas.fifo * TICK)
        done["webhooks"] += count
        taken = min(count, int(api))
        api -= taken
        done["429"] += count - taken
        # A unit of concurrency is an environment, and ten requests in the last second.
        second.append(taken)
        in_second += taken - (second.popleft() if len(second) > 1 / TICK else 0)
        wanted = max(math.ceil(in_second / 10), total + max(0, taken - idle))
        grown = min(max(0, wanted - units), int(scaling), quotas.environments - units)
        units, scaling = units + grown, scaling - grown
        allowed = min(taken, max(0, 10 * units - (in_second - taken)))
        fresh = min(max(0, allowed - idle), units - total)
        served = min(allowed, idle + fresh)
        done["throttled"] += taken - served
        in_second, second[-1] = in_second - (taken - served), served
        idle, total = idle + fresh - served, total + fresh
        # The queue takes those that have waited longest first.
        if served:
            waiting.append([tick, served - fresh, fresh])
        while waiting and fifo >= 1:
            _, warm_ones, cold_ones = waiting[0]
            some = occupy(tick, min(warm_ones, int(fifo)))
            others = occupy(tick + cold_ticks, min(cold_ones, int(fifo) - some))
            fifo -= some + others
            waiting[0][1:] = warm_ones - some, cold_ones - others
            if sum(waiting[0][1:]) == 0:
                waiting.popleft()
        while waiting and (tick - waiting[0][0]) * TICK > DEADLINE:
            late = sum(waiting.popleft()[1:])
            done["late"], idle = done["late"] + late, idle + late
        done["busy"] += (total - idle) * TICK
        done["peak"], done["environments"] = max(done["peak"], in_second), max(done["environments"], total)
        done["needed"] = max(done["needed"], units)
    return done


# Each broadcast of a campaign: when a call's ten webhooks come after it was dialled, in seconds.
CALL = (0, 2, 10, 10.2, 14, 18, 18.2, 24, 30, 30.2)
EVERY, DIALLED = 60, 20  # seconds from one broadcast to the next, and in which its calls are dialled
SECONDS, RISE = 180, 90  # what is simulated, and in which of them traffic rises from nothing


def evenly(rate, rng):
    return (poisson(rate * TICK * min(1, tick * TICK / RISE), rng) for tick in range(round(SECONDS / TICK)))


def campaign(rate, rng):
    calls = rate * EVERY / len(CALL) / DIALLED  # a second
    for tick in range(round(SECONDS / TICK)):
        webhooks = sum((tick * TICK - after) % EVERY < DIALLED for after in CALL)
        yield poisson(calls * webhooks * TICK * min(1, tick * TICK / RISE), rng)


def broadcast(calls, dialled, seconds, rng):
    for tick in range(round(seconds / TICK)):
        webhooks = sum(0 <= tick * TICK - after < dialled for after in CALL)
        yield poisson(calls / dialled * webhooks * TICK, rng)


def percent(part, whole):
    share = 100 * part / whole
    return "0" if part == 0 else f"{share:.2g} %" if share >= 0.1 else "below 0.1 %"


def failed(done):
    return percent(done["429"], done["webhooks"]), percent(done["throttled"] + done["late"], done["webhooks"])


def loads():
    yield ("webhooks a second", "arrive", "in the largest second", "concurrency", "environments", "5xx",
           "429 and 5xx by default", "the same, smaller regions", "US dollars an hour")
    for rate in (6, 280, 2_800, 8_300, 56_000):
        for name, arrivals in (("evenly", evenly), ("campaigns", campaign)):
            def run(quotas):
                rng = random.Random(17)
                return simulate(arrivals(rate, rng), quotas, random.Random(71))
            done, large, small = run(RAISED), run(LARGE), run(SMALL)
            millions = done["webhooks"] / 1e6
            a_million = A_MILLION + done["busy"] * MEMORY_GB * GB_SECOND / millions
            yield (f"{rate:,}", name, f"{done['peak']:,}", f"{done['needed']:,}", f"{done['environments']:,}",
                   failed(done)[1], ", ".join(failed(large)), ", ".join(failed(small)),
                   f"{rate * 3600 / 1e6 * a_million:,.2f}")


def broadcasts():
    yield "calls dialled in one second", "webhooks in 40 seconds", "environments", "429", "5xx"
    for calls in (100, 1_000, 5_000, 10_000, 50_000):
        rng = random.Random(17)
        done = simulate(broadcast(calls, 1, 40, rng), LARGE, random.Random(71))
        yield (f"{calls:,}", f"{done['webhooks']:,}", f"{done['environments']:,}", *failed(done))


def table(rows):
    head, *rows = rows
    columns = ["---" if index == 0 or text == "arrive" else "---:" for index, text in enumerate(head)]
    return "\n".join("| " + " | ".join(row) + " |" for row in (head, columns, *rows))


def check(warm, cold):
    """Small enough for one machine: thirteen environments, ten of them at once and one more each second."""
    quotas = Quotas(10**9, 10**9, environments=13, scaling=1, fifo=10**9)
    for name, arrivals in (("evenly, 90 a second", lambda rng: (poisson(90 * TICK, rng) for _ in range(1_000))),
                           ("a broadcast of 60 calls in one second", lambda rng: broadcast(60, 1, 32, rng)),
                           ("a broadcast of 300 calls in 20 seconds", lambda rng: broadcast(300, 20, 52, rng))):
        counts = list(arrivals(random.Random(17)))
        done = simulate(counts, quotas, random.Random(71), ((1, warm),), cold)
        yield {"name": name, "arrivals": counts, "tick": TICK, "environments": quotas.environments,
               "scaling": quotas.scaling,
               "predicted": done | {"answered": done["webhooks"] - done["throttled"]}}


if __name__ == "__main__":
    if sys.argv[1:2] == ["check"]:
        print(json.dumps(list(check(*map(float, sys.argv[2:4])))))
    else:
        print(table(loads()), table(broadcasts()), sep="\n\n")
