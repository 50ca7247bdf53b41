//! What `serve` can be told: one table of settings, read from flags over the environment over a TOML file.
//!
//! Every value arrives as text with its origin and is parsed once, here: a bad one names the setting, where it came
//! from, what it was and what it takes.

mod stripes;
mod table;

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytesize::ByteSize;
use vitrine_engine::id::NodeId;
use vitrine_engine::limits;
use vitrine_engine::record::Fsync;
use vitrine_engine::shard::OnDoubt;
use vitrine_engine::store::Policy;
use vitrine_engine::view::Map;

use crate::load::Origin as Server;
use crate::members::{self, Seat};
use crate::span;
pub use table::{Setting, TABLE};

/// The settings of one node, checked.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where both listeners bind.
    pub host: IpAddr,
    /// The HTTP port; 0 picks a free one.
    pub port: u16,
    /// The port for peers; 0 picks a free one. Nothing listens there when the node has no peers.
    pub peer_port: u16,
    /// Both nodes of a connection must have the same.
    pub cluster_name: String,
    /// The members and their addresses: those of the list, until [`crate::boot`] knows better.
    pub map: Arc<Map>,
    /// This node's number in the map.
    pub me: NodeId,
    /// Nodes of the cluster that this one wants to be a member of, as URLs; none when it begins with the list.
    pub join: Vec<Server>,
    /// The host that other nodes and clients reach this one by, where no list says it.
    /// `None` where neither it nor an address to listen on is named.
    pub advertise: Option<String>,
    /// Somebody said how many copies, or points on the ring: a cluster with others is not joined then.
    pub replicas_given: bool,
    /// See [`Settings::replicas_given`].
    pub virtual_nodes_given: bool,
    /// The share of the slots that it asks for.
    pub weight: u32,
    /// Somebody said that: a member that has another share asks for this one.
    pub weight_given: bool,
    /// Where it stands: replicas of a slot are kept in different zones. A member that is in another one asks for this;
    /// empty where nobody says it.
    pub zone: String,
    /// Others stand in for a member that has been down for so long; `None` for never.
    pub stand_in_after: Option<Duration>,
    /// A member that has been away for so long is removed; `None` leaves that to a person.
    pub remove_after: Option<Duration>,
    /// What becomes of what was kept over a restart, where no replica is left that knows whether it is current.
    pub on_doubt: OnDoubt,
    /// Bytes a second that are fetched of slots that this node gains; 0 for as fast as they come.
    pub move_rate: u64,
    /// There is no list: nobody has said where others reach this node.
    pub lone: bool,
    /// Nor at which port peers do: one that is taken is no reason not to start.
    pub any_peer_port: bool,
    /// The most entries; `None` is bounded by memory alone.
    pub capacity: Option<u64>,
    /// The most accounted bytes.
    pub memory: u64,
    /// Who goes when either is reached.
    pub policy: Policy,
    /// The longest value, in bytes.
    pub max_value: usize,
    /// The folder of the log, the map and snapshots.
    pub data: PathBuf,
    /// When the log is synced; `None` where none is kept.
    pub fsync: Option<Fsync>,
    /// With a log: how often all is written down, if it has changed; `None` for not by time.
    pub snapshot_every: Option<Duration>,
    /// `GET /set`, `/save` and `/load` work too.
    pub allow_get_writes: bool,
    /// A filter in the syntax of `tracing-subscriber`, such as `info` or `debug,vitrine::peer=trace`.
    pub log: String,
    /// How log lines look.
    pub log_format: LogFormat,
    /// Threads that serve connections.
    pub workers: usize,
    /// Stripes of the store; `None` chooses by size.
    pub stripes: Option<usize>,
    /// Connections served at the same time.
    pub max_connections: usize,
    /// How long a request is waited for when it does not say.
    pub request_timeout: Duration,
    /// How long the head of a request may take to arrive, and how long an idle connection is kept.
    pub header_timeout: Duration,
    /// How long a request's body may pause.
    pub body_timeout: Duration,
    /// How long a stopping node waits for what runs.
    pub stop_timeout: Duration,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// Human on a terminal, JSON otherwise.
    #[default]
    Auto,
    /// One JSON object a line.
    Json,
    /// For people.
    Human,
}

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The table.
    Default,
    /// A line of the TOML file.
    File(PathBuf),
    /// The environment.
    Environment,
    /// The command line.
    Flag,
}

/// Texts by setting: later layers replace earlier ones.
#[derive(Clone, Debug)]
pub struct Layers {
    values: BTreeMap<&'static str, (String, Origin)>,
}

impl Settings {
    /// Parses every text.
    pub fn resolve(layers: &Layers) -> Result<Settings, SettingError> {
        let name = layers.parse("node", |t| members::is_name(t).then(|| t.to_owned()))?;
        let replicas =
            layers.parse("replicas", |t| t.parse().ok().filter(|n| (1..=limits::MAX_REPLICAS as u8).contains(n)))?;
        let virtual_nodes = layers.parse("virtual-nodes", |t| t.parse().ok().filter(|n| (1..=1_024).contains(n)))?;
        let mut port: u16 = layers.parse("port", |t| t.parse().ok())?;
        let mut peer_port: u16 = layers.parse("peer-port", |t| t.parse().ok())?;
        let seats = match layers.text("members") {
            "" => vec![Seat {
                name: name.clone(),
                host: "127.0.0.1".to_owned(),
                peer_port,
                http_port: port,
                zone: String::new(),
            }],
            text => {
                let seats = members::parse(text).map_err(|e| layers.error("members", Some(e.to_string())))?;
                // A node listens where its peers expect it, except where it is told otherwise (a mapped port).
                if let Some(mine) = seats.iter().find(|s| s.name == name) {
                    if layers.is_default("port") {
                        port = mine.http_port;
                    }
                    if layers.is_default("peer-port") {
                        peer_port = mine.peer_port;
                    }
                }
                seats
            }
        };
        let host: IpAddr = layers.parse("host", |t| if t == "localhost" { "127.0.0.1" } else { t }.parse().ok())?;
        let join = layers.parse("join", |t| {
            let urls = t.split(',').map(str::trim).filter(|url| !url.is_empty());
            urls.map(|url| url.parse().ok()).collect::<Option<Vec<Server>>>()
        })?;
        if !join.is_empty() && !layers.is_default("members") {
            let detail = "--members and --join exclude each other: a node that joins learns who the members are";
            return Err(layers.error("join", Some(detail.to_owned())));
        }
        let mut zone: String = layers.parse("zone", |t| (t.is_empty() || members::is_name(t)).then(|| t.to_owned()))?;
        let listed = seats.iter().find(|seat| seat.name == name).map_or("", |seat| &seat.zone);
        if !zone.is_empty() && !listed.is_empty() && zone != listed {
            let detail = format!("the member list says that `{name}` is in `{listed}`; leave one of the two out");
            return Err(layers.error("zone", Some(detail)));
        }
        if zone.is_empty() {
            listed.clone_into(&mut zone);
        }
        let (map, me) = members::map(&seats, &name, replicas, virtual_nodes)
            .map_err(|e| layers.error("members", Some(e.to_string())))?;
        Ok(Settings {
            host,
            lone: layers.is_default("members"),
            any_peer_port: layers.is_default("peer-port") && layers.is_default("members") && join.is_empty(),
            join,
            advertise: layers.parse("advertise", |t| match t {
                "auto" => Some((!host.is_unspecified()).then(|| bracketed(host))),
                t => members::is_host(t).then(|| Some(t.to_owned())),
            })?,
            replicas_given: !layers.is_default("replicas"),
            virtual_nodes_given: !layers.is_default("virtual-nodes"),
            weight: layers.parse("weight", |t| t.parse().ok().filter(|n| (1..=limits::MAX_WEIGHT).contains(n)))?,
            weight_given: !layers.is_default("weight"),
            zone,
            stand_in_after: layers.parse("stand-in-after", |t| grace(t, SHORTEST_MOMENT))?,
            remove_after: layers.parse("remove-after", |t| grace(t, SHORTEST_GRACE))?,
            on_doubt: layers.parse("on-doubt", |t| OnDoubt::ALL.into_iter().find(|policy| policy.name() == t))?,
            port,
            peer_port,
            cluster_name: layers.parse("cluster-name", |t| members::is_name(t).then(|| t.to_owned()))?,
            map,
            me,
            capacity: layers.parse("capacity", |t| match t {
                "unlimited" => Some(None),
                t => t.parse().ok().filter(|n| (1..=u64::from(u32::MAX)).contains(n)).map(Some),
            })?,
            move_rate: layers.parse("move-rate", |t| match t {
                "unlimited" => Some(0),
                t => bytes(t).filter(|n| *n >= 1 << 10),
            })?,
            memory: layers.parse("memory", |t| bytes(t).filter(|n| *n >= 1 << 20))?,
            policy: layers.parse("policy", Policy::named)?,
            max_value: layers
                .parse("max-value", |t| usize::try_from(bytes(t)?).ok().filter(|n| *n <= limits::MAX_VALUE))?,
            data: layers.parse("data", |t| (!t.is_empty()).then(|| PathBuf::from(t)))?,
            fsync: fsync(layers)?,
            snapshot_every: layers.parse("snapshot-every", |t| match t {
                "off" => Some(None),
                t => span::parse(t).filter(|every| *every >= Duration::from_secs(1)).map(Some),
            })?,
            allow_get_writes: layers.parse("allow-get-writes", |t| t.parse().ok())?,
            log: layers
                .parse("log", |t| t.parse::<tracing_subscriber::filter::EnvFilter>().ok().map(|_| t.to_owned()))?,
            log_format: layers.parse("log-format", |t| match t {
                "auto" => Some(LogFormat::Auto),
                "json" => Some(LogFormat::Json),
                "human" => Some(LogFormat::Human),
                _ => None,
            })?,
            workers: match layers.parse("workers", |t| auto(t, 256))? {
                Some(workers) => workers,
                None => cores(),
            },
            stripes: stripes::read(layers)?,
            max_connections: layers.parse("max-connections", |t| t.parse().ok().filter(|n| *n >= 1))?,
            request_timeout: layers
                .parse("request-timeout", |t| span::parse(t).filter(|s| *s <= limits::MAX_TIMEOUT))?,
            header_timeout: layers.parse("header-timeout", span::parse)?,
            body_timeout: layers.parse("body-timeout", span::parse)?,
            stop_timeout: layers.parse("stop-timeout", span::parse)?,
        })
    }

    /// Begins with that map; false, and nothing changed, when this node is not in it.
    pub fn stands_in(&mut self, map: &Arc<Map>) -> bool {
        let Some(me) = map.named(self.name()).map(|member| member.id) else { return false };
        (self.map, self.me) = (Arc::clone(map), me);
        true
    }

    /// Its ports, once they are bound. Where no list says where others reach this node, they do so there; nor does one
    /// say its weight and its zone then.
    pub fn listens_at(&mut self, http: u16, peer: Option<u16>) {
        if self.lone {
            // By whatever others reach this machine, where nobody says it.
            let host = self.advertise.clone().unwrap_or_else(|| bracketed(outward()));
            let mut map = Map::clone(&self.map);
            for member in map.members.iter_mut().filter(|member| member.id == self.me) {
                member.http_address = format!("{host}:{http}");
                member.peer_address = peer.map_or(String::new(), |port| format!("{host}:{port}"));
                (member.weight, member.was) = (self.weight, self.weight);
                member.zone.clone_from(&self.zone);
            }
            self.map = Arc::new(map);
        }
    }

    /// This node's name.
    pub fn name(&self) -> &str {
        self.map.members.iter().find(|m| m.id == self.me).map_or("", |m| &m.name)
    }
}

impl Layers {
    /// The defaults of the table.
    pub fn defaults() -> Layers {
        Layers { values: TABLE.iter().map(|s| (s.name, (s.default.to_owned(), Origin::Default))).collect() }
    }

    /// Puts the lines of a TOML file on top. Every key must be a setting.
    pub fn add_file(&mut self, path: &Path) -> Result<(), SettingError> {
        let failed = |detail: String| SettingError {
            name: "config",
            origin: Origin::Flag,
            got: path.display().to_string(),
            takes: "a TOML file of settings",
            detail: Some(detail),
        };
        let text = std::fs::read_to_string(path).map_err(|e| failed(e.to_string()))?;
        let table: toml::Table = text.parse().map_err(|e: toml::de::Error| failed(e.to_string().trim().to_owned()))?;
        for (key, value) in table {
            let Some(setting) = find(&key) else {
                let names = TABLE.iter().map(|s| s.name).collect::<Vec<_>>().join(", ");
                return Err(failed(format!("`{key}` is no setting; the settings are {names}")));
            };
            let text = match value {
                toml::Value::String(text) => text,
                toml::Value::Integer(number) => number.to_string(),
                toml::Value::Boolean(flag) => flag.to_string(),
                toml::Value::Array(items) if items.iter().all(toml::Value::is_str) => {
                    items.iter().filter_map(toml::Value::as_str).collect::<Vec<_>>().join(",")
                }
                other => return Err(failed(format!("`{key}` is {}; it takes {}", other.type_str(), setting.takes))),
            };
            self.values.insert(setting.name, (text, Origin::File(path.to_owned())));
        }
        Ok(())
    }

    /// Puts the `VITRINE_…` variables on top. Variables that are no setting are left alone: other commands have some.
    pub fn add_environment(&mut self, variable: impl Fn(&str) -> Option<String>) {
        for setting in TABLE {
            if let Some(text) = variable(&environment_name(setting.name)) {
                self.values.insert(setting.name, (text, Origin::Environment));
            }
        }
    }

    /// Puts one flag on top.
    ///
    /// # Panics
    /// When there is no such setting.
    pub fn add_flag(&mut self, name: &str, text: &str) {
        let setting = find(name).expect("flags are made from the table");
        self.values.insert(setting.name, (text.to_owned(), Origin::Flag));
    }

    /// Each setting with its value and origin, in the order of the table.
    pub fn print(&self) -> String {
        let width = TABLE.iter().map(|s| s.name.len()).max().unwrap_or(0);
        let lines = TABLE.iter().map(|setting| {
            let (text, origin) = &self.values[setting.name];
            format!("{:width$} = {:24} # {origin}\n", setting.name, toml::Value::String(text.clone()).to_string())
        });
        lines.collect()
    }

    /// True when nobody said anything about it.
    pub fn is_default(&self, name: &str) -> bool {
        self.values[name].1 == Origin::Default
    }

    fn text(&self, name: &str) -> &str {
        &self.values[name].0
    }

    fn parse<T>(&self, name: &'static str, read: impl FnOnce(&str) -> Option<T>) -> Result<T, SettingError> {
        read(self.text(name)).ok_or_else(|| self.error(name, None))
    }

    fn error(&self, name: &'static str, detail: Option<String>) -> SettingError {
        let (got, origin) = self.values[name].clone();
        SettingError { name, origin, got, takes: find(name).map_or("", |s| s.takes), detail }
    }
}

/// A log is kept where somebody has named a folder for it: the default one may be anywhere, and anybody's.
fn fsync(layers: &Layers) -> Result<Option<Fsync>, SettingError> {
    let has_folder = !layers.is_default("data");
    let named = [Fsync::Always, Fsync::EverySecond, Fsync::Never];
    let fsync = layers.parse("fsync", |t| match t {
        "auto" => Some(has_folder.then_some(Fsync::EverySecond)),
        "off" => Some(None),
        t => named.into_iter().find(|fsync| fsync.name() == t).map(Some),
    })?;
    if fsync.is_some() && !has_folder {
        let detail = "a log needs a folder of its own: name it with --data DIR, or leave --fsync out";
        return Err(layers.error("fsync", Some(detail.to_owned())));
    }
    Ok(fsync)
}

/// A setting that cannot be used. Nothing was started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingError {
    /// Which.
    pub name: &'static str,
    /// Where its value came from.
    pub origin: Origin,
    /// The value.
    pub got: String,
    /// What it takes.
    pub takes: &'static str,
    /// What exactly is wrong, where there is more to say.
    pub detail: Option<String>,
}

impl fmt::Display for SettingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the setting `{}` ({}) is `{}`", self.name, self.origin, self.got)?;
        match &self.detail {
            Some(detail) => write!(f, ": {detail}; it takes {}", self.takes),
            None => write!(f, "; it takes {}", self.takes),
        }
    }
}

impl std::error::Error for SettingError {}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Default => f.write_str("default"),
            Origin::File(path) => write!(f, "from {}", path.display()),
            Origin::Environment => f.write_str("from the environment"),
            Origin::Flag => f.write_str("from a flag"),
        }
    }
}

/// `max-value` in the environment: `VITRINE_MAX_VALUE`.
pub fn environment_name(name: &str) -> String {
    format!("VITRINE_{}", name.replace('-', "_").to_uppercase())
}

fn find(name: &str) -> Option<&'static Setting> {
    TABLE.iter().find(|s| s.name == name)
}

fn bytes(text: &str) -> Option<u64> {
    text.parse::<ByteSize>().ok().map(|size| size.as_u64())
}

fn auto(text: &str, most: usize) -> Option<Option<usize>> {
    match text {
        "auto" => Some(None),
        text => text.parse().ok().filter(|n| (1..=most).contains(n)).map(Some),
    }
}

/// The cores this process may use.
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// The address by which this machine speaks to others, as far as it can tell. Nothing is sent.
fn outward() -> IpAddr {
    let local = || {
        let socket = std::net::UdpSocket::bind(("0.0.0.0", 0)).ok()?;
        // An address of documentation (RFC 5737): only the route to it is looked up.
        socket.connect(("192.0.2.1", 9)).ok()?;
        Some(socket.local_addr().ok()?.ip()).filter(|address| !address.is_unspecified())
    };
    local().unwrap_or(IpAddr::V4(std::net::Ipv4Addr::LOCALHOST))
}

/// An address as the host of a URL.
pub fn bracketed(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("[{address}]"),
    }
}

/// `never`, or a span that is not too short.
fn grace(text: &str, least: Duration) -> Option<Option<Duration>> {
    match text {
        "never" => Some(None),
        text => span::parse(text).filter(|span| *span >= least).map(Some),
    }
}

/// A member that is down for less may only be slow.
const SHORTEST_MOMENT: Duration = Duration::from_secs(1);

/// A member that is away for less may only be restarting.
const SHORTEST_GRACE: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ring_is_that_of_the_engine_by_default() {
        let settings = Settings::resolve(&Layers::defaults()).expect("the defaults are settings");
        assert_eq!(settings.map.virtual_nodes, limits::DEFAULT_VIRTUAL_NODES);
        assert_eq!(settings.move_rate, limits::DEFAULT_MOVE_RATE);
    }

    #[test]
    fn a_bad_value_names_the_setting_what_it_got_and_what_it_takes() {
        let check = |name: &str, text: &str, expected: &str| {
            let mut layers = Layers::defaults();
            layers.add_flag(name, text);
            let seen = match Settings::resolve(&layers) {
                Ok(_) => "fine".to_owned(),
                Err(error) => error.to_string(),
            };
            assert_eq!(seen, expected);
        };
        check("port", "0", "fine");
        check("port", "x", "the setting `port` (from a flag) is `x`; it takes a port, 0 to 65535 (0 picks a free one)");
        check("memory", "2GB", "fine");
        check("move-rate", "unlimited", "fine");
        check(
            "move-rate",
            "0",
            "the setting `move-rate` (from a flag) is `0`; it takes a size of at least 1KiB, such as 32MB, or \
             `unlimited`",
        );
        check(
            "memory",
            "12",
            "the setting `memory` (from a flag) is `12`; it takes a size of at least 1MiB, such as 512MiB or 2GB",
        );
        check("replicas", "0", "the setting `replicas` (from a flag) is `0`; it takes a number of copies, 1 to 8");
        check("members", "n1=a:1@2,n2=b:1@2", "fine");
        check(
            "members",
            "n2=b:1@2",
            "the setting `members` (from a flag) is `n2=b:1@2`: this node is called `n1`, which is not in the member \
             list (n2); it takes NAME=HOST:PEERPORT@HTTPPORT or NAME=HOST:PEERPORT@HTTPPORT/ZONE, comma-separated, \
             each name once, this node among them",
        );
        check("members", "n1=a:1@2/east,n2=b:1@2/west", "fine");
        check(
            "zone",
            "a b",
            "the setting `zone` (from a flag) is `a b`; it takes up to 64 letters, digits, '-', '_' or '.'",
        );
        check("log", "info,vitrine::peer=debug", "fine");
        check(
            "request-timeout",
            "61s",
            &format!(
                "the setting `request-timeout` (from a flag) is `61s`; it takes {}",
                "a span of 1ms to 60s, such as 500ms or 2s"
            ),
        );
    }

    #[test]
    fn a_node_stands_where_its_flag_or_its_list_says() {
        let check = |members: &str, zone: &str, expected: Result<[&str; 2], &str>| {
            let mut layers = Layers::defaults();
            if !members.is_empty() {
                layers.add_flag("members", members);
            }
            layers.add_flag("zone", zone);
            layers.add_flag("weight", "3");
            let seen = Settings::resolve(&layers).map(|mut settings| {
                settings.listens_at(1, Some(2));
                let own = settings.map.named("n1").expect("it is in there");
                // A list says the same everywhere: what only one node is told changes nothing of it.
                assert_eq!(own.weight, if members.is_empty() { 3 } else { 1 });
                [settings.zone.clone(), own.zone.clone()]
            });
            match (seen, expected) {
                (Ok(seen), Ok(expected)) => assert_eq!(seen, expected, "{members:?} {zone:?}"),
                (Err(error), Err(expected)) => assert!(error.to_string().contains(expected), "{error}"),
                (seen, _) => panic!("{members:?} {zone:?}: {seen:?}"),
            }
        };
        check("", "", Ok(["", ""]));
        check("", "a", Ok(["a", "a"]));
        check("n1=h:1@2/a,n2=h:3@4", "", Ok(["a", "a"]));
        check("n1=h:1@2/a,n2=h:3@4", "a", Ok(["a", "a"]));
        check("n1=h:1@2,n2=h:3@4/b", "a", Ok(["a", ""]));
        check("n1=h:1@2/b,n2=h:3@4", "a", Err("the member list says that `n1` is in `b`; leave one of the two out"));
    }

    #[test]
    fn flags_stand_over_the_environment_over_the_file() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("vitrine.toml");
        std::fs::write(&path, "port = 1\nnode = \"file\"\ncapacity = 7\n").expect("written");
        let mut layers = Layers::defaults();
        layers.add_file(&path).expect("a good file");
        layers.add_environment(|name| match name {
            "VITRINE_PORT" => Some("2".to_owned()),
            "VITRINE_NODE" => Some("environment".to_owned()),
            _ => None,
        });
        layers.add_flag("port", "3");
        let settings = Settings::resolve(&layers).expect("good settings");
        assert_eq!((settings.port, settings.name(), settings.capacity), (3, "environment", Some(7)));
        let printed = layers.print();
        assert!(printed.contains("# from a flag") && printed.contains("# from the environment"), "{printed}");

        std::fs::write(&path, "prot = 1\n").expect("written");
        let error = layers.add_file(&path).expect_err("no such setting").to_string();
        assert!(error.contains("`prot` is no setting; the settings are host, port,"), "{error}");
    }
}
