"""What pure code may not say, each with what to say instead, so that the same inputs give the same bytes everywhere.

The patterns see code without comments and literals. They are a net for accidents; the purity test looks at symbols.
"""

import re

from source_tree import is_composition_root, is_pure, is_test, outside_suffix

# (name, pattern, what to use instead). In pure code: src/ without tests, mains and files with an outside suffix.
BANNED = [
    ("unordered", r"\bunordered_\w+|\bflat_hash_\w+|\bnode_hash_\w+", "std::map or absl::btree_map: hash order leaks"),
    ("hash", r"\bstd::hash\b|\babsl::Hash\b", "an ordered container, or xxhash over encoded bytes"),
    ("random",
     r"\brandom_device\b|\bmt19937\w*|\bminstd_\w+|\w+_distribution\b|\bshuffle\s*\(|\bs?rand\s*\(",
     "Prng: the standard does not fix what a distribution draws"),
    ("clock", r"\bstd::chrono\b|\b(steady|system|high_resolution|utc|tai|gps|file)_clock\b|\bclock_gettime\b|"
     r"\bgettimeofday\b|\bstd::time\b|(?<![\w.>:])time\s*\(\s*(NULL|nullptr|0|&)",
     "the Instant of the Input, Duration, port::Loop"),
    ("environment", r"\b(secure_)?getenv\b", "Config: src/main.cc reads the environment"),
    ("threads", r"\bstd::(j?thread|this_thread|\w*mutex|scoped_lock|lock_guard|unique_lock|condition_variable\w*|"
     r"atomic\w*|future|promise|async|call_once|once_flag|barrier|latch|\w+_semaphore)\b|\bthread_local\b",
     "port::Worker: one thread steps the core"),
    ("coroutines", r"\bco_(await|yield|return)\b", "an Input and a later step"),
    ("exceptions", r"\b(throw|try|catch)\b", "Result, or ASSERT for our own bugs"),
    ("float", r"\b(float|double)\b", "integers: rounding differs between builds"),
    ("closures", r"\bstd::(move_only_)?function\b", "an effect, a port or a template parameter"),
    ("shared", r"\b(shared_ptr|weak_ptr|make_shared|enable_shared_from_this)\b", "Bytes, std::unique_ptr or a value"),
    ("streams", r"\bstd::(cout|cerr|clog|cin|endl|\w*stream)\b|\bf?printf\s*\(|\bfopen\s*\(",
     "std::string, or a TraceLine whose sink writes"),
    ("exit", r"(?<![\w.>])(std::)?(abort|_?exit)\s*\(|\bstd::terminate\b", "ASSERT"),
    ("assert", r"(?<!_)\bassert\s*\(", "ASSERT, which stays on in production"),
    ("address", r"\bu?intptr_t\b|\bstd::less<[^>]*\*>", "an id: addresses differ between runs"),
    ("date", r"\b__(DATE|TIME|TIMESTAMP)__\b", "the version from meson.build: builds must be reproducible"),
    ("virtual", r"\bvirtual\b", "a value or a template; the interfaces are src/core/host/port/"),
    ("static",
     r"^\s*(?:inline\s+)?static\s+(?!const\b|constexpr\b|constinit\b|_assert)[\w:<>,\s*&]+?\s\w+\s*(?:=|;|\{)",
     "a member of the object that owns the state"),
]
# In core, where bytes may be looked at as bytes and as nothing else.
BANNED_IN_CORE = [("cast", r"\breinterpret_cast\b(?!<(const )?(std::)?(u?int8_t|(unsigned )?char)\s*\*>)",
                   "Encoder and Decoder, std::memcpy or BytesView")]
# In tests too.
BANNED_EVERYWHERE = [
    ("sleep", r"\b(sleep_for|sleep_until|u?sleep|nanosleep)\s*\(", "simulated time, or waiting for the event itself"),
    ("namespace", r"^using namespace\b", "the names themselves"),
]
MARKS = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")

_UNSTABLE_SORT = re.compile(r"\b(std|ranges)::(sort|nth_element|partial_sort)\s*\(")
# By the values' own operator<: what is equal then is equal for everybody.
_SORT_BY_VALUE = re.compile(r"::sort\((\w+)\.begin\(\), \1\.end\(\)\);")


def bans(tree):
    for path in tree.cpp():
        rows = list(BANNED_EVERYWHERE)
        if is_pure(path):
            rows += [row for row in BANNED if not (row[0] == "virtual" and path.startswith("src/core/host/port/"))]
        if path.startswith("src/core/") and not is_test(path):
            rows += BANNED_IN_CORE
        for number, line in enumerate(tree.code_lines(path), 1):
            for name, pattern, instead in rows:
                match = re.search(pattern, line)
                if match and not line.lstrip().startswith("#include"):
                    yield path, number, f"{match.group(0).strip()!r} is banned here ({name}); use {instead}"


def total_orders(tree):
    """Sorted by a comparator, elements that it finds equal may come in any order, another one with another library."""
    for path in tree.cpp("src/"):
        if is_test(path) or is_composition_root(path) or outside_suffix(path):
            continue
        lines = tree.lines(path)
        for number, line in enumerate(tree.code_lines(path), 1):
            said = "total order" in " ".join(lines[max(0, number - 3):number]).lower()
            if _UNSTABLE_SORT.search(line) and not _SORT_BY_VALUE.search(line) and not said:
                yield path, number, "use std::stable_sort, or say above in a comment why this is a total order"


def unfinished_marks(tree):
    for path in tree:
        if path.startswith("tests/tidy/"):
            continue
        for number, line in enumerate(tree.lines(path), 1):
            match = MARKS.search(line)
            if match:
                yield path, number, f"{match.group(0)} cannot merge: finish it, or open an issue"
