//! The engine's modules stand in one order, and each uses only those before it. The order is the table of ranks in
//! `docs/architecture.md`, read row by row, so the document and the code cannot part.

use crate::source::{Finding, Source};

/// The engine's modules, lowest first: the names between backquotes in the rows `| 0 | … |` of the document's table. A
/// name with a brace or a slash (`codec/{peer,wal}`) counts up to it.
pub fn order(document: &str) -> Vec<String> {
    let mut order = Vec::new();
    for line in document.lines() {
        let mut cells = line.split('|').skip(1).map(str::trim);
        let is_rank = cells.next().is_some_and(|cell| cell.parse::<u8>().is_ok());
        if let (true, Some(modules)) = (is_rank, cells.next()) {
            let names = modules.split('`').skip(1).step_by(2).flat_map(str::split_whitespace);
            order.extend(names.map(|name| name.split(['/', '{']).next().unwrap_or(name).to_string()));
        }
    }
    order
}

/// The modules that `engine/src/lib.rs` declares and the document does not place.
pub fn unlisted_modules(lib: &str, order: &[String]) -> Vec<Finding> {
    let source = Source::new("engine/src/lib.rs", lib);
    let mut findings = Vec::new();
    for (index, line) in source.code.lines().enumerate() {
        let name = line.strip_prefix("pub mod ").or_else(|| line.strip_prefix("mod "));
        if let Some(name) = name.and_then(|rest| rest.split([';', ' ']).next())
            && !order.iter().any(|listed| listed == name)
        {
            findings.push(source.finding(index + 1, format!("give `{name}` a rank in docs/architecture.md")));
        }
    }
    findings
}

/// The uses of a module that does not stand before the one which uses it.
pub fn upward_uses(source: &Source, order: &[String]) -> Vec<Finding> {
    let Some(within) = source.path.strip_prefix("engine/src/") else { return Vec::new() };
    let user = within.split(['/', '.']).next().unwrap_or(within);
    let Some(rank) = order.iter().position(|module| module == user) else { return Vec::new() };
    let mut findings = Vec::new();
    for (at, _) in source.code.match_indices("crate::") {
        for used in used_modules(&source.code[at + "crate::".len()..]) {
            if order.iter().position(|module| *module == used).is_some_and(|other| other > rank) {
                let line = source.code[..at].lines().count().max(1);
                findings.push(source.finding(line, format!("`{user}` uses `{used}`, which stands above it")));
            }
        }
    }
    findings
}

/// The first names of what follows `crate::`: one, or those of a group in braces.
fn used_modules(text: &str) -> Vec<String> {
    let name = |text: &str| text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let Some(group) = text.strip_prefix('{') else { return vec![name(text)] };
    let mut modules = Vec::new();
    let (mut depth, mut start) = (0, 0);
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            ',' | '}' if depth == 0 => {
                modules.push(name(group[start..at].trim_start()));
                start = at + 1;
                if c == '}' {
                    break;
                }
            }
            _ => {}
        }
    }
    modules
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check;

    const DOCUMENT: &str = "| rank | module |\n|---|---|\n| 0 | `time id` | newtypes |\n\
        | 1 | `codec/{peer,wal}` | bytes to `Entry` |\n| 2 | `node` `sim` | all |\n\n| a | `other` |\n";

    #[test]
    fn the_order_is_read_from_the_table() {
        assert_eq!(order(DOCUMENT), ["time", "id", "codec", "node", "sim"]);
    }

    #[test]
    fn a_module_without_a_rank_is_found() {
        let lines = |lib: &str| unlisted_modules(lib, &order(DOCUMENT)).iter().map(|f| f.line).collect::<Vec<_>>();
        assert_eq!(lines("pub mod time;\npub mod store;\nmod codec;\nmod gossip;\n"), [2, 4]);
    }

    #[test]
    fn a_use_upwards_is_found() {
        let rule = |source: &Source| upward_uses(source, &order(DOCUMENT));
        check(rule, "engine/src/id.rs", "use crate::time::Time;\n\nuse crate::codec;\n", &[3]);
        check(rule, "engine/src/codec/wal.rs", "use crate::{id::{A, B}, time, node::C};\n", &[1]);
        check(rule, "engine/src/codec/wal.rs", "use crate::codec::peer;\n", &[]);
        check(rule, "engine/src/time.rs", "fn f() { crate::id::of() }", &[1]);
        check(rule, "engine/src/time.rs", "//! [`crate::node`]\n#[cfg(test)]\nmod tests { use crate::node; }", &[]);
        check(rule, "native/src/time.rs", "use crate::node;", &[]);
    }
}
