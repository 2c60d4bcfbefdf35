"""Who may include whom, no cycles, and the suffix law: only files whose names say so touch the outside world."""

import re

from source_tree import OUTSIDE_SUFFIXES, includes, is_composition_root, is_pure, is_test, outside_suffix, stem

# The folders that each folder may include, besides itself. The wire vocabulary may be included by all.
MAY_INCLUDE = {
    "core/proto": [],
    "core/base": [],
    "core/raft": ["core/base"],
    "core/mvcc": ["core/base"],
    "core/lease": ["core/base"],
    "core/watch": ["core/base", "core/mvcc", "core/kv"],
    "core/auth": ["core/base"],
    "core/kv": ["core/base", "core/mvcc", "core/lease", "core/auth"],
    "core/replica": ["core/base", "core/raft", "core/mvcc", "core/lease", "core/watch", "core/auth", "core/kv"],
    "core/host": ["core"],
    "net": ["core"],
    "storage": ["core"],
    "api": ["core"],
    "server": ["core", "net", "storage", "api"],
    "sim": ["core", "net", "storage", "api", "server"],
}

# The system headers of pure code. Another one is welcome if it cannot reach a clock, a file, a socket, a thread or
# entropy, and gives the same results with every standard library.
PURE_HEADERS = {
    "algorithm", "array", "bit", "charconv", "cinttypes", "climits", "compare", "concepts", "cstddef", "cstdint",
    "cstring", "deque", "initializer_list", "iterator", "limits", "list", "map", "memory", "new", "numeric", "optional",
    "queue", "ranges", "set", "span", "string", "string_view", "tuple", "type_traits", "utility", "variant", "vector",
    "absl/container/btree_map.h", "absl/container/btree_set.h", "xxhash.h",
}
PURE_HEADERS_OF = {
    "core/replica": {"nlohmann/json.hpp"},  # etcd writes a member into its configuration change as JSON.
    "api": {"nghttp2/nghttp2.h", "nlohmann/json.hpp"},
}

# Libraries that only files with one suffix may see. Beast's HTTP/1.1 parser does no I/O of its own.
ONLY_IN = [
    (re.compile(r"boost/asio"), ("asio",)),
    (re.compile(r"boost/beast"), ("asio", "http1", "http1_session")),
    (re.compile(r"lmdb\.h"), ("lmdb",)),
    (re.compile(r"openssl/"), ("openssl", "asio")),
]


def folder_of(path):
    """core/raft for src/core/raft/x.h; host/port belongs to host."""
    parts = path.removeprefix("src/").split("/")
    if len(parts) == 1:
        return ""
    return "/".join(parts[:2]) if parts[0] == "core" else parts[0]


def include_directions(tree):
    for path in tree.cpp("src/"):
        source = folder_of(path)
        if is_composition_root(path):
            continue
        if source not in MAY_INCLUDE:
            yield path, 1, f"the folder {source!r} has no row in MAY_INCLUDE of tests/tidy/include_rules.py"
            continue
        allowed = [source, "core/proto"] + MAY_INCLUDE[source]
        if is_test(path):
            # Scripts are read by tests/script; outside core, tests run on the simulator's files and sockets.
            allowed += ["tests"] if source.startswith("core/") else ["tests", "sim"]
        for number, name, quoted in includes(tree, path):
            target = folder_of("src/" + name)
            if quoted and not any(target == one or target.startswith(one + "/") for one in allowed):
                yield path, number, f"{source} may not include {name}"


def includes_resolve(tree):
    """A quoted include is a path from src/ of a file that exists or is generated."""
    for path in tree.cpp():
        for number, name, quoted in includes(tree, path):
            generated = re.sub(r"(\.grpc)?\.pb\.h$", ".proto", name)
            if quoted and "src/" + name not in tree and "src/" + generated not in tree and name not in tree:
                yield path, number, f'"{name}" is no file below src/; system headers go in angle brackets'


def include_cycles(tree):
    graph = {path: ["src/" + name for _, name, quoted in includes(tree, path) if quoted] for path in tree.cpp()}
    done, trail = set(), []

    def visit(path):
        if path in trail:
            yield trail[-1], 1, "an include cycle: " + " -> ".join(trail[trail.index(path):] + [path])
            return
        if path in done or path not in graph:
            return
        done.add(path)
        trail.append(path)
        for target in graph[path]:
            yield from visit(target)
        trail.pop()

    for path in graph:
        yield from visit(path)


def suffix_law(tree):
    for path in tree.cpp("src/"):
        suffix = outside_suffix(path)
        if suffix and path.startswith("src/core/"):
            yield path, 1, "the core has no files that touch the outside world"
        for number, name, quoted in includes(tree, path):
            for library, homes in ONLY_IN:
                if library.match(name) and not quoted and not is_composition_root(path) and not is_test(path):
                    if not any(stem(path) == home or stem(path).endswith("_" + home) for home in homes):
                        yield path, number, f"<{name}> belongs into files named {' or '.join('*_' + h for h in homes)}"
            if not is_pure(path):
                continue
            if quoted and outside_suffix(name):
                yield path, number, f"{name} touches the outside world; only a file that ends in " \
                    f"{', '.join('_' + s for s in OUTSIDE_SUFFIXES)}, a test or a main may include it"
            if quoted and stem(name).endswith("_sim") and not path.startswith("src/sim/"):
                yield path, number, f"{name} is a simulated twin; only the simulator and tests may include it"
            if not quoted and not _is_pure_header(path, name):
                yield path, number, f"<{name}> is not among the headers of pure code (PURE_HEADERS of " \
                    "tests/tidy/include_rules.py); what touches the world goes into a file whose suffix says so"


def _is_pure_header(path, name):
    return (name in PURE_HEADERS or name in PURE_HEADERS_OF.get(folder_of(path), ())
            or name.startswith("google/protobuf/")
            or name.startswith("boost/beast/") and stem(path).startswith("http1"))
