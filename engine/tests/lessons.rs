//! Each lesson of the page that names a deliberate mistake shows it: with the mistake the script comes to something
//! that it does not expect, or breaks a promise.
//!
//! `cargo test -p vitrine-engine --features mutants --test lessons`; only this build has the mistakes in it.

use std::path::Path;

use vitrine_engine::mutant::{self, Mutant};
use vitrine_engine::sim::Script;

#[test]
fn every_lesson_shows_its_mistake() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/lessons");
    let mut shown = 0;
    for file in std::fs::read_dir(folder).expect("the folder of lessons") {
        let path = file.expect("a file").path();
        let text = std::fs::read_to_string(&path).expect("a readable script");
        let Some(name) = text.lines().find_map(|line| line.strip_prefix("#> mutant=")) else { continue };
        let named = Mutant::ALL.into_iter().find(|mutant| format!("{mutant:?}") == name);
        // Any change changes the fingerprint.
        let told: String =
            text.lines().filter(|line| !line.starts_with("expect fingerprint")).collect::<Vec<_>>().join("\n");
        let script = Script::parse(&told).expect("a script");
        mutant::set(named);
        let outcome = script.run();
        mutant::set(None);
        assert!(named.is_some(), "{}: there is no mistake {name}", path.display());
        match outcome {
            Err(why) => eprintln!("{}: {name}: {why}", path.display()),
            Ok(world) => panic!("{}: {name} is not noticed: {:?}", path.display(), world.violations()),
        }
        shown += 1;
    }
    assert_eq!(shown, 9);
}
