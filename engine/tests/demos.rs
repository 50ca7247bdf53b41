//! Each demonstration of the page, `www/src/demos/MISTAKE.script`, breaks first the promise that the page says it
//! breaks, with its mistake, and none without it.
//!
//! `cargo test -p vitrine-engine --features mutants --test demos`; only this build has the mistakes in it.

use std::path::Path;

use vitrine_engine::mutant;
use vitrine_engine::sim::{Promise, Script, World};

#[test]
fn every_demonstration_breaks_what_the_page_says_it_breaks() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../www/src");
    let said = said(&std::fs::read_to_string(page.join("mistakes.ts")).expect("what the page says"));
    let mut wrong = Vec::new();
    for (name, breaks) in &said {
        let path = page.join(format!("demos/{name}.script"));
        let text = std::fs::read_to_string(&path).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
        let script = Script::parse(&text).expect("a script");
        mutant::set_named(name).expect("a mistake");
        let broken = script.run().expect("it runs");
        mutant::set(None);
        let whole = script.run().expect("it runs");
        let first = |world: &World| world.violations().first().map(|first| label(first.promise));
        if (first(&broken), first(&whole)) != (Some(breaks.clone()), None) {
            wrong.push(format!("{name}: {:?} with it, {:?} without", broken.violations(), whole.violations()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(said.len(), std::fs::read_dir(page.join("demos")).expect("the demonstrations").count());
}

/// Every mistake of the engine is one that the page names, in words for a person.
#[test]
fn the_page_names_every_mistake() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../www/src/mistakes.ts");
    let page = std::fs::read_to_string(path).expect("what the page says");
    let unnamed: Vec<_> = mutant::names().filter(|name| !page.contains(&format!("name: '{name}',"))).collect();
    assert!(unnamed.is_empty(), "the page has no words for {unnamed:?}");
}

/// The mistakes that the page demonstrates, and the promise that each breaks there.
fn said(page: &str) -> Vec<(String, String)> {
    let of = |field: &str| {
        let start = format!("    {field}: '");
        let value = move |line: &str| Some(line.strip_prefix(&start)?.strip_suffix("',")?.to_string());
        page.lines().filter_map(value).collect::<Vec<_>>()
    };
    // What is said on one line has no demonstration.
    of("name").into_iter().zip(of("breaks")).collect()
}

/// As the page calls it.
fn label(promise: Promise) -> String {
    match promise {
        Promise::Placement => "Ring".into(),
        promise => format!("P{}", promise as u8 + 1),
    }
}
