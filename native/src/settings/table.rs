//! The table of settings: their names, what they take, what they are when nobody says, and what they are for.
//!
//! Depends on nothing.

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// As a flag (`--max-value`), in TOML (`max-value`) and in the environment (`VITRINE_MAX_VALUE`).
    pub name: &'static str,
    /// A placeholder for help texts.
    pub value: &'static str,
    /// What it is when nobody says.
    pub default: &'static str,
    /// What it takes, as the end of a sentence.
    pub takes: &'static str,
    /// What it is for.
    pub help: &'static str,
}

/// Every setting of a node.
pub const TABLE: &[Setting] = &[
    Setting {
        name: "host",
        value: "ADDRESS",
        default: "127.0.0.1",
        takes: "an IP address to bind to; 0.0.0.0 and :: are all",
        help: "Address to listen on, for clients and for peers",
    },
    Setting {
        name: "port",
        value: "PORT",
        default: "8000",
        takes: "a port, 0 to 65535 (0 picks a free one)",
        help: "HTTP port; with --members this node's own port there",
    },
    Setting {
        name: "peer-port",
        value: "PORT",
        default: "7000",
        takes: "a port, 0 to 65535 (0 picks a free one)",
        help: "Port for the other nodes; with --members this node's own port there",
    },
    Setting {
        name: "node",
        value: "NAME",
        default: "n1",
        takes: "1 to 64 letters, digits, '-', '_' or '.'",
        help: "Name of this node",
    },
    Setting {
        name: "members",
        value: "LIST",
        default: "",
        takes: "NAME=HOST:PEERPORT@HTTPPORT or NAME=HOST:PEERPORT@HTTPPORT/ZONE, comma-separated, each name once, this \
                node among them",
        help: "All members of the cluster, the same list on each: n1=HOST:PEERPORT@HTTPPORT,n2=…, each with /ZONE at \
               its end where zones are told apart",
    },
    Setting {
        name: "join",
        value: "URLS",
        default: "",
        takes: "URLs of nodes of the cluster, comma-separated, such as http://10.0.0.1:8000",
        help: "Become a member of a running cluster, by any of its nodes; instead of --members",
    },
    Setting {
        name: "advertise",
        value: "HOST",
        default: "auto",
        takes: "a DNS name or an address (IPv6 in brackets), or `auto`",
        help: "Host that the other nodes reach this one by; auto is --host, or the address that leads to them",
    },
    Setting {
        name: "weight",
        value: "N",
        default: "1",
        takes: "a number, 1 to 1000",
        help: "Share of the slots that it asks for, beside members of weight 1; unsaid, a member keeps the one it has",
    },
    Setting {
        name: "zone",
        value: "NAME",
        default: "",
        takes: "up to 64 letters, digits, '-', '_' or '.'",
        help: "Where it stands: a rack, a data centre; unsaid, a member stays in the zone that it has",
    },
    Setting {
        name: "stand-in-after",
        value: "SPAN",
        default: "30s",
        takes: "a span of at least 1s, such as 30s, or `never`",
        help: "Keep other copies of what a member has that has been down for so long; the same on each member",
    },
    Setting {
        name: "remove-after",
        value: "SPAN",
        default: "never",
        takes: "a span of at least 10s, such as 10m, or `never`",
        help: "Remove a member that has been away for so long; the same on each member",
    },
    Setting {
        name: "on-doubt",
        value: "WORD",
        default: "miss",
        takes: "miss or serve",
        help: "What was kept over a restart, where no replica is left that knows whether it is current",
    },
    Setting {
        name: "move-rate",
        value: "BYTES",
        default: "64MiB",
        takes: "a size of at least 1KiB, such as 32MB, or `unlimited`",
        help: "Bytes a second that this node fetches of slots that it gains, when members come and go",
    },
    Setting {
        name: "cluster-name",
        value: "NAME",
        default: "vitrine",
        takes: "1 to 64 letters, digits, '-', '_' or '.'",
        help: "Nodes of another cluster are refused",
    },
    Setting {
        name: "replicas",
        value: "N",
        default: "2",
        takes: "a number of copies, 1 to 8",
        help: "Copies of each entry, as far as there are members",
    },
    Setting {
        name: "virtual-nodes",
        value: "N",
        default: "512",
        takes: "a number, 1 to 1024",
        help: "Points of each member on the ring, the same on each member",
    },
    Setting {
        name: "capacity",
        value: "ENTRIES",
        default: "unlimited",
        takes: "a number of entries, 1 to 4294967295, or `unlimited`",
        help: "Most entries of this node",
    },
    Setting {
        name: "memory",
        value: "BYTES",
        default: "512MiB",
        takes: "a size of at least 1MiB, such as 512MiB or 2GB",
        help: "Most bytes of entries in this node, overhead counted",
    },
    Setting {
        name: "policy",
        value: "NAME",
        default: "lru",
        takes: "lru, sieve, s3-fifo or w-tinylfu",
        help: "Who goes when either is reached: exactly the least recently used, or by a policy of docs/eviction.md",
    },
    Setting {
        name: "max-value",
        value: "BYTES",
        default: "64MiB",
        takes: "a size of at most 512MiB, such as 64MiB",
        help: "Longest value",
    },
    Setting {
        name: "data",
        value: "DIR",
        default: "data",
        takes: "a folder",
        help: "Folder of what outlives a start: the log, the map, snapshots (cache.json); made when it is needed",
    },
    Setting {
        name: "fsync",
        value: "WHEN",
        default: "auto",
        takes: "always, everysec, never, off or auto",
        help: "Log of all changes in --data: acknowledge what is on disk (always), sync once a second, or let the \
               system decide (never); auto is everysec where --data is given",
    },
    Setting {
        name: "snapshot-every",
        value: "SPAN",
        default: "15m",
        takes: "a span from 1s on, such as 15m, or off",
        help: "With a log: write down all that is held so often, if it has changed, and drop the log behind it",
    },
    Setting {
        name: "allow-get-writes",
        value: "BOOL",
        default: "false",
        takes: "true or false",
        help: "Let GET /set, /save and /load work too, as in the first version",
    },
    Setting {
        name: "log",
        value: "LEVEL",
        default: "info",
        takes: "error, warn, info, debug, trace or off, or a filter such as info,vitrine::peer=debug",
        help: "What is logged; debug has a line for each request",
    },
    Setting {
        name: "log-format",
        value: "FORMAT",
        default: "auto",
        takes: "auto, json or human",
        help: "Form of log lines: auto is human on a terminal, JSON otherwise",
    },
    Setting {
        name: "workers",
        value: "N",
        default: "auto",
        takes: "a number of threads, 1 to 256, or `auto`",
        help: "Threads that serve; auto is one a core",
    },
    Setting {
        name: "stripes",
        value: "N",
        default: "auto",
        takes: "1, 2, 4, 8, 16, 32 or 64 and at most --capacity, or `auto`",
        help: "Stripes of the store; auto is one while that is small, so that the policy sees all of it",
    },
    Setting {
        name: "max-connections",
        value: "N",
        default: "10000",
        takes: "a number of at least 1",
        help: "Connections at the same time; more wait to be accepted",
    },
    Setting {
        name: "request-timeout",
        value: "SPAN",
        default: "2s",
        takes: "a span of 1ms to 60s, such as 500ms or 2s",
        help: "How long a request waits for other nodes when it does not say",
    },
    Setting {
        name: "header-timeout",
        value: "SPAN",
        default: "30s",
        takes: "a span such as 500ms, 30s or 5m",
        help: "How long a connection may be idle, and a request's head may take",
    },
    Setting {
        name: "body-timeout",
        value: "SPAN",
        default: "10s",
        takes: "a span such as 500ms, 30s or 5m",
        help: "How long a request's body may pause",
    },
    Setting {
        name: "stop-timeout",
        value: "SPAN",
        default: "10s",
        takes: "a span such as 500ms, 30s or 5m",
        help: "How long a stopping node waits for what runs",
    },
];
