//! `vitrine serve`: one node, until it is told to stop.

use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches, Command};

use super::{Failed, failed};
use crate::boot;
use crate::logs;
use crate::server::{Left, Listeners, Server};
use crate::settings::{Layers, Settings, TABLE, environment_name};

/// What can be typed: a flag for each setting of the table.
pub fn command() -> Command {
    let command = Command::new("serve")
        .about("Run one node")
        .long_about("Run one node until SIGTERM or SIGINT. Flags stand over the environment over the file of --config.")
        .after_help(EXAMPLES)
        .arg(
            Arg::new("config")
                .long("config")
                .value_name("FILE")
                .value_parser(clap::value_parser!(PathBuf))
                .help("TOML file of the same settings, such as `port = 8000` [env: VITRINE_CONFIG]"),
        )
        .arg(
            Arg::new("print-config")
                .long("print-config")
                .action(ArgAction::SetTrue)
                .help("Print each setting and where it came from, and exit"),
        )
        .arg(
            Arg::new("parent")
                .long("parent")
                .value_name("PID")
                .hide(true)
                .value_parser(clap::value_parser!(u32))
                .help("End when that process ends"),
        );
    TABLE.iter().fold(command, |command, setting| command.arg(flag(setting)))
}

/// The flag of one setting.
pub fn flag(setting: &crate::settings::Setting) -> Arg {
    let default = if setting.default.is_empty() { "none" } else { setting.default };
    let help = format!("{} [default: {default}] [env: {}]", setting.help, environment_name(setting.name));
    let arg = Arg::new(setting.name).long(setting.name).value_name(setting.value).help(help);
    match setting.value {
        "BOOL" => arg.num_args(0..=1).require_equals(true).default_missing_value("true"),
        _ => arg.allow_hyphen_values(true),
    }
}

const EXAMPLES: &str = "\
Examples:
  vitrine serve
  vitrine serve --port 8080 --capacity 100000 --data /var/lib/vitrine
  vitrine serve --node n1 --members n1=10.0.0.1:7000@8000,n2=10.0.0.2:7000@8000 --host 0.0.0.0
  VITRINE_MEMORY=2GiB vitrine serve --print-config";

/// Runs the node.
pub fn run(matches: &ArgMatches) -> Result<(), Failed> {
    let layers = layers(matches)?;
    let settings = Settings::resolve(&layers).map_err(|error| Failed::Usage(error.to_string()))?;
    if matches.get_flag("print-config") {
        print!("{}", layers.print());
        return Ok(());
    }
    if let Some(parent) = matches.get_one::<u32>("parent") {
        end_with(*parent)?;
    }
    logs::begin(&settings.log, settings.log_format);
    if !layers.is_default("data") {
        std::fs::create_dir_all(&settings.data).map_err(|error| match settings.data.exists() {
            true => failed(format!("{} is no folder: --data takes one", settings.data.display())),
            false => failed(format!("the folder {} cannot be made: {error}", settings.data.display())),
        })?;
    }
    // One signal is awaited on this thread; the node has threads of its own.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    let signals = runtime.block_on(async { Signals::listen() }).map_err(failed)?;
    let mut signals = signals;
    let listeners = Listeners::bind(&settings).map_err(failed)?;
    if !settings.join.is_empty() {
        tracing::info!(node = settings.name(), "asking to join the cluster");
    }
    let (http, peer) = (listeners.http, listeners.peer);
    let entered = runtime.block_on(async {
        tokio::select! {
            entered = boot::enter(settings, http, peer) => Ok(entered),
            signal = signals.next() => Err(signal),
        }
    });
    let settings = match entered {
        Ok(entered) => entered.map_err(failed)?,
        Err(signal) => {
            tracing::info!(signal, "stopped before it was a member");
            return Ok(());
        }
    };
    let server = Server::start_on(listeners, &settings).map_err(failed)?;
    tracing::info!(
        node = settings.name(),
        http = %server.http_address(),
        peers = server.peer_address().map(|address| address.to_string()),
        members = settings.map.members.len(),
        replicas = settings.map.replicas,
        capacity = settings.capacity,
        memory = settings.memory,
        stripes = server.shards().stripes(),
        workers = settings.workers,
        version = env!("CARGO_PKG_VERSION"),
        "serving"
    );
    let ended = runtime.block_on(async {
        tokio::select! {
            signal = signals.next() => Ok(signal),
            left = server.left() => Err(left),
        }
    });
    match ended {
        Ok(signal) => tracing::info!(signal, "stopping: no new connections, what runs is finished"),
        Err(Left::Removed) => tracing::info!("this node is no member any more: its slots are kept by others; stopping"),
        Err(Left::PassedOver) => tracing::warn!("{PASSED_OVER}; stopping"),
    }
    if server.stop() {
        tracing::info!("stopped");
    } else {
        tracing::warn!("stopped; some requests were still running when the time was over");
    }
    // Whatever starts nodes that have failed starts it again, and it asks to join.
    if ended == Err(Left::PassedOver) { Err(Failed::Failed(PASSED_OVER.to_owned())) } else { Ok(()) }
}

/// Two members each believed for a moment that theirs was the next edition of the map.
const PASSED_OVER: &str =
    "the cluster went over to another map before it had taken this node in; start it again, and it asks to join again";

fn layers(matches: &ArgMatches) -> Result<Layers, Failed> {
    let usage = |error: crate::settings::SettingError| Failed::Usage(error.to_string());
    let mut layers = Layers::defaults();
    let file = matches.get_one::<PathBuf>("config").cloned();
    if let Some(file) = file.or_else(|| std::env::var_os("VITRINE_CONFIG").map(PathBuf::from)) {
        layers.add_file(&file).map_err(usage)?;
    }
    layers.add_environment(|name| std::env::var(name).ok());
    for setting in TABLE {
        if let Some(text) = matches.get_one::<String>(setting.name) {
            layers.add_flag(setting.name, text);
        }
    }
    Ok(layers)
}

/// Ends this process when its parent ends, however that happens: a demo leaves no nodes behind.
#[cfg(target_os = "linux")]
fn end_with(parent: u32) -> Result<(), Failed> {
    use rustix::process::{Signal, getppid, set_parent_process_death_signal};
    set_parent_process_death_signal(Some(Signal::TERM)).map_err(failed)?;
    // It may have ended before this was asked for.
    let still_there = getppid().is_some_and(|pid| pid.as_raw_nonzero().get() as u32 == parent);
    if still_there { Ok(()) } else { Err(Failed::Failed("the process that started this node has ended".to_owned())) }
}

#[cfg(not(target_os = "linux"))]
fn end_with(_parent: u32) -> Result<(), Failed> {
    Ok(())
}

struct Signals {
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
}

impl Signals {
    #[cfg(unix)]
    fn listen() -> std::io::Result<Signals> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Signals { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    #[cfg(not(unix))]
    fn listen() -> std::io::Result<Signals> {
        Ok(Signals {})
    }

    #[cfg(unix)]
    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }

    #[cfg(not(unix))]
    async fn next(&mut self) -> &'static str {
        let _ = tokio::signal::ctrl_c().await;
        "ctrl-c"
    }
}
