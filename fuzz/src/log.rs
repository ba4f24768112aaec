//! Decides whether anything of the transparency log is believed that the one honest log does not say.
//!
//! | form | what the bytes are | what may be believed |
//! | --- | --- | --- |
//! | 0 | a leaf, note, proof, page, row, reading or cosignature as such | an honest checkpoint, signature included; a leaf in its one form |
//! | 1 | an honest note, cosigned or not, and changes to it | what the log has signed and nobody else, the same of who cosigns |
//! | 2 | a proof that a leaf is there, honest or changed, under a head | the leaf that stands at that index |
//! | 3 | a proof that one head goes on from another | heads of which one has the other's leaves first |
//! | 4 | checkpoints of two histories in any order, with proofs, and acts | what the model of a device believes that has no proofs |
//! | 5 | rows of words back to a first device | that the device is the one's whose it is |
//! | 6 | pages of leaves, changed or not, and heads in between | leaves that are those of the signed head, one by one |

mod book;

use countersign_core::limits::{LEAF_BYTES_MAX, NOTE_BYTES_MAX};
use countersign_core::tlog::lineage::trace;
use countersign_core::tlog::{
    Advance, Certified, Checkpoint, ConsistencyProof, Frontier, Hash, InclusionProof, Leaf, Note, Owner, Reading, View,
};
use countersign_core::wire::log::{Lineage, LogHead, LogPage, LogProof};

use crate::script::Script;

use book::{Book, Tale, book};

/// `form | what the form says`.
pub fn log(data: &[u8]) {
    let mut script = Script::new(data);
    let book = book();
    match script.byte() % 7 {
        0 => raw(book, script.rest()),
        1 => changed_note(book, script),
        2 => inclusion(book, script),
        3 => consistency(book, script),
        4 => follow(book, script),
        5 => rows(book, script),
        _ => read(book, script),
    }
}

/// What an honest log says, each with a name, for the seeds.
pub fn honest() -> Vec<(String, Vec<u8>)> {
    let book = book();
    let leaves = (0..).zip(&book.home.leaves).map(|(n, leaf): (u32, _)| (format!("leaf-{n}"), leaf.clone()));
    let last = book.home.len();
    let inclusion = book.home.tree.inclusion(3, last).expect("a leaf that is there");
    let consistency = book.home.tree.consistency(6, last);
    let reading = Reading::begin(book.key.origin().clone(), Frontier::default());
    let note = book.home.note(book, u8::try_from(last).unwrap_or(0), true).into_bytes();
    let leaf = |n: u8| book.home.leaf(n).clone().into();
    let proof = LogProof { leaf: leaf(3), inclusion };
    let said = LogHead { certificate: vec![1].into(), checkpoint: note.clone().into(), consistency };
    let page = LogPage { leaves: (0..3).map(leaf).collect(), more: true };
    let row = Lineage(vec![proof.clone()]);
    let encoded = [
        postcard::to_stdvec(&proof),
        postcard::to_stdvec(&said),
        postcard::to_stdvec(&page),
        postcard::to_stdvec(&row),
    ];
    let encoded = encoded.map(|bytes| bytes.expect("it can be encoded"));
    let named = ["proof", "head", "page", "row"].map(str::to_owned).into_iter().zip(encoded);
    leaves.chain(named).chain([("note".to_owned(), note), ("reading".to_owned(), reading.encode())]).collect()
}

/// The bytes as everything that a log says.
fn raw(book: &Book, bytes: &[u8]) {
    if let Ok(leaf) = Leaf::decode(bytes) {
        assert!(bytes.len() <= LEAF_BYTES_MAX);
        assert_eq!(leaf.encode(), bytes, "one act in two encodings");
        assert_eq!(leaf.leaf_hash(), Hash::leaf(bytes));
    }
    note(book, bytes);
    if let Ok(reading) = Reading::decode(bytes) {
        assert_eq!(Reading::decode(&reading.encode()).as_ref(), Ok(&reading));
        assert!(reading.next() >= reading.sure());
    }
    let head = book.home.head(book.home.len());
    if let Ok(proof) = postcard::from_bytes::<LogProof>(bytes) {
        let there = usize::try_from(proof.inclusion.index()).ok().and_then(|at| book.home.leaves.get(at));
        let is_there = there.is_some_and(|leaf| *leaf == proof.leaf.as_ref());
        let is_believed = proof.inclusion.check(Hash::leaf(&proof.leaf), &head).is_ok();
        assert!(!is_believed || is_there, "a leaf is believed that is not in the log");
    }
    if let Ok(said) = postcard::from_bytes::<LogHead>(bytes)
        && said.check().is_ok()
    {
        note(book, &said.checkpoint);
    }
    if let Ok(page) = postcard::from_bytes::<LogPage>(bytes) {
        assert!(page.check().is_err() || page.leaves.iter().all(|leaf| leaf.len() <= LEAF_BYTES_MAX));
    }
    if let Ok(row) = postcard::from_bytes::<Lineage>(bytes)
        && row.check().is_ok()
    {
        row.0.iter().for_each(|proof| assert!(proof.leaf.len() <= LEAF_BYTES_MAX));
    }
}

/// A note is what it is signed as, by the log and by who cosigns.
fn note(book: &Book, bytes: &[u8]) {
    if let Ok(note) = Note::parse(bytes) {
        assert!(bytes.len() <= NOTE_BYTES_MAX);
        assert_eq!(note.to_string().as_bytes(), bytes, "one note in two forms");
    }
    let Ok(checkpoint) = Checkpoint::parse(bytes) else {
        assert!(book.key.open(bytes).is_err(), "the log's key opens what is no checkpoint");
        return;
    };
    let head = *checkpoint.head();
    let is_signed = [&book.home, &book.fork].iter().any(|tale| tale.has(&head));
    if let Ok(verified) = book.key.verify(&checkpoint) {
        assert_eq!((verified.head(), verified.origin()), (&head, book.key.origin()));
        assert!(is_signed, "a head is believed that the log has not signed: {head:?}");
    }
    if let Ok(at) = book.cosigner.verify(&checkpoint) {
        assert_eq!(at, book::COSIGNED, "a time is believed at which nobody cosigned");
        assert!(book.home.has(&head), "a head is taken for cosigned that is not");
    }
}

/// `history | size | cosigned | (how, where, what)...`.
fn changed_note(book: &Book, mut script: Script<'_>) {
    let tale = book.tale(script.byte());
    let mut text = tale.note(book, script.byte(), script.byte().is_multiple_of(2)).into_bytes();
    while !script.is_over() {
        change(&mut text, &mut script);
    }
    note(book, &text);
}

fn change(bytes: &mut Vec<u8>, script: &mut Script<'_>) {
    let (how, at, what) = (script.byte() % 5, usize::from(script.word()) % (bytes.len() + 1), script.byte());
    match how {
        0 => bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte = what),
        1 => bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 1 << (what % 8)),
        2 => bytes.insert(at, what),
        3 => drop(bytes.drain(at..bytes.len().min(at + usize::from(what % 32)))),
        _ => bytes.truncate(at),
    }
}

/// Hashes of an honest proof, with changes: `(how, where, what)...`, at most eight.
fn changed_hashes(book: &Book, honest: &[Hash], script: &mut Script<'_>) -> Vec<Hash> {
    let mut hashes = honest.to_vec();
    for _ in 0..script.byte() % 8 {
        let at = usize::from(script.byte()) % (hashes.len() + 1);
        let other = book.hash(script.byte());
        match script.byte() % 5 {
            0 => hashes.insert(at, other),
            1 => drop(hashes.drain(at..hashes.len().min(at + 1))),
            2 => hashes.iter_mut().skip(at).take(1).for_each(|hash| *hash = other),
            3 => hashes.reverse(),
            _ => hashes.truncate(at),
        }
    }
    hashes
}

/// `history | size | which proof | index and size as said | changes | which leaf`.
fn inclusion(book: &Book, mut script: Script<'_>) {
    let tale = book.tale(script.byte());
    let size = tale.size(script.byte());
    let index = u64::from(script.byte());
    let honest =
        tale.tree.inclusion(index % tale.len(), size.max(index % tale.len() + 1)).expect("a leaf that is there");
    let said = (index % (tale.len() + 2), size + u64::from(script.byte() % 3));
    let hashes = changed_hashes(book, honest.hashes(), &mut script);
    let leaf = book.tale(script.byte()).leaf(script.byte());
    let Ok(proof) = InclusionProof::new(said.0, said.1, hashes) else { return };
    let head = tale.head(size);
    let is_there = said.0 < size && tale.leaves.get(usize::try_from(said.0).unwrap_or(usize::MAX)) == Some(leaf);
    let is_believed = proof.check(Hash::leaf(leaf), &head).is_ok();
    assert!(!is_believed || (is_there && said.1 == size), "{proof:?} is believed under {head:?}");
    if let Ok(frontier) = Frontier::before(Hash::leaf(leaf), &proof, &head) {
        assert!(is_there, "an edge is believed that is another's");
        assert_eq!(frontier.head(), tale.head(said.0), "the edge of another tree");
    }
}

/// `history | size | history | size | changes`.
fn consistency(book: &Book, mut script: Script<'_>) {
    let (older, newer) = (book.tale(script.byte()), book.tale(script.byte()));
    let (old, new) = (older.size(script.byte()), newer.size(script.byte()));
    let said = (old + u64::from(script.byte() % 3), new + u64::from(script.byte() % 3));
    let honest = newer.tree.consistency(old.max(1), new.max(1)).map(|proof| proof.hashes().to_vec());
    let hashes = changed_hashes(book, &honest.unwrap_or_default(), &mut script);
    let Ok(proof) = ConsistencyProof::new(said.0, said.1, hashes) else { return };
    let is_believed = proof.check(&older.head(old), &newer.head(new)).is_ok();
    let goes_on = said == (old, new) && older.is_beginning(old, newer, new);
    assert!(!is_believed || goes_on, "{proof:?}: a history is believed that does not go on");
}

/// A device that follows: `history | size`, then `what | ...` each.
fn follow(book: &Book, mut script: Script<'_>) {
    let mut model = (book.tale(script.byte()), script.byte());
    let mut view = View::begin(model.0.checkpoint(book, model.1));
    while !script.is_over() {
        let (tale, known) = (model.0, model.0.size(model.1));
        if script.byte().is_multiple_of(2) {
            let (next, said) = (book.tale(script.byte()), script.byte());
            let size = next.size(said);
            let (old, new) = (known.min(size), known.max(size));
            let honest = next.tree.consistency(old.max(1), new.max(1)).map(|proof| proof.hashes().to_vec());
            let hashes = changed_hashes(book, &honest.unwrap_or_default(), &mut script);
            let proof = ConsistencyProof::new(old, new, hashes).ok().filter(|_| !script.byte().is_multiple_of(4));
            match view.advance(next.checkpoint(book, said), proof.as_ref()) {
                Ok(Advance::Moved { from }) => {
                    assert_eq!(from, known);
                    assert!(size > known && tale.is_beginning(known, next, size), "another history is followed");
                    model = (next, said);
                }
                Ok(Advance::Same) => assert_eq!(tale.head(known), next.head(size)),
                Ok(Advance::Behind) => assert!(size < known && next.is_beginning(size, tale, known)),
                Err(_) => {}
            }
        } else {
            let index = u64::from(script.byte()) % tale.len();
            let leaf = book.tale(script.byte()).leaf(script.byte());
            let honest = tale.tree.inclusion(index, known.max(index + 1)).expect("a leaf that is there");
            let hashes = changed_hashes(book, honest.hashes(), &mut script);
            let Ok(proof) = InclusionProof::new(index, known, hashes) else { return };
            let decoded = Leaf::decode(leaf).expect("a leaf of ours");
            if let Ok(included) = view.believe(&decoded, &proof) {
                let there = usize::try_from(included.index()).ok().and_then(|at| tale.leaves.get(at));
                assert!(index < known && there == Some(leaf), "an act is believed that the log does not have");
            }
        }
        assert_eq!(
            *view.newest().head(),
            model.0.head(model.0.size(model.1)),
            "a refused checkpoint has changed the view"
        );
    }
}

/// `which device | (which entry, changes)...`.
fn rows(book: &Book, mut script: Script<'_>) {
    let decode = |bytes: &[u8]| Leaf::decode(bytes).ok();
    let devices: Vec<Certified> =
        book.home.leaves.iter().filter_map(|leaf| decode(leaf)?.certified().cloned()).collect();
    let device = &devices[usize::from(script.byte()) % devices.len()];
    let mut row = Vec::new();
    while !script.is_over() && row.len() < 20 {
        let mut bytes = book.tale(script.byte()).leaf(script.byte()).clone();
        for _ in 0..script.byte() % 4 {
            change(&mut bytes, &mut script);
        }
        row.extend(decode(&bytes));
    }
    if let Ok(founder) = trace(device, &row, &book.realm) {
        assert_eq!(founder.key, book.founder(device.key), "a device is believed to be somebody else's: {row:?}");
    }
}

/// `(what | ...)...`: a page from where the reading stands, with changes, or a head to settle at.
fn read(book: &Book, mut script: Script<'_>) {
    let mut reading = Reading::begin(book.key.origin().clone(), Frontier::default());
    let owner = Owner { name: &book.owner.0, key: book.owner.1, realm: &book.realm };
    // What was read and not forgotten.
    let mut given: Vec<Vec<u8>> = Vec::new();
    while !script.is_over() {
        let tale: &Tale = book.tale(script.byte());
        let head = tale.head(tale.size(script.byte()));
        let from = usize::try_from(reading.next()).expect("not so long");
        let mut page: Vec<Vec<u8>> =
            tale.leaves.iter().skip(from).take(usize::from(script.byte() % 8)).cloned().collect();
        if script.byte().is_multiple_of(2)
            && let Some(leaf) = page.last_mut()
        {
            change(leaf, &mut script);
        }
        given.truncate(from);
        if reading.take(page.iter().map(Vec::as_slice), &head, owner).is_ok() {
            let read = usize::try_from(reading.next()).expect("not so long") - from;
            given.extend(page.into_iter().take(read));
        }
        match reading.settle(&head) {
            Ok(Some(_)) if reading.next() == head.size => {
                let size = usize::try_from(head.size).expect("not so long");
                assert_eq!(given.get(..size), tale.leaves.get(..size), "leaves are believed that are not those signed");
            }
            Ok(_) => {}
            Err(_) => given.truncate(usize::try_from(reading.next()).expect("not so long")),
        }
        assert_eq!(Reading::decode(&reading.encode()).as_ref(), Ok(&reading));
    }
}
