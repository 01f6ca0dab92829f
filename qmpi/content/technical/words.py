"""Words of software: what systems are made of, do, and may be set to.

Theory of operation. Each table holds ready pieces for the holes of a sentence frame, so writing one
costs an index. Verbs are inflected by the English vocabulary; those it lacks are left out. The
things that a system handles come from the vocabulary itself, so there are thousands. A tier may use
a share of each table, the commonest words first.
"""

from collections.abc import Callable
from functools import cache

from qmpi.content.english.lexicon import Verb, english, with_article
from qmpi.content.english.prose import Said


def _listed(words: str) -> tuple[str, ...]:
    return tuple(words.split())


_VERBS = _listed("""
accept acquire add admit adjust advance align allocate announce append apply archive arrange
assemble assign attach audit balance batch bind block broadcast buffer build bypass call cancel
capture carry check choose claim clean clear clip clone close collapse collect combine commit
compare compile complete compress compute confirm connect consume contain convert copy count
cover create cut deal declare decline decode decrypt defer define delay delegate delete deliver
deny deploy derive detach detect dispatch display divide drain draw drop duplicate emit empty
enable encode encrypt enforce enter erase escape estimate evict examine exclude execute expand
expect expose extend extract fetch fill filter find finish fix flag flush fold follow format
forward free freeze gather generate grant group guard halt handle hash hide hold ignore import
include index inherit insert inspect install interpret interrupt invoke isolate join keep label
launch lease limit link list load lock log lower mark mask match measure merge migrate mirror
monitor mount move name notice notify observe offer omit open order override pack parse patch
pause permit pin poll prefer prepare preserve print probe process promote propagate protect
prune publish pull purge push query queue quote raise read rebuild receive reclaim record
recover redirect reduce refresh refuse register reject relay release reload remove rename render
repair repeat replace replay report reroute reserve reset resize resolve restart restore resume
retain retire retry return reuse reverse revoke rewrite rotate route sample save scan schedule
seal search secure select send serialize serve share shift show shrink shuffle sign simplify
skip sort split stage stamp start steal stop store strip submit suspend swap switch sync tag
take test throttle tie time trace track translate transmit trim truncate trust unlock unpack
update upgrade validate verify wake warn watch withdraw withhold wrap write yield
""")
_PARTS = _listed("""
accumulator adapter agent allocator anchor arbiter archive arena array balancer barrier batch
beacon bitmap bridge broker bucket buffer bundle bus cache catalogue channel checkpoint checksum
chunk cluster codec collector column compactor compiler connector console consumer context
controller coordinator counter cursor daemon dashboard decoder descriptor diff digest dispatcher
driver encoder endpoint engine entry envelope epoch executor exporter factory feed fence field
filter firewall footer formatter frame gateway generator graph guard handler handshake harness
hash header heap heartbeat histogram hook host importer index inbox injector inspector
interpreter iterator job journal kernel key lane latch layer lease ledger library limiter linker
listener loader lock log lookup loop mailbox manifest mapper marker mask matrix merger message
mesh metric middleware migration mirror module monitor mutex namespace node notifier offset
optimizer outbox packet page parser partition patch payload peer pipeline planner plugin pointer
policy pool port probe process producer profile profiler prompt proxy publisher query queue
quorum quota reader record recorder reducer registry relay renderer replica reporter repository
request resolver resource response ring router row runner runtime sampler sandbox scanner
schedule scheduler schema scope script segment selector sensor serializer server service session
shard shell sidecar signal sink slot snapshot socket sorter source spool stack stage stager
store stream stub subscriber supervisor switch table tap target task template thread throttle
ticker timer token tracer tracker transaction translator transport tree trigger tunnel validator
vault view volume watchdog watcher window worker wrapper writer zone
""")
_TRAITS = _listed("""
aborted absent active aligned ambiguous anonymous archived asynchronous atomic available bare
blank blocked bounded broken buffered busy cached canonical closed cold complete compressed
concurrent conflicting consistent corrupt crowded current damaged dangling dead deferred
degraded delayed dense deprecated detached dirty distant distributed dormant double draft
duplicate durable dynamic eager early empty encrypted ephemeral equal exclusive expired explicit
external failed fast faulty final finished fixed flat foreign fragmented free fresh frozen full
global half-open hidden hot idle immutable implicit inbound incoming incomplete indirect
inherited inner internal invalid isolated known large late latent lazy leading legacy light live
local locked long lost malformed masked matching merged minimal missing mixed mutable named
native nested new noisy obsolete offline old opaque open optional ordered orphaned outbound
outer oversized packed partial passive pending persistent pinned plain preferred primary private
public pure quiet raw read-only ready recent recursive redundant registered rejected remote
repeated replicated reserved restored retired reversible rotated running safe scheduled sealed
secondary shared short signed silent single slow small sorted sparse spare stable stale static
stopped strict strong structured stuck suspended synchronous temporary terminal tight trailing
transient trusted unbounded unclaimed unique unknown unlocked unread unsigned unused urgent
valid verified versioned virtual visible volatile waiting warm weak wide worn
""")
_SHARES = (20, 30, 45, 60, 80, 100)
"""Share of each table, in per cent and from the common end, that a tier may use."""
_HOW = """
again|at once|automatically|by default|by hand|concurrently|deliberately|early|eventually|
exactly once|for good|from scratch|gracefully|immediately|in advance|in bulk|in chunks|in memory|
in order|in parallel|in place|in reverse|in the background|in turn|lazily|on demand|on disk|
on exit|on shutdown|on startup|once|one by one|out of order|periodically|silently|slowly|twice|
under load|under lock|without a lock|without warning|without a copy|without delay|first|last|
locally|remotely|quietly|safely|atomically|as a whole|piece by piece|only once|every time
"""
CHOICES = _listed("""
adaptive always append atomic auto balanced best binary block bounded bulk burst cautious
central chained coarse columnar compact copy debug delta direct drop eager error exact fair fast
fifo fine fixed flat full greedy hashed hybrid indexed info inline json keep lazy least lifo
linear local manual merge minimal mirror mixed named native never nearest newest none oldest
ordered packed pinned plain priority queued quick quiet random ranked reject relaxed remote
replace ring rolling round safe sampled sealed shared shortest single skip sliding sorted sparse
split stable steady strict text tiered traced trusted uniform verbose warn weighted widest wrap
""")
PARTS = tuple(part for part in _PARTS if "-" not in part)
ASPECTS: tuple[tuple[str, str, str], ...] = tuple(
    (name, kind, unit)
    for kind, unit, names in (
        (
            "count", "",
            "attempts backlog batch branches burst copies credits cursors depth fanout forks "
            "handles hops lanes limit lookahead pages partitions passes peers permits quota "
            "readers replicas retries rounds shards sessions slots snapshots stages streams "
            "stride threads tokens versions window workers writers ",
        ),
        ("time", "ms", "backoff debounce delay jitter linger pause poll skew tick timeout"),
        ("time", "s", "cooldown grace heartbeat interval lease patience period probation silence"),
        ("time", "min", "expiry refresh rotation ttl"),
        ("time", "h", "archival horizon retention"),
        ("size", "bytes", "alignment block frame header padding"),
        ("size", "KiB", "buffer chunk packet page segment slab"),
        ("size", "MiB", "arena cache heap journal pool spool"),
        ("share", "%", "headroom overlap reserve sampling slack threshold tolerance watermark"),
        (
            "switch", "",
            "audit autosave checksum compress dedupe dryrun echo failfast inherit isolate lazy"
            " merge mirror pin preload prefetch recycle strict trace verify",
        ),
        (
            "choice", "",
            "codec encoding fallback format layout level mode order policy priority scope strategy",
        ),
    )
    for name in names.split()
)  # fmt: skip
"""Name of what is set, its kind and its unit."""

_FORMS: dict[str, Callable[[Verb], str]] = {
    "op": lambda verb: verb.base,
    "op3": lambda verb: verb.third,
    "opd": lambda verb: verb.past,
    "opn": lambda verb: verb.participle,
    "opg": lambda verb: verb.ing,
}


@cache
def plurals() -> dict[str, str]:
    """Return the plurals of nouns that can be part of an identifier.

    Returns:
        Plural by singular, both of small letters only.
    """
    return {
        noun.singular: noun.plural
        for noun in english().nouns
        if noun.singular.isascii()
        and noun.singular.isalpha()
        and noun.plural.isalpha()
        and noun.plural != noun.singular
        and 3 <= len(noun.singular) <= 12
        and noun.singular[-1] != "s"
    }


@cache
def table_of(hole: str, tier: int) -> tuple[Said, ...]:
    """Return what may fill a hole that is no fact.

    Args:
        hole: op, op3, opd, opn, opg, part, parts, apart, trait, atrait or how.
        tier: 0 to 5; how rare words may be.

    Returns:
        Ready pieces, the commonest first.
    """
    every = _pieces(hole)
    return tuple(map(Said, every[: len(every) * _SHARES[tier] // 100]))


def _pieces(hole: str) -> list[str]:
    if hole in _FORMS:
        # The first entry of a base is its commonest use.
        known = {verb.base: verb for verb in reversed(english().verbs)}
        return [_FORMS[hole](known[base]) for base in _commonest(_VERBS) if base in known]
    if hole in ("apart", "atrait"):
        return [with_article(word) for word in _pieces(hole[1:])]
    if hole == "parts":
        return [plurals().get(part) or _plural(part) for part in _commonest(_PARTS)]
    if hole == "how":
        return list(_HOW.replace("\n", "").split("|"))
    return _commonest({"part": _PARTS, "trait": _TRAITS}[hole])


# By the rank of the word in its class; what the vocabulary lacks comes last.
def _commonest(words: tuple[str, ...]) -> list[str]:
    ranks = _ranks()
    return sorted(words, key=lambda word: ranks.get(word, len(ranks)))


@cache
def _ranks() -> dict[str, int]:
    lexicon, ranks = english(), dict[str, int]()
    for words in (
        [verb.base for verb in lexicon.verbs],
        [noun.singular for noun in lexicon.nouns],
        [adjective.word for adjective in lexicon.adjectives],
    ):
        for rank, word in enumerate(words):
            ranks[word] = min(rank, ranks.get(word, rank))
    return ranks


def _plural(part: str) -> str:
    if part.endswith(("ch", "sh", "x", "s")):
        return f"{part}es"
    return f"{part[:-1]}ies" if part.endswith("y") and part[-2] not in "aeo" else f"{part}s"
