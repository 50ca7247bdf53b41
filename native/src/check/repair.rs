//! Cutting a log at its damage. What is cut off stays beside it, as `.damaged`.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use super::{Kind, Report, State};

/// What was done about one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repaired {
    /// The file.
    pub file: PathBuf,
    /// What it was, whole.
    pub kept: PathBuf,
    /// What is lost by it, as a sentence.
    pub lost: String,
}

/// Repairs what is damaged among the files of one folder, as [`super::inspect_all`] has reported them: a log is cut
/// where its first damage begins, later segments of it and damaged snapshots are set aside.
///
/// # Errors
/// Also where a later version of Vitrine wrote one of them: then nothing is touched.
pub fn repair(reports: &[Report]) -> io::Result<Vec<Repaired>> {
    if let Some(Report { state: State::Newer { what }, .. }) = reports.iter().find(|report| report.is_newer()) {
        let what = format!("nothing was repaired: {what}; the version that wrote it can");
        return Err(io::Error::new(io::ErrorKind::Unsupported, what));
    }
    let mut done = Vec::new();
    let mut cut = false;
    let mut segments: Vec<&Report> = reports.iter().filter(|report| report.kind == Kind::LogSegment).collect();
    segments.sort_by_key(|report| report.numbers);
    for report in segments {
        let numbers = report.numbers;
        match &report.state {
            _ if cut => {
                let lost = match numbers {
                    Some([first, end]) => format!("records {first} to before {end}, which stand behind the damage"),
                    None => "all that it held".to_owned(),
                };
                done.push(set_aside(&report.file, lost)?);
            }
            State::Damaged { at: Some(at), .. } if *at > 0 => {
                let from = numbers.map_or(0, |[_, next]| next);
                done.push(truncate(&report.file, *at, report.bytes, from)?);
                cut = true;
            }
            State::Damaged { .. } => {
                done.push(set_aside(&report.file, "all that it held".to_owned())?);
                cut = true;
            }
            State::Whole | State::TornTail { .. } | State::Newer { .. } => {}
        }
    }
    let snapshots = reports.iter().filter(|report| report.kind == Kind::Snapshot && report.is_damaged());
    for report in snapshots {
        let lost = "the snapshot; a start takes an older one, where the log still goes on from it".to_owned();
        done.push(set_aside(&report.file, lost)?);
    }
    Ok(done)
}

/// Keeps all of a file beside it, and cuts it off at that byte.
fn truncate(file: &Path, at: u64, bytes: u64, record: u64) -> io::Result<Repaired> {
    let kept = beside(file)?;
    fs::copy(file, &kept)?;
    File::open(&kept)?.sync_all()?;
    sync_folder(file)?;
    let open = OpenOptions::new().write(true).open(file)?;
    open.set_len(at)?;
    open.sync_all()?;
    let lost = format!("record {record} and what follows: {} bytes from byte {at} on", bytes.saturating_sub(at));
    Ok(Repaired { file: file.to_owned(), kept, lost })
}

fn set_aside(file: &Path, lost: String) -> io::Result<Repaired> {
    let kept = beside(file)?;
    fs::rename(file, &kept)?;
    sync_folder(file)?;
    Ok(Repaired { file: file.to_owned(), kept, lost })
}

/// A name that nothing has yet: what an earlier repair has kept stays.
fn beside(file: &Path) -> io::Result<PathBuf> {
    for number in 1..1_000 {
        let mut name = OsString::from(file);
        name.push(if number == 1 { ".damaged".to_owned() } else { format!(".damaged.{number}") });
        if !PathBuf::from(&name).try_exists()? {
            return Ok(name.into());
        }
    }
    Err(io::Error::new(io::ErrorKind::AlreadyExists, "too many .damaged files stand beside it"))
}

fn sync_folder(file: &Path) -> io::Result<()> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}
