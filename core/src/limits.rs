//! Every bound of the protocol and of the machines, with its unit in its name.
//!
//! Elsewhere stand alone: those that a version of the journal's rules has frozen, by that version's name beside its rules
//! (`..._V3` in `journal/`), and those of the shell's own files and turns, in `net`.
//!
//! Those of conversations are in `limits/conversations.rs`; relations between bounds are asserted at compile time, in
//! `limits/relations.rs`.

use std::time::Duration;

pub use conversations::*;

// --- names (design 4) ---

/// A user or device label, in bytes.
pub const LABEL_BYTES_MAX: usize = 32;
/// A realm, in bytes: it is also the subject's organisation, which RFC 5280 holds to 64.
pub const REALM_BYTES_MAX: usize = 64;
/// A host name as a client may dial it, in bytes (RFC 1035 §2.3.4).
pub const HOST_BYTES_MAX: usize = 253;

// --- frames and messages (protocol §3) ---

/// The body of one frame, version byte included.
pub const FRAME_BYTES_MAX: usize = 32 * 1024;
/// The bytes that stand before a frame's body: its length.
pub const FRAME_HEADER_BYTES: usize = 4;
/// Extensions in one message.
pub const EXTENSIONS_MAX: usize = 16;
/// The tunnelled bytes that one `Forward` carries.
pub const FORWARD_BYTES_MAX: usize = 16 * 1024;
/// One line of text in a peer session, in bytes of UTF-8.
pub const LINE_BYTES_MAX: usize = 16 * 1024;
/// How long a device waits for an answer of the relay to an ask, or to a part of one.
pub const ASK_TIME_MAX: Duration = Duration::from_secs(10);
/// Devices of one user, as far as anybody believes in them.
pub const DEVICES_PER_USER_MAX: usize = 64;
/// Devices of one person that are not revoked (frozen with the journal's rules 4).
pub const LIVING_PER_USER_MAX: usize = 16;
/// People in one page of `who`.
pub const WHO_PAGE_MAX: usize = 128;

// --- certificates and requests (design 4) ---

/// A CSR in DER.
pub const CSR_BYTES_MAX: usize = 4 * 1024;
/// A certificate in DER.
pub const CERTIFICATE_BYTES_MAX: usize = 4 * 1024;
/// A public key as `SubjectPublicKeyInfo` in DER: RSA of 4096 bits needs 550.
pub const SPKI_BYTES_MAX: usize = 640;
/// The smallest RSA key of a device, in bits of its modulus.
pub const RSA_BITS_MIN: u16 = 2048;
/// The largest RSA key of a device, in bits of its modulus: it also bounds what a check of its signature costs.
pub const RSA_BITS_MAX: u16 = 4096;
/// The rounds of PBKDF2 that an encrypted key file may ask for: some seconds of work. OpenSSL asks for 2,048.
pub const KEY_FILE_ROUNDS_MAX: u32 = 10_000_000;
/// The rounds of PBKDF2 for a key that is encrypted here: some tenths of a second of work for each guess.
pub const KEY_FILE_ROUNDS: u32 = 1_000_000;
/// A passphrase, in bytes.
pub const PASSPHRASE_BYTES_MAX: usize = 1024;
/// The shortest passphrase that is taken for a key that is encrypted here, in bytes.
pub const PASSPHRASE_BYTES_MIN: usize = 8;
/// Certificates that a peer may show in a handshake: leaf, issuing CA, root.
pub const CHAIN_CERTIFICATES_MAX: usize = 3;

/// How long a root lives: ten years.
pub const ROOT_LIFETIME: Duration = days(3652);
/// How long a revocation list holds.
pub const LIST_LIFETIME: Duration = days(7);
/// How often the revocation lists are signed anew, if nothing changes.
pub const LIST_SPAN: Duration = days(1);
/// After lists could not be signed, the next try.
pub const LIST_RETRY: Duration = days(1);
/// How long a certificate stays on its list after its end: on one list of those days at least (RFC 5280 §3.3).
pub const LIST_KEPT: Duration = days(2);
/// Revoked certificates on all lists together.
pub const REVOKED_MAX: usize = 400;
/// Revocation lists of one realm: one for each issuing CA that holds, the newest ones.
pub const LISTS_MAX: usize = 8;
/// A revocation list in DER.
pub const LIST_BYTES_MAX: usize = 22 * 1024;
/// What one revoked certificate takes in its list.
pub const REVOKED_BYTES: usize = 52;
/// How long `server revoke --wait` waits for those who attend to act.
pub const REVOKE_WAIT_MAX: Duration = Duration::from_secs(10);
/// How often it asks who has.
pub const REVOKE_WAIT_SPAN: Duration = Duration::from_millis(100);
/// How long an issuing CA lives.
pub const ISSUING_LIFETIME: Duration = days(365);
/// With no more than this left to the issuing CA its operator is warned, if not earlier: in time to have another one before
/// it cuts the lifetime of a device's certificate.
pub const ISSUING_NOTICE: Duration = days(120);
/// How often the log warns of the issuing CA's end.
pub const ISSUING_NOTICE_SPAN: Duration = days(1);
/// Issuing CAs of one realm whose certificates are kept, the one that signs included.
pub const ISSUING_CAS_MAX: usize = 64;
/// Epochs of a conversation behind the newest whose secrets a device keeps: so far back can be read what was sealed before a
/// commit and arrives after it, and so far back reads whoever steals the device's state.
pub const PAST_EPOCHS_KEPT_MAX: usize = 3;
/// How long before it was made a key package begins to hold: clocks differ.
pub const KEY_PACKAGE_BEFORE: Duration = Duration::from_secs(3_600);
/// How long a device's certificate lives.
pub const DEVICE_LIFETIME: Duration = days(90);
/// How long others may add a device to a conversation by one of its key packages. A leaf keeps this end until its device
/// commits for the first time, and beyond it nobody can join; so it is no nearer than the certificate's.
pub const KEY_PACKAGE_LIFETIME: Duration = DEVICE_LIFETIME;
/// How long after its end a device's certificate is still renewed (frozen with the journal's rules 3).
pub const RENEWAL_GRACE: Duration = days(45);
/// A certificate that was granted no longer ago than this, and still holds, is its own renewal: a device whose answer was
/// lost gets it again, and none fills the log (frozen with the journal's rules 3).
pub const RENEWAL_SPACING: Duration = days(1);
/// Certificates of one device that hold at the same time: with so many, the newest is its own renewal until two thirds of
/// its time are over. So a device takes few places on the revocation lists (frozen with the journal's rules 4).
pub const CERTIFICATES_PER_DEVICE_MAX: usize = 4;
/// How often a device looks whether its certificate is to be renewed: its machine may sleep, and the timer with it.
pub const RENEWAL_LOOK_SPAN: Duration = days(1);
/// After a renewal that came to nothing a device waits this long at most before the next try, and at least half of it.
pub const RENEWAL_TRY_SPAN_MAX: Duration = Duration::from_secs(60 * 60);
/// The same where the certificate ends so soon that there is no time for more.
pub const RENEWAL_TRY_SPAN_MIN: Duration = Duration::from_secs(60);
/// How long before the other end's proof in a call ends the relay is asked for their renewed certificate.
pub const PROOF_NOTICE: Duration = Duration::from_secs(60 * 60);
/// How long it takes until the relay is asked again.
pub const PROOF_LOOK_SPAN: Duration = Duration::from_secs(5 * 60);
/// A signature by a device's key of any kind: RSA of 4096 bits.
pub const SIGNATURE_BYTES_MAX: usize = 512;
/// How long the relay's own certificate lives; it is made anew at two thirds.
pub const RELAY_LIFETIME: Duration = days(90);
/// After a failure to make the relay's own certificate anew, the next try.
pub const RENEWAL_RETRY: Duration = days(1);
/// How far a certificate's start lies before its issue, so that a clock a little behind does not refuse it.
pub const BACKDATING: Duration = Duration::from_secs(300);
/// The lifetime of an invite when nobody says otherwise.
pub const INVITE_LIFETIME: Duration = days(1);
/// The shortest lifetime of an invite.
pub const INVITE_LIFETIME_MIN: Duration = Duration::from_secs(1);
/// The longest lifetime of an invite.
pub const INVITE_LIFETIME_MAX: Duration = days(30);
/// Invites that are open at one time.
pub const INVITES_OPEN_MAX: usize = 4096;
/// Devices that wait to be approved, in the whole realm.
pub const WAITING_MAX: usize = 64;
/// Devices of one user that wait to be approved.
pub const WAITING_PER_USER_MAX: usize = 4;
/// How long a device waits to be approved.
pub const WAITING_TIME_MAX: Duration = Duration::from_secs(15 * 60);
/// Comparisons that a device which waits takes part in.
pub const COMPARISONS_MAX: u32 = 8;
/// The shortest password that is taken, in bytes.
pub const PASSWORD_BYTES_MIN: usize = 8;
/// A password, in bytes.
pub const PASSWORD_BYTES_MAX: usize = PASSPHRASE_BYTES_MAX;
/// The memory that Argon2id goes over for a password that is set now, in KiB.
pub const PASSWORD_MEMORY_KIB: u32 = 19 * 1024;
/// How often it goes over it.
pub const PASSWORD_PASSES: u32 = 2;
/// In how many lanes.
pub const PASSWORD_LANES: u32 = 1;
/// So many times each of these a stored password may cost, which a later version may have set.
pub const PASSWORD_COST_FACTOR_MAX: u32 = 16;
/// Passwords whose stretching the server awaits at one time, members' included; one beyond is told to come again.
pub const STRETCHES_PENDING_MAX: usize = 32;
/// How many of them members' new passwords find free, however many strangers try theirs.
pub const STRETCHES_RESERVED: usize = 8;
/// Passwords that all strangers together may have stretched in a second: about a fifth of one core.
pub const STRETCHES_PER_SECOND: u32 = 8;
/// How many of them at once after a quiet time.
pub const STRETCHES_AT_ONCE_MAX: u32 = 16;
/// Passwords that one address may have stretched within [`PASSWORD_TRIES_SPAN`].
pub const PASSWORD_TRIES_MAX: u32 = 10;
/// The span for [`PASSWORD_TRIES_MAX`].
pub const PASSWORD_TRIES_SPAN: Duration = Duration::from_secs(60);
/// After a try at somebody's password from an address that is strange to them, the pause before the next from any such
/// address; it doubles with each.
pub const GUESS_PAUSE_MIN: Duration = Duration::from_secs(1);
/// The longest such pause: whoever guesses from many addresses has 1,440 tries at a password in a day.
pub const GUESS_PAUSE_MAX: Duration = Duration::from_secs(60);
/// The longest pause before the next try from an address that has tried before: it has 96 tries in a day.
pub const GUESS_PAUSE_SAME_MAX: Duration = Duration::from_secs(15 * 60);
/// After this long without a try from a strange address the pauses begin anew.
pub const GUESS_MEMORY: Duration = days(1);
/// Addresses that are remembered to have tried somebody's password; the one that tried longest ago is forgotten.
pub const GUESSING_SOURCES_MAX: usize = 16;
/// Addresses at which somebody's devices were that are remembered; tries from there are not slowed.
pub const KNOWN_SOURCES_MAX: usize = 4;
/// Tries in a row from such an address, of which none was right, before it is a strange one.
pub const KNOWN_TRIES_MAX: u32 = 5;
/// How often somebody may set their password within [`PASSWORD_CHANGES_SPAN`].
pub const PASSWORD_CHANGES_MAX: u32 = 5;
/// The span for [`PASSWORD_CHANGES_MAX`].
pub const PASSWORD_CHANGES_SPAN: Duration = Duration::from_secs(60 * 60);
/// People in one realm.
pub const USERS_MAX: usize = 10_000;

// --- links and the relay (protocol §2, §5) ---

/// Connections that the server holds at one time.
pub const CONNECTIONS_MAX: usize = 4096;
/// The fewest connections that an operator may choose instead: a member's and a stranger's.
pub const CONNECTIONS_MIN: usize = 2;
/// Connections among them that have not been admitted. One more takes the place of the oldest.
pub const STRANGERS_MAX: usize = 512;
/// Public-key operations that all strangers together may cause in a second: about a tenth of one core.
pub const KEY_OPERATIONS_PER_SECOND: u32 = 2_800;
/// The fewest that an operator may choose instead: 14 handshakes.
pub const KEY_OPERATIONS_PER_SECOND_MIN: u32 = 100;
/// The most that an operator may choose instead: about one core.
pub const KEY_OPERATIONS_PER_SECOND_MAX: u32 = 20_000;
/// What one stranger's connection may cause, the dearest kind of it (`server/strangers.rs` counts them).
pub const KEY_OPERATIONS_PER_STRANGER: u64 = 7;
/// How much of a quiet time's budget is kept for a rush, as the time in which it comes in: what is spent at once holds
/// the members up for no longer than some ten milliseconds.
pub const KEY_OPERATIONS_SPAN: Duration = Duration::from_millis(125);
/// While strangers are held back the log says so, no more often than this.
pub const STRANGERS_NOTE_SPAN: Duration = Duration::from_secs(10);
/// Lines about strangers that the server's log takes at once; what is beyond is counted.
pub const STRANGERS_LINES_AT_ONCE_MAX: u64 = 1_000;
/// How many lines about strangers the log takes in the long run, each second: about a gigabyte in a week.
pub const STRANGERS_LINES_A_SECOND: u64 = 10;
/// Admitted connections of one device at one time, the attending one included; the oldest other one yields.
pub const CONNECTIONS_PER_DEVICE_MAX: usize = 4;
/// From `Opened` until the connection must be admitted (or have its certificate).
pub const HANDSHAKE_TIME_MAX: Duration = Duration::from_secs(10);
/// The shortest that an operator may choose instead.
pub const HANDSHAKE_TIME_LEAST: Duration = Duration::from_secs(1);
/// The longest that an operator may choose instead.
pub const HANDSHAKE_TIME_MOST: Duration = Duration::from_secs(60);
/// Without a word from the other side for this long, a connection is given up. Bytes that make no whole record don't
/// count: one damaged length would keep a dead connection for hours.
pub const SILENCE_TIME_MAX: Duration = Duration::from_secs(60);
/// The shortest that an operator may choose instead.
pub const SILENCE_TIME_LEAST: Duration = Duration::from_secs(41);
/// The longest that an operator may choose instead.
pub const SILENCE_TIME_MOST: Duration = Duration::from_secs(600);
/// How often a device asks for a sign of life, so that each side hears the other.
pub const PING_AFTER: Duration = Duration::from_secs(20);
/// From a connection's end until its socket is dropped, whether the other side has closed or not.
pub const LINGER_TIME_MAX: Duration = Duration::from_secs(3);
/// Bytes that wait in a link for the socket. A relay drops a member who lets it fill; a handshake never comes near.
pub const OUTBOX_BYTES_MAX: usize = 1024 * 1024;
/// With more than this in its outbox a member is paused: nothing is read of it, so that its own requests fill no more.
pub const OUTBOX_PAUSE_BYTES: usize = OUTBOX_BYTES_MAX / 2;
/// With no more than this left it is read again.
pub const OUTBOX_RESUME_BYTES: usize = OUTBOX_BYTES_MAX / 4;
/// How long a member may be paused before it is dropped.
pub const SLOW_TIME_MAX: Duration = Duration::from_secs(30);
/// What a paused member had sent before the shell stopped reading, [`HELD_OVERHEAD_BYTES`] for each message included: all
/// that is read in a turn, however small its messages.
pub const HELD_BYTES_MAX: usize = 384 * 1024;
/// What a message that is held counts for besides its bytes, about as much as it takes in a queue.
pub const HELD_OVERHEAD_BYTES: usize = 32;
/// The most that the shell reads from one socket in one turn of its loop, so that one who never stops talking does not
/// starve the others.
pub const READ_TURN_BYTES_MAX: usize = 64 * 1024;
/// Ciphertext of an unfinished handshake that a link takes before it gives up on a stranger.
pub const HANDSHAKE_BYTES_MAX: usize = 64 * 1024;
/// Plaintext of one TLS record (RFC 8446 §5.1).
pub const RECORD_BYTES_MAX: usize = 16 * 1024;
/// What sealing adds to a record: header, content type, tag (RFC 8446 §5.2).
pub const RECORD_OVERHEAD_BYTES: usize = 5 + 1 + 16;
/// Kept free in every outbox for a sealed goodbye (31 bytes) and `close_notify` (24), so that a full one can still say
/// why it ends; and for two answers to a change of keys (27 each, RFC 8446 §4.6.3), one before each flush.
pub const PARTING_BYTES: usize = 128;
/// Appends whose answer the server awaits at one time; enrolments beyond are told to come again.
pub const APPENDS_PENDING_MAX: usize = 256;

// --- introductions, tunnels and peer sessions (protocol §6, §7) ---

/// How long a call rings.
pub const RING_TIME_MAX: Duration = Duration::from_secs(45);
/// The shortest that an operator may choose instead.
pub const RING_TIME_LEAST: Duration = Duration::from_secs(5);
/// The longest that an operator may choose instead.
pub const RING_TIME_MOST: Duration = Duration::from_secs(60);
/// Introductions and tunnels that one device has at one time. To a caller all branches of an introduction are one.
pub const TUNNELS_PER_DEVICE_MAX: usize = 8;
/// Devices of one person that one call rings at: as many as a person can have.
pub const BRANCHES_MAX: usize = 16;
/// Bytes that one direction of a tunnel may carry before the receiver gives credit for more.
pub const TUNNEL_WINDOW_BYTES: u32 = 64 * 1024;
/// A receiver gives its credit back once this much has come in.
pub const TUNNEL_CREDIT_BYTES: u32 = TUNNEL_WINDOW_BYTES / 4;
/// From the opening of a tunnel until both ends have admitted each other.
pub const PEER_HANDSHAKE_TIME_MAX: Duration = Duration::from_secs(15);
/// How long an end that has said goodbye waits for the other's while nothing moves.
pub const PEER_GOODBYE_TIME_MAX: Duration = Duration::from_secs(5);
/// How long it waits at all, however slowly its last words are taken.
pub const PEER_LEAVING_TIME_MAX: Duration = Duration::from_secs(60);
/// What each `Forward` costs of its window besides its bytes, about as much as it takes in a queue, so that many small
/// ones fill no more memory than a few large ones.
pub const FORWARD_OVERHEAD_BYTES: u32 = 32;
/// How often one device may come, after it was absent, within [`ATTENDANCES_SPAN`]: each time all others are told twice.
pub const ATTENDANCES_MAX: u32 = 60;
/// The span for [`ATTENDANCES_MAX`].
pub const ATTENDANCES_SPAN: Duration = Duration::from_secs(60);
/// Introductions that one device may ask for within [`INTRODUCTIONS_SPAN`].
pub const INTRODUCTIONS_MAX: u32 = 30;
/// The span for [`INTRODUCTIONS_MAX`].
pub const INTRODUCTIONS_SPAN: Duration = Duration::from_secs(60);
/// Plaintext and ciphertext that a peer session holds for each of its ways.
pub const PEER_OUTBOX_BYTES_MAX: usize = 320 * 1024;
/// Lines that were said in a peer session and not yet confirmed; a caller asks for room before it says a line.
pub const PEER_UNHEARD_BYTES_MAX: usize = 128 * 1024;
/// What each unconfirmed line costs besides its text: at least what framing and sealing it alone add to it.
pub const PEER_LINE_OVERHEAD_BYTES: usize = 64;
/// What may wait on a way before a confirmation waits, too, and becomes one with the next.
pub const PEER_HEARD_BACKLOG_BYTES: usize = 4 * 1024;
/// Addresses that one end of a peer session offers for a direct connection.
pub const DIRECT_ADDRESSES_MAX: usize = 8;
/// From the wish for a direct connection until it is there or given up.
pub const DIRECT_TIME_MAX: Duration = Duration::from_secs(10);
/// Connections to a listening device of which none is the awaited one yet, at one time. One more takes the place of the
/// oldest that has proved nothing. The awaited one tries all addresses at once.
pub const DIRECT_STRANGERS_MAX: usize = 2 * DIRECT_ADDRESSES_MAX;
/// Connections to a listening device before it gives up listening: that many strangers are no accident.
pub const DIRECT_ACCEPTS_MAX: usize = 64;
/// A line that was said on a direct connection and is not confirmed for this long, while nothing comes in, shows that the
/// connection is dead. While something does, [`SILENCE_TIME_MAX`] holds as in the tunnel.
pub const DIRECT_HEARD_TIME_MAX: Duration = Duration::from_secs(10);
/// People whom a device remembers to have met.
pub const ACQUAINTANCES_MAX: usize = 10_000;
/// Calls that one device has at one time, waiting ones included.
pub const CALLS_MAX: usize = TUNNELS_PER_DEVICE_MAX;

// --- reconnecting (design 8) ---

/// The first wait before a device dials again.
pub const BACKOFF_MIN: Duration = Duration::from_millis(250);
/// The longest wait before a device dials again.
pub const BACKOFF_MAX: Duration = Duration::from_secs(20);

// --- the journal (design 3) ---

/// One record, encoded.
pub const RECORD_ENCODED_BYTES_MAX: usize = 24 * 1024;
/// Records from one snapshot to the next: what a start folds besides, a second of work at most.
pub const SNAPSHOT_EVERY_RECORDS: u64 = 10_000;
/// Snapshots that are kept: the newest, and one to go back to where it is damaged.
pub const SNAPSHOTS_KEPT: usize = 2;
/// One snapshot, encoded: a state of some four million entries in the log.
pub const SNAPSHOT_BYTES_MAX: usize = 512 * 1024 * 1024;

// --- the transparency log (design 4) ---

/// Hashes in a proof of the log.
pub const PROOF_HASHES_MAX: usize = 64;
/// Entries of one log: a size up to it is also a whole number in SQLite, and no proof needs more hashes than it may have.
pub const LOG_ENTRIES_MAX: u64 = 1 << 62;
/// One leaf of the log, encoded.
pub const LEAF_BYTES_MAX: usize = 2 * 1024;
/// Acts in one person's name that `client log check` keeps while it reads a log of any length.
pub const LOG_ACTS_READ_MAX: usize = 10_000;
/// Entries of the log that show whose device a device is: its own first one, one for each endorsement before it, and two
/// where that was a recovery key's.
pub const LINEAGE_MAX: usize = 15;
/// Leaves in one page of the log.
pub const LOG_PAGE_MAX: usize = 15;
/// Restorations of the server that are shown to whoever begins to follow the log: the newest.
pub const GENERATIONS_SHOWN_MAX: usize = 8;
/// How often a device that stays online asks what the log has become.
pub const LOG_WATCH_SPAN: Duration = Duration::from_secs(60 * 60);
/// How long a device that watches the log waits for its head or a page of it. A line that is dead ends by
/// [`SILENCE_TIME_MAX`] first, on whichever side notices, so this is for a server that speaks and does not answer.
pub const LOG_ANSWER_TIME_MAX: Duration = Duration::from_secs(180);
/// Pages of the log that a device reads before it keeps how far it has come.
pub const LOG_PAGES_UNKEPT_MAX: u64 = 16;
/// Acts that nobody asked for which a device keeps until they are acknowledged. Reading the whole log shows all.
pub const UNASKED_KEPT_MAX: usize = 8;
/// What a device keeps of its reading of the log, encoded.
pub const READING_BYTES_MAX: usize = 48 * 1024;
/// A signed note, signatures included.
pub const NOTE_BYTES_MAX: usize = 8 * 1024;
/// Signatures under one note: the least that everybody has to take.
pub const NOTE_SIGNATURES_MAX: usize = 16;
/// The name of a log or of a key that signs notes, in bytes.
pub const NOTE_NAME_BYTES_MAX: usize = 255;

// --- the shell (what is read in a turn, and what waits beside the machines) ---

/// New connections that are taken in one turn of the loop, so that a crowd at the door does not hold up those inside.
pub const ACCEPTS_PER_TURN_MAX: usize = 64;
/// How long nobody is let in after the system had no room for another.
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(500);
/// Requests to the journal whose outcome has not been taken: while there are so many nobody is heard.
pub const JOURNAL_REQUESTS_MAX: usize = 1024;
/// Requests to the journal in one transaction.
pub const JOURNAL_BATCH_MAX: usize = 256;
/// Visitors of the operator's desk at one time; the one who came first yields.
pub const ADMIN_VISITORS_MAX: usize = 16;
/// One request of an operator, line end included: a certificate request of the greatest length as PEM takes most of it.
pub const ADMIN_REQUEST_BYTES_MAX: usize = 8 * 1024;
/// One reply to an operator: a full realm's `users` takes a quarter of it.
pub const ADMIN_REPLY_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Certificates, devices or entries of the log in one page of an answer to an operator; a full page takes less than three
/// megabytes.
pub const ADMIN_PAGE_MAX: usize = 1_000;
/// Typed lines that wait for the client's loop.
pub const TYPED_LINES_WAITING_MAX: usize = 64;
/// Programs of one device that have a message sent by the one that takes part in its conversations; the one who came first
/// yields.
pub const LOCAL_VISITORS_MAX: usize = 16;
/// One wish of such a program, line end included: each byte of the longest text may take six as JSON.
pub const LOCAL_REQUEST_BYTES_MAX: usize = 6 * TEXT_BYTES_MAX + 1024;
/// One answer to it.
pub const LOCAL_REPLY_BYTES_MAX: usize = 8 * 1024;
/// How long a message that is sent by a program of its own is waited for, until it is said to be kept for later.
pub const SEND_TIME_MAX: Duration = Duration::from_secs(30);
/// What a device writes down of its conversations before the log beside the file is taken in and cut off, in writings.
pub const KEEPS_BETWEEN_CHECKPOINTS_MAX: u32 = 32;
/// What is read at one time of what stands in conversations and was not shown, in messages.
pub const UNSHOWN_PAGE_MAX: usize = 64;

const fn days(n: u64) -> Duration {
    Duration::from_secs(n * 24 * 60 * 60)
}

mod conversations;
mod relations;
#[cfg(test)]
mod tests;
