use super::*;
use crate::sim::fault::Fault;

fn check(line: &str, expected: Result<Command, &str>) {
    let parsed = parse(line, 3, Network::default());
    match (parsed, expected) {
        (Ok(parsed), Ok(expected)) => assert_eq!(parsed, expected, "{line}"),
        (Err(error), Err(part)) => assert!(error.0.contains(part), "{line}: {error}"),
        (parsed, expected) => panic!("{line}: {parsed:?}, expected {expected:?}"),
    }
}

#[test]
fn lines_are_commands_or_say_why_not() {
    let (n1, n2) = (NodeId(1), NodeId(2));
    let key = || Key::new("k").unwrap();
    let get = |level, node| Command::Ask { client: 1, node, key: key(), verb: Verb::Get(level) };
    check("c1 get k", Ok(get(ReadLevel::Primary, None)));
    check("c1@n2 get k read=one", Ok(get(ReadLevel::One, Some(n2))));
    let verb = Verb::Set {
        value: Bytes::from("v"),
        ttl: Some(Duration::from_secs(5)),
        condition: Condition::Absent,
        level: WriteLevel::Quorum,
    };
    check("c2 set k v ttl=5s write=quorum if=absent", Ok(Command::Ask { client: 2, node: None, key: key(), verb }));
    let verb = Verb::Delete(WriteLevel::All);
    check("c1 del k write=all", Ok(Command::Ask { client: 1, node: None, key: key(), verb }));
    check("n1 crash", Ok(Command::Crash(n1)));
    check("n1 restart", Ok(Command::Restart(n1)));
    check("n1 wipe", Ok(Command::Wipe(n1)));
    for fault in DiskFault::ALL {
        check(&format!("disk n2 {}", fault.name()), Ok(Command::Disk(n2, fault)));
        assert_eq!(Command::Disk(n2, fault).to_string(), format!("disk n2 {}", fault.name()));
    }
    check("disk n2 explodes", Err("a disk cannot do \"explodes\""));
    check("disk n9 fails", Err("n9"));
    check("disk n2", Err("disk names a node"));
    check("n2 zone east", Ok(Command::Zone(n2, "east".to_string())));
    assert_eq!(Command::Zone(n2, "east".to_string()).to_string(), "n2 zone east");
    check("n2 zone", Err("a node cannot \"zone\""));
    check(&format!("n2 zone {}", "z".repeat(256)), Err("a node cannot"));
    check("n1 leave", Ok(Command::Leave(n1, false)));
    check("n1 leave force", Ok(Command::Leave(n1, true)));
    check("n1 save", Ok(Command::Save(n1)));
    check("n1 forget k", Ok(Command::Forget(n1, key())));
    check("pause n2", Ok(Command::Pause(n2)));
    check("resume n1", Ok(Command::Resume(n1)));
    check("rolling 500ms", Ok(Command::Rolling(Duration::from_millis(500))));
    check("swizzle 3s", Ok(Command::Swizzle(Duration::from_secs(3))));
    check("n2 drift -500ppm", Ok(Command::Drift(n2, -500)));
    check("n2 strobe +50ms 200ms", Ok(Command::Strobe(n2, Some((50, Duration::from_millis(200))))));
    check("n2 strobe off", Ok(Command::Strobe(n2, None)));
    check("sides n1 n2", Ok(Command::Sides([n1, n2].to_vec())));
    check("core n1", Ok(Command::Core([n1].to_vec())));
    check("peace", Ok(Command::Peace));
    check("clog n1>n2", Ok(Command::Clog([(n1, n2)].to_vec())));
    check("clog n1>n2 n2>n3", Ok(Command::Clog([(n1, n2), (n2, NodeId(3))].to_vec())));
    let n3 = NodeId(3);
    check("clog n2", Ok(Command::Clog([(n2, n1), (n1, n2), (n2, n3), (n3, n2)].to_vec())));
    check("unclog n1 n2", Ok(Command::Unclog([(n1, n2), (n2, n1)].to_vec())));
    check("unclog", Ok(Command::UnclogAll));
    let faults = Faults::default().crashing_writers(2_500);
    let faults = faults.with(Fault::Crash, Some(Duration::from_secs(10)));
    check("faults crash=10s crash-writing=0.25%", Ok(Command::Faults(faults)));
    check("faults off", Ok(Command::NoFaults));
    check("n2 clock -1s", Ok(Command::Clock(n2, -1_000)));
    check("cut n1 n2", Ok(Command::Cut([(n1, n2), (n2, n1)].to_vec())));
    check("cut n1>n2", Ok(Command::Cut([(n1, n2)].to_vec())));
    check("heal", Ok(Command::HealAll));
    check("isolate n2", Ok(Command::Isolate(n2)));
    check(
        "network loss=5% delay=2ms",
        Ok(Command::Network(Network { loss: 50_000, delay: Duration::from_millis(2), ..Network::default() })),
    );
    check("workload off", Ok(Command::NoWorkload));
    check("workload rate=5 keys=7", Ok(Command::Workload(Workload { rate: 5, keys: 7, ..Workload::default() })));

    check("", Err("empty line"));
    check("dance", Err("unknown command \"dance\""));
    check("n4 crash", Err("there is no node \"n4\"; accepted: n1 to n3"));
    check("n1 leave now", Err("a node cannot \"leave now\"; accepted: n1 crash"));
    check("n1 sing", Err("a node cannot \"sing\""));
    check("pause", Err("pause names one node; accepted: pause n1"));
    check("rolling", Err("rolling takes one span of time; accepted: rolling 2s"));
    check("swizzle fast", Err("swizzle takes a span of time, not \"fast\""));
    check("n1 drift fast", Err("drift takes parts per million"));
    check("n1 strobe 5 6", Err("strobe takes a span of time, not \"6\""));
    check("n1 strobe 5 6s", Err("not \"5\"; accepted: whole milliseconds up to a hundred years: n1 strobe +200ms"));
    check("sides", Err("sides names nodes"));
    check("core n9", Err("there is no node \"n9\""));
    check("clog n1>n1", Err("no link to itself"));
    check("faults flood=1s", Err("there is no fault \"flood\"; accepted: crash, restart"));
    check("faults crash=1us", Err("crash takes a span of time, not \"1us\"; accepted: 1ms to 86400s"));
    check("n1 strobe +1ms 999us", Err("strobe takes a span of time, not \"999us\"; accepted: 1ms to 86400s"));
    check("rolling 25h", Err("rolling takes a span of time, not \"25h\"; accepted: 0s to 86400s"));
    check("faults crash-writing=101%", Err("0% to 100%"));
    check("network loss=0.00001%", Err("0% to 100%"));
    check("network capacity=0", Err("a whole number from 1"));
    check("workload storm=maybe", Err("storm=maybe; accepted: on, off"));
    for text in ["5s", "+5", "+500us", "-876001h", "+99999999999h", "ä"] {
        let accepted = "accepted: whole milliseconds up to a hundred years: n1 clock +200ms";
        check(&format!("n1 clock {text}"), Err(accepted));
    }
    check("c0 get k", Err("is no client"));
    check("c1 get", Err("names what to do and a key"));
    let ask = |verb| Ok(Command::Ask { client: 1, node: None, key: key(), verb });
    check("c1 incr k", ask(Verb::Increment { by: 1, level: WriteLevel::Live }));
    check("c1 incr k write=all", ask(Verb::Increment { by: 1, level: WriteLevel::All }));
    check("c1 incr k -9223372036854775808", ask(Verb::Increment { by: i64::MIN, level: WriteLevel::Live }));
    let ttl = Some(Duration::from_secs(5));
    check("c1 touch k write=one ttl=5s", ask(Verb::Touch { ttl, level: WriteLevel::One }));
    check("c1 touch k ttl=none", ask(Verb::Touch { ttl: None, level: WriteLevel::Live }));
    check("c1 incr k 9223372036854775808", Err("incr takes no \"9223372036854775808\"; accepted: a whole number"));
    check("c1 incr k 1 2", Err("incr takes no \"2\""));
    check("c1 incr k write=most", Err("unknown level \"most\""));
    check("c1 touch k", Err("touch says how long the entry lives; accepted: ttl=5s, ttl=none"));
    check("c1 touch k ttl=0s", Err("ttl takes a span of time, not \"0s\""));
    check("c1 touch k 5s", Err("touch takes no \"5s\""));
    check("c1 sing k", Err("a client cannot \"sing\"; accepted: get, set, del, incr, touch"));
    check("workload counters=101%", Err("0% to 100%"));
    check("c1 set k", Err("set names a key and a value"));
    check("c1 set k v ttl=0", Err("ttl takes a span of time, not \"0\"; accepted: 1ms to a hundred years"));
    check("c1 set k v ttl=0s", Err("ttl takes a span of time, not \"0s\"; accepted: 1ms to a hundred years"));
    check("c1 set k v ttl=999us", Err("ttl takes a span of time, not \"999us\""));
    check("c1 set k v ttl=", Err("ttl takes a span of time, not \"\""));
    check("c1 set k v ttl=-1s", Err("ttl takes a span of time, not \"-1s\""));
    check("c1 set k v ttl=1e99", Err("ttl takes a span of time, not \"1e99\""));
    check("c1 set k v ttl=876001h", Err("ttl takes a span of time, not \"876001h\""));
    check("c1 set k v ttl=99999999999h", Err("ttl takes a span of time, not \"99999999999h\""));
    check("workload ttl=0s", Err("ttl takes a span of time, not \"0s\"; accepted: 1ms to a hundred years"));
    check("network delay=5", Err("delay takes a span of time, not \"5\"; accepted: 0s to 60s, such as 500us"));
    check("network delay=61s", Err("delay takes a span of time, not \"61s\"; accepted: 0s to 60s"));
    check("network jitter=soon", Err("jitter takes a span of time, not \"soon\"; accepted: 0s to 60s"));
    check("c1 set k v write=most", Err("unknown level \"most\"; accepted: one, live, quorum, all"));
    check("cut n1 n1", Err("no link to itself"));
    check("cut n1", Err("two ends"));
    check("network loss=101%", Err("0% to 100%"));
    check("workload keys=0", Err("a whole number from 1"));
    check("workload writes=90% deletes=20%", Err("more than 100%"));
}

#[test]
fn what_is_printed_is_read_back() {
    let lines = [
        "c1 get k",
        "c1@n2 get k read=one",
        "c2 set k v ttl=5s if=absent write=quorum",
        "c1 del k write=all",
        "c1 incr k 1",
        "c1 incr k -5 write=quorum",
        "c2@n1 touch k ttl=20ms write=one",
        "c1 touch k ttl=none",
        "workload shape=zipf keys=7 rate=5 writes=20% deletes=2% conditional=0% expiring=20% ttl=10s storm=off \
         value=64 big=0% retries=0 clients=6 write=live read=primary counters=30%",
        "n1 crash",
        "n3 restart",
        "n2 save",
        "pause n1",
        "resume n1",
        "rolling 1500us",
        "n1 clock -200ms",
        "n1 drift +500ppm",
        "n1 strobe -50ms 200ms",
        "n1 strobe off",
        "cut n1>n2 n3>n1",
        "isolate n1",
        "sides n1 n3",
        "heal n1>n2",
        "heal",
        "clog n1>n2",
        "unclog n1>n2",
        "unclog",
        "swizzle 3s",
        "network delay=1ms jitter=200us loss=5% duplicate=0.2500% capacity=20",
        "workload shape=mixed keys=7 rate=5 writes=20% deletes=2% conditional=1% expiring=20% ttl=10s storm=on \
         value=64 big=3% retries=2 clients=6 write=any read=one",
        "workload off",
        "faults crash=10s swizzle=1s crash-writing=0.2500%",
        "faults off",
        "core n1 n2",
        "peace",
        "verdict",
    ];
    for line in lines {
        let command = parse(line, 3, Network::default()).unwrap_or_else(|error| panic!("{line}: {error}"));
        assert_eq!(command.to_string(), line);
    }
}
