//! Decides how many people of a run have a further device, and whose is whose: drawn from a stream of its own.

use super::SimConfig;
use crate::rng::Draw;

/// How many people have one at most: whoever calls them rings both.
const MOST: u64 = 3;

impl SimConfig {
    /// In one run of four somebody has a further device: nothing else is drawn from this stream.
    pub(super) fn draw_further(&mut self) {
        let rng = &mut self.streams().stream("config/further");
        let (some, many) = (rng.chance(1, 4), rng.between(1, MOST));
        self.further = if some { many.min(self.devices) } else { 0 };
    }

    /// How many devices there are, the further ones among them.
    ///
    /// # Panics
    /// If the configuration is not sound ([`SimConfig::check`]).
    pub fn all_devices(&self) -> usize {
        usize::try_from(self.devices + self.further).expect("there are a few devices")
    }

    /// The other device of the same person, if they come to have one: the further ones are numbered behind all first ones, in
    /// the order of their owners.
    pub fn sibling(&self, device: usize) -> Option<usize> {
        let (first, further) = (usize::try_from(self.devices).ok()?, usize::try_from(self.further).ok()?);
        match device.checked_sub(first) {
            Some(owner) => (owner < further).then_some(owner),
            None => (device < further).then_some(first + device),
        }
    }

    /// From whose device's address a device connects: where passwords are guessed at, both devices of a person are at one.
    pub(crate) fn home(&self, device: usize) -> usize {
        if self.guess_mean_ms > 0 && self.is_further(device) { self.sibling(device).unwrap_or(device) } else { device }
    }

    /// Whether a device is a further one, which waits for the first one of its person.
    pub fn is_further(&self, device: usize) -> bool {
        usize::try_from(self.devices).is_ok_and(|first| device >= first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn further_devices_are_rare_and_each_is_its_owners() {
        let some = (0..400).map(SimConfig::draw).filter(|config| config.further > 0).count();
        assert!((60..140).contains(&some), "in {some} of 400 runs");
        let config = SimConfig { devices: 3, further: 2, ..SimConfig::draw(1) };
        let siblings: Vec<Option<usize>> = (0..5).map(|device| config.sibling(device)).collect();
        assert_eq!(siblings, [Some(3), Some(4), None, Some(0), Some(1)]);
        assert!(config.is_further(3) && !config.is_further(2));
    }
}
