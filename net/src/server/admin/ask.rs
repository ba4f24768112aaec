//! Decides how a second program asks the running server: one request over the admin socket, one reply, in bounded time.

use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use countersign_core::limits::ADMIN_REPLY_BYTES_MAX;

use super::SOCKET;
use super::protocol::{Reply, Request};
use crate::args::command_line;
use crate::exit::Failure;
use crate::store::folder::FolderError;
use crate::unix_socket::check_path;

/// How long the server may take to answer: it syncs a disk, and no more.
const PATIENCE: Duration = Duration::from_secs(20);

/// Asks the server that runs on the data folder `folder`. What the server denies is a failure, too.
pub fn ask(folder: &Path, request: &Request) -> Result<Reply, Failure> {
    let path = folder.join(SOCKET);
    check_path(&path)?;
    let stream = UnixStream::connect(&path).map_err(|error| nobody(folder, &path, error))?;
    let reply = exchange(&stream, request).map_err(|error| silence(&error))?;
    if let Reply::Refused { sentence } = reply {
        Err(Failure::refused(sentence))
    } else if let Reply::Wrong { sentence } = reply {
        Err(Failure::usage(sentence))
    } else {
        Ok(reply)
    }
}

/// The failure of a reply that belongs to another request.
pub fn mixed_up() -> Failure {
    Failure::failed("the server answers another question than was asked: use the program of its version")
}

fn exchange(mut stream: &UnixStream, request: &Request) -> io::Result<Reply> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut line = serde_json::to_vec(request)?;
    line.push(b'\n');
    stream.write_all(&line)?;
    let mut reply = Vec::new();
    BufReader::new(stream.take(ADMIN_REPLY_BYTES_MAX as u64)).read_until(b'\n', &mut reply)?;
    if reply.is_empty() {
        return Err(ErrorKind::UnexpectedEof.into());
    }
    Ok(serde_json::from_slice(&reply)?)
}

fn nobody(folder: &Path, path: &Path, error: io::Error) -> Failure {
    #[expect(clippy::wildcard_enum_match_arm, reason = "what is left concerns the file, and is told as such")]
    match error.kind() {
        ErrorKind::NotFound | ErrorKind::ConnectionRefused => Failure::unreachable(format_args!(
            "no server is running on {}: start it with {} run, then try again",
            folder.display(),
            command_line("server")
        )),
        _ => Failure::failed(FolderError::from_io(path, error)),
    }
}

fn silence(error: &io::Error) -> Failure {
    #[expect(clippy::wildcard_enum_match_arm, reason = "whatever else it is, there was no answer")]
    match error.kind() {
        ErrorKind::WouldBlock | ErrorKind::TimedOut => {
            Failure::unreachable("the server does not answer: look at its log, then try again")
        }
        ErrorKind::InvalidData => Failure::failed(
            "the server answers in words that this program does not know: use the program of its version",
        ),
        _ => Failure::unreachable(format_args!("the server ended before it answered ({error}): start it again")),
    }
}
