//! Decides how `server ca sign` goes: read the request, have the running server certify it, print what an import needs.

use std::io::{self, Read};
use std::path::Path;

use countersign_core::id::{DeviceLabel, UserName};
use serde_json::json;

use super::admin::ask::{ask, mixed_up};
use super::admin::protocol::{Reply, Request};
use crate::exit::{Failure, print_line};
use crate::store::folder::{FolderError, read_file};
use crate::store::request::{REQUEST_FILE_BYTES_MAX, RequestError, from_bytes, to_pem};

/// The name that stands for standard input.
const STDIN: &str = "-";

/// Certifies the key of the request at `path` (`-` is standard input) for a device that there is not yet.
///
/// Stdout gets the server's link and under it the three certificates: all that `client cert import` needs.
pub fn sign(folder: &Path, path: &Path, user: &UserName, device: &DeviceLabel, json: bool) -> Result<(), Failure> {
    let der = from_bytes(&read(path)?).map_err(|error| refused(path, &error))?;
    let request = Request::Sign { csr: to_pem(&der), user: user.to_string(), device: device.to_string() };
    let Reply::Signed { link, certificates } = ask(folder, &request)? else { return Err(mixed_up()) };
    if json {
        return print_line(json!({ "link": link, "certificates": certificates }));
    }
    print_line(link)?;
    // Each ends its own last line.
    print_line(certificates.concat().trim_end())
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    if path != Path::new(STDIN) {
        return read_file(path, REQUEST_FILE_BYTES_MAX).map_err(|error| {
            let too_long = matches!(error, FolderError::TooLarge { .. });
            if too_long { refused(path, &RequestError::TooLong) } else { Failure::failed(error) }
        });
    }
    let mut bytes = Vec::new();
    let one_more = REQUEST_FILE_BYTES_MAX as u64 + 1;
    match io::stdin().lock().take(one_more).read_to_end(&mut bytes) {
        Ok(read) if read > REQUEST_FILE_BYTES_MAX => Err(refused(path, &RequestError::TooLong)),
        Ok(_) => Ok(bytes),
        Err(error) => Err(Failure::failed(format_args!("the request can't be read from standard input ({error})"))),
    }
}

fn refused(path: &Path, error: &RequestError) -> Failure {
    let from = if path == Path::new(STDIN) { "standard input".to_owned() } else { path.display().to_string() };
    Failure::refused(format_args!("{from}: {error}"))
}
