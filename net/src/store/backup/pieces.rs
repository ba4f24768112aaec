//! How items become sealed pieces, and pieces items again.

use std::fmt;
use std::io::{Read, Write};

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest;
use countersign_core::password::{Cost, Password, Stretch};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::{BackupError, FORMAT, ITEM_BYTES_MAX, Item};

const MAGIC: &[u8; 19] = b"countersign backup\n";
const PLAIN: u8 = 0;
const SEALED: u8 = 1;
const TAG_BYTES: usize = 16;
const PIECE_BYTES: usize = 64 * 1024;
/// Marks the last piece in its length.
const LAST: u32 = 1 << 31;

/// Whether a backup is encrypted.
#[derive(Clone)]
pub enum Sealing {
    /// With a key that this passphrase makes, at this cost.
    Passphrase(Password, Cost),
    /// Not at all.
    None,
}

impl fmt::Debug for Sealing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Passphrase(..) => "Passphrase(secret)",
            Self::None => "None",
        })
    }
}

/// What closes a piece.
enum Seal {
    Key(LessSafeKey),
    Digest,
}

impl Seal {
    fn of(stretch: &Stretch) -> Result<Self, BackupError> {
        // A cost beyond all measure is none that this program wrote.
        let key = stretch.run().ok_or(BackupError::Damaged)?;
        let key = UnboundKey::new(&AES_256_GCM, key.as_key()).map_err(|_| BackupError::Damaged)?;
        Ok(Self::Key(LessSafeKey::new(key)))
    }

    /// Closes a piece: what stands in its place, and its tag.
    fn close(&self, header: &[u8], place: Place, piece: &mut [u8]) -> Result<[u8; TAG_BYTES], BackupError> {
        match self {
            Self::Key(key) => {
                let tag = key.seal_in_place_separate_tag(place.nonce(), Aad::from(header), piece);
                let tag = tag.map_err(|_| BackupError::Damaged)?;
                tag.as_ref().try_into().map_err(|_| BackupError::Damaged)
            }
            Self::Digest => Ok(check(header, place, piece)),
        }
    }

    /// Opens a piece, its tag behind it.
    fn open<'a>(&self, header: &[u8], place: Place, sealed: &'a mut [u8]) -> Result<&'a [u8], BackupError> {
        match self {
            Self::Key(key) => key
                .open_in_place(place.nonce(), Aad::from(header), sealed)
                .map(|piece| &*piece)
                .map_err(|_| BackupError::Sealed),
            Self::Digest => {
                let (piece, tag) = sealed.split_last_chunk::<TAG_BYTES>().ok_or(BackupError::Damaged)?;
                verify_slices_are_equal(&check(header, place, piece), tag).map_err(|_| BackupError::Damaged)?;
                Ok(piece)
            }
        }
    }
}

/// Where a piece stands.
#[derive(Clone, Copy, Debug)]
struct Place {
    number: u64,
    is_last: bool,
}

impl Place {
    fn bytes(self) -> [u8; 12] {
        let mut bytes = [0; 12];
        bytes[0] = u8::from(self.is_last);
        bytes[4..].copy_from_slice(&self.number.to_be_bytes());
        bytes
    }

    /// Never used twice under one key: the key is this file's alone, and the pieces are counted.
    fn nonce(self) -> Nonce {
        Nonce::assume_unique_for_key(self.bytes())
    }
}

/// The beginning of a hash over a piece and where it stands.
fn check(header: &[u8], place: Place, piece: &[u8]) -> [u8; TAG_BYTES] {
    let mut context = digest::Context::new(&digest::SHA256);
    for part in [header, &place.bytes(), piece] {
        context.update(part);
    }
    let mut tag = [0; TAG_BYTES];
    tag.copy_from_slice(context.finish().as_ref().get(..TAG_BYTES).unwrap_or_default());
    tag
}

/// Writes a backup, item by item.
pub struct BackupWriter<W> {
    out: W,
    header: Vec<u8>,
    seal: Seal,
    number: u64,
    piece: Zeroizing<Vec<u8>>,
}

impl<W: Write> BackupWriter<W> {
    /// Begins a backup. The passphrase is stretched here, which takes a moment.
    pub fn begin(mut out: W, sealing: &Sealing, rng: &mut dyn CryptoRng) -> Result<Self, BackupError> {
        let mut header = [&MAGIC[..], &[FORMAT]].concat();
        let seal = match sealing {
            Sealing::None => {
                header.push(PLAIN);
                Seal::Digest
            }
            Sealing::Passphrase(passphrase, cost) => {
                let stretch = Stretch::new(passphrase.clone(), *cost, rng);
                header.push(SEALED);
                header.extend(stretch.salt);
                let Cost { memory_kib, passes, lanes } = stretch.cost;
                header.extend([memory_kib, passes, lanes].iter().flat_map(|number| number.to_be_bytes()));
                Seal::of(&stretch)?
            }
        };
        out.write_all(&header)?;
        Ok(Self { out, header, seal, number: 0, piece: Zeroizing::new(Vec::with_capacity(PIECE_BYTES)) })
    }

    /// Writes the next item.
    ///
    /// # Panics
    /// If it is longer than [`ITEM_BYTES_MAX`].
    pub fn write(&mut self, item: &Item) -> Result<(), BackupError> {
        let body = Zeroizing::new(postcard::to_stdvec(item).expect("an item can always be encoded"));
        assert!(body.len() <= ITEM_BYTES_MAX, "an item of {} bytes was to be backed up", body.len());
        let length = u32::try_from(body.len()).expect("it is below its bound").to_be_bytes();
        for mut rest in [&length[..], &body] {
            while !rest.is_empty() {
                if self.piece.len() == PIECE_BYTES {
                    self.close(false)?;
                }
                let (now, later) = rest.split_at(rest.len().min(PIECE_BYTES - self.piece.len()));
                self.piece.extend_from_slice(now);
                rest = later;
            }
        }
        Ok(())
    }

    /// Writes the last piece, and gives back what was written to.
    pub fn finish(mut self) -> Result<W, BackupError> {
        self.close(true)?;
        self.out.flush()?;
        Ok(self.out)
    }

    fn close(&mut self, is_last: bool) -> Result<(), BackupError> {
        let length = u32::try_from(self.piece.len()).expect("a piece is below its bound");
        let tag = self.seal.close(&self.header, Place { number: self.number, is_last }, &mut self.piece)?;
        self.out.write_all(&(if is_last { length | LAST } else { length }).to_be_bytes())?;
        self.out.write_all(&self.piece)?;
        self.out.write_all(&tag)?;
        self.number += 1;
        self.piece.clear();
        Ok(())
    }
}

/// Reads a backup, item by item. What it gives was checked; that the file goes on to its end, only its last item says.
pub struct BackupReader<R> {
    input: R,
    header: Vec<u8>,
    seal: Seal,
    number: u64,
    /// What was opened and not read yet.
    open: Zeroizing<Vec<u8>>,
    read: usize,
    is_over: bool,
}

impl<R: Read> BackupReader<R> {
    /// Reads the beginning of a backup, and asks for the passphrase if it is encrypted.
    pub fn begin<E: From<BackupError>>(
        mut input: R,
        passphrase: impl FnOnce() -> Result<Password, E>,
    ) -> Result<Self, E> {
        let failed = |error: std::io::Error| E::from(error.into());
        let mut header = vec![0; MAGIC.len() + 2];
        input.read_exact(&mut header).map_err(|_| E::from(BackupError::Foreign))?;
        let seal = match header.strip_prefix(&MAGIC[..]) {
            Some([FORMAT, PLAIN]) => Seal::Digest,
            Some([FORMAT, SEALED]) => {
                let (mut salt, mut costs) = ([0; 16], [0; 12]);
                input.read_exact(&mut salt).and_then(|()| input.read_exact(&mut costs)).map_err(failed)?;
                header.extend(salt);
                header.extend(costs);
                let cost = |n: usize| {
                    let bytes = costs.get(n * 4..).and_then(<[u8]>::first_chunk).copied().unwrap_or_default();
                    u32::from_be_bytes(bytes)
                };
                let cost = Cost { memory_kib: cost(0), passes: cost(1), lanes: cost(2) };
                Seal::of(&Stretch { password: passphrase()?, salt, cost })?
            }
            Some([format, _]) if *format > FORMAT => return Err(BackupError::Newer(*format).into()),
            Some(_) | None => return Err(BackupError::Foreign.into()),
        };
        let open = Zeroizing::new(Vec::new());
        Ok(Self { input, header, seal, number: 0, open, read: 0, is_over: false })
    }

    /// The next item, `None` once there are no more.
    pub fn item(&mut self) -> Result<Option<Item>, BackupError> {
        if self.is_over && self.read == self.open.len() {
            return Ok(None);
        }
        let mut length = [0; 4];
        self.fill(&mut length)?;
        let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
        if length > ITEM_BYTES_MAX {
            return Err(BackupError::Damaged);
        }
        let mut body = Zeroizing::new(vec![0; length]);
        self.fill(&mut body)?;
        match postcard::take_from_bytes(&body) {
            Ok((item, [])) => Ok(Some(item)),
            Ok(_) | Err(_) => Err(BackupError::Damaged),
        }
    }

    /// Whether nothing comes after the last piece.
    pub fn is_at_its_end(&mut self) -> Result<bool, BackupError> {
        let mut more = [0; 1];
        Ok(self.is_over && self.read == self.open.len() && self.input.read(&mut more)? == 0)
    }

    fn fill(&mut self, out: &mut [u8]) -> Result<(), BackupError> {
        let mut filled = 0;
        while filled < out.len() {
            let there = self.open.get(self.read..).unwrap_or_default();
            let Some(room) = out.get_mut(filled..) else { break };
            let n = there.len().min(room.len());
            if n == 0 {
                self.next_piece()?;
                continue;
            }
            room.iter_mut().zip(there).for_each(|(to, from)| *to = *from);
            (filled, self.read) = (filled + n, self.read + n);
        }
        Ok(())
    }

    fn next_piece(&mut self) -> Result<(), BackupError> {
        if self.is_over {
            return Err(BackupError::CutOff);
        }
        let mut length = [0; 4];
        self.input.read_exact(&mut length)?;
        let length = u32::from_be_bytes(length);
        let (is_last, length) = (length & LAST != 0, usize::try_from(length & !LAST).unwrap_or(usize::MAX));
        // Each but the last is full: so nobody is kept busy with empty ones.
        if length > PIECE_BYTES || (!is_last && length < PIECE_BYTES) {
            return Err(BackupError::Damaged);
        }
        let mut sealed = Zeroizing::new(vec![0; length + TAG_BYTES]);
        self.input.read_exact(&mut sealed)?;
        let place = Place { number: self.number, is_last };
        let piece = self.seal.open(&self.header, place, &mut sealed)?;
        self.open.clear();
        self.open.extend_from_slice(piece);
        (self.read, self.number, self.is_over) = (0, self.number + 1, is_last);
        Ok(())
    }
}

impl<W> fmt::Debug for BackupWriter<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BackupWriter({} pieces)", self.number)
    }
}

impl<R> fmt::Debug for BackupReader<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BackupReader({} pieces)", self.number)
    }
}
