//! What has to hold between the bounds, asserted at compile time.

#[allow(clippy::wildcard_imports, reason = "it is about all of them")]
use super::*;

const _: () = {
    assert!(FORWARD_BYTES_MAX + 64 <= FRAME_BYTES_MAX, "a Forward fits a frame");
    assert!(LOG_PAGE_MAX * (LEAF_BYTES_MAX + 2) + 64 <= FRAME_BYTES_MAX, "a page of the log fits a frame");
    assert!(LINE_BYTES_MAX + 64 <= FRAME_BYTES_MAX, "a line fits a frame");
    assert!(4 * CERTIFICATE_BYTES_MAX <= FRAME_BYTES_MAX, "the certificates of an enrolment fit a frame");
    assert!(WHO_PAGE_MAX * (2 * LABEL_BYTES_MAX + 16) <= FRAME_BYTES_MAX, "a page of who fits a frame");
    assert!(
        TUNNELS_PER_DEVICE_MAX * (TUNNEL_WINDOW_BYTES as usize) * 2 <= OUTBOX_BYTES_MAX,
        "full windows of all of a device's tunnels leave half of its outbox to everything else",
    );
    assert!(BRANCHES_MAX <= DEVICES_PER_USER_MAX, "a call rings at no more devices than anybody believes in");
    assert!(
        READ_TURN_BYTES_MAX / (FRAME_HEADER_BYTES + 2) * (1 + HELD_OVERHEAD_BYTES) <= HELD_BYTES_MAX,
        "what is read in a turn can be held, in the smallest messages that there are",
    );
    assert!(SLOW_TIME_MAX.as_secs() < SILENCE_TIME_LEAST.as_secs(), "who is paused is dropped for that reason");
    assert!(
        FORWARD_BYTES_MAX + FORWARD_OVERHEAD_BYTES as usize <= TUNNEL_WINDOW_BYTES as usize,
        "a full Forward can be credited"
    );
    assert!(CERTIFICATE_BYTES_MAX + 256 <= RECORD_ENCODED_BYTES_MAX, "an issued certificate fits a record");
    assert!(LIST_BYTES_MAX + 64 <= RECORD_ENCODED_BYTES_MAX, "a revocation list fits a record");
    assert!(
        REVOKED_MAX * REVOKED_BYTES + 1024 <= LIST_BYTES_MAX,
        "a list with everything that was revoked is not too long"
    );
    assert!(
        REVOKED_MAX * REVOKED_BYTES + LISTS_MAX * 1024 + 1024 <= FRAME_BYTES_MAX,
        "all lists with their issuers fit a frame, however they share what was revoked",
    );
    assert!(STREAM_QUEUED_BYTES < OUTBOX_PAUSE_BYTES, "who is posted to is not paused for it");
    assert!(PIECE_BYTES_MAX + 64 <= FRAME_BYTES_MAX, "a piece fits a frame");
    assert!(KEY_PACKAGE_BYTES_MAX + 256 <= FRAME_BYTES_MAX, "a key package fits a frame");
    assert!(LIST_SPAN.as_secs() * 2 < LIST_LIFETIME.as_secs(), "a list is replaced well before its end");
    assert!(LIST_KEPT.as_secs() > LIST_SPAN.as_secs(), "whatever was revoked is on a list from after its end");
    assert!(SNAPSHOTS_KEPT >= 2, "a damaged snapshot has one before it");
    assert!(PEER_UNHEARD_BYTES_MAX >= 4 * LINE_BYTES_MAX, "a peer session holds several lines");
    assert!(
        PEER_UNHEARD_BYTES_MAX + 4 * PEER_HEARD_BACKLOG_BYTES <= PEER_OUTBOX_BYTES_MAX / 2,
        "a way takes all unconfirmed lines once more, however much waits in it already",
    );
    assert!(
        DIRECT_TIME_MAX.as_secs() < PING_AFTER.as_secs(),
        "an attempt is over before either end is asked for a sign"
    );
    assert!(PING_AFTER.as_secs() * 2 < SILENCE_TIME_MAX.as_secs(), "a lost ping does not end a connection");
    assert!(PING_AFTER.as_secs() * 2 < SILENCE_TIME_LEAST.as_secs(), "nor does it where an operator chose so");
    assert!(RING_TIME_MOST.as_secs() < RING_TIME_MAX.as_secs() * 2, "a caller's patience outlasts the ringing");
    assert!(STRANGERS_MAX < CONNECTIONS_MAX, "strangers never take the members' places");
    assert!((LOG_ENTRIES_MAX.ilog2() as usize) < PROOF_HASHES_MAX, "the largest log's proofs fit");
    assert!(
        LOG_ANSWER_TIME_MAX.as_secs() >= 3 * SILENCE_TIME_MAX.as_secs(),
        "a dead line ends before the server is said to answer nothing",
    );
    assert!(
        LOG_ANSWER_TIME_MAX.as_secs() < LOG_WATCH_SPAN.as_secs(),
        "an answer is awaited before the next is asked for"
    );
    assert!(
        2 * (UNASKED_KEPT_MAX * (LEAF_BYTES_MAX + NOTE_NAME_BYTES_MAX + 16) + PROOF_HASHES_MAX * 32 + 16) + 512
            <= READING_BYTES_MAX,
        "what is kept of a reading fits, however much was found",
    );
    assert!(
        NOTE_SIGNATURES_MAX * (NOTE_NAME_BYTES_MAX + 128) + NOTE_NAME_BYTES_MAX + 128 <= NOTE_BYTES_MAX,
        "a checkpoint with as many cosignatures as allowed, all under the longest names, is a note",
    );
    assert!(
        RENEWAL_SPACING.as_secs() * 10 < DEVICE_LIFETIME.as_secs()
            && RENEWAL_TRY_SPAN_MAX.as_secs() < RENEWAL_SPACING.as_secs(),
        "two thirds of a lifetime are not fresh, and there is time for many tries",
    );
    assert!(PROOF_LOOK_SPAN.as_secs() < PROOF_NOTICE.as_secs() / 2, "the relay is asked more than once");
    assert!(DEVICE_LIFETIME.as_secs() < ISSUING_LIFETIME.as_secs(), "a leaf ends before its issuer");
    assert!(
        DEVICE_LIFETIME.as_secs() + 14 * ISSUING_NOTICE_SPAN.as_secs() < ISSUING_NOTICE.as_secs()
            && ISSUING_NOTICE.as_secs() < ISSUING_LIFETIME.as_secs() / 2,
        "the operator is warned for weeks before a device's lifetime is cut, and not all the time",
    );
    assert!(KEY_FILE_ROUNDS <= KEY_FILE_ROUNDS_MAX, "what is encrypted here is opened here");
};
