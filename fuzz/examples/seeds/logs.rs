//! Seeds from the log: what it says as such, honest notes and proofs, and changes to them.

use fuzz::log::honest;

use super::Seeds;

/// `form | what the form says`.
pub(super) fn seeds() -> Seeds {
    let mut seeds = Seeds::new();
    for (name, bytes) in honest() {
        seeds.push((format!("raw-{name}"), [&[0], bytes.as_slice()].concat()));
    }
    // Honest, of either history, and one byte of it altered.
    for (name, script) in
        [("home", &[1, 1, 13, 0][..]), ("fork", &[1, 0, 9, 1]), ("flipped", &[1, 1, 8, 0, 1, 0, 60, 3])]
    {
        seeds.push((format!("note-{name}"), script.to_vec()));
    }
    // Each leaf under each size, honest; then one hash of the proof another.
    for (n, size) in [(0, 1), (0, 13), (3, 4), (5, 8), (12, 13), (6, 7)] {
        seeds.push((format!("inclusion-{n}-{size}"), vec![2, 1, size, n, 0, 0, 1, n]));
    }
    seeds.push(("inclusion-other-hash".into(), vec![2, 1, 13, 3, 0, 1, 0, 5, 2, 1, 3]));
    seeds.push(("inclusion-other-leaf".into(), vec![2, 1, 13, 3, 0, 0, 1, 4]));
    for (old, new) in [(1, 2), (4, 8), (6, 13), (7, 12), (13, 13)] {
        seeds.push((format!("consistency-{old}-{new}"), vec![3, 1, 1, old, new, 0, 0, 0]));
    }
    seeds.push(("consistency-of-a-fork".into(), vec![3, 1, 0, 11, 13, 0, 0, 0]));
    let advance = |history: u8, size: u8| vec![0, history, size, 0, 1];
    let steps = [advance(1, 6), advance(1, 13), advance(0, 14), vec![1, 3, 1, 3, 0]].concat();
    seeds.push(("follow".into(), [vec![4, 1, 3], steps].concat()));
    // The phone by the laptop, the desk by the code, the desk renewed.
    for (name, script) in
        [("phone", &[5, 2, 1, 1, 0][..]), ("desk", &[5, 4, 1, 4, 0, 1, 3, 0, 1, 1, 0]), ("laptop", &[5, 0])]
    {
        seeds.push((format!("row-{name}"), script.to_vec()));
    }
    seeds.push(("row-of-another".into(), vec![5, 2, 1, 2, 0]));
    seeds.push(("read".into(), [[6, 1, 13, 7, 1].as_slice(), &[1, 13, 7, 1]].concat()));
    seeds.push(("read-altered".into(), vec![6, 1, 7, 7, 0, 1, 0, 9, 2, 1, 7, 7, 1]));
    seeds.push(("read-a-fork".into(), vec![6, 1, 6, 6, 1, 0, 14, 7, 1, 0, 14, 7, 1]));
    seeds
}
