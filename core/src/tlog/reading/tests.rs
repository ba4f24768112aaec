//! A log is read on and on, in any pieces, and what was found stays until it is acknowledged.
#![allow(clippy::unwrap_used, reason = "a test may stop at once")]

use super::*;
use crate::id::{Fingerprint, Realm, Serial};
use crate::testing::{START, device_name, rng};
use crate::tlog::{Basis, Certified, LeafRefusal, Tree};

fn certified(user: &str, device: &str, key: u8) -> Leaf {
    Leaf::DeviceCertificate(Certified {
        name: device_name(user, device),
        serial: Serial::draw(&mut rng(u64::from(key))),
        key: KeyId([key; 32]),
        certificate: Fingerprint([key; 32]),
        not_after: START,
        basis: Basis::FirstDevice,
        at: START,
    })
}

/// A log of many people, with acts in alice's name that her laptop, of key 1, did not ask for at the given places.
struct Log {
    name: NoteName,
    leaves: Vec<Vec<u8>>,
    tree: Tree,
}

impl Log {
    fn new(incarnation: u64, size: u8, strange: &[u8]) -> Self {
        let leaf = |index: u8| match index {
            0 => certified("alice", "laptop", 1),
            _ if strange.contains(&index) => certified("alice", "phone", index),
            _ => certified("bob", "laptop", index),
        };
        let leaves: Vec<_> = (0..size).map(|index| leaf(index).encode()).collect();
        let tree = leaves.iter().map(|leaf| Hash::leaf(leaf)).collect();
        Self { name: NoteName::of_log(&Realm::default(), incarnation), leaves, tree }
    }

    fn head(&self, size: u64) -> Head {
        self.tree.head_at(size).unwrap()
    }

    fn reading(&self) -> Reading {
        Reading::begin(self.name.clone(), Frontier::default())
    }

    /// Gives a page to a reading.
    fn page(&self, reading: &mut Reading, size: u64, page: usize) -> Result<(), AuditRefusal> {
        let next = usize::try_from(reading.next()).unwrap();
        let leaves = self.leaves.iter().skip(next).take(page).map(Vec::as_slice);
        reading.take(
            leaves,
            &self.head(size),
            Owner { name: &device_name("alice", "laptop"), key: KeyId([1; 32]), realm: &Realm::default() },
        )
    }

    /// Reads up to this size, and gives the places of what was found.
    fn read(&self, reading: &mut Reading, size: u64, page: usize) -> Vec<u64> {
        loop {
            match reading.settle(&self.head(size)).unwrap() {
                Some(news) => return news.into_iter().map(|found| found.index).collect(),
                None => self.page(reading, size, page).unwrap(),
            }
        }
    }
}

fn places(reading: &Reading) -> Vec<u64> {
    reading.found().iter().map(|found| found.index).collect()
}

#[test]
fn whatever_the_pages_and_heads_everything_strange_is_found_once_and_stays() {
    let log = Log::new(7, 60, &[3, 17, 40]);
    for page in [1, 4, 15, 60] {
        let mut reading = log.reading();
        assert_eq!(log.read(&mut reading, 5, page), [3]);
        assert_eq!(log.read(&mut reading, 5, page), [0; 0], "it is news once");
        assert_eq!(log.read(&mut reading, 40, page), [17], "the leaf behind the head is for the next one");
        assert_eq!(log.read(&mut reading, 60, page), [40]);
        assert_eq!((reading.sure(), reading.next(), places(&reading)), (60, 60, vec![3, 17, 40]));
        assert_eq!(reading.found().iter().map(|found| &found.log).collect::<Vec<_>>(), [&log.name; 3]);
    }
}

#[test]
fn what_is_read_is_believed_with_the_root_and_another_root_is_refused_and_forgotten() {
    let (log, other) = (Log::new(7, 30, &[20]), Log::new(7, 30, &[12]));
    let mut reading = log.reading();
    assert_eq!(log.read(&mut reading, 10, 5), [0; 0]);
    other.page(&mut reading, 30, 15).unwrap();
    assert_eq!((places(&reading), reading.next()), (vec![], 25), "a page is nobody's word");
    log.page(&mut reading, 30, 15).unwrap();
    assert_eq!(reading.settle(&log.head(30)), Err(AuditRefusal::Root));
    assert_eq!((reading.sure(), reading.next()), (10, 10));
    assert_eq!(log.read(&mut reading, 30, 15), [20]);
    // A head that what was sure does not make: nothing of it is believed any more.
    assert_eq!(reading.settle(&other.head(30)), Err(AuditRefusal::Root));
    assert_eq!((reading.next(), places(&reading)), (0, vec![20]));
}

#[test]
fn a_page_with_nothing_or_with_what_is_no_leaf_is_refused() {
    let log = Log::new(7, 9, &[]);
    let mut reading = log.reading();
    log.page(&mut reading, 9, 4).unwrap();
    assert_eq!(log.page(&mut reading.clone(), 9, 0), Err(AuditRefusal::Missing { given: 4, signed: 9 }));
    let own = device_name("alice", "laptop");
    let noise = reading.take(
        [&[9_u8, 9][..]],
        &log.head(9),
        Owner { name: &own, key: KeyId([1; 32]), realm: &Realm::default() },
    );
    assert_eq!(noise, Err(AuditRefusal::Leaf { index: 4, why: LeafRefusal::Format(9) }));
    assert_eq!(reading.next(), 0, "what was ahead of it is not believed either");
    assert_eq!(log.read(&mut reading, 9, 4), [0; 0]);
    assert_eq!(log.page(&mut reading, 9, 0), Ok(()), "there is nothing to be read");
    assert_eq!(log.page(&mut reading, 4, 4), Ok(()), "an older head has nothing new");
    assert_eq!(reading.settle(&log.head(4)), Ok(Some(Vec::new())));
    assert_eq!(reading.sure(), 9);
}

#[test]
fn what_was_acknowledged_is_silent_and_what_came_since_is_not() {
    let log = Log::new(7, 30, &[3, 17]);
    let mut reading = log.reading();
    log.read(&mut reading, 10, 15);
    log.page(&mut reading, 30, 15).unwrap();
    reading.acknowledge(10);
    assert_eq!(places(&reading), [0; 0]);
    assert_eq!(log.read(&mut reading, 30, 15), [17]);
    // Beyond what was read: the whole log was shown.
    reading.acknowledge(30);
    let mut anew = log.reading();
    anew.acknowledge(30);
    assert_eq!((places(&reading), log.read(&mut anew, 30, 15)), (vec![], vec![]));
}

#[test]
fn the_first_few_are_kept_and_no_more() {
    let strange: Vec<u8> = (1..30).collect();
    let log = Log::new(7, 30, &strange);
    let mut reading = log.reading();
    log.read(&mut reading, 30, 15);
    assert_eq!(places(&reading), (1..=u64::try_from(UNASKED_KEPT_MAX).unwrap()).collect::<Vec<_>>());
    assert!(reading.encode().len() <= READING_BYTES_MAX);
}

#[test]
fn another_log_is_read_from_its_first_leaf_and_wipes_nothing_out() {
    let (log, next) = (Log::new(7, 30, &[3]), Log::new(8, 30, &[5]));
    let mut reading = log.reading();
    log.read(&mut reading, 30, 15);
    assert_eq!(reading.clone().of(log.name.clone(), 0), reading);
    let mut reading = reading.of(next.name.clone(), 0);
    assert_eq!(reading.next(), 0);
    assert_eq!(next.read(&mut reading, 30, 15), [5]);
    assert_eq!(places(&reading), [3, 5]);
    reading.acknowledge(30);
    assert_eq!(places(&reading), [0; 0]);
}

#[test]
fn what_both_logs_have_is_not_found_twice_and_what_is_carried_on_is_not_read_again() {
    let strange = [3, 17, 25];
    let (log, next) = (Log::new(7, 30, &strange), Log::new(8, 30, &strange));
    let mut reading = log.reading();
    log.read(&mut reading, 20, 15);
    reading.acknowledge(20);
    let mut cut = reading.clone().of(next.name.clone(), 10);
    assert_eq!(cut.next(), 0);
    assert_eq!(next.read(&mut cut, 30, 15), [17, 25], "but for what stands in both");
    let mut whole = reading.carried_on(next.name.clone());
    assert_eq!((whole.next(), whole.log()), (20, &next.name));
    assert_eq!(next.read(&mut whole, 30, 15), [25]);
}

#[test]
fn of_two_programs_readings_nothing_is_lost() {
    let log = Log::new(7, 30, &[3, 17]);
    let [mut short, mut long] = [log.reading(), log.reading()];
    log.read(&mut short, 10, 15);
    log.read(&mut long, 20, 15);
    for both in [short.clone().with(long.clone()), long.clone().with(short.clone())] {
        assert_eq!((both.sure(), places(&both)), (20, vec![3, 17]));
    }
    // The shorter one was acknowledged meanwhile, by another program.
    short.acknowledge(10);
    for both in [short.clone().with(long.clone()), long.clone().with(short.clone())] {
        assert_eq!((both.sure(), places(&both)), (20, vec![17]));
    }
    let other = Log::new(8, 5, &[2]);
    let mut anew = other.reading();
    other.read(&mut anew, 5, 15);
    let both = anew.with(long);
    assert_eq!((both.log(), both.sure(), places(&both)), (&other.name, 5, vec![2, 3, 17]));
}

#[test]
fn it_is_kept_and_read_and_what_was_altered_is_refused() {
    let log = Log::new(7, 30, &[3, 17]);
    let mut reading = log.reading();
    log.read(&mut reading, 10, 15);
    log.page(&mut reading, 30, 15).unwrap();
    let bytes = reading.encode();
    assert_eq!(Reading::decode(&bytes), Ok(reading.clone()));
    for place in 0..bytes.len() {
        let mut altered = bytes.clone();
        altered.iter_mut().skip(place).take(1).for_each(|byte| *byte ^= 8);
        let why = if place == 0 { ReadingRefusal::Format(FORMAT ^ 8) } else { ReadingRefusal::Damaged };
        assert_eq!(Reading::decode(&altered), Err(why), "{place}");
        assert!(Reading::decode(bytes.get(..place).unwrap()).is_err(), "{place}");
    }
    assert_eq!(Reading::decode(&vec![FORMAT; READING_BYTES_MAX + 1]), Err(ReadingRefusal::TooLong));
    let mut backwards = reading.clone();
    backwards.ahead = Some(log.reading().sure);
    assert_eq!(Reading::decode(&backwards.encode()), Err(ReadingRefusal::Damaged));
    let mut full = reading;
    let one = full.sure.found.first().unwrap().clone();
    full.sure.found = vec![one; UNASKED_KEPT_MAX + 1];
    assert_eq!(Reading::decode(&full.encode()), Err(ReadingRefusal::Damaged));
}

#[test]
fn readings_that_older_programs_kept_are_read_and_what_was_found_is_an_alarm() {
    let log = Log::new(7, 30, &[3]);
    let mut reading = log.reading();
    log.read(&mut reading, 10, 15);
    let Stand { read, found, .. } = &reading.sure;
    let found: Vec<_> = found.iter().map(|Unasked { log, index, leaf, .. }| (log, index, leaf)).collect();
    let kept = |format: u8, body: &[u8]| [&[format][..], &Hash::leaf(body).0, body].concat();
    let whole = |body: Vec<u8>, format| Reading::decode(&kept(format, &body)).unwrap();
    let kin: BTreeMap<KeyId, DeviceLabel> = [(KeyId([2; 32]), device_name("alice", "phone").device)].into();
    let one = whole(postcard::to_stdvec(&(&log.name, 0_u64, (read, &found), None::<u8>)).unwrap(), 1);
    let two = whole(postcard::to_stdvec(&(&log.name, 0_u64, (read, &found, &kin), None::<u8>)).unwrap(), 2);
    for (older, kin) in [(one, BTreeMap::new()), (two, kin)] {
        assert_eq!((older.sure(), older.found()), (10, reading.found()));
        assert!(older.found().iter().all(|found| found.is_alarm));
        assert_eq!(older.sure.kin, Kin::without_recovery(kin));
        assert_eq!(older.encode().first(), Some(&FORMAT));
    }
    // The one of format 3 knew alarms and keys, and of nobody who takes back a device of their own.
    let Stand { read, found, .. } = &reading.sure;
    let (kin, key) = ([(KeyId([2; 32]), "phone")], Some(KeyId([3; 32])));
    let kin: (BTreeMap<_, _>, _, _) = (kin.into(), key, true);
    let three = whole(postcard::to_stdvec(&(&log.name, 0_u64, (read, found, &kin), None::<u8>)).unwrap(), 3);
    assert_eq!((three.sure(), three.found()), (10, reading.found()));
    let body = postcard::to_stdvec(&(&kin, Vec::<&str>::new())).unwrap();
    assert_eq!(three.sure.kin, postcard::from_bytes(&body).unwrap());
}

#[test]
fn what_is_only_told_makes_place_for_an_alarm_and_never_the_other_way() {
    let mut stand = Log::new(7, 1, &[]).reading().sure;
    let unasked = |index, is_alarm| {
        let leaf = Leaf::decode(&certified("alice", "phone", 1).encode()).unwrap();
        Unasked { log: NoteName::of_log(&Realm::default(), 7), index, leaf, is_alarm }
    };
    let kept = |stand: &Stand| stand.found.iter().map(|found| (found.index, found.is_alarm)).collect::<Vec<_>>();
    let most = u64::try_from(UNASKED_KEPT_MAX).unwrap();
    (0..most).for_each(|index| stand.keep(unasked(index, index == 0)));
    stand.keep(unasked(50, false));
    assert!(!kept(&stand).contains(&(50, false)), "there is no room");
    for index in 0..most {
        stand.keep(unasked(100 + index, true));
    }
    let mut expected = vec![(0, true)];
    expected.extend((0..most - 1).map(|index| (100 + index, true)));
    assert_eq!(kept(&stand), expected, "the first alarms, and nothing less");
}
