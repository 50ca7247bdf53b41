//! Each lesson of the page that names a deliberate mistake shows it: with the mistake the script comes to something
//! that it does not expect, or breaks a promise; which one, the page says.
//!
//! `cargo test -p vitrine-engine --features mutants --test lessons`; only this build has the mistakes in it.

use std::path::Path;
use std::sync::{Mutex, PoisonError};

use vitrine_engine::mutant::{self, Mutant};
use vitrine_engine::sim::{Promise, Script};

/// A mistake is made in every world of the process.
static ALONE: Mutex<()> = Mutex::new(());

#[test]
fn every_lesson_shows_its_mistake() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
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

/// With its mistake, and whatever was expected of it, the run of a lesson first breaks the promise that the page says.
#[test]
fn every_lesson_breaks_what_the_page_says_it_breaks() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut wrong = Vec::new();
    let mut shown = 0;
    for file in std::fs::read_dir(root.join("www/src/lessons/texts")).expect("the texts of the lessons") {
        let text = std::fs::read_to_string(file.expect("a file").path()).expect("a readable text");
        let Some((head, mutant)) = text.split_once("  mutant: {\n") else { continue };
        let field = |of: &str, name: &str| {
            let line = of.lines().find_map(|line| line.trim().strip_prefix(&format!("{name}: ")).map(String::from));
            line.map(|value| value.trim_end_matches(',').trim_matches('\'').to_string()).expect("a field of that name")
        };
        let (lesson, name, breaks) = (field(head, "name"), field(mutant, "name"), field(mutant, "breaks"));
        let script = std::fs::read_to_string(root.join(format!("tests/lessons/{lesson}.script"))).expect("its script");
        let told: String = script.lines().filter(|line| !line.starts_with("expect")).collect::<Vec<_>>().join("\n");
        let script = Script::parse(&told).expect("a script");
        mutant::set_named(&name).expect("a mistake");
        let broken = script.run().expect("it runs");
        mutant::set(None);
        let first = broken.violations().first().map_or("null".into(), |first| label(first.promise));
        if first != breaks {
            wrong.push(format!("{lesson}: {name}: the page says {breaks}, and it is: {:?}", broken.violations()));
        }
        shown += 1;
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(shown, 9);
}

/// As the page calls it.
fn label(promise: Promise) -> String {
    match promise {
        Promise::Placement => "Ring".into(),
        promise => format!("P{}", promise as u8 + 1),
    }
}
