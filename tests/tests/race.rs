//! Policies side by side on real traces: the shipped one always, and with `VITRINE_TRACES` naming a folder of the large
//! traces every row of its README's table, whose ratios are those of libCacheSim.
#![expect(clippy::unwrap_used, reason = "a test says what failed by its line")]

use std::collections::HashMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;
use vitrine_engine::race::{Course, Keys, Race, Racer};
use vitrine_engine::sim::Workload;
use vitrine_engine::store::Policy;

const RACERS: [Racer; 5] = [
    Racer::Policy(Policy::Lru),
    Racer::Policy(Policy::Sieve),
    Racer::Policy(Policy::S3Fifo),
    Racer::Policy(Policy::WTinyLfu),
    Racer::Belady,
];

fn course(path: &Path) -> Course {
    let mut text = String::new();
    GzDecoder::new(fs::File::open(path).unwrap()).read_to_string(&mut text).unwrap();
    let mut keys = Keys::new();
    // The first line names the columns.
    text.lines().skip(1).for_each(|line| assert!(keys.push(line.split(',').nth(1).unwrap().as_bytes())));
    keys.finish()
}

/// Misses of all racers at that size.
fn misses(course: &Course, size: u32) -> Vec<u32> {
    let mut race = Race::new(course, RACERS.map(|racer| (racer, size)));
    while !race.advance(10_000) {}
    race.hits().map(|hits| course.requests() - hits).collect()
}

include!("../data/race.rs");

/// The very numbers that `web/tests/checks` finds in WebAssembly.
#[test]
fn a_small_race_comes_to_the_same_everywhere() {
    let mut keys = Keys::new();
    raced().lines().for_each(|key| assert!(keys.push(key.as_bytes())));
    let course = keys.finish();
    let mut race = Race::new(&course, RACERS.into_iter().flat_map(|racer| RACED_AT.map(|size| (racer, size))));
    while !race.advance(700) {}
    assert_eq!((course.requests(), course.keys()), (3_000, RACED_KEYS));
    assert_eq!(race.hits().collect::<Vec<u32>>(), RACED.concat());
}

/// As above, of the workload that stands in for a trace in the page.
#[test]
fn a_raced_workload_comes_to_the_same_everywhere() {
    let workload = Workload { keys: 60, writes: 35, deletes: 0, expiring: 100, ..Workload::default() };
    let mut keys = Keys::new();
    workload.asked(7).take(20_000).for_each(|key| assert!(keys.push(key.as_bytes())));
    let course = keys.finish();
    let mut race = Race::new(&course, RACERS.into_iter().flat_map(|racer| WORKLOAD_AT.map(|size| (racer, size))));
    while !race.advance(700) {}
    assert_eq!(race.hits().collect::<Vec<u32>>(), WORKLOAD.concat());
}

/// These are counts of this implementation: a change of a policy changes them, and has to say why.
#[test]
fn the_shipped_trace_has_these_misses() {
    let course = course(&Path::new(env!("CARGO_MANIFEST_DIR")).join("data/sprite.csv.gz"));
    assert_eq!((course.requests(), course.keys()), (12_000, KEYS));
    for (size, expected) in SHIPPED {
        assert_eq!(misses(&course, size), expected, "at {size}");
    }
}

const KEYS: u32 = 2_863;
/// LRU, SIEVE, S3-FIFO, W-TinyLFU, Belady.
const SHIPPED: [(u32, [u32; 5]); 3] = [
    (10, [11060, 11003, 10943, 10997, 10161]),
    (100, [9705, 9797, 9018, 9324, 6979]),
    (500, [5519, 6659, 5141, 6987, 3675]),
];

/// LRU, SIEVE, S3-FIFO and Belady are those of the reference to its last digit: the algorithms are deterministic, and
/// the same. W-TinyLFU is not one algorithm: its ratios are those of the table in `docs/eviction.md`, digit by digit,
/// which has the reference's beside them and says why they differ.
#[test]
fn every_row_of_the_reference_table() {
    let Some(folder) = std::env::var_os("VITRINE_TRACES").map(PathBuf::from) else {
        eprintln!("VITRINE_TRACES names no folder of traces: only the shipped one was raced");
        return;
    };
    let mut documented = documented();
    let table = fs::read_to_string(folder.join("README.md")).unwrap();
    let mut courses = HashMap::new();
    for line in table.lines().filter(|line| line.starts_with("| ")) {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [Ok(size), Ok(requests)] = [1, 2].map(|column| cells[column].parse::<u32>()) else { continue };
        let path = folder.join(format!("{}.csv.gz", cells[0]));
        let course = courses.entry(cells[0].to_owned()).or_insert_with(|| self::course(&path));
        assert_eq!(course.requests(), requests);
        let misses = misses(course, size);
        let shown: Vec<String> =
            misses.iter().map(|misses| format!("{:.4}", f64::from(*misses) / f64::from(requests))).collect();
        eprintln!("| {} | {size} | {} |", cells[0], shown.join(" | "));
        assert_eq!([&shown[0], &shown[1], &shown[2], &shown[4]], [cells[4], cells[7], cells[8], cells[12]], "{line}");
        let best = misses[..4].iter().min().unwrap();
        let mut expected: Vec<String> =
            shown.iter().zip(&misses).map(|(ratio, misses)| bold(ratio, misses == best)).collect();
        expected.insert(4, format!("({})", cells[10]));
        assert_eq!(documented.remove(&(cells[0].to_owned(), size)), Some(expected), "docs/eviction.md, {line}");
    }
    assert!(courses.len() >= 7 && documented.is_empty(), "no trace for {documented:?}");
}

/// Rows of the table of the docs, by trace and size: LRU, SIEVE, S3-FIFO, W-TinyLFU, its reference, and Belady.
fn documented() -> HashMap<(String, u32), Vec<String>> {
    let rows = include_str!("../../docs/eviction.md").lines().filter(|line| line.starts_with("| "));
    let row = |line: &str| {
        let cells: Vec<String> = line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect();
        let size = cells[1].replace(',', "").parse().ok()?;
        Some(((cells[0].clone(), size), cells[2..].to_vec()))
    };
    rows.filter_map(row).collect()
}

/// The best of a row is set in bold.
fn bold(ratio: &str, best: bool) -> String {
    if best { format!("**{ratio}**") } else { ratio.to_owned() }
}

/// Without the large traces too: the table is whole, and the best of each row is the one in bold.
#[test]
fn the_table_of_the_docs_says_who_is_best() {
    let documented = documented();
    assert_eq!(documented.len(), 21);
    for (row, cells) in documented {
        assert_eq!(cells.len(), 6, "{row:?}");
        let ratios: Vec<&str> = cells[..4].iter().map(|cell| cell.trim_matches('*')).collect();
        let best = ratios.iter().min().unwrap();
        let expected: Vec<String> = ratios.iter().map(|ratio| bold(ratio, ratio == best)).collect();
        assert_eq!(cells[..4], expected, "{row:?}");
        assert!(cells[5].as_str() <= *best, "{row:?}");
    }
}
