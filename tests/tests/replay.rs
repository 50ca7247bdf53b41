//! Real traces against the cache, in this process: exact LRU misses to the last one, in every format and compression.
//!
//! With `VITRINE_TRACES` naming a folder of the large traces, every row of its README's table is checked too.
#![expect(clippy::unwrap_used, reason = "a test says what failed by its line")]

use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use vitrine::cli::replay::{Chosen, Mode, ReplayArgs, Totals, ValueSize, race, replay};
use vitrine_engine::race::Racer;
use vitrine_engine::store::Policy;
use vitrine_engine::trace::Format;

/// The trace that is shipped: its text, decompressed.
fn shipped() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/sprite.csv.gz");
    let mut text = String::new();
    GzDecoder::new(fs::File::open(path).unwrap()).read_to_string(&mut text).unwrap();
    text
}

fn keys(csv: &str) -> Vec<u64> {
    csv.lines().skip(1).map(|line| line.split(',').nth(1).unwrap().parse().unwrap()).collect()
}

/// Misses of an LRU as the textbook has it: a list, searched from the front; the found key moves there, the last goes.
fn naive_misses(keys: &[u64], capacity: usize) -> u64 {
    let (mut list, mut misses) = (Vec::new(), 0);
    for key in keys {
        match list.iter().position(|held| held == key) {
            Some(place) => drop(list.remove(place)),
            None => misses += 1,
        }
        list.insert(0, *key);
        list.truncate(capacity);
    }
    misses
}

/// The trace written in that format. Sizes and times are made up: counts do not depend on them.
fn written(keys: &[u64], format: Format) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (time, key) in keys.iter().enumerate() {
        match format {
            Format::Lines => writeln!(bytes, "{key}").unwrap(),
            Format::Csv if time == 0 => write!(bytes, "obj_id,\"time\"\r\n{key},0\r\n").unwrap(),
            Format::Csv => write!(bytes, "\"{key}\",{time}\r\n").unwrap(),
            Format::Twitter => writeln!(bytes, "{time},{key},9,100,7,get,0").unwrap(),
            Format::OracleGeneral => {
                bytes.extend((time as u32).to_le_bytes());
                bytes.extend(key.to_le_bytes());
                bytes.extend(100_u32.to_le_bytes());
                bytes.extend((-1_i64).to_le_bytes());
            }
        }
    }
    bytes
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest)
}

fn totals(args: &ReplayArgs) -> Totals {
    let report = replay(args).unwrap_or_else(|error| panic!("{}: {error}", args.file.display()));
    report.verdict().unwrap();
    report.totals
}

#[test]
fn misses_are_those_of_an_exact_lru_in_every_format_and_compression() {
    let folder = tempfile::tempdir().unwrap();
    let keys = keys(&shipped());
    assert_eq!(keys.len(), 12_000);
    for capacity in [1, 100, 1_000] {
        let misses = naive_misses(&keys, capacity);
        assert!(0 < misses && misses < 12_000, "the trace says nothing at {capacity}: {misses}");
        for format in Format::ALL {
            let bytes = written(&keys, format);
            // The name says nothing: format and compression must be seen in the bytes.
            for (index, stored) in [bytes.clone(), gzip(&bytes), zstd(&bytes)].iter().enumerate() {
                let file = folder.path().join(format!("{format}-{index}"));
                fs::write(&file, stored).unwrap();
                let counted = totals(&ReplayArgs { capacity: Some(capacity as u64), ..ReplayArgs::of(&file) });
                assert_eq!((counted.requests, counted.misses), (12_000, misses), "{format}, {capacity}, {index}");
                assert_eq!(counted.hits + counted.misses, counted.requests);
                assert_eq!(counted.writes, misses);
            }
        }
    }
}

#[test]
fn a_replay_by_a_policy_has_the_hits_of_its_race() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/sprite.csv.gz");
    let all = ReplayArgs { capacity: Some(300), policy: Some(Chosen::All), ..ReplayArgs::of(&file) };
    let raced = race(&all).unwrap();
    assert_eq!((raced.requests, raced.keys, &raced.sizes[..]), (12_000, 2_863, &[300][..]));
    for (racer, hits) in &raced.rows {
        let Racer::Policy(policy) = racer else { continue };
        let args = ReplayArgs { policy: Some(Chosen::One(*policy)), ..all.clone() };
        assert_eq!(totals(&args).hits, u64::from(hits[0]), "{policy:?}");
    }
    let curve = race(&ReplayArgs { curve: true, ..ReplayArgs::of(&file) }).unwrap();
    assert_eq!((curve.sizes.len(), curve.sizes.last(), curve.rows.len()), (12, Some(&2_863), 5));
    // A cache of all keys misses each once, whatever its policy.
    assert!(curve.rows.iter().all(|(_, hits)| hits.last() == Some(&(12_000 - 2_863))));
    // Belady and LRU are stack algorithms: what a small cache holds, a larger one holds too.
    for racer in [Racer::Belady, Racer::Policy(Policy::Lru)] {
        let (_, hits) = curve.rows.iter().find(|(other, _)| *other == racer).unwrap();
        assert!(hits.is_sorted(), "{racer:?} {hits:?}");
    }
    assert_eq!(curve.json()["policies"].as_array().unwrap().len(), 5);
    // That of LRU is made in one pass, at every size: it is what a node does at each.
    let args = ReplayArgs { curve: true, policy: Some(Chosen::One(Policy::Lru)), ..ReplayArgs::of(&file) };
    let lru = race(&args).unwrap();
    assert_eq!((lru.rows.len(), &lru.rows[0].1), (1, &curve.rows[0].1));
    let at_every_size = lru.lru.as_ref().unwrap();
    for capacity in [1, 2, 40, 307, 1_000, 2_000, 2_862, 2_863] {
        let args = ReplayArgs { capacity: Some(capacity), ..ReplayArgs::of(&file) };
        assert_eq!(totals(&args).hits, u64::from(at_every_size[capacity as usize - 1]), "at {capacity}");
    }
    assert_eq!(lru.json()["lru_hits_by_size"].as_array().unwrap().len(), 2_863);
    assert!(curve.json().get("lru_hits_by_size").is_none());
    for (index, size) in curve.sizes.iter().enumerate() {
        let args = ReplayArgs { capacity: Some(u64::from(*size)), ..ReplayArgs::of(&file) };
        assert_eq!(totals(&args).hits, u64::from(curve.rows[0].1[index]), "at {size}");
    }
    let check = |args: ReplayArgs, expected: &str| {
        let error = race(&args).unwrap_err();
        assert!(error.status() == 2 && error.to_string().contains(expected), "{error}");
    };
    check(ReplayArgs { capacity: None, ..all.clone() }, "--capacity N, or --curve");
    check(ReplayArgs { mode: Mode::Ops, ..all.clone() }, "leave --memory, --mode");
}

#[test]
fn a_limit_of_requests_ends_before_what_is_wrong_behind_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("t.csv");
    let text = "key,size\na,1\nb,2\na,1\nc,x\n";
    fs::write(&file, text).unwrap();
    let counted = totals(&ReplayArgs { limit: Some(3), ..ReplayArgs::of(&file) });
    assert_eq!((counted.requests, counted.hits, counted.misses), (3, 1, 2));
    assert_eq!(totals(&ReplayArgs { limit: Some(0), ..ReplayArgs::of(&file) }), Totals::default());
}

#[test]
fn operations_are_obeyed_when_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("t");
    let trace = "0,a,1,5,7,get,0\n0,a,1,5,7,set,2\n1,a,1,5,7,get,0\n1,a,1,5,7,add,9\n2,a,1,5,7,gets,0\n\
                 2,a,1,5,7,incr,0\n2,a,1,5,7,add,0\n9,a,1,5,7,get,0\n9,a,1,5,7,delete,0\n9,a,1,5,7,get,0\n\
                 9,b,1,99999999999,7,set,0\n";
    fs::write(&file, trace).unwrap();
    let args = ReplayArgs { mode: Mode::Ops, value_size: ValueSize::FromTrace, ..ReplayArgs::of(&file) };
    let expected = Totals { requests: 11, hits: 2, misses: 3, writes: 2, deletes: 1, unmet: 2, too_large: 1, wrong: 0 };
    assert_eq!(totals(&args), expected);
}

#[test]
fn memory_is_a_limit_too() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("t");
    fs::write(&file, written(&(0..100).chain(0..100).collect::<Vec<_>>(), Format::Lines)).unwrap();
    let misses = |kib| {
        let memory = Some(bytesize::ByteSize::kib(kib));
        totals(&ReplayArgs { memory, value_size: ValueSize::Fixed(1_000), ..ReplayArgs::of(&file) }).misses
    };
    assert_eq!(misses(200), 100);
    assert_eq!(misses(50), 200, "fifty entries, and a hundred asked for in turn");
}

#[test]
fn what_cannot_be_replayed_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let check = |bytes: &[u8], status: u8, expected: &str| {
        let file = folder.path().join("t");
        fs::write(&file, bytes).unwrap();
        let error = replay(&ReplayArgs::of(&file)).map(|_| ()).unwrap_err();
        assert_eq!((error.status(), error.to_string().as_str()), (status, expected));
    };
    check(b"1,2,3\n", 2, "cannot tell the format of t; say --format lines, csv, oracle-general or twitter");
    check(b"key\na\n\"b\n", 1, "t: line 3: a quoted field is not closed; it ends with a quote on the same line");
    check(b"key,size\na,1\nb\n", 1, "t: line 3: the line has 1 fields where it should have 2");
    check(&gzip(b"key\n")[..9], 1, "cannot read t: unexpected end of file");
    let long = written(&(0..9_999).collect::<Vec<_>>(), Format::OracleGeneral);
    let cut = "t: record 9999: the trace ends after 23 bytes of the record; a record has 24";
    check(&gzip(&long[..long.len() - 1]), 1, cut);
    let missing = replay(&ReplayArgs::of(folder.path().join("nothing"))).map(|_| ()).unwrap_err();
    assert_eq!(missing.status(), 3);
    let directory = replay(&ReplayArgs::of(folder.path())).map(|_| ()).unwrap_err();
    assert_eq!(directory.status(), 1);
}

#[test]
fn every_row_of_the_reference_table() {
    let Some(folder) = std::env::var_os("VITRINE_TRACES").map(PathBuf::from) else {
        eprintln!("VITRINE_TRACES names no folder of traces: only the shipped one was replayed");
        return;
    };
    let table = fs::read_to_string(folder.join("README.md")).unwrap();
    let mut rows = 0;
    for line in table.lines().filter(|line| line.starts_with("| ")) {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [Ok(capacity), Ok(requests), Ok(misses)] = [1, 2, 3].map(|column| cells[column].parse::<u64>()) else {
            continue;
        };
        let args = ReplayArgs::of(folder.join(format!("{}.csv.gz", cells[0])));
        let counted = totals(&ReplayArgs { capacity: Some(capacity), ..args });
        assert_eq!((counted.requests, counted.misses), (requests, misses), "{} at {capacity}", cells[0]);
        eprintln!("{} at {capacity}: {misses} misses", cells[0]);
        rows += 1;
    }
    assert!(rows >= 20, "the table has {rows} rows");
}
