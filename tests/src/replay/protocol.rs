//! What is on the wire between a client and `receive-pack`: packets, the list of refs, commands, the report.

use git2::{Oid, Repository};
use tokio::io::{AsyncRead, AsyncReadExt as _};

use super::host::Host;
use super::records::{Asked, PushRecord};

/// Data that fits into one packet of side-band-64k.
const BAND_DATA_MAX: usize = 65_515;

/// Adds a packet.
pub(super) fn put(written: &mut Vec<u8>, data: &[u8]) {
    written.extend_from_slice(format!("{:04x}", data.len() + 4).as_bytes());
    written.extend_from_slice(data);
}

/// Reads a packet; `None` for a flush.
async fn next(input: &mut (impl AsyncRead + Unpin)) -> std::io::Result<Option<Vec<u8>>> {
    let mut head = [0; 4];
    input.read_exact(&mut head).await?;
    let broken = || std::io::Error::new(std::io::ErrorKind::InvalidData, "this is no packet");
    let length = std::str::from_utf8(&head).ok().and_then(|text| usize::from_str_radix(text, 16).ok());
    match length.ok_or_else(broken)? {
        0 => Ok(None),
        length => {
            let mut data = vec![0; length.checked_sub(4).ok_or_else(broken)?];
            input.read_exact(&mut data).await?;
            Ok(Some(data))
        }
    }
}

/// The list of refs that a push begins with, and what the host can do.
pub(super) fn advertisement(repository: &Repository, host: &Host) -> Vec<u8> {
    let mut refs: Vec<(String, Oid)> = repository
        .references()
        .unwrap()
        .flatten()
        .filter_map(|reference| Some((reference.name().ok()?.to_owned(), reference.target()?)))
        .collect();
    refs.sort();
    let atomic = if host.family.says_atomic() { "atomic " } else { "" };
    let deletes = if host.no_deletes { "" } else { "delete-refs " };
    let capabilities =
        format!("report-status {deletes}side-band-64k quiet {atomic}ofs-delta object-format=sha1 agent={}", host.agent);
    let mut written = Vec::new();
    if refs.is_empty() {
        refs.push(("capabilities^{}".to_owned(), Oid::ZERO_SHA1));
    }
    for (index, (name, oid)) in refs.iter().enumerate() {
        let tail = if index == 0 { format!("\0{capabilities}") } else { String::new() };
        put(&mut written, format!("{oid} {name}{tail}\n").as_bytes());
    }
    written.extend_from_slice(b"0000");
    written
}

/// What a client asks for before it sends its objects.
pub(super) struct Request {
    pub asked: Vec<Asked>,
    pub atomic: bool,
    /// Whether remarks can be sent beside the report.
    pub side_band: bool,
}

/// Reads the commands of a push.
pub(super) async fn read_request(input: &mut (impl AsyncRead + Unpin)) -> std::io::Result<Request> {
    let mut request = Request { asked: Vec::new(), atomic: false, side_band: false };
    while let Some(packet) = next(input).await? {
        let text = String::from_utf8_lossy(&packet).into_owned();
        let (command, capabilities) = text.split_once('\0').unwrap_or((text.as_str(), ""));
        let has = |name: &str| capabilities.split_whitespace().any(|found| found == name);
        request.atomic |= has("atomic");
        request.side_band |= has("side-band-64k");
        let mut parts = command.trim_end().splitn(3, ' ');
        let mut oid =
            || parts.next().and_then(|text| Oid::from_str(text).ok()).map(|oid| (!oid.is_zero()).then_some(oid));
        let (Some(old), Some(new)) = (oid(), oid()) else { continue };
        let Some(name) = parts.next() else { continue };
        request.asked.push(Asked { name: name.to_owned(), old, new });
    }
    Ok(request)
}

/// The answer to a push. `unpacked` is what became of its objects.
pub(super) fn answer(record: &PushRecord, unpacked: &str, side_band: bool) -> Vec<u8> {
    let mut report = Vec::new();
    put(&mut report, format!("unpack {unpacked}\n").as_bytes());
    for asked in &record.asked {
        let line = match record.report.get(&asked.name) {
            Some(Some(reason)) => format!("ng {} {reason}\n", asked.name),
            _ => format!("ok {}\n", asked.name),
        };
        put(&mut report, line.as_bytes());
    }
    report.extend_from_slice(b"0000");
    if !side_band {
        return report;
    }
    let mut written = Vec::new();
    for remark in &record.remarks {
        put(&mut written, &[&[2], remark.as_bytes(), b"\n"].concat());
    }
    for piece in report.chunks(BAND_DATA_MAX) {
        put(&mut written, &[&[1], piece].concat());
    }
    written.extend_from_slice(b"0000");
    written
}
