//! Puts the built page (`www/dist`) into the binary: a table of its files with their types, tags and compressed forms.

use std::fmt::Write as _;
use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

fn main() -> io::Result<()> {
    let variable = |name: &str| std::env::var_os(name).map(PathBuf::from).ok_or(io::ErrorKind::NotFound);
    let dist = variable("CARGO_MANIFEST_DIR")?.join("../www/dist");
    let out = variable("OUT_DIR")?;
    // A watched folder that is missing would rebuild this package each time; an empty one does not. Where it cannot be
    // made (a read-only tree), that is all that is lost.
    let _ = fs::create_dir_all(&dist);
    println!("cargo::rerun-if-changed=../www/dist");
    println!("cargo::rerun-if-changed=build.rs");
    let mut files = Vec::new();
    collect(&dist, &mut files)?;
    // A brotli form stands beside its file.
    let (forms, mut files): (Vec<PathBuf>, Vec<PathBuf>) =
        files.into_iter().partition(|file| file.extension().is_some_and(|form| form == "br"));
    files.sort();
    let mut table = "&[\n".to_owned();
    for (index, file) in files.iter().enumerate() {
        let bytes = fs::read(file)?;
        let path = file.strip_prefix(&dist).map_err(io::Error::other)?;
        let path = path.components().map(|c| c.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/");
        let mut hasher = DefaultHasher::new();
        bytes.hash(&mut hasher);
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(&bytes)?;
        let packed = encoder.finish()?;
        // Small gains are not worth a second form.
        let gzip = if packed.len() * 10 < bytes.len() * 9 {
            let name = out.join(format!("{index}.gz"));
            fs::write(&name, &packed)?;
            format!("Some(include_bytes!({name:?}))")
        } else {
            "None".to_owned()
        };
        let mut brotli = file.clone().into_os_string();
        brotli.push(".br");
        let brotli = match forms.iter().find(|form| form.as_os_str() == brotli) {
            Some(form) => format!("Some(include_bytes!({:?}))", form.canonicalize()?),
            None => "None".to_owned(),
        };
        let (media, tag) = (media(&path), format!("\"{:016x}\"", hasher.finish()));
        let bytes = format!("include_bytes!({:?})", file.canonicalize()?);
        writeln!(
            table,
            "File {{ path: {path:?}, media: {media:?}, tag: {tag:?}, bytes: {bytes}, brotli: {brotli}, gzip: {gzip} }},"
        )
        .map_err(io::Error::other)?;
    }
    table.push_str("]\n");
    fs::write(out.join("page.rs"), table)
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    let Ok(entries) = fs::read_dir(folder) else { return Ok(()) };
    for entry in entries {
        let entry = entry?;
        match entry.file_type()?.is_dir() {
            true => collect(&entry.path(), files)?,
            false => files.push(entry.path()),
        }
    }
    Ok(())
}

fn media(path: &str) -> &'static str {
    match path.rsplit('.').next().unwrap_or("") {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "wasm" => "application/wasm",
        "json" | "map" | "webmanifest" => "application/json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "gz" => "application/gzip",
        "csv" => "text/csv; charset=utf-8",
        "txt" | "md" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}
