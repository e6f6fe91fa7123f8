"""The protocol (docs/protocol.md): pure and deterministic. No I/O, no clock, no randomness, no asyncio, no logging.

:class:`~genpaxos.core.replica.Replica` is all an owner needs. It calls ``step`` with what arrived and the time. In this
order it must make ``effects.records`` durable in one transaction (if ``effects.capture`` is set, the replica's
``capture()`` in their place), then send everything else. Only ``effects.early`` may leave before. The rest of the
contract is small: ``due_ms`` says when to step again; ``unwritten`` and ``capture`` make a snapshot;
``snapshot_stored`` and ``rebuild_from`` tell the replica that one is stored and how to read it; ``sends_snapshot`` says
that it should stay; ``begin_phase1`` with ``finish`` starts a ballot by hand; ``owner`` has the rest.

Values
- ``ballot``: ballots and their kinds
- ``quorum``: quorum systems, checked when made
- ``ids``: what names commands and operations
- ``commands``: bodies, known proposals
- ``runs``: operations that are agreed on together
- ``keys``: idempotency keys
- ``log``: the decree sequence V
- ``settled``: bodies of settled commands
- ``history``: ``V[1..j] • tail`` with its digests
- ``messages``: what goes over the wire
- ``records``: what goes to the disk
- ``effects``: what comes out of a step
- ``journal``: the bytes of records, sealed and chained
- ``snapshot``: what stands for V[1..index]
- ``settings``: what all replicas agree on
- ``now``: the time of the step

Roles: what each one holds
- ``voter``: promises, fast votes, reports of them
- ``acceptor``: the voter with adoption of decrees
- ``offer``: decrees received and not adopted yet
- ``replaying``: records to acceptor and back
- ``coordinator``: phase 1, then decrees
- ``promises``: the reports of one phase 1
- ``recovery``: ProvedSafe
- ``learner``: learning, fast and classic
- ``executor``: runs what is learned
- ``applying``: the machine, and what an operation gives
- ``sessions``: exactly-once
- ``election``: who should coordinate
- ``progress``: who lags
- ``incarnations``: replicas that lost their storage
- ``pool``: proposals without a vote here
- ``assembly``: a state arriving in chunks
- ``outbox``: records not durable yet
- ``answers``: which client waits for what
- ``roles``: all of them, made together

Conversations: handlers and retries of one exchange
- ``campaign``: phase 1
- ``voting``: proposals, phase 2a, phase 2b
- ``telling``: what a step says of decrees and votes
- ``watermark``: when an adoption is told
- ``askers``: who must hear of votes at once
- ``carrying``: when decrees leave with their bodies
- ``catchup``: what one that lags takes
- ``requests``: what is asked for
- ``patience``: when to ask again
- ``serving``: answers in bounded chunks
- ``transfer``: installs a received state
- ``relay``: passes on what lingers
- ``upkeep``: heartbeats and retries
- ``conversations``: all of them, connected

Policies and collisions
- ``policies``: what each kind of ballot decides
- ``collision``: what reports prove safe
- ``ordering``: what a replica does about it
- ``fallback``: leader-ordered for a while
- ``fastpath``: whether the fast path works

Limits on what enters
- ``admission``: how commands enter
- ``limits``: how many undecided
- ``intake``: bytes of unacknowledged results
- ``sizes``: how large results are
- ``door``: while commands keep failing
- ``gathering``: how long messages may wait

Results, failures, ends
- ``agreement``: the running sum of results
- ``disputes``: where results differ
- ``builtins``: the built-in commands
- ``checksums``: when one is proposed
- ``failures``: undeclared exceptions as results
- ``undo``: a failed command is undone
- ``trials``: tried in a copy first
- ``endings``: the command that ends sessions
- ``farewells``: when it is proposed
- ``truncation``: how far the log is cut

- ``replica``: the dispatch table and the order of a step
- ``owner``: the rest of the contract with the owner: clock, disk and network
- ``inspect``: what a replica tells of itself
"""
